# The JSON facade on a live system: the procedure waits for the outcome, the
# record says who created and changed a request all its life long, PINs and
# tokens stay secret, and what ends a statement ends a call.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use JSON::PP qw(decode_json);
use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;

my $node = provreq_node('main', conf => <<'EOC');
log_statement = none
log_min_duration_statement = 0
log_min_error_statement = error
log_parameter_max_length = -1
log_parameter_max_length_on_error = -1
track_activity_query_size = 8192
EOC
my $cas = Provreq::Simulator->start;
my $api = 'conax_web_services/provisioning_requests';

fill_directory($node, 100);
create_provider($node, 'main_conax', $cas, timeout => '3s', retry_limit => 3);
$node->safe_psql('postgres', <<'EOQ');
CREATE ROLE crm LOGIN IN ROLE provreq_operator;
INSERT INTO provreq.crm_user (id, username, person_name) VALUES
	('1', 'anna', 'Anna Example'), ('2', 'ben', 'Ben Example');
INSERT INTO provreq.crm_unit (name, group_name) VALUES ('Desk', 'Main'), ('Field', NULL);
EOQ

# Runs a statement as the CRM; output and errors.
sub crm
{
	my ($sql) = @_;
	my ($out, $err);

	$node->psql('postgres', $sql,
		stdout => \$out,
		stderr => \$err,
		extra_params => [ '-U', 'crm' ]);
	return ($out, $err);
}

sub session_of
{
	my ($user, $unit) = @_;
	my ($token) = crm("SELECT provreq.open_session('$user', '$unit')");

	return $token;
}

