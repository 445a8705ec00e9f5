# P1 and P4 where the server is told not to wait for its disk: all the same an
# attempt is on disk before its message leaves, so that a crash finds it.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;

# Nobody but who commits writes the log of changes to disk, for a while.
my $node = provreq_node('durable', conf => <<'EOC');
synchronous_commit = off
wal_writer_delay = 10s
wal_writer_flush_after = 1GB
autovacuum = off
checkpoint_timeout = 1h
EOC
my $cas = Provreq::Simulator->start;

fill_directory($node, 10);
create_provider($node, 'main_conax', $cas, timeout => '10min');

# One goes before, so that the sender has seen the settings and the supervisor
# has made its partitions.
sub settle_down
{
	my ($card) = @_;

	add_subscriptions($node, $card, $card);
	wait_until_open($node);
	wait_for($node,
		'SELECT NOT EXISTS (SELECT FROM provreq.request_closed_default)');
	$node->safe_psql('postgres', 'CHECKPOINT');
	return;
}

# A message leaves, and the server crashes before there is an answer.
sub crash_in_flight
{
	my ($card, $name) = @_;
	my $before = $cas->status->{received};
	my $number;

	$cas->fault('kind=hang-after-body');
	$number = $node->safe_psql('postgres', <<"EOQ");
SET synchronous_commit = on;
SELECT number FROM provreq.conax_send_mail_message('serial_number=card$card', 'hello');
EOQ
	wait_until('the message has left',
		sub { $cas->status->{received} > $before });
	$node->stop('immediate');
	$cas->clear_faults;
	$node->start;
	wait_for($node, "SELECT life_cycle_state <> 'PENDING' OR hold_reason IS NOT NULL"
		  . " FROM provreq.request WHERE number = $number");
	like(
		$node->safe_psql('postgres',
			"SELECT hold_reason FROM provreq.request WHERE number = $number"),
		qr/^in doubt/,
		"$name: what was under way is in doubt");
	is(scalar($cas->messages($number)), 1, "$name: and is not sent again");
	return;
}

settle_down(1);
crash_in_flight(2, 'from the start');
$node->append_conf('postgresql.conf', 'synchronous_commit = on');
$node->restart;
wait_for_sender($node, 'main_conax');
settle_down(3);
$node->append_conf('postgresql.conf', 'synchronous_commit = off');
$node->reload;
settle_down(4);
crash_in_flight(5, 'after a reload');
$node->append_conf('postgresql.conf', 'synchronous_commit = on');
$node->safe_psql('postgres',
	'ALTER DATABASE postgres SET synchronous_commit = off');
$node->restart;
wait_for_sender($node, 'main_conax');
settle_down(6);
crash_in_flight(7, 'by a setting of the database');

done_testing();
