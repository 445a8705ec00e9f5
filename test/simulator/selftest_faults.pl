#!/usr/bin/perl
# The Conax simulator: every fault, over HTTP and HTTPS, as the client
# sees it and as the ledger tells it.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use ConaxTest;
use IO::Select;
use IO::Socket::INET;
use SimulatorTest;
use Test::More;

my %file = certificates();
my @cacert = ('--cacert', "$file{ca}.pem");
my @tls = (
	'--tls-cert' => "$file{server}.pem",
	'--tls-key' => "$file{server}.key");
my @wrong = (
	'--tls-wrong-cert' => "$file{wrong}.pem",
	'--tls-wrong-key' => "$file{wrong}.key");

# kind and keys => [curl's exit status, HTTP status, outcome, carried out]
my %faults = (
	'reject code=SYSTEM_ERROR' => [ 0, 200, 'SYSTEM_ERROR', 'no' ],
	'reject code=CLIENT_NOT_FOUND carry=yes' =>
	  [ 0, 200, 'CLIENT_NOT_FOUND', 'yes' ],
	'soap-fault code=Client' => [ 0, 500, 'soap:Client', 'no' ],
	'soap-fault' => [ 0, 500, 'soap:Server', 'no' ],
	'http-status status=404' => [ 0, 404, 'http:404', 'no' ],
	'http-status' => [ 0, 503, 'http:503', 'no' ],
	'redirect location=http://127.0.0.1:1/' => [ 0, 302, 'http:302', 'no' ],
	'delay delay=300ms' => [ 0, 200, 'OK', 'yes' ],
	'hang-before-body' => [ 28, '000', 'none', 'no' ],
	'hang-after-body' => [ 28, '000', 'none', 'no' ],
	'carry-out-no-answer' => [ 28, '000', 'none', 'yes' ],
	'close-before-body' => [ 52, '000', 'none', 'no' ],
	'close-after-body' => [ 52, '000', 'none', 'no' ],
	'carry-out-close' => [ 52, '000', 'none', 'yes' ],
	'half-answer' => [ 18, 200, 'none', 'yes' ],
	'half-answer carry=no' => [ 18, 200, 'none', 'no' ],
	'two-answers' => [ 0, 200, 'OK', 'yes' ],
	'other-answer' => [ 0, 200, 'http:200', 'yes' ],
	'garbage' => [ 0, 200, 'http:200', 'yes' ],
	'malformed-xml' => [ 0, 200, 'http:200', 'yes' ],
	'doctype' => [ 0, 200, 'http:200', 'yes' ],
	'oversized size=3MB' => [ 0, 200, 'http:200', 'yes' ]);

# What the body of an answer has to look like.
my %body = (
	'reject' => qr/<c:StatusCode>(SYSTEM_ERROR|CLIENT_NOT_FOUND)</,
	'soap-fault' => qr/<faultcode>soap:(Client|Server)</,
	'half-answer' => qr/^<\?xml(?!.*Envelope>$)/s,
	'two-answers' => qr/^(?!.*Envelope.*HTTP).*<c:StatusCode>OK</s,
	'other-answer' => qr/^(?!.*AddSub).*StatusCode>OK.*<c:ReferenceNumber>/s,
	'garbage' => qr/^[^<]/,
	'malformed-xml' => qr/StatusCode>OK<.*<$/s,
	'doctype' => qr/<!DOCTYPE.*&e11;/s,
	'oversized' => qr/StatusCode>OK<.*xxxx.*Envelope>/s);

sub test_one_fault
{
	my ($sim, $spec) = @_;
	my ($rc, $status, $outcome, $carried) = @{ $faults{$spec} };
	my ($kind) = $spec =~ /^(\S+)/;
	my $card = 'fault' . last_sequence();
	like(control($sim, "fault add kind=$spec count=1"), qr/^ok 1/,
		"$spec: understood");
	my $answer = post($sim, 'AddSubscriptions', add($card),
		args => [ @cacert, '--max-time', $rc == 28 ? 1 : 20 ]);

	# A connection that is closed under unread bytes can also be a reset.
	$rc = 56 if $rc == 52 && $answer->{rc} == 56;
	is("$answer->{rc} $answer->{status}", "$rc $status", "$spec: as seen");
	like($answer->{body}, $body{$kind}, "$spec: the body") if $body{$kind};
	my $line = last_line($sim);
	is("$line->{fault} $line->{outcome} $line->{carried}",
		"$kind $outcome $carried", "$spec: in the ledger");
	is($line->{answered} eq '-', $outcome eq 'none', "$spec: time of answer");
	is(control($sim, "card $card") =~ /products=17 /, $carried eq 'yes',
		"$spec: carried out or not");
	is($line->{sequence}, $kind =~ /before-body/ ? '-' : last_sequence(),
		"$spec: the sequence number");
	cmp_ok($line->{answered} - $line->{received}, '>=', 300000, 'it was late')
	  if $kind eq 'delay';
	cmp_ok(length($answer->{body}), '>=', 3 << 20, 'it is big')
	  if $kind eq 'oversized';
	control($sim, 'fault clear');
	is(post($sim, 'AddSubscriptions', add('c'), args => \@cacert)->{code},
		'OK', "$spec: and all is well again");
}

