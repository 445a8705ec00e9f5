# 64 providers of all three systems at once: each is served, the senders are
# small and do nothing when there is nothing to do; and while the server has
# too little room for them all, it says so, and who has no sender.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use List::Util qw(max sum0);
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults qw(anonymous_kb);
use Test::More;
use Time::HiRes qw(time usleep);

my $providers = 64;
my $room = 40;					# processes, at first
my $lucky = $room - 4;			# those that get one of these: see below
my $cards = 10;					# of each provider
my $node = provreq_node('main', conf => <<"EOC");
max_worker_processes = $room
max_logical_replication_workers = 0
max_parallel_workers = 0
provreq.max_workers = 100
wal_level = minimal
max_wal_senders = 0
checkpoint_timeout = 1h
autovacuum = off
max_prepared_transactions = 0
log_statement = none
EOC
my @kinds = qw(conax nagravision nds);
my %cas = (
	conax => Provreq::Simulator->start,
	nagravision => Provreq::Simulator->start(
		kind => 'nagravision', source_ids => [ map { sprintf "%04d", $_ } 1 .. $providers ]),
	nds => Provreq::Simulator->start(kind => 'nds', from_id => undef));
my @names = map { "p$_" } 1 .. $providers;
my %per_kind;

sub kind_of { return $kinds[ $_[0] % 3 ] }

sub create_providers
{
	foreach my $i (1 .. $providers)
	{
		my $kind = kind_of($i);
		my %own = (
			conax => { connections => 2 },
			nagravision => { source_id => sprintf("%04d", $i), heartbeat => '10min' },
			nds => { from_id => sprintf('%04X', $i), heartbeat => '10min' });

		$per_kind{$kind}++;
		create_provider($node, "p$i", $cas{$kind}, %{ $own{$kind} }, wait => 0);
	}
	return;
}

# One request for each card of each provider, in one transaction.
sub create_requests
{
	my %call = (
		conax => q{conax_add_subscriptions('number=S' || card, 'code=P1',
			'serial_number=card' || card, provider => 'p' || i)},
		nagravision => q{nagravision_add_enhanced_list_of_products(ARRAY['code=P1'],
			'serial_number=card' || card, provider => 'p' || i)},
		nds => q{nds_reauthorise_all_services(smartcard_identifier =>
			'serial_number=card' || card, provider => 'p' || i)});

	$node->safe_psql('postgres', join ";\n", 'BEGIN', (
			map {
				"SELECT count(*) FROM generate_series(1, $providers) AS i,"
				  . " generate_series((i - 1) * $cards + 1, i * $cards) AS card,"
				  . " LATERAL provreq.$call{ $kinds[$_] } AS r WHERE i % 3 = $_"
			} 0 .. 2),
		'COMMIT');
	return;
}

sub senders
{
	return split /\n/, $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE datname = 'postgres'"
		  . " AND backend_type = 'provreq sender'");
}

sub seconds_until
{
	my ($what, $code) = @_;
	my $began = time();

	wait_until($what, $code);
	return sprintf '%.1f', time() - $began;
}

fill_directory($node, $providers * $cards, card_step => 100);

# ---- Too little room

# Launcher, two supervisors, and a sender in another database
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION provreq');
create_provider($node, 'elsewhere', $cas{conax}, dbname => 'other');
create_providers();
create_requests();
wait_for_message($node, qr/Set max_worker_processes to at least (\d+)\./);
wait_for($node, "SELECT count(*) = $lucky FROM provreq.provider_status"
	  . ' WHERE sender_pid IS NOT NULL');
wait_for($node, 'SELECT NOT EXISTS (SELECT FROM provreq.request_pending r'
	  . ' JOIN provreq.provider_status s ON s.provider = r.provider'
	  . ' WHERE s.sender_pid IS NOT NULL)');
is( $node->safe_psql('postgres', <<'EOQ'),
SELECT count(*), count(DISTINCT provider), min(waits_for), max(waits_for)
FROM provreq.queue
EOQ
	join('|', ($providers - $lucky) * $cards, $providers - $lucky,
		('provider without sender') x 2),
	'those that have no sender are served by nobody, and the queue says why');

# A place that somebody else gives up, of which nobody tells the supervisor
$node->safe_psql('other', "ALTER SERVER elsewhere OPTIONS (ADD state 'not_effective')");
wait_for($node, "SELECT count(DISTINCT provider) = ($providers - $lucky - 1)"
	  . ' FROM provreq.request_pending');
pass('a place that gets free is taken by one of them');

# ---- Room enough

my $needed = max(log_of($node) =~ /Set max_worker_processes to at least (\d+)\./g);
cmp_ok($needed, '<=', $providers + 4, 'no more room is asked for than needed');
$node->adjust_conf('postgresql.conf', 'max_worker_processes', $providers + 3);
my $stop = time();
$node->stop('fast');
$stop = time() - $stop;
$node->start;
my $start = seconds_until('all senders run', sub { senders() == $providers });
wait_until_idle($node);
note("$providers senders: started after $start s");
is( $node->safe_psql('postgres', <<'EOQ'),
SELECT count(*), count(DISTINCT provider), min(attempts), max(attempts)
FROM provreq.request WHERE life_cycle_state = 'COMPLETED'
EOQ
	join('|', $providers * $cards, $providers, 1, 1),
	'with room for all, each provider is served');
create_requests();
my $served = seconds_until('all are served again',
	sub { $node->safe_psql('postgres',
			'SELECT count(*) FROM provreq.request_pending') == 0 });
is($cas{$_}->status->{carried_out},
	2 * $cards * $per_kind{$_}, "$_: nothing was sent twice")
  foreach @kinds;

# ---- What they cost

my @memory = map { anonymous_kb($_) } senders();
note('anonymous memory of a sender, kB: greatest ' . max(@memory) . ', all '
	  . sum0(@memory));
cmp_ok(max(@memory), '<', 16 * 1024, 'no sender takes 16 MB');

# The transactions of all processes but this session's, and the WAL.
my $probe = $node->background_psql('template1');

sub activity
{
	return $probe->query_safe(
		'SELECT pg_current_wal_insert_lsn(), xact_commit, xact_rollback,'
		  . ' tup_returned + tup_fetched'
		  . " FROM pg_stat_database WHERE datname = 'postgres'");
}

# Looks every 50 ms for some seconds whether that stays the same.
sub rests
{
	my ($seconds) = @_;
	my $end = time() + $seconds;
	my $before = activity();

	while (time() < $end)
	{
		return 0 if activity() ne $before;
		usleep(50_000);
	}
	return 1;
}

wait_until('everything is at rest', sub { rests(3) });
ok(rests(4), 'with nothing to do none of them does anything');
$probe->quit;

my $offset = -s $node->logfile;
my $began = time();
$node->stop('fast');
note(sprintf 'stopped in %.1f s, with %d senders in %.1f s; %d requests served in %s s',
	$stop, $providers, time() - $began, $providers * $cards, $served);
cmp_ok(time() - $began, '<', 20, 'they stop without delay');
unlike(log_of($node), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');

done_testing();
