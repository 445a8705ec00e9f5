# A sender follows its provider: it starts with CREATE SERVER, takes changes
# up without a restart, leaves with DROP SERVER and state not_effective, and
# comes back with its parents whatever is terminated.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;
use Time::HiRes qw(time);

my $node = provreq_node('main');
my $cas = Provreq::Simulator->start(user => 'crm', password => 'right');
my $other = Provreq::Simulator->start;

fill_directory($node, 20);

# The pid in pg_stat_activity of whom backend_type and application_name name.
sub pid_of
{
	my ($type, $name) = @_;
	my $and = $name ? "AND application_name = '$name'" : '';

	return $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = '$type' $and");
}

sub closed
{
	my ($where) = @_;

	wait_for($node,
		"SELECT count(*) = 1 FROM provreq.request_closed WHERE $where");
	return;
}

# What a connection takes on this machine just now: how much later than it
# should a process may be.
sub slack
{
	my $began = time();

	$node->safe_psql('postgres', 'SELECT 1');
	return 10 * (time() - $began);
}

# ---- Start, by the server's clock

create_provider($node, 'main_conax', $cas, wait => 0);
my $created = $node->safe_psql('postgres',
	"SELECT extract(epoch FROM clock_timestamp())");
my $pid = wait_for_sender($node, 'main_conax');

cmp_ok(
	$node->safe_psql('postgres',
		"SELECT extract(epoch FROM backend_start) - $created"
		  . " FROM pg_stat_activity WHERE pid = $pid"),
	'<', 2 + slack(), 'a sender starts within 2 s of CREATE SERVER');
wait_for($node,
	"SELECT state = 'idle' AND query = 'waiting for requests'"
	  . " FROM pg_stat_activity WHERE pid = $pid");
pass('pg_stat_activity says that it waits');
like(
	$node->safe_psql('postgres',
		"SELECT query FROM pg_stat_activity"
		  . " WHERE backend_type = 'provreq supervisor'"
		  . " AND application_name = 'provreq supervisor'"
		  . " AND datname = 'postgres'"),
	qr/senders/, 'and what the supervisor does');
isnt(pid_of('provreq launcher'), '', 'the launcher is there');

# ---- Following changes

add_subscriptions($node, 1, 1);
wait_until_idle($node);
is( $node->safe_psql('postgres',
		'SELECT DISTINCT life_cycle_state FROM provreq.request'),
	'COMPLETED', 'a request goes to the server as created');

$node->safe_psql('postgres',
	"ALTER SERVER main_conax OPTIONS (SET url '" . $other->url . "')");
add_subscriptions($node, 2, 2);
wait_until_idle($node);
is(scalar($other->ledger), 1, 'ALTER SERVER is followed');

my $offset = -s $node->logfile;
$node->safe_psql('postgres',
	"ALTER SERVER main_conax OPTIONS (SET url '" . $cas->url . "');"
	  . "ALTER USER MAPPING FOR provreq_worker SERVER main_conax"
	  . " OPTIONS (SET password 'wrong')");
add_subscriptions($node, 3, 3);
wait_for_message($node, qr/provider "main_conax" is out of reach/, $offset);
wait_for($node,
	"SELECT query LIKE 'provider out of reach; 1 waiting'"
	  . " FROM pg_stat_activity WHERE pid = $pid");
pass('a wrong password makes requests wait, and pg_stat_activity says so');
$node->safe_psql('postgres',
	"ALTER USER MAPPING FOR provreq_worker SERVER main_conax"
	  . " OPTIONS (SET password 'right')");
wait_until_idle($node);
pass('ALTER USER MAPPING is followed');

$node->safe_psql('postgres', <<'EOQ');
UPDATE provreq.wire_profile SET document =
	jsonb_set(document, '{status,OK}', '"refused"') WHERE name = 'conax_ws';
EOQ
add_subscriptions($node, 4, 4);
wait_until_idle($node);
is( $node->safe_psql('postgres',
		'SELECT life_cycle_state FROM provreq.request ORDER BY number DESC LIMIT 1'
	),
	'REJECTED',
	'UPDATE of the wire profile is followed');
$node->safe_psql('postgres', <<'EOQ');
UPDATE provreq.wire_profile SET document =
	jsonb_set(document, '{status,OK}', '"done"') WHERE name = 'conax_ws';
EOQ
# with two messages under way that get no answer, and others behind them
$node->safe_psql('postgres',
	"ALTER SERVER main_conax OPTIONS (ADD connections '2', ADD timeout '10min')");
$cas->fault('kind=hang-after-body');
my $first = 1 + $node->safe_psql('postgres',
	'SELECT max(number) FROM provreq.request');
