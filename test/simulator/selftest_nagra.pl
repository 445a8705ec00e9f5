#!/usr/bin/perl
# The Nagravision simulator: every command and every check, plain and through
# TLS, and the ledger beside it.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use LinkTest;
use SimulatorTest;
use Test::More;

my %file = certificates();
my @tls = ('--tls-cert' => "$file{server}.pem", '--tls-key' => "$file{server}.key");
my $period = today() . today(30);
my $address = "N${period}U1234567890";

# Sends a body that is right and checks answer and ledger.
sub accepted
{
	my ($sim, $link, $number, $type, $body, $expected) = @_;
	put($link, nagra($number, $type, $body));
	my ($frame) = frames($link, 1);
	ok(acknowledged($frame, $number), "$expected: acknowledged");
	my $line = last_line($sim);
	is("$line->{operation} $line->{cards} $line->{things}", $expected,
		"$expected: in the ledger");
	is("$line->{outcome} $line->{source} " . ($line->{sequence} + 0),
		"OK 1001 $number", "$expected: with source and number");
	return $line;
}

sub test_commands
{
	my ($tls) = @_;
	my $sim = start_simulator('nagra_simulator', @$tls);
	my $link = greeted($sim, @$tls ? ('-CAfile', "$file{ca}.pem") : ());
	ok($link, 'hello') or return;
	is(last_line($sim)->{operation}, 'Hello', 'which is in the ledger');
	put($link, heartbeat(1) . heartbeat(2) . heartbeat(3));
	my @beats = frames($link, 3);
	ok(acknowledged($beats[$_], $_ + 1), 'a heartbeat') for 0 .. 2;
	is(last_line($sim)->{carried}, 'no', 'which changes nothing');
	my $today = today();
	my $line = accepted($sim, $link, 10, '01',
		"${address}0002000000001001${today}20991231",
		"AddProduct 1234567890 000000001001,$today,20991231");
	is("$line->{carried} $line->{more}", "yes N,$today," . today(30) . ',U',
		'carried out, and where it was addressed to');
	accepted($sim, $link, 11, '01', "${address}0002000000000007${today}$today",
		"AddProduct 1234567890 000000000007,$today,$today");
	accepted($sim, $link, 12, '01', "${address}0006000000001001",
		'CancelProduct 1234567890 000000001001');
	accepted($sim, $link, 13, '01', "${address}0052STB-1         ",
		'Pair 1234567890 STB-1');
	is(control($sim, 'card 1234567890'),
		"ok card=1234567890 products=000000000007:$today-$today pin=-"
		  . ' pairing=STB-1 reauthorised=0', 'what the card holds');
	accepted($sim, $link, 14, '01', "${address}0052" . '0' x 14,
		'Unpair 1234567890 -');
	accepted($sim, $link, 15, '02', "${address}0069N4711    ",
		'PinNew 1234567890 pin=' . pin_mark('4711'));
	like(control($sim, 'card 1234567890'), qr/ pin=\Q@{[pin_mark('4711')]}\E pairing=- /,
		'unpaired, the PIN as a mark');
	unlike(told($sim), qr/4711/, 'the ledger has no PIN');
	accepted($sim, $link, 16, '02', "${address}0069D        ",
		'PinDefault 1234567890 -');
	like(control($sim, 'card 1234567890'), qr/ pin=default /, 'the default');
	accepted($sim, $link, 17, '02', "${address}0069C        ",
		'PinClear 1234567890 -');
	like(control($sim, 'cards'), qr/^ok\tcard=1234567890 .* pin=none /,
		'no PIN; all cards');
	hang_up($link);
	ok(poll_until(sub { control($sim, 'status') =~ / connections=0 / }), 'hung up');
	is(stop_simulator($sim), 0, 'ends cleanly');
}

