# With a synchronous standby, a primary that dies under load loses nothing:
# after promotion every request that its creator was told of ends COMPLETED,
# REJECTED or held, and none that must not be repeated is sent twice.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use IPC::Run;
use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;

my $sessions = 4;
my $each = 25;					# cards of a session
my $cas = Provreq::Simulator->start(arguments => [ '--threads', 2 ]);
my $primary = provreq_node(
	'primary',
	init => [ allows_streaming => 1 ],
	# the 1 MB of a test server that may have standbys is not enough
	conf => "synchronous_commit = on\nshared_buffers = 32MB\n");

fill_directory($primary, $sessions * $each);
create_provider($primary, 'main_conax', $cas, timeout => '2s');

my $standby = PostgreSQL::Test::Cluster->new('standby');

$primary->backup('base');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->append_conf('postgresql.conf',
	"synchronous_standby_names = 'standby'");
$primary->reload;
wait_for($primary,
	"SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'");
is( $standby->safe_psql('postgres',
		"SELECT count(*) FROM pg_stat_activity"
		  . " WHERE backend_type LIKE 'provreq %'"),
	0,
	'nothing runs on the standby');

# ---- Load: each session for its own cards, one request a transaction

my $dir = PostgreSQL::Test::Utils::tempdir();

# Services come and go on a card, and every third request is a message that
# must not be shown twice.
sub script
{
	my ($session) = @_;
	my $script = '';

	foreach my $i (0 .. 3999)
	{
		my $card = $session * $each + 1 + $i % $each;
		my $smartcard = "'serial_number=card$card'";
		my $call =
		    $i % 3 == 0 ? "send_mail_message($smartcard, 'number $i')"
		  : $i % 3 == 1
		  ? "add_subscriptions('number=S$card', 'code=P1', $smartcard)"
		  : "cancel_subscriptions('number=S$card', 'code=P1', $smartcard)";

		$script .= "SELECT number FROM provreq.conax_$call;\n";
	}
	return $script;
}

my @load;

foreach my $session (0 .. $sessions - 1)
{
	append_to_file("$dir/in$session", script($session));
	push @load,
	  IPC::Run::start(
		[
			'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d',
			$primary->connstr('postgres'), '-f', "$dir/in$session"
		],
		'<', '/dev/null',
		'>', "$dir/out$session",
		'2>', "$dir/err$session");
}

# Some answers are slow and some never come, so that requests of every kind
# are under way when it happens.
$cas->fault(
	'kind=delay delay=30ms probability=0.3',
	'kind=carry-out-no-answer probability=0.01',
	'kind=close-after-body probability=0.01');
wait_for(
	$primary,
	'SELECT (SELECT count(*) FROM provreq.request_closed) > 500'
	  . ' AND (SELECT count(*) FROM provreq.attempt) > 4');
$primary->stop('immediate');
$_->finish foreach @load;

my @acknowledged =
  map { split /\n/, slurp_file("$dir/out$_") } 0 .. $sessions - 1;

cmp_ok(scalar(@acknowledged), '>', 500, 'requests were created');
cmp_ok(scalar(@acknowledged), '<', 4000 * $sessions,
	'and more were on their way when the primary died');

# ---- Promotion

my $sent = scalar($cas->ledger);
my $offset = -s $standby->logfile;

$standby->append_conf('postgresql.conf', "synchronous_standby_names = ''");
$standby->reload;
is($standby->safe_psql('postgres', 'SELECT provreq.is_home()'),
	't', 'a standby is no copy');
$standby->promote;
$cas->clear_faults;
wait_for_sender($standby, 'main_conax');
wait_for_message($standby, qr/attempt\(s\) of provider "main_conax" were in doubt/,
	$offset);
pass('the sender of the new primary finds attempts in doubt');

# What follows a held message waits behind it, so people decide.
wait_for($standby, <<'EOQ');
SELECT NOT EXISTS (
	SELECT FROM provreq.request_pending AS p
	WHERE hold_reason IS NULL AND NOT EXISTS (
		SELECT FROM provreq.request_pending AS h
		WHERE h.hold_reason IS NOT NULL AND h.number < p.number
		AND h.ordering_keys && p.ordering_keys))
EOQ
is( $standby->safe_psql('postgres',
		'SELECT string_agg(DISTINCT type, $$ $$) FROM provreq.request'
		  . ' WHERE hold_reason IS NOT NULL'),
	'SEND_MAIL_MESSAGE_TO_CLIENT',
	'held is only what must not be repeated');
ledger_agrees($standby, $cas, 'nothing was lost, doubled or overtaken',
	pending => 1);
cmp_ok(scalar($cas->ledger), '>', $sent, 'the new primary sends');

# ---- People decide: cancelled, and the rest goes

wait_until(
	'everything is closed',
	sub {
		$standby->safe_psql('postgres',
			"SELECT provreq.cancel(number, 'shown already')"
			  . ' FROM provreq.request_pending WHERE hold_reason IS NOT NULL');
		$standby->safe_psql('postgres',
			'SELECT count(*) FROM provreq.request_pending') == 0;
	});
ledger_agrees($standby, $cas, 'nor after people have decided');

my %there = map { $_ => 1 } split /\n/,
  $standby->safe_psql('postgres', 'SELECT number FROM provreq.request');
is(scalar(grep { !$there{$_} } @acknowledged),
	0, 'every request that its creator was told of is there');

$standby->stop;
unlike(log_of($standby), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
