# Another dialect: a system that this project knows nothing of, spoken to by
# a wire profile alone (test/examples/other_cas.json).  Its messages are
# binary: 2 bytes sequence, 1 byte version, 1 byte command, 2 bytes length,
# then the card and times as numbers, a list of products with its count, and
# options as TLV; the answer has a status of 4 bytes.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use IO::Select;
use JSON::PP ();
use List::Util qw(uniq);
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use ProvreqLinks;
use Test::More;

my $pin = '736251';
my $dir = PostgreSQL::Test::Utils::tempdir();
my $log = "$dir/received";

# ---------------------------------------------------------------- the peer
#
# It answers all messages that came together in the opposite order, says a
# word that nobody asked for in between, and behaves by the products:
# 9 is not known; for 8 it is busy twice; at 7 it hangs up once, and at a PIN
# of card 100000000077.  It writes a line about each message: connection,
# sequence, command, and what else there is.

my %seen;						# how often by what
my $reference = 1000;

sub note_received
{
	append_to_file($log, join(' ', @_) . "\n");
	return;
}

sub frame
{
	my ($sequence, $command, $body) = @_;

	return pack('nCCn/a*', $sequence, 3, $command, $body);
}

# The options of a message, by name; dies unless they are as they must be.
sub read_options
{
	my ($bytes) = @_;
	my %name = (16 => [ 'urgency', 'C', 1 ], 17 => [ 'number', 'Q>', 8 ],
		18 => [ 'pin', 'a*' ]);
	my %option;
	my $last = 0;

	while (length $bytes)
	{
		my ($tag, $value) = unpack 'CC/a*', $bytes;
		my $known = $name{$tag} // die "no option $tag\n";
		my ($name, $format, $width) = @$known;

		die "option $tag is out of order\n" if $tag <= $last;
		die "option $tag has a wrong length\n"
		  if defined $width && $width != length $value;
		$option{$name} = unpack $format, $value;
		$last = $tag;
		$bytes = substr $bytes, 2 + length $value;
	}
	return %option;
}

# What a message asks for; dies if it is not whole, or has too much.
sub read_message
{
	my ($command, $body) = @_;
	my %message = (command => $command);

	if ($command == 17 || $command == 18)
	{
		my $times = $command == 17 ? 'N N' : '';
		my @value = unpack "Q> $times C/N a*", $body;
		my $options = pop @value;

		$message{card} = shift @value;
		@message{qw(begin end)} = splice @value, 0, 2 if $times;
		$message{products} = join ',', @value;
		%message = (%message, read_options($options));
	}
	elsif ($command == 32)
	{
		my ($card, $action, $options) = unpack 'Q> C a*', $body;

		%message = (
			%message, card => $card, action => $action, read_options($options));
		die "a PIN where there is none\n"
		  if ($action == 1) != defined $message{pin};
	}
	else
	{
		die "no command $command\n";
	}
	die "no number\n" unless $message{number};
	die "no urgency\n" unless defined $message{urgency};
	return %message;
}

# The answer to a message; undef: hang up instead.
sub answer
{
	my ($sequence, %message) = @_;
	my %products = map { $_ => 1 } split /,/, $message{products} // '';
	my $number = $message{number};
	my $result = sub { frame($sequence, 127, pack('NNa*', @_)) };

	return if $products{7} && !$seen{"lost $number"}++;
	return if $message{card} == 100000000077 && !$seen{"lost $number"}++;
	return $result->(17, 0, 'unknown product 9') if $products{9};
	return $result->(4096, 0, '')
	  if $products{8} && ++$seen{"busy $number"} < 3;
	return $result->(0, ++$reference, "gut, Nr. $number \xc3\xa4");
}

