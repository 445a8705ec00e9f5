# When the server has no room for a process, the log says how much is needed,
# and that much is enough; a server that did not load provreq says so.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;

my $cas = Provreq::Simulator->start;

# ---- max_worker_processes

my $node = provreq_node('main', conf => <<'EOC');
max_worker_processes = 3
max_logical_replication_workers = 0
max_parallel_workers = 0
EOC

fill_directory($node, 10);

# launcher, supervisor and one sender fit, if nothing else takes a slot
create_provider($node, "cas$_", $cas, wait => 0) foreach 1 .. 3;

sub senders
{
	return $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_stat_activity"
		  . " WHERE backend_type = 'provreq sender'");
}

wait_for_message($node,
	qr/no background worker slot left for \d+ provreq process/);
wait_until('the log says what is needed',
	sub { log_of($node) =~ /Set max_worker_processes to at least (\d+)\./ });

my ($needed) =
  (log_of($node) =~ /Set max_worker_processes to at least (\d+)\./g)[-1];
cmp_ok($needed, '>', 3, 'the log names the number');

# Messages come at most once a minute, so the number may be that of the first
# provider; each start with it gets further, and the last one is enough.
foreach my $turn (1 .. 3)
{
	my $offset = -s $node->logfile;

	$node->adjust_conf('postgresql.conf', 'max_worker_processes', $needed);
	$node->restart;
	wait_until('all senders run, or a number is named',
		sub {
			senders() == 3
			  || log_of($node, $offset) =~ /to at least (\d+)\./;
		});
	last if senders() == 3;
	($needed) = log_of($node, $offset) =~ /to at least (\d+)\./;
}
is($needed, 5, 'launcher, supervisor and three senders need five');
is(senders(), 3, 'with that number all of them run');
add_subscriptions($node, 1, 10, provider => 'cas3');
wait_until_idle($node);
is(scalar($cas->ledger), 10, 'and do their work');

# ---- provreq.max_workers

$node->append_conf('postgresql.conf', 'provreq.max_workers = 2');
my $offset = -s $node->logfile;
$node->restart;
wait_for_message($node, qr/no room for the sender of provider "cas\d"/,
	$offset);
like(
	log_of($node, $offset),
	qr/Set provreq\.max_workers to more than 2\./,
	'a roster that is too small is named as well');
$node->stop;

# ---- Not preloaded

my $without = provreq_node('without', start => 0);

$without->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$without->start;
my ($out, $err);
$without->psql('postgres', 'CREATE EXTENSION provreq', stderr => \$err);
like($err, qr/shared_preload_libraries/,
	'CREATE EXTENSION says that provreq has to be preloaded');
sqlstate_is($without, 'CREATE EXTENSION provreq',
	'55000', 'with the SQLSTATE for that');
$without->psql('postgres', "LOAD 'provreq'", stderr => \$err);
like($err, qr/shared_preload_libraries/, 'and so does LOAD');
is($without->safe_psql('postgres', 'SELECT 1'), 1, 'the server is well');
$without->stop;

done_testing();
