# The table of faults: whatever goes wrong with a message, on a new connection
# or on one that was used before, its request ends where P1 and P4 say, and no
# request of a type that is not idempotent is ever delivered twice.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use Test::More;

# Faults that end in the same way.
sub cases
{
	my ($end, $more, @faults) = @_;

	return map { +{ %$more, end => $end, fault => "kind=$_" } } @faults;
}

# How a request ends.
#
# done		COMPLETED in the first attempt
# again		the CAS did nothing: COMPLETED in the second attempt
# reject	REJECTED with the code
# unsent	the fault is the provider's: COMPLETED, no attempt is counted for it
# doubt		idempotent: COMPLETED in the second attempt; else held
#
# code: error_code, in the log of attempts or for good; theirs: the CAS's own;
# carried: the message with the fault was carried out all the same;
# unseen: the message with the fault is not in the ledger; tls: only there;
# anywhere: not of one message, so it cannot be aimed at a card; early: the
# body may not have been begun when the fault is felt, so that it is as unsent.
my @faults = (
	cases('done', {}, 'delay delay=150ms', 'two-answers'),

	cases('again', { code => 'SYSTEM_ERROR' }, 'reject code=SYSTEM_ERROR'),
	cases('again', { code => 'SOAP_FAULT' }, 'soap-fault code=Server'),
	(
		map { cases('again', { code => "HTTP_$_" }, "http-status status=$_") }
		  408, 429, 503
	),

	(
		map { cases('reject', { code => $_, theirs => $_ }, "reject code=$_") }
		  qw(INPUT_VALIDATION_ERROR FEATURE_NOT_AVAILABLE CLIENT_NOT_FOUND
		  CLIENT_NOT_MANAGED_BY_SMS SOME_CODE_OF_TOMORROW)
	),
	cases(
		'reject',
		{ code => 'SOAP_FAULT', theirs => 'Client' },
		'soap-fault code=Client'),
	(
		map {
			cases(
				'reject',
				{ code => "HTTP_$_", theirs => $_ },
				"http-status status=$_")
		} 400, 413, 414, 415
	),

	cases('unsent', {}, map { "http-status status=$_" } 401, 403, 404),
	cases('unsent', {}, 'redirect status=302'),
	cases('unsent', { unseen => 1, anywhere => 1 }, 'refuse'),
	cases(
		'unsent',
		{ unseen => 1, anywhere => 1, tls => 1 },
		'tls-fail', 'tls-wrong-cert'),

	(
		map { cases('doubt', { code => "HTTP_$_" }, "http-status status=$_") }
		  500, 502, 504
	),
	(
		map {
			cases(
				'doubt',
				{ code => "HTTP_$_", carried => 1 },
				"http-status status=$_ carry=yes")
		} 500, 504
	),
	cases(
		'doubt',
		{ code => 'NO_ANSWER', anywhere => 1 },
		'hang-before-body'),
	cases(
		'doubt',
		{ code => 'NO_ANSWER', anywhere => 1, early => 1 },
		'close-before-body'),
	cases(
		'doubt',
		{ code => 'NO_ANSWER' },
		'hang-after-body', 'close-after-body', 'close-after-body delay=50ms'),
	cases(
		'doubt',
		{ code => 'NO_ANSWER', carried => 1 },
		'carry-out-no-answer', 'carry-out-close', 'carry-out-close delay=50ms',
		'half-answer', 'oversized size=2MB'),
	cases(
		'doubt',
		{ code => 'ANSWER_NOT_UNDERSTOOD', carried => 1 },
		'other-answer', 'garbage', 'malformed-xml', 'doctype'));

my %idempotent = (
	ADD_SUBSCRIPTIONS => 1,
	SEND_BARK_MESSAGE_TO_CLIENT => 0);
my $node = provreq_node('faults');
my $card = 0;
my $reloads = 60;
my %numbers;					# of requests, by how they ended

fill_directory($node, 500);

# ------------------------------------------------------- one fault, one type

# Switches the fault on for one message; those that are a state of the
# simulator end when the log shows that they were felt.
sub switch_on
{
	my ($cas, $case) = @_;
	my $fault = $case->{fault};

	$fault .= ' match-card=' . ca_id($card) unless $case->{anywhere};
	$fault .= ' count=1' unless $fault =~ /=refuse/;
	$cas->fault($fault);
	return;
}

# What the request has to be in the end.
sub expected
{
	my ($case, $idempotent) = @_;
	my $end = $case->{end};

	return 'held' if $end eq 'doubt' && !$idempotent;
	return $end eq 'reject' ? 'REJECTED' : 'COMPLETED';
}