add_subscriptions($node, 5, 20);
wait_for($node, 'SELECT count(*) = 16 FROM provreq.attempt');
wait_until('two are under way', sub { $cas->status->{received} >= 2 });
$node->safe_psql('postgres',
	"ALTER SERVER main_conax OPTIONS (SET url '" . $other->url . "')");
wait_for($node, 'SELECT count(*) = 2 FROM provreq.attempt');
pass('what has not gone out is taken back at once');
$cas->restart;
wait_until_idle($node);
is( $node->safe_psql('postgres', <<"EOQ"), 'COMPLETED|1|14 COMPLETED|2|2', '... and goes to the new place');
SELECT string_agg(concat_ws('|', life_cycle_state, attempts, count), ' ')
FROM (SELECT life_cycle_state, attempts, count(*) FROM provreq.request
	WHERE number >= $first GROUP BY 1, 2 ORDER BY 1, 2) AS ends
EOQ
$node->safe_psql('postgres', "ALTER SERVER main_conax OPTIONS (SET url '"
	  . $cas->url . "', DROP connections, DROP timeout)");
is(sender_pid($node, 'main_conax'), $pid, 'all by the same process');

# ---- Wrong settings

$offset = -s $node->logfile;
$node->safe_psql('postgres',
	"ALTER SERVER main_conax OPTIONS (ADD profile 'no_such_profile')");
wait_for_message($node,
	qr/profile "no_such_profile"(?s:.*?)loading the settings of provider "main_conax"/,
	$offset);
pass('the log says which setting is wrong, and whose');

# Accepted or refused: the function may look at the profile as well.
$node->safe_psql('postgres', <<'EOQ');
INSERT INTO provreq.request (provider, type, ordering_keys, parameters)
SELECT provider, type, ordering_keys, parameters FROM provreq.request
WHERE number = 1;
EOQ
wait_for($node,
	"SELECT query LIKE 'settings are wrong, see the log; 1 waiting'"
	  . " FROM pg_stat_activity WHERE pid = $pid");
is( $node->safe_psql('postgres',
		'SELECT count(*), max(attempts) FROM provreq.request_pending'),
	'1|0',
	'a request waits while the settings are wrong');
$node->safe_psql('postgres',
	'ALTER SERVER main_conax OPTIONS (DROP profile)');
wait_until_idle($node);
is(sender_pid($node, 'main_conax'),
	$pid, 'it goes when they are right, by the same process');

# ---- Renaming, not effective, DROP

sqlstate_is($node, 'ALTER SERVER main_conax RENAME TO other',
	'0A000', 'a provider cannot be renamed');

$node->safe_psql('postgres',
	"ALTER SERVER main_conax OPTIONS (ADD state 'not_effective')");
wait_for($node, "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)");
pass('state not_effective ends the sender');
$node->safe_psql('postgres', <<'EOQ');
INSERT INTO provreq.request (provider, type, ordering_keys, parameters)
SELECT provider, type, ordering_keys, parameters FROM provreq.request
WHERE number = 1;
EOQ
$node->safe_psql('postgres',
	"ALTER SERVER main_conax OPTIONS (SET state 'effective')");
$pid = wait_for_sender($node, 'main_conax');
wait_until_idle($node);
pass('state effective brings it back, and it sends what came meanwhile');

# ---- Terminated

sub comes_back
{
	my ($what, $of) = @_;
	my $old = $of->();
	my $ended = $node->safe_psql('postgres',
		"SELECT extract(epoch FROM clock_timestamp())"
		  . " FROM (SELECT pg_terminate_backend($old)) AS t");
	my $new;

	wait_until("another $what is there",
		sub { $new = $of->(); $new ne '' && $new ne $old });
	cmp_ok(
		$node->safe_psql('postgres',
			"SELECT extract(epoch FROM backend_start) - $ended"
			  . " FROM pg_stat_activity WHERE pid = $new"),
		'<', 2 + slack(), "a terminated $what comes back within 2 s");
	return;
}

comes_back('sender', sub { sender_pid($node, 'main_conax') });
comes_back(
	'supervisor',
	sub {
		$node->safe_psql('postgres',
			"SELECT pid FROM pg_stat_activity WHERE datname = 'postgres'"
			  . " AND backend_type = 'provreq supervisor'");
	});
comes_back('launcher', sub { pid_of('provreq launcher') });
create_provider($node, 'second', $other);
pass('and they do their work: a second provider gets its sender');
$node->safe_psql('postgres', 'CREATE DATABASE again');
$node->safe_psql('again', 'CREATE EXTENSION provreq');
create_provider($node, 'elsewhere', $other, dbname => 'again');
pass('a second database gets its supervisor');

$pid = sender_pid($node, 'main_conax');
$node->safe_psql('postgres', 'DROP SERVER main_conax CASCADE');
wait_for($node, "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)");
isnt(sender_pid($node, 'second'), '', 'DROP SERVER ends its sender only');

$node->stop;
unlike(log_of($node), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
