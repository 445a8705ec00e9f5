# The closed part has a partition for each month: the supervisor makes them
# ahead once there is a request, what the default partition has caught moves
# into its own, and old ones go only when told so.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use IPC::Run;
use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;

my $node = provreq_node('main', conf => "provreq.partitions_ahead = 5\n");
my $cas = Provreq::Simulator->start;

# The dated partitions in order, as 2026_11 and so on.
sub months
{
	return $node->safe_psql('postgres', <<'EOQ');
SELECT string_agg(right(relname, 7), ' ' ORDER BY relname)
FROM pg_class JOIN pg_inherits ON inhrelid = oid
WHERE inhparent = 'provreq.request_closed'::regclass
AND relname ~ '^request_closed_[0-9]{4}_[0-9]{2}$'
EOQ
}

# This month and some more of them.
sub months_from
{
	my ($from, $to) = @_;

	return $node->safe_psql('postgres', <<"EOQ");
SELECT string_agg(to_char(date_trunc('month', now()) + i * interval '1 month',
	'YYYY_MM'), ' ' ORDER BY i) FROM generate_series($from, $to) AS i
EOQ
}

fill_directory($node, 50);
create_provider($node, 'main_conax', $cas);
is(months(), '', 'the install script makes no dated partition');

# ---- Ahead

add_subscriptions($node, 1, 50);
wait_until_idle($node);
wait_until('the supervisor has made partitions', sub { months() ne '' });
is(months(), months_from(0, 5), 'the first request makes them, months ahead');
wait_for($node,
	'SELECT count(*) = 0 FROM provreq.request_closed_default');
is( $node->safe_psql('postgres',
		'SELECT count(*), count(DISTINCT tableoid) FROM provreq.request_closed'),
	'50|1',
	'and what the default partition has caught is in its month');

# While that happens nobody misses a row.
$node->safe_psql('postgres', 'CREATE DATABASE again');
$node->safe_psql('again', 'CREATE EXTENSION provreq');
fill_directory($node, 50, dbname => 'again');
create_provider($node, 'main_conax', $cas, dbname => 'again');
$node->safe_psql('again', <<'EOQ');
INSERT INTO provreq.request (provider, type, life_cycle_state, ordering_keys,
	closed_date, created_xid)
SELECT 'main_conax', 'ADD_SUBSCRIPTIONS', 'COMPLETED', ARRAY['x'], now(), NULL
FROM generate_series(1, 2000);
EOQ
my $watcher = $node->background_psql('again');
my ($seen, $wrong) = (0, 0);

add_subscriptions($node, 1, 50, dbname => 'again');
wait_until(
	'the partitions are there',
	sub {
		$seen++;
		$wrong++
		  if $watcher->query_safe('SELECT count(*) FROM provreq.request') != 2050;
		$watcher->query_safe(
			"SELECT to_regclass('provreq.request_closed_' ||"
			  . " to_char(now(), 'YYYY_MM')) IS NOT NULL") eq 't';
	});
$watcher->quit;
is($wrong, 0, 'no reader misses a row that moves');

# Several who make them at once do not get into each other's way.
my @makers;

$node->safe_psql('again', <<'EOQ');
INSERT INTO provreq.request (provider, type, life_cycle_state, ordering_keys,
	closed_date, created_xid)
SELECT 'main_conax', 'ADD_SUBSCRIPTIONS', 'COMPLETED', ARRAY['x'],
	now() - i * interval '1 month', NULL
FROM generate_series(1, 12) AS i;
EOQ
push @makers,
  IPC::Run::start(
	[
		'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d',
		$node->connstr('again'), '-c', 'SELECT provreq.make_partitions()'
	],
	'<', '/dev/null', '>', '/dev/null', '2>', \my $complaint)
  foreach 1 .. 4;
my $failed = grep { !$_->finish } @makers;
is($failed, 0, 'several at once do not get into each other\'s way');

# ---- Late

$node->safe_psql('postgres', <<'EOQ');
INSERT INTO provreq.request (provider, type, life_cycle_state, ordering_keys,
	closed_date, created_xid)
SELECT 'main_conax', 'ADD_SUBSCRIPTIONS', 'COMPLETED', ARRAY['x'],
	date_trunc('month', now(), 'UTC') - i * interval '1 month' + step, NULL
FROM generate_series(1, 40) AS i,
	(VALUES (interval '0'), (interval '27 days 23:59:59.999999')) AS s (step);
EOQ
is($node->safe_psql('postgres', 'SELECT provreq.make_partitions()'),
	't', 'make_partitions() says that there are requests');
is(months(), months_from(-40, 5), 'rows of the past get their months');
is( $node->safe_psql('postgres', <<'EOQ'),
SELECT count(*) FROM provreq.request_closed
WHERE right(tableoid::regclass::text, 7) <> to_char(closed_date, 'YYYY_MM')
EOQ
	0,
	'every row lies in its month');
is( $node->safe_psql('postgres', <<'EOQ'),
SELECT count(*) FROM pg_class AS c JOIN pg_inherits ON inhrelid = c.oid
WHERE inhparent = 'provreq.request_closed'::regclass
AND (relacl::text NOT LIKE '%provreq_reader=r/%' OR 2 > (
	SELECT count(*) FROM pg_trigger WHERE tgrelid = c.oid
	AND tgname IN ('refuse_change', 'refuse_truncate')))
EOQ
	0,
	'every partition has its rights and its guards');

$node->safe_psql('postgres',
	"SET timezone = 'Pacific/Kiritimati'; SELECT provreq.make_partitions()");
is(months(), months_from(-40, 5),
	'the session\'s time zone does not shift the months');

# ---- Dropping

sqlstate_is($node, "SELECT provreq.drop_partitions('23 months')",
	'22023', 'less than 24 months are refused');
sqlstate_is($node, 'SELECT provreq.drop_partitions(NULL)',
	'22004', 'and so is null');
is(months(), months_from(-40, 5), 'nothing was dropped');
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM provreq.drop_partitions('36 months')"),
	4,
	'what is older than 36 months goes');
is(months(), months_from(-36, 5), 'and nothing younger');
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM provreq.drop_partitions('1 month', force => true)"
	),
	35,
	'less than 24 months when it is forced');
is(months(), months_from(-1, 5), 'this month and the last are left');

# ---- A lost partition does not keep the sender from closing

$node->safe_psql('postgres', 'DROP TABLE provreq.request_closed_'
	  . months_from(0, 0));
add_subscriptions($node, 1, 10, service => 'P2');
wait_until_idle($node);
is( $node->safe_psql('postgres',
		'SELECT count(*) FROM provreq.request_closed_default'),
	10,
	'without a partition of the month the default partition takes them');

# ---- A new setting is followed when partitions are looked after again

$node->append_conf('postgresql.conf', 'provreq.partitions_ahead = 7');
$node->reload;
my $supervisor = $node->safe_psql('postgres',
	"SELECT pid FROM pg_stat_activity WHERE datname = 'postgres'"
	  . " AND backend_type = 'provreq supervisor'");
$node->safe_psql('postgres', "SELECT pg_terminate_backend($supervisor)");
my $expected = months_from(-1, 7);
wait_until('the supervisor has looked after them',
	sub { months() eq $expected });
is( $node->safe_psql('postgres',
		'SELECT count(*) FROM provreq.request_closed_default'),
	0,
	'the next supervisor makes what is missing');

$node->stop;
unlike(log_of($node), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