# How often it was sent, and of these carried out.
sub expected_messages
{
	my ($case, $idempotent) = @_;
	my $end = $case->{end};
	my $with_fault = $case->{unseen} ? 0 : 1;
	my $carried = $case->{carried} ? 1 : 0;

	return '1, 1' if $end eq 'done';
	return '1, 0' if $end eq 'reject';
	return "1, $carried" if $end eq 'doubt' && !$idempotent;
	return $with_fault + 1 . ', ' . ($carried + 1);
}

# A message that was not read has no number in the ledger.
sub messages_of
{
	my ($cas, $number, $before) = @_;
	my @ledger = $cas->ledger;

	return grep { $_->{sequence} eq $number || $_->{sequence} eq '-' }
	  @ledger[ $before .. $#ledger ];
}

sub check_errors
{
	my ($case, $row, $state, $name) = @_;
	my $end = $case->{end};
	my $verdict = $end eq 'again' ? 'RETRY' : 'UNKNOWN';
	my $logged = $end =~ /^(?:again|doubt)$/ ? "$verdict $case->{code}" : '';

	is(attempt_codes($row), $logged, "$name: the log of attempts");
	is($row->{attempts},
		$state ne 'held' && $logged ? 2 : 1,
		"$name: how many attempts");
	is($row->{error_code}, $state eq 'COMPLETED' ? undef : $case->{code},
		"$name: error_code");
	is($row->{provider_error_code}, $case->{theirs},
		"$name: provider_error_code")
	  unless $state eq 'held';
	like($row->{hold_reason} // '', $state eq 'held' ? qr/^in doubt: ./ : qr/^$/,
		"$name: hold_reason");
	is($row->{life_cycle_state}, 'PENDING', "$name: held means pending")
	  if $state eq 'held';
	return;
}

# Only what gets no answer is to run into the time limit: a slow machine may
# take its time for any other.
sub set_timeout
{
	my ($provider, $fault) = @_;
	my $timeout = $fault =~ /hang|no-answer/ ? '1s' : '1min';

	ask($node, "ALTER SERVER $provider OPTIONS (SET timeout '$timeout')");
	return;
}

# A provider that has changed gets new connections.
sub reload
{
	my ($provider) = @_;

	$reloads++;
	ask($node,
		"ALTER SERVER $provider OPTIONS (SET idle_timeout '${reloads}s')");
	return;
}

# One request meets one fault.
sub check_fault
{
	my ($cas, $case, $type, $connection) = @_;
	my $provider = $cas->{name};
	my $name = "$provider: $case->{fault}, $connection, $type";
	my ($warm, $before, $number, $state, @messages);

	# a connection that is used again, or none that can be
	$card++;
	set_timeout($provider, $case->{fault});
	$warm = create_request($node, 'GET_ACTIVE_SUBSCRIPTIONS', $card,
		provider => $provider);
	wait_for_end($node, $warm);
	reload($provider) if $connection eq 'new connection';
	$before = () = $cas->ledger;
	my $offset = -s $node->logfile;

	switch_on($cas, $case);
	$number = create_request($node, $type, $card, provider => $provider);
	if ($case->{fault} =~ /=refuse/)
	{
		wait_for_message($node, qr/"$provider" is out of reach/, $offset);
		$cas->clear_faults;
	}
	my $row = wait_for_end($node, $number);

	$case = { %$case, end => 'unsent' }
	  if $case->{early} && $row->{attempts} == 1 && !$row->{hold_reason};
	$state = expected($case, $idempotent{$type});
	$cas->clear_faults;
	is($row->{hold_reason} ? 'held' : $row->{life_cycle_state},
		$state, "$name: how it ends")
	  or diag("$row->{error_code}: $row->{error_description}");
	check_errors($case, $row, $state, $name);
	@messages = messages_of($cas, $number, $before);
	is(@messages . ', ' . grep({ $_->{carried_out} } @messages),
		expected_messages($case, $idempotent{$type}),
		"$name: how often it was received, and carried out");
	is($messages[0]->{connection} == ($cas->messages($warm))[0]->{connection}
		? 'used connection' : 'new connection',
		$connection, "$name: over which connection")
	  unless $case->{anywhere} && $case->{unseen};
	push @{ $numbers{ $state eq 'held' ? 'held' : $case->{end} } }, $number;
	return;
}

# Ledger against table.  An answer that says nothing of the request but that
# the provider is set up wrongly is a message without an attempt.
sub check_ledger
{
	my ($cas, $name, %option) = @_;
	my $unsent = join '|', @{ $numbers{unsent} };
	my @problems =
	  grep { !/^request ($unsent) .* went out 2 times in 1 attempts$/ }
	  compare_ledger_with_table($node, $cas, provider => $cas->{name}, %option);

	is(join("\n", @problems), '', $name);
	return;
}

# -------------------------------------------------------------------- run

my @simulators = (
	[ 'plain', Provreq::Simulator->start ],
	[ 'tls', Provreq::Simulator->start(tls => 1) ]);

foreach my $pair (@simulators)
{
	my ($name, $cas) = @$pair;

	%numbers = ();
	$cas->{name} = $name;
	create_provider(
		$node, $name, $cas,
		connections => 1,
		idle_timeout => '60s',
		timeout => '1min',
		retry_delay => '20ms',
		retry_delay_max => '100ms');
	foreach my $case (@faults)
	{
		next if $case->{tls} && $name ne 'tls';

		# TLS makes no difference to what the answer says
		next if $name eq 'tls' && !$case->{anywhere} && $case->{end} ne 'doubt';
		foreach my $connection ('used connection', 'new connection')
		{
			# who is connected does not feel that others cannot connect
			next if $case->{unseen} && $connection eq 'used connection';

			# an idempotent type first: it ends with a good answer
			check_fault($cas, $case, $_, $connection)
			  foreach sort keys %idempotent;
		}
	}

	# Nothing that is held has gone out behind our back, and it goes when
	# somebody says so.
	my @held = @{ $numbers{held} };
	my @twice = grep { (() = $cas->messages($_)) > 1 } @held;

	is("@twice", '', "$name: what is held was not sent again");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM provreq.attempt'),
		0, "$name: no attempt is left");
	check_ledger($cas, "$name: ledger and table agree");
	$node->safe_psql('postgres',
		'SELECT provreq.resubmit(number) FROM provreq.request_pending'
		  . " WHERE provider = '$name'");
	wait_until_idle($node);
	check_ledger(
		$cas, "$name: and after they were resubmitted",
		resubmitted => \@held);
	is( $node->safe_psql('postgres', <<"EOQ"), '', "$name: all of them are COMPLETED");
SELECT number FROM provreq.request
WHERE number = ANY ('{@{[ join ',', @held ]}}') AND life_cycle_state <> 'COMPLETED'
EOQ
}

