# Requests of several messages: what an interrupted attempt counts for, which
# parts are sent again, and what becomes of them when the wire profile was
# changed in between.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use Provreq;
use ProvreqFaults;
use Test::More;

my $node = provreq_node('main');
my $cas = Provreq::Simulator->start(kind => 'nagravision', window => 1);
my $list = 'ADD_ENHANCED_LIST_OF_PRODUCTS';
my $card = 0;

fill_directory($node, 100, card_step => 100);
create_provider($node, 'gateway', $cas,
	retry_delay => '20ms',
	retry_delay_max => '100ms',
	retry_limit => 2,
	retry_window => '3s');

# Products 1 to 5 in one request for a new card; its number.
sub list_of_five
{
	return ask($node,
		'SELECT number FROM provreq.nagravision_add_enhanced_list_of_products('
		  . q{ARRAY(SELECT 'code=P' || i FROM generate_series(1, 5) AS i), }
		  . "'serial_number=card@{[ ++$card ]}')");
}

# What the gateway received for the last card, in that order.
sub products_received
{
	my $wire = $cas->card_on_wire(100000000000 + 100 * $card);

	return join ' ',
	  map { ($_->{things} =~ /^0*(\d+)/)[0] }
	  grep { $_->{cards} eq $wire } $cas->ledger;
}

# Such a request that was interrupted when some of it was carried out, its
# provider being paused; and the products that were sent.
sub interrupted_list
{
	$cas->fault('kind=delay delay=1s');

	my $number = list_of_five();

	wait_until('a part is carried out', sub { products_received() });
	ask($node, "SELECT provreq.pause('gateway', 'test')");
	wait_until('the request has come back', sub {
		!ask($node, "SELECT count(*) FROM provreq.attempt WHERE number = $number") });
	$cas->clear_faults;
	return ($number, products_received());
}

# The same products as the table has them.
sub as_parts { return join ' ', map { "service_ca_id=$_" } split / /, $_[0] }

sub resume { return ask($node, q{SELECT provreq.resume('gateway')}) }

