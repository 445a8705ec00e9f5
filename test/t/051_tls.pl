# A provider that cannot be trusted, or does not trust us, gets nothing: no
# message arrives, the request stays pending without an attempt, the log and
# pg_stat_activity say why, and once the settings are right it goes out.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use Test::More;

my $node = provreq_node('tls');
my $tls = make_certificates();
my $stranger = make_certificates();
my $card = 0;

fill_directory($node, 50);

# A certificate that has expired, by an authority that is trusted.
sub expired_certificate
{
	my $dir = PostgreSQL::Test::Utils::tempdir('expired');
	my $ca = $tls->{ca} =~ s/\.crt$//r;
	my ($out, $err);

	append_to_file("$dir/index.txt", '');
	append_to_file("$dir/ca.cnf", <<"EOC");
[ca]
default_ca = the_ca
[the_ca]
dir = $dir
new_certs_dir = $dir
database = $dir/index.txt
rand_serial = yes
default_md = sha256
policy = anything
x509_extensions = names
unique_subject = no
[anything]
commonName = supplied
[names]
subjectAltName = DNS:localhost,IP:127.0.0.1
EOC
	foreach my $command (
		[
			qw(req -new -newkey rsa:2048 -nodes -subj /CN=expired),
			'-keyout', "$dir/expired.key",
			'-out', "$dir/expired.csr"
		],
		[
			qw(ca -batch -notext),
			'-startdate', '20200101000000Z',
			'-enddate', '20200102000000Z',
			'-config', "$dir/ca.cnf",
			'-cert', $tls->{ca},
			'-keyfile', "$ca.key",
			'-in', "$dir/expired.csr",
			'-out', "$dir/expired.crt"
		])
	{
		IPC::Run::run([ 'openssl', @$command ], '>', \$out, '2>', \$err)
		  or die "openssl @$command: $err";
	}
	return {
		ca => $tls->{ca},
		server => "$dir/expired.crt",
		server_key => "$dir/expired.key",
		wrong => $tls->{wrong},
		wrong_key => $tls->{wrong_key}
	};
}

# Makes requests for a provider that nothing can be sent to, watches that
# nothing is, puts it right, and sees them through.  reason: what the log has
# to say; right: the SQL that puts it right; right_cas: where they go then;
# wrong_lines: messages that the wrong side may have seen.
sub check_refused
{
	my ($name, $cas, %case) = @_;
	my $provider = $case{provider};
	my $right_cas = $case{right_cas} || $cas;
	my @numbers;

	push @numbers,
	  create_request($node, $_, ++$card, provider => $provider)
	  foreach qw(ADD_SUBSCRIPTIONS SEND_BARK_MESSAGE_TO_CLIENT);
	wait_for_message($node,
		qr/provider "$provider" is out of reach: .*$case{reason}/);
	pass("$name: the log says why");
	wait_for($node, <<"EOQ");
SELECT count(*) = 1 FROM pg_stat_activity
WHERE application_name = 'provreq sender $provider'
AND query LIKE '%provider out of reach; 2 waiting%'
EOQ
	pass("$name: pg_stat_activity says that requests wait");
	is( $node->safe_psql('postgres', <<"EOQ"), '2|0|', "$name: both are pending, without an attempt");
SELECT count(*), sum(attempts), min(hold_reason) FROM provreq.request_pending
WHERE provider = '$provider'
EOQ
	is(scalar($cas->ledger), $case{wrong_lines} || 0,
		"$name: nothing was sent")
	  unless $case{any_lines};
	$node->safe_psql('postgres', $case{right});
	is(wait_for_end($node, $_)->{life_cycle_state},
		'COMPLETED', "$name: it goes out when that is put right")
	  foreach @numbers;
	is(request_row($node, $_)->{attempts}, 1, "$name: ... in one attempt")
	  foreach @numbers;
	is($node->safe_psql('postgres', <<"EOQ"), '', "$name: nothing else is waiting");
SELECT number FROM provreq.request_pending
EOQ
	ledger_agrees($node, $right_cas, "$name: ledger and table agree",
		provider => $provider)
	  unless $case{any_lines};
	$node->safe_psql('postgres',
		"ALTER SERVER $provider OPTIONS (ADD state 'not_effective')");
	return;
}

