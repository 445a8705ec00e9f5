# PINs and passwords reach the CAS and provreq_admin, and nobody else: not the
# server log, not pg_stat_activity, not an error message, not the tables that
# others read.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;

my $node = provreq_node('main', conf => <<'EOC', extension => 0);
log_min_messages = debug1
log_min_error_statement = error
log_statement = none
log_min_duration_statement = 0
log_error_verbosity = verbose
log_parameter_max_length_on_error = -1
log_parameter_max_length = -1
track_activity_query_size = 8192
EOC
my $cas = Provreq::Simulator->start(user => 'crm', password => 'open-sesame');
my $wrong_password = 'not-the-one';

# PINs of 8 digits: 4 would be found by chance among ports and processes.
my @pins = qw(86427531 97538642 75319864 64209753);
my $secret = qr/86427531|97538642|75319864|64209753|open-sesame|$wrong_password/;

$node->safe_psql('postgres', 'CREATE EXTENSION provreq');
fill_directory($node, 20);
$node->safe_psql('postgres',
	'UPDATE provreq.wire_profile SET document ='
	  . " jsonb_set(document, '{pin_digits}', '{\"min\": 8, \"max\": 8}')");

# By a client that has not to hide anything from itself
$node->safe_psql('postgres', <<'EOQ');
CREATE ROLE reader LOGIN IN ROLE provreq_reader;
CREATE ROLE operator LOGIN IN ROLE provreq_operator;
CREATE ROLE admin LOGIN IN ROLE provreq_admin;
EOQ

sub mapping
{
	my ($password) = @_;

	$node->safe_psql('postgres',
		"ALTER USER MAPPING FOR provreq_worker SERVER main_conax"
		  . " OPTIONS (SET password '$password')");
	return;
}

$node->safe_psql('postgres',
	"CREATE SERVER main_conax FOREIGN DATA WRAPPER conax_web_services"
	  . " OPTIONS (url '" . $cas->url . "', allow_plaintext 'true',"
	  . " timeout '300ms', retry_delay '20ms', retry_delay_max '50ms',"
	  . " retry_limit '2');"
	  . "CREATE USER MAPPING FOR provreq_worker SERVER main_conax"
	  . " OPTIONS (username 'crm', password 'open-sesame')");
wait_for_sender($node, 'main_conax');

# What the options of a provider have of passwords, when they are refused
foreach my $ddl (
	'ALTER USER MAPPING FOR provreq_worker SERVER main_conax'
	  . " OPTIONS (DROP username, SET password 'open-sesame')",
	"ALTER USER MAPPING FOR provreq_worker SERVER main_conax"
	  . " OPTIONS (ADD pasword 'open-sesame')",
	'CREATE USER MAPPING FOR PUBLIC SERVER main_conax'
	  . " OPTIONS (password 'open-sesame')",
	'ALTER SERVER main_conax'
	  . " OPTIONS (SET url 'https://crm:open-sesame\@cas')",
	'DO $$ BEGIN CREATE USER MAPPING FOR PUBLIC SERVER main_conax'
	  . ' OPTIONS (password \'open-sesame\'); END $$')
{
	my ($result, $out, $err) = $node->psql('postgres', $ddl);

	isnt($result, 0, 'refused');
	unlike($err, $secret, "with a message without the password: $err");
}

