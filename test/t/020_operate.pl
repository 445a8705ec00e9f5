# What people do to pending requests: cancel and resubmit, plain UPDATE and
# DELETE, and locks that they forget to release; the senders follow, and
# nothing else is delayed.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;

my $node = provreq_node('main');
my $cas = Provreq::Simulator->start;

fill_directory($node, 100);
create_provider($node, 'main_conax', $cas, timeout => '1s');

# A new request for a card; its number.
sub create
{
	my ($card, $service, $more) = @_;

	return $node->safe_psql('postgres',
		"SELECT number FROM provreq.conax_add_subscriptions('number=S$card',"
		  . " 'code=$service', 'serial_number=card$card'"
		  . ($more // '') . ')');
}

sub mail
{
	my ($card) = @_;

	return $node->safe_psql('postgres',
		'SELECT number FROM provreq.conax_send_mail_message('
		  . "'serial_number=card$card', 'hello')");
}

sub state_of
{
	my ($number) = @_;

	return $node->safe_psql('postgres',
		"SELECT life_cycle_state FROM provreq.request WHERE number = $number");
}

sub wait_for_state
{
	my ($number, $state) = @_;

	wait_for($node,
		"SELECT life_cycle_state = '$state' FROM provreq.request"
		  . " WHERE number = $number");
	return;
}

sub cancel
{
	my ($number) = @_;

	$node->safe_psql('postgres', "SELECT provreq.cancel($number, 'wrong card')");
	return;
}

# ---- Cancel and resubmit

my $later = create(1, 'P1', ", scheduled_date => '2200-01-01'");
cancel($later);
is( $node->safe_psql('postgres',
		'SELECT life_cycle_state, error_code, error_description, attempts,'
		  . ' executed_date IS NULL, closed_date IS NOT NULL'
		  . " FROM provreq.request WHERE number = $later"),
	'REJECTED|CANCELLED|wrong card|0|t|t',
	'a pending request can be cancelled');
my $follower = create(1, 'P2');
wait_for_state($follower, 'COMPLETED');
is(scalar($cas->messages($later)), 0, 'it is not sent, what follows is');

# held
$cas->fault('kind=carry-out-no-answer match-op=SendMailMessageToClients');
my $held = mail(2);
$follower = create(2, 'P1');
wait_for($node,
	"SELECT hold_reason IS NOT NULL FROM provreq.request WHERE number = $held");
my $other = create(3, 'P1');
wait_for_state($other, 'COMPLETED');
is(state_of($follower), 'PENDING', 'what follows a held request waits');
cancel($held);
wait_for_state($follower, 'COMPLETED');
pass('until that is cancelled');

my $held_again = mail(4);
$follower = create(4, 'P1');
wait_for($node,
	'SELECT hold_reason IS NOT NULL FROM provreq.request'
	  . " WHERE number = $held_again");
$cas->clear_faults;
$node->safe_psql('postgres', "SELECT provreq.resubmit($held_again)");
wait_for_state($follower, 'COMPLETED');
is(state_of($held_again), 'COMPLETED', 'or resubmitted');
is(scalar($cas->messages($held_again)), 2, 'under the same number');

# in retry
$node->safe_psql('postgres',
	"ALTER SERVER main_conax OPTIONS (SET retry_delay '1h', SET retry_delay_max '1h')");
$cas->fault('kind=reject code=SYSTEM_ERROR match-card=100000000005 count=1',
	'kind=reject code=SYSTEM_ERROR match-card=100000000006 count=1');
my @retried = (create(5, 'P1'), create(6, 'P1'));
my @followers = (create(5, 'P2'), create(6, 'P2'));
wait_for($node,
	'SELECT count(*) = 2 FROM provreq.request_pending'
	  . ' WHERE retry_date > now()');
is(join(' ', map { state_of($_) } @followers),
	'PENDING PENDING', 'what follows a request in retry waits');
cancel($retried[0]);
$node->safe_psql('postgres', "SELECT provreq.resubmit($retried[1])");
wait_for_state($_, 'COMPLETED') foreach @followers;
is(state_of($retried[1]), 'COMPLETED', 'resubmit() does not wait for the date');
is(state_of($retried[0]), 'REJECTED', 'the cancelled one stays cancelled');

# in flight, closed, unknown
sub set_timeout
{
	my ($timeout) = @_;

	$node->safe_psql('postgres',
		"ALTER SERVER main_conax OPTIONS (SET timeout '$timeout')");
	return;
}

set_timeout('1min');
$cas->fault('kind=delay delay=5s match-card=100000000007 count=1');
my $flying = create(7, 'P1');
wait_for($node,
	"SELECT EXISTS (SELECT FROM provreq.attempt WHERE number = $flying)");
my %state = map {
	$_ => sqlstate($node, "SELECT provreq.$_")
} "cancel($flying, 'x')", "resubmit($flying)";
my $landed = state_of($flying);
SKIP:
{
	# Only a machine that stood still for that long can have missed it.
	skip 'the answer was there already', 1 if $landed ne 'PENDING';
	is(join(' ', values %state), '55006 55006',
		'neither can be done in flight');
}
wait_for_state($flying, 'COMPLETED');
sqlstate_is($node, "SELECT provreq.cancel($flying, 'x')",
	'55000', 'nor when it is closed: cancel');
sqlstate_is($node, "SELECT provreq.resubmit($flying)",
	'55000', 'nor when it is closed: resubmit');
sqlstate_is($node, "SELECT provreq.cancel(1000000, 'x')",
	'P0002', 'nor when there is none: cancel');
sqlstate_is($node, 'SELECT provreq.resubmit(1000000)',
	'P0002', 'nor when there is none: resubmit');
sqlstate_is($node, "SELECT provreq.cancel($flying, '')",
	'22004', 'a reason has to be given');

# ---- Plain DML of a DBA

set_timeout('1s');
$later = create(8, 'P1', ", scheduled_date => '2200-01-01'");
$follower = create(8, 'P2');
wait_for_state($follower, 'COMPLETED');
$node->safe_psql('postgres',
	"UPDATE provreq.request SET scheduled_date = now() WHERE number = $later");
wait_for_state($later, 'COMPLETED');
pass('UPDATE of the date is followed');

$cas->fault('kind=carry-out-no-answer match-op=SendMailMessageToClients count=1');
$held = mail(9);
$follower = create(9, 'P1');
wait_for($node,
	"SELECT hold_reason IS NOT NULL FROM provreq.request WHERE number = $held");
$node->safe_psql('postgres',
	"DELETE FROM provreq.request WHERE number = $held");
wait_for_state($follower, 'COMPLETED');
pass('DELETE is followed');
my @deleted = ($held);

$cas->fault('kind=carry-out-no-answer match-op=SendMailMessageToClients count=1');
$held = mail(10);
wait_for($node,
	"SELECT hold_reason IS NOT NULL FROM provreq.request WHERE number = $held");
$node->safe_psql('postgres',
	'UPDATE provreq.request_pending SET hold_reason = NULL'
	  . " WHERE number = $held");
wait_for_state($held, 'COMPLETED');
pass('UPDATE of the hold is followed');

# ---- Locks

# a row that is locked before it is sent
my $locker = $node->background_psql('postgres');

set_timeout('1min');

$node->safe_psql('postgres',
	"ALTER SERVER main_conax OPTIONS (SET url 'http://127.0.0.1:1')");
my $locked = create(11, 'P1');
my $locked_follower = create(11, 'P2');
$locker->query_safe('BEGIN');
$locker->query_safe('SELECT number FROM provreq.request_pending'
	  . " WHERE number = $locked FOR UPDATE");
$node->safe_psql('postgres',
	"ALTER SERVER main_conax OPTIONS (SET url '" . $cas->url . "')");
add_subscriptions($node, 12, 50, service => 'P3');
wait_for($node, 'SELECT count(*) = 2 FROM provreq.request_pending');
is(scalar($cas->messages($locked)), 0, 'a locked request is not sent');
pass('and delays no other');
$locker->query_safe('COMMIT');
wait_for_state($locked_follower, 'COMPLETED');
is(state_of($locked), 'COMPLETED', 'released, it goes, and what follows it');

# a row that is locked while it is in flight
$cas->fault('kind=delay delay=5s match-card=100000000051 count=1');
$flying = create(51, 'P1');
wait_for($node,
	"SELECT EXISTS (SELECT FROM provreq.attempt WHERE number = $flying)");
$locker->query_safe('BEGIN');
my $got = $locker->query_safe('SELECT number FROM provreq.request_pending'
	  . " WHERE number = $flying FOR UPDATE");
is($got, $flying, 'a request in flight is locked by somebody');
$follower = create(51, 'P2');
add_subscriptions($node, 52, 90, service => 'P3');
wait_for($node, 'SELECT count(*) = 2 FROM provreq.request_pending');
pass('the others are sent and settled');
wait_until('its answer was given',
	sub { grep { $_->{answered} } $cas->messages($flying) });
is(state_of($flying), 'PENDING', 'it cannot be settled itself');
$locker->query_safe('COMMIT');
wait_for_state($follower, 'COMPLETED');
is(state_of($flying), 'COMPLETED', 'released, it is');
is(scalar($cas->messages($flying)), 1, 'without having been sent again');

# the whole table
$cas->fault('kind=delay delay=5s match-card=100000000091 count=1');
$flying = create(91, 'P1');
wait_for($node,
	"SELECT EXISTS (SELECT FROM provreq.attempt WHERE number = $flying)");
my $pid = sender_pid($node, 'main_conax');
$locker->query_safe('BEGIN');
$locker->query_safe('LOCK TABLE provreq.request_pending IN ACCESS EXCLUSIVE MODE');
wait_until('its answer was given',
	sub { grep { $_->{answered} } $cas->messages($flying) });

# the sender has tried, and failed, at least twice
my $offset = -s $node->logfile;
my $waited = 0;

wait_until(
	'the sender has waited for the lock twice',
	sub {
		$waited++
		  if $node->safe_psql('postgres',
				"SELECT count(*) FROM pg_locks WHERE pid = $pid AND NOT granted"
		  );
		return $waited >= 2;
	});
$locker->query_safe('COMMIT');
$locker->quit;
add_subscriptions($node, 92, 95, service => 'P3');
wait_until_idle($node);
is(sender_pid($node, 'main_conax'), $pid, 'LOCK TABLE only delays');
is(state_of($flying), 'COMPLETED', 'what was in flight is settled');
unlike(log_of($node, $offset), qr/ERROR.*lock timeout/,
	'and the log is not filled with lock timeouts');

# P2 and P4 over all of that; the deleted request is in the ledger alone
my @problems = grep { !/^message $deleted[0] is of no request$/ }
  compare_ledger_with_table(
	$node, $cas,
	order => 0,
	resubmitted => [ $held_again, $held, $retried[1] ]);
is(join("\n", @problems), '', 'ledger and table agree');

$node->stop;
unlike(log_of($node), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
