# Triggers and the CRM's own directory where one session and one small table do
# not show it: statements of very many rows, dump and restore, and changes that
# other sessions make.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use Test::More;

my $rows = scale('PROVREQ_TRIGGER_ROWS', 20_000);

# Ten services, and what is remembered is forgotten after 50,000 answers.
my $few = 20 + int($rows / 2_000);
my $node = provreq_node('triggers');

# A provider that cannot be reached, so that the requests stay where they are.
$node->safe_psql('postgres', <<'EOQ');
CREATE SERVER far FOREIGN DATA WRAPPER conax_web_services
	OPTIONS (url 'http://127.0.0.1:1', allow_plaintext 'true', state 'effective');
CREATE USER MAPPING FOR provreq_worker SERVER far;
EOQ
fill_directory($node, $rows);

# A CRM table and the services from a view that counts how often it is asked.
$node->safe_psql('postgres', <<'EOQ');
CREATE ROLE crm LOGIN;
CREATE SCHEMA crm AUTHORIZATION crm;
SET ROLE crm;
CREATE SEQUENCE crm.asked;
CREATE TABLE crm.service (code text PRIMARY KEY);
INSERT INTO crm.service SELECT 'P' || i FROM generate_series(1, 10) AS i;
CREATE FUNCTION crm.ask(code text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	PERFORM pg_catalog.nextval('crm.asked');
	RETURN code;
END
$$;
CREATE VIEW crm.product AS SELECT crm.ask(code) AS id, code FROM crm.service;
CREATE VIEW crm.service_mapping AS
	SELECT code AS product_id, substr(code, 2) AS service_ca_id FROM crm.service;
CREATE TABLE crm.entitlement (subscription text, service text, card text, active boolean);
RESET ROLE;
SELECT provreq.use_directory('product', 'crm.product');
SELECT provreq.use_directory('service_mapping', 'crm.service_mapping');
EOQ

my %arguments = (
	provider => 'far',
	subscription => 'subscription',
	service => 'service',
	smartcard => 'card',
	state => 'active');
my $arguments = join ', ', map { "'$_=$arguments{$_}'" } sort keys %arguments;
my $function = "EXECUTE FUNCTION provreq.subscription_change($arguments)";
my $for_statements = <<"EOQ";
CREATE TRIGGER i AFTER INSERT ON crm.entitlement REFERENCING NEW TABLE AS n
	FOR EACH STATEMENT $function;
CREATE TRIGGER u AFTER UPDATE ON crm.entitlement REFERENCING OLD TABLE AS o NEW TABLE AS n
	FOR EACH STATEMENT $function;
CREATE TRIGGER d AFTER DELETE ON crm.entitlement REFERENCING OLD TABLE AS o
	FOR EACH STATEMENT $function;
EOQ
my $all = "SELECT 'S' || i, 'P' || (i % 10 + 1), 'card' || i, true FROM generate_series(1, $rows) AS i";

# Runs a statement that makes a request for each row, and checks how many
# requests there are and how often the directory was asked for a service.
sub run_counted
{
	my ($name, $sql, $requests, $asked) = @_;
	my $before = ask($node, 'SELECT count(*) FROM provreq.request_pending');

	ask($node, q{SELECT setval('crm.asked', 1, false)});
	ask($node, $sql);
	is( ask($node, 'SELECT count(*) FROM provreq.request_pending') - $before,
		$requests, "$name: requests");
	cmp_ok(ask($node, q{SELECT nextval('crm.asked')}) - 1,
		'<=', $asked, "$name: look-ups of services");
	return;
}

# ------------------------------------------------------------------ speed

run_counted('function', <<"EOQ", $rows, $few);
SELECT count(provreq.conax_add_subscriptions('number=S' || i, 'code=P' || (i % 10 + 1),
	'serial_number=card' || i)) FROM generate_series(1, $rows) AS i
EOQ

ask($node, $for_statements);
run_counted('one statement', "INSERT INTO crm.entitlement $all", $rows, $few);
run_counted('a change of nothing', 'UPDATE crm.entitlement SET active = true', 0, 0);
run_counted('pause', 'UPDATE crm.entitlement SET active = false', $rows, $few);

# in an order that is not that of the rows before
run_counted(
	'cards change places',
	"UPDATE crm.entitlement SET active = true, subscription = 'S' || n, card = 'card' || n"
	  . " FROM (SELECT i, $rows + 1 - i AS n FROM generate_series(1, $rows) AS i) AS new WHERE subscription = 'S' || i",
	$rows, $few);
run_counted('deleting all', 'DELETE FROM crm.entitlement', $rows, $few);
ask($node, 'DROP TRIGGER i ON crm.entitlement; DROP TRIGGER u ON crm.entitlement;'
	  . ' DROP TRIGGER d ON crm.entitlement;');

ask($node, "CREATE TRIGGER r AFTER INSERT OR UPDATE OR DELETE ON crm.entitlement FOR EACH ROW $function");
run_counted('for each row', "INSERT INTO crm.entitlement $all", $rows, 10 * $few);

# -------------------------------------------------------- other sessions

# A session that has read the directory sees what others make of it.
sub last_subscription
{
	return ask($node, "SELECT (provreq.conax_add_subscriptions('number=S1', 'code=P1',"
		  . " 'serial_number=card1')).subscription_id", session => 'first');
}

my $ours = last_subscription();
my $theirs = "SELECT 'theirs ' || i AS id, 'S' || i AS number FROM generate_series(1, 2) AS i";

like($ours, qr/^[0-9A-F]{32}$/, 'the table of provreq');
ask($node, "CREATE VIEW crm.subscription AS $theirs");
ask($node, 'ALTER VIEW crm.subscription OWNER TO crm');
ask($node, q{UPDATE provreq.installed_item SET subscription_id = NULL WHERE serial_number = 'card1'});
ask($node, q{SELECT provreq.use_directory('subscription', 'crm.subscription')});
is(last_subscription(), 'theirs 1', 'another session points it elsewhere');
ask($node, 'DROP VIEW crm.subscription');
ask($node, 'CREATE TABLE crm.subscription AS ' . ($theirs =~ s/theirs/table/r));
ask($node, 'ALTER TABLE crm.subscription OWNER TO crm');
is(last_subscription(), 'table 1', 'another session puts another relation there');
ask($node, 'ALTER TABLE crm.subscription RENAME number TO no');
like(
	(
		$node->psql('postgres', "SELECT provreq.conax_add_subscriptions('number=S1', 'code=P1', 'serial_number=card1')")
	)[2],
	qr/crm\.subscription has no column "number"/,
	'or takes a column away');
ask($node, 'ALTER TABLE crm.subscription RENAME no TO number');
is(last_subscription(), 'table 1', 'and gives it back');

# ----------------------------------------------------- dump and restore

# Indexes, functions and triggers of the CRM, its rows and ours: in whatever
# order they are restored.
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';

$node->safe_psql('postgres', "TRUNCATE provreq.request_pending; DELETE FROM provreq.installed_item WHERE serial_number NOT LIKE 'card_';"
	  . " ALTER TABLE crm.entitlement DISABLE TRIGGER r; DELETE FROM crm.entitlement WHERE card NOT LIKE 'card_'; ALTER TABLE crm.entitlement ENABLE TRIGGER r; $for_statements");
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'dumped');
foreach my $jobs (1, 3)
{
	my $database = "restored$jobs";
	my $settings = 'SELECT kind, relation, columns, role, changed_date FROM provreq.directory ORDER BY kind';
	my $triggers = q{SELECT tgname, tgargs FROM pg_trigger WHERE tgrelid = 'crm.entitlement'::regclass ORDER BY 1};

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->command_ok(
		[ 'pg_restore', '-j', $jobs, '--exit-on-error', '-d', $node->connstr($database), $dump ],
		"restored with $jobs jobs");
	foreach my $query ($settings, $triggers)
	{
		is($node->safe_psql($database, $query), $node->safe_psql('postgres', $query), 'as it was');
	}
	is($node->safe_psql($database, 'SELECT count(*) FROM provreq.request'), 0, 'a restore makes no requests');
	$node->safe_psql($database, 'DELETE FROM crm.entitlement WHERE card = ' . "'card1'");
	is($node->safe_psql($database, 'SELECT type, subscription_id FROM provreq.request'),
		"CANCEL_SUBSCRIPTIONS|table 1\nCANCEL_SUBSCRIPTIONS|table 1", 'but its triggers do, by both ways');
}

$node->stop;
done_testing();
