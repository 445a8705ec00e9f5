# What people do to providers and requests, against a CAS that answers: pause
# and resume, deciding what is in doubt, sending rejected requests again,
# testing connections; and what the views and counters say meanwhile.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;

my $node = provreq_node('main');
my $tls = make_certificates();
my $cas = Provreq::Simulator->start(user => 'crm', password => 'hush-hush');

fill_directory($node, 400);
create_provider($node, 'main_conax', $cas, timeout => '1s');

sub sql
{
	my ($query) = @_;

	return $node->safe_psql('postgres', $query);
}

sub status
{
	my ($columns) = @_;

	return sql("SELECT $columns FROM provreq.provider_status"
		  . " WHERE provider = 'main_conax'");
}

sub wait_for_status
{
	my ($condition) = @_;

	wait_for($node, "SELECT $condition FROM provreq.provider_status"
		  . " WHERE provider = 'main_conax'");
	return;
}

sub create
{
	my ($card, $service) = @_;

	return sql("SELECT number FROM provreq.conax_add_subscriptions("
		  . "'number=S$card', 'code=$service', 'serial_number=card$card')");
}

sub mail
{
	my ($card) = @_;

	return sql('SELECT number FROM provreq.conax_send_mail_message('
		  . "'serial_number=card$card', 'hello')");
}

sub waits_for
{
	my ($number) = @_;

	return sql("SELECT waits_for FROM provreq.queue WHERE number = $number");
}

# ---- Figures

is(status('sender_state, breaker, attempts, latency_p50'),
	'working|closed|0|', 'a sender that has sent nothing');
add_subscriptions($node, 1, 200);
wait_until_idle($node);
is(status('attempts, completed, rejected, retried, held, pending'),
	'200|200|0|0|0|0', 'attempts and outcomes are counted');
is( status('last_success > now() - interval \'1 minute\', last_error IS NULL,'
		  . ' latency_p50 > 0, latency_p50 <= latency_p90,'
		  . ' latency_p90 <= latency_p99, latency_p99 <= latency_max'),
	't|t|t|t|t|t',
	'and latencies');
$cas->fault('kind=delay delay=300ms match-card=100000000001 count=1',
	'kind=reject code=CLIENT_NOT_FOUND match-card=100000000002 count=1');
create(1, 'P2');
create(2, 'P2');
wait_until_idle($node);
is(status('completed, rejected, latency_max BETWEEN 300 AND 60000,'
		  . ' latency_p50 < 300'),
	'201|1|t|t', 'a slow answer is the longest, and no more');
like(status('last_error_text'), qr/CLIENT_NOT_FOUND/, 'a refusal is an error');

my $slow = Provreq::Simulator->start;
create_provider($node, 'slow', $slow, connections => 64, timeout => '1min');
$slow->fault('kind=delay delay=200ms',
	'kind=delay delay=5s match-card=100000000101');
add_subscriptions($node, 101, 150, provider => 'slow');
wait_until_idle($node);
is( sql('SELECT latency_p50 BETWEEN 185 AND 4000,'
		  . ' latency_p99 BETWEEN 4800 AND latency_max,'
		  . ' latency_max BETWEEN 5200 AND 60000'
		  . " FROM provreq.provider_status WHERE provider = 'slow'"),
	't|t|t',
	'figures are of each provider alone');
sql('DROP SERVER slow CASCADE');

my $pid = sender_pid($node, 'main_conax');
sql("SELECT pg_terminate_backend($pid)");
wait_until('there is another sender',
	sub { sender_pid($node, 'main_conax') !~ /^($pid)?$/ });
wait_for_status("sender_pid = "
	  . wait_for_sender($node, 'main_conax'));
is(status('attempts, completed, rejected, latency_max > 300'),
	'202|201|1|t', 'counters go on when the sender is started again');