sub reset_pin
{
	my ($card, $pin, $more) = @_;
	my ($out, $err);

	$node->psql(
		'postgres',
		"SELECT number, parameters, request FROM"
		  . " provreq.conax_reset_pin_to_given_value('number=S$card',"
		  . " 'serial_number=card$card', '$pin'" . ($more // '') . ')',
		stdout => \$out,
		stderr => \$err,
		extra_params => [ '-U', 'operator' ]);
	return ($out, $err);
}

# ---- Errors of every kind, each with a PIN on its way

my ($out, $err) = reset_pin(1, $pins[0]);
unlike($out, $secret, 'the new request shows no PIN to its creator');
wait_until_idle($node);
is($cas->card('100000000001')->{pin}, $pins[0], 'the right PIN arrived');

foreach my $bad (
	[ '8642753', '' ],
	[ '8642753x', '' ],
	[ '864275319753', '' ],
	[ $pins[0], ", provider => 'nowhere'" ],
	[ $pins[0], ", priority => 'SOON'" ],
	[ $pins[0], ", udf => '{\"x\": 1}'" ])
{
	($out, $err) = reset_pin(2, @$bad);
	like($err, qr/ERROR/, "an error for $bad->[0]$bad->[1]");
	unlike($err, qr/8642753/, 'that does not show the PIN');
}

my @faults = (
	'kind=reject code=CLIENT_NOT_FOUND',
	'kind=reject code=SYSTEM_ERROR',
	'kind=reject code=SOMETHING_ELSE',
	'kind=soap-fault code=Client',
	'kind=soap-fault code=Server',
	'kind=http-status status=500',
	'kind=http-status status=404',
	'kind=redirect',
	'kind=hang-after-body',
	'kind=close-after-body',
	'kind=half-answer',
	'kind=two-answers',
	'kind=other-answer',
	'kind=garbage',
	'kind=malformed-xml',
	'kind=doctype',
	'kind=oversized size=2MB',
	'kind=carry-out-no-answer');
my $turn = 0;

foreach my $fault (@faults)
{
	my $count = $fault =~ /404|redirect/ ? 'count=2' : 'count=1';

	$cas->fault("$fault $count");
	reset_pin(3 + $turn % 15, $pins[ $turn % 4 ]);
	wait_until_open($node);
	$turn++;
}
$cas->clear_faults;

# a wrong password, no server at all, a settings error, a sender that dies
mapping($wrong_password);
reset_pin(18, $pins[1]);
wait_for($node,
	"SELECT query LIKE 'provider out of reach%' FROM pg_stat_activity"
	  . " WHERE application_name = 'provreq sender main_conax'");
my $activity = $node->safe_psql('postgres',
	"SELECT string_agg(query, ' ') FROM pg_stat_activity"
	  . " WHERE pid <> pg_backend_pid()");
unlike($activity, $secret, 'pg_stat_activity shows no secret');
mapping('open-sesame');
wait_until_open($node);
is($cas->card('100000000018')->{pin}, $pins[1], 'the right PIN again');

$cas->stop;
reset_pin(19, $pins[2]);
wait_for($node,
	"SELECT query LIKE 'provider out of reach%' FROM pg_stat_activity"
	  . " WHERE application_name = 'provreq sender main_conax'");
$node->safe_psql('postgres',
	"ALTER SERVER main_conax OPTIONS (ADD profile 'nothing')");
wait_for_message($node, qr/loading the settings of provider "main_conax"/);
$node->safe_psql('postgres',
	'ALTER SERVER main_conax OPTIONS (DROP profile)');
$cas->restart;
wait_until_open($node);
is($cas->card('100000000019')->{pin}, $pins[2], 'and after a settings error');

my $pid = sender_pid($node, 'main_conax');
$cas->fault('kind=hang-after-body count=1');
reset_pin(20, $pins[3]);
wait_for($node, 'SELECT count(*) = 1 FROM provreq.attempt');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
wait_until_open($node);
is($cas->card('100000000020')->{pin}, $pins[3], 'and after a sender that died');

# ---- A statement that is running

my $session = $node->background_psql('postgres');

$session->query_safe('BEGIN');
$session->query_safe(
	"SELECT number FROM provreq.conax_reset_pin_to_given_value('number=S1',"
	  . " 'serial_number=card1', '$pins[1]')");
unlike(
	$node->safe_psql('postgres',
		"SELECT string_agg(query, ' ') FROM pg_stat_activity"
		  . ' WHERE pid <> pg_backend_pid()'),
	$secret,
	'the statement that gave the PIN does not show it in pg_stat_activity');
$session->query_safe('COMMIT');
$session->quit;
wait_until_open($node);

# ---- What everybody else can see

foreach my $role (qw(reader operator))
{
	my $all = $node->safe_psql('postgres', <<"EOQ");
SET SESSION AUTHORIZATION $role;
SELECT r FROM provreq.request AS r;
SELECT a FROM provreq.attempt AS a;
SELECT provreq.show('number=' || number) FROM provreq.request;
SELECT provreq.list(type => 'UPDATE_CA_PIN_TO_GIVEN_VALUE');
SELECT provreq.preview(number) FROM provreq.request;
SELECT m FROM pg_user_mappings AS m;
EOQ
	my @shown = $all =~ /(.{0,40}$secret.{0,20})/g;

	cmp_ok(length($all), '>', 10_000, "$role reads a lot");
	is("@shown", '', "$role reads no secret");
}

# What a reader's index calls while a superuser maintains it
$node->safe_psql('postgres', <<'EOQ');
CREATE SCHEMA reader AUTHORIZATION reader;
SET SESSION AUTHORIZATION reader;
CREATE FUNCTION reader.spy(bigint) RETURNS text LANGUAGE sql IMMUTABLE
	AS 'SELECT substring(provreq.preview($1) from $x$<NewPin[^>]*>([^<]*)$x$)';
CREATE TABLE reader.bait AS SELECT 1::bigint AS number;
CREATE INDEX ON reader.bait (reader.spy(number));
RESET SESSION AUTHORIZATION;
REINDEX TABLE reader.bait;
EOQ
is( $node->safe_psql(
		'postgres', <<"EOQ"), '0', 'an index shows its owner no PIN');
SET log_min_duration_statement = -1;
SET SESSION AUTHORIZATION reader;
SET enable_seqscan = off;
SELECT count(*) FROM reader.bait WHERE reader.spy(number) = '$pins[0]';
EOQ

# A run with a PIN is refused, and not written down
$node->psql('postgres',
	"SELECT provreq.start_run('reset_pin_to_given_value', 'main_conax',"
	  . " filter => '{}', parameters => '{\"pin\": \"$pins[0]\"}')");
my $shown = $node->safe_psql('postgres', <<"EOQ");
SET SESSION AUTHORIZATION admin;
SELECT provreq.show('number=1'), provreq.preview(1);
EOQ
like($shown, qr/"ca_pin": "$pins[0]"/, 'admin sees the PIN in show()');
like($shown, qr/<NewPin[^>]*>$pins[0]</, 'and in preview()');
unlike($shown, qr/open-sesame/, 'but not the password');

# ---- The log

$node->stop;
my $log = log_of($node);
my @lines = grep { /$secret/ } split /\n/, $log;

cmp_ok(length($log), '>', 50_000, 'the log says a lot');
is(join("\n", @lines), '', 'the log has no secret');
unlike($log, qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
