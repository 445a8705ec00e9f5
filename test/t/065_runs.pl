# A run makes one request for each of its cards, whatever happens meanwhile: no
# card twice, none left out; with the rights of who started it and never more;
# and there is no runner when there is no run.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;

my $node = provreq_node('main', conf => "provreq.partitions_ahead = 1\n");
my $cas = Provreq::Simulator->start;
my $cards = 10_000;

fill_directory($node, $cards);
create_provider($node, 'main_conax', $cas);

sub start_run
{
	my ($arguments, %option) = @_;
	my $session = $option{role} ? "SET ROLE $option{role};" : '';

	return $node->safe_psql('postgres',
		"$session SELECT provreq.start_run($arguments)");
}

# Waits until a run is in a state.
sub wait_for_state
{
	my ($run, $state) = @_;

	wait_for($node, "SELECT state FROM provreq.run WHERE id = $run", $state);
	return;
}

sub column
{
	my ($run, $columns) = @_;

	return $node->safe_psql('postgres',
		"SELECT $columns FROM provreq.run WHERE id = $run");
}

sub runner_pid
{
	return $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'provreq runner'");
}

# What the requests of a run say of its cards: how many there are, and that
# none is there twice.
sub cards_of
{
	my ($run) = @_;

	return $node->safe_psql('postgres', <<"EOQ");
SELECT count(*), count(DISTINCT parameters ->> 'smartcard_ca_id')
FROM provreq.request WHERE process_id = '$run'
AND process_name = 'MAIL_BARK_MESSAGE_UTILITY'
EOQ
}

my $mail = q('send_mail_message', 'main_conax', parameters => '{"message": "Hello"}');
my $all = "$mail, filter => '{}'";

is(runner_pid(), '', 'without a run there is no runner');

# ---- A whole run, with crashes in the middle

my $run = start_run("$all, chunk_size => 50, max_pending => 300");
my $before = 0;

foreach my $crash (qw(server server runner server))
{
	wait_until("the run has got on before the crash of the $crash",
		sub { column($run, 'created') >= $before + 700 });
	if ($crash eq 'server')
	{
		$node->stop('immediate');
		$node->start;
	}
	else
	{
		my $pid = wait_until('there is a runner', sub { runner_pid() });

		$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	}
	is( $node->safe_psql('postgres', <<"EOQ"),
SELECT created = (SELECT count(*) FROM provreq.request WHERE process_id = r.id::text)
FROM provreq.run AS r WHERE id = $run
EOQ
		't',
		"after the crash of the $crash the run knows what it has made");
	$before = column($run, 'created');
	cmp_ok($before, '<', $cards, 'and is not at its end');
}

# Messages cannot be repeated: what was in doubt waits for a person.
wait_until(
	'the run is over',
	sub {
		$node->safe_psql('postgres', <<'EOQ');
SELECT provreq.cancel(number, 'in doubt after a crash')
FROM provreq.request_pending WHERE hold_reason IS NOT NULL
EOQ
		return column($run, 'state') eq 'FINISHED';
	});
is(cards_of($run), "$cards|$cards",
	'one request for each card, over three crashes of the server');
is( column($run, 'total, created, failed, pending, completed + rejected = total,'
		  . ' finished_date IS NOT NULL'),
	"$cards|$cards|0|0|t|t",
	'the run says the same');
is( column($run, 'completed'),
	$node->safe_psql('postgres',
		"SELECT count(*) FROM provreq.request WHERE process_id = '$run'"
		  . " AND life_cycle_state = 'COMPLETED'"),
	'and as many are completed as the record says');
is($node->safe_psql('postgres',
		'SELECT (SELECT count(*) FROM provreq.run_chunk),'
		  . ' (SELECT count(*) FROM provreq.run_part)'),
	'0|0',
	'nothing is left of how it got on');
wait_until('the runner has left', sub { runner_pid() eq '' });
ledger_agrees($node, $cas, 'nothing was sent twice', order => 0);

# ---- Pause, resume, cancel

$run = start_run("$all, max_rate => 400, name => 'slow'");
wait_until('it has made some', sub { column($run, 'created') > 0 });
$node->safe_psql('postgres', "SELECT provreq.pause_run($run, 'lunch')");
my $made = column($run, 'created');
my $started = time();

