# P2 and P3: no request overtakes another of one of its cards or STBs, and
# among those that can go the most urgent goes, whether the backlog fits into
# the sender's memory or not.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use List::Util qw(max min uniq);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use Test::More;

# One at a time, so that the order of choosing can be told from the table.
my $node = provreq_node('order', conf => "provreq.batch_size = 1\n");
my $cas = Provreq::Simulator->start;
my $seed = $ENV{PROVREQ_SEED} || time();

srand($seed);
note("PROVREQ_SEED=$seed");
fill_directory($node, 3100);
create_provider($node, 'one', $cas, connections => 1);

# Runs calls in one transaction, so that the sender sees all of them together;
# returns the numbers, in order.
sub create_together
{
	my ($where, @calls) = @_;

	return split /\n/,
	  $where->safe_psql('postgres',
		join "\n", 'BEGIN;', (map { "SELECT number FROM $_;" } @calls), 'COMMIT;');
}

# Numbers in the order of their first messages.
sub sent_order
{
	my ($simulator, @numbers) = @_;
	my %wanted = map { $_ => 1 } @numbers;

	return uniq(grep { $wanted{$_} } map { $_->{sequence} } $simulator->ledger);
}

# Requests in the order in which they were chosen, with when each was, and when
# its outcome came, in microseconds.
sub chosen_order
{
	my ($where, @numbers) = @_;
	my $list = join ',', @numbers;
	my $rows = $where->safe_psql('postgres', <<"EOQ");
SELECT number, (1000000 * extract(epoch FROM executed_date))::bigint,
	(1000000 * extract(epoch FROM closed_date))::bigint
FROM provreq.request WHERE number = ANY ('{$list}') ORDER BY sequence_number
EOQ

	return map {
		my ($number, $chosen, $ended) = split /\|/;

		{ number => $number, chosen => $chosen, ended => $ended };
	} split /\n/, $rows;
}

# ------------------------------------------------------- P3, without cards

# Each on a card of its own: immediate, express, the others by schedule, each
# by number.
my @requests;
foreach my $i (1 .. 120)
{
	my $kind = ('immediate', 'express', 'late', 'early', 'regular')[ rand 5 ];
	my %more =
	    $kind eq 'immediate' ? (process_immediately => 'true')
	  : $kind eq 'express' ? (priority => 'EXPRESS')
	  : $kind eq 'late' ? (scheduled_date => '2020-01-02 00:00 UTC')
	  : $kind eq 'early' ? (scheduled_date => '2020-01-01 00:00 UTC')
	  : ();

	push @requests,
	  {
		kind => $kind,
		call => conax_call('ADD_SUBSCRIPTIONS', $i, %more)
	  };
}
my @numbers = create_together($node, map { $_->{call} } @requests);
my %rank = (immediate => 0, express => 1, early => 2, late => 3, regular => 4);

$requests[$_]->{number} = $numbers[$_] foreach 0 .. $#numbers;
wait_until_idle($node);
is( join(' ', sent_order($cas, @numbers)),
	join(' ',
		map { $_->{number} }
		sort {
			$rank{ $a->{kind} } <=> $rank{ $b->{kind} }
			  || $a->{number} <=> $b->{number}
		} @requests),
	'the order of P3, where no card is shared');

# ------------------------------------------------- the model of P2 and P3

# How urgent a request is by itself: less is more.
sub urgency
{
	my ($request) = @_;

	return $request->{immediate} ? 0 : $request->{express} ? 1 : 2;
}

# The requests before and behind each, on any of its keys.
sub link_requests
{
	my (@requests) = @_;
	my %queue;

	foreach my $request (@requests)
	{
		foreach my $key (@{ $request->{keys} })
		{
			my $before = $queue{$key};

			push @{ $request->{before} }, $before if $before;
			push @{ $before->{behind} }, $request if $before;
			$queue{$key} = $request;
		}
	}
	return;
}