# A provider for a case; the options are those of create_provider().
sub provider_for
{
	my ($name, $cas, %option) = @_;

	create_provider($node, $name, $cas, retry_delay => '20ms', %option);
	return (provider => $name);
}

# ---------------------------------------------- a server not to be trusted

my $cas = Provreq::Simulator->start(tls => $tls);

check_refused(
	'wrong authority', $cas,
	provider_for('wrong_ca', $cas, ca_file => $stranger->{ca}),
	reason => qr/certificate/i,
	right => "ALTER SERVER wrong_ca OPTIONS (SET ca_file '$tls->{ca}')");
$cas->stop;

$cas = Provreq::Simulator->start(tls => $tls);
check_refused(
	'unknown authority', $cas,
	provider_for('no_ca', $cas, ca_file => undef),
	reason => qr/certificate/i,
	right => "ALTER SERVER no_ca OPTIONS (ADD ca_file '$tls->{ca}')");
$cas->stop;

# The certificate is for elsewhere.invalid.
my $elsewhere = Provreq::Simulator->start(tls =>
	  { %$tls, server => $tls->{wrong}, server_key => $tls->{wrong_key} });

$cas = Provreq::Simulator->start(tls => $tls);
check_refused(
	'wrong host name', $elsewhere,
	provider_for('wrong_name', $elsewhere),
	reason => qr/certificate|subject/i,
	right => "ALTER SERVER wrong_name OPTIONS (SET url '" . $cas->url . "')",
	right_cas => $cas);
is(scalar($elsewhere->ledger), 0, 'wrong host name: nor later');
$elsewhere->stop;
$cas->stop;

my $expired = Provreq::Simulator->start(tls => expired_certificate());

$cas = Provreq::Simulator->start(tls => $tls);
check_refused(
	'expired certificate', $expired,
	provider_for('expired', $expired),
	reason => qr/expired/i,
	right => "ALTER SERVER expired OPTIONS (SET url '" . $cas->url . "')",
	right_cas => $cas);
$expired->stop;
$cas->stop;

# --------------------------------------------------------------- plain text

my $plain = Provreq::Simulator->start;
my $url = $plain->url;

sqlstate_is(
	$node,
	'CREATE SERVER plain FOREIGN DATA WRAPPER conax_web_services'
	  . " OPTIONS (url '$url')",
	'22023',
	'plain http is refused without allow_plaintext');
create_provider($node, 'plain', $plain);
sqlstate_is(
	$node,
	'ALTER SERVER plain OPTIONS (DROP allow_plaintext)',
	'22023', '... also afterwards');
$node->safe_psql('postgres',
	"ALTER SERVER plain OPTIONS (ADD state 'not_effective')");

# https to a port that speaks plain http
$cas = Provreq::Simulator->start(tls => $tls);
$url =~ s/^http:/https:/;
check_refused(
	'no TLS at the other end', $plain,
	provider_for(
		'no_tls', $cas, url => $url),
	reason => qr/SSL|TLS/i,
	right => "ALTER SERVER no_tls OPTIONS (SET url '" . $cas->url . "')",
	right_cas => $cas);
$plain->stop;
$cas->stop;

# --------------------------------------------------- who does not trust us

# A TLS server that wants a certificate of its clients and answers nobody.
sub start_gate
{
	my (@arguments) = @_;
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $log = PostgreSQL::Test::Utils::tempdir_short() . '/gate';
	my $nothing = '';
	my $gate = IPC::Run::start(
		[
			qw(openssl s_server -Verify 2 -verify_return_error -naccept 100000),
			'-accept', $port,
			'-cert', $tls->{server},
			'-key', $tls->{server_key},
			'-CAfile', $tls->{ca},
			@arguments
		],
		'<', \$nothing, '>', $log, '2>', "$log.errors");

	wait_until('the gate is open', sub { slurp_file($log) =~ /^ACCEPT/m });
	return ($gate, "https://127.0.0.1:$port");
}