is(column($run, 'state, reason'), 'PAUSED|lunch', 'a run is paused');
wait_until('the runner has left', sub { runner_pid() eq '' });
is(column($run, 'created'), $made, 'a paused run makes nothing');
is(column($run, 'pending'), 0, 'what it had made was sent');
$node->restart;
is(column($run, 'state, created'), "PAUSED|$made", 'a restart changes nothing');
$node->safe_psql('postgres', "SELECT provreq.resume_run($run)");
wait_until('it goes on', sub { column($run, 'created') > $made });
cmp_ok(column($run, 'created'), '<', 400 * (time() - $started + 3),
	'no more requests a second than max_rate');
$node->safe_psql('postgres', "SELECT provreq.cancel_run($run, 'enough')");
$made = column($run, 'created');
wait_until('what it had made is sent', sub { column($run, 'pending') == 0 });
is(column($run, 'state, reason, created, completed, rejected'),
	"CANCELLED|enough|$made|$made|0",
	'a cancelled run leaves what it has made');

# cancelled with what is pending, in the middle of sending
$cas->fault('kind=delay delay=200ms');
$run = start_run("$all, max_pending => 2000");
wait_until('many are pending', sub { column($run, 'pending') > 1000 });
my $cancelled = $node->safe_psql('postgres',
	"SELECT provreq.cancel_run($run, 'all of it', cancel_pending => true)");
wait_until('what was in flight has ended', sub { column($run, 'pending') == 0 });
$made = column($run, 'created');
cmp_ok($cancelled, '>', 500, 'pending requests were cancelled');
is(column($run, 'rejected, completed'),
	"$cancelled|" . ($made - $cancelled),
	'and what was in flight was carried out');
my %cancelled = map { $_ => 1 } split /\n/, $node->safe_psql('postgres',
	"SELECT number FROM provreq.request WHERE process_id = '$run'"
	  . " AND error_code = 'CANCELLED'");
is(scalar(keys %cancelled), $cancelled, 'as many as it said');
is(scalar(grep { $cancelled{ $_->{sequence} } } $cas->ledger),
	0, 'nothing was cancelled that had gone out');
$cas->clear_faults;

# ---- A CAS that is down is not flooded

$cas->fault('kind=refuse');
$run = start_run("$all, max_pending => 500");
wait_for($node,
	"SELECT reason = 'requests that were made are pending' FROM provreq.run WHERE id = $run");
cmp_ok(column($run, 'created'), '<=', 500, 'no more than max_pending wait');
is(column($run, 'pending = created'), 't', 'all of them pending');
$node->safe_psql('postgres',
	"ALTER SERVER main_conax OPTIONS (ADD state 'not_effective')");
$cas->clear_faults;
$node->safe_psql('postgres', "SELECT provreq.cancel_run($run, 'down', true)");
wait_until('all of it is gone', sub { column($run, 'pending') == 0 });

# ---- A provider that is not effective, or dropped

$run = start_run($all);
wait_for($node,
	"SELECT reason LIKE '%not effective' FROM provreq.run WHERE id = $run");
is(column($run, 'state, created'), 'RUNNING|0',
	'a run waits for a provider that is not effective');
$node->safe_psql('postgres', 'DROP SERVER main_conax CASCADE');
wait_for_state($run, 'FAILED');
is(column($run, 'reason'), 'provider "main_conax" was dropped',
	'without its provider it fails');
wait_until('the runner has left', sub { runner_pid() eq '' });
create_provider($node, 'main_conax', $cas);
$node->safe_psql('postgres', "SELECT provreq.resume_run($run)");
wait_until('it goes on when there is one', sub { column($run, 'created') > 0 });
$node->safe_psql('postgres', "SELECT provreq.cancel_run($run, 'done', true)");

# ---- Rights

$node->safe_psql('postgres', <<'EOQ');
CREATE ROLE starter LOGIN IN ROLE provreq_operator;
CREATE ROLE watcher LOGIN IN ROLE provreq_reader;
CREATE ROLE nobody LOGIN;
CREATE SCHEMA hidden;
CREATE TABLE hidden.cards AS SELECT 'serial_number=card1'::text AS card;
CREATE TABLE hidden.seen (who text, session_is text);
GRANT USAGE ON SCHEMA hidden TO starter;
GRANT INSERT ON hidden.seen TO starter;
CREATE SCHEMA own AUTHORIZATION starter;
GRANT CREATE ON DATABASE postgres TO starter;
EOQ
foreach my $call ("start_run($all)", 'pause_run(1)', 'resume_run(1)',
	"cancel_run(1, 'x')")
{
	foreach my $role (qw(watcher nobody))
	{
		sqlstate_is($node, "SELECT provreq.$call", '42501',
			"$role may not $call", role => $role);
	}
}
sqlstate_is($node, 'SELECT * FROM provreq.run', '42501',
	'nobody sees runs', role => 'nobody');