# out of reach
$cas->fault('kind=refuse');
my $number = create(3, 'P2');
wait_for_status("breaker = 'open'");
is(status('sender_state, next_probe IS NOT NULL'),
	'out of reach|t', 'the open breaker is shown');
like(status('last_error_text'), qr/connect/i, 'and why');
is(waits_for($number), 'provider out of reach',
	'the queue says that the provider is out of reach');
is(sql("SELECT string_agg(step || ' ' || ok, ' ')"
		  . " FROM provreq.test_connection('main_conax')"),
	'resolve true connect false', 'a test of the connection says the same');
$cas->clear_faults;
wait_until_idle($node);
wait_for_status("breaker = 'closed'");

# ---- Pause

sql("SELECT provreq.pause('main_conax', 'maintenance')");
wait_for_status("sender_state = 'paused'");
my $before = $cas->ledger;
add_subscriptions($node, 1, 100, service => 'P3');
add_subscriptions($node, 1, 100, service => 'P4');
$number = create(1, 'P5');
is(waits_for($number), 'predecessor', 'a follower waits for its predecessor');
is( sql('SELECT waits_for FROM provreq.queue LIMIT 1'),
	'provider paused',
	'and what is first for the provider');

# whatever makes the sender look, it sends nothing
sql('UPDATE provreq.request_pending SET name = name');
$node->restart;
wait_for_sender($node, 'main_conax');
wait_for_status("sender_state = 'paused' AND in_memory = 201");
is($cas->ledger, $before, 'nothing is sent while paused, over a restart');
is(sql('SELECT count(*) FROM provreq.attempt'), 0, 'nor attempted');
sqlstate_is($node,
	"BEGIN; SELECT provreq.resume('main_conax'); ROLLBACK", '00000',
	'a resume that is rolled back');
sql('UPDATE provreq.request_pending SET name = name');
wait_for_status("sender_state = 'paused'");
sql("BEGIN; SELECT provreq.resume('main_conax'); PREPARE TRANSACTION 'resume'");
wait_for_status("sender_state = 'paused'");
is($cas->ledger, $before, 'nor one that is prepared, is none');
sql("COMMIT PREPARED 'resume'");
wait_until_idle($node);
is($cas->ledger, $before + 201, 'resumed, all of it is sent');
ledger_agrees($node, $cas, 'in order', provider => 'main_conax');

# what is on its way is waited for, the rest is taken back
$cas->fault('kind=delay delay=300ms');
add_subscriptions($node, 1, 200, service => 'P6');
wait_for($node, 'SELECT count(*) >= 16 FROM provreq.in_flight');
is(sql('SELECT bool_or(in_doubt) FROM provreq.in_flight'),
	'f', 'what is in flight is not in doubt');
is( sql("SELECT count(*) > 0 FROM provreq.queue WHERE waits_for = 'answer'"),
	't',
	'and waits for its answer');
sql("SELECT provreq.pause('main_conax', 'maintenance')");
wait_for_status("sender_state = 'paused' AND in_flight = 0");
my $sent = $cas->ledger;
is(sql("SELECT count(*) FROM provreq.request WHERE provider = 'main_conax'"
		  . " AND life_cycle_state = 'COMPLETED'") + 1,
	$sent, 'every message that left has its outcome');
cmp_ok(status('pending'), '>', 100, 'and the others wait');
is(sql('SELECT count(*) FROM provreq.attempt'), 0, 'without an attempt');
$cas->clear_faults;
sql("SELECT provreq.resume('main_conax', 'done')");
wait_until_idle($node);
ledger_agrees($node, $cas, 'in order again, and none twice',
	provider => 'main_conax');

# ---- What is in doubt

$cas->fault('kind=carry-out-no-answer match-op=SendMailMessageToClients count=3');
my @held = map { mail($_) } 11 .. 13;
my @followers = map { create($_, 'P7') } 11 .. 13;
wait_for($node, 'SELECT count(*) = 3 FROM provreq.doubtful');
is( sql('SELECT DISTINCT followers, attempts FROM provreq.doubtful'),
	'1|1', 'each of them has one that waits for it');
