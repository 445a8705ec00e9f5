# wait_for(): thousands of sessions sleep until the outcome of a request is
# committed, whoever commits it, and no wake-up is missed; meanwhile they use
# no processor time at all.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use IPC::Run;
use List::Util qw(min sum0);
use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;
use Time::HiRes qw(time);

# As many sessions as the machine carries: each takes about 3 MB, and where
# others keep the processors busy, thousands take too long to come
sub affordable_sessions
{
	my ($available) = slurp_file('/proc/meminfo') =~ /^MemAvailable:\s+(\d+)/m;
	my ($load) = slurp_file('/proc/loadavg') =~ /^([\d.]+)/;
	my $processors = () = slurp_file('/proc/cpuinfo') =~ /^processor\s/mg;

	return 500 if $load > 4 * ($processors || 1);
	return min(2000, 500 * (1 + int($available / 1024 / 6 / 500)));
}

my $sessions = affordable_sessions();
my $patience = 60;				# seconds that a session waits
my $cards = 200;
my $node = provreq_node('main',
	init => [ allows_streaming => 1 ],
	conf => 'max_connections = ' . ($sessions + 50) . "\n"
	  # all of them read at once; the 1 MB of a test server is not enough
	  . "shared_buffers = 64MB\n");
my $cas = Provreq::Simulator->start;
my $dir = PostgreSQL::Test::Utils::tempdir();

fill_directory($node, $cards + 100);
create_provider($node, 'main_conax', $cas, timeout => '1s');

