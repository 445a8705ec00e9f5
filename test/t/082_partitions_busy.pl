# Partitions are made and dropped while requests are sent and somebody reads
# for long: neither waits for the reader with a lock for which the sender would
# have to wait, and both are done once the reader has ended.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;

my $node = provreq_node('main', conf => "provreq.partitions_ahead = 2\n");
my $cas = Provreq::Simulator->start;
my ($card, $sent) = (0, 0);

fill_directory($node, 200);
create_provider($node, 'main_conax', $cas);

# Partitions from a month on, counted from this one.
sub partitions_from
{
	my ($from) = @_;

	return $node->safe_psql('postgres', <<"EOQ");
SELECT count(*) FROM pg_inherits JOIN pg_class ON oid = inhrelid
WHERE inhparent = 'provreq.request_closed'::regclass
AND relname ~ '^request_closed_[0-9]{4}_[0-9]{2}\$' AND relname >=
	to_char(now() AT TIME ZONE 'UTC' + $from * interval '1 month', '"request_closed_"YYYY_MM')
EOQ
}

# Requests go out and are closed, in spite of what is the matter.
sub requests_flow
{
	my ($name) = @_;

	add_subscriptions($node, $card + 1, $card + 20);
	$card = ($card + 20) % 200;
	$sent += 20;
	wait_until_idle($node);
	pass("requests are closed $name");
	return;
}

sub kill_supervisor
{
	$node->safe_psql('postgres',
		'SELECT pg_terminate_backend(pid) FROM pg_stat_activity'
		  . " WHERE datname = 'postgres' AND backend_type = 'provreq supervisor'");
	return;
}

# Somebody who has read all requests and does not end the transaction.
sub start_reader
{
	my $reader = $node->background_psql('postgres');

	$reader->query_safe('BEGIN; SELECT count(*) FROM provreq.request');
	return $reader;
}

requests_flow('at first');
wait_until('there are partitions', sub { partitions_from(0) == 3 });

# ---- Making them

$node->safe_psql('postgres', <<'EOQ');
DO $$
BEGIN
	EXECUTE to_char(now() AT TIME ZONE 'UTC' + interval '2 months',
		'"DROP TABLE provreq.request_closed_"YYYY_MM');
	EXECUTE to_char(now() AT TIME ZONE 'UTC' + interval '1 month',
		'"DROP TABLE provreq.request_closed_"YYYY_MM');
END
$$
EOQ
my $reader = start_reader();
my $offset = -s $node->logfile;

kill_supervisor();
wait_for_message($node, qr/provreq supervisor .*canceling statement due to lock timeout/,
	$offset);
requests_flow('while the supervisor cannot make partitions');
is(partitions_from(1), 0, '... which it could not');
sqlstate_is($node,
	"SET statement_timeout = '20s'; SELECT provreq.make_partitions()",
	'55P03', 'nobody else waits for the reader either');
requests_flow('after that');
$reader->query_safe('COMMIT');
wait_until('the supervisor has made them', sub { partitions_from(1) == 2 });
pass('when the reader has ended they are made');

# As vacuum does, for which nobody waits long enough to see it give way.
$node->safe_psql('postgres', <<'EOQ');
INSERT INTO provreq.request (provider, type, life_cycle_state, ordering_keys,
	closed_date, created_xid)
VALUES ('main_conax', 'ADD_SUBSCRIPTIONS', 'COMPLETED', ARRAY['x'],
	now() - interval '20 months', NULL);
EOQ
$reader->query_safe(q(BEGIN; DO $$ BEGIN EXECUTE to_char(now() AT TIME ZONE 'UTC',
	'"LOCK TABLE provreq.request_closed_"YYYY_MM" IN SHARE UPDATE EXCLUSIVE MODE"'); END $$));
is($node->safe_psql('postgres', 'SELECT provreq.make_partitions()'),
	't', 'while another partition is vacuumed, partitions are made');
$reader->query_safe('COMMIT');

# ---- Dropping them

$node->safe_psql('postgres', <<'EOQ');
INSERT INTO provreq.request (provider, type, life_cycle_state, ordering_keys,
	closed_date, created_xid)
SELECT 'main_conax', 'ADD_SUBSCRIPTIONS', 'COMPLETED', ARRAY['x'],
	now() - i * interval '1 month', NULL
FROM generate_series(30, 40) AS i;
SELECT provreq.make_partitions();
EOQ
is(partitions_from(-40), 15, 'there are old partitions');
$reader->query_safe('BEGIN; SELECT count(*) FROM provreq.request');

my ($out, $err) = ('', '');
my $drop = IPC::Run::start(
	[
		'psql', '-XAtq', '-v', 'VERBOSITY=sqlstate', '-d',
		$node->connstr('postgres'), '-c',
		"SELECT provreq.drop_partitions('25 months')"
	],
	'<', '/dev/null', '>', \$out, '2>', \$err);
requests_flow('while somebody tries to drop partitions');
$drop->finish;
like($err, qr/55P03/, '... who gives up');
is(partitions_from(-40), 15, '... and has dropped nothing');
requests_flow('after that');
$reader->query_safe('COMMIT');
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM provreq.drop_partitions('25 months')"),
	11,
	'when the reader has ended they are dropped');
$reader->quit;
requests_flow('at last');
is( $node->safe_psql('postgres',
		'SELECT count(*) FROM provreq.request_closed WHERE attempts > 0'),
	$sent, 'all are there');
is($cas->status->{carried_out}, $sent, 'and each was sent once');
$node->stop;

done_testing();
