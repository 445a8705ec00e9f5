# Answers hold secrets, too: what the profile calls secret is in no record,
# and a PIN that the other side repeats is not either, wherever its words
# stand in the answer.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use JSON::PP ();
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use ProvreqLinks;
use Test::More;

my $pin = '9173';
my $token = 'qwertz';

# Answers each message with a number, a token, and words as TLV that say what
# stands in the message behind its number.
sub run_peer
{
	my ($listener) = @_;

	while (my $socket = $listener->accept)
	{
		while (sysread $socket, my $head, 2)
		{
			my $length = unpack 'n', $head;
			my $body = '';

			while (length $body < $length)
			{
				last unless sysread $socket, $body, $length - length $body, length $body;
			}
			my ($number, $rest) = unpack 'Na*', $body;
			my $words = "no: $rest";

			syswrite $socket, pack('n/a*', pack('Na6CC/a*', $number, $token, 1, $words));
		}
		close $socket;
	}
	return;
}

my $port = start_peer(\&run_peer);
my $number = { name => 'sequence', form => 'uint', width => 4 };
my $profile = JSON::PP->new->encode({
	kind => 'nagravision',
	frame => { length =>
		  { form => 'uint', width => 2, outer => JSON::PP::true, from => 'after' } },
	link => { match => 'transaction',
		numbers => { scope => 'link', first => 1, last => 1000000 } },
	messages => {
		pin => [
			{ %$number, from => 'transaction' },
			{ name => 'pin', form => 'text', width => 4, from => 'ca_pin',
				display => 'secret' } ],
		clear => [ { %$number, from => 'transaction' },
			{ form => 'text', const => 'CLEAR' } ] },
	answers => {
		no => {
			fields => [
				$number,
				{ name => 'token', form => 'text', width => 6,
					display => 'secret' },
				{ name => 'more', form => 'tlv',
					tag => { form => 'uint', width => 1 },
					length => { form => 'uint', width => 1 },
					items => [ { tag => 1, field =>
						{ name => 'words', form => 'text', width => 'rest' } } ] } ],
			transaction => 'sequence',
			text => 'words',
			verdict => 'refused' } },
	operations => {
		SET_PIN_TO_GIVEN_VALUE => { message => 'pin' },
		CLEAR_PIN => { message => 'clear' } } });
my $node = provreq_node('main', conf => "log_statement = none\n");

fill_directory($node, 2);
ask($node, 'INSERT INTO provreq.wire_profile (name, kind, document)'
	  . " VALUES ('talkative', 'nagravision', '$profile')");
ask($node, <<"EOQ");
CREATE SERVER talkative FOREIGN DATA WRAPPER nagravision OPTIONS (
	host '127.0.0.1', port '$port', profile 'talkative', source_id '1');
CREATE USER MAPPING FOR provreq_worker SERVER talkative
EOQ

my $row = wait_for_end($node, ask($node, 'SELECT number FROM'
	  . " provreq.nagravision_clear_pin('number=S1', 'serial_number=card1')"));

is("$row->{life_cycle_state} $row->{error_description}",
	'REJECTED no: CLEAR', 'an answer with words in TLV');
unlike($row->{response}, qr/@{[ unpack 'H*', $token ]}/,
	'its secret field is not in the record');
like($row->{response}, qr/(?:2a){6}01.*@{[ unpack 'H*', 'no: CLEAR' ]}$/,
	'where asterisks are, and the words');

$row = wait_for_end($node, ask($node, 'SELECT number FROM'
	  . " provreq.nagravision_set_pin_to_given_value('number=S1', '$pin',"
	  . " 'serial_number=card1')"));
is("$row->{life_cycle_state} $row->{error_description}",
	'REJECTED no: ****', 'words that repeat a PIN, masked');
unlike($row->{response}, qr/@{[ unpack 'H*', $pin ]}/,
	'and masked where they stand in the answer');
like($row->{response}, qr/(?:2a){6}01.*@{[ unpack 'H*', 'no: ****' ]}$/,
	'as asterisks');
unlike(
	ask($node, "SELECT response FROM provreq.explain_reply('talkative',"
		  . " '\\x001500000001' || '$token'::bytea || '\\x0109' || 'no: CLEAR'::bytea)"),
	qr/$token/,
	'nor is the secret in explain_reply');
done_testing();
