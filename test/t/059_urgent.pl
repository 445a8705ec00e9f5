# P2 and P3 for what comes while others are under way: an urgent request goes
# before a backlog that is being sent, with what it needs from the middle of
# it, and what has been out once stays in front, over a crash as well.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use Test::More;

# A window that holds a part of the backlog only, and small batches: so many
# messages may be chosen already when an urgent request comes.
my $batch = 4;
my $connections = 2;
my $chosen = 2 * $batch + 2 * $connections;
my $backlog = 400;
my $era = 0;					# of the server, from start to start
my $node = provreq_node('urgent',
	conf => "provreq.batch_size = $batch\nprovreq.window = 100\n");
my $cas = Provreq::Simulator->start;

fill_directory($node, $backlog + 100);
create_provider($node, 'main_conax', $cas, connections => $connections);

sub sql { return ask($node, $_[0], session => "era $era") }

# New requests for cards, one after the other; their numbers.
sub create
{
	my ($cards, %more) = @_;

	return map {
		sql('SELECT number FROM ' . conax_call('ADD_SUBSCRIPTIONS', $_, %more))
	} @$cards;
}

# A backlog of one regular request for each card, of which the CAS has got
# some; its numbers.
sub begin_backlog
{
	my $before = () = $cas->ledger;

	$cas->fault('kind=delay delay=50ms');
	my @numbers = split /\n/, sql(<<"EOQ");
SELECT (provreq.conax_add_subscriptions('number=S' || i, 'code=P1',
	'serial_number=card' || i)).number FROM generate_series(1, $backlog) AS i
EOQ
	wait_until('the backlog flows',
		sub { $cas->status->{received} >= $before + 20 });
	return @numbers;
}

# The place of a request among all messages.
sub place_of
{
	my ($number) = @_;
	my @ledger = $cas->ledger;
	my ($place) = grep { $ledger[$_]->{sequence} eq $number } 0 .. $#ledger;

	return $place;
}

# The requests go before all others but those that were chosen already.
sub goes_first
{
	my ($name, $so_far, @numbers) = @_;

	wait_for_end($node, $_, session => "era $era") foreach @numbers;
	is( join(' ', sort { place_of($a) <=> place_of($b) } @numbers),
		"@numbers", "$name: in this order");
	cmp_ok(place_of($numbers[-1]), '<',
		$so_far + $chosen + @numbers + $batch * $#numbers,
		"$name: before what was not chosen yet");
	return;
}

# ------------------------------------------------- urgent ones on the way

my @numbers = begin_backlog();
my ($express) = create([ $backlog + 1 ], priority => 'EXPRESS');

goes_first('EXPRESS', $cas->status->{received}, $express);
my ($immediate) = create([ $backlog + 2 ], process_immediately => 'true');
goes_first('immediate', $cas->status->{received}, $immediate);

# The last of the backlog is lifted by one behind it.
($express) = create([$backlog], priority => 'EXPRESS');
goes_first('EXPRESS behind the last of the backlog',
	$cas->status->{received}, $numbers[-1], $express);

# So it is by one that was not urgent when it came.
my ($raised) = create([ $backlog - 1 ]);
sql('UPDATE provreq.request_pending'
	  . " SET priority = 'EXPRESS' WHERE number = $raised");
goes_first('made EXPRESS by a DBA', $cas->status->{received},
	$numbers[-2], $raised);

# What is scheduled for later lifts nobody.
my ($later) = create(
	[ $backlog - 2 ],
	priority => 'EXPRESS',
	scheduled_date => '2200-01-01');
cmp_ok(scalar(sql('SELECT count(*) FROM provreq.request_pending')),
	'>', 50, 'there is a backlog still');
$cas->clear_faults;
wait_for($node, 'SELECT count(*) = 1 FROM provreq.request_pending');
is( join(' ', (sort { place_of($a) <=> place_of($b) } @numbers)[ -1, -2 ]),
	join(' ', @numbers[ -3, -4 ]),
	'what is scheduled for later lifts nobody');
sql("SELECT provreq.cancel($later, 'test')");
ledger_agrees($node, $cas, 'ledger and table agree');

# --------------------------------------------- what has been out is in front

# A request with a lower number that is committed when another of its card has
# been out, and waits for its next attempt, goes behind it, whoever has to
# remember that: the sender, or the one that is started after it.
sql("ALTER SERVER main_conax OPTIONS (SET retry_delay '1h', SET retry_delay_max '1h')");
foreach my $how ('the same sender', 'another sender', 'a crash of the server')
{
	my $card = $backlog + 10 + length $how;
	my $early = $node->background_psql('postgres');
	my ($low, $out, $other);

	$cas->fault('kind=reject code=SYSTEM_ERROR count=1 match-card=' . ca_id($card));
	$early->query_safe('BEGIN');
	$low = $early->query_safe(
		'SELECT number FROM ' . conax_call('CANCEL_SUBSCRIPTIONS', $card));
	if ($how eq 'a crash of the server')
	{
		# only what is prepared outlives it
		$early->query_safe("PREPARE TRANSACTION 'low'");
	}
	($out) = create([$card]);
	wait_for($node, "SELECT retry_date IS NOT NULL FROM provreq.request"
		  . " WHERE number = $out");
	if ($how eq 'another sender')
	{
		my $pid = sender_pid($node, 'main_conax');

		sql("SELECT pg_terminate_backend($pid)");
		wait_until('there is another sender',
			sub { sender_pid($node, 'main_conax') !~ /^($pid)?$/ });
	}
	if ($how eq 'a crash of the server')
	{
		$early->{run}->kill_kill;
		$node->stop('immediate');
		$node->start;
		$era++;
	}
	if ($how eq 'a crash of the server')
	{
		sql("COMMIT PREPARED 'low'");
	}
	else
	{
		$early->query_safe('COMMIT');
		$early->quit;
	}

	# the sender has seen it, when one that was made after it is through
	cmp_ok($low, '<', $out, "$how: the late one has the lower number");
	($other) = create([ $backlog + 50 ]);
	wait_for_end($node, $other, session => "era $era");
	is(scalar($cas->messages($low)), 0, "$how: it does not overtake");
	sql("SELECT provreq.resubmit($out)");
	wait_until_idle($node);
	is( join(' ', map { $_->{sequence} }
			grep { $_->{cards} eq ca_id($card) } $cas->ledger),
		"$out $out $low",
		"$how: and goes when the other one is through");
}

$node->stop;
unlike(log_of($node), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
