# What the CRM says and what the CAS holds are compared service by service, and
# made the same with the fewest requests.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;

my $node = provreq_node('main');
my $cas = Provreq::Simulator->start;
my $cards = 60;

srand 4711;
fill_directory($node, $cards);
create_provider($node, 'main_conax', $cas);

# Another way to the same CAS, of which main_conax knows nothing.
create_provider($node, 'back_door', $cas);

# What a card should hold: an entitlement, or a request through a provider.
sub entitle
{
	my ($card, @services) = @_;

	$node->safe_psql('postgres', <<"EOQ");
DELETE FROM provreq.entitlement AS e USING provreq.installed_item AS i
	WHERE i.id = e.installed_item_id AND i.serial_number = 'card$card';
INSERT INTO provreq.entitlement
	SELECT i.id, p.id FROM provreq.installed_item AS i, provreq.product AS p
	WHERE i.serial_number = 'card$card'
	AND p.code = ANY ('{@{[ join ',', map {"P$_"} @services ]}}');
EOQ
	return;
}

sub change
{
	my ($provider, $operation, $card, $service) = @_;

	$node->safe_psql('postgres',
		"SELECT provreq.conax_${operation}_subscriptions('number=S$card',"
		  . " 'code=P$service', 'serial_number=card$card',"
		  . " provider => '$provider')");
	return;
}

# What the CAS really holds for a card.
sub holds
{
	my ($card) = @_;

	return join ',',
	  sort { $a <=> $b }
	  grep { /\d/ } split /,/, $cas->card(100000000000 + $card)->{products} // '';
}

# The differences that reconcile finds, a line each.
sub reconcile
{
	my (@of) = @_;
	my $list = join ', ', map { "'serial_number=card$_'" } @of;

	# what comes after a CALL cannot be seen by it: it asks and waits itself
	return $node->safe_psql('postgres', <<"EOQ");
SET lock_timeout = '2min';
DO \$\$
DECLARE
	found jsonb;
BEGIN
	CALL provreq.reconcile('main_conax', ARRAY[$list], '10 minutes', found);
	CREATE TEMPORARY TABLE found AS
		SELECT * FROM jsonb_to_recordset(found) AS d (smartcard_identifier text,
			service_ca_id text, in_crm boolean, in_cas boolean, suggestion text, as_of timestamptz);
END
\$\$;
SELECT substr(smartcard_identifier, 19), service_ca_id, in_crm, in_cas, suggestion
FROM found ORDER BY 1::text::integer, 2;
EOQ
}

sub reset_subscription
{
	my ($card, $role) = @_;

	return $node->safe_psql('postgres',
		($role ? "SET ROLE $role;" : '')
		  . "SELECT type, parameters ->> 'service_ca_id'"
		  . " FROM provreq.reset_subscription('number=S$card', 'main_conax') ORDER BY 1, 2");
}

# ---- One card

