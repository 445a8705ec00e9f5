# Nothing is granted to PUBLIC, each role can do what it is for and nothing
# else, senders have the rights of provreq_worker only, and files are named by
# superusers.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;

my $node = provreq_node('main');
my $cas = Provreq::Simulator->start(user => 'crm', password => 'hush-hush');

fill_directory($node, 20);
create_provider($node, 'main_conax', $cas);
$node->safe_psql('postgres',
	"SELECT provreq.conax_reset_pin_to_given_value('number=S1',"
	  . " 'serial_number=card1', '8642')");
wait_until_idle($node);
wait_for($node, 'SELECT NOT EXISTS (SELECT FROM provreq.request_closed_default)');

# ---- PUBLIC

is( $node->safe_psql('postgres', <<'EOQ'),
SELECT kind, name, privilege_type FROM (
	SELECT 'relation' AS kind, oid::regclass::text AS name,
		coalesce(relacl, acldefault(
			CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)) AS acl
	FROM pg_class WHERE relnamespace = 'provreq'::regnamespace
	UNION ALL
	SELECT 'column', attrelid::regclass || '.' || attname, attacl
	FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
	WHERE relnamespace = 'provreq'::regnamespace
	UNION ALL
	SELECT 'function', oid::regprocedure::text,
		coalesce(proacl, acldefault('f', proowner))
	FROM pg_proc WHERE pronamespace = 'provreq'::regnamespace
	UNION ALL
	SELECT 'schema', nspname, coalesce(nspacl, acldefault('n', nspowner))
	FROM pg_namespace WHERE nspname = 'provreq'
	UNION ALL
	SELECT 'wrapper', fdwname, coalesce(fdwacl, acldefault('F', fdwowner))
	FROM pg_foreign_data_wrapper
	UNION ALL
	SELECT 'server', srvname, coalesce(srvacl, acldefault('S', srvowner))
	FROM pg_foreign_server
	UNION ALL
	SELECT 'type', t.oid::regtype::text,
		coalesce(typacl, acldefault('T', typowner))
	FROM pg_type AS t WHERE typnamespace = 'provreq'::regnamespace
	AND typcategory <> 'A' AND NOT EXISTS (
		SELECT FROM pg_class WHERE oid = typrelid AND relkind <> 'c')
	UNION ALL
	SELECT 'default', defaclobjtype::text, defaclacl FROM pg_default_acl
) AS o, aclexplode(acl) WHERE grantee = 0 ORDER BY 1, 2
EOQ
	'',
	'nothing is granted to PUBLIC');
is( $node->safe_psql('postgres', <<'EOQ'),
SELECT string_agg(rolname, ' ') FROM pg_roles WHERE rolname LIKE 'provreq_%'
AND (rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication
	OR rolbypassrls)
EOQ
	'',
	'the roles are groups without privileges of their own');
is( $node->safe_psql('postgres', <<'EOQ'),
SELECT string_agg(proname, ' ') FROM pg_proc
WHERE pronamespace = 'provreq'::regnamespace AND prosecdef
AND (proconfig IS NULL OR NOT proconfig @> ARRAY['search_path=pg_catalog, pg_temp'])
EOQ
	'',
	'every function with its owner\'s rights has a safe search_path');

# ---- Who may do what

$node->safe_psql('postgres', <<'EOQ');
CREATE ROLE nobody LOGIN;
CREATE ROLE reader LOGIN IN ROLE provreq_reader;
CREATE ROLE operator LOGIN IN ROLE provreq_operator;
CREATE ROLE admin LOGIN IN ROLE provreq_admin;
CREATE ROLE worker LOGIN IN ROLE provreq_worker;
EOQ

# Something to cancel and to resubmit
$node->safe_psql('postgres', <<'EOQ');
SELECT provreq.conax_add_subscriptions('number=S20', 'code=P1',
	'serial_number=card20', scheduled_date => '2200-01-01');
EOQ
my $pending = $node->safe_psql('postgres',
	'SELECT number FROM provreq.request_pending');

my @roles = qw(nobody reader operator admin worker);
my $add = q{SELECT provreq.conax_add_subscriptions('number=S2', 'code=P1',
	'serial_number=card2', scheduled_date => '2200-01-01')};