# Two answers where one was asked for, and one connection for two messages.
sub test_connection
{
	my ($sim) = @_;
	my $body = add('c');
	my $message = "POST /ca-server/webservices/client/authorization HTTP/1.1\r\n"
	  . "Host: localhost\r\nContent-Type: text/xml\r\nSOAPAction: \"\"\r\n"
	  . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
	my $socket = IO::Socket::INET->new("127.0.0.1:$sim->{port}");
	my $seen = '';
	my $read_until = sub {
		my ($count) = @_;
		while ((() = $seen =~ /Envelope>\n/g) < $count)
		{
			last unless sysread($socket, $seen, 65536, length $seen);
		}
		return () = $seen =~ /^HTTP\/1.1 200/mg;
	};
	control($sim, 'fault add kind=two-answers count=1');
	print $socket $message;
	is($read_until->(2), 2, 'two answers to one message');
	print $socket $message;
	is($read_until->(3), 3, 'the connection is kept');
	my @lines = (ledger($sim))[ -2, -1 ];
	is($lines[0]{connection}, $lines[1]{connection}, 'and is one in the ledger');
	my %reference = map { $_ => 1 } $seen =~ /ReferenceNumber>([^<]+)</g;
	is(scalar(keys %reference), 2, 'each message has its own reference');
	is(control($sim, 'drop'), 'ok', 'drop idle connections');
	ok(IO::Select->new($socket)->can_read(10)
		  && sysread($socket, $seen, 1) == 0, 'they are closed');
}

# Who leaves in the middle of a message is not waited for.
sub test_half_messages
{
	my ($sim) = @_;
	for my $i (1 .. 50)
	{
		my $socket = IO::Socket::INET->new("127.0.0.1:$sim->{port}");
		print $socket "POST /ca-server/webservices/client/authorization"
		  . " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n<s:";
		close($socket);
	}
	ok(poll_until(sub { control($sim, 'status') =~ / connections=0/ }),
		'connections that end in the middle of a message are closed');
}

# Who hangs holds up nobody, and goes when the client goes.
sub test_hanging
{
	my ($sim) = @_;
	control($sim, 'fault add kind=hang-after-body match-card=hang*');
	control($sim, 'fault add kind=hang-before-body count=1');
	my @clients;
	for my $card ('unread', 'hang1', 'hang2')
	{
		my $pid = fork() // die "fork: $!";
		if ($pid == 0)
		{
			my $body = spew(scratch("hang.$card"), add($card));
			exec('curl', '-s', @cacert, '-H', 'Content-Type: text/xml',
				'-H', 'SOAPAction: ""', '--max-time', 60, '--data-binary',
				"\@$body", "$sim->{url}client/authorization");
		}
		push(@clients, $pid);
		my $kind = $card eq 'unread' ? 'before' : 'after';
		my $count = $card eq 'hang2' ? 2 : 1;
		ok(poll_until(sub {
			$count == grep { $_->{fault} eq "hang-$kind-body" }
			  (ledger($sim))[ -@clients .. -1 ] }), "$card hangs");
	}
	is(post($sim, 'AddSubscriptions', add('c'), args => \@cacert)->{code},
		'OK', 'others do not');
	like(control($sim, 'status'), qr/ connections=[3-9]/, 'they are held');
	kill('TERM', @clients);
	waitpid($_, 0) for @clients;
	ok(poll_until(sub { control($sim, 'status') =~ / connections=0/ }),
		'they are let go when the client goes');
	control($sim, 'fault clear');
}