# All whole messages in a buffer, answered; false: hang up.
sub serve
{
	my ($socket, $connection, $buffer) = @_;
	my @answers;

	while (length $$buffer >= 6)
	{
		my ($sequence, $version, $command, $length) = unpack 'nCCn', $$buffer;
		my $body = substr $$buffer, 6, $length;
		my ($answer, %message);

		last if length $$buffer < 6 + $length;
		$$buffer = substr $$buffer, 6 + $length;
		note_received($connection, $sequence, 'bad version', $version)
		  if $version != 3;
		if ($command == 1)
		{
			note_received($connection, $sequence, "hello $body");
			push @answers, frame(0, 1, pack 'C', 0);
			next;
		}
		if ($command == 2)
		{
			note_received($connection, $sequence, 'ping');
			push @answers, frame($sequence, 127, pack 'NN', 0, 0);
			next;
		}
		%message = eval { read_message($command, $body) };
		if ($@)
		{
			note_received($connection, $sequence, "bad $@");
			return 0;
		}
		$message{pin} = length $message{pin} if defined $message{pin};
		note_received($connection, $sequence,
			map { "$_=$message{$_}" } sort keys %message);
		$answer = answer($sequence, %message) // return 0;
		push @answers, $answer, frame(0, 126, 'all is well');
	}
	print {$socket} join '', reverse @answers;
	return 1;
}

sub run_peer
{
	my ($listener) = @_;
	my $select = IO::Select->new($listener);
	my $connections = 0;
	my (%buffer, %connection);

	$SIG{PIPE} = 'IGNORE';
	while (my @ready = $select->can_read)
	{
		foreach my $socket (@ready)
		{
			if ($socket == $listener)
			{
				my $new = $listener->accept or next;

				$new->autoflush(1);
				$select->add($new);
				$buffer{$new} = '';
				$connection{$new} = ++$connections;
				next;
			}
			next
			  if sysread($socket, $buffer{$socket}, 65536, length $buffer{$socket})
			  && serve($socket, $connection{$socket}, \$buffer{$socket});
			$select->remove($socket);
			close $socket;
		}
	}
	return;
}

my $port = start_peer(\&run_peer);

