# NDS: each operation carried out and refused, one message at a time, digests,
# answers that must not be trusted, time limits, several connections, TLS, and
# PINs.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use List::Util qw(uniq);
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use ProvreqLinks;
use Test::More;

my $pin = '82649173';			# as long as can be: it must not be found by chance
my $key = 'a key that nobody may read';
my $node = provreq_node('main',
	conf => "log_statement = none\nlog_min_messages = debug1\n");
my $provider;					# the one that is being tested
my $cas;						# and what it sends to
my $card = 0;					# the last one that was used
my $era = 0;					# of the server, from start to start

fill_directory($node, 500);

sub sql { return ask($node, $_[0], session => "era $era") }

sub end_of { return wait_for_end($node, $_[0], session => "era $era") }

sub state_of
{
	return sql("SELECT life_cycle_state FROM provreq.request WHERE number = $_[0]");
}

# A CAS and the only effective provider, which sends to it.
sub begin
{
	my ($name, %option) = @_;
	my %system = %{ delete $option{system} || {} };

	$provider = $name;
	$cas = Provreq::Simulator->start(kind => 'nds', key => $key, %system);
	create_provider($node, $name, $cas,
		retry_delay => '20ms', retry_delay_max => '100ms', %option);
	return;
}

# Ledger, cards and table say the same, and the CAS saw no fault of form.
sub finish
{
	ledger_agrees($node, $cas, "$provider: ledger and table agree",
		provider => $provider);
	cards_agree($node, $cas, "$provider: and the cards hold what they should",
		provider => $provider);
	is($cas->status->{errors}, 0, "$provider: no error of protocol");
	sql("ALTER SERVER $provider OPTIONS (ADD state 'not_effective')");
	wait_until('its sender has ended', sub { !sender_pid($node, $provider) });
	$cas->stop;
	return;
}

# A new request for a new card; its number.
sub create
{
	my ($type, %more) = @_;

	return sql(
		'SELECT number FROM ' . link_call('nds', $type, ++$card, %more));
}

# As many, in one transaction.
sub create_many
{
	my ($type, $n) = @_;
	my $first = $card + 1;

	$card += $n;
	return sql('SELECT count(number) FROM'
		  . " generate_series($first, $card) AS i, LATERAL "
		  . link_call('nds', $type, 'i'));
}

sub this_card { return $cas->card_on_wire(100000000000 + $card) }

# The fault for the next request's card.
sub fault_next
{
	my ($fault) = @_;
	my $next = $cas->card_on_wire(100000000001 + $card);

	$cas->fault("kind=$fault match-card=$next");
	return;
}

