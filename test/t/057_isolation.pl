# P6: one provider hangs, one refuses connections, one does not even answer
# to them, and so do gateways on framed TCP; the requests of another one all
# complete meanwhile, as quickly as ever, and the others use nothing up.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use IO::Socket::INET;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use Test::More;
use Time::HiRes qw(time);

# Answers are waited for as long as may be, also by a sender that stops.
my $node = provreq_node('isolation',
	conf => "provreq.shutdown_grace = 10min\n");
my $hangs = Provreq::Simulator->start(fault => ['kind=hang-after-body']);
my $refuses = Provreq::Simulator->start(fault => ['kind=refuse']);
my $works = Provreq::Simulator->start;
my $mute = Provreq::Simulator->start(
	kind => 'nagravision',
	fault => ['kind=hang-after-body match-op=PinClear']);
my $shut = Provreq::Simulator->start(kind => 'nds', fault => ['kind=refuse']);
my $count = 500;
my @bad = qw(hangs refuses silent mute shut);

fill_directory($node, $count, card_step => 100);

# Nobody takes the connections of this one, and its queue of them is full.
my $silent = IO::Socket::INET->new(
	LocalAddr => '127.0.0.1',
	Listen => 1,
	Proto => 'tcp') or die "could not listen: $!";
my @callers = map {
	IO::Socket::INET->new(
		PeerAddr => '127.0.0.1',
		PeerPort => $silent->sockport,
		Proto => 'tcp',
		Blocking => 0)
} 1 .. 8;

create_provider($node, 'works', $works);
create_provider($node, 'hangs', $hangs, timeout => '10min');
create_provider($node, 'refuses', $refuses);
create_provider(
	$node, 'silent', $works,
	url => 'http://127.0.0.1:' . $silent->sockport,
	connect_timeout => '10min',
	timeout => '10min');
create_provider($node, 'mute', $mute, timeout => '10min',
	checks_at_start => 0, heartbeat => '10min');
create_provider($node, 'shut', $shut);