my @actions = (
	# reading
	[ 'reader operator admin', 'SELECT * FROM provreq.request' ],
	[ 'reader operator admin worker', 'SELECT * FROM provreq.request_pending' ],
	[ 'reader operator admin', 'SELECT * FROM provreq.request_closed' ],
	[ 'reader operator admin', 'SELECT * FROM provreq.request_closed_default' ],
	[ 'reader operator admin worker', 'SELECT * FROM provreq.attempt' ],
	[ 'reader operator admin worker', 'SELECT * FROM provreq.wire_profile' ],
	[ 'reader operator admin worker', 'SELECT * FROM provreq.installation' ],
	[ 'reader operator admin', 'SELECT * FROM provreq.subscription' ],
	[ 'reader operator admin', 'SELECT * FROM provreq.installed_item' ],
	[ 'reader operator admin', "SELECT provreq.show('number=1')" ],
	[ 'reader operator admin', "SELECT provreq.list(life_cycle_state => 'PENDING')" ],
	[ 'reader operator admin', 'SELECT provreq.preview(1)' ],
	[ 'reader operator admin', "SELECT provreq.explain_reply('main_conax', 'x')" ],
	[ 'reader operator admin', 'SELECT provreq.is_home()' ],
	[ 'admin worker', 'SELECT * FROM provreq.request_secret' ],

	# acting
	[ 'operator admin', $add ],
	[ 'operator admin', "SELECT provreq.cancel($pending, 'x')" ],
	[ 'operator admin', "SELECT provreq.resubmit($pending)" ],
	[ 'operator admin', "SELECT provreq.pause('main_conax', 'x')" ],
	[ 'operator admin', "SELECT provreq.test_connection('main_conax')" ],
	[ 'operator admin', "SELECT provreq.resubmit_rejected('main_conax', now())" ],
	[ 'reader operator admin', "SELECT provreq.wait_for($pending, '0')" ],
	[ 'reader operator admin', 'SELECT * FROM provreq.queue' ],
	[ 'reader operator admin', 'SELECT * FROM provreq.in_flight' ],
	[ 'reader operator admin', 'SELECT * FROM provreq.doubtful' ],
	[ 'reader operator admin', 'SELECT * FROM provreq.provider_status' ],
	[ 'reader operator admin', 'SELECT * FROM provreq.intervention' ],
	[ 'reader operator admin worker', 'SELECT * FROM provreq.paused_provider' ],
	[ 'admin', 'SELECT provreq.adopt()' ],
	[ 'admin', "UPDATE provreq.wire_profile SET kind = kind" ],
	[ 'admin', "INSERT INTO provreq.subscription (number) VALUES ('S9999')" ],
	[ 'admin', "DELETE FROM provreq.service_mapping WHERE service_ca_id = '7'" ],
	[ 'worker', "SELECT nextval('provreq.sequence_number_seq')" ],
	[ 'worker', "UPDATE provreq.request_pending SET name = 'x'" ],
	[ 'worker', 'DELETE FROM provreq.attempt' ],

	# nobody
	[ '', "SELECT nextval('provreq.request_number_seq')" ],
	[ '', "INSERT INTO provreq.request (provider, type, ordering_keys)"
		  . " VALUES ('main_conax', 'ADD_SUBSCRIPTIONS', ARRAY['x'])" ],
	[ '', "UPDATE provreq.request SET name = 'x'" ],
	[ '', 'DELETE FROM provreq.request' ],
	[ '', 'DELETE FROM provreq.request_secret' ],
	[ '', 'TRUNCATE provreq.attempt' ],
	[ '', 'UPDATE provreq.installation SET database = 0' ],
	[ '', 'SELECT provreq.make_partitions()' ],
	[ '', "SELECT provreq.drop_partitions('100 years')" ],
	[ '', 'SELECT provreq.lock_pending(1)' ],
	[ '', 'CREATE TABLE provreq.x ()' ],
	[ '', "CREATE SERVER x FOREIGN DATA WRAPPER conax_web_services"
		  . " OPTIONS (url 'https://x')" ],
	[ '', "ALTER SERVER main_conax OPTIONS (SET url 'https://elsewhere.invalid')" ],
	[ '', "ALTER USER MAPPING FOR provreq_worker SERVER main_conax"
		  . " OPTIONS (SET password 'x')" ]);

