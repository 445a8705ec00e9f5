# As 056, for all three systems and every process at once: while requests of
# Conax, Nagravision and NDS, a run, and sessions in wait_for() and
# web_api_sync() are under way, senders, runner, supervisor, launcher,
# backends, server and postmaster are killed.  None is lost, none is doubled
# in silence, none overtakes another of its card.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use Digest::SHA qw(sha256_hex);
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use Test::More;

my $kills = scale('PROVREQ_KILLS', 20);
my $cards = 300;				# of each creator
my $seed = $ENV{PROVREQ_SEED} || time();
my $node = provreq_node('everywhere',
	conf => <<'EOC');
log_statement = none
restart_after_crash = on
EOC
my %kinds = (conax => 0, nagravision => 1, nds => 2);
my %first_card = (%kinds, run => 3, sync => 4);
my %cas =
  map { $_ => Provreq::Simulator->start(kind => $_, fault => ['kind=delay delay=2ms']) }
  sort keys %kinds;
my $stop_file = PostgreSQL::Test::Utils::tempdir_short() . '/stop';

srand($seed);
note("PROVREQ_SEED=$seed, $kills kills");
$_ *= $cards foreach values %first_card;
fill_directory($node, 5 * $cards, card_step => 100);
create_provider($node, "the_$_", $cas{$_}, retry_delay => '10ms',
	retry_delay_max => '50ms')
  foreach sort keys %kinds;

# Products Q1, Q2, ... with their number as CA ID: a card gets each once, so
# that a message about it is of one request alone.
$node->safe_psql('postgres', <<'EOQ');
INSERT INTO provreq.product (code) SELECT 'Q' || i FROM generate_series(1, 9000) AS i;
INSERT INTO provreq.service_mapping (product_id, service_ca_id)
	SELECT id, substr(code, 2) FROM provreq.product WHERE code LIKE 'Q%';
ANALYZE provreq.product, provreq.service_mapping;
EOQ

# ---------------------------------------------------------------- creating

# The PIN that a card of NDS gets in its turn, and how the simulator marks it.
sub pin_of { return sprintf '%04d', $_[0] }

sub pin_mark { return 'pin=' . substr sha256_hex(pin_of($_[0])), 0, 16 }

# The call for a card in SQL, by kind and turn.
my @conax_types = grep { !/PAIRING/ } map { $_->{type} } conax_types();
my %call = (
	conax => sub {
		return conax_call($conax_types[ rand @conax_types ], 'card',
			provider => 'the_conax', process_id => $_[0],
			priority => \"CASE WHEN random() < 0.1 THEN 'EXPRESS' ELSE 'REGULAR' END");
	},
	nagravision => sub {
		return 'provreq.nagravision_add_enhanced_list_of_products('
		  . "ARRAY['code=Q" . (2 * $_[0]) . "', 'code=Q" . (2 * $_[0] + 1)
		  . "'], 'serial_number=card' || card, provider => 'the_nagravision',"
		  . " process_id => '$_[0]')";
	},
	nds => sub {
		return 'provreq.nds_set_user_parameters(smartcard_identifier =>'
		  . " 'serial_number=card' || card, new_pin => '" . pin_of($_[0])
		  . "', provider => 'the_nds', process_id => '$_[0]')";
	});

# The standard output of a command of SQL, undef when it failed.
sub answer
{
	my ($sql) = @_;
	my ($out, $err) = ('', '');
	my $status = eval {
		$node->psql('postgres', $sql, stdout => \$out, stderr => \$err);
	};

	return defined $status && $status == 0 ? $out : undef;
}