sub done
{
	my ($number, $name) = @_;
	my $row = end_of($number);

	is("$row->{life_cycle_state} " . ($row->{error_code} // '-'),
		'COMPLETED -', $name)
	  or diag($row->{error_description} // $row->{hold_reason});
	return $row;
}

sub of_card
{
	my ($wire) = @_;

	my @messages = grep { $_->{cards} eq $wire } $cas->ledger;

	return @messages;
}

# --------------------------------------------------------- each operation

foreach my $digest (qw(hmac-sha256 hmac-md5 none))
{
	my $name = $digest =~ tr/-/_/r;
	my ($row, $reference);

	begin("digest_$name", system => { digest => $digest });
	$row = done(create('SET_USER_PARAMETERS'), "$digest: a PIN is set");
	like($cas->card(this_card())->{pin}, qr/^[0-9a-f]{16}$/,
		"$digest: its effect");
	like($row->{reference_number}, qr/^[0-9A-Za-z]{1,16}$/,
		"$digest: the reference number");
	$reference = $row->{reference_number};
	$row = done(
		sql(
			"SELECT number FROM provreq.nds_set_user_parameters('number=S$card',"
			  . ' reset_pin => true)'),
		"$digest: and set to its default");
	is($cas->card(this_card())->{pin}, 'default', "$digest: its effect");
	isnt($row->{reference_number}, $reference, "$digest: another reference");
	$row = done(create('REAUTHORISE_ALL_SERVICES'), "$digest: reauthorised");
	is($cas->card(this_card())->{reauthorised}, 1, "$digest: its effect");
	is($row->{attempts}, 1, "$digest: in one attempt");
	like(
		$row->{request},
		qr/^0001[0-9A-F]{4}0A0100C5[0-9A-F]{8}\d{14}RRA@{[ this_card() ]}/,
		"$digest: the request as it went out");
	like($row->{response}, qr/^0001[0-9A-F]{4}00C50A01[0-9A-F]{8}\d{14}ROK/i,
		"$digest: the answer as it came");
	is( uc substr($row->{response}, 16, 8),
		substr($row->{request}, 16, 8),
		"$digest: with the same sequence");
	is(length $row->{request}, $digest eq 'none' ? 53 : 85,
		"$digest: the length");
	foreach my $type (link_types('nds'))
	{
		fault_next('reject code=E042');
		$row = end_of(create($type));
		is("$row->{life_cycle_state} $row->{error_code} $row->{provider_error_code}",
			'REJECTED E042 E042', "$digest: $type is refused");
		is($row->{error_description}, $row->{provider_error_description},
			"$digest: $type: with the words of the CAS");
		ok($row->{error_description}, "$digest: $type: of which there are some");
	}
	$cas->clear_faults;
	finish();
}

# the urgency of a request is in its message
begin('urgency');
{
	my $regular = done(create('REAUTHORISE_ALL_SERVICES'), 'regular');
	my $express = done(
		create('REAUTHORISE_ALL_SERVICES', priority => "'EXPRESS'"), 'express');
	my $immediate = done(
		create('REAUTHORISE_ALL_SERVICES', process_immediately => 'true'),
		'immediate');

	is( join('', map { substr $_->{request}, 38, 1 } $regular, $express, $immediate),
		'REI', 'the urgency is in the message');
}

# a card that the CAS does not know, and a subscription with two cards
sql(q{INSERT INTO provreq.installed_item (serial_number, subscription_id,}
	  . q{ classification, ca_id) SELECT 'second', id, 'SMARTCARD', '888'}
	  . q{ FROM provreq.subscription WHERE number = 'S499'});
is( sql(
		q{SELECT count(*) FROM provreq.nds_reauthorise_all_services('number=S499')}
	), 2, 'a subscription with two cards: two requests');
wait_until_idle($node);
is(join(',', map { $_->{operation} } of_card('000000000888'), of_card('100000000499')),
	'Reauthorise,Reauthorise', 'both of which are sent');
finish();

# ----------------------------------------------- one message at a time

# Was there at most one message without an answer on each connection, and how
# many on all of them?
sub check_one_at_a_time
{
	my ($name) = @_;
	my (%free, @open, @bad);
	my $most = 0;

	foreach my $message ($cas->ledger)
	{
		next unless defined $message->{answered};
		push @bad, $message->{sequence}
		  if $message->{received} < ($free{ $message->{connection} } // 0);
		$free{ $message->{connection} } = $message->{answered};
		@open = grep { $_ > $message->{received} } @open;
		push @open, $message->{answered};
		$most = @open if @open > $most;
	}
	is("@bad", '', "$name: one message at a time on each connection");
	return $most;
}

# Are the sequences of each connection consecutive?
sub check_sequences
{
	my ($name) = @_;
	my (%last, %seen, @bad);

	foreach my $message ($cas->ledger)
	{
		my $sequence = hex $message->{sequence};
		my $last = $last{ $message->{connection} };

		push @bad, $message->{sequence}
		  if defined $last && $sequence != $last + 1;
		$last{ $message->{connection} } = $sequence;
	}
	is("@bad", '', "$name: sequences grow by one on each connection");
	return;
}

begin('single');
$cas->fault('kind=delay delay=10ms');
create_many('REAUTHORISE_ALL_SERVICES', 30);
wait_until_idle($node);
is(check_one_at_a_time('one connection'), 1, 'one connection: one at a time');
check_sequences('one connection');
$cas->control('drop all');
create_many('REAUTHORISE_ALL_SERVICES', 3);
wait_until_idle($node);
check_sequences('after another connection');
finish();

begin('several', connections => 4);
$cas->fault('kind=delay delay=30ms');
create_many('REAUTHORISE_ALL_SERVICES', 40);
wait_until_idle($node);
is(check_one_at_a_time('four connections'), 4, 'four connections: four at a time');
check_sequences('four connections');

# the sender ends, the server crashes, both with messages under way
$cas->clear_faults;
$cas->fault('kind=delay delay=1s');
foreach my $how (qw(terminate immediate fast))
{
	create_many('SET_USER_PARAMETERS', 8);
	wait_for($node, 'SELECT count(*) > 0 FROM provreq.attempt');
	if ($how eq 'terminate')
	{
		my $pid = sender_pid($node, 'several');

		sql("SELECT pg_terminate_backend($pid)");
		wait_until('there is another sender',
			sub { sender_pid($node, 'several') !~ /^(?:$pid)?$/ });
	}
	else
	{
		$node->stop($how);
		$node->start;
		$era++;
	}
	wait_until_idle($node);
	check_sequences($how);
}
is( sql(<<"EOQ"), 0, 'all of them are COMPLETED');
SELECT count(*) FROM provreq.request
WHERE provider = 'several' AND life_cycle_state <> 'COMPLETED'
EOQ
finish();

# ----------------------------------------------------------------- answers

begin('answers', timeout => '30s');
foreach my $fault ('delay delay=100ms', 'byte-by-byte delay=200us')
{
	$cas->fault("kind=$fault");
	is(done(create('REAUTHORISE_ALL_SERVICES'), "$fault: carried out")->{attempts},
		1, "$fault: in the first attempt");
	$cas->clear_faults;
}
is(check_one_at_a_time('answers'), 1, 'nothing was sent before the answer');
finish();

# The table of spoiled answers.  What cannot be trusted is no answer, and ends
# the connection: a type that may be repeated is, another is held.
begin('spoiled', timeout => '1s');
sql(q{UPDATE provreq.wire_profile SET document = jsonb_set(document,}
	  . q{ '{operations,SET_USER_PARAMETERS,idempotent}', 'false')}
	  . q{ WHERE name = 'nds_ascii'});
foreach my $fault (
	qw(no-answer carry-out-no-answer hang-after-body close-after-body
	carry-out-close half-answer other-answer garbage nonsense oversized
	wrong-length wrong-digest wrong-sequence unsolicited))
{
	my ($row, @messages);

	fault_next("$fault count=1");
	$row = done(create('REAUTHORISE_ALL_SERVICES'),
		"$fault: carried out in the end");
	is("$row->{attempts} " . attempt_codes($row),
		'2 UNKNOWN NO_ANSWER', "$fault: in the second attempt");
	@messages = of_card(this_card());
	is(scalar @messages, 2, "$fault: after it was sent twice");
	is(scalar(uniq(map { $_->{connection} } @messages)),
		2, "$fault: over two connections");
	fault_next("$fault count=1");
	$row = end_of(create('SET_USER_PARAMETERS'));
	is($row->{life_cycle_state}, 'PENDING',
		"$fault: what may not be repeated waits");
	like($row->{hold_reason} // '', qr/^in doubt/, "$fault: for somebody to decide");
	is(scalar of_card(this_card()), 1, "$fault: and was sent once");
	sql("SELECT provreq.cancel($row->{number}, 'test')")
	  if $row->{life_cycle_state} eq 'PENDING';
	$cas->clear_faults;
}

# a second answer to one message is no answer to the next
foreach my $round (1 .. 3)
{
	fault_next('two-answers count=1');
	done(create('REAUTHORISE_ALL_SERVICES'), "two answers, round $round: the first");
	fault_next('reject code=E042 count=1');
	is(end_of(create('REAUTHORISE_ALL_SERVICES'))->{error_code},
		'E042', "two answers, round $round: the next has its own");
	$cas->clear_faults;
}

finish();

# An answer that comes when its connection has gone, over the next one, where
# another message waits for a refusal: it must not be taken for that.
begin('late', timeout => '1s');
foreach my $round (1 .. 2)
{
	my ($first, $second, $row);

	fault_next('late-answer delay=1600ms count=1');
	$first = done(create('REAUTHORISE_ALL_SERVICES'),
		"late answer, round $round: sent again");
	is(attempt_codes($first), 'UNKNOWN NO_ANSWER',
		"late answer, round $round: as no answer came in time");
	fault_next('reject code=E042 delay=700ms');
	$second = create('REAUTHORISE_ALL_SERVICES');
	is(end_of($second)->{error_code} // '-',
		'E042', "late answer, round $round: it is not taken for another's");
	$cas->clear_faults;
}
finish();

# ----------------------------------------------------- how links are kept

begin('pings', heartbeat => '1s', timeout => '500ms', connect_timeout => '2s');
{
	my $count = sub { scalar grep { $_->{operation} eq 'Ping' } $cas->ledger };
	my ($before, $offset);

	done(create('REAUTHORISE_ALL_SERVICES'), 'before it gets quiet');
	$before = $count->();
	wait_until('three pings have gone out', sub { $count->() >= $before + 3 });
	is($cas->status->{errors}, 0, 'pings on an idle connection');
	$offset = -s $node->logfile;
	$cas->fault('kind=no-answer match-op=Ping count=1');
	wait_for_message($node, qr/a check had no answer within 500 ms/, $offset);
	done(create('REAUTHORISE_ALL_SERVICES'), 'after a ping without an answer');

	$offset = -s $node->logfile;
	$cas->fault('kind=refuse');
	my $number = create('REAUTHORISE_ALL_SERVICES');
	wait_for_message($node, qr/"pings" is out of reach/, $offset);
	$cas->clear_faults;
	is(done($number, 'it is sent when the CAS is back')->{attempts},
		1, 'without an attempt lost');
}
finish();

# a wrong key is the provider's fault
begin('wrong_key');
sql(q{ALTER USER MAPPING FOR provreq_worker SERVER wrong_key}
	  . q{ OPTIONS (SET key 'not the key at all')});
{
	my $number = create('REAUTHORISE_ALL_SERVICES');
	my $offset;

	wait_until('it was tried with the wrong key',
		sub { grep { $_->{outcome} =~ /E003/ } $cas->ledger });
	is(scalar grep({ $_->{carried_out} } $cas->ledger),
		0, 'nothing is carried out with a wrong key');
	sql("ALTER USER MAPPING FOR provreq_worker SERVER wrong_key"
		  . " OPTIONS (SET key '$key')");
	done($number, 'it is sent with the right key');

	# so says the CAS, too: no attempt is counted
	$cas->fault('kind=reject code=E003');
	$offset = -s $node->logfile;
	$number = create('REAUTHORISE_ALL_SERVICES');
	wait_for_message($node, qr/"wrong_key" is out of reach/, $offset);
	is(state_of($number), 'PENDING', 'a complaint of the digest: it waits');
	$cas->clear_faults;
	is(done($number, 'and is sent in the end')->{attempts}, 1,
		'without an attempt lost');
}
sql("ALTER SERVER wrong_key OPTIONS (ADD state 'not_effective')");
$cas->stop;

# --------------------------------------------------------------------- TLS

begin('tls', system => { tls => 1 });
done(create('SET_USER_PARAMETERS'), 'over TLS');
foreach my $fault (qw(tls-wrong-cert tls-fail))
{
	my $offset = -s $node->logfile;
	my $number;

	$cas->fault("kind=$fault");
	$cas->control('drop all');
	$number = create('REAUTHORISE_ALL_SERVICES');
	wait_for_message($node, qr/"tls" is out of reach/, $offset);
	is(scalar of_card(this_card()), 0, "$fault: nothing is sent");
	$cas->clear_faults;
	is(done($number, "$fault: and then it is sent")->{attempts},
		1, "$fault: without an attempt lost");
}
finish();

# ------------------------------------------------------------ PINs and keys

begin('secrets', timeout => '400ms');
sql(q{UPDATE provreq.wire_profile SET document = jsonb_set(document,}
	  . q{ '{pin_digits,max}', '8') WHERE name = 'nds_ascii'});
foreach my $fault ('', 'reject code=E042', 'garbage count=1',
	'half-answer count=1', 'wrong-digest count=1', 'no-answer count=1')
{
	fault_next($fault) if $fault;
	$card++;
	end_of(
		sql(
			"SELECT number FROM provreq.nds_set_user_parameters('number=S$card',"
			  . " new_pin => '$pin')"));
	$cas->clear_faults;
}
is((of_card(this_card()))[0]->{operation}, 'PinNew', 'PINs were sent');
is( sql(<<"EOQ"), 0, 'no PIN or key is in a row of the record');
SELECT count(*) FROM provreq.request AS r
WHERE r::text LIKE '%$pin%' OR r::text LIKE '%$key%'
EOQ
is( sql(<<"EOQ"), 0, 'nor in pg_stat_activity');
SELECT count(*) FROM pg_stat_activity
WHERE (query LIKE '%$pin%' OR query LIKE '%$key%') AND pid <> pg_backend_pid()
EOQ
unlike(log_of($node), qr/$pin|$key/, 'nor in the log of the server');

# the digest of a message with a PIN would give it away
is( sql(<<"EOQ"), 0, 'digests of such messages are masked');
SELECT count(*) FROM provreq.request
WHERE provider = 'secrets' AND request !~ 'N\\*{40}\$'
EOQ
finish();

done_testing();