# A new request for a card; its number.
sub create
{
	my ($card, $more) = @_;

	return $node->safe_psql('postgres',
		"SELECT number FROM provreq.conax_add_subscriptions('number=S$card',"
		  . " 'code=P1', 'serial_number=card$card'"
		  . ($more // '') . ')');
}

sub create_later
{
	my ($card) = @_;

	return create($card, ", scheduled_date => '2200-01-01'");
}

sub make_due
{
	my ($number) = @_;

	$node->safe_psql('postgres', 'UPDATE provreq.request_pending'
		  . " SET scheduled_date = now() WHERE number = $number");
	return;
}

sub waiting
{
	return $node->safe_psql('postgres',
		'SELECT count(*) FROM pg_stat_activity'
		  . " WHERE query LIKE '%provreq.wait\\_for%' AND state = 'active'"
		  . " AND wait_event_type = 'Extension'");
}

# A session of its own that waits; returned when it sleeps.
sub start_waiting
{
	my ($number) = @_;
	my $waiter = { out => '', err => '', started => time() };
	my $before = waiting();

	$waiter->{run} = IPC::Run::start(
		[
			'psql', '-XqAt', '-v', 'VERBOSITY=sqlstate', '-d',
			$node->connstr('postgres'), '-c',
			'SELECT life_cycle_state, hold_reason IS NOT NULL'
			  . " FROM provreq.wait_for($number, '$patience s')"
		],
		'<', '/dev/null', '>', \$waiter->{out}, '2>', \$waiter->{err});
	wait_until('a session waits', sub { waiting() == $before + 1 });
	return $waiter;
}

# A waiting session may be awake for a moment, but sleeps again.
sub sleeps_on
{
	my ($waiter, $name) = @_;

	wait_until(
		'the session sleeps or ends',
		sub {
			$waiter->{run}->pump_nb;
			return waiting() == 1 || $waiter->{out} . $waiter->{err} ne '';
		});
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($waiter->{out} . $waiter->{err}, '', $name);
	return;
}

# What the waiting session says in the end: its row or its SQLSTATE.  One that
# only ended because its time ran out was not woken, whatever it found then.
sub end_of
{
	my ($waiter) = @_;

	$waiter->{run}->finish;
	return 'too late' if time() - $waiter->{started} > $patience - 1;
	return $1 if $waiter->{err} =~ /(?:ERROR|FATAL):\s+([0-9A-Z]{5})/;
	chomp $waiter->{out};
	return $waiter->{out};
}

# ---- Thousands at once

$node->safe_psql('postgres', "SELECT provreq.pause('main_conax', 'a test')");
my ($first) = $node->safe_psql('postgres',
	'SELECT min(number) FROM ('
	  . "SELECT (provreq.conax_add_subscriptions('number=S' || i, 'code=P1',"
	  . " 'serial_number=card' || i)).number FROM generate_series(1, $cards) AS i"
	  . ') AS made');
append_to_file("$dir/wait.sql", <<"EOS");
\\set number $first + (:client_id % $cards)
SELECT 1 / (life_cycle_state = 'COMPLETED')::integer
	FROM provreq.wait_for(:number, '${\($patience * 5)} s');
EOS

# No process may have many more than 1,000 files open
sub start_crowd
{
	my ($clients) = @_;
	my $crowd = { out => '', err => '', clients => $clients };

	$crowd->{run} = IPC::Run::start(
		[
			'pgbench', '-n', '-c', $clients, '-t', 1, '-f', "$dir/wait.sql",
			$node->connstr('postgres')
		],
		'>', \$crowd->{out}, '2>', \$crowd->{err});
	return $crowd;
}

my @crowds = map { start_crowd(500) } 1 .. $sessions / 500;

my $waiting;
my $all_wait = eval {
	wait_until(
		"$sessions sessions wait",
		sub {
			$_->{run}->pumpable or die $_->{err} foreach @crowds;
			$waiting = waiting();
			return $waiting == $sessions;
		});
};
if (!$all_wait)
{
	my $error = $@;

	eval { $_->{run}->pump_nb } foreach @crowds;
	diag("$waiting of $sessions wait",
		map { "\n" . $_->{err} } @crowds);
	diag($node->safe_psql('postgres',
			'SELECT count(*), state, wait_event_type, wait_event, left(query, 40)'
			  . ' FROM pg_stat_activity GROUP BY 2, 3, 4, 5'));
	diag($node->safe_psql('postgres',
			'SELECT count(*), life_cycle_state, hold_reason'
			  . ' FROM provreq.request GROUP BY 2, 3'));
	die $error;
}
my @pids = split /\n/, $node->safe_psql('postgres',
	'SELECT pid FROM pg_stat_activity'
	  . " WHERE query LIKE '%provreq.wait\\_for%' AND pid <> pg_backend_pid()");
is(scalar(@pids), $sessions, "$sessions sessions wait at once");

# Clock ticks and switches of all of them, as the kernel counts them
sub effort
{
	my ($ticks, $switches) = (0, 0);

	foreach my $pid (@pids)
	{
		my ($after_name) = slurp_file("/proc/$pid/stat") =~ /\) (.*)/;
		my @fields = split / /, $after_name;

		$ticks += $fields[11] + $fields[12];
		$switches += sum0(
			slurp_file("/proc/$pid/status") =~ /^(?:non)?voluntary_ctxt_switches:\s+(\d+)/mg);
	}
	return ($ticks, $switches);
}

# Others come and go meanwhile, at another provider; their numbers are in the
# same chains of the table of waiters
create_provider($node, 'other_conax', $cas, timeout => '1s');
$node->safe_psql('postgres',
	"SELECT setval('provreq.request_number_seq', $first + 1023)");
my ($ticks, $switches) = effort();
add_subscriptions($node, $cards + 1, $cards + 90, provider => 'other_conax');
wait_for($node,
	"SELECT count(*) = 90 FROM provreq.request WHERE provider = 'other_conax'"
	  . " AND life_cycle_state = 'COMPLETED'");
my $cancelled = $node->safe_psql('postgres',
	"SELECT number FROM provreq.conax_add_subscriptions('number=S1',"
	  . " 'code=P2', 'serial_number=card1', scheduled_date => '2200-01-01',"
	  . " provider => 'other_conax')");
$node->safe_psql('postgres', "SELECT provreq.cancel($cancelled, 'a test')");
my ($ticks_after, $switches_after) = effort();
is($ticks_after - $ticks, 0,
	'while others are served, they use no processor time');
is($switches_after - $switches, 0, 'and none of them wakes up');

my $resumed = time();
$node->safe_psql('postgres', "SELECT provreq.resume('main_conax')");
$_->{run}->finish foreach @crowds;
my $took = time() - $resumed;
note sprintf '%d sessions were done %.1f s after the resume', $sessions, $took;
cmp_ok($took, '<', $patience * 2, 'they do not wait until their time runs out');
is( scalar(grep { $_->{out} =~ m{processed: 500/500$}m } @crowds),
	scalar(@crowds),
	'all of them are woken');
is(join('', map { $_->{err} =~ /(ERROR.*)/ } @crowds),
	'', 'each by the outcome that it waits for');
wait_until_idle($node);
$node->safe_psql('postgres', 'DROP SERVER other_conax CASCADE');

# ---- No wake-up is missed, however soon the outcome comes

append_to_file("$dir/at_once.sql", <<"EOS");
\\set card 1 + (:client_id * 20 + random(0, 19))
\\set pause random(0, 4000)
SELECT number FROM provreq.conax_add_subscriptions('number=S' || :card,
	'code=P3', 'serial_number=card' || :card) \\gset
\\sleep :pause us
SELECT 1 / (life_cycle_state = 'COMPLETED' AND
		clock_timestamp() < statement_timestamp() + interval '$patience s')::integer
	FROM provreq.wait_for(:number, '$patience s');
EOS
my ($out, $err) = ('', '');
my $at_once = run_log(
	[
		'pgbench', '-n', '-c', 8, '-j', 2, '-t', 150, '-f',
		"$dir/at_once.sql", '-d', $node->connstr('postgres')
	],
	'>', \$out, '2>', \$err);
like($out, qr{processed: 1200/1200$}m, '1,200 requests are waited for at once');
is($err =~ /ERROR/ ? substr($err, -500) : '', '', 'none in vain');

# ---- Whoever closes or holds it

my $number = create_later(1);
my $waiter = start_waiting($number);
make_due($number);
is(end_of($waiter), 'COMPLETED|f', 'woken by a sender');

$number = create_later(1);
$waiter = start_waiting($number);
my $other = create_later(2);
my $other_waiter = start_waiting($other);
$node->safe_psql('postgres', "SELECT provreq.cancel($number, 'a test')");
is(end_of($waiter), 'REJECTED|f', 'woken by cancel()');
sleeps_on($other_waiter, 'who waits for another request sleeps on');
$node->safe_psql('postgres',
	"UPDATE provreq.request_pending SET hold_reason = 'x' WHERE number = $other");
is(end_of($other_waiter), 'PENDING|t', 'woken when it is held');
$waiter = start_waiting(create_later(3));
$node->safe_psql('postgres',
	"SELECT provreq.release_doubtful($other, 'completed', 'a test')");
is($node->safe_psql('postgres',
		"SELECT life_cycle_state FROM provreq.wait_for($other)"),
	'COMPLETED',
	'what is closed already is not waited for');
sleeps_on($waiter, 'which is no outcome of another one');
$node->safe_psql('postgres',
	'DELETE FROM provreq.request_pending WHERE scheduled_date > now()');
is(end_of($waiter), 'P0002', 'woken when the request is deleted');

$cas->fault('kind=carry-out-no-answer match-op=SendMailMessageToClients count=1');
$number = $node->safe_psql('postgres',
	"SELECT number FROM provreq.conax_send_mail_message('serial_number=card4',"
	  . " 'hello', scheduled_date => '2200-01-01')");
$waiter = start_waiting($number);
make_due($number);
is(end_of($waiter), 'PENDING|t', 'woken by a sender that holds it');
$node->safe_psql('postgres', "SELECT provreq.cancel($number, 'a test')");

# a rolled back cancel() wakes nobody for good
$number = create_later(5);
$waiter = start_waiting($number);
$node->safe_psql('postgres',
	"BEGIN; SELECT provreq.cancel($number, 'a test'); ROLLBACK");
sleeps_on($waiter, 'a cancel() that is rolled back is no outcome');

# prepared transactions
$node->safe_psql('postgres', "BEGIN; SELECT provreq.cancel($number, 'a test');"
	  . " PREPARE TRANSACTION 'first'");
sleeps_on($waiter, 'nor one that is prepared');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'first'");
sleeps_on($waiter, 'or prepared and rolled back');
$node->safe_psql('postgres', "BEGIN; SELECT provreq.cancel($number, 'a test');"
	  . " PREPARE TRANSACTION 'second'");
$node->safe_psql('postgres', "COMMIT PREPARED 'second'");
is(end_of($waiter), 'REJECTED|f', 'until it is committed');

$number = create_later(6);
$node->safe_psql('postgres', "BEGIN; SELECT provreq.cancel($number, 'a test');"
	  . " PREPARE TRANSACTION 'third'");
$waiter = start_waiting($number);
$node->safe_psql('postgres', "COMMIT PREPARED 'third'");
is(end_of($waiter), 'REJECTED|f',
	'also for who came after it was prepared');

# ---- Time runs out; interruptions

$number = create_later(7);
is( $node->safe_psql('postgres',
		"SELECT life_cycle_state FROM provreq.wait_for($number, '50 ms')"),
	'PENDING',
	'when time has run out it returns the pending row');
sqlstate_is($node,
	"SET statement_timeout = '50ms'; SELECT provreq.wait_for($number)",
	'57014', 'statement_timeout ends it');
foreach my $how (qw(cancel terminate))
{
	$waiter = start_waiting($number);
	$node->safe_psql('postgres',
		"SELECT pg_${how}_backend(pid) FROM pg_stat_activity"
		  . " WHERE query LIKE '%wait\\_for%' AND state = 'active'"
		  . ' AND pid <> pg_backend_pid()');
	is(end_of($waiter), $how eq 'cancel' ? '57014' : '57P01',
		"pg_${how}_backend() does, too");
}

# whose place was left can be taken again
my @waiters = map { start_waiting($number) } 1 .. 5;
$waiters[2]->{run}->kill_kill;
wait_until('it is gone', sub { waiting() <= 5 });
make_due($number);
is(join(' ', map { end_of($waiters[$_]) } 0, 1, 3, 4),
	join(' ', ('COMPLETED|f') x 4),
	'after that all others are woken');

# ---- Other databases, other roles, a standby

$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION provreq');
sqlstate_is($node, "SELECT provreq.wait_for($number)",
	'P0002', 'another database has other requests', dbname => 'other');
$node->safe_psql('postgres', <<'EOQ');
CREATE ROLE nobody LOGIN;
CREATE ROLE reader LOGIN IN ROLE provreq_reader;
EOQ
sqlstate_is($node, "SELECT provreq.wait_for($number)",
	'42501', 'not everybody may wait', role => 'nobody');
sqlstate_is($node, "SELECT provreq.wait_for($number)",
	'00000', 'who may read may wait', role => 'reader');

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
sqlstate_is($standby, "SELECT provreq.wait_for($number)",
	'55000', 'on a standby nothing is waited for');
$standby->stop;

$node->stop;
unlike(log_of($node), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