# What creators do again and again, each in a process of its own; true when
# there are numbers of requests that were said to be committed.
my %creator = (
	(
		map {
			my $kind = $_;

			($kind => sub {
				my ($statement) = @_;
				my $call = $call{$kind}->(1 + int $statement * 10 / $cards);
				my $first = $first_card{$kind} + $statement * 10 % $cards;

				return answer(<<"EOQ");
SELECT (r).number FROM (SELECT $call
	FROM (SELECT $first + i AS card FROM generate_series(1, 10) AS i
		WHERE (SELECT count(*) FROM provreq.request_pending
			WHERE provider = 'the_$kind') < 1000 OFFSET 0) AS c
	OFFSET 0) AS r (r)
EOQ
			})
		} keys %kinds
	),
	sync => sub {
		my $card = $first_card{sync} + 1 + int rand $cards;
		my $out = answer("CALL provreq.web_api_sync('POST',"
			  . " 'conax_web_services/provisioning_requests/add_subscriptions',"
			  . qq('{"subscription_identifier": {"number": "S$card"},)
			  . ' "service_identifier": {"code": "P1"}, "provider": "the_conax",'
			  . qq( "smartcard_identifier": {"serial_number": "card$card"}}'\)));

		return defined $out && $out =~ /"number": *"?(\d+)/ ? $1 : undef;
	},
	waiting => sub {
		answer('SELECT provreq.wait_for(max(number)) FROM provreq.request_pending'
			  . ' HAVING count(*) > 0');
		return;
	});

sub start_creator
{
	my ($name) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir_short() . '/numbers';
	my $pid = fork() // die "fork: $!";

	return { pid => $pid, file => $file, name => $name } if $pid != 0;
	open STDOUT, '>', '/dev/null';
	open STDERR, '>', '/dev/null';
	srand($seed + $$);
	open my $numbers, '>', $file or POSIX::_exit(1);
	$numbers->autoflush(1);
	for (my $turn = 0; !-e $stop_file; $turn++)
	{
		my $out = $creator{$name}->($turn);

		print $numbers "$out\n" if $out;
	}
	POSIX::_exit(0);
}

# There is a run with something to do.
sub ensure_run
{
	wait_until(
		'a run is under way',
		sub {
			answer(<<"EOQ");
SELECT provreq.start_run('send_mail_message', 'the_conax', parameters => '{"message": "Hello"}',
	chunk_size => 5, max_pending => 500, query => 'SELECT ''serial_number=card'' || i
		FROM generate_series($first_card{run} + 1, $first_card{run} + $cards) AS i')
WHERE NOT EXISTS (SELECT FROM provreq.run WHERE state IN ('PREPARING', 'RUNNING'))
EOQ
			(answer("SELECT EXISTS (SELECT FROM provreq.run WHERE state = 'RUNNING')")
				  // '') eq 't';
		});
	return;
}

# ----------------------------------------------------------------- killing

# A process that is so in pg_stat_activity; it may be away, and come back.
sub process_of
{
	my ($condition) = @_;

	return wait_until(
		"there is a process with $condition",
		sub {
			ensure_run() if $condition =~ /runner/;
			answer("SELECT pid FROM pg_stat_activity WHERE ($condition)"
				  . ' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1');
		});
}

# The postmaster dies without a word, and its children after it.
sub kill_postmaster
{
	my ($pid) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;

	$node->kill9;
	wait_until('the postmaster is gone', sub { !kill 0, $pid });
	wait_until('the server starts again',
		sub { $node->start(fail_ok => 1) });
	return;
}

my %victims = (
	(map { ("sender of $_" => "application_name = 'provreq sender the_$_'") } keys %kinds),
	(map { ($_ => "backend_type = 'provreq $_'") } qw(launcher supervisor runner)),
	'session in wait_for' => "query LIKE 'SELECT provreq.wait\\_for(%'",
	'session in web_api_sync' => "query LIKE 'CALL provreq.web\\_api\\_sync%'",
	'session that creates' => "query LIKE 'SELECT (r).number%'");
my %kill = (
	'stop -m immediate' => sub { $node->stop('immediate'); $node->start },
	'kill -9 the postmaster' => \&kill_postmaster,
	map {
		my $condition = $victims{$_};

		(	"kill -9 the $_" => sub { kill 'KILL', process_of($condition) },
			"terminate the $_" => sub {
				answer('SELECT pg_terminate_backend('
					  . process_of($condition) . ')');
			})
	} keys %victims);

# What must hold at any time; and nobody waits for a person: who is held is in
# doubt, and given up.
my $held = 0;

sub check_consistency
{
	my ($what) = @_;

	is(wait_until('there is an answer', sub { answer(<<'EOQ') }),
SELECT (SELECT count(*) FROM provreq.attempt AS a WHERE NOT EXISTS
		(SELECT FROM provreq.request_pending AS p WHERE p.number = a.number))
	+ (SELECT count(*) - count(DISTINCT number) FROM provreq.request)
	|| ' wrong'
EOQ
		'0 wrong', "the table is consistent after: $what");
	$held += wait_until('held requests are given up',
		sub { answer(<<'EOQ') }) - 1;
SELECT 1 + count(provreq.cancel(number, 'in doubt after a crash'))
FROM provreq.request_pending WHERE hold_reason LIKE 'in doubt%'
EOQ
	return;
}

my @creators = map { start_creator($_) } sort(keys %creator), 'sync', 'waiting';
my @ways = sort keys %kill;
my %hits;

foreach my $round (1 .. $kills)
{
	my $way = $ways[ ($round - 1) % @ways ];
	my %before = map { $_ => $cas{$_}->status->{received} } keys %cas;

	ensure_run();
	wait_until(
		'requests flow to all three',
		sub {
			!grep { $cas{$_}->status->{received} < $before{$_} + 15 } keys %cas;
		});
	$kill{$way}->();
	$hits{$way}++;
	check_consistency($way);
}
append_to_file($stop_file, "stop\n");
foreach my $creator (@creators)
{
	wait_until("creator $creator->{name} has ended",
		sub { waitpid($creator->{pid}, POSIX::WNOHANG()) != 0 });
}
note("$hits{$_} x $_") foreach sort keys %hits;

# ---------------------------------------------------------------- comparing

wait_until(
	'all is settled',
	sub {
		check_consistency('all');
		return $node->safe_psql('postgres', <<'EOQ') eq 't';
SELECT NOT EXISTS (SELECT FROM provreq.request_pending)
	AND NOT EXISTS (SELECT FROM provreq.run WHERE state <> 'FINISHED')
EOQ
	});

my @committed = map { split /\n/, slurp_file($_->{file}) } @creators;
my %there =
  map { $_ => 1 }
  split /\n/, $node->safe_psql('postgres', 'SELECT number FROM provreq.request');

is(scalar(grep { !$there{$_} } @committed), 0, 'none that was committed is lost');
cmp_ok(scalar(@committed), '>', $kills * 10, 'and there were enough');

# Messages by card and what they are about, against the requests.
sub compare_link
{
	my ($kind) = @_;
	my %parts = (
		nagravision => sub {
			map { sprintf 'AddProduct %012d', $_ } 2 * $_[0], 2 * $_[0] + 1;
		},
		nds => sub { 'PinNew ' . pin_mark($_[0]) });
	my (%request, %last, @problems, $doubted);
	my $rows = $node->safe_psql('postgres', <<"EOQ");
SELECT number, parameters ->> 'smartcard_ca_id', process_id, life_cycle_state,
	attempts, coalesce(jsonb_array_length(attempt_log), 0)
FROM provreq.request WHERE provider = 'the_$kind'
EOQ

	foreach my $row (split /\n/, $rows)
	{
		my ($number, $ca_id, $turn, $state, $attempts, $logged) = split /\|/, $row;
		my $card = $cas{$kind}->card_on_wire($ca_id);
		my $of = { number => $number, state => $state, attempts => $attempts,
			logged => $logged };

		$request{"$card $_"} = { %$of, sent => 0, carried => 0 }
		  foreach $parts{$kind}->($turn);
	}
	foreach my $message ($cas{$kind}->ledger)
	{
		my $card = $message->{cards};
		my ($thing) = split /,/, $message->{things};
		my $of = $request{"$card $message->{operation} $thing"};
		my $before = $last{$card};

		next if $card eq '-';
		push @problems, "$message->{sequence}: $message->{outcome}"
		  if $message->{outcome} =~ /^error/;
		if (!$of)
		{
			push @problems, "$card: $message->{operation} $thing is of no request";
			next;
		}
		$of->{sent}++;
		$of->{carried}++ if $message->{carried_out};
		push @problems, "card $card: $of->{number} went out after $before->{number}"
		  if $before && $before->{number} > $of->{number};
		push @problems, "card $card: $of->{number} went out while $before->{number} was under way"
		  if $before && $before->{number} != $of->{number}
		  && $message->{received} < $before->{answered};
		$last{$card} = { number => $of->{number}, answered => $message->{answered} // 0 };
	}
	foreach my $of (values %request)
	{
		my $what = "$kind request $of->{number} ($of->{state})";

		$doubted++ if $of->{sent} > 1;
		push @problems, "$what was not carried out"
		  if $of->{state} eq 'COMPLETED' && !$of->{carried};
		push @problems, "$what went out $of->{sent} times, $of->{logged} in doubt"
		  if $of->{sent} > 1 + $of->{logged} || $of->{sent} > $of->{attempts};
		push @problems, "$what is not COMPLETED" if $of->{state} ne 'COMPLETED';
	}
	note(keys(%request) . " messages of $kind, " . ($doubted // 0) . ' sent again');
	cmp_ok(scalar(keys %request), '>', $kills * 5, "$kind: there were enough");
	is(join("\n", splice(@problems, 0, 20)), '', "$kind: nothing is lost, doubled or out of order");
	return;
}

compare_link('nagravision');
compare_link('nds');
ledger_agrees($node, $cas{conax}, 'conax: nothing is lost, doubled or out of order',
	provider => 'the_conax');
is( $node->safe_psql('postgres', <<"EOQ"), 't', 'a run asks each card once');
SELECT bool_and(r.created = $cards AND r.failed = 0 AND r.total = $cards
	AND (SELECT count(*) = $cards AND count(DISTINCT q.parameters ->> 'smartcard_ca_id') = $cards
		FROM provreq.request AS q WHERE q.process_id = r.id::text
		AND q.type = 'SEND_MAIL_MESSAGE_TO_CLIENT' AND q.process_name = r.process_name))
FROM provreq.run AS r
EOQ
note($node->safe_psql('postgres', 'SELECT count(*) FROM provreq.run') . ' runs, '
	  . keys(%there) . ' requests, ' . @committed
	  . " told to be committed, $held held");
unlike(log_of($node), qr/PANIC|TRAP|terminated by signal (?!9)/, 'nothing crashed by itself');

done_testing();