sqlstate_is($node, 'SELECT * FROM provreq.run, provreq.run_error', '00000',
	'a reader sees runs', role => 'watcher');
sqlstate_is($node, "SELECT provreq.run_insert(10, '{}')", '42501',
	'nobody starts runs in the name of others', role => 'starter');
foreach my $table (qw(run_job run_chunk run_part run_error))
{
	sqlstate_is($node, "DELETE FROM provreq.$table", '42501',
		"an operator does not change $table", role => 'starter');
}
sqlstate_is($node, "SELECT provreq.start_run($mail, query => 'TABLE hidden.cards')",
	'42501', 'the query has the rights of the caller', role => 'starter');

# A function in the query runs as the caller, once, and in his schemas; one
# that waits for the runner to come along is not called by it.
$node->safe_psql('postgres', <<'EOQ');
SET SESSION AUTHORIZATION starter;
CREATE FUNCTION own.card(i integer) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO hidden.seen VALUES (current_user, session_user);
	RETURN 'serial_number=card' || i;
END
$$;
CREATE FUNCTION own.trap(text, text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO hidden.seen VALUES (current_user, 'trap');
	RETURN true;
END
$$;
CREATE OPERATOR own.= (FUNCTION = own.trap, LEFTARG = text, RIGHTARG = text);
EOQ
$run = $node->safe_psql('postgres', <<"EOQ");
SET SESSION AUTHORIZATION starter;
SET search_path = own, pg_catalog, pg_temp;
SELECT provreq.start_run($mail, query => 'SELECT card(i) FROM generate_series(1, 3) AS i')
EOQ
wait_for_state($run, 'FINISHED');
is($node->safe_psql('postgres',
		'SELECT DISTINCT who, session_is, count(*) OVER () FROM hidden.seen'),
	'starter|starter|3', 'all foreign code ran as the caller');
is(column($run, 'owner, created_by_user'), 'starter|starter', 'it is his run');
is($node->safe_psql('postgres',
		'SELECT DISTINCT created_by_user FROM provreq.request'
		  . " WHERE process_id = '$run'"),
	'starter', 'and his requests');

# A right that is lost ends the run, and the cards are not to blame.
$node->safe_psql('postgres',
	"ALTER SERVER main_conax OPTIONS (ADD state 'not_effective')");
$run = start_run($all, role => 'starter');
$node->safe_psql('postgres', 'REVOKE provreq_operator FROM starter');
$node->safe_psql('postgres',
	"ALTER SERVER main_conax OPTIONS (SET state 'effective')");
wait_for_sender($node, 'main_conax');
wait_for_state($run, 'FAILED');
is(column($run, 'reason, created, failed'),
	'permission denied for schema provreq|0|0', 'without the right it fails');
is($node->safe_psql('postgres',
		"SELECT count(*) FROM provreq.run_chunk WHERE run = $run"),
	$cards / 200, 'and has lost no card');
$node->safe_psql('postgres',
	"GRANT provreq_operator TO starter; SELECT provreq.resume_run($run)");
wait_until('it goes on', sub { column($run, 'created') > 0 });
$node->safe_psql('postgres', "SELECT provreq.pause_run($run)");

# So does a role that is renamed or dropped; another one of its name is not it.
$node->safe_psql('postgres', <<"EOQ");
ALTER ROLE starter RENAME TO former;
CREATE ROLE starter SUPERUSER;
UPDATE provreq.run_job SET state = 'RUNNING' WHERE id = $run;
EOQ
wait_for_state($run, 'FAILED');
is(column($run, 'reason'), 'role "starter" was dropped or renamed',
	'a run whose owner is renamed fails');
$node->safe_psql('postgres', "SELECT provreq.resume_run($run)");
is(column($run, 'owner'), 'postgres', 'and then belongs to who resumes it');
wait_for_state($run, 'FINISHED');
is(cards_of($run), "$cards|$cards", 'it has got through all the same');

# ---- A dump in the middle of a run, and its copy

my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';

$run = start_run("$all, max_rate => 100");
wait_until('it has made some', sub { column($run, 'created') > 0 });
$node->command_ok([ 'pg_dump', '-f', $dump, 'postgres' ], 'pg_dump');
$node->safe_psql('postgres', "SELECT provreq.cancel_run($run, 'dumped', true)");
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE template0');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, 'copy' ],
	'restored');
