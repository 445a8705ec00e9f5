# Who has no rights cannot keep anybody waiting, whatever advisory locks he
# holds; and who waits for an outcome keeps nobody waiting either.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;

my $node = provreq_node('main');

fill_directory($node, 10);
$node->safe_psql('postgres', <<'EOQ');
CREATE SERVER main_conax FOREIGN DATA WRAPPER conax_web_services
	OPTIONS (url 'http://127.0.0.1:1', allow_plaintext 'true');
CREATE USER MAPPING FOR provreq_worker SERVER main_conax;
CREATE SERVER main_nds FOREIGN DATA WRAPPER nds
	OPTIONS (host '127.0.0.1', port '1', digest 'none');
CREATE USER MAPPING FOR provreq_worker SERVER main_nds;
CREATE ROLE nobody LOGIN;
UPDATE provreq.installed_item SET subscription_id = (SELECT s.id
	FROM provreq.subscription AS s WHERE s.number = 'S1')
	WHERE serial_number = 'card2';
EOQ

# ---- Locks that anybody may take

# Everything that he can name: each relation, alone and with what hash it may
# be taken together.
my $nobody = $node->background_psql('postgres',
	extra_params => [ '-U', 'nobody' ]);
cmp_ok(
	$nobody->query_safe(<<'EOQ'), '>=', 10, 'a role without rights takes locks');
SELECT count(l) FROM pg_catalog.pg_class AS c
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace,
	LATERAL (SELECT pg_advisory_lock(c.oid::bigint), pg_advisory_lock(c.oid::int, 0)) AS l
	WHERE n.nspname = 'provreq' AND c.relkind IN ('r', 'p');
EOQ
my $id = $node->safe_psql('postgres',
	q(SELECT id FROM provreq.subscription WHERE number = 'S1'));
$nobody->query_safe(<<"EOQ");
SELECT count(l) FROM pg_catalog.pg_class AS c
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace,
	LATERAL (SELECT pg_advisory_lock(c.oid::int, hashtext('$id')),
		pg_advisory_lock(c.oid::int, hashtext(''))) AS l
	WHERE n.nspname = 'provreq' AND c.relkind IN ('r', 'p');
SELECT pg_advisory_lock(hashtextextended('main_conax', 0)),
	pg_advisory_lock((hashtextextended('main_conax', 0) >> 32)::int,
		(hashtextextended('main_conax', 0) << 32 >> 32)::int);
EOQ

sub gets_through
{
	my ($sql, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return sqlstate_is($node, "SET lock_timeout = '10s'; $sql", '00000', $name);
}

gets_through('SELECT provreq.make_partitions()', 'partitions are made');
gets_through(q(INSERT INTO provreq.link_number VALUES ('main_nagra', '1', 1)),
	'a link begins to number');
gets_through(q(SELECT provreq.resubmit_rejected('main_conax', 'yesterday')),
	'rejected requests are resubmitted');
gets_through(q(SELECT provreq.reset_subscription('number=S1', 'main_nds', NULL)),
	'a subscription is reset');
$node->restart;
wait_for_sender($node, 'main_conax');
pass('a sender starts');
$nobody->quit;

# Ours are none of his
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; SELECT provreq.lock_partitions()');
sqlstate_is($node,
	q(SET lock_timeout = '100ms'; SELECT provreq.lock_partitions()),
	'55P03', 'while one makes partitions, the next one waits');
gets_through(q(SELECT provreq.resubmit_rejected('main_conax', 'yesterday')),
	'and nobody else does');
$holder->query_safe('COMMIT');
$holder->quit;
$node->safe_psql('postgres', 'GRANT USAGE ON SCHEMA provreq TO nobody');
foreach my $call (q(take_lock('provreq.request_closed')),
	q(take_lock('provreq.entitlement', 'x')),
	'lock_partitions()', q(lock_subscription('x')))
{
	sqlstate_is($node, "SELECT provreq.$call",
		'42501', "a role without rights cannot call $call", role => 'nobody');
}
sqlstate_is($node, q(SELECT provreq.take_lock('provreq.entitlement')),
	'42501', 'nor can an operator', role => 'provreq_operator');

# ---- Who waits for an outcome holds no lock

sub lockable
{
	my ($name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	gets_through(
		'ALTER TABLE provreq.request_pending SET (fillfactor = 90)',
		"$name: the pending part can be altered");
	gets_through('BEGIN; LOCK TABLE provreq.request, provreq.request_closed,'
		  . ' provreq.request_closed_default, provreq.crm_user, provreq.crm_unit'
		  . ' IN ACCESS EXCLUSIVE MODE; COMMIT',
		"$name: all that is read can be locked");
	return;
}

# Waits until the session that calls web_api_sync sleeps.
sub wait_for_sleeper
{
	wait_for($node, <<'EOQ');
SELECT count(*) = 1 FROM pg_stat_activity
WHERE query LIKE 'CALL provreq.web_api_sync%' AND wait_event_type = 'Extension'
EOQ
	return;
}

my $caller = $node->background_psql('postgres');
$caller->query_until(qr/started/, <<'EOQ');
\echo started
CALL provreq.web_api_sync('POST', 'nds/reauthorise_all_services',
	'{"subscription_identifier": {"number": "S1"}, "provider": "main_nds"}', "limit" => '1 hour');
EOQ
wait_for_sleeper();
lockable('while web_api_sync waits');
my @numbers = split /\n/,
  $node->safe_psql('postgres',
	q(SELECT number FROM provreq.request_pending WHERE provider = 'main_nds' ORDER BY 1));
cmp_ok(scalar @numbers, '>=', 2, 'for several requests');
my $last = pop @numbers;
$node->safe_psql('postgres', "SELECT provreq.cancel($_, 'a test')")
  foreach @numbers;
wait_for_sleeper();
lockable('while it waits for the last of them');
$node->safe_psql('postgres', "SELECT provreq.cancel($last, 'a test')");
my $answer = $caller->query_safe('SELECT 1');
is(() = $answer =~ /"life_cycle_state": "REJECTED"/g,
	2, 'and it answers with both as they are then');
$caller->quit;

$node->stop;
unlike(log_of($node), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
