#!/usr/bin/perl
# The Conax simulator: every operation and every check, over HTTP and HTTPS,
# and the ledger beside it.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use ConaxTest;
use SimulatorTest;
use Test::More;

my %file = certificates();
my @cacert = ('--cacert', "$file{ca}.pem");
my @tls = (
	'--tls-cert' => "$file{server}.pem",
	'--tls-key' => "$file{server}.key");

# Values of an element in an answer.
sub values_of
{
	my ($answer, $name) = @_;
	return join(',', sort $answer->{body} =~ /<o:$name>([^<]*)</g);
}

# Sends a right request and checks answer and ledger.
sub accepted
{
	my ($sim, $operation, $parameters, $args) = @_;
	my $body = soap($operation, @$parameters, sequence());
	my $answer = post($sim, $operation, $body, args => $args);
	my $line = last_line($sim);
	ok(is_valid($body), "$operation: the schema knows the request");
	is($answer->{code}, 'OK', "$operation: accepted");
	like($answer->{body}, qr/<c:ReferenceNumber>[^<]+</,
		"$operation: has a reference");
	ok(is_valid($answer->{body}), "$operation: the schema knows the answer");
	is("$line->{sequence} $line->{operation} $line->{outcome} $line->{carried}",
		last_sequence() . " $operation OK yes", "$operation: in the ledger");
	return $answer;
}

sub test_subscriptions
{
	my ($sim, $args) = @_;
	my @query = (CaClientId => 'card1');
	my $get = 'GetActiveSubscriptions';
	accepted($sim, 'AddSubscriptions',
		[ cards('card1', 'card2'), products(17, 18) ], $args);
	my $line = last_line($sim);
	is("$line->{cards} $line->{things}", 'card1,card2 17,18',
		'the ledger has cards and products');
	my $answer = accepted($sim, $get, \@query, $args);
	is(values_of($answer, 'ProductId'), '17,18', 'both products are active');
	accepted($sim, 'CancelSubscriptions', [ cards('card1'), products(17) ],
		$args);
	is(values_of(accepted($sim, $get, \@query, $args), 'ProductId'),
		'18', 'one is left');
	accepted($sim, 'AddSubscriptions',
		[ cards('card1'), products(19), StartTime => '2999-01-01T00:00:00Z' ],
		$args);
	is(values_of(accepted($sim, $get, \@query, $args), 'ProductId'),
		'18', 'what starts later is not active');
	accepted($sim, 'AddSubscriptions',
		[ cards('card1'), products(20), StartTime => '2015-09-07T15:23:15+02:00' ],
		$args);
	like(values_of(accepted($sim, $get, \@query, $args), 'StartTime'),
		qr/2015-09-07T13:23:15Z/, 'the start is told, in UTC');
}

sub test_pairings
{
	my ($sim, $args) = @_;
	my $of_card = sub {
		my $answer = accepted($sim, 'GetPairingStatusForCard',
			[ CaClientId => $_[0] ], $args);
		return values_of($answer, 'CaClientId') . '/'
		  . values_of($answer, 'PairingModuleId');
	};
	accepted($sim, 'CreatePairing', [ cards('p1'), modules('m1') ], $args);
	is(last_line($sim)->{things}, 'm1', 'the ledger has the module');
	accepted($sim, 'AddToExistingPairing',
		[ ExistingCaClientId => 'p1', cards('p2'), modules('m2') ], $args);
	is(last_line($sim)->{cards}, 'p1,p2', 'the ledger has both cards');
	is($of_card->('p2'), 'p1,p2/m1,m2', 'the pairing holds all four');
	accepted($sim, 'CreatePairing', [ cards('p1'), modules('m1') ], $args);
	is($of_card->('p2'), 'p2/m2', 'who is paired anew leaves');
	my $answer = accepted($sim, 'GetPairingStatusForPairingModule',
		[ PairingModuleId => 'm1' ], $args);
	is(values_of($answer, 'CaClientId'), 'p1', 'a module knows its card');
	is($of_card->('single'), '/', 'no pairing is an empty list');
	$answer = post($sim, 'AddToExistingPairing',
		soap('AddToExistingPairing', ExistingCaClientId => 'single',
			cards('p3'), modules('m3'), sequence()), args => $args);
	is($answer->{code}, 'INPUT_VALIDATION_ERROR', 'no pairing to add to');
	is(last_line($sim)->{carried}, 'no', 'and nothing was done');
}