# The answer to a call as a reference; a procedure's with its limit.
sub call_sync
{
	my ($operation, $body, $limit, $before) = @_;
	my ($out, $err) = crm(($before // '')
		  . "CALL provreq.web_api_sync('POST', '$api/$operation', '$body'"
		  . (defined $limit ? ", \"limit\" => '$limit'" : '') . ')');

	return { error => $err } if $err;
	return decode_json($out);
}

sub call
{
	my ($operation, $body) = @_;
	my ($out, $err) =
	  crm("SELECT provreq.web_api('POST', '$api/$operation', '$body')");

	die $err if $err;
	return decode_json($out);
}

sub card
{
	my ($n, $more) = @_;

	return qq({"subscription_identifier": {"number": "S$n"},)
	  . qq( "smartcard_identifier": {"serial_number": "card$n"})
	  . ($more // '') . '}';
}

sub item
{
	my ($n, $more) = @_;

	return qq({"smartcard_identifier": {"serial_number": "card$n"})
	  . ($more // '') . '}';
}

# "created / updated" of a request, users and units
sub pairs_of
{
	my ($number) = @_;

	return $node->safe_psql('postgres',
		"SELECT concat_ws(' ', created_by_user, created_by_unit, '/',"
		  . ' updated_by_user, updated_by_unit)'
		  . " FROM provreq.request WHERE number = $number");
}

# ---- The procedure waits

my ($out, $err);
my $answer = call_sync('add_subscriptions',
	card(1, ', "service_identifier": {"code": "P1"}'));
is($answer->{status}->{code}, 'OK', 'a request that is carried out');
is($answer->{data}->{life_cycle_state}, 'COMPLETED', 'is answered when it is');
like($answer->{data}->{executed_date},
	qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/, 'with the date');
like($answer->{data}->{request}, qr/card|100000000001/, 'and what was sent');
is(ref $answer->{data}->{log_information}, 'HASH', 'and who did it');

$cas->fault('kind=reject code=CLIENT_NOT_FOUND count=1');
$answer = call_sync('get_active_subscriptions', item(2));
is($answer->{status}->{code}, 'OK', 'a refusal is no error of the call');
is($answer->{data}->{life_cycle_state}, 'REJECTED', 'but in the request');
is($answer->{data}->{provider_error_code},
	'CLIENT_NOT_FOUND', 'with the code of the CAS');

$answer = call_sync('get_active_subscriptions', item(2, ', "process_immediately": true'));
is($answer->{data}->{life_cycle_state}, 'COMPLETED', 'process_immediately');
is($answer->{data}->{process_immediately}, 1, 'is printed as 1');

$answer = call_sync('get_active_subscriptions', item('3x'));
is($answer->{status}->{code}, 'NOT_FOUND', 'an error is answered at once');
is($answer->{data}, undef, 'without data');

$cas->fault('kind=delay delay=2500ms match-card=100000000004 count=1');
$answer = call_sync('get_active_subscriptions', item(4), '50ms');
is($answer->{data}->{life_cycle_state}, 'PENDING', 'not finished in time');
my $late = $answer->{data}->{number};
wait_for($node, "SELECT life_cycle_state = 'COMPLETED' FROM provreq.request"
	  . " WHERE number = $late");
$cas->fault('kind=delay delay=2500ms match-card=100000000004 count=1');
$answer = call_sync('get_active_subscriptions', item(4), undef,
	"SET provreq.web_api_timeout = '50ms';");
is($answer->{data}->{life_cycle_state}, 'PENDING', 'nor within the setting');
wait_until_idle($node);

$answer = call_sync('get_active_subscriptions',
	item(5, ', "scheduled_date": "2200-01-02T03:04:05"'), '1 day');
is($answer->{data}->{life_cycle_state}, 'PENDING', 'scheduled for later: no wait');
my $scheduled = $answer->{data}->{number};

$cas->fault('kind=carry-out-no-answer match-op=SendMailMessageToClients count=1');
$answer = call_sync('send_mail_message', item(6, ', "message": "hello"'), '1 day');
is($answer->{data}->{life_cycle_state}, 'PENDING', 'one that is held: no longer');
$node->safe_psql('postgres',
	"SELECT provreq.cancel($answer->{data}->{number}, 'test')");

($answer) = crm(<<"EOQ");
CREATE TEMP TABLE made AS SELECT jsonb_agg(provreq.web_api('POST',
	'$api/get_active_subscriptions', format('{"smartcard_identifier":'
		' {"serial_number": "card%s"}}', i)::jsonb) -> 'data') AS data
	FROM generate_series(10, 12) AS i;
DO \$\$ BEGIN
	PERFORM provreq.web_api_await(provreq.web_api_due(data, now() + interval '1 day'),
		now() + interval '1 day') FROM made;
END \$\$;
SELECT string_agg(o ->> 'life_cycle_state', ' ') FROM made, jsonb_array_elements(
	provreq.web_api_answer(data, provreq.web_api_due(data, now() + interval '1 day'))) AS o;
EOQ
is($answer, 'COMPLETED COMPLETED COMPLETED', 'several at once');
$answer = call_sync('get_active_subscriptions', item(7), undef,
	"SET default_transaction_isolation = 'serializable';");
is($answer->{data}->{life_cycle_state}, 'COMPLETED', 'under serializable');
$answer = call_sync('get_active_subscriptions', item(7), undef, 'BEGIN;');
like($answer->{error}, qr/invalid transaction termination/, 'not in a block');
is($node->safe_psql('postgres', 'SELECT count(*) FROM provreq.request_pending'),
	1, 'which leaves nothing behind');

# ---- The other two systems, and several requests of one call

my $nagra = Provreq::Simulator->start(kind => 'nagravision');
my $nds = Provreq::Simulator->start(kind => 'nds', key => 'correct horse');
create_provider($node, 'main_nagra', $nagra);
create_provider($node, 'main_nds', $nds);
$node->safe_psql('postgres', <<'EOQ');
INSERT INTO provreq.installed_item (serial_number, subscription_id, classification, ca_id)
	SELECT 'second' || substr(number, 2), id, 'SMARTCARD',
		(200000000000 + substr(number, 2)::bigint)::text
	FROM provreq.subscription WHERE number IN ('S20', 'S21');
EOQ
($out, $err) = crm("CALL provreq.web_api_sync('POST',"
	  . " 'nagravision/provisioning_requests/add_enhanced_list_of_products', '"
	  . card(20, ', "services_set": [{"service_identifier": {"code": "P1"}},'
		  . ' {"service_identifier": {"code": "P2"}}]') . "')");
$answer = decode_json($out);
is($answer->{data}->{life_cycle_state}, 'COMPLETED', 'Nagravision');
is(scalar(grep { defined $_->{service_ca_id} } @{ $answer->{data}->{parameters_set} }),
	2, 'with both services');
($out, $err) = crm("CALL provreq.web_api_sync('POST',"
	  . " 'nds/provisioning_requests/set_user_parameters',"
	  . q[ '{"smartcard_identifier": "100000000020", "new_pin": "4711"}')]);
$answer = decode_json($out);
is($answer->{data}->{life_cycle_state}, 'COMPLETED', 'NDS, a card by its CA ID');
unlike($out, qr/\bN?4711\b/, 'whose PIN is not shown');
($out, $err) = crm("CALL provreq.web_api_sync('POST',"
	  . " 'nds/provisioning_requests/reauthorise_all_services',"
	  . q[ '{"subscription_identifier": {"number": "S21"}}')]);
$answer = decode_json($out);
is(join(' ', map { "$_->{type} $_->{life_cycle_state}" } @{ $answer->{data} }),
	join(' ', ('REAUTHORISE_ALL_SERVICES COMPLETED') x 2),
	'NDS, all cards of a subscription');

# ---- Who created and who changed it

my $anna = session_of('anna', 'Desk');
my $ben = session_of('ben', 'Field');

$answer = call('get_active_subscriptions',
	item(8, qq(, "token": "$anna", "scheduled_date": "2200-01-02T03:04:05")));
my $number = $answer->{data}->{number};
my $log = $answer->{data}->{log_information};
is($log->{created_by_user}->{person_name}, 'Anna Example', 'the creator');
is($log->{updated_by_unit}->{group_name}, 'Main', 'and her unit');
is(pairs_of($number), 'anna Desk / anna Desk', 'created in a session');
crm("BEGIN; SELECT provreq.use_session('$ben');"
	  . "SELECT provreq.resubmit($number); COMMIT");
is(pairs_of($number), 'anna Desk / ben Field', 'resubmitted in another one');
$cas->fault('kind=reject code=SYSTEM_ERROR match-card=100000000008 count=1');
$node->safe_psql('postgres',
	"UPDATE provreq.request SET scheduled_date = now() WHERE number = $number");
wait_for($node,
	"SELECT attempt_log->1->>'verdict' = 'RETRY' FROM provreq.request WHERE number = $number");
wait_for($node, "SELECT life_cycle_state = 'COMPLETED' FROM provreq.request"
	  . " WHERE number = $number");
is(pairs_of($number), 'anna Desk / provreq_worker', 'carried out by a sender');

$log = call_sync('get_active_subscriptions', item(8, qq(, "token": "$anna")))
  ->{data}->{log_information};
is($log->{created_by_business_unit}->{name}, 'Desk', 'at the first attempt');
is($log->{updated_by_user}->{username}, 'provreq_worker', 'the sender');
is($log->{updated_by_unit}, undef, 'which has no unit');

$cas->fault('kind=carry-out-no-answer match-op=SendMailMessageToClients count=1');
$number = call('send_mail_message',
	item(9, qq(, "token": "$anna", "message": "hello")))->{data}->{number};
wait_for($node, 'SELECT hold_reason IS NOT NULL FROM provreq.request'
	  . " WHERE number = $number");
is(pairs_of($number), 'anna Desk / provreq_worker', 'held by a sender');
crm("BEGIN; SELECT provreq.use_session('$ben');"
	  . "SELECT provreq.cancel($number, 'enough'); COMMIT");
is(pairs_of($number), 'anna Desk / ben Field', 'cancelled in a session');
crm("SELECT provreq.cancel($scheduled, 'enough')");
is(pairs_of($scheduled), 'crm / crm', 'and without one');

my ($short) = crm("SELECT provreq.open_session('anna', valid_for => '1 second')");
wait_until('the session expires',
	sub {
		call('get_active_subscriptions', item(9, qq(, "token": "$short")))
		  ->{status}->{code} eq 'INVALID_TOKEN';
	});
session_of('anna', 'Desk');
is( $node->safe_psql('postgres',
		'SELECT count(*) FROM provreq.session WHERE expires_date < now()'),
	0,
	'and is removed when the next one is opened');
wait_until_idle($node);

# ---- What ends a statement ends the call, and nothing else does

my $blocker = $node->background_psql('postgres');
$blocker->query_safe('BEGIN');
$blocker->query_safe('LOCK TABLE provreq.installed_item IN ACCESS EXCLUSIVE MODE');
my $get = "SELECT provreq.web_api('POST', '$api/get_active_subscriptions',"
  . "'" . item(1) . "')";
($out, $err) = crm("SET statement_timeout = '100ms'; $get");
like($err, qr/canceling statement due to statement timeout/, 'a timeout goes through');
($out, $err) = crm("SET lock_timeout = '100ms'; $get");
is(decode_json($out)->{status}->{code}, 'INTERNAL_ERROR', 'a lock that is not got');
is(decode_json($out)->{status}->{message},
	'canceling statement due to lock timeout', 'does not');
($out, $err) = crm("SET lock_timeout = '100ms'; BEGIN; $get;"
	  . "SELECT txid_current_if_assigned() IS NULL, 'still here'; COMMIT");
like($out, qr/^t\|still here$/m, 'and leaves the transaction usable');
my ($pin, $pin2) = ('86427531', '97538642');
$node->safe_psql('postgres',
	'UPDATE provreq.wire_profile SET document ='
	  . " jsonb_set(document, '{pin_digits}', '{\"min\": 8, \"max\": 8}')");
my $set_pin = sub {
	my ($card, $value, $more) = @_;
	return "'POST', '$api/reset_pin_to_given_value', '"
	  . card($card, qq(, "pin": "$value", "token": "$anna") . ($more // ''))
	  . "'";
};
($out, $err) = crm("SET statement_timeout = '100ms';"
	  . 'DO $$ BEGIN PERFORM provreq.web_api('
	  . $set_pin->(11, $pin) . '); END $$');
like($err, qr/statement timeout/, 'a timeout with a PIN on its way');
unlike($err, qr/$pin|$anna/, 'shows no secret');
($out, $err) = crm("SET statement_timeout = '100ms';"
	  . "DO \$\$ BEGIN PERFORM provreq.web_api('POST', '$api/get_active_subscriptions', '"
	  . item(11, qq(, "token": "$anna"))
	  . "'); END \$\$");
like($err, qr/statement timeout/, 'a timeout with a token on its way');
unlike($err, qr/$anna/, 'shows it neither');
my $waiting = $node->background_psql('postgres', on_error_stop => 0);
$waiting->query_until(qr/started/,
	"\\echo started\nSELECT provreq.web_api(" . $set_pin->(12, $pin) . ");\n");
wait_for($node,
	"SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
	  . " AND query = 'provreq.web_api: statement hidden, it may hold a secret'");
unlike(
	$node->safe_psql('postgres',
		"SELECT string_agg(query, ' ') FROM pg_stat_activity"
		  . ' WHERE pid <> pg_backend_pid()'),
	qr/$pin|$anna/,
	'pg_stat_activity shows no secret');
$blocker->query_safe('COMMIT');
$blocker->quit;
$waiting->quit;

# ---- Secrets

my @bad = ('"colour": 1', '"provider": "nowhere"', '"udf_float_1": "x"', '"priority": "SOON"');
foreach my $more (@bad)
{
	($out, $err) = crm('SELECT provreq.web_api(' . $set_pin->(13, $pin2, ", $more") . ')');
	like($out, qr/"code": "[A-Z]+_[A-Z]+"/, "an error with $more");
	unlike($out . $err, qr/$pin2|$anna/, 'shows no secret');
}
($out, $err) = crm('CALL provreq.web_api_sync(' . $set_pin->(14, $pin2) . ')');
like($out, qr/"COMPLETED"/, 'a PIN that arrives');
unlike($out, qr/$pin2|$anna/, 'is not in the answer');
is($cas->card('100000000014')->{pin}, $pin2, 'as it was given');
($out, $err) = crm('BEGIN; CALL provreq.web_api_sync(' . $set_pin->(14, $pin) . ')');
like($err, qr/invalid transaction termination/, 'a procedure that cannot commit');
crm("SELECT provreq.web_api('GET', '$api/list?type=CREATE_PAIRING&token=$anna')");
crm("SELECT provreq.web_api('GET', '$api/list?type=CREATE_PAIRING&%74oken=$anna')");
crm("SELECT provreq.use_session('$anna'), 1 / (random() * 0)::int");
crm("SELECT provreq.close_session('$ben'), 1 / (random() * 0)::int");
wait_until_idle($node);

# ---- A dump has users and units, and no sessions

my $dump = "$PostgreSQL::Test::Utils::tmp_check/web_api.sql";
$node->command_ok([ 'pg_dump', '-f', $dump, 'postgres' ], 'pg_dump');
my $dumped = slurp_file($dump);
like($dumped, qr/^1\tanna\tAnna Example\t/m, 'users are dumped');
like($dumped, qr/\tDesk\tMain\t/, 'and units');
unlike($dumped, qr/COPY provreq\.session/, 'sessions are not');

$node->stop;
my @lines = grep { /$pin|$pin2|$anna|$ben/ } split /\n/, log_of($node);
is(join("\n", @lines), '', 'the log has no secret');
like(log_of($node), qr/web_api answered INTERNAL_ERROR: canceling statement due to lock timeout/,
	'but what nobody foresaw');
unlike(log_of($node), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