# ------------------------------------------- a second answer is no answer

# Has something come in on a connection to the simulator that nobody has read
# yet?  Nothing can if there is no connection any more.
sub is_left_over
{
	my ($cas) = @_;
	my $established = 0;

	foreach my $line (split /\n/, slurp_file('/proc/net/tcp'))
	{
		my (undef, undef, $remote, $state, $queues) = split ' ', $line;

		next unless ($remote // '') =~ /:([0-9A-F]{4})$/ && hex $1 == $cas->{port};
		next unless $state eq '01';
		$established++;
		return 1 if $queues =~ /:0*[1-9A-F]/;
	}
	return !$established;
}

# The left-over answer OK on the connection must not be taken for the answer
# to the next request.
my $cas = $simulators[0]->[1];

set_timeout('plain', 'two-answers');

foreach my $round (1 .. 5)
{
	$cas->fault('kind=two-answers count=1 match-card=' . ca_id(498),
		'kind=reject code=CLIENT_NOT_FOUND count=1 match-card=' . ca_id(499));
	my $first = create_request($node, 'SEND_BARK_MESSAGE_TO_CLIENT', 498,
		provider => 'plain');

	is(wait_for_end($node, $first)->{life_cycle_state},
		'COMPLETED', "two answers, round $round: the first counts");
	wait_until('the second answer is there', sub { is_left_over($cas) });
	is( wait_for_end(
			$node,
			create_request(
				$node, 'SEND_BARK_MESSAGE_TO_CLIENT',
				499, provider => 'plain')
		)->{error_code},
		'CLIENT_NOT_FOUND',
		"two answers, round $round: the next request has its own");
	$cas->clear_faults;
}

# ------------------------------------------ a closed connection is noticed

# The CAS may close a connection whenever it is idle.  Nothing was sent then,
# and nothing is in doubt.
foreach my $round (1 .. 5)
{
	my $type = 'SEND_BARK_MESSAGE_TO_CLIENT';
	my $row;

	wait_for_end($node,
		create_request($node, $type, 490, provider => 'plain'));
	$cas->control('drop');
	$row = wait_for_end($node,
		create_request($node, $type, 491, provider => 'plain'));
	is($row->{hold_reason}, undef,
		"a closed connection is noticed, round $round");
	$node->safe_psql('postgres',
		"SELECT provreq.cancel($row->{number}, 'test')")
	  if $row->{hold_reason};
}

done_testing();