# What is wrong behind the header is refused, and the link goes on.
sub test_format
{
	my $sim = start_simulator('nagra_simulator',
		'--cards', spew(scratch('cards'), "1234567890\n5555555555\n"),
		'--products', spew(scratch('products'), "000000001001\n"),
		'--unknown-prefix', '555');
	my $link = greeted($sim);
	my $today = today();
	my $add = "0002000000001001${today}20991231";
	my @wrong = (
		[ '01', "X${period}U1234567890$add", '0003', 'broadcast_mode' ],
		[ '01', "N20261301${today}U1234567890$add", '0003', 'start_date' ],
		[ '01', "N20260229${today}U1234567890$add", '0003', 'start_date' ],
		[ '01', "N${today}20000101U1234567890$add", '0003', 'end_date' ],
		[ '01', "N${period}X1234567890$add", '0003', 'address_type' ],
		[ '01', "N${period}U 234567890$add", '0003', 'address' ],
		[ '01', "${address}0003000000001001", '0003', 'command_id' ],
		[ '02', "$address$add", '0003', 'command_type' ],
		[ '01', "${address}0069D        ", '0003', 'command_type' ],
		[ '01', "$address$add ", '0003', 'length' ],
		[ '01', substr("$address$add", 0, -1), '0003', 'length' ],
		[ '01', $address, '0003', 'length' ],
		[ '01', "${address}0002        1001${today}20991231", '0003', 'product' ],
		[ '01', "${address}0002000000001001${today}20260431", '0003', 'end' ],
		[ '01', "${address}000200000000100120991231$today", '0003', 'end' ],
		[ '01', "${address}00020000000010010000000020991231", '0003', 'begin' ],
		[ '01', "${address}0006 00000001001", '0003', 'product' ],
		[ '01', "${address}0052   STB-1      ", '0003', 'stb' ],
		[ '01', "${address}0052              ", '0003', 'stb' ],
		[ '01', "${address}0052STB 1         ", '0003', 'stb' ],
		[ '02', "${address}0069X4711    ", '0003', 'action' ],
		[ '02', "${address}0069N    4711", '0003', 'pin' ],
		[ '02', "${address}0069N        ", '0003', 'pin' ],
		[ '02', "${address}0069N47a1    ", '0003', 'pin' ],
		[ '02', "${address}0069D4711    ", '0003', 'pin' ],
		[ '01', "N${period}U1234567891$add", '0001', 'unknown card' ],
		[ '01', "N${period}U5555555555$add", '0001', 'unknown card' ],
		[ '01', "${address}0002000000001002${today}20991231", '0002', 'unknown product' ]);
	my $number = 0;
	for my $case (@wrong)
	{
		my ($type, $body, $code, $text) = @$case;
		put($link, nagra(++$number, $type, $body));
		my ($frame) = frames($link, 1);
		is(substr($frame // '', 32),
			sprintf('1001%09d1%s0000%03d%s', $number, $code, length $text, $text),
			"refused: $text, $body");
		my $line = last_line($sim);
		is("$line->{outcome} $line->{carried}", "$code no", 'in the ledger');
	}
	like(control($sim, 'status'), qr/ cards=0 errors=0 /, 'nothing was done');
	put($link, add_product(++$number, '1234567890', 1001));
	ok(acknowledged(frames($link, 1), $number), 'the link goes on');
	is(stop_simulator($sim), 0, 'ends cleanly');
}

# What is wrong with frame, hello or header ends the link.
sub test_protocol
{
	my $sim = start_simulator('nagra_simulator', '--dest-id', '0009',
		'--mop-ppid', '00007');
	my %wrong = (
		'length' => frame(''),
		'length ' => pack('n', 513),
		'header' => frame('1' x 31),
		'header ' => frame('         05' . '1' x 21 . '1002'),
		'transaction' => heartbeat(0),
		'transaction ' => heartbeat(7, source => '1077') . heartbeat(7, source => '1077'),
		'transaction  ' => heartbeat(9, source => '1079') . heartbeat(8, source => '1079'),
		'source-change' => heartbeat(40) . heartbeat(41, source => '1002'),
		'dest-id' => heartbeat(20, dest => '0008'),
		'mop-ppid' => heartbeat(20, ppid => '00008'),
		'creation-date' => heartbeat(20, date => '20261301'),
		'creation-date ' => heartbeat(20, date => today(-2)),
		'command-type' => nagra(30, '04', '1002'),
		'operation' => nagra(31, '05', '1003'),
		'operation ' => nagra(32, '05', '10020'),
		'operation  ' => nagra(33, '05', ''));
	my $errors = 0;
	for my $what (sort keys %wrong)
	{
		my $link = greeted($sim);
		put($link, $wrong{$what});
		my $answers = () = $wrong{$what} =~ /1002/g;
		my $rest = get_until_end($link);
		my ($error) = $what =~ /(\S+)/;
		my $line = last_line($sim);
		ok(defined $rest, "$what: closed");
		is("$line->{outcome} $line->{carried} $line->{answered}",
			"error:$error no -", "$what: in the ledger");
		like(control($sim, 'status'), qr/ errors=@{[ ++$errors ]} /, 'counted');
		hang_up($link);
	}
	for my $hello (frame("\1\7SMS_GWY"), frame("\0\6SMS_GWY"), frame("\0\0"),
		frame("\0\7SMS_GWYX"), heartbeat(40))
	{
		my $link = dial($sim);
		put($link, $hello);
		is(get_until_end($link), '', 'no hello');
		is(last_line($sim)->{outcome}, 'error:hello', 'in the ledger');
	}
	my $link = dial($sim);
	put($link, hello('OTHER'));
	is(get_until_end($link), "\0\1\6\0\1\3", 'another object: call status 3');
	is(last_line($sim)->{outcome}, '6/3', 'in the ledger');
	is(stop_simulator($sim), 0, 'ends cleanly');
}

# Numbers go on over connections, and may start again at the end only.
sub test_numbers
{
	my $sim = start_simulator('nagra_simulator');
	my $try = sub {
		my ($number, %more) = @_;
		my $link = greeted($sim);
		put($link, heartbeat($number, %more));
		my ($frame) = frames($link, 1);
		hang_up($link);
		poll_until(sub { control($sim, 'status') =~ / connections=0 / });
		return defined $frame ? 'yes' : last_line($sim)->{outcome};
	};
	is($try->(500), 'yes', 'a first number');
	is($try->(500), 'error:transaction', 'the same on another connection');
	is($try->(499), 'error:transaction', 'a lesser one');
	is($try->(3, source => '1002'), 'yes', 'each source has its own');
	is($try->(501), 'yes', 'the next');
	is($try->(999999999), 'yes', 'the last');
	is($try->(1), 'yes', 'the first again');
	is($try->(1), 'error:transaction', 'but once');
	is(stop_simulator($sim), 0, 'ends cleanly');
}

sub test_sources
{
	my $sim = start_simulator('nagra_simulator');
	my $first = greeted($sim);
	put($first, heartbeat(1));
	is(scalar(frames($first, 1)), 1, 'a link');
	my $second = greeted($sim);
	put($second, heartbeat(2));
	is(get_until_end($second), "\0\1\3", 'another of the same source: call status 3');
	is(last_line($sim)->{outcome}, 'error:source-in-use', 'in the ledger');
	like(control($sim, 'links'), qr/^ok\t.*source=1001 unanswered=0 received=\d+ sent=\d+/,
		'the links');

	# Hanging up and dialling anew at once is right, however busy it is.
	for my $turn (1 .. 50)
	{
		put($first, heartbeat(10 * $turn));
		hang_up($first);
		$first = greeted($sim);
		put($first, heartbeat(10 * $turn + 1));
		frames($first, 1) or last;
	}
	like(control($sim, 'status'), qr/ errors=1 /, 'one after the other is right');
	stop_simulator($sim);

	$sim = start_simulator('nagra_simulator', '--source-ids', '1001,1002');
	my @links = map { greeted($sim) } 1 .. 2;
	put($links[0], heartbeat(1));
	put($links[1], heartbeat(1, source => '1003'));
	is(scalar(frames($links[0], 1)), 1, 'a known source');
	is(get_until_end($links[1]), '', 'and one that is not');
	hang_up($links[1]);
	ok(poll_until(sub { control($sim, 'status') =~ / connections=1 / }), 'is gone');
	for my $turn (1 .. 50)
	{
		$links[1] = greeted($sim) or last;
		put($links[1], heartbeat($turn, source => '1002'));
		hang_up($links[1]) if $turn < 50;
	}
	ok($links[1], 'one after the other is right');
	my $third = dial($sim);
	put($third, hello());
	is(get_until_end($third), "\0\1\6\0\1\3", 'a link too many: call status 3');
	is(stop_simulator($sim), 0, 'ends cleanly');
}

sub test_window
{
	my $sim = start_simulator('nagra_simulator', '--window', '4', '--fault',
		'kind=delay delay=200ms match-op=*');
	my $link = dial($sim);
	put($link, hello());
	is(scalar(frames($link, 2)), 2, 'hello');
	put($link, join('', map { heartbeat($_) } 1 .. 4));
	my @frames = frames($link, 4);
	is(scalar(@frames), 4, 'as many as the window');
	ok(acknowledged($frames[$_], $_ + 1), 'in their order') for 0 .. 3;
	put($link, join('', map { heartbeat($_) } 5 .. 9));
	is(get_until_end($link), '', 'one too many');
	hang_up($link);
	ok(poll_until(sub { 4 == grep { $_->{outcome} eq 'none' } ledger($sim) }),
		'and the others have no answer');
	is(scalar(grep { $_->{outcome} eq 'error:window' } ledger($sim)), 1,
		'in the ledger');
	like(control($sim, 'status'), qr/ most_unanswered=4/, 'the most at once');
	is(stop_simulator($sim), 0, 'ends cleanly');
}

# Many links at once, each with many messages in pieces of any size.
sub test_many
{
	my $sim = start_simulator('nagra_simulator');
	my @links = map { greeted($sim) } 1 .. 300;
	is(scalar(grep { $_ } @links), 300, '300 links');
	for my $i (0 .. $#links)
	{
		my $bytes = join('', map {
			add_product($_, sprintf('%010d', $i), $_, source => 1000 + $i) } 1 .. 20);
		my $cut = 1 + $i * 7 % (length($bytes) - 1);
		put($links[$i], substr($bytes, 0, $cut));
		$links[$i]{rest} = substr($bytes, $cut);
	}
	put($_, $_->{rest}) for @links;
	my $answered = 0;
	$answered += frames($_, 20) for @links;
	is($answered, 6000, 'every message is answered');
	like(control($sim, 'status'), qr/ carried_out=6000 connections=300 .* cards=300 errors=0 /,
		'and carried out');
	is(stop_simulator($sim), 0, 'ends cleanly');
}

test_commands([]);
test_commands(\@tls);
test_format();
test_protocol();
test_numbers();
test_sources();
test_window();
test_many();
done_testing();
