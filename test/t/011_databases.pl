# Each database is on its own: DROP EXTENSION leaves cleanly and does not touch
# another one, and a database made from a template that has the extension
# sends nothing of what it copied.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;

my $node = provreq_node('main');
my $cas = Provreq::Simulator->start;
my $other = Provreq::Simulator->start;

sub workers
{
	my ($dbname) = @_;

	return $node->safe_psql('template1',
		"SELECT count(*) FROM pg_stat_activity"
		  . " WHERE datname = '$dbname' AND backend_type LIKE 'provreq %'");
}

# ---- Two databases at once, with providers of the same name

$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('second', 'CREATE EXTENSION provreq');
fill_directory($node, 50);
fill_directory($node, 50, dbname => 'second');
create_provider($node, 'main_conax', $cas);
create_provider($node, 'main_conax', $other, dbname => 'second');
add_subscriptions($node, 1, 50);
add_subscriptions($node, 1, 30, dbname => 'second');
wait_until_idle($node);
wait_until_idle($node, 'second');
is(scalar($cas->ledger), 50, 'one database sends to its provider');
is(scalar($other->ledger), 30, 'the other one to its own');
ledger_agrees($node, $cas, 'nothing of the one is lost or doubled');
ledger_agrees($node, $other, 'nor of the other', dbname => 'second');

# ---- DROP EXTENSION under load

my $offset = -s $node->logfile;
$cas->fault('kind=delay delay=5ms');
add_subscriptions($node, $_, $_ + 9, service => 'P2') foreach (1, 11, 21, 31);
$node->safe_psql('postgres', 'DROP EXTENSION provreq CASCADE');
wait_until('the workers of the database are gone',
	sub { workers('postgres') == 0 });
unlike(log_of($node, $offset), qr/ERROR|FATAL|PANIC|TRAP/,
	'DROP EXTENSION leaves nothing in the log');
cmp_ok(workers('second'), '>=', 2, 'the other database keeps its workers');
add_subscriptions($node, 31, 50, dbname => 'second');
wait_until_idle($node, 'second');
is(scalar($other->ledger), 50, 'and goes on sending');

$node->safe_psql('postgres', 'CREATE EXTENSION provreq');
$cas->restart;
fill_directory($node, 50);
create_provider($node, 'main_conax', $cas);
add_subscriptions($node, 1, 5, service => 'P3');
wait_until_idle($node);
is( $node->safe_psql('postgres',
		'SELECT count(*) FROM provreq.request_closed'
		  . " WHERE life_cycle_state = 'COMPLETED'"),
	5,
	'CREATE EXTENSION again works, without a restart');

# ---- A copy of a database, with a request that it must not send

$node->safe_psql('postgres',
	"ALTER SERVER main_conax OPTIONS (ADD state 'not_effective')");
wait_until('the sender is gone',
	sub { sender_pid($node, 'main_conax') eq '' });
$node->safe_psql('postgres', <<'EOQ');
INSERT INTO provreq.request (provider, type, ordering_keys, parameters)
SELECT provider, type, ordering_keys, parameters FROM provreq.request
ORDER BY number LIMIT 1;
EOQ
$offset = -s $node->logfile;

# The supervisor holds the database for a moment when it is woken.
wait_until(
	'nobody uses the template',
	sub {
		$node->psql('template1',
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
			  . " WHERE datname = 'postgres'");
		$node->psql('template1', 'CREATE DATABASE copy TEMPLATE postgres') == 0;
	});
my $received = scalar($cas->ledger);
wait_for_message($node,
	qr/database "copy" was restored or copied from another one, nothing is sent from it/,
	$offset);
is($node->safe_psql('copy', 'SELECT provreq.is_home()'),
	'f', 'a copy of a database knows that it is one');
$node->safe_psql('copy',
	"ALTER SERVER main_conax OPTIONS (SET state 'effective')");
$node->safe_psql('postgres',
	"ALTER SERVER main_conax OPTIONS (SET state 'effective')");
wait_until_idle($node);
is(scalar($cas->ledger), $received + 1, 'the original has sent its request');
is(sender_pid($node, 'main_conax', 'copy'), '', 'the copy has no sender');
is($node->safe_psql('copy', 'SELECT count(*) FROM provreq.request_pending'),
	1, 'and its request waits');
$node->safe_psql('copy', 'SELECT provreq.adopt()');
is($node->safe_psql('copy', 'SELECT provreq.is_home()'),
	't', 'adopted, it is at home');
wait_until_idle($node, 'copy');
is(scalar($cas->ledger), $received + 2, 'and sends');

# ---- DROP DATABASE

# Workers do not keep it from being dropped by force, nor does a system that
# never answers: the server waits for them for five seconds.
$cas->fault('kind=hang-after-body');
add_subscriptions($node, 1, 1, dbname => 'copy', service => 'P5');
wait_for($node, 'SELECT count(*) = 1 FROM provreq.attempt', 't', 'copy');
$node->safe_psql('postgres', 'DROP DATABASE copy WITH (FORCE)');
$cas->clear_faults;
wait_until('its workers are gone', sub { workers('copy') == 0 });
is(workers('second') >= 2, 1, 'DROP DATABASE leaves the others alone');
add_subscriptions($node, 1, 5, service => 'P4');
wait_until_idle($node);
$node->stop;
unlike(log_of($node), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');

done_testing();