sub test_refusing
{
	my ($sim) = @_;
	like(control($sim, 'fault add kind=refuse'), qr/^ok/, 'refuse');
	is(post($sim, 'AddSubscriptions', add('c'), args => \@cacert)->{rc}, 7,
		'connecting is refused');
	like(control($sim, 'status'), qr/refusing=yes/, 'and it says so');
	is(control($sim, 'fault clear'), 'ok', 'listen again');
	is(post($sim, 'AddSubscriptions', add('c'), args => \@cacert)->{code},
		'OK', 'on the same port');
}

sub test_matching
{
	my ($sim) = @_;
	my $codes = sub {
		return join(' ', map { post($sim, 'AddSubscriptions', add($_),
			args => \@cacert)->{code} } @_);
	};
	control($sim, 'fault add kind=reject code=A match-card=x* skip=1 count=1');
	control($sim, 'fault add kind=reject code=B match-op=Add* match-card=y?');
	control($sim, 'fault add kind=reject code=C match-op=Cancel*');
	control($sim, 'fault add kind=delay delay=10ms match-card=y*');
	is($codes->(qw(x1 x1 x1 y1 y12)), 'OK A OK B OK', 'what matches is struck');
	is(join(' ', map { $_->{fault} } (ledger($sim))[ -2, -1 ]),
		'delay+reject delay', 'delay and another fault go together');
	control($sim, 'fault clear');
	for my $bad ('', 'kind=none', 'code=A', 'kind=reject code=a',
		'kind=delay', 'kind=refuse count=1', 'kind=reject probability=2',
		'kind=delay delay=1h', 'kind=soap-fault code=Other', 'kind=garbage x')
	{
		like(control($sim, "fault add $bad"), qr/^error ./, "no fault: $bad");
	}
	like(control($sim, 'nonsense'), qr/^error .*fault add/, 'no command');
	like(control($sim, 'card nobody'), qr/^error /, 'no card');
}

# The same seed gives the same faults, another gives others.
sub test_probability
{
	my @seen = map {
		my $sim = start_conax('--seed', $_, '--fault',
			'kind=reject probability=0.5');
		my $body = spew(scratch('many'), add('c'));
		system('curl', '-s', '-o', '/dev/null', '-H', 'Content-Type: text/xml',
			'-H', 'SOAPAction: ""', '--data-binary', "\@$body",
			"$sim->{url}client/authorization?[1-200]");
		my $pattern = join('', map { $_->{fault} eq '-' ? 0 : 1 } ledger($sim));
		stop_simulator($sim);
		$pattern;
	} (7, 7, 8);
	is(length($seen[0]), 200, 'all are there');
	is($seen[0], $seen[1], 'the same seed');
	isnt($seen[0], $seen[2], 'another seed');
	cmp_ok(abs(($seen[0] =~ tr/1//) - 100), '<', 40, 'about half of them');
}

sub test_faults
{
	my (@options) = @_;
	my $sim = start_conax(@options);
	is($sim->{scheme}, @options ? 'https' : 'http', "faults: $sim->{scheme}");
	test_one_fault($sim, $_) for sort keys %faults;
	test_connection($sim) unless @options;
	test_half_messages($sim);
	test_hanging($sim);
	test_refusing($sim);
	test_matching($sim) unless @options;
	is(stop_simulator($sim), 0, 'ends cleanly');
}

sub test_tls
{
	my $sim = start_conax(@tls, @wrong, '--client-ca', "$file{ca}.pem");
	my $try = sub {
		return post($sim, 'AddSubscriptions', add('c'), args => [ @cacert, @_ ]);
	};
	my @client = ('--cert', "$file{client}.pem", '--key', "$file{client}.key");
	my @stranger = ('--cert', "$file{wrong}.pem", '--key', "$file{wrong}.key");
	is($try->(@client)->{code}, 'OK', 'a client certificate');
	is($try->()->{status}, '000', 'none');
	is($try->(@stranger)->{status}, '000', 'one that nobody knows');
	control($sim, 'fault add kind=tls-fail count=1');
	is($try->(@client)->{rc}, 35, 'the handshake is broken');
	is($try->(@client)->{code}, 'OK', 'once');
	control($sim, 'fault add kind=tls-wrong-cert');
	is($try->(@client)->{rc}, 60, 'the certificate is wrong');
	control($sim, 'fault clear');
	is($try->(@client)->{code}, 'OK', 'and right again');
	is(scalar(ledger($sim)), 3, 'only what was received is in the ledger');
	is(stop_simulator($sim), 0, 'ends cleanly');
}

test_faults();
test_faults(@tls);
test_tls();
test_probability();
done_testing();
