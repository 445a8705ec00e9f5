# Whatever is killed while requests flow, none is lost and none is silently
# doubled: every message that goes out more than once has its attempts in the
# log, a type that is not idempotent waits for a person, and no card sees its
# requests in another order.  An orderly shutdown leaves nothing in doubt.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use Test::More;

my $kills = scale('PROVREQ_KILLS', 20);
my $total = $kills * 250;
my $creators = 2;
my $cards = 400;				# of each creator
my $seed = $ENV{PROVREQ_SEED} || time();
my $node = provreq_node('crashes',
	conf => <<'EOC');
log_statement = none
restart_after_crash = on
provreq.shutdown_grace = 10min
EOC
my $cas = Provreq::Simulator->start;

srand($seed);
note("PROVREQ_SEED=$seed, $kills kills, $total requests");
fill_directory($node, $creators * $cards + 1);

# Answers take a little, so that there is always something under way.
$cas->fault('kind=delay delay=2ms');
create_provider($node, 'crashed', $cas, retry_delay => '10ms',
	retry_delay_max => '50ms');

# ---------------------------------------------------------------- creating

# Makes requests until there are enough of them, whatever happens to the
# server, and writes the numbers of those that it was told are committed.
# Runs in a process of its own; its cards are nobody else's.
sub create_forever
{
	my ($creator, $file, $enough) = @_;
	my @types = map { $_->{type} } conax_types();
	my $made = 0;

	srand($seed + $creator);
	open my $numbers, '>', $file or die "$file: $!";
	$numbers->autoflush(1);
	while ($made < $enough)
	{
		my ($out, $err) = ('', '');
		my $first = ($creator - 1) * $cards;
		my $call = conax_call(
			$types[ rand @types ], 'card',
			priority =>
			  \"CASE WHEN random() < 0.1 THEN 'EXPRESS' ELSE 'REGULAR' END");

		my $status = eval {
			$node->psql('postgres', <<"EOQ", stdout => \$out, stderr => \$err);
SELECT (r).number FROM (SELECT $call
	FROM (SELECT $first + 1 + floor(random() * ($cards - 1))::integer AS card
		FROM generate_series(1, 10) OFFSET 0) AS c OFFSET 0) AS r (r)
EOQ
		};

		next if !defined $status || $status != 0;
		print $numbers "$out\n";
		$made += 10;
	}
	return;
}

sub start_creators
{
	my @started;

	foreach my $creator (1 .. $creators)
	{
		my $file = PostgreSQL::Test::Utils::tempdir_short() . '/numbers';
		my $pid = fork() // die "fork: $!";

		if ($pid == 0)
		{
			open STDOUT, '>', '/dev/null';
			open STDERR, '>', '/dev/null';
			eval { create_forever($creator, $file, $total / $creators); };
			POSIX::_exit($@ ? 1 : 0);
		}
		push @started, { pid => $pid, file => $file };
	}
	return @started;
}

# ----------------------------------------------------------------- killing

sub answer
{
	my ($sql) = @_;
	my ($out, $err) = ('', '');
	my $status =
	  $node->psql('postgres', $sql, stdout => \$out, stderr => \$err);

	return $status == 0 ? $out : undef;
}

# A process of the extension; it may be away just now, and come back.
sub process_of
{
	my ($like) = @_;

	return wait_until(
		"there is a process $like",
		sub {
			answer('SELECT pid FROM pg_stat_activity WHERE '
				  . "application_name LIKE '$like' OR backend_type LIKE '$like'"
				  . ' LIMIT 1');
		});
}

my %kill = (
	'kill -9 the sender' => sub { kill 'KILL', process_of('provreq sender%') },
	'kill -9 a backend' => sub {
		my $victim = $node->background_psql('postgres');
		my $pid = $victim->query_safe('SELECT pg_backend_pid()');

		kill 'KILL', $pid;
		$victim->{run}->kill_kill;
	},
	'stop -m immediate' => sub { $node->stop('immediate'); $node->start },
	map {
		my $like = "provreq $_%";

		("terminate the $_" => sub {
			my $pid = process_of($like);

			answer("SELECT pg_terminate_backend($pid)");
		})
	} qw(sender supervisor launcher));

