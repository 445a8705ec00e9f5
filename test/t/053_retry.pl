# Retries end: the back-off grows to its limit, attempts and time are used up
# as the provider's options say.  A provider that is out of reach costs no
# request an attempt; it is probed by one at a time, and then all go out.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use Test::More;

my $node = provreq_node('retry');

fill_directory($node, 100);

# Seconds between two instants as the table prints them.
sub seconds_between
{
	my ($from, $to) = @_;

	return ask($node,
		"SELECT extract(epoch FROM '$to'::timestamptz - '$from'::timestamptz)");
}

# A simulator and a provider for it alone.
sub provider
{
	my ($name, %option) = @_;
	my $cas = Provreq::Simulator->start;

	create_provider($node, $name, $cas, %option);
	return $cas;
}

# ---------------------------------------------------------------- back-off

my $cas = provider(
	'backoff',
	retry_limit => 20,
	retry_delay => '40ms',
	retry_delay_max => '320ms');

$cas->fault('kind=reject code=SYSTEM_ERROR count=13');
my $row = wait_for_end($node,
	create_request($node, 'ADD_SUBSCRIPTIONS', 1, provider => 'backoff'));
my @log = @{ $row->{attempt_log} };

is($row->{life_cycle_state}, 'COMPLETED',
	'thirteen attempts fail, the next is good');
is($row->{attempts}, 14, '... of fourteen');
is(attempt_codes($row), join(', ', ('RETRY SYSTEM_ERROR') x 13),
	'... each failure in the log');
is(join(' ', map { $_->{attempt} } @log), join(' ', 1 .. 13), '... numbered');
foreach my $attempt (1 .. 13)
{
	my $next = $attempt < 13 ? $log[$attempt]->{started} : $row->{executed_date};
	my $gap = seconds_between($log[ $attempt - 1 ]->{ended}, $next);
	my $delay = 0.04 * 2**($attempt - 1);

	$delay = 0.32 if $delay > 0.32;
	cmp_ok($gap, '>=', $delay / 2 - 0.001,
		"at least half of ${delay}s after attempt $attempt");

	# without the limit it would be 81 s and more after the last one
	cmp_ok($gap, '<=', $delay + 60, '... and not much more than that');
}
is(scalar($cas->messages($row->{number})), 14, 'as many messages');
$cas->stop;

# ------------------------------------------------------------- used up

# A request that meets one fault again and again is given up after so many
# attempts.
sub check_exhausted
{
	my ($name, $cas, $fault, $attempts, $like, %expected) = @_;
	$cas->fault($fault);
	my $row = wait_for_end($node,
		create_request($node, 'ADD_SUBSCRIPTIONS', 2, provider => $name));

	is($row->{life_cycle_state}, 'REJECTED', "$name: given up");
	is($row->{error_code}, 'RETRY_EXHAUSTED', "$name: because of that");
	like($row->{error_description}, $like, "$name: and says why");
	is($row->{$_}, $expected{$_}, "$name: $_") foreach sort keys %expected;
	if (defined $attempts)
	{
		is($row->{attempts}, $attempts, "$name: after $attempts attempts");
		is(scalar($cas->messages($row->{number})),
			$attempts, "$name: and messages");
	}
	$cas->clear_faults;
	is( wait_for_end(
			$node,
			create_request($node, 'ADD_SUBSCRIPTIONS', 2, provider => $name)
		)->{life_cycle_state},
		'COMPLETED',
		"$name: the next one of its card goes");
	return $row;
}

$cas = provider('few_attempts', retry_limit => 3, retry_delay => '20ms');
check_exhausted(
	'few_attempts', $cas, 'kind=reject code=SYSTEM_ERROR',
	3, qr/3 attempt/, provider_error_code => 'SYSTEM_ERROR');
$cas->stop;

# A Server fault is tried three times, whatever the limit.
$cas = provider('server_fault', retry_limit => 50, retry_delay => '20ms');
check_exhausted('server_fault', $cas, 'kind=soap-fault code=Server',
	3, qr/3 attempt/, provider_error_code => 'Server');
$cas->stop;

# In doubt all the time: it says that it may have been carried out.
$cas = provider('in_doubt', retry_limit => 4, retry_delay => '20ms');
check_exhausted('in_doubt', $cas, 'kind=carry-out-close',
	4, qr/may have been carried out/);
$cas->stop;

$cas = provider('short_window', retry_limit => 1000, retry_window => '1s');
$row = check_exhausted('short_window', $cas, 'kind=reject code=SYSTEM_ERROR',
	undef, qr/attempt/);
