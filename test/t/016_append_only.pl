# A closed request can be changed by nobody but a superuser: not by roles with
# every privilege, nor by the owner of the table, whichever partition or
# statement is used.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;

my $node = provreq_node('main');
my $cas = Provreq::Simulator->start;

fill_directory($node, 10);
create_provider($node, 'main_conax', $cas);
add_subscriptions($node, 1, 8);
$cas->fault('kind=reject code=CLIENT_NOT_FOUND');
add_subscriptions($node, 9, 10);
wait_until_idle($node);
wait_for($node, 'SELECT NOT EXISTS (SELECT FROM provreq.request_closed_default)');

# rows in a dated partition and in the default one, and one that is pending
$node->safe_psql('postgres', <<'EOQ');
ALTER SERVER main_conax OPTIONS (ADD state 'not_effective');
INSERT INTO provreq.request (number, provider, type, life_cycle_state,
	ordering_keys, closed_date, created_xid)
VALUES (1000, 'main_conax', 'ADD_SUBSCRIPTIONS', 'COMPLETED', ARRAY['x'],
	now() + interval '30 years', NULL),
(999, 'main_conax', 'ADD_SUBSCRIPTIONS', 'COMPLETED', ARRAY['x'],
	now() - interval '3 years', NULL);
SELECT provreq.make_partitions();
INSERT INTO provreq.request (number, provider, type, ordering_keys)
VALUES (1001, 'main_conax', 'ADD_SUBSCRIPTIONS', ARRAY['x']);

CREATE ROLE clerk LOGIN;
GRANT ALL ON SCHEMA provreq TO clerk;
GRANT ALL ON ALL TABLES IN SCHEMA provreq TO clerk;
GRANT ALL ON ALL SEQUENCES IN SCHEMA provreq TO clerk;
GRANT ALL ON ALL FUNCTIONS IN SCHEMA provreq TO clerk;
GRANT provreq_admin, provreq_worker TO clerk;
CREATE ROLE chief LOGIN;
GRANT provreq_admin TO chief;
EOQ

my $dated = $node->safe_psql('postgres',
	'SELECT tableoid::regclass FROM provreq.request WHERE number = 1');
my $everything = 'SELECT md5(string_agg(r::text, $$;$$ ORDER BY number))'
  . ' FROM provreq.request_closed AS r';
my $before = $node->safe_psql('postgres', $everything);

like($dated, qr/request_closed_\d{4}_\d{2}$/, 'rows lie in a dated partition');

my %where = (
	'provreq.request' => 'number = 1',
	'provreq.request_closed' => 'number = 10',
	$dated => 'number = 2',
	'provreq.request_closed_default' => 'number = 1000');

sub refused
{
	my ($role, $sql, $what) = @_;

	return sqlstate_is($node, $sql, '42501', "$role: $what is refused",
		role => $role);
}

sub all_refused
{
	my ($role) = @_;

	foreach my $table (sort keys %where)
	{
		refused($role, "UPDATE $table SET name = 'x' WHERE $where{$table}",
			"UPDATE of $table");
		refused($role, "DELETE FROM $table WHERE $where{$table}",
			"DELETE from $table");
		refused($role, "TRUNCATE $table", "TRUNCATE of $table");
		refused(
			$role,
			"MERGE INTO $table AS t USING (VALUES (1), (2), (10), (1000)) AS v (n)"
			  . ' ON t.number = v.n WHEN MATCHED THEN DELETE',
			"MERGE into $table");
	}
	refused(
		$role,
		"UPDATE provreq.request SET life_cycle_state = 'PENDING',"
		  . ' closed_date = NULL WHERE number = 1',
		'moving a row back to PENDING');
	refused(
		$role,
		'UPDATE provreq.request_closed SET closed_date = closed_date'
		  . " - interval '2 years' WHERE number = 1",
		'moving a row to another month');
	refused(
		$role,
		'UPDATE provreq.request_closed SET closed_date = closed_date'
		  . " + interval '1 microsecond' WHERE number = 1",
		'another time of the same month');
	refused(
		$role,
		"UPDATE provreq.request SET life_cycle_state = 'REJECTED'"
		  . ' WHERE number = 1',
		'making REJECTED of COMPLETED');
	refused($role, 'DELETE FROM provreq.request', 'DELETE of everything');
	refused($role, 'TRUNCATE provreq.request, provreq.attempt',
		'TRUNCATE among other tables');
	refused($role, "SET session_replication_role = 'replica'",
		'switching triggers off for the session');
	return;
}