# What must hold at any time.
sub check_consistency
{
	my ($what) = @_;

	wait_until("there is an answer after $what",
		sub { defined answer('SELECT 1') });
	is(wait_until('there is an answer', sub { answer(<<'EOQ') }),
SELECT (SELECT count(*) FROM provreq.attempt AS a WHERE NOT EXISTS
		(SELECT FROM provreq.request_pending AS p WHERE p.number = a.number))
	+ (SELECT count(*) - count(DISTINCT number) FROM provreq.request)
	+ (SELECT count(*) FROM provreq.request
		WHERE (life_cycle_state = 'PENDING') <> (closed_date IS NULL))
	|| ' wrong'
EOQ
		'0 wrong', "the table is consistent after: $what");
	return;
}

my @creators = start_creators();
my @ways = sort keys %kill;

foreach my $round (1 .. $kills)
{
	my $way = $round <= @ways ? $ways[ $round - 1 ] : $ways[ rand @ways ];
	my $before = $cas->status->{received};

	# in full flow again
	wait_until(
		'requests flow',
		sub {
			$cas->status->{received} >= $before + 40
			  || !grep { waitpid($_->{pid}, POSIX::WNOHANG()) == 0 } @creators;
		});
	$kill{$way}->();
	check_consistency($way);
}
foreach my $creator (@creators)
{
	wait_until('the creators have ended',
		sub { waitpid($creator->{pid}, POSIX::WNOHANG()) != 0 });
}

# ---------------------------------------------------------------- comparing

# Who is held is in doubt: nobody knows, so a person decides.
my $held = 0;
wait_until(
	'all is settled',
	sub {
		$held += () = split /\n/, $node->safe_psql('postgres', <<'EOQ');
SELECT provreq.cancel(number, 'in doubt after a crash')
FROM provreq.request_pending WHERE hold_reason LIKE 'in doubt%'
EOQ
		$held += $node->safe_psql('postgres',
			"SELECT 0 * count(*) FROM provreq.request_pending");
		return $node->safe_psql('postgres',
			'SELECT NOT EXISTS (SELECT FROM provreq.request_pending)') eq 't';
	});

my @committed = map { split /\n/, slurp_file($_->{file}) } @creators;
my %there =
  map { $_ => 1 }
  split /\n/, $node->safe_psql('postgres', 'SELECT number FROM provreq.request');
my %log =
  map { split /\|/ }
  split /\n/, $node->safe_psql('postgres', <<'EOQ');
SELECT number, (SELECT count(*) FROM jsonb_array_elements(attempt_log) AS a
	WHERE a ->> 'verdict' = 'UNKNOWN')
FROM provreq.request WHERE attempt_log IS NOT NULL
EOQ
my %sent;

$sent{ $_->{sequence} }++ foreach grep { $_->{sequence} ne '-' } $cas->ledger;
note(@committed . ' told to be committed, ' . keys(%there) . ' in the table, '
	  . keys(%log) . ' in doubt once, of these '
	  . grep({ ($sent{$_} || 0) > 1 } keys %log) . ' sent again');
cmp_ok(scalar(@committed), '>=', $total, 'enough were created');
is(scalar(grep { !$there{$_} } @committed), 0, 'none that was committed is lost');
cmp_ok(scalar(keys %log), '>', 0, 'some were in doubt');
is(scalar(grep { $sent{$_} > 1 + ($log{$_} || 0) } keys %sent),
	0, 'each further message of a request has an attempt in doubt before it');
ledger_agrees($node, $cas, 'nothing is lost, doubled or out of order');

# -------------------------------------------------------- orderly shutdown

$cas->clear_faults;
$cas->fault('kind=delay delay=200ms');
foreach my $way ('stop -m fast', 'terminate the sender')
{
	my $first = 1 + $node->safe_psql('postgres',
		'SELECT max(number) FROM provreq.request');
	my $before = $cas->status;
	my $offset = -s $node->logfile;

	my $began;

	add_subscriptions($node, 1, 100);
	wait_until('answers are waited for',
		sub { $cas->status->{received} >= $before->{received} + 16 });
	$began = time();
	if ($way eq 'stop -m fast')
	{
		$node->stop('fast');
		$node->start;
	}
	else
	{
		$kill{$way}->();
	}
	wait_until_idle($node);
	cmp_ok(time() - $began, '<', 300,
		"$way: nobody waits longer than for the answers");
	is( $node->safe_psql('postgres', <<"EOQ"), '100|100|0|0', "$way: all are COMPLETED in one attempt");
SELECT count(*), sum(attempts), count(attempt_log), count(error_code)
FROM provreq.request WHERE number >= $first AND life_cycle_state = 'COMPLETED'
EOQ
	unlike(log_of($node, $offset), qr/in doubt/, "$way: nothing was in doubt");
}
ledger_agrees($node, $cas, 'and nothing was sent twice');

done_testing();