# What the peer received for a request, each as a hash.
sub received
{
	my ($number) = @_;
	my @messages;

	foreach my $line (-e $log ? split(/\n/, slurp_file($log)) : ())
	{
		my ($connection, $sequence, @rest) = split / /, $line;
		my %message =
		  map { split /=/, $_, 2 } grep { /=/ } @rest;

		push @messages,
		  { connection => $connection, sequence => $sequence, %message }
		  if ($message{number} // 0) == $number;
	}
	return @messages;
}

# --------------------------------------------------------------- the server

my $node = provreq_node('main', conf => "log_statement = none\n");
my $profile = slurp_file("$FindBin::RealBin/../examples/other_cas.json");

fill_directory($node, 200);
ask($node, 'INSERT INTO provreq.wire_profile (name, kind, document)'
	  . " VALUES ('other_cas', 'nagravision', '$profile')");
ask($node, <<"EOQ");
CREATE SERVER other FOREIGN DATA WRAPPER nagravision OPTIONS (
	host '127.0.0.1', port '$port', profile 'other_cas', source_id '1',
	object_name 'CRM-7', window '8', checks_at_start '2', timeout '10s',
	retry_delay '20ms', retry_delay_max '100ms');
CREATE USER MAPPING FOR provreq_worker SERVER other
EOQ

# A list of products for a card, added or cancelled; the request's number.
sub products
{
	my ($function, $card, $more, @products) = @_;
	my $set = join ', ', map { "'code=P$_'" } @products;
	my $arguments =
	  $function =~ /add/
	  ? "ARRAY[$set], 'serial_number=card$card'"
	  : "'number=S$card', ARRAY[$set], 'serial_number=card$card'";

	return ask($node,
		"SELECT number FROM provreq.nagravision_$function($arguments$more)");
}

sub add { return products('add_enhanced_list_of_products', shift, '', @_) }

sub done
{
	my ($number, $name) = @_;
	my $row = wait_for_end($node, $number);

	is("$row->{life_cycle_state} " . ($row->{error_code} // '-'),
		'COMPLETED -', $name)
	  or diag($row->{error_description} // $row->{hold_reason});
	return $row;
}

# what goes out is known before
my $number = products('add_enhanced_list_of_products', 1,
	", priority => 'EXPRESS', scheduled_date => '2035-06-07 08:09:10+00'", 1, 2, 10);
my ($hex, $fields) = split /\n/,
  ask($node, "SELECT provreq.preview($number)");

my $body = pack 'Q>NNCN3CCCCCQ>', 100000000001, 2064816550, 4102444799,
  3, 1, 2, 10, 16, 1, 1, 17, 8, $number;

is($hex, unpack('H*', frame(0, 17, $body)), 'the preview, byte by byte');
is( $fields,
	'sequence 0 | version 3 | command 17 | length 42 | card 100000000001'
	  . ' | begin 2035-06-07T08:09:10Z | end 2099-12-31T23:59:59Z'
	  . ' | products.count 3 | products[1].product 1 | products[2].product 2'
	  . " | products[3].product 10 | options.urgency 1 | options.number $number",
	'the preview, field by field');
ask($node, "SELECT provreq.cancel($number, 'test')");

# what does not fit is refused when the request is created
ask($node, q{UPDATE provreq.service_mapping SET service_ca_id = '4294967296'}
	  . q{ WHERE service_ca_id = '6'});
sqlstate_is(
	$node,
	q{SELECT provreq.nagravision_add_enhanced_list_of_products('{code=P6}',}
	  . q{ 'serial_number=card1')},
	'22001',
	'a product that does not fit its field');
sqlstate_is(
	$node,
	q{SELECT provreq.nagravision_pair_smartcard_decoder('serial_number=card1')},
	'0A000',
	'an operation that the profile lacks');
sqlstate_is(
	$node,
	q{SELECT provreq.nagravision_set_pin_to_given_value('number=S1', '123',}
	  . q{ 'serial_number=card1')},
	'22023',
	'a PIN of fewer digits than the profile says');

# --------------------------------------------------------------- carried out

my $row = done($number = add(2, 1, 2, 3), 'three products in one message');
my ($message) = received($number);

is(scalar received($number), 1, 'sent once');
is($message->{card}, 100000000002, 'the card');
is($message->{products}, '1,2,3', 'the products');
is($message->{end}, 4102444799, 'the end');
cmp_ok(abs($message->{begin} - time()), '<', 1000, 'the beginning');
is($message->{urgency}, 0, 'the urgency');
like($row->{reference_number}, qr/^1\d{3}$/, 'the reference number of the answer');
like($row->{request}, qr/^[0-9a-f]{96}$/, 'the request, in hex');
is(hex substr($row->{request}, 0, 4), $message->{sequence}, 'with its sequence');

$row = done($number = products('cancel_list_of_products', 2, '', 2),
	'another command, without times');
($message) = received($number);
is("$message->{command} $message->{products}", '18 2', 'as the peer saw it');
ok(!exists $message->{begin}, 'without times');

$number = ask($node,
	"SELECT number FROM provreq.nagravision_set_pin_to_given_value('number=S3',"
	  . " '$pin', 'serial_number=card3')");
$row = done($number, 'a PIN');
is((received($number))[0]->{pin}, 6, 'the peer has got all six digits');
unlike($row->{request}, qr/@{[ unpack 'H*', $pin ]}/, 'the record has none of them');
like($row->{request}, qr/1206(?:2a){6}$/, 'but asterisks');
like(
	ask($node, "SET ROLE provreq_admin; SELECT provreq.preview($number)",
		session => 'admin'),
	qr/@{[ unpack 'H*', $pin ]}/,
	'which an admin may see');
$number = ask($node,
	"SELECT number FROM provreq.nagravision_clear_pin('number=S3', 'serial_number=card3')");
done($number, 'no PIN');
ok(!exists((received($number))[0]->{pin}), 'an option that is left out');

# ------------------------------------------------------- refused, busy, lost

$row = wait_for_end($node, $number = add(4, 1, 9));
is("$row->{life_cycle_state} $row->{error_code} $row->{provider_error_code}",
	'REJECTED 17 17', 'refused by its status');
is($row->{error_description}, 'unknown product 9', 'in the words of the peer');
is(scalar received($number), 1, 'and not sent again');

$row = done($number = add(5, 8), 'busy twice');
is(attempt_codes($row), 'RETRY 4096, RETRY 4096', 'the log of attempts');
like($row->{attempt_log}->[0]->{error_description} // '', qr/busy/,
	'in the words of the profile');
is(scalar received($number), 3, 'sent three times');

$row = done($number = add(6, 7), 'over a link that is lost');
is(attempt_codes($row), 'UNKNOWN NO_ANSWER', 'the log of attempts');
{
	my @messages = received($number);

	is(scalar @messages, 2, 'sent twice');
	is(scalar(uniq(map { $_->{connection} } @messages)), 2, 'over two connections');
	cmp_ok($messages[0]->{sequence}, '<', $messages[1]->{sequence},
		'with another sequence');
}
$number = ask($node,
	"SELECT number FROM provreq.nagravision_set_pin_to_given_value('number=S77',"
	  . " '$pin', 'serial_number=card77')");
$row = wait_for_end($node, $number);
like($row->{hold_reason} // '', qr/^in doubt/,
	'what the profile does not call idempotent is held');
is(scalar received($number), 1, 'and not sent again');
ask($node, "SELECT provreq.resubmit($number)");
done($number, 'until somebody says so');

# ------------------------------------------------------------------ many

ask($node, <<'EOQ');
SELECT count(provreq.nagravision_add_enhanced_list_of_products(
	ARRAY['code=P1', 'code=P2'], 'serial_number=card' || i))
FROM generate_series(101, 200) AS i
EOQ
wait_until_idle($node);
is( ask($node, <<'EOQ'), 100, 'a hundred, answered in any order');
SELECT count(*) FROM provreq.request
WHERE life_cycle_state = 'COMPLETED' AND attempts = 1
AND parameters ->> 'smartcard_ca_id' BETWEEN '100000000101' AND '100000000200'
EOQ
{
	my @lines = split /\n/, slurp_file($log);
	my %numbers;

	is(join("\n", grep { /bad/ } @lines), '', 'the peer has nothing to complain of');
	foreach (@lines)
	{
		my ($connection, $sequence, @rest) = split / /;

		push @{ $numbers{$sequence} }, $_ if $rest[0] !~ /^hello/;
	}
	is(scalar(grep { @$_ > 1 } values %numbers), 0, 'no sequence was used twice');
	like($lines[0], qr/ hello CRM-7$/, 'the hello');
	like($lines[1] . $lines[2], qr/^\d+ \d+ ping\d+ \d+ ping$/, 'two checks');
}

# ------------------------------------------------------ answers and mistakes

is( ask($node, <<'EOQ'), 'REFUSED|17|kaputt', 'explain_reply reads the dialect');
SELECT verdict, error_code, error_description FROM provreq.explain_reply('other',
	'\x002a037f000e0000001100000000' || convert_to('kaputt', 'UTF8'))
EOQ
is( ask($node, <<'EOQ'), 'UNKNOWN', 'a byte too many is not trusted');
SELECT verdict FROM provreq.explain_reply('other',
	'\x002a037f00080000001100000000' || convert_to('k', 'UTF8'))
EOQ
sqlstate_is(
	$node,
	q{UPDATE provreq.wire_profile SET document = jsonb_set(document,}
	  . q{ '{link,numbers,last}', '65536') WHERE name = 'other_cas'},
	'22023',
	'a number that does not fit into the sequence');

# a correction is followed at once
ask($node, q{UPDATE provreq.wire_profile SET document = jsonb_set(document,}
	  . q{ '{groups,options,0,items,0,field,map,REGULAR}', '7')}
	  . q{ WHERE name = 'other_cas'});
wait_until('the correction has arrived', sub {
	my $next = add(10, 1);

	done($next, 'with the corrected profile');
	return (received($next))[0]->{urgency} == 7;
});

done_testing();
