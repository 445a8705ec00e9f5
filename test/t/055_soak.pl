# Many requests of all types and priorities, from several sessions at once,
# with faults and refusals: none is lost, none doubled, none overtakes another
# of its card, and the sender's memory stays what it was.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use List::Util qw(uniq);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use Test::More;

# Two legs, between which everything is at rest.
my $total = scale('PROVREQ_SOAK_REQUESTS', 100_000);
my $cards = int($total / 5) || 1;
my $sessions = 4;
my $statement = 50;				# requests that one creates on average
my $seed = $ENV{PROVREQ_SEED} || time();
my $node = provreq_node('soak', conf => "log_statement = none\n");
my $cas = Provreq::Simulator->start;
my (@resubmitted, @rss);

srand($seed);
note("PROVREQ_SEED=$seed, $total requests on $cards cards");
fill_directory($node, $cards + 1);
create_provider(
	$node, 'soak', $cas,
	retry_delay => '10ms',
	retry_delay_max => '50ms');

# What one session runs: statements that each make requests of one type for
# random cards.  process_id says which session it was.
sub session_script
{
	my ($session, $requests) = @_;
	my @types = conax_types();
	my @script;

	while ($requests > 0)
	{
		my $type = $types[ rand @types ];
		my $count = 1 + int rand 2 * $statement;

		$count = $requests if $count > $requests;
		$requests -= $count;
		my $call = conax_call(
			$type->{type}, 'card',
			process_id => $session,
			priority => \"CASE WHEN chance < 0.1 THEN 'EXPRESS' ELSE 'REGULAR' END",
			process_immediately => \'chance > 0.99');

		push @script, <<"EOQ";
SELECT count($call)
FROM (SELECT 1 + floor(random() * $cards)::integer AS card, random() AS chance
	FROM generate_series(1, $count) OFFSET 0) AS random_cards;
EOQ
	}
	return join '', @script;
}

# Creates requests from several sessions at once.
sub create_in_sessions
{
	my ($requests) = @_;
	my (@running, $err);

	foreach my $session (1 .. $sessions)
	{
		my $file = PostgreSQL::Test::Utils::tempdir_short() . '/script';

		append_to_file($file,
			session_script($session, int($requests / $sessions)));
		push @running,
		  IPC::Run::start(
			[
				'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1',
				'-d', $node->connstr('postgres'), '-f', $file
			],
			'>', '/dev/null', '2>', \$err);
	}
	is(scalar(grep { !$_->finish } @running), 0, 'all sessions ended well')
	  or diag($err);
	return;
}

# Settles what is held, one half in either way, until nothing is pending.
sub settle_all
{
	wait_until(
		'nothing is pending',
		sub {
			push @resubmitted, split /\n/, $node->safe_psql('postgres', <<'EOQ');
WITH held AS MATERIALIZED (
	SELECT number FROM provreq.request_pending WHERE hold_reason IS NOT NULL
), resubmitted AS MATERIALIZED (
	SELECT number, provreq.resubmit(number) FROM held WHERE number % 2 = 0
), cancelled AS MATERIALIZED (
	SELECT provreq.cancel(number, 'in doubt') FROM held WHERE number % 2 = 1
)
SELECT number FROM resubmitted, (SELECT count(*) FROM cancelled) AS c
EOQ
			return $node->safe_psql('postgres',
				'SELECT NOT EXISTS (SELECT FROM provreq.request_pending)') eq 't';
		});
	return;
}

# ------------------------------------------------------------------ run

$cas->fault(
	(
		map { "$_ probability=0.01" } (
			'kind=carry-out-close', 'kind=close-after-body',
			'kind=half-answer', 'kind=garbage',
			'kind=http-status status=502')
	),
	'kind=reject code=CLIENT_NOT_FOUND probability=0.05');
foreach my $leg (1, 2)
{
	my $began = time();

	create_in_sessions($total / 2);
	note('created after ' . (time() - $began) . ' s');
	settle_all();
	note('settled after ' . (time() - $began) . ' s');
	push @rss, anonymous_kb(sender_pid($node, 'soak'));
}
note("sender: @rss kB, " . scalar(uniq(@resubmitted)) . ' resubmitted');

cmp_ok($rss[0], '<=', 64 * 1024, 'the sender has at most 64 MB');
cmp_ok($rss[1], '<=', $rss[0] + 4096, '... and does not grow');
is($node->safe_psql('postgres', 'SELECT count(*) FROM provreq.request'),
	$total, 'no request is missing');

my %count = map { split /\|/ } split /\n/, $node->safe_psql('postgres', <<'EOQ');
SELECT 'refused', count(*) FROM provreq.request WHERE error_code = 'CLIENT_NOT_FOUND'
UNION ALL SELECT 'retried', count(*) FROM provreq.request WHERE attempt_log IS NOT NULL
UNION ALL SELECT 'cancelled', count(*) FROM provreq.request WHERE error_code = 'CANCELLED'
UNION ALL SELECT 'done', count(*) FROM provreq.request WHERE life_cycle_state = 'COMPLETED'
EOQ
note(join ', ', map { "$_ $count{$_}" } sort keys %count);
cmp_ok($count{refused}, '>', $total * 0.02, 'there were refusals');
cmp_ok($count{retried}, '>', $total * 0.02, '... and faults');
cmp_ok($count{cancelled}, '>', 0, '... also ones that put requests in doubt');
cmp_ok($count{done}, '>', $total * 0.8, 'most are COMPLETED');

# Which session created a request says what was before it; of different
# sessions nobody can tell from outside.
ledger_agrees(
	$node, $cas,
	'none is lost, none is doubled',
	order => 0,
	resubmitted => [ uniq(@resubmitted) ]);

my %session =
  map { split /\|/ }
  split /\n/,
  $node->safe_psql('postgres', 'SELECT number, process_id FROM provreq.request');
my (%by_key, @problems);

foreach my $message ($cas->ledger)
{
	next if $message->{sequence} eq '-';
	my @keys = map { "card $_" } grep { $_ ne '-' } split /,/, $message->{cards};

	push @keys, map { "stb $_" } split /,/, $message->{things}
	  if $message->{operation} =~ /Pairing/ && $message->{things} ne '-';
	push @{ $by_key{$_} }, $message foreach uniq(@keys);
}
foreach my $key (keys %by_key)
{
	my (%seen, %newest, $before);

	foreach my $message (@{ $by_key{$key} })
	{
		my $number = $message->{sequence};

		push @problems, "$key: $number began while $before->{sequence} was under way"
		  if $before
		  && defined $before->{answered}
		  && $message->{received} < $before->{answered};
		if (!$before || $before->{sequence} != $number)
		{
			push @problems, "$key: $number came back after $before->{sequence}"
			  if $seen{$number}++;
			push @problems, "$key: $number was overtaken"
			  if ($newest{ $session{$number} } || 0) > $number;
			$newest{ $session{$number} } = $number;
		}
		$before = $message;
	}
}
is(join("\n", splice(@problems, 0, 20)), '', 'none overtakes another of its card');

done_testing();