sub test_texts_and_pins
{
	my ($sim, $args) = @_;
	my @bark = (cards('t1'), Message => 'Hello &lt;b&gt;',
		DisplayDurationInSeconds => 20);
	accepted($sim, 'DisplayFingerprint', [ cards('t1'),
		DisplayTime => '2015-09-07T15:23:15Z', DurationInSeconds => 5,
		PositionX => 0, PositionY => 10, Height => 3,
		FingerprintSlot => 'A' ], $args);
	accepted($sim, 'UpdateCaPinToGivenValue', [ cards('t1'), NewPin => '4711' ],
		$args);
	is(last_line($sim)->{things}, 'pin=****', 'the PIN is not in the ledger');
	unlike(told($sim), qr/4711/, 'nowhere in it');
	like(control($sim, 'card t1'), qr/ pin=4711 /, 'the PIN was set');
	accepted($sim, 'UpdateCaPinToDefaultValue', [ cards('t1') ], $args);
	accepted($sim, 'SendMailMessageToClients',
		[ cards('t1'), Message => 'x' x 141,
			StartTime => '2015-09-07T15:23:15Z' ], $args);
	accepted($sim, 'SendBarkMessageToClients', \@bark, $args);
	accepted($sim, 'SendRepeatingBarkMessageToClients',
		[ @bark, RepetitionCount => 3, RepetitionIntervalInSeconds => 2550 ],
		$args);
	is(control($sim, 'card t1'), 'ok card=t1 products=- pin=default pairing=-'
		  . ' mails=1 barks=1 repeated_barks=1 fingerprints=1'
		  . ' last_text=Hello <b>', 'the card knows it all');
}

sub test_operations
{
	my ($scheme, @options) = @_;
	my $sim = start_conax(@options, '--user', 'us er', '--password', 'p:w');
	my @args = ('--user', 'us er:p:w', @cacert);
	is($sim->{scheme}, $scheme, "over $scheme");
	test_subscriptions($sim, \@args);
	test_pairings($sim, \@args);
	test_texts_and_pins($sim, \@args);
	my $answer = post($sim, 'AddSubscriptions', add('c'),
		args => [ '--user', 'us er:pw', @cacert ]);
	is($answer->{status}, 401, 'wrong password');
	is(post($sim, 'AddSubscriptions', add('c'), args => \@cacert)->{status},
		401, 'no password');
	is(last_line($sim)->{outcome}, 'http:401', 'in the ledger');
	is(stop_simulator($sim), 0, 'ends cleanly');
	ok(!-e $sim->{control}, 'and takes the control socket away');
}

# [what is wrong, operation, body, options of post, status, outcome]
sub test_checks
{
	my $sim = start_conax();
	my $good = add('c');
	my $op = 'AddSubscriptions';
	my @type = ('Content-Type: text/xml');
	my %wrong = (
		'too many cards' => [ soap($op, cards(1 .. 501), products(1), sequence()) ],
		'no card' => [ soap($op, CaClientIds => [], products(1), sequence()) ],
		'wrong order' => [ soap($op, products(1), cards('c'), sequence()) ],
		'no sequence number' => [ soap($op, cards('c'), products(1)) ],
		'time without zone' => [ soap($op, cards('c'), products(1),
			StartTime => '2015-09-07T15:23:15', sequence()) ],
		'other namespace' => [ $good =~ s/authorization/pairing/gr ],
		'two elements' => [ $good =~ s{(<r:.*)</s:Body>}{$1$1</s:Body>}r ],
		'not SOAP' => ['<a/>'],
		'not XML' => [ substr($good, 0, 200) ],
		'a document type' => ["<!DOCTYPE a [<!ENTITY b \"c\">]>$good"],
		'another path' => [ $good, path => 'client/pin' ],
		'no SOAPAction' => [ $good, headers => \@type ],
		'a SOAPAction' => [ $good, headers => [ @type, 'SOAPAction: "x"' ] ]);
	for my $what (sort keys %wrong)
	{
		my ($body, @options) = @{ $wrong{$what} };
		my $answer = post($sim, $op, $body, @options);
		like($answer->{body}, qr/<faultcode>soap:Client</, "$what: soap fault");
		ok(is_valid($answer->{body}), "$what: the schema knows the fault");
		my $line = last_line($sim);
		is("$answer->{status} $line->{outcome} $line->{carried}",
			'500 soap:Client no', "$what: in the ledger");
	}
	my %status = (
		404 => [ path => 'client/nowhere' ],
		405 => [ args => [ '-X', 'PUT' ] ],
		415 => [ headers => [ 'Content-Type: text/plain', 'SOAPAction;' ] ]);
	for my $status (sort keys %status)
	{
		is(post($sim, $op, $good, @{ $status{$status} })->{status},
			$status, "HTTP $status");
		is(last_line($sim)->{outcome}, "http:$status", "$status in the ledger");
	}
	is(post($sim, $op, '<' x 2000000)->{status}, 413, 'too long a body');
	is(scalar(ledger($sim)), keys(%wrong) + keys(%status) + 1,
		'one line for each');
	for my $limits ([ 'SendMailMessageToClients', 142 ],
		[ 'SendBarkMessageToClients', 130, DisplayDurationInSeconds => 20 ])
	{
		my ($operation, $length, @more) = @$limits;
		ok(!is_valid(soap($operation, cards('c'), Message => 'x' x $length,
			@more, sequence())), "$operation: too long a text");
	}
	for my $interval (0, 15, 2560)
	{
		ok(!is_valid(soap('SendRepeatingBarkMessageToClients', cards('c'),
			Message => 'x', DisplayDurationInSeconds => 20,
			RepetitionCount => 1,
			RepetitionIntervalInSeconds => $interval, sequence())),
			"an interval of $interval");
	}
	ok(is_valid(soap($op, cards(1 .. 500), products(1), sequence())),
		'500 cards are not too many');
	is(post($sim, $op, soap($op, cards(1 .. 500), products(1), sequence()))
		  ->{code}, 'OK', 'and are served');
	is(stop_simulator($sim), 0, 'ends cleanly');
}

