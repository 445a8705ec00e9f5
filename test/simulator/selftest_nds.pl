#!/usr/bin/perl
# The NDS simulator: every command and every check, with each digest, plain
# and through TLS, and the ledger beside it.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use LinkTest;
use POSIX 'strftime';
use SimulatorTest;
use Test::More;

my %file = certificates();
my @tls = ('--tls-cert' => "$file{server}.pem", '--tls-key' => "$file{server}.key");
my $card = '123456789012';
my $nobody = '0' x 12;

sub start_nds { return start_simulator('nds_simulator', '--key', $nds_key, @_) }

# One message and its answer.
sub ask
{
	my ($link, $sequence, $command, $to, $fields, %more) = @_;
	put($link, nds_message($sequence, $command, $to, $fields, %more));
	return nds_answer($link, %more);
}

sub test_commands
{
	my ($digest, $tls) = @_;
	my $sim = start_nds('--digest', $digest, @$tls);
	my $link = dial($sim, @$tls ? ('-CAfile', "$file{ca}.pem") : ());
	my %more = (digest => $digest, priority => 'E');
	my $number = 0;
	my $accepted = sub {
		my ($command, $to, $fields, $expected) = @_;
		my $answer = ask($link, ++$number, $command, $to, $fields, %more);
		my $line = last_line($sim);
		is($answer->{bad}, '', "$expected: a right answer");
		is(join(' ', @$answer{qw(to from sequence priority card code)}),
			sprintf('0A01 00C5 %08X E %s OK', $number, $to),
			"$expected: accepted");
		is("$line->{operation} $line->{cards} $line->{things} $line->{outcome}"
			  . " $line->{source} $line->{more}", "$expected OK 0A01 E",
			"$expected: in the ledger");
		return $answer->{rest};
	};
	is($accepted->('PG', $nobody, '', 'Ping - -'), ' ' x 16, 'no reference');
	is(last_line($sim)->{carried}, 'no', 'a ping changes nothing');
	my $mark = pin_mark('4711');
	my $first = $accepted->('UP', $card, 'N4711    ', "PinNew $card pin=$mark");
	like($first, qr/^[A-Z0-9]+ +$/, 'a reference');
	is(control($sim, "card $card"),
		"ok card=$card products=- pin=$mark pairing=- reauthorised=0",
		'what the card holds');
	unlike(told($sim), qr/4711/, 'the ledger has no PIN');
	my $second = $accepted->('UP', $card, 'D        ', "PinDefault $card -");
	isnt($second, $first, 'another reference');
	$accepted->('RA', $card, '', "Reauthorise $card -") for 1 .. 2;
	like(control($sim, 'cards'), qr/^ok\t.* pin=default .* reauthorised=2$/,
		'the default, and authorised anew');
	hang_up($link);
	$link = dial($sim, @$tls ? ('-CAfile', "$file{ca}.pem") : ());
	$number = 0;
	$accepted->('PG', $nobody, '', 'Ping - -');
	is(stop_simulator($sim), 0, 'ends cleanly');
}

# Refused, and the connection goes on, or not.
sub test_refusals
{
	my $sim = start_nds('--from-id', '0a01', '--to-id', '00C5', '--cards',
		spew(scratch('cards'), "$card\n"));
	my $zone = strftime('%Y%m%d%H%M%S', gmtime(time() + 3600));
	my $trust = substr(nds_message(1, 'RA', $card, ''), -32);
	my %wrong = (
		'unknown card' => [ 1, 'E001', 'RA', '123456789013', '' ],
		'from_id' => [ 1, 'E002', 'RA', $card, '', from => '0A02' ],
		'to_id' => [ 1, 'E002', 'RA', $card, '', to => '00C6' ],
		'to_id ' => [ 1, 'E002', 'RA', $card, '', to => '00 5' ],
		'time' => [ 1, 'E002', 'RA', $card, '', time => $zone ],
		'time ' => [ 1, 'E002', 'RA', $card, '', time => '20260230000000' ],
		'priority' => [ 1, 'E002', 'RA', $card, '', priority => 'X' ],
		'card' => [ 1, 'E002', 'RA', ' 23456789012', '' ],
		'card ' => [ 1, 'E002', 'PG', $card, '' ],
		'length' => [ 1, 'E002', 'PG', $nobody, 'D        ' ],
		'length ' => [ 1, 'E002', 'RA', $card, ' ' ],
		'length  ' => [ 1, 'E002', 'UP', $card, 'D' ],
		'command' => [ 1, 'E002', 'XX', $card, '' ],
		'command ' => [ 1, 'E002', 'OK', $card, '' ],
		'action' => [ 1, 'E002', 'UP', $card, 'C        ' ],
		'pin' => [ 1, 'E002', 'UP', $card, 'D4711    ' ],
		'pin ' => [ 1, 'E002', 'UP', $card, 'N        ' ],
		'pin  ' => [ 1, 'E002', 'UP', $card, 'N   4711 ' ],
		'digest' => [ 0, 'E003', 'RA', $card, '', hex => '0' x 32 ],
		'digest ' => [ 0, 'E003', 'RA', $card, 'x', hex => $trust ]);
	for my $what (sort keys %wrong)
	{
		my ($goes_on, $code, @message) = @{ $wrong{$what} };
		my $link = dial($sim);
		my $answer = ask($link, 1, @message);
		my $text = $what =~ s/ +$//r;
		is("$answer->{code}$answer->{bad} " . substr($answer->{rest}, 4),
			sprintf('%s %02X%s', $code, length $text, $text), "refused: $what");
		my $line = last_line($sim);
		is("$line->{outcome} $line->{carried}", "$code no", 'in the ledger');
		if ($goes_on)
		{
			is(ask($link, 2, 'RA', $card, '')->{code}, 'OK', 'the link goes on');
		}
		else
		{
			is(get_until_end($link), '', 'the link is closed');
		}
		hang_up($link);
	}
	like(control($sim, 'status'), qr/ cards=1 errors=0 /, 'no more was done');
	is(stop_simulator($sim), 0, 'ends cleanly');
}