all_refused('clerk');
foreach my $sql (
	"ALTER TABLE $dated DISABLE TRIGGER ALL",
	"ALTER TABLE provreq.request_closed DETACH PARTITION $dated",
	"DROP TABLE $dated",
	'DROP TRIGGER refuse_change ON provreq.request_closed',
	'CREATE OR REPLACE FUNCTION provreq.refuse_change() RETURNS trigger'
	  . ' LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$',
	"SELECT provreq.drop_partitions('0', force => true)")
{
	refused('clerk', $sql, $sql);
}

# with the rights of provreq_admin alone, and as a sender
refused($_, 'UPDATE provreq.request SET name = $$x$$ WHERE number = 1', 'UPDATE')
  foreach qw(chief provreq_worker provreq_operator);
refused($_, 'DELETE FROM provreq.request WHERE number = 1', 'DELETE')
  foreach qw(chief provreq_worker provreq_operator);

# and when somebody has granted our roles more than they need
$node->safe_psql('postgres', 'GRANT ALL ON ALL TABLES IN SCHEMA provreq'
	  . ' TO provreq_worker, provreq_operator, provreq_admin, provreq_reader');
foreach my $role (
	qw(provreq_worker provreq_operator provreq_admin provreq_reader))
{
	refused($role, 'UPDATE provreq.request SET name = $$x$$ WHERE number = 1',
		'UPDATE with every privilege');
	refused($role, 'DELETE FROM provreq.request_closed WHERE number = 1',
		'DELETE with every privilege');
	refused($role, "TRUNCATE $dated", 'TRUNCATE with every privilege');
}

# a pending row can be closed by who may, and then it is closed for them too
sqlstate_is(
	$node,
	"UPDATE provreq.request SET life_cycle_state = 'REJECTED',"
	  . ' closed_date = now() WHERE number = 1001;'
	  . " UPDATE provreq.request SET name = 'x' WHERE number = 1001",
	'42501',
	'clerk: once closed, a row is closed for its closer too',
	role => 'clerk');
$node->safe_psql('postgres', 'DELETE FROM provreq.request WHERE number = 1001');

is($node->safe_psql('postgres', $everything),
	$before, 'nothing was changed by all that');

# the owner, who could take the triggers away but does not
$node->safe_psql('postgres', <<"EOQ");
CREATE ROLE keeper LOGIN;
GRANT ALL ON SCHEMA provreq TO keeper;
GRANT provreq_admin TO keeper;
ALTER TABLE provreq.request OWNER TO keeper;
ALTER TABLE provreq.request_closed OWNER TO keeper;
ALTER TABLE provreq.request_closed_default OWNER TO keeper;
ALTER TABLE $dated OWNER TO keeper;
GRANT ALL ON ALL TABLES IN SCHEMA provreq TO keeper;
EOQ
all_refused('keeper');
is($node->safe_psql('postgres', $everything),
	$before, 'nothing was changed by the owner');

# ---- The superuser may

sqlstate_is($node, "UPDATE provreq.request SET name = 'x' WHERE number = 1",
	'00000', 'a superuser may UPDATE');
sqlstate_is($node, 'DELETE FROM provreq.request_closed WHERE number = 2',
	'00000', 'and DELETE');
is( $node->safe_psql('postgres',
		"SELECT count(*), count(*) FILTER (WHERE name = 'x')"
		  . ' FROM provreq.request'),
	'11|1',
	'which is what has happened');
sqlstate_is($node, 'TRUNCATE provreq.request_closed',
	'00000', 'and TRUNCATE');

done_testing();
