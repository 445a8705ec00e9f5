#!/usr/bin/perl
# The simulators over links: every fault, as the client sees it and as the
# ledger tells it, for Nagravision and for NDS.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use IO::Select;
use LinkTest;
use SimulatorTest;
use Test::More;
use Time::HiRes 'time';

my %file = certificates();
my @tls = ('--tls-cert' => "$file{server}.pem", '--tls-key' => "$file{server}.key");
my @wrong = ('--tls-wrong-cert' => "$file{wrong}.pem",
	'--tls-wrong-key' => "$file{wrong}.key");
my $number = 0;					# of messages, all in all

# What a client of each protocol does: start a simulator, open a link, make a
# message for a card, and say what comes back: "OK", a code, "other" for an
# answer to something else, "bad" for what is none, "closed" or "nothing".
my %kind = (
	nagra => {
		start => sub { start_simulator('nagra_simulator', @_) },
		open => \&greeted,
		message => sub { add_product(++$number, $_[1], 1001) },
		busy => '00FF',
		operation => 'AddProduct',
		garbage => 'nothing',	# a great length, it seems
		overhead => 11 + 6,		# hello, and the answer to it
		length => 94,
		answer_length => 47,
		read => \&read_nagra
	},
	nds => {
		start => sub { start_simulator('nds_simulator', '--key', $nds_key, @_) },
		open => \&dial,
		message => sub {
			my ($link, $card) = @_;
			$number++;
			$link->{card} = "00$card";
			return nds_message(++$link->{sequence}, 'RA', "00$card", '');
		},
		busy => 'E009',
		operation => 'Reauthorise',
		garbage => 'bad',
		overhead => 0,
		length => 85,
		answer_length => 101,
		read => \&read_nds
	});

sub end_of
{
	my ($link) = @_;
	return 'nothing' unless IO::Select->new($link->{from})->can_read(0);
	return length($link->{buffer}) ? 'cut' : 'closed';
}

sub read_nagra
{
	my ($link, $seconds) = @_;
	my ($frame) = frames($link, 1, $seconds);
	return end_of($link) unless defined $frame;
	return $1 == $number ? 'OK' : 'other' if $frame =~ /^\d{32}1000(\d{9})$/;
	return $1 == $number ? $2 : 'other'
	  if $frame =~ /^\d{32}1001(\d{9})1([0-9A-F]{4})0000\d{3}/;
	return 'bad';
}

sub read_nds
{
	my ($link, $seconds) = @_;
	my $answer = nds_answer($link, seconds => $seconds);
	return end_of($link) unless $answer;
	return 'bad' if $answer->{bad};
	return 'other' if hex($answer->{sequence}) != $link->{sequence}
	  || $answer->{card} ne $link->{card};
	return $answer->{code};
}

# kind and keys => [what is read, outcome, carried out]
my %faults = (
	'delay delay=200ms' => [ 'OK', 'OK', 'yes' ],
	'reject' => [ 'BUSY', 'BUSY', 'no' ],
	'reject carry=yes' => [ 'BUSY', 'BUSY', 'yes' ],
	'hang-before-body' => [ 'nothing', 'none', 'no' ],
	'hang-after-body' => [ 'nothing', 'none', 'no' ],
	'no-answer' => [ 'nothing', 'none', 'no' ],
	'no-answer carry=yes' => [ 'nothing', 'none', 'yes' ],
	'carry-out-no-answer' => [ 'nothing', 'none', 'yes' ],
	'close-before-body' => [ 'closed', 'none', 'no' ],
	'close-after-body' => [ 'closed', 'none', 'no' ],
	'close-after-body delay=50ms' => [ 'closed', 'none', 'no' ],
	'carry-out-close' => [ 'closed', 'none', 'yes' ],
	'half-answer' => [ 'cut', 'none', 'yes' ],
	'half-answer size=1 carry=no' => [ 'cut', 'none', 'no' ],
	'two-answers' => [ 'OK', 'OK', 'yes' ],
	'other-answer' => [ 'other', 'spoiled', 'yes' ],
	'other-answer carry=no' => [ 'other', 'spoiled', 'no' ],
	'garbage' => [ 'nothing', 'spoiled', 'yes' ],
	'garbage size=3' => [ 'nothing', 'spoiled', 'yes' ],
	'nonsense' => [ 'bad', 'spoiled', 'yes' ],
	'oversized' => [ 'bad', 'spoiled', 'yes' ],
	'oversized size=300' => [ 'bad', 'spoiled', 'yes' ],
	'wrong-length' => [ 'bad', 'spoiled', 'yes' ],
	'late-answer delay=200ms' => [ 'OK', 'OK', 'yes' ],
	'byte-by-byte' => [ 'OK', 'OK', 'yes' ],
	'unsolicited' => [ 'other', 'OK', 'yes' ]);