# One after the other, and each once.
sub test_sequence
{
	my $sim = start_nds();
	for my $case ([ [ 0, 0 ] ], [ [ 1, 1 ] ], [ [ 1, 3 ] ], [ [ 9, 8 ] ], [ ['x0000000Z'] ])
	{
		my @numbers = @{ $case->[0] };
		my $link = dial($sim);
		my @codes = map { ask($link, $_, 'RA', $card, '')->{code} } @numbers;
		is($codes[-1], 'E004', "refused: the sequence @numbers");
		is(get_until_end($link), '', 'and closed');
		hang_up($link);
	}
	my $link = dial($sim);
	put($link, nds_message(1, 'RA', $card, '') . nds_message(2, 'RA', $card, ''));
	is(get_until_end($link), '', 'two at once: closed without an answer');
	is(last_line($sim)->{outcome}, 'error:in-flight', 'in the ledger');
	hang_up($link);
	control($sim, 'fault add kind=delay delay=30s');
	$link = dial($sim);
	put($link, nds_message(1, 'RA', $card, ''));
	ok(poll_until(sub { control($sim, 'links') =~ / unanswered=1 / }), 'one is there');
	put($link, nds_message(2, 'RA', $card, ''));
	is(get_until_end($link), '', 'the next before its answer: closed');
	hang_up($link);
	control($sim, 'fault clear');
	control($sim, 'fault add kind=no-answer count=1');
	$link = dial($sim);
	put($link, nds_message(1, 'RA', $card, ''));
	ok(poll_until(sub { last_line($sim)->{fault} eq 'no-answer' }), 'no answer');
	put($link, nds_message(2, 'RA', $card, ''));
	is(get_until_end($link), '', 'and then none may follow');
	is(stop_simulator($sim), 0, 'ends cleanly');
}

# Where numbers are used once, it is by all connections of a client together.
sub test_numbers
{
	my $sim = start_nds('--sequences', 'once');
	my $try = sub {
		my ($numbers, @more) = @_;
		my $link = dial($sim);
		my @codes = map { ask($link, $_, 'RA', $card, '', @more)->{code} } @$numbers;
		hang_up($link);
		return "@codes";
	};
	is($try->([ 5, 6 ]), 'OK OK', 'any number is a first');
	is($try->([6]), 'E004', 'but not one that another connection had');
	is($try->([ 3, 4, 5 ]), 'OK OK E004', 'nor runs up to it');
	is($try->([ 6 ], from => '0A02'), 'OK', 'each client has its own');
	is($try->([ 'xFFFFFFFE', 'xFFFFFFFF', 'x00000000', 1 ]), 'OK OK OK OK',
		'they go round');
	is(stop_simulator($sim), 0, 'ends cleanly');
}

sub test_framing
{
	my $sim = start_nds();
	my $right = nds_message(1, 'RA', $card, '');
	my %wrong = (
		'version' => nds_message(1, 'RA', $card, '', version => '0002'),
		'version ' => 'GET / HTTP/1.1',
		'length' => '0001 055',
		'length ' => '00010054',
		'length  ' => '0001FFFF',
		'not-ascii' => "$right" =~ s/R/\n/r);
	for my $what (sort keys %wrong)
	{
		my $link = dial($sim);
		put($link, $wrong{$what});
		is(get_until_end($link), '', "$what: closed");
		is(last_line($sim)->{outcome}, 'error:' . $what =~ s/ +$//r,
			"$what: in the ledger");
		hang_up($link);
	}
	for my $length (-1, 1)
	{
		my $link = dial($sim);
		put($link, nds_message(1, 'RA', $card, '', length => $length) . 'x');
		get_until_end($link);
		like(last_line($sim)->{outcome}, qr/^(E003|error:length|error:in-flight)$/,
			"a length that is wrong by $length");
		hang_up($link);
	}
	my $link = dial($sim);
	put($link, $_) for split(//, lc($right) =~ s/ra/RA/r =~ s/r/R/r);
	like(nds_answer($link)->{code}, qr/E003/, 'the digest is of the text as it is');
	hang_up($link);
	$link = dial($sim);
	put($link, substr($right, 0, -32) . lc substr($right, -32));
	is(nds_answer($link)->{code}, 'OK', 'hex digits may be small');
	is(stop_simulator($sim), 0, 'ends cleanly');
}

sub test_many
{
	my $sim = start_nds('--digest', 'none');
	my @links = map { dial($sim) } 1 .. 300;
	my $accepted = 0;
	for my $turn (1 .. 5)
	{
		put($links[$_], nds_message($turn, 'RA', sprintf('%012d', $_), '',
			digest => 'none')) for 0 .. $#links;
		$accepted += (nds_answer($_, digest => 'none')->{code} // '') eq 'OK'
		  for @links;
	}
	is($accepted, 1500, '300 links, every message accepted');
	like(control($sim, 'status'), qr/ carried_out=1500 connections=300 .* cards=300 errors=0 /,
		'and carried out');
	is(stop_simulator($sim), 0, 'ends cleanly');
}

test_commands($_, []) for qw(hmac-sha256 hmac-md5 none);
test_commands('hmac-sha256', \@tls);
test_refusals();
test_sequence();
test_numbers();
test_framing();
test_many();
done_testing();