sub test_rules
{
	my $known = spew(scratch('known'), "k1\nk2\n");
	my $sim = start_conax('--known-cards', $known, '--cards-prefix', 'ok',
		'--unmanaged-prefix', 'foreign', '--without', 'CreatePairing',
		'--soap-action', 'urn:{operation}', '--threads', 2);
	my @headers = (headers => [ 'Content-Type: text/xml',
		'SOAPAction: "urn:AddSubscriptions"' ]);
	my %code = (k1 => 'OK', k2 => 'OK', ok7 => 'OK', k3 => 'CLIENT_NOT_FOUND',
		foreign1 => 'CLIENT_NOT_MANAGED_BY_SMS');
	for my $card (sort keys %code)
	{
		my $answer = post($sim, 'AddSubscriptions', add($card), @headers);
		is($answer->{code}, $code{$card}, "card $card");
		ok(is_valid($answer->{body}), "the schema knows $code{$card}");
		is(last_line($sim)->{outcome}, $code{$card}, 'in the ledger');
	}
	my $both = soap('AddSubscriptions', cards('k1', 'k3'), products(99),
		sequence());
	is(post($sim, 'AddSubscriptions', $both, @headers)->{code},
		'CLIENT_NOT_FOUND', 'one unknown card spoils all');
	unlike(control($sim, 'card k1'), qr/99/, 'and nothing is done');
	my $answer = post($sim, 'CreatePairing',
		soap('CreatePairing', cards('k1'), modules('m'), sequence()),
		headers => [ 'Content-Type: text/xml', 'SOAPAction: urn:CreatePairing' ]);
	is($answer->{code}, 'FEATURE_NOT_AVAILABLE', 'an operation it is without');
	is(post($sim, 'AddSubscriptions', add('k1'))->{status}, 500,
		'the SOAPAction is compared');
	is(stop_simulator($sim), 0, 'ends cleanly');
}

# What is under way when it ends is in the ledger, once.
sub test_end
{
	my $sim = start_conax('--fault', 'kind=delay delay=30s');
	my $pid = fork() // die "fork: $!";
	if ($pid == 0)
	{
		post($sim, 'AddSubscriptions', add('c'));
		exec('true');
	}
	ok(poll_until(sub { control($sim, 'card c') =~ /^ok/ }), 'it is delayed');
	like(control($sim, 'quit'), qr/^ok/, 'quit');
	waitpid($sim->{pid}, 0);
	is($?, 0, 'ends cleanly');
	waitpid($pid, 0);
	my @lines = split(/\n/, slurp($sim->{ledger}));
	is(scalar(@lines), 1, 'one line');
	like($lines[0], qr/\tdelay\tnone\tyes$/, 'without an answer');
}

ok(system('xmllint', '--noout', "$FindBin::Bin/conax.wsdl") == 0, 'the WSDL');
test_operations('http');
test_operations('https', @tls);
test_checks();
test_rules();
test_end();
done_testing();
