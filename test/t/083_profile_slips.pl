# Profiles that are not wrong and not as their authors think: what they make
# is sent, recorded and shown all the same, and a PIN is in none of it.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use JSON::PP ();
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use Test::More;

my $pin = '9173';
my $node = provreq_node('main', conf => "log_statement = none\n");
my $cas = Provreq::Simulator->start(kind => 'nagravision');
my $json = JSON::PP->new->canonical;
my $file = "$FindBin::RealBin/../../profiles/nagra_smsgw.json";

fill_directory($node, 20, card_step => 100);

# A provider of the profile that "change" makes of the shipped one.
sub provider_of
{
	my ($name, $change) = @_;
	my $document = $json->decode(slurp_file($file));

	$change->($document);
	$document = $json->encode($document);
	ask($node, 'INSERT INTO provreq.wire_profile (name, kind, document)'
		  . " VALUES ('$name', 'nagravision', '$document')");
	create_provider($node, $name, $cas, profile => $name);
	return;
}

# A new PIN for a card, at a provider; the arguments that come last as SQL.
sub pin_call
{
	my ($provider, $card, $more) = @_;

	return "provreq.nagravision_set_pin_to_given_value('number=S$card', '$pin',"
	  . " 'serial_number=card$card', provider => '$provider'$more)";
}

sub preview
{
	my ($call) = @_;

	return ask($node, "BEGIN; SELECT provreq.preview(number) FROM $call; ROLLBACK");
}

my $later = ", scheduled_date => '2035-06-07 08:09:10+00'";

# The shipped profile says "command_type": "02", and that is a number: so
# cases that are written as 02 are of the messages that have it.
provider_of('by_type', sub {
	my ($document) = @_;
	my $fields = $document->{messages}->{pin};

	splice @$fields, 1, 1,
	  { form => 'select', by => 'command_type',
		cases => {
			'02' => [ { form => 'use', group => 'address' } ],
			'*' => [] } };
});

my $number = ask($node, 'SELECT number FROM ' . pin_call('by_type', 1, ''));
my $row = wait_for_end($node, $number);

is($row->{life_cycle_state}, 'COMPLETED', 'fields chosen by a number: carried out')
  or diag($row->{error_description} // $row->{hold_reason});
like($row->{request}, qr/0069N\*{8}$/, 'and recorded, without the PIN');
like(
	preview(pin_call('by_type', 1, $later)),
	qr/\| command_type 02 \|.* \| address \d{10} \| command 0069 \| action N \| pin /,
	'and its preview has all fields');

ask($node, "ALTER SERVER by_type OPTIONS (ADD state 'not_effective')");
wait_until('the sender before has ended', sub { !sender_pid($node, 'by_type') });

# What cannot be read is masked as a whole and shown without its fields; that
# the year 1 less thirty days is none is found when it is read.
provider_of('year_one', sub {
	my ($document) = @_;
	my ($date) =
	  grep { $_->{name} eq 'end_date' } @{ $document->{groups}->{address} };

	@$date{qw(from default)} = ('expiry', '00010101');
});
$number = ask($node, 'SELECT number FROM ' . pin_call('year_one', 2, ''));
$row = wait_for_end($node, $number);
isnt($row->{life_cycle_state}, 'PENDING', 'a message that cannot be read: answered');
like($row->{request}, qr/^\*+$/, 'recorded as asterisks alone');
unlike(slurp_file($node->logfile), qr/$pin/, 'the PIN is not in the log');
like(
	preview(pin_call('year_one', 2, $later)),
	qr/the wire profile cannot read what it makes: field "end_date"/,
	'its preview says why there are no fields');
done_testing();
