# P6: one provider hangs, one refuses connections, one does not even answer
# to them; the requests of another one all complete meanwhile, as quickly as
# ever.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use Test::More;

my $node = provreq_node('isolation');
my $hangs = Provreq::Simulator->start(fault => ['kind=hang-after-body']);
my $refuses = Provreq::Simulator->start(fault => ['kind=refuse']);
my $works = Provreq::Simulator->start;
my $count = 500;

fill_directory($node, $count);

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

# All in one transaction, those for the bad ones first.
sub create_for
{
	my (@providers) = @_;

	$node->safe_psql('postgres', join ' ', 'BEGIN;',
		(
			map { "SELECT count(provreq.conax_add_subscriptions('number=S' || i,"
				  . " 'code=P1', 'serial_number=card' || i, provider => '$_'))"
				  . " FROM generate_series(1, $count) AS i;" } @providers
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

create_for('works');
my $alone = slowest(0);

create_for(qw(hangs refuses silent works));
my $together = slowest($count);

note("$count requests: $alone s alone, $together s beside the others");
is( $node->safe_psql('postgres', <<'EOQ'), 2 * $count, 'the requests of the good provider complete');
SELECT count(*) FROM provreq.request
WHERE provider = 'works' AND life_cycle_state = 'COMPLETED' AND attempts = 1
EOQ
foreach my $provider (qw(hangs refuses silent))
{
	is( $node->safe_psql('postgres', <<"EOQ"), $count, "... while all of \"$provider\" wait");
SELECT count(*) FROM provreq.request_pending
WHERE provider = '$provider' AND attempts = 0 AND hold_reason IS NULL
EOQ
}

# Three loaded senders share the processors with it, no more: nothing like
# the ten minutes of a time-out.
cmp_ok($together, '<=', 20 * $alone + 20, 'its requests take about as long');

# New ones go at once as well, also with a new statement for the others.
create_for(qw(hangs refuses silent));
add_subscriptions($node, 1, $count, provider => 'works');
slowest(2 * $count);
ledger_agrees($node, $works, 'ledger and table agree', provider => 'works');

# DDL on a bad one does not wait for it, and the bad ones recover.
delete $hangs->{fault};
$hangs->restart;
$refuses->clear_faults;
$node->safe_psql('postgres',
	"ALTER SERVER silent OPTIONS (SET url '" . $works->url . "')");
pass('DDL on a provider that hangs does not wait');
wait_for($node,
	"SELECT NOT EXISTS (SELECT FROM provreq.request_pending WHERE provider IN ('hangs', 'refuses'))"
);
is( $node->safe_psql('postgres', <<'EOQ'), 4 * $count, 'the others complete when they are well again');
SELECT count(*) FROM provreq.request
WHERE provider IN ('hangs', 'refuses') AND life_cycle_state = 'COMPLETED'
EOQ

done_testing();
