# Nagravision: each operation carried out and refused, lists of products of
# which a part fails, windows, transaction numbers over crashes, late and
# spoiled answers, the beginning and the keeping of links, TLS, and PINs.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use List::Util qw(uniq);
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use ProvreqLinks;
use Test::More;
use Time::HiRes qw(time);

my $pin = '91738264';			# as long as can be: it must not be found by chance
my $node = provreq_node('main', conf => "log_statement = none\nlog_min_messages = debug1\n");
my $provider;					# the one that is being tested
my $cas;						# and what it sends to
my $card = 0;					# the last one that was used
my $era = 0;					# of the server, from start to start

fill_directory($node, 800, card_step => 100);

sub sql { return ask($node, $_[0], session => "era $era") }

sub end_of { return wait_for_end($node, $_[0], session => "era $era") }

# A gateway and the only effective provider, which sends to it.
sub begin
{
	my ($name, %option) = @_;
	my %gateway = %{ delete $option{gateway} || {} };

	finish() if $provider;
	$provider = $name;
	$cas = Provreq::Simulator->start(kind => 'nagravision', %gateway);
	create_provider($node, $name, $cas,
		retry_delay => '20ms', retry_delay_max => '100ms', %option);
	return;
}

# Ledger, cards and table say the same, and the gateway saw no fault of form.
sub finish
{
	my (%option) = @_;

	return unless $provider;
	ledger_agrees($node, $cas, "$provider: ledger and table agree",
		provider => $provider, %option);
	cards_agree($node, $cas, "$provider: and the cards hold what they should",
		provider => $provider);
	is($cas->status->{errors}, 0, "$provider: no error of protocol");
	sql("ALTER SERVER $provider OPTIONS (ADD state 'not_effective')");
	wait_until('its sender has ended', sub { !sender_pid($node, $provider) });
	$cas->stop;
	undef $provider;
	return;
}

# A new request for a new card, or that of the option "card"; its number.
sub create
{
	my ($type, %more) = @_;
	my $of = delete $more{card} || ++$card;

	return sql(
		'SELECT number FROM ' . link_call('nagravision', $type, $of, %more));
}

# As many, in one transaction.
sub create_many
{
	my ($type, $n) = @_;
	my $first = $card + 1;

	$card += $n;
	return sql(
		'SELECT count('
		  . link_call('nagravision', $type, 'i')
		  . ") FROM generate_series($first, $card) AS i");
}

sub this_card { return $cas->card_on_wire(100000000000 + 100 * $card) }

# The fault for the next request's card.
sub fault_next
{
	my ($fault) = @_;
	my $next = $cas->card_on_wire(100000000000 + 100 * ($card + 1));

	$cas->fault("kind=$fault match-card=$next");
	return;
}