my %only = (
	nds => {
		'wrong-digest' => [ 'bad', 'spoiled', 'yes' ],
		'wrong-sequence' => [ 'other', 'spoiled', 'yes' ]
	},
	nagra => {
		'out-of-order batch=2' => [ 'OK', 'OK', 'yes' ],
		'one-write batch=2' => [ 'OK', 'OK', 'yes' ]
	});

sub test_one_fault
{
	my ($k, $sim, $spec, $expected, @tls_client) = @_;
	my ($read, $outcome, $carried) = map { s/BUSY/$k->{busy}/r } @$expected;
	my ($kind) = $spec =~ /^(\S+)/;
	$read = $k->{garbage} if $spec eq 'garbage';
	my $link = $k->{open}->($sim, @tls_client);
	my $card = sprintf('%010d', $number + 1);
	my $before = time();
	my $lines = () = ledger($sim);
	like(control($sim, "fault add kind=$spec count=1"), qr/^ok 1/, "$spec: understood");
	put($link, $k->{message}->($link, $card));
	my $result = $k->{read}->($link, $read eq 'nothing' ? 0.2 : 10);
	is($result, $read, "$spec: as read");
	cmp_ok(time() - $before, '>=', 0.2, 'it was late') if $spec =~ /delay=200ms/;
	is($k->{read}->($link), 'OK', "$spec: and again") if $kind =~ /two-answers|unsolicited/;
	poll_until(sub { (() = ledger($sim)) > $lines });
	my $line = last_line($sim);
	is("$line->{fault} $line->{outcome} $line->{carried}", "$kind $outcome $carried",
		"$spec: in the ledger");
	is($line->{answered} eq '-', $outcome eq 'none', "$spec: time of the answer");
	is($line->{operation}, $kind =~ /before/ ? '-' : $k->{operation}, "$spec: what was asked");
	my $known = $k->{operation} eq 'Reauthorise' ? "00$card" : $card;
	is(control($sim, "card $known") =~ /^ok/, $carried eq 'yes', "$spec: carried out or not");
	if ($kind =~ /no-answer/ && $k->{operation} eq 'AddProduct')
	{
		put($link, $k->{message}->($link, $card));
		is($k->{read}->($link), 'OK', "$spec: the link goes on");
	}
	hang_up($link);
	control($sim, 'fault clear');
	ok(poll_until(sub { control($sim, 'status') =~ / connections=0 / }), "$spec: hung up");
	return;
}