# Everyone's urgency with that of all behind it: a request lifts those before
# it.  All were there from the start, so it is the same until they are sent.
sub lift_requests
{
	my (@requests) = @_;

	foreach my $request (reverse @requests)
	{
		$request->{effective} = min(urgency($request),
			map { $_->{effective} } @{ $request->{behind} || [] });
	}
	return;
}

# What is wrong with an order of choosing.  At each step the most urgent of
# those that can go must be chosen; a request can surely go when the outcomes
# of all before it had come before the last but one was chosen.
sub check_order
{
	my ($chosen, @requests) = @_;
	my %request = map { $_->{number} => $_ } @requests;
	my %step = map { $chosen->[$_]->{number} => $_ } 0 .. $#$chosen;
	my @problems;

	return 'some were not sent' if @$chosen != @requests;
	foreach my $request (@requests)
	{
		my @before = map { $_->{number} } @{ $request->{before} || [] };
		my $number = $request->{number};

		push @problems, map { "$number overtook $_" }
		  grep { $step{$_} > $step{$number} } @before;
		$request->{free} = max(0, map { $chosen->[ $step{$_} ]->{ended} } @before);
	}
	my @blocked = sort { $a->{free} <=> $b->{free} } @requests;
	my @waiting;
	foreach my $step (0 .. $#$chosen)
	{
		my $sent = $request{ $chosen->[$step]->{number} };
		my $known = $step < 2 ? 1 : $chosen->[ $step - 2 ]->{chosen};

		push @waiting, shift @blocked while @blocked && $blocked[0]->{free} < $known;
		@waiting = grep { $step{ $_->{number} } > $step } @waiting;
		my ($better) = grep {
			$_->{effective} < $sent->{effective}
			  || ($_->{effective} == $sent->{effective}
				&& $_->{number} < $sent->{number})
		} @waiting;
		push @problems, "$sent->{number} was sent before $better->{number}"
		  if $better;
	}
	return @problems;
}

# Random requests on few cards, pairings among them, which have several keys.
sub random_requests
{
	my ($count, $cards, $urgent) = @_;
	my @requests;

	foreach my $i (1 .. $count)
	{
		my $card = 1 + int rand $cards;
		my $type = (
			qw(ADD_SUBSCRIPTIONS CANCEL_SUBSCRIPTIONS CREATE_PAIRING
			  ADD_TO_EXISTING_PAIRING SEND_BARK_MESSAGE_TO_CLIENT
			  GET_PAIRING_STATUS_FOR_PAIRING_MODULE))[ rand 6 ];
		my $chance = rand;
		my %request = (
			immediate => $chance < $urgent / 4,
			express => $chance >= $urgent / 4 && $chance < $urgent,
			keys => [
				  $type eq 'CREATE_PAIRING' ? ("c$card", "s$card")
				: $type eq 'ADD_TO_EXISTING_PAIRING'
				? ("c$card", 'c' . ($card + 1), 's' . ($card + 1))
				: $type =~ /MODULE/ ? ("s$card")
				: ("c$card")
			]);
		my %more =
		    $request{immediate} ? (process_immediately => 'true')
		  : $request{express} ? (priority => 'EXPRESS')
		  : ();

		$request{call} = conax_call($type, $card, %more);
		push @requests, \%request;
	}
	return @requests;
}

sub check_random
{
	my ($where, $name, @requests) = @_;
	my @numbers = create_together($where, map { $_->{call} } @requests);

	$requests[$_]->{number} = $numbers[$_] foreach 0 .. $#numbers;
	link_requests(@requests);
	lift_requests(@requests);
	wait_until_idle($where);
	my @problems =
	  check_order([ chosen_order($where, @numbers) ], @requests);

	is(join("\n", splice(@problems, 0, 10)), '', $name);
	return;
}

check_random($node, 'the order of P2 and P3 on five cards',
	random_requests(150, 5, 0.3));
check_random($node, '... on forty', random_requests(300, 40, 0.2));
check_random($node, '... on one', random_requests(60, 1, 0.5));
ledger_agrees($node, $cas, 'ledger and table agree');

# ------------------------------------------------------ EXPRESS lifts others

# The last request of a card with much before it is express: its card goes
# before everything else, in its own order.
@numbers = create_together(
	$node,
	(map { conax_call('ADD_SUBSCRIPTIONS', $_) } 200 .. 230),
	(map { conax_call($_, 240) }
		qw(ADD_SUBSCRIPTIONS CREATE_PAIRING CANCEL_SUBSCRIPTIONS)),
	conax_call('ADD_SUBSCRIPTIONS', 240, priority => 'EXPRESS'));
wait_until_idle($node);
my @first = (sent_order($cas, @numbers))[ 0 .. 12 ];
my %lifted = map { $_ => 1 } @numbers[ 31 .. 34 ];

is(
	join(' ', grep { $lifted{$_} } @first),
	join(' ', @numbers[ 31 .. 34 ]),
	'EXPRESS lifts the earlier requests of its card');

# ------------------------------------- a retried head holds back followers

$cas->fault('kind=reject code=SYSTEM_ERROR count=4 match-card=' . ca_id(300));
@numbers = create_together(
	$node,
	conax_call('ADD_SUBSCRIPTIONS', 300),
	conax_call('SEND_MAIL_MESSAGE_TO_CLIENT', 300, priority => 'EXPRESS'),
	conax_call('CREATE_PAIRING', 300),
	(map { conax_call('ADD_SUBSCRIPTIONS', $_) } 301 .. 305));
wait_until_idle($node);
is(
	join(' ',
		map { $_->{sequence} }
		grep { $_->{cards} eq ca_id(300) } $cas->ledger),
	join(' ', ($numbers[0]) x 5, @numbers[ 1, 2 ]),
	'a retried request holds back what is behind it on its card');
is(request_row($node, $numbers[0])->{attempts}, 5, '... until it is through');
my %closed = map { $_ => request_row($node, $_)->{closed_date} } @numbers;
is((grep { $closed{$_} gt $closed{ $numbers[0] } } @numbers[ 3 .. 7 ]),
	0, '... and nobody else');
$cas->clear_faults;

# A held one does, until somebody cancels it; and what is released or created
# meanwhile goes in order.
$cas->fault('kind=carry-out-close count=1 match-card=' . ca_id(310));
@numbers = create_together(
	$node,
	conax_call('SEND_BARK_MESSAGE_TO_CLIENT', 310),
	conax_call('ADD_SUBSCRIPTIONS', 310, priority => 'EXPRESS'),
	conax_call('ADD_SUBSCRIPTIONS', 311));
wait_for_end($node, $numbers[0]);
wait_for_end($node, $numbers[2]);
push @numbers,
  create_request($node, 'CANCEL_SUBSCRIPTIONS', 310,
	process_immediately => 'true');
wait_for_end($node, create_request($node, 'ADD_SUBSCRIPTIONS', 312));
is(scalar(map { $cas->messages($_) } @numbers[ 1, 3 ]),
	0, 'a held request holds back even immediate ones of its card');
$node->safe_psql('postgres',
	"SELECT provreq.cancel($numbers[0], 'it was seen on the screen')");
wait_until_idle($node);
is(join(' ', sent_order($cas, @numbers)),
	join(' ', @numbers[ 0, 2, 1, 3 ]), '... which go on when it is cancelled');

# ----------------------------------------------------- scheduled for later

@numbers = create_together(
	$node,
	conax_call('ADD_SUBSCRIPTIONS', 320,
		scheduled_date => $node->safe_psql('postgres', "SELECT now() + '1 day'")),
	conax_call('CANCEL_SUBSCRIPTIONS', 320),
	conax_call('ADD_SUBSCRIPTIONS', 321,
		scheduled_date =>
		  $node->safe_psql('postgres', "SELECT now() + '2 seconds'")),
	conax_call('CANCEL_SUBSCRIPTIONS', 321));
wait_for_end($node, $_) foreach @numbers[ 1, 3, 2 ];
is(
	join(' ', sent_order($cas, @numbers)),
	join(' ', @numbers[ 1, 3, 2 ]),
	'what is scheduled for later does not hold back what is due');
is( $node->safe_psql('postgres', <<"EOQ"), 't', '... and is not sent before it is due');
SELECT executed_date >= scheduled_date FROM provreq.request WHERE number = $numbers[2]
EOQ
is(request_row($node, $numbers[0])->{life_cycle_state},
	'PENDING', '... nor forgotten');
$node->safe_psql('postgres', "SELECT provreq.cancel($numbers[0], 'enough')");

# ------------------------------------------ created while the sender works

# A unit of the sender's work lasts as long as a lock is in its way.  A request
# that is created meanwhile is later than its beginning, and due all the same.
# The sender is stopped so that it finds both an answer to record, which the
# lock is for, and a new request to look for.
my $sender = wait_for_sender($node, 'one');
my $is_waiting = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity"
  . " WHERE pid = $sender";
my $caught = 0;

$cas->fault('kind=delay delay=100ms match-card=' . ca_id(330));
foreach my $round (1 .. 50)
{
	my $before = $cas->status;
	my $number;

	last if $caught >= 3;
	$number = create_request($node, 'ADD_SUBSCRIPTIONS', 330);
	wait_until('it is under way',
		sub { ask($node, 'SELECT count(*) FROM provreq.attempt') });
	kill 'STOP', $sender;
	my $answered = eval {
		local $Provreq::deadline = 5;
		wait_until('it is answered',
			sub { $cas->status->{answered} > $before->{answered} });
	};
	if (!$answered)
	{
		# stopped before the message had left
		kill 'CONT', $sender;
		wait_for_end($node, $number);
		next;
	}
	ask($node, 'BEGIN; LOCK TABLE provreq.attempt IN SHARE MODE',
		session => 'lock');
	create_request($node, 'ADD_SUBSCRIPTIONS', 332);
	kill 'CONT', $sender;
	wait_until('the sender waits',
		sub { ask($node, "SELECT ($is_waiting) IS TRUE") eq 't' });
	$number = create_request($node, 'ADD_SUBSCRIPTIONS', 331);
	$caught++ if ask($node, $is_waiting) eq 't';
	ask($node, 'COMMIT', session => 'lock');
	wait_for_end($node, $number);
}
$cas->clear_faults;
is($caught, 3, 'what is created while the sender works is sent');
$cas->stop;
$node->stop;

# --------------------------------------------------- more than the window

# A window of 100 requests and a backlog of 3,000: most of it stays in the
# table until there is room.
my $small = provreq_node('small',
	conf => "provreq.batch_size = 1\nprovreq.window = 100\n");

$cas = Provreq::Simulator->start;
fill_directory($small, 2100);
create_provider($small, 'one', $cas, connections => 1);
check_random($small, '3,000 requests on 60 cards through a window of 100',
	random_requests(3000, 60, 0.1));
check_random($small, '... on 2,000 cards',
	random_requests(3000, 2000, 0.1));
ledger_agrees($small, $cas, '... ledger and table agree');

# ------------------------------------------------------ many connections

# The order of each card holds with many under way, and a head that is tried
# again is not overtaken.
$small->safe_psql('postgres', "ALTER SERVER one OPTIONS (SET connections '16')");
$small->append_conf('postgresql.conf', "provreq.batch_size = 64\n");
$small->restart;
$cas->fault(
	'kind=reject code=SYSTEM_ERROR probability=0.05',
	'kind=delay delay=3ms probability=0.2');
@requests = random_requests(3000, 60, 0.1);
@numbers = create_together($small, map { $_->{call} } @requests);
$requests[$_]->{number} = $numbers[$_] foreach 0 .. $#numbers;
link_requests(@requests);
wait_until_idle($small);
my %place;
my @order = sent_order($cas, @numbers);

$place{ $order[$_] } = $_ foreach 0 .. $#order;
is(scalar(@order), 3000, 'sixteen connections: all are sent');
is( scalar(
		grep {
			my $request = $_;
			grep { $place{ $_->{number} } > $place{ $request->{number} } }
			  @{ $request->{before} || [] }
		} @requests),
	0,
	'... none overtakes another of its cards');
ledger_agrees($small, $cas, '... ledger and table agree');

done_testing();
