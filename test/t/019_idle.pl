# With nothing to do, launcher, supervisor and senders do nothing: no WAL, no
# transaction, no CPU.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;
use Time::HiRes qw(time usleep);

# Whatever the server itself writes or does now and then is kept out: what is
# left is ours.
my $node = provreq_node('main', conf => <<'EOC');
wal_level = minimal
max_wal_senders = 0
checkpoint_timeout = 1h
autovacuum = off
max_prepared_transactions = 0
EOC
my $cas = Provreq::Simulator->start;

# How long to look, in seconds of the wall clock.
my $window = 6;

fill_directory($node, 20);
create_provider($node, 'main_conax', $cas, idle_timeout => '1s');
create_provider($node, 'second', $cas);
create_provider($node, 'third', $cas);
$node->safe_psql('postgres',
	"CREATE SERVER resting FOREIGN DATA WRAPPER conax_web_services"
	  . " OPTIONS (url 'https://127.0.0.1:1', state 'not_effective')");
add_subscriptions($node, 1, 20, provider => 'main_conax');
add_subscriptions($node, 1, 5, provider => 'second');
add_subscriptions($node, 1, 1, provider => 'third');
wait_until_idle($node);
wait_for($node,
	'SELECT NOT EXISTS (SELECT FROM provreq.request_closed_default)');

# far away, and held: they wait, but there is nothing to do for them; and the
# third provider has none at all
add_subscriptions($node, 7, 9, provider => 'main_conax',
	scheduled_date => '2200-01-01');
add_subscriptions($node, 10, 10, provider => 'second',
	scheduled_date => '2200-01-01');
$node->safe_psql('postgres',
	"UPDATE provreq.request_pending SET hold_reason = 'looked into',"
	  . " scheduled_date = now() WHERE provider = 'second'");

my @workers = split /\n/, $node->safe_psql('postgres',
	"SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'provreq %'");

is(scalar(@workers), 5, 'launcher, supervisor and three senders are there');

# What they have used so far: clock ticks and voluntary context switches.
sub used
{
	my ($ticks, $switches) = (0, 0);

	foreach my $pid (@workers)
	{
		my $stat = slurp_file("/proc/$pid/stat");
		my ($times) = $stat =~ /\) \S (.*)/;
		my @field = split / /, $times;

		$ticks += $field[10] + $field[11];
		slurp_file("/proc/$pid/status") =~ /^voluntary_ctxt_switches:\s+(\d+)/m
		  or die "no context switches of $pid";
		$switches += $1;
	}
	return ($ticks, $switches);
}

# One session asks all questions. Its own transactions are counted too, so it
# asks for the statistics of another database's session in shared catalogs.
my $probe = $node->background_psql('template1');

sub asked
{
	my ($query) = @_;

	return $probe->query_safe($query);
}

sub statistics
{
	return asked('SELECT pg_current_wal_insert_lsn(), xact_commit, xact_rollback,'
		  . ' tup_returned + tup_fetched, blks_hit + blks_read'
		  . " FROM pg_stat_database WHERE datname = 'postgres'");
}

# Connections to the CAS are closed when they were idle for a while, and
# statistics come late: when two looks two seconds apart are the same, all of
# that is over.
my ($before, $ticks, $switches) = ('', 0, 0);

wait_until(
	'everything is at rest',
	sub {
		my $now = statistics();
		my $end = time() + 2;
		my $same = $now eq $before;

		$before = $now;
		while (time() < $end)
		{
			asked('SELECT 1');
			usleep(50_000);
		}
		return $same;
	});
$before = statistics();
($ticks, $switches) = used();

my $start = time();
my $probes = 0;

while (time() - $start < $window)
{
	asked('SELECT count(*) FROM pg_stat_activity');
	$probes++;
	usleep(50_000);
}
my ($ticks_after, $switches_after) = used();
my $after = statistics();

cmp_ok($probes, '>', $window, 'the server was awake meanwhile');
is($after, $before, 'no WAL, no transaction, no row and no block was looked at');
cmp_ok($ticks_after - $ticks, '<=', 1, 'no CPU was used');
cmp_ok($switches_after - $switches, '<=', 2, 'nobody has woken up');
$probe->quit;

# The measure would have noticed: a request moves all of it.
add_subscriptions($node, 11, 11, provider => 'main_conax');
wait_for($node,
	'SELECT count(*) = 4 FROM provreq.request_pending');
my (undef, $switches_then) = used();
cmp_ok($switches_then - $switches_after, '>', 0,
	'the sender still wakes when there is a request');
is($node->safe_psql('postgres', 'SELECT count(*) FROM provreq.request'
		. " WHERE life_cycle_state = 'COMPLETED'"),
	27, 'and sends it');

done_testing();