# Changes the profile's operation that makes lists, and its message so that it
# can be without them: it is about product 9.
sub change_profile
{
	my ($change) = @_;

	ask($node, <<"EOQ");
UPDATE provreq.wire_profile SET document = jsonb_set(jsonb_set(document,
	'{operations,$list}', (document #> '{operations,$list}') $change),
	'{messages,add_product}', (SELECT jsonb_agg(CASE f.value ->> 'name'
			WHEN 'product' THEN f.value - 'from' || '{"const": "9"}'
			ELSE f.value END ORDER BY f.place)
		FROM jsonb_array_elements(document #> '{messages,add_product}')
			WITH ORDINALITY AS f (value, place)))
WHERE name = 'nagra_smsgw'
EOQ
	return;
}

my $original = ask($node,
	"SELECT document FROM provreq.wire_profile WHERE name = 'nagra_smsgw'");

sub restore_profile
{
	return ask($node,
		"UPDATE provreq.wire_profile SET document = '$original' WHERE name = 'nagra_smsgw'");
}

sub parts_done
{
	my ($number) = @_;

	return ask($node,
		"SELECT array_to_string(parts_done, ' ') FROM provreq.request WHERE number = $number");
}

# ------------------------------------------------------------ interruptions

{
	my ($number, $sent) = interrupted_list();
	my $row = request_row($node, $number);
	my $next = 1 + (split / /, $sent)[-1];

	is(attempt_codes($row), 'RETRY NOT_SENT', 'a pause interrupts a list');
	ok($row->{attempt_log}->[0]->{interrupted}, 'which the log of attempts says');
	is(parts_done($number), as_parts($sent), 'what was carried out is remembered');

	# longer than the time for all attempts
	wait_for($node, 'SELECT clock_timestamp() > (attempt_log #>> '
		  . q{'{0,started}')::timestamptz + interval '4 s'}
		  . " FROM provreq.request WHERE number = $number");
	$cas->fault('kind=reject code=00FF count=1');
	resume();
	$row = wait_for_end($node, $number);
	is($row->{life_cycle_state}, 'COMPLETED',
		'an interrupted attempt counts neither for retry_limit nor for retry_window');
	is(attempt_codes($row), 'RETRY NOT_SENT, RETRY 00FF', 'the attempts before the last');
	ok(!exists $row->{attempt_log}->[1]->{interrupted}, 'of which only the first was interrupted');
	is($row->{attempts}, 3, 'all of which stand in the record');
	is(products_received(), join(' ', 1 .. 5, $next),
		'each product went out until it was acknowledged');

	# those that fail count
	$cas->fault('kind=reject code=00FF');
	$row = wait_for_end($node, list_of_five());
	is("$row->{life_cycle_state} $row->{error_code}",
		'REJECTED RETRY_EXHAUSTED', 'attempts that fail do count');
	$cas->clear_faults;
}

# ------------------------------------------------------- what was carried out

{
	$cas->fault('kind=reject code=0007 skip=1 count=1');

	my $row = wait_for_end($node, list_of_five());

	is("$row->{life_cycle_state} $row->{error_code}", 'REJECTED 0007',
		'one product is refused');
	my $done = parts_done($row->{number});
	my ($held) = $cas->card(100000000000 + 100 * $card)->{products} // '';

	is($done, join(' ', map { 'service_ca_id=' . s/^0*(\d+):.*/$1/r } split /,/, $held),
		'its row says which were carried out: those that the card holds');
	isnt($done, '', 'there are some');
	$cas->clear_faults;

	# once more, and what was carried out is not
	my $before = products_received();
	my $again = ask($node,
		"SELECT number FROM provreq.resubmit_rejected('gateway', '-infinity', '0007')");
	my $left = ask($node,
		q{SELECT string_agg(p, ' ') FROM provreq.request, jsonb_array_elements_text(}
		  . qq{parameters -> 'service_ca_id') AS p WHERE number = $again});

	is(as_parts($left), join(' ', grep { index(" $done ", " $_ ") < 0 } split / /, as_parts('1 2 3 4 5')),
		'resubmit_rejected() makes a request of the others');
	is(wait_for_end($node, $again)->{life_cycle_state}, 'COMPLETED', 'it is carried out');
	is(products_received(), "$before $left", 'and nothing else is sent again');
	is($cas->card(100000000000 + 100 * $card)->{products} =~ tr/,//, 4, 'the card holds all');
}

# -------------------------------------------------------- another wire profile

# Parts are known by what they are about, and not by their place.
foreach my $repeatable (0, 1)
{
	my ($number, $sent) = interrupted_list();
	my $what = $repeatable ? 'repeatable' : 'not repeatable';
	my $n = split / /, $sent;
	my $row;

	change_profile(q(|| '{"each": "smartcard_ca_id", "idempotent": )
		  . ($repeatable ? 'true' : 'false') . q(}'));
	resume();
	$row = wait_for_end($node, $number);
	if ($repeatable)
	{
		is($row->{life_cycle_state}, 'COMPLETED',
			"$what: parts that mean something else are all sent");
		is(products_received(), "$sent 9", "$what: and none is passed over");
	}
	else
	{
		is($row->{life_cycle_state}, 'PENDING', "$what: the request is held");
		is($row->{hold_reason},
			"in doubt: the wire profile was changed after $n of its messages"
			  . ' were carried out, one of them for service_ca_id=1',
			"$what: the reason");
		is("$row->{error_code} $row->{attempts}", 'PARTS_CHANGED 1',
			"$what: it is no attempt");
		is(attempt_codes($row), 'RETRY NOT_SENT', "$what: nor is it in their log");
		ok($row->{request}, "$what: the text of what was sent stays");
		is(products_received(), $sent, "$what: nothing was sent");
		is(parts_done($number), as_parts($sent), "$what: what was carried out is still known");

		# the profile as it was: the rest is sent
		restore_profile();
		ask($node, "SELECT provreq.resubmit($number)");
		is(wait_for_end($node, $number)->{life_cycle_state},
			'COMPLETED', "$what: with the profile of before it goes on");
		is(products_received(), '1 2 3 4 5', "$what: where it had been");
	}
	restore_profile();
}

# A person may want it sent by the new profile.
{
	my ($number, $sent) = interrupted_list();

	change_profile(q(|| '{"each": "smartcard_ca_id", "idempotent": false}'));
	resume();
	like(wait_for_end($node, $number)->{hold_reason}, qr/profile was changed/, 'held');
	ask($node, "SELECT provreq.release_doubtful($number, 'resend', 'test')");
	wait_for($node, "SELECT life_cycle_state = 'COMPLETED' FROM provreq.request WHERE number = $number");
	is(products_received(), "$sent 9", 'sent anew, since somebody says so');
	restore_profile();
}

# One message instead of several.
foreach my $repeatable (1, 0)
{
	my ($number, $sent) = interrupted_list();
	my $what = 'one message for all, ' . ($repeatable ? 'repeatable' : 'not repeatable');
	my $row;

	change_profile(q(- 'each' || '{"idempotent": )
		  . ($repeatable ? 'true' : 'false') . q(}'));
	resume();
	$row = wait_for_end($node, $number);
	is($row->{life_cycle_state}, $repeatable ? 'COMPLETED' : 'PENDING', "$what: the state");
	is(products_received(), $repeatable ? "$sent 9" : $sent, "$what: what was sent");
	like($row->{hold_reason}, qr/profile was changed/, "$what: the reason") unless $repeatable;
	restore_profile();
}

done_testing();