# What a provider's requests are made with, for card i.
my %call = (
	mute => q{nagravision_clear_pin('number=S' || i, 'serial_number=card' || i, },
	shut => q{nds_set_user_parameters('number=S' || i,
		smartcard_identifier => 'serial_number=card' || i, reset_pin => true, },
	map {
		$_ => q{conax_add_subscriptions('number=S' || i, 'code=P1',
			'serial_number=card' || i, }
	} qw(hangs refuses silent works));

# All in one transaction, those for the bad ones first.
sub create_for
{
	my (@providers) = @_;

	$node->safe_psql('postgres', join ' ', 'BEGIN;',
		(
			map { "SELECT count(r) FROM generate_series(1, $count) AS i,"
				  . " LATERAL provreq.$call{$_} provider => '$_') AS r;"
			} @providers
		),
		'COMMIT;');
	return;
}

# Seconds from creation to the end of the last request of the good provider
# since a number.
sub slowest
{
	my ($after) = @_;

	wait_for($node,
		"SELECT NOT EXISTS (SELECT FROM provreq.request_pending WHERE provider = 'works')"
	);
	return $node->safe_psql('postgres', <<"EOQ");
SELECT extract(epoch FROM max(closed_date) - min(created_date))
FROM provreq.request WHERE provider = 'works' AND number > $after
EOQ
}

# The median of the seconds that requests take which are created one after the
# other; for so many seconds, and some of them at least.
sub median_latency
{
	my ($seconds) = @_;
	my $end = time() + $seconds;
	my @took;

	while (@took < 50 || time() < $end)
	{
		my $began = time();
		my $number = create_request($node, 'ADD_SUBSCRIPTIONS', 1 + @took % $count,
			provider => 'works');

		ask($node, "SELECT provreq.wait_for($number, '10 minutes')");
		push @took, time() - $began;
	}
	@took = sort { $a <=> $b } @took;
	return $took[ @took / 2 ];
}

# The processor time that the sender of a provider has had, in seconds.
sub processor_time
{
	my ($provider) = @_;
	my $stat = slurp_file('/proc/' . wait_for_sender($node, $provider) . '/stat');
	my ($times) = $stat =~ /\) \S (.*)/;
	my @field = split / /, $times;

	return ($field[10] + $field[11]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

create_for('works');
my $alone = slowest(0);
my $median_alone = median_latency(1);
my $first = 1 + ask($node, 'SELECT max(number) FROM provreq.request');

create_for(@bad, 'works');
my $together = slowest($first - 1);

note("$count requests: $alone s alone, $together s beside the others");
is( $node->safe_psql('postgres', <<"EOQ"), $count, 'the requests of the good provider complete');
SELECT count(*) FROM provreq.request WHERE number >= $first
AND provider = 'works' AND life_cycle_state = 'COMPLETED' AND attempts = 1
EOQ
foreach my $provider (@bad)
{
	is( $node->safe_psql('postgres', <<"EOQ"), $count, "... while all of \"$provider\" wait");
SELECT count(*) FROM provreq.request_pending
WHERE provider = '$provider' AND attempts = 0 AND hold_reason IS NULL
EOQ
}

# Loaded senders share the processors with it, no more: nothing like the ten
# minutes of a time-out.
cmp_ok($together, '<=', 20 * $alone + 20, 'its requests take about as long');

# New ones go at once as well, also with a new statement for the others.
create_for(@bad);
add_subscriptions($node, 1, $count, provider => 'works');
slowest($first + $count);

# When each has met its trouble, one at a time takes as long as before, and
# those who wait or probe use next to nothing.
wait_for_message($node, qr/provider "$_" is out of reach/)
  foreach qw(refuses shut);
wait_until('those that hang have something to wait for',
	sub { $_->status->{received} }) foreach $hangs, $mute;
my %before = map { $_ => processor_time($_) } @bad;
my $began = time();
my $median = median_latency(3);
my $elapsed = time() - $began;

note("the median: $median_alone s alone, $median s beside the others");
cmp_ok($median, '<=', 20 * $median_alone + 0.5,
	'one at a time takes as long as ever');
foreach my $provider (@bad)
{
	cmp_ok(processor_time($provider) - $before{$provider},
		'<=', 0.1 * $elapsed, "the sender of \"$provider\" leaves the processor to others");
}
ledger_agrees($node, $works, 'ledger and table agree', provider => 'works');

# P5: no transaction is open while one waits for the network.
is( ask($node, <<'EOQ'), '3|0', 'who waits for an answer has no transaction open');
SELECT count(*), count(coalesce(xact_start::text, backend_xmin::text, backend_xid::text))
FROM pg_stat_activity WHERE application_name
	IN ('provreq sender hangs', 'provreq sender silent', 'provreq sender mute')
EOQ

# A sender that stops waits for its answers, and nobody waits for it: another
# provider comes, works, and goes.
my $stopping = sender_pid($node, 'mute');

$node->safe_psql('postgres', "ALTER SERVER mute OPTIONS (ADD state 'not_effective')");
wait_for($node, "SELECT query LIKE 'stopping%' FROM pg_stat_activity WHERE pid = $stopping");
create_provider($node, 'new', $works);
wait_for_end($node,
	create_request($node, 'ADD_SUBSCRIPTIONS', 1, provider => 'new'));
$node->safe_psql('postgres', 'DROP SERVER new CASCADE');
wait_until('its sender has left', sub { !sender_pid($node, 'new') });
is(sender_pid($node, 'mute'), $stopping,
	'a provider comes and goes while the sender of another one stops');

# DDL on a bad one does not wait for it, and the bad ones recover.
foreach my $gateway ($hangs, $mute)
{
	delete $gateway->{fault};
	$gateway->restart;
}
$_->clear_faults foreach $refuses, $shut;
$node->safe_psql('postgres', "ALTER SERVER mute OPTIONS (SET state 'effective')");
$node->safe_psql('postgres',
	"ALTER SERVER silent OPTIONS (SET url '" . $works->url . "')");
pass('DDL on a provider that hangs does not wait');
wait_for($node,
	"SELECT NOT EXISTS (SELECT FROM provreq.request_pending WHERE provider <> 'silent')"
);
is( $node->safe_psql('postgres', <<'EOQ'), 8 * $count, 'the others complete when they are well again');
SELECT count(*) FROM provreq.request
WHERE provider IN ('hangs', 'refuses', 'mute', 'shut')
AND life_cycle_state = 'COMPLETED'
EOQ
$node->stop('immediate');

done_testing();