foreach my $action (@actions)
{
	my ($may, $sql) = @$action;
	my %state = map {
		$_ => sqlstate($node, "BEGIN; $sql; ROLLBACK", role => $_)
	} @roles;
	my $got = join ' ', grep { $state{$_} eq '00000' } @roles;
	my @strange = grep { $state{$_} !~ /^(00000|42501)$/ } @roles;

	is($got, $may, ($may || 'nobody') . " may $sql");
	is("@strange", '', 'and others get 42501') if @strange;
}

# ---- Secrets

my $pins = 'SELECT count(*) FROM provreq.request AS r'
  . " WHERE r::text ~ '\\m8642\\M'";
is($node->safe_psql('postgres', "SET ROLE $_; $pins"), 0, "$_ finds no PIN")
  foreach qw(reader admin);
foreach my $role (qw(reader operator worker))
{
	is( $node->safe_psql('postgres',
			"SET ROLE $role; SELECT count(*) FROM pg_user_mappings"
			  . " WHERE array_to_string(umoptions, ' ') LIKE '%hush-hush%'"),
		0,
		"$role does not see the provider's password")
	  unless $role eq 'worker';
	sqlstate_is($node, 'SELECT umoptions FROM pg_user_mapping',
		'42501', "$role may not read the catalog of them", role => $role);
}
foreach my $role (qw(reader operator))
{
	unlike(
		$node->safe_psql('postgres',
			"SET ROLE $role; SELECT provreq.show('number=1')"
			  . " || provreq.preview(1)"),
		qr/\b8642\b|hush-hush/,
		"$role sees no secret in show() and preview()");
}
like($node->safe_psql('postgres', "SET ROLE admin; SELECT provreq.show('number=1')"),
	qr/\b8642\b/, 'admin sees the PIN');

# ---- Options that name files

$node->safe_psql('postgres', <<'EOQ');
GRANT USAGE ON FOREIGN DATA WRAPPER conax_web_services TO admin;
EOQ
sqlstate_is(
	$node, "CREATE SERVER theirs FOREIGN DATA WRAPPER conax_web_services"
	  . " OPTIONS (url 'https://127.0.0.1:1', ca_file '/etc/passwd')",
	'42501', 'ca_file is for superusers', role => 'admin');
sqlstate_is(
	$node, "CREATE SERVER theirs FOREIGN DATA WRAPPER conax_web_services"
	  . " OPTIONS (url 'https://127.0.0.1:1', state 'not_effective')",
	'00000', 'without it others may make a provider', role => 'admin');
sqlstate_is($node, "ALTER SERVER theirs OPTIONS (ADD ca_file '/etc/passwd')",
	'42501', 'nor may it be added later', role => 'admin');
foreach my $option (qw(client_cert client_key))
{
	sqlstate_is(
		$node, "CREATE USER MAPPING FOR provreq_worker SERVER theirs"
		  . " OPTIONS ($option '/etc/passwd')",
		'42501', "$option is for superusers", role => 'admin');
}
$node->safe_psql('postgres', 'DROP SERVER theirs');

# ---- The sender is no superuser

sub permission_follows
{
	my ($privilege, $object, $message) = @_;
	my $offset = -s $node->logfile;

	$node->safe_psql('postgres',
		"REVOKE $privilege ON $object FROM provreq_worker");
	add_subscriptions($node, 3, 3);
	wait_for_message($node,
		qr/provreq sender.*permission denied for \w+ \Q$message\E/, $offset);
	is( $node->safe_psql('postgres',
			'SELECT count(*) FROM provreq.request_pending WHERE number > '
			  . $pending),
		1,
		"without $privilege on $object the request waits");
	$node->safe_psql('postgres', "GRANT $privilege ON $object TO provreq_worker");
	wait_for($node,
		'SELECT count(*) = 0 FROM provreq.request_pending WHERE number > '
		  . $pending);
	pass("with $privilege on $object it goes");
	return;
}

permission_follows('DELETE', 'provreq.attempt', 'attempt');
permission_follows('INSERT', 'provreq.request_closed', 'request_closed');
ledger_agrees($node, $cas, 'nothing was lost or sent twice by that',
	pending => 1);

$node->stop;
unlike(log_of($node), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