is(waits_for($held[0]), 'person', 'the queue says so');
sql("SELECT provreq.release_doubtful($held[0], 'completed', 'seen')");
sql("SELECT provreq.release_doubtful($held[1], 'rejected', 'not seen')");
sql("SELECT provreq.release_doubtful($held[2], 'resend', 'not seen')");
wait_until_idle($node);
is( join(' ',
		map { sql("SELECT life_cycle_state FROM provreq.request WHERE number = $_") }
		  @held, @followers),
	'COMPLETED REJECTED COMPLETED COMPLETED COMPLETED COMPLETED',
	'decided, and all that waited is sent');
is(join(' ', map { scalar $cas->messages($_) } @held),
	'1 1 2', 'only what was to be sent again is');
is( sql("SELECT executed_date IS NOT NULL, sequence_number > 0, attempts"
		  . " FROM provreq.request WHERE number = $held[0]"),
	't|t|1',
	'the record says when it was sent');

# ---- Rejected requests again

$cas->fault('kind=reject code=CLIENT_NOT_FOUND');
my $since = sql('SELECT clock_timestamp()');
add_subscriptions($node, 201, 400, service => 'P1');
add_subscriptions($node, 201, 300, service => 'P2');
sql("SELECT provreq.conax_reset_pin_to_given_value('number=S400',"
	  . " 'serial_number=card400', '8642')");
wait_until_idle($node);
$cas->clear_faults;
create(350, 'P9');
wait_until_idle($node);
my $again = "SELECT count(number), count(refusal) FROM"
  . " provreq.resubmit_rejected('main_conax', '$since', 'CLIENT_NOT_FOUND', 'found')";

# two at once: each request once
my @both = map { $node->background_psql('postgres') } 1 .. 2;
$both[0]->query_safe('BEGIN');
is($both[0]->query_safe($again), '300|1', 'rejected requests are sent again');
$both[1]->{stdin} .= "$again;\n";
$both[1]->{run}->pump_nb;
wait_for($node, "SELECT count(*) = 1 FROM pg_locks WHERE NOT granted"
	  . " AND locktype = 'advisory'");
$both[0]->query_safe('COMMIT');
$both[1]->{stdin} .= "\\echo end\n";
wait_until('the second one is done',
	sub { $both[1]->{run}->pump_nb; $both[1]->{stdout} =~ /end/ });
like($both[1]->{stdout}, qr/^0\|1$/m, 'but once, whoever asks');
$_->quit foreach @both;
wait_until_idle($node);
is( sql("SELECT count(*), count(DISTINCT r.number) FROM provreq.resubmission x"
		  . " JOIN provreq.request r USING (number)"
		  . " WHERE r.life_cycle_state = 'COMPLETED'"),
	'300|300',
	'all of them are carried out');
is( sql("SELECT bool_and(number > before) FROM (SELECT x.number,"
		  . " lag(x.number) OVER (ORDER BY x.original) AS before"
		  . " FROM provreq.resubmission x) AS x"),
	't',
	'in the order of the originals');
is($cas->card('100000000400')->{pin}, 8642, 'with the PIN');
is($cas->card('100000000201')->{products}, '1,2', 'and both products');
ledger_agrees($node, $cas, 'ledger and table agree',
	resubmitted => [ $held[2] ],
	provider => 'main_conax');

# ---- Testing connections

sub steps
{
	my ($provider) = @_;

	return sql("SELECT string_agg(step || CASE WHEN ok THEN '' ELSE ' failed' END, ', ')"
		  . " FROM provreq.test_connection('$provider')");
}

$before = $cas->status->{carried_out};
is(steps('main_conax'), 'resolve, connect, login', 'a good connection');
sql("ALTER USER MAPPING FOR provreq_worker SERVER main_conax"
	  . " OPTIONS (SET password 'wrong-secret')");
