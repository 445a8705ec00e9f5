# On a hot standby what reads works, and what writes says so.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use JSON::PP qw(decode_json);
use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;

my $node = provreq_node('main', init => [ allows_streaming => 1 ]);

fill_directory($node, 3);
$node->safe_psql('postgres', <<'EOQ');
CREATE SERVER main_conax FOREIGN DATA WRAPPER conax_web_services
	OPTIONS (url 'http://127.0.0.1:1', allow_plaintext 'true');
CREATE USER MAPPING FOR provreq_worker SERVER main_conax;
INSERT INTO provreq.crm_user (username) VALUES ('anna');
SELECT provreq.pause('main_conax', 'a test');
EOQ
my $number = $node->safe_psql('postgres',
	q(SELECT number FROM provreq.conax_get_active_subscriptions('serial_number=card1')));
my $token = $node->safe_psql('postgres', q(SELECT provreq.open_session('anna')));

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;

sub call
{
	my ($method, $path, $body) = @_;

	return decode_json($standby->safe_psql('postgres',
			"SELECT provreq.web_api('$method', 'conax_web_services/$path', '$body')"));
}

# ---- Reading

my $answer = call('GET', "show?provisioning_request_identifier=number=$number", '{}');
is("$answer->{status}->{code} $answer->{data}->{number}",
	"OK $number", 'GET show');
$answer = call('GET', 'list?life_cycle_state=PENDING', '{}');
is($answer->{status}->{code} . ' ' . scalar @{ $answer->{data} },
	'OK 1', 'GET list');
$answer = call('GET', 'list', qq({"life_cycle_state": "PENDING", "token": "$token"}));
is($answer->{status}->{code}, 'OK', 'in a session');
is(call('GET', 'list', '{"token": "x"}')->{status}->{code},
	'INVALID_TOKEN', 'in none');
$answer = decode_json($standby->safe_psql('postgres',
		"CALL provreq.web_api_sync('GET', 'conax_web_services/list', '{\"life_cycle_state\": \"PENDING\"}')"));
is($answer->{status}->{code}, 'OK', 'GET by the procedure');
foreach my $query (
	"SELECT provreq.show('number=$number')",
	q(SELECT provreq.list(life_cycle_state => 'PENDING')),
	"SELECT provreq.preview($number)",
	(map { "SELECT * FROM provreq.$_" }
		qw(request queue in_flight doubtful provider_status run run_error intervention)))
{
	sqlstate_is($standby, $query, '00000', $query);
}

# ---- Writing

foreach my $call ("SELECT provreq.web_api", "CALL provreq.web_api_sync")
{
	$answer = decode_json($standby->safe_psql('postgres',
			"$call('POST', 'conax_web_services/get_active_subscriptions',"
			  . q[ '{"smartcard_identifier": {"serial_number": "card1"}}')]));
	is($answer->{status}->{code}, 'NOT_ALLOWED', "$call: a POST");
	like(
		$answer->{status}->{message},
		qr/^cannot execute INSERT in a read-only transaction$/,
		'and why');
}
foreach my $query (
	q(SELECT provreq.conax_get_active_subscriptions('serial_number=card1')),
	"SELECT provreq.cancel($number, 'why')",
	"SELECT provreq.resubmit($number)",
	q(SELECT provreq.resubmit_rejected('main_conax', 'yesterday')),
	"SELECT provreq.release_doubtful($number, 'resend', 'why')",
	q(SELECT provreq.pause('main_conax', 'why')),
	q(SELECT provreq.resume('main_conax')),
	q(SELECT provreq.open_session('anna')),
	"SELECT provreq.close_session('$token')",
	q(SELECT provreq.start_run('get_active_subscriptions', 'main_conax', filter => '{}')),
	'SELECT provreq.adopt()',
	'SELECT provreq.make_partitions()',
	q(SELECT provreq.use_directory('product', NULL)))
{
	sqlstate_is($standby, $query, '25006', $query);
}
sqlstate_is($standby, "SELECT provreq.wait_for($number)",
	'55000', 'nobody waits on a standby');
is($standby->safe_psql('postgres', 'SELECT 1'), 1, 'it still answers');

$standby->stop;
$node->stop;
unlike(log_of($standby), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