# What is cut is cut at every byte, in both directions.
sub test_cuts
{
	my ($k, $sim) = @_;
	my $conversation = $k->{overhead};
	my ($hello, $status) = $conversation ? (11, 6) : (0, 0);
	my ($wrong, %carried) = (0);
	for my $after (0 .. $hello + $k->{length})
	{
		control($sim, "fault add kind=cut-received after=$after count=1");
		my $link = dial($sim);
		put($link, hello()) if $hello;
		frames($link, 2) if $hello && $after > $hello;
		put($link, $k->{message}->($link, sprintf('%010d', 7000 + $after)));
		$wrong++ unless defined get_until_end($link);
		hang_up($link);
		control($sim, 'fault clear');
		my $line = last_line($sim);
		$carried{$after} = 1 if $line->{cards} =~ /^0*7\d\d\d$/ && $line->{carried} eq 'yes'
		  && $line->{cards} == 7000 + $after;
		is("$line->{fault} $line->{outcome}", 'cut-received none', 'in the ledger') if $carried{$after};
	}
	is($wrong, 0, 'closed after each byte received');
	is(join(' ', keys %carried), $hello + $k->{length}, 'carried out when whole');
	my $short = 0;
	for my $after (0 .. $status + $k->{answer_length})
	{
		control($sim, "fault add kind=cut-sent after=$after count=1");
		my $link = dial($sim);
		put($link, hello()) if $hello;
		put($link, $k->{message}->($link, sprintf('%010d', 8000 + $after)));
		$short++ if length(get_until_end($link) // '') != $after;
		hang_up($link);
		control($sim, 'fault clear');
		my $line = last_line($sim);
		my $whole = $after == $status + $k->{answer_length};
		is("$line->{fault} $line->{outcome}", $whole ? '- OK' : 'cut-sent none',
			'in the ledger') if $line->{cards} =~ /8\d\d\d$/;
	}
	is($short, 0, 'closed after each byte sent');
	return;
}

# An answer after the client gave up comes on its next connection.
sub test_late
{
	my ($k, $sim) = @_;
	my $link = $k->{open}->($sim);
	control($sim, 'fault add kind=late-answer delay=300ms count=2');
	put($link, $k->{message}->($link, '0000000042'));
	ok(poll_until(sub { control($sim, 'status') =~ / carried_out=[1-9]/ }), 'it is there');
	my $late = $number;
	hang_up($link);
	$link = $k->{open}->($sim);
	put($link, $k->{message}->($link, '0000000043'));
	is($k->{read}->($link), 'other', 'the late answer comes first');
	is($k->{read}->($link), 'OK', 'then that of this connection');
	my @lines = grep { $_->{fault} eq 'late-answer' && $_->{cards} =~ /4[23]$/ }
	  ledger($sim);
	is(join(' ', map { $_->{outcome} } @lines), 'OK OK', 'both in the ledger');
	hang_up($link);

	# Due while nobody is there: it waits for the next.
	control($sim, 'fault add kind=late-answer delay=50ms count=1');
	$link = $k->{open}->($sim);
	put($link, $k->{message}->($link, '0000000044'));
	ok(poll_until(sub { control($sim, 'card ' . ($k->{operation} eq 'Reauthorise' ? '00' : '')
		. '0000000044') =~ /^ok/ }), 'carried out');
	hang_up($link);
	my $due = time() + 0.1;
	poll_until(sub { time() > $due });
	$link = $k->{open}->($sim);
	put($link, $k->{message}->($link, '0000000045'));
	is($k->{read}->($link), 'other', 'a late answer that waited');
	is($k->{read}->($link), 'OK', 'then the right one');
	hang_up($link);
	control($sim, 'fault clear');
	return;
}

sub test_hello
{
	my ($sim) = @_;
	my %status = (
		'hello-connection' => "\0\1\0",
		'hello-connection status=5' => "\0\1\5",
		'hello-call' => "\0\1\6\0\1\3",
		'hello-call status=9' => "\0\1\6\0\1\x09",
		'close-after-body match-op=Hello' => '',
		'half-answer match-op=Hello size=4' => "\0\1\6\0",
		'close-before-body match-op=Hello' => '');
	for my $spec (sort keys %status)
	{
		control($sim, "fault add kind=$spec count=1");
		my $link = dial($sim);
		put($link, hello());
		is(get_until_end($link), $status{$spec}, "$spec: the status");
		hang_up($link);
		my ($kind) = $spec =~ /^(\S+)/;
		is(last_line($sim)->{fault}, $kind, "$spec: in the ledger");
	}
	control($sim, 'fault add kind=no-answer match-op=Hello count=1');
	my $link = dial($sim);
	put($link, hello());
	is(scalar(frames($link, 1, 0.2)), 0, 'no answer to a hello');
	hang_up($link);
	control($sim, 'fault add kind=no-answer match-op=Heartbeat count=1');
	$link = greeted($sim);
	put($link, heartbeat(++$number) . heartbeat(++$number));
	ok(acknowledged(frames($link, 1), $number), 'no answer to one heartbeat');
	control($sim, 'fault add kind=reject count=1');
	put($link, heartbeat(++$number));
	ok(acknowledged(frames($link, 1), $number), 'requests alone are meant unless said');
	hang_up($link);
	control($sim, 'fault clear');
	return;
}

# Answers in another order, or at once.
sub test_batches
{
	my ($sim) = @_;
	my $link = greeted($sim);
	my $ask = sub {
		my ($count) = @_;
		my $first = $number + 1;
		put($link, join('', map { add_product(++$number, '0000000050', $_) } 1 .. $count));
		return join(' ', map { substr($_, 36) - $first } frames($link, $count));
	};
	control($sim, 'fault add kind=out-of-order batch=3 count=6');
	is($ask->(6), '2 1 0 5 4 3', 'three by three, the last first');
	control($sim, 'fault clear');
	control($sim, 'fault add kind=out-of-order batch=100 delay=50ms');
	is($ask->(4), '3 2 1 0', 'after a while those that are there');
	control($sim, 'fault clear');
	control($sim, 'fault add kind=one-write batch=3');
	put($link, add_product(++$number, '0000000050', $_)) for 1 .. 3;
	ok(IO::Select->new($link->{from})->can_read(10), 'something comes');
	is(sysread($link->{from}, my $bytes, 65536), 3 * 47, 'three answers in one read');
	control($sim, 'fault clear');
	control($sim, 'fault add kind=delay delay=100ms count=1');
	is($ask->(3), '0 1 2', 'who waits keeps the order');
	control($sim, 'fault add kind=late-answer delay=100ms count=1');
	is($ask->(3), '1 2 0', 'who is late does not');
	control($sim, 'fault clear');
	hang_up($link);
	return;
}

sub test_disturb
{
	my ($k, $sim) = @_;
	my $link = $k->{open}->($sim);
	put($link, $k->{message}->($link, '0000000060'));
	is($k->{read}->($link), 'OK', 'a link');
	is(control($sim, 'disturb'), 'ok 1', 'disturb it');
	is($k->{read}->($link), 'other', 'a message that nobody asked for');
	is(control($sim, 'drop'), 'ok', 'drop');
	is(get_until_end($link), '', 'closed');
	$link = $k->{open}->($sim);
	control($sim, 'fault add kind=hang-after-body count=1');
	put($link, $k->{message}->($link, '0000000061'));
	ok(poll_until(sub { last_line($sim)->{fault} eq 'hang-after-body' }), 'one hangs');
	is(control($sim, 'drop all'), 'ok', 'drop all');
	ok(defined get_until_end($link), 'closed though it hangs');
	control($sim, 'fault clear');
	return;
}

sub test_refusing
{
	my ($k, $sim, @tls_client) = @_;
	my $link = $k->{open}->($sim, @tls_client);
	like(control($sim, 'fault add kind=refuse'), qr/^ok/, 'refuse');
	is(get_until_end($link), '', 'who was idle is closed');
	hang_up($link);
	is(IO::Socket::INET->new("127.0.0.1:$sim->{port}"), undef, 'connecting is refused');
	like(control($sim, 'status'), qr/ refusing=yes/, 'and it says so');
	is(control($sim, 'fault clear'), 'ok', 'listen again');
	$link = $k->{open}->($sim, @tls_client);
	put($link, $k->{message}->($link, '0000000070'));
	is($k->{read}->($link), 'OK', 'on the same port');
	hang_up($link);
	return;
}

sub test_specs
{
	my ($sim, @more) = @_;
	for my $bad ('', 'kind=none', 'kind=soap-fault', 'kind=redirect', 'kind=delay',
		'kind=late-answer', 'kind=cut-sent', 'kind=cut-received after=-1',
		'kind=reject code=SYSTEM_ERROR', 'kind=out-of-order batch=1',
		'kind=hello-call status=256', 'kind=refuse count=1', @more)
	{
		like(control($sim, "fault add $bad"), qr/^error ./, "no fault: $bad");
	}
	like(control($sim, 'nonsense'), qr/^error .*fault add/, 'no command');
	like(control($sim, 'card nobody'), qr/^error /, 'no card');
	return;
}

sub test_tls
{
	my ($k) = @_;
	my $sim = $k->{start}->(@tls, @wrong, '--client-ca', "$file{ca}.pem");
	my $try = sub {
		my $link = $k->{open}->($sim, '-CAfile', "$file{ca}.pem", @_) or return 'closed';
		put($link, $k->{message}->($link, '0000000080'));
		my $read = $k->{read}->($link);
		hang_up($link);
		return $read;
	};
	my @client = ('-cert', "$file{client}.pem", '-key', "$file{client}.key");
	my @stranger = ('-cert', "$file{wrong}.pem", '-key', "$file{wrong}.key");
	is($try->(@client), 'OK', 'a client certificate');
	is($try->(), 'closed', 'none');
	is($try->(@stranger), 'closed', 'one that nobody knows');
	control($sim, 'fault add kind=tls-fail count=1');
	is($try->(@client), 'closed', 'the handshake is broken');
	is($try->(@client), 'OK', 'once');
	control($sim, 'fault add kind=tls-wrong-cert');
	is($try->(@client), 'closed', 'the certificate is wrong');
	control($sim, 'fault clear');
	is($try->(@client), 'OK', 'and right again');
	is(stop_simulator($sim), 0, 'ends cleanly');
	return;
}

for my $name (qw(nagra nds))
{
	my $k = $kind{$name};
	my %all = (%faults, %{ $only{$name} });
	for my $secure ([], \@tls)
	{
		my $sim = $k->{start}->(@$secure);
		my @client = @$secure ? ('-CAfile', "$file{ca}.pem") : ();
		note("$name @client");
		test_one_fault($k, $sim, $_, $all{$_}, @client)
		  for grep { !@$secure || !/before-body|hang|close/ } sort keys %all;
		test_refusing($k, $sim, @client);
		if (!@$secure)
		{
			test_late($k, $sim);
			test_cuts($k, $sim);
			test_disturb($k, $sim);
			test_hello($sim) if $name eq 'nagra';
			test_batches($sim) if $name eq 'nagra';
			test_specs($sim, $name eq 'nagra' ? 'kind=wrong-digest' : 'kind=hello-call');
		}
		is(stop_simulator($sim), 0, 'ends cleanly');
	}
	test_tls($k);
}
done_testing();