is(steps('main_conax'), 'resolve, connect, login failed', 'a wrong password');
unlike(
	sql("SELECT string_agg(detail, ' ') FROM provreq.test_connection('main_conax')"),
	qr/wrong-secret|hush-hush/,
	'which is not shown');
sql("ALTER USER MAPPING FOR provreq_worker SERVER main_conax"
	  . " OPTIONS (SET password 'hush-hush')");
is($cas->status->{carried_out}, $before, 'no request is sent');

my $secure = Provreq::Simulator->start(tls => $tls);
create_provider($node, 'secure', $secure, wait => 0);
is(steps('secure'), 'resolve, connect, tls, login', 'a good certificate');
sql('ALTER SERVER secure OPTIONS (DROP ca_file)');
is(steps('secure'), 'resolve, connect, tls failed',
	'a certificate of an authority that is not known');

# one that takes connections and says nothing
my $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5)
  or die "no socket: $!";
sql("ALTER SERVER secure OPTIONS (ADD allow_plaintext 'true', ADD timeout '300ms',"
	  . " SET url 'http://127.0.0.1:" . $mute->sockport . "')");
is(steps('secure'), 'resolve, connect, login failed', 'one that never answers');
sql("ALTER SERVER secure OPTIONS (SET timeout '10min')");
sqlstate_is($node,
	"SET statement_timeout = '300ms'; SELECT provreq.test_connection('secure')",
	'57014', 'which can be interrupted');
sql("ALTER SERVER secure OPTIONS (SET timeout '300ms', ADD state 'not_effective')");
is(steps('secure'), 'resolve, connect, login failed',
	'a provider that is not effective can be tested, too');

# ---- On record, and in a dump

is( sql('SELECT string_agg(act || count, $$ $$ ORDER BY act) FROM (SELECT act, count(*)'
		  . ' FROM provreq.intervention GROUP BY act) AS a'),
	'pause2 release_doubtful3 resubmit_rejected2 resume2',
	'all of it is on record');
sql("SELECT provreq.pause('main_conax', 'for the dump')");
my ($out, $err) = run_command([ 'pg_dump', '-d', $node->connstr('postgres') ]);
like($out, qr/^COPY provreq\.$_ .*\n(?:.*\t)+.*\n/m, "$_ is in a dump")
  foreach qw(intervention resubmission paused_provider);
like($out, qr/setval\('provreq\.intervention_id_seq', \d\d, true\)/,
	'and where its sequence stands');

# ---- Who waits holds no lock, which DDL would wait for and senders behind it

$number = sql("SELECT number FROM provreq.conax_get_active_subscriptions("
	  . "'serial_number=card1', provider => 'main_conax')");
my $waiter = $node->background_psql('postgres');
$waiter->query_until(qr/waiting/,
	"\\echo waiting\nSELECT (provreq.wait_for($number, '1 hour')).number;\n");
wait_for($node,
	'SELECT count(*) FROM pg_stat_activity WHERE query LIKE $$%provreq.wait_for%$$'
	  . ' AND pid <> pg_backend_pid() AND wait_event_type = $$Extension$$',
	1);
is( sql('BEGIN; LOCK TABLE provreq.request IN ACCESS EXCLUSIVE MODE NOWAIT;'
		  . ' COMMIT; SELECT 1'),
	1,
	'the table can be locked while somebody waits');
sql("SELECT provreq.resume('main_conax')");
$waiter->quit;
is(sql("SELECT life_cycle_state FROM provreq.request WHERE number = $number"),
	'COMPLETED', 'and what was waited for comes');

$node->stop;
unlike(log_of($node), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
unlike(
	log_of($node),
	qr/(?:LOG:  provreq|WARNING|ERROR|FATAL|DETAIL|HINT|CONTEXT):.*(?:hush-hush|wrong-secret)/,
	'no secret is in what is logged');
done_testing();