my $certificate =
  "ADD client_cert '$tls->{client}', ADD client_key '$tls->{client_key}'";

$cas = Provreq::Simulator->start(tls => $tls, client_ca => 1);
my ($gate, $gate_url) = start_gate('-no_tls1_3');

check_refused(
	'no client certificate', $cas,
	provider_for('no_client', $cas, url => $gate_url),
	reason => qr/handshake|certificate/i,
	right => "BEGIN; ALTER SERVER no_client OPTIONS (SET url '"
	  . $cas->url
	  . "'); ALTER USER MAPPING FOR provreq_worker SERVER no_client"
	  . " OPTIONS ($certificate); COMMIT");
$gate->kill_kill;

# With TLS 1.3 a client learns of it after it has sent its first bytes: who
# cannot tell these alerts from others is in doubt, but nothing is lost or
# sent twice.
($gate, $gate_url) = start_gate('-tls1_3');
provider_for('no_client_13', $cas, url => $gate_url, retry_limit => 1000);
my @numbers = map { create_request($node, $_, ++$card, provider => 'no_client_13') }
  qw(ADD_SUBSCRIPTIONS SEND_BARK_MESSAGE_TO_CLIENT);
wait_for_message($node,
	qr/provider "no_client_13" is out of reach: .*certificate required/);
is( $node->safe_psql(
		'postgres',
		"SELECT count(*) FROM provreq.request_pending WHERE provider = 'no_client_13'"
	),
	2,
	'TLS 1.3, no client certificate: both are pending');
$node->safe_psql('postgres',
		"BEGIN; ALTER SERVER no_client_13 OPTIONS (SET url '"
	  . $cas->url
	  . "'); ALTER USER MAPPING FOR provreq_worker SERVER no_client_13"
	  . " OPTIONS ($certificate); COMMIT");
wait_until_open($node);
$node->safe_psql('postgres',
	'SELECT provreq.resubmit(number) FROM provreq.request_pending');
foreach my $number (@numbers)
{
	is(wait_for_end($node, $number)->{life_cycle_state},
		'COMPLETED', 'TLS 1.3, no client certificate: goes out later');
	is(scalar($cas->messages($number)), 1, '... once');
}
$gate->kill_kill;
$cas->stop;

$cas =
  Provreq::Simulator->start(tls => $tls, user => 'crm', password => 'right');
$cas->{password} = 'wrong';
provider_for('no_password', $cas);
check_refused(
	'wrong password', $cas,
	provider => 'no_password',
	any_lines => 1,
	reason => qr/401/,
	right => 'ALTER USER MAPPING FOR provreq_worker SERVER no_password'
	  . " OPTIONS (SET password 'right')");
is((grep { $_->{carried_out} } $cas->ledger),
	2, 'wrong password: each was carried out once');
$cas->stop;

# ----------------------------------------------------------------- redirect

my $trap = Provreq::Simulator->start(tls => $tls);

$cas = Provreq::Simulator->start(tls => $tls);
foreach my $status (301, 302, 303, 307, 308)
{
	$cas->clear_faults;
	$cas->fault("kind=redirect status=$status location="
		  . $trap->url
		  . '/ca-server/webservices/client/authorization');
	check_refused(
		"redirect $status", $cas,
		provider_for("redirect_$status", $cas),
		any_lines => 1,
		reason => qr/$status/,
		right => "ALTER SERVER redirect_$status OPTIONS (SET url '"
		  . $trap->url . "')");
	is((grep { $_->{carried_out} } $cas->ledger),
		0, "redirect $status: nothing was carried out there");
	is(scalar(grep { $_->{sequence} eq '-' } $trap->ledger),
		0, "redirect $status: nor was it followed");
}
$trap->stop;
$cas->stop;

done_testing();