sub done
{
	my ($number, $name) = @_;
	my $row = end_of($number);

	is("$row->{life_cycle_state} " . ($row->{error_code} // '-'),
		'COMPLETED -', $name)
	  or diag($row->{error_description} // $row->{hold_reason});
	return $row;
}

# The messages of the gateway's ledger; those that are of the link itself with
# the option "all".
sub messages
{
	my (%option) = @_;

	my @messages = grep {
		$option{all} || $_->{operation} !~ /^(?:-|Hello|Heartbeat)$/
	} $cas->ledger;

	return @messages;
}

sub of_card
{
	my ($wire) = @_;

	my @messages = grep { $_->{cards} eq $wire } messages();

	return @messages;
}

# --------------------------------------------------------- each operation

begin('operations', window => 4, gateway => { window => 4 });
{
	my %effect = (
		ADD_ENHANCED_LIST_OF_PRODUCTS =>
		  { products => qr/^000000000001:.*,000000000002:.*,000000000003:/ },
		CANCEL_LIST_OF_PRODUCTS => { products => qr/^000000000001:[^,]*$/ },
		PAIR_SMARTCARD_DECODER => { pairing => qr/^9000000000/ },
		SET_PIN_TO_GIVEN_VALUE => { pin => qr/^[0-9a-f]{16}$/ },
		SET_PIN_TO_DEFAULT_VALUE => { pin => qr/^default$/ },
		CLEAR_PIN => { pin => qr/^none$/ });

	is(join(',', sort keys %effect), join(',', link_types('nagravision')),
		'each type is tried');
	$card++;
	foreach my $type (
		qw(ADD_ENHANCED_LIST_OF_PRODUCTS CANCEL_LIST_OF_PRODUCTS
		PAIR_SMARTCARD_DECODER SET_PIN_TO_GIVEN_VALUE SET_PIN_TO_DEFAULT_VALUE
		CLEAR_PIN))
	{
		my $row = done(create($type, card => $card), "$type is carried out");
		my ($what, $expected) = %{ $effect{$type} };

		like($cas->card(this_card())->{$what}, $expected, "$type: its effect");
		is($row->{attempts}, 1, "$type: in one attempt");
		like($row->{sequence_number} // '', qr/^[0-9]+$/,
			"$type: the order of sending");
		ok($row->{executed_date}, "$type: executed_date");
	}
	done(
		sql(
			"SELECT number FROM provreq.nagravision_pair_smartcard_decoder('serial_number=card$card')"
		),
		'without an STB: unpaired');
	is($cas->card(this_card())->{pairing}, '-', 'unpaired: its effect');
	is(join(',', map { $_->{operation} } of_card(this_card())),
		join(',', ('AddProduct') x 3, ('CancelProduct') x 2,
			qw(Pair PinNew PinDefault PinClear Unpair)),
		'what the gateway received, in this order');

	foreach my $type (link_types('nagravision'))
	{
		fault_next('reject code=0042');
		my $row = end_of(create($type));

		is($row->{life_cycle_state}, 'REJECTED', "$type is refused");
		is("$row->{error_code} $row->{provider_error_code}",
			'0042 0042', "$type: the code");
		like($row->{response}, qr/1001.{9}[0-9]0042/, "$type: the answer as it came");
		like(
			$row->{error_description},
			$type =~ /LIST/
			? qr/\(carried out: none; not carried out: product \d/
			: qr/./,
			"$type: the description");
		$cas->clear_faults;
	}

	# the request's text is the frame without its length
	my $row = done(create('CLEAR_PIN'), 'one more');

	like($row->{request},
		qr/^\d{9}02(\d{4})00090{4}7\d{8}N\d{16}U1000\d{6}0069C {8}$/,
		'the request as it went out');
	is(substr($row->{request}, 0, 9), (of_card(this_card()))[0]->{sequence},
		'with the transaction number that the gateway received');
	is(substr($row->{response}, -9), substr($row->{request}, 0, 9),
		'which the answer acknowledges');
}

# ------------------------------------------------------- lists of products

# Products 1 to 10 in one request, and what became of them.
sub list_of_ten
{
	return sql(
		'SELECT number FROM provreq.nagravision_add_enhanced_list_of_products('
		  . q{ARRAY(SELECT 'code=P' || i FROM generate_series(1, 10) AS i), }
		  . "'serial_number=card@{[ ++$card ]}')");
}

sub products_received
{
	return join ' ', sort { $a <=> $b }
	  map { ($_->{things} =~ /^0*(\d+)/)[0] } of_card(this_card());
}

{
	my $row = done(list_of_ten(), 'a list of ten products');

	is(products_received(), '1 2 3 4 5 6 7 8 9 10', 'one message for each');
	is(scalar(split /\n/, $row->{request}), 10, 'all of them in the record');
	is(scalar(split /\n/, $row->{response}), 10, 'with all answers');

	fault_next('reject code=0007 skip=3 count=1');
	$row = end_of(list_of_ten());
	is("$row->{life_cycle_state} $row->{error_code}", 'REJECTED 0007',
		'one product is refused');
	like(
		$row->{error_description},
		qr/\Q(carried out: \E(?:product (?:[1-3]|[5-9]|10),? ?)+; not carried out: .*product 4/,
		'it says which were carried out and which were not');
	{
		my ($yes) = $row->{error_description} =~ /\(carried out: (.*?);/;
		my @held = sort { $a <=> $b }
		  map { /^0*(\d+):/ } split /,/, $cas->card(this_card())->{products};

		is(join(' ', sort { $a <=> $b } $yes =~ /product (\d+)/g),
			"@held", 'which is what the card holds');
	}
	$cas->clear_faults;

	# busy is not refused: only that message is sent again
	fault_next('reject code=00FF skip=4 count=1');
	$row = done(list_of_ten(), 'the gateway is busy for one product');
	is($row->{attempts}, 2, 'the second attempt');
	is(products_received(), '1 2 3 4 5 5 6 7 8 9 10',
		'only the one product was sent again');
	$cas->clear_faults;
}
finish();

# one message at a time, so that it is certain what was answered
begin('one_by_one', window => 1, gateway => { window => 1 });
foreach my $fault (qw(close-after-body carry-out-close close-before-body))
{
	# a message that was not read has no card
	$cas->fault("kind=$fault skip=5 count=1");
	my $row = done(list_of_ten(), "$fault: the link is lost in the middle");

	is($row->{attempts}, 2, "$fault: the second attempt");
	is(attempt_codes($row), 'UNKNOWN NO_ANSWER', "$fault: the log of attempts");
	is(products_received(),
		$fault eq 'close-before-body'
		? '1 2 3 4 5 6 7 8 9 10'
		: '1 2 3 4 5 6 6 7 8 9 10',
		"$fault: what was acknowledged is not sent again");
	$cas->clear_faults;
}
finish();

# ------------------------------------------------------ windows and numbers

# Are the numbers of each source different and growing, in the order of
# receiving?
sub numbers_are_good
{
	my ($name) = @_;
	my %last;
	my @bad;

	foreach my $message (messages(all => 1))
	{
		next if $message->{operation} =~ /^(?:-|Hello)$/;
		push @bad, "$message->{source}: $message->{sequence}"
		  if $message->{sequence} <= ($last{ $message->{source} } // 0);
		$last{ $message->{source} } = $message->{sequence};
	}
	is("@bad", '', $name);
	return;
}

# The most messages that were without an answer on one link at a time.
sub most_at_once
{
	my (%now, @events);
	my $most = 0;

	foreach my $message (messages(all => 1))
	{
		next unless defined $message->{answered};
		push @events, [ $message->{received}, 1, $message->{connection} ],
		  [ $message->{answered}, -1, $message->{connection} ];
	}
	foreach my $event (sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] } @events)
	{
		$now{ $event->[2] } += $event->[1];
		$most = $now{ $event->[2] } if $now{ $event->[2] } > $most;
	}
	return $most;
}

begin('windows', window => 8, gateway => { window => 8 });
$cas->fault('kind=delay delay=30ms');
create_many('CLEAR_PIN', 60);
wait_until_idle($node);
is(most_at_once(), 8, 'a window of eight is filled, not overrun');
$cas->clear_faults;

# P5: no transaction is open while the gateway thinks
$cas->fault('kind=delay delay=2s');
create_many('CLEAR_PIN', 4);
wait_for($node, 'SELECT count(*) = 4 FROM provreq.attempt');
is( sql(<<"EOQ"), 't', 'no transaction is open while answers are waited for');
SELECT bool_and(xact_start IS NULL AND backend_xmin IS NULL AND backend_xid IS NULL)
FROM pg_stat_activity WHERE application_name = 'provreq sender windows'
EOQ
wait_until_idle($node);
finish();

begin(
	'sources',
	window => 2,
	gateway => { window => 2, source_ids => [ '0011', '0012', '0013' ] });
$cas->fault('kind=delay delay=20ms');
create_many('CLEAR_PIN', 60);
wait_until_idle($node);
is(join(',', sort { $a <=> $b } uniq map { 0 + $_->{source} } messages()),
	'11,12,13', 'all source ids are used');
is(most_at_once(), 2, 'each with its own window');
numbers_are_good('the numbers of each source grow');

# the sender ends, the server crashes, both with messages under way
$cas->clear_faults;
$cas->fault('kind=delay delay=2s');
foreach my $how (qw(terminate immediate fast))
{
	create_many('SET_PIN_TO_DEFAULT_VALUE', 12);
	wait_for($node, 'SELECT count(*) = 6 FROM provreq.attempt');
	if ($how eq 'terminate')
	{
		my $pid = sender_pid($node, 'sources');

		sql("SELECT pg_terminate_backend($pid)");
		wait_until('there is another sender',
			sub { sender_pid($node, 'sources') !~ /^(?:$pid)?$/ });
	}
	else
	{
		$node->stop($how);
		$node->start;
		$era++;
	}
	wait_until_idle($node);
	numbers_are_good("$how: numbers are not used again");
}
is( sql(<<"EOQ"), 0, 'all of them are COMPLETED');
SELECT count(*) FROM provreq.request
WHERE provider = 'sources' AND life_cycle_state <> 'COMPLETED'
EOQ
finish();

# ----------------------------------------------------------------- answers

begin('answers', window => 8, timeout => '30s', gateway => { window => 8 });
foreach my $fault ('delay delay=100ms', 'out-of-order batch=4 delay=100ms',
	'one-write batch=4 delay=100ms', 'byte-by-byte delay=200us', 'two-answers',
	'unsolicited')
{
	my $before = () = messages();

	$cas->fault("kind=$fault");
	create_many('CLEAR_PIN', 4);
	wait_until_idle($node);
	$cas->clear_faults;
	is(messages() - $before, 4, "$fault: each message goes out once");
}
{
	my $other = grep { $_ > 1 } map { scalar of_card($_->{cards}) } messages();

	is($other, 0, 'no card got anything twice');
}
is( sql(<<"EOQ"), 0, 'all of them COMPLETED in the first attempt');
SELECT count(*) FROM provreq.request WHERE provider = 'answers'
AND (life_cycle_state <> 'COMPLETED' OR attempts <> 1)
EOQ
finish();

# The table of spoiled answers.  What cannot be trusted is no answer: a type
# that may be repeated is, another is held.
sql(
	q{UPDATE provreq.wire_profile SET document = jsonb_set(document,}
	  . q{ '{operations,SET_PIN_TO_DEFAULT_VALUE,idempotent}', 'false')}
	  . q{ WHERE name = 'nagra_smsgw'});
begin('spoiled', window => 8, timeout => '1s', gateway => { window => 8 });
foreach my $fault (
	qw(no-answer carry-out-no-answer hang-after-body close-after-body
	carry-out-close half-answer other-answer garbage nonsense oversized
	wrong-length))
{
	fault_next("$fault count=1");
	my $row = done(create('CLEAR_PIN'), "$fault: carried out in the end");

	# a link that hangs is given up with the check that follows
	like("$row->{attempts} " . attempt_codes($row),
		$fault =~ /hang/
		? qr/^[23] UNKNOWN NO_ANSWER/
		: qr/^2 UNKNOWN NO_ANSWER$/,
		"$fault: in the second attempt");
	cmp_ok(scalar of_card(this_card()), '>=', 2, "$fault: after it was sent twice");
	fault_next("$fault count=1");
	$row = end_of(create('SET_PIN_TO_DEFAULT_VALUE'));
	is($row->{life_cycle_state}, 'PENDING', "$fault: what may not be repeated waits");
	like($row->{hold_reason}, qr/^in doubt/, "$fault: for somebody to decide");
	unlike($row->{response} // '', qr/[0-9]/,
		"$fault: what came may be another's, and is masked");
	is(scalar of_card(this_card()), 1, "$fault: and was sent once");
	sql("SELECT provreq.cancel($row->{number}, 'test')");
	$cas->clear_faults;
	$cas->control('drop all') if $fault =~ /hang/;
}

# a message that was not read was not carried out either
$cas->fault('kind=close-before-body count=1');
done(create('CLEAR_PIN'), 'close-before-body: carried out in the end');
finish();

# ------------------------------------------------------------ late answers

begin(
	'late',
	timeout => '300ms',
	retry_delay => '100s',
	retry_delay_max => '100s',
	gateway => { arguments => [ '--unknown-prefix', '777' ] });
{
	my ($row, $number);

	# before the next attempt
	fault_next('late-answer delay=600ms count=1');
	$row = done($number = create('CLEAR_PIN'), 'a late answer settles the request');
	is(scalar of_card(this_card()), 1, 'which is not sent again');

	# although the link has gone in between: the next one brings it
	fault_next('late-answer delay=900ms count=1');
	$number = create('CLEAR_PIN');
	wait_until('it is given up', sub {
		request_row($node, $number, session => "era $era", condition => 'attempt_log IS NOT NULL') });
	$cas->control('drop all');
	done(create('CLEAR_PIN'), 'another one, on the next link');
	done($number, 'a late answer comes over the next link');
	is(scalar of_card($cas->card_on_wire(100000000000 + 100 * ($card - 1))),
		1, 'that one is not sent again either');

	# of one that is held
	fault_next('late-answer delay=900ms count=1');
	$row = end_of(create('SET_PIN_TO_DEFAULT_VALUE'));
	like($row->{hold_reason}, qr/^in doubt/, 'one that may not be repeated is held');
	wait_until('the late answer has come',
		sub { request_row($node, $row->{number}, session => "era $era", condition => "life_cycle_state <> 'PENDING'") });
	$row = request_row($node, $row->{number}, session => "era $era");
	is("$row->{life_cycle_state} " . ($row->{hold_reason} // '-'),
		'COMPLETED -', 'until the late answer comes');

	# a late refusal
	$cas->fault('kind=late-answer delay=900ms count=1 match-card=7770000000');
	$row = end_of(
		sql(
			"SELECT number FROM provreq.nagravision_clear_pin('number=S1',"
			  . " smartcard_ca_id => '777000000042')"));
	is("$row->{life_cycle_state} $row->{error_code} " . attempt_codes($row),
		'REJECTED 0001 UNKNOWN NO_ANSWER', 'a late refusal counts as well');
	is(scalar of_card('7770000000'), 1, 'and is not sent again');

	# one of a part, while another part is in doubt
	done(create('CLEAR_PIN'), 'the gateway is not out of reach');
	$cas->fault('kind=late-answer delay=900ms count=1 match-card=7770000001');
	$cas->fault('kind=no-answer count=1 match-card=7770000001');
	sql('INSERT INTO provreq.installed_item (serial_number, classification,'
		  . q{ ca_id) VALUES ('unknown', 'SMARTCARD', '777000000142')});
	$number = sql(
		'SELECT number FROM provreq.nagravision_add_enhanced_list_of_products('
		  . q{'{code=P1,code=P2}', 'serial_number=unknown')});
	wait_until('both parts are given up', sub {
		request_row($node, $number, session => "era $era", condition => 'attempt_log IS NOT NULL') });
	done(create('CLEAR_PIN'), 'it is still not');
	fault_next('late-answer delay=900ms count=1');
	done(create('CLEAR_PIN'), 'a later late answer settles its request');
	$row = request_row($node, $number, session => "era $era");
	is("$row->{life_cycle_state} $row->{error_code}", 'PENDING NO_ANSWER',
		'the refusal of one part settles nothing while the other is in doubt');
	like($row->{error_description},
		qr/\(carried out: none; not carried out: none; in doubt: product \d+, product \d+\)/,
		'which it says');
	sql("SELECT provreq.cancel($number, 'test')");

	# while somebody holds a lock, so that the doubt cannot be recorded
	my $locker = $node->background_psql('postgres');

	done(create('CLEAR_PIN'), 'and still not');
	fault_next('late-answer delay=1200ms count=1');
	$number = create('SET_PIN_TO_DEFAULT_VALUE');
	wait_until('it is under way', sub {
		sql("SELECT count(*) FROM provreq.attempt WHERE number = $number") });
	$locker->query_safe('BEGIN');
	is($locker->query_safe('SELECT number FROM provreq.request_pending'
			  . " WHERE number = $number FOR UPDATE"),
		$number, 'somebody locks one that is under way');
	fault_next('late-answer delay=1200ms count=1');
	done(create('CLEAR_PIN'), 'another late answer comes after its own');
	$locker->query_safe('COMMIT');
	done($number, 'a late answer counts although the row was locked');
	$locker->quit;
}
finish();

# ------------------------------------------------------------------ pauses

begin('paused', window => 1, retry_limit => 1, gateway => { window => 1 });
{
	fault_next('delay delay=300ms');

	my $number = list_of_ten();

	wait_until('a part is carried out', sub { scalar of_card(this_card()) });
	sql("SELECT provreq.pause('paused', 'test')");
	wait_until('the request has come back', sub {
		!sql("SELECT count(*) FROM provreq.attempt WHERE number = $number") });
	$cas->clear_faults;
	sql("SELECT provreq.resume('paused')");
	my $row = done($number, 'a list that a pause interrupts is not given up');

	is(attempt_codes($row), 'RETRY NOT_SENT', 'it was interrupted');
	is(products_received(), '1 2 3 4 5 6 7 8 9 10', 'and each product went out once');
}
finish();

# --------------------------------------------------------- how links begin

begin('hello', checks_at_start => 5, connect_timeout => '2s', heartbeat => '1s',
	timeout => '500ms');
{
	my @begin;

	done(create('CLEAR_PIN'), 'over a link with five checks');
	@begin = map { $_->{operation} } messages(all => 1);
	is("@begin[0 .. 6]", join(' ', 'Hello', ('Heartbeat') x 5, 'PinClear'),
		'the checks go out before anything else');

	# and one after the other
	my @checks = grep { $_->{operation} eq 'Heartbeat' } messages(all => 1);
	my $early = grep { $checks[$_]->{received} < $checks[ $_ - 1 ]->{answered} }
	  1 .. 4;
	is($early, 0, 'each when the one before was acknowledged');

	# idle: a heartbeat a second
	my $count = sub { scalar grep { $_->{operation} eq 'Heartbeat' } $cas->ledger };
	my $before = $count->();
	wait_until('three heartbeats have gone out', sub { $count->() >= $before + 3 });
	is($cas->status->{errors}, 0, 'heartbeats on an idle link');

	# one without an answer: another link
	my $hellos = sub { scalar grep { $_->{operation} eq 'Hello' } $cas->ledger };
	$before = $hellos->();
	$cas->fault('kind=no-answer match-op=Heartbeat count=1');
	my $offset = -s $node->logfile;
	wait_until('the dead link is noticed',
		sub { log_of($node, $offset) =~ /a check had no answer within 500 ms/ });
	done(create('CLEAR_PIN'), 'after a heartbeat without an answer');
	is($hellos->(), $before + 1, 'over another link');
}
foreach my $refusal ([ 'hello-connection status=0', 'connection status 0 instead of 6' ],
	[ 'hello-call status=3', 'call status 3 instead of 0' ],
	[ 'no-answer match-op=Hello', 'not done within' ],
	[ 'no-answer match-op=Heartbeat', 'no answer within 500 ms' ],
	[ 'reject code=0001 match-op=Heartbeat', '0001' ])
{
	my ($fault, $reason) = @$refusal;
	my $offset = -s $node->logfile;

	$cas->fault("kind=$fault");
	$cas->control('drop all');
	my $number = create('CLEAR_PIN');
	wait_for_message($node, qr/"hello" is out of reach.*\Q$reason\E/s, $offset);
	is(request_row($node, $number, session => "era $era")->{life_cycle_state}, 'PENDING',
		"$fault: nothing is sent");
	is(scalar of_card(this_card()), 0, "$fault: nothing is received");
	$cas->clear_faults;
	is(done($number, "$fault: and then it is sent")->{attempts},
		1, "$fault: without an attempt lost");
}
finish();

# --------------------------------------------------------------------- TLS

begin('tls', gateway => { tls => 1 });
{
	done(create('ADD_ENHANCED_LIST_OF_PRODUCTS'), 'over TLS');
	foreach my $fault (qw(tls-wrong-cert tls-fail))
	{
		my $offset = -s $node->logfile;

		$cas->fault("kind=$fault");
		$cas->control('drop all');
		my $number = create('CLEAR_PIN');
		wait_for_message($node, qr/"tls" is out of reach/, $offset);
		is(scalar of_card(this_card()), 0, "$fault: nothing is sent");
		$cas->clear_faults;
		is(done($number, "$fault: and then it is sent")->{attempts},
			1, "$fault: without an attempt lost");
	}

	# another authority
	my $offset = -s $node->logfile;
	sql("ALTER SERVER tls OPTIONS (SET ca_file '"
		  . make_certificates()->{ca} . "')");
	my $number = create('CLEAR_PIN');
	wait_for_message($node, qr/"tls" is out of reach.*certificate/is, $offset);
	is(scalar of_card(this_card()), 0, 'a certificate of an unknown authority is not trusted');
	sql("ALTER SERVER tls OPTIONS (SET ca_file '$cas->{tls}->{ca}')");
	done($number, 'that of a known one is');
}
finish();

# -------------------------------------------------------------------- PINs

begin('secrets', timeout => '400ms');
sql(q{UPDATE provreq.wire_profile SET document = jsonb_set(document,}
	  . q{ '{pin_digits,max}', '8') WHERE name = 'nagra_smsgw'});
foreach my $fault ('', 'reject code=0042', 'garbage count=1', 'half-answer count=1',
	'nonsense count=1', 'no-answer count=1')
{
	fault_next($fault) if $fault;
	$card++;
	end_of(sql(
		"SELECT number FROM provreq.nagravision_set_pin_to_given_value('number=S$card',"
		  . " '$pin', 'serial_number=card$card')"));
	$cas->clear_faults;
}
is((of_card(this_card()))[0]->{operation}, 'PinNew', 'PINs were sent');
is( sql(<<"EOQ"), 0, 'no PIN is in a row of the record');
SELECT count(*) FROM provreq.request AS r WHERE r::text LIKE '%$pin%'
EOQ
is( sql(<<"EOQ"), 0, 'nor in pg_stat_activity');
SELECT count(*) FROM pg_stat_activity
WHERE query LIKE '%$pin%' AND pid <> pg_backend_pid()
EOQ
unlike(log_of($node), qr/$pin/, 'nor in the log of the server');
finish();

done_testing();