cmp_ok(seconds_between($row->{attempt_log}->[0]->{started}, $row->{closed_date}),
	'>=', 1, 'window: not before it has passed');
cmp_ok(seconds_between($row->{attempt_log}->[0]->{started}, $row->{closed_date}),
	'<=', 60, 'window: and soon after');
cmp_ok($row->{attempts}, '>=', 4, 'window: tried again and again until then');
$cas->stop;

# ------------------------------------------------------------ out of reach

# Sixty requests for a provider that cannot be reached.
sub create_sixty
{
	my ($provider) = @_;

	$node->safe_psql('postgres', <<"EOQ");
SELECT count(provreq.conax_send_mail_message('serial_number=card' || i, 'hello',
	provider => '$provider'))
FROM generate_series(1, 60) AS i
EOQ
	return;
}

# None of them has an attempt, all are pending, at most one is under way.
sub check_untouched
{
	my ($name) = @_;

	is( $node->safe_psql('postgres', <<"EOQ"), '60|0|0', "$name: no attempt is counted");
SELECT count(*), sum(attempts), count(attempt_log) + count(hold_reason)
FROM provreq.request_pending WHERE provider = '$name'
EOQ
	cmp_ok(
		$node->safe_psql('postgres',
			"SELECT count(*) FROM provreq.attempt WHERE provider = '$name'"),
		'<=', 1, "$name: one probe at most");
	return;
}

sub check_recovered
{
	my ($name, $cas) = @_;

	wait_until_idle($node);
	wait_for_message($node, qr/provider "$name" answers again/);
	is( $node->safe_psql('postgres', <<"EOQ"), '60|60', "$name: then all are COMPLETED in one attempt");
SELECT count(*) FILTER (WHERE life_cycle_state = 'COMPLETED'), sum(attempts)
FROM provreq.request WHERE provider = '$name'
EOQ
	is((grep { $_->{carried_out} } $cas->ledger), 60, "$name: each was carried out once");
	return;
}

$cas = provider('refused', retry_delay => '20ms', retry_delay_max => '60ms');
$cas->fault('kind=refuse');
create_sixty('refused');
wait_for_message($node, qr/provider "refused" is out of reach/);
wait_for($node, <<'EOQ');
SELECT count(*) = 1 FROM pg_stat_activity
WHERE application_name = 'provreq sender refused'
AND query LIKE '%out of reach; 60 waiting%'
EOQ
check_untouched('refused');
$cas->clear_faults;
check_recovered('refused', $cas);
$cas->stop;

# Credentials that do not fit: what the probes look like is in the ledger.
foreach my $status (401, 403)
{
	my $name = "status_$status";

	$cas = provider(
		$name,
		connections => 8,
		retry_delay => '20ms',
		retry_delay_max => '160ms');
	$cas->fault("kind=http-status status=$status delay=10ms");
	create_sixty($name);
	wait_for_message($node, qr/provider "$name" is out of reach: .*$status/);
	my $opened = () = $cas->ledger;

	# what was under way together may end after the breaker opened
	wait_until('there were ten probes',
		sub { (() = $cas->ledger) >= $opened + 8 + 10 });
	check_untouched($name);
	my @probes = ($cas->ledger)[ $opened + 8 .. $opened + 8 + 9 ];
	my @together = grep {
		$probes[$_]->{received} < $probes[ $_ - 1 ]->{answered}
	} 1 .. $#probes;
	my @early = grep {
		$probes[$_]->{received} - $probes[ $_ - 1 ]->{answered} < 20_000
	} 1 .. $#probes;

	is(scalar(@together), 0, "$name: probes go out one at a time");
	is(scalar(@early), 0, "$name: with a pause between them");
	$cas->clear_faults;
	check_recovered($name, $cas);
	$cas->stop;
}

# A breaker that was open does not stay half open: all connections are used.
$cas = provider('again', connections => 8, retry_delay => '20ms',
	retry_delay_max => '60ms');
$cas->fault('kind=refuse');
create_sixty('again');
wait_for_message($node, qr/provider "again" is out of reach/);
$cas->clear_faults;
check_recovered('again', $cas);
$cas->fault('kind=delay delay=100ms');
$node->safe_psql('postgres', <<'EOQ');
SELECT count(provreq.conax_add_subscriptions('number=S' || i, 'code=P1',
	'serial_number=card' || i, provider => 'again'))
FROM generate_series(1, 16) AS i
EOQ
wait_until_idle($node);
my %connections = map { $_->{connection} => 1 }
  grep { $_->{operation} eq 'AddSubscriptions' } $cas->ledger;

is(scalar(keys %connections), 8, 'afterwards all connections are used');

done_testing();