my $in_copy = 'SELECT state, reason, created,'
  . ' created = (SELECT count(*) FROM provreq.request WHERE process_id = r.id::text)'
  . " FROM provreq.run AS r WHERE id = $run";
my $copied = $node->safe_psql('copy', $in_copy);

like($copied, qr/^PAUSED\|the database was restored or copied\|\d+\|t$/,
	'in the copy the run rests where it was');
$node->safe_psql('copy', 'SELECT provreq.adopt()');
wait_for_sender($node, 'main_conax', 'copy');
is($node->safe_psql('copy', $in_copy), $copied, 'when it is adopted, too');
$node->safe_psql('copy', "SELECT provreq.resume_run($run)");
wait_for($node,
	"SELECT state = 'RUNNING' AND created > split_part('$copied', '|', 3)::integer"
	  . " FROM provreq.run WHERE id = $run",
	't', 'copy');
pass('resumed, it goes on');
$node->safe_psql('copy', "SELECT provreq.cancel_run($run, 'enough', true)");
$node->safe_psql('copy', 'DROP EXTENSION provreq CASCADE');

# ---- Somebody holds one run in an open transaction

$node->safe_psql('postgres', "SELECT provreq.pause('main_conax', 'a test')");
$run = start_run("$all, chunk_size => 10, max_pending => 10");
wait_until('it has made some', sub { column($run, 'created') > 0 });
my $holder = $node->background_psql('postgres');
$holder->query_safe("BEGIN; SELECT provreq.pause_run($run, 'thinking')");
$node->safe_psql('postgres', "SELECT provreq.resume('main_conax')");
wait_for($node,
	'SELECT count(*) FROM provreq.request WHERE life_cycle_state = $$COMPLETED$$'
	  . " AND process_id = '$run'",
	10);
wait_for_state(
	start_run("$mail, filter => '{\"smartcards\": [\"serial_number=card1\"]}'"),
	'FINISHED');
pass('another run goes on and ends');
$holder->query_safe('COMMIT');
$holder->quit;
wait_for($node, "SELECT completed FROM provreq.run WHERE id = $run", 10);
is(column($run, 'state, pending'), 'PAUSED|0', 'and the held one is paused');

# ---- An error that may pass puts off the run that has it, and no other

$node->safe_psql('postgres', <<'EOQ');
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.name = 'unlucky' THEN
		RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full';
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER no_room BEFORE INSERT ON provreq.request_pending
	FOR EACH ROW EXECUTE FUNCTION no_room();
EOQ
my $filter = q(filter => '{"smartcards": ["serial_number=card1", "serial_number=card2"]}');
my $unlucky = start_run(q('send_mail_message', 'main_conax',)
	  . q( parameters => '{"message": "Hello", "name": "unlucky"}', ) . $filter);
wait_until('it was put off', sub { (column($unlucky, 'reason') // '') ne '' });
is(column($unlucky, 'state, reason, created'),
	'RUNNING|tried again later: no room|0', 'and says why');
wait_for_state(start_run("$all, chunk_size => 100, max_pending => 1000"), 'FINISHED');
pass('another run gets to its end meanwhile');
wait_for($node, "SELECT postponed >= 3 FROM provreq.run_job WHERE id = $unlucky");
is( $node->safe_psql('postgres',
		"SELECT next_date - started_date > '6.9 s' FROM provreq.run_job WHERE id = $unlucky"),
	't',
	'each time it is put off for longer');
$node->safe_psql('postgres', 'DROP FUNCTION no_room() CASCADE');
wait_for_state($unlucky, 'FINISHED');
is(column($unlucky, 'created, completed, failed, reason IS NULL'),
	'2|2|0|t', 'when there is room it goes on, and no smartcard is left out');
is( $node->safe_psql('postgres',
		"SELECT postponed FROM provreq.run_job WHERE id = $unlucky"),
	0,
	'and starts anew');

# ---- DROP EXTENSION in the middle of a run

$run = start_run($all);
wait_until('it has made some', sub { column($run, 'created') > 0 });
$node->safe_psql('postgres', 'DROP EXTENSION provreq CASCADE');
wait_for($node,
	"SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type LIKE 'provreq %'");
pass('dropped, everybody leaves but the launcher');

$node->stop;
unlike(log_of($node), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
