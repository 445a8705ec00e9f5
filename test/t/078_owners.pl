# Roles that own what the extension works with can be dropped: what hung on
# them ends with a clear error, and everything else goes on.

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
SELECT provreq.pause('main_conax', 'a test');
CREATE ROLE leaver LOGIN IN ROLE provreq_operator;
CREATE ROLE heir LOGIN IN ROLE provreq_operator;
CREATE SCHEMA crm AUTHORIZATION leaver;
INSERT INTO provreq.crm_user (username) VALUES ('anna');
GRANT USAGE ON FOREIGN DATA WRAPPER conax_web_services TO leaver;
SET SESSION AUTHORIZATION leaver;
CREATE TABLE crm.product (id text PRIMARY KEY, code text);
CREATE TABLE crm.entitlement (subscription text, service text, card text, active boolean);
CREATE TRIGGER provision AFTER INSERT ON crm.entitlement
	REFERENCING NEW TABLE AS n FOR EACH STATEMENT
	EXECUTE FUNCTION provreq.subscription_change('provider=main_conax',
		'subscription=subscription', 'service=service', 'smartcard=card', 'state=active');
CREATE SERVER his_conax FOREIGN DATA WRAPPER conax_web_services
	OPTIONS (url 'https://127.0.0.1:1');
CREATE USER MAPPING FOR provreq_worker SERVER his_conax;
RESET SESSION AUTHORIZATION;
INSERT INTO crm.product SELECT id, code FROM provreq.product;
SELECT provreq.use_directory('product', 'crm.product');
EOQ
wait_for_sender($node, 'his_conax');
my $run = $node->safe_psql('postgres', <<'EOQ');
SET SESSION AUTHORIZATION leaver;
SELECT provreq.start_run('get_active_subscriptions', 'main_conax',
	filter => '{}', max_pending => 1, chunk_size => 1);
EOQ
my $token = $node->safe_psql('postgres',
	q(SET SESSION AUTHORIZATION leaver; SELECT provreq.open_session('anna')));
wait_for($node, "SELECT created FROM provreq.run WHERE id = $run", 1);

# How the making of a request ends that reads the directory.
sub add
{
	my ($out, $err) = ('', '');

	$node->psql('postgres',
		q(SELECT provreq.conax_add_subscriptions('number=S1', 'code=P1', 'serial_number=card1', provider => 'main_conax')),
		stdout => \$out,
		stderr => \$err);
	return $err =~ /ERROR:\s+(.*)/ ? $1 : 'made';
}

is(add(), 'made', 'as long as he is there');

# ---- He goes

sqlstate_is($node, 'DROP ROLE leaver', '2BP01', 'he owns too much');
$node->safe_psql('postgres', 'REASSIGN OWNED BY leaver TO heir');
is(add(), 'role "leaver" may not read crm.product',
	'his relation is not read with the rights of who has it now');
$node->safe_psql('postgres', 'DROP OWNED BY leaver; DROP ROLE leaver');
is(add(), 'role "leaver", as which the directory is to be read, does not exist',
	'nor without him');
$node->safe_psql('postgres',
	q(SELECT provreq.cancel(number, 'a test') FROM provreq.request_pending));
wait_for($node, "SELECT state FROM provreq.run WHERE id = $run", 'FAILED');
is($node->safe_psql('postgres', "SELECT reason FROM provreq.run WHERE id = $run"),
	'role "leaver" was dropped or renamed', 'his run ends and says why');
$node->safe_psql('postgres', 'CREATE ROLE leaver LOGIN');
is( $node->safe_psql('postgres', <<"EOQ"),
SET SESSION AUTHORIZATION heir;
SELECT provreq.resume_run($run);
SELECT owner FROM provreq.run WHERE id = $run
EOQ
	"\nheir",
	'and goes on as who resumes it, not as another one of his name');
is( $node->safe_psql('postgres', <<"EOQ"),
SET SESSION AUTHORIZATION heir;
SELECT provreq.use_session('$token');
SELECT username FROM provreq.crm_user WHERE username = 'anna'
EOQ
	"\nanna",
	'sessions that he opened are the CRM\'s');
isnt(sender_pid($node, 'his_conax'), '', 'his provider has its sender');

# ---- So does his heir

$node->safe_psql('postgres',
	q(SELECT provreq.use_directory('product', 'crm.product')));
is(add(), 'made', 'the relation is put right');
sqlstate_is($node,
	q(INSERT INTO crm.entitlement VALUES ('S2', 'P2', 'card2', true)),
	'00000', 'and his table has its trigger', role => 'heir');
is( $node->safe_psql('postgres',
		q(SELECT created_by_user FROM provreq.request_pending WHERE type = 'ADD_SUBSCRIPTIONS' ORDER BY number DESC LIMIT 1)),
	'heir',
	'which makes requests in the name of who has changed it');
$node->safe_psql('postgres',
	"SELECT provreq.cancel_run($run, 'enough', true); DROP OWNED BY heir CASCADE; DROP ROLE heir");
is($node->safe_psql('postgres', 'SELECT string_agg(srvname, $$ $$) FROM pg_foreign_server'),
	'main_conax', 'his provider is gone');
wait_until('and its sender', sub { sender_pid($node, 'his_conax') eq '' });
is(add(), 'role "heir", as which the directory is to be read, does not exist',
	'his relation, too');
$node->safe_psql('postgres', q(SELECT provreq.use_directory('product', NULL)));
is(add(), 'made', 'with the table of provreq it goes on');

$node->stop;
unlike(log_of($node), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