entitle(1, 1, 2, 3);
is(reconcile(1), <<'EOQ' =~ s/\n\z//r, 'the CAS holds nothing');
1|1|t|f|add_subscriptions
1|2|t|f|add_subscriptions
1|3|t|f|add_subscriptions
EOQ
is(reset_subscription(1), <<'EOQ' =~ s/\n\z//r, 'it is given all');
ADD_SUBSCRIPTIONS|1
ADD_SUBSCRIPTIONS|2
ADD_SUBSCRIPTIONS|3
EOQ
wait_until_idle($node);
is(holds(1), '1,2,3', 'and holds all');
is(reset_subscription(1), '', 'what was completed since the answer counts');
is(reconcile(1), '', 'both agree');

# behind our back
change('back_door', 'cancel', 1, 2);
change('back_door', 'add', 1, 7);
wait_until_idle($node);
is(reset_subscription(1), '', 'without asking, nobody knows');
is(reconcile(1), <<'EOQ' =~ s/\n\z//r, 'asking shows it');
1|2|t|f|add_subscriptions
1|7|f|t|cancel_subscriptions
EOQ
is( reset_subscription(1),
	"ADD_SUBSCRIPTIONS|2\nCANCEL_SUBSCRIPTIONS|7",
	'only the differences are sent');
wait_until_idle($node);
is(holds(1), '1,2,3', 'and both agree again');

# an answer that is too old
sqlstate_is($node,
	"SELECT provreq.reset_subscription('number=S1', max_age => '1 microsecond', provider => 'main_conax')",
	'55000', 'an answer that is too old does not count');
sqlstate_is($node,
	"SELECT provreq.reset_subscription('number=S1', max_age => '178000000 years', provider => 'main_conax')",
	'00000', 'and one may be very old');
sqlstate_is($node, "SELECT provreq.reset_subscription('number=S2', 'main_conax')",
	'55000', 'nor does none');
sqlstate_is($node, "SELECT provreq.reset_subscription('number=S1')", '22023',
	'which of two providers has to be said');

# ---- The CAS is down: no answer, and no guess

$cas->fault('kind=refuse');
my $silence = $node->safe_psql('postgres', <<'EOQ');
CALL provreq.reconcile('main_conax', ARRAY['serial_number=card3'], '200ms');
EOQ
like($silence, qr/"in_cas": null.*"get_active_subscriptions"/,
	'without an answer the CAS has to be asked');
sqlstate_is($node, "SELECT provreq.reset_subscription('number=S3', 'main_conax')",
	'55000', 'and nothing is reset');
$cas->clear_faults;
wait_until_idle($node);
is(reset_subscription(3), '', 'the answer that came late is there');

# ---- Two at once make the requests once

entitle(4, 4, 5);
reconcile(4);
$node->safe_psql('postgres',
	"ALTER SERVER main_conax OPTIONS (SET url 'http://127.0.0.1:1')");
my $first = $node->background_psql('postgres');
my $second = $node->background_psql('postgres');

$first->query_safe('BEGIN');
is($first->query_safe("SELECT count(*) FROM provreq.reset_subscription('number=S4', 'main_conax')"),
	2, 'the first makes two requests');
$second->query_until(qr/started/,
	"\\echo started\nSELECT count(*) AS made FROM provreq.reset_subscription('number=S4', 'main_conax') \\gset\n");
wait_for($node,
	"SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
$first->query_safe('COMMIT');
is($second->query_safe('SELECT :made'), 0, 'and the second none');
$_->quit foreach $first, $second;
$node->safe_psql('postgres',
	"ALTER SERVER main_conax OPTIONS (SET url '@{[ $cas->url ]}')");
wait_until_idle($node);
is(holds(4), '4,5', 'which are sent');

# ---- All cards, at random

my %wanted;

foreach my $card (1 .. $cards)
{
	my @services = grep { rand() < 0.4 } 1 .. 10;

	$wanted{$card} = join ',', @services;
	entitle($card, @services);
	change('back_door', rand() < 0.6 ? 'add' : 'cancel', $card, 1 + int rand 10)
	  foreach 1 .. 3;
}
wait_until_idle($node);

# asked by a run, as one would for many
my $run = $node->safe_psql('postgres',
	"SELECT provreq.start_run('get_active_subscriptions', 'main_conax', filter => '{}')");

wait_for($node, "SELECT state FROM provreq.run WHERE id = $run", 'FINISHED');
my $differences = 0;

foreach my $card (1 .. $cards)
{
	my %holds = map { $_ => 1 } split /,/, holds($card);
	my %wants = map { $_ => 1 } split /,/, $wanted{$card};

	$differences += grep { !$holds{$_} != !$wants{$_} } 1 .. 10;
}
my $listed = $node->safe_psql('postgres', <<'EOQ');
SELECT count(*) FROM provreq.differences('main_conax', (
	SELECT array_agg('serial_number=card' || i) FROM generate_series(1, 60) AS i), now() - interval '1 hour')
WHERE suggestion ~ '^(add|cancel)_subscriptions$'
EOQ
is($listed, $differences, "all $differences differences are listed");
is( $node->safe_psql('postgres', <<'EOQ'),
SELECT count(r.number) FROM generate_series(1, 60) AS i,
	LATERAL provreq.reset_subscription('number=S' || i, 'main_conax') AS r
EOQ
	$differences,
	'as many requests as differences');
wait_until_idle($node);
is( join(' ', map { "$_:" . holds($_) } 1 .. $cards),
	join(' ', map { "$_:$wanted{$_}" } 1 .. $cards),
	'the CAS holds what the CRM says, card by card');

# ---- Rights, and the CRM's own relation

$node->safe_psql('postgres', <<'EOQ');
CREATE ROLE operator LOGIN IN ROLE provreq_operator;
CREATE ROLE watcher LOGIN IN ROLE provreq_reader;
CREATE ROLE nobody LOGIN;
EOQ
my $differences_of = "SELECT provreq.differences('main_conax', '{serial_number=card1}')";
sqlstate_is($node, $differences_of, '42501', 'nobody sees nothing', role => 'nobody');
sqlstate_is($node, $differences_of, '00000', 'a reader sees differences', role => 'watcher');
foreach my $call (
	"SELECT provreq.reset_subscription('number=S1', 'main_conax')",
	"SELECT provreq.ask_cas('main_conax', '{serial_number=card1}')",
	"CALL provreq.reconcile('main_conax', '{}')")
{
	sqlstate_is($node, $call, '42501', "a reader may not: $call", role => 'watcher');
	sqlstate_is($node, $call, '00000', "an operator may: $call", role => 'operator');
}
wait_until_idle($node);
$node->safe_psql('postgres', <<'EOQ');
CREATE SCHEMA crm;
CREATE TABLE crm.holds (card text, product text);
INSERT INTO crm.holds SELECT installed_item_id, product_id FROM provreq.entitlement
	WHERE installed_item_id <> (SELECT id FROM provreq.installed_item WHERE serial_number = 'card1');
CREATE ROLE crm_owner;
GRANT USAGE ON SCHEMA crm TO crm_owner;
GRANT SELECT ON crm.holds TO crm_owner;
SELECT provreq.use_directory('entitlement', 'crm.holds',
	'{"installed_item_id": "card", "product_id": "product"}', 'crm_owner');
EOQ
my $lost = () = split /,/, $wanted{1}, -1;
is(reset_subscription(1, 'operator') =~ tr/\n// + 1,
	$lost, "the CRM's own relation is read");
wait_until_idle($node);
is(holds(1), '', 'and its word is done');
sqlstate_is($node, 'TABLE crm.holds', '42501', 'which others cannot read',
	role => 'operator');

$node->stop;
unlike(log_of($node), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
