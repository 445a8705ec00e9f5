# A CRM that knows nothing of requests, at systems with framed messages: after
# random changes by plain DML, with both systems up, down and failing and a crash
# of the server, every smartcard holds at the Nagravision gateway what the CRM's
# table says, and every card of NDS was authorised anew for every change.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use File::Temp;
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use ProvreqLinks;
use Test::More;

my $actions = scale('PROVREQ_CRM_ACTIONS', 500);
my $legs = 10;
my $subscriptions = 30;
my $services = 6;
my $seed = $ENV{PROVREQ_SEED} || time();
my $node = provreq_node('crm');
my @kinds = qw(nagravision nds);
my %cas = map { $_ => Provreq::Simulator->start(kind => $_) } @kinds;

srand($seed);
note("PROVREQ_SEED=$seed, $actions actions for each system");
create_provider(
	$node, "crm_$_", $cas{$_},
	timeout => '300ms',
	retry_limit => 1000,
	retry_delay => '10ms',
	retry_delay_max => '50ms') foreach @kinds;

# Two cards of no subscription for each subscription: S1 has card1 and
# card1001, and so on.  The CRM notes every row that a change takes away or
# brings, by itself, with the statement that did it.
$node->safe_psql('postgres', <<"EOQ");
INSERT INTO provreq.subscription (number)
	SELECT 'S' || i FROM generate_series(1, 2 * $subscriptions) AS i;
INSERT INTO provreq.product (code) SELECT 'P' || i FROM generate_series(1, $services) AS i;
INSERT INTO provreq.service_mapping (product_id, service_ca_id)
	SELECT id, substr(code, 2) FROM provreq.product;
INSERT INTO provreq.installed_item (serial_number, classification, ca_id)
	SELECT 'card' || 1000 * c + i, 'SMARTCARD', (100000000000 + 100 * (1000 * c + i))::text
	FROM generate_series(1, 2 * $subscriptions) AS i, generate_series(0, 1) AS c;

CREATE SCHEMA crm;
CREATE TABLE crm.subscribed (
	provider text NOT NULL,
	subscription integer,
	service text,
	spare boolean NOT NULL DEFAULT false,
	smartcard text GENERATED ALWAYS AS ('card' || CASE WHEN spare THEN 1000 ELSE 0 END + subscription) STORED,
	number text GENERATED ALWAYS AS ('S' || subscription) STORED,
	state text NOT NULL DEFAULT 'ACTIVE',
	remark text,
	PRIMARY KEY (subscription, service)
);
CREATE TABLE crm.seen (at timestamptz, statement timestamptz, card text, service text, step integer);
CREATE FUNCTION crm.see() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS \$\$
BEGIN
	IF TG_OP <> 'INSERT' AND OLD.state = 'ACTIVE' THEN
		INSERT INTO crm.seen VALUES (now(), statement_timestamp(), OLD.smartcard, OLD.service, -1);
	END IF;
	IF TG_OP <> 'DELETE' AND NEW.state = 'ACTIVE' THEN
		INSERT INTO crm.seen VALUES (now(), statement_timestamp(), NEW.smartcard, NEW.service, 1);
	END IF;
	RETURN NULL;
END
\$\$;
CREATE TRIGGER see AFTER INSERT OR UPDATE OR DELETE ON crm.subscribed
	FOR EACH ROW EXECUTE FUNCTION crm.see();
DO \$\$
DECLARE
	arguments text := \$a\$'provider_column=provider', 'subscription=number', 'service=service',
		'smartcard=smartcard', 'state=state', 'active=ACTIVE'\$a\$;
BEGIN
	EXECUTE 'CREATE TRIGGER i AFTER INSERT ON crm.subscribed REFERENCING NEW TABLE AS n'
		' FOR EACH STATEMENT EXECUTE FUNCTION provreq.subscription_change(' || arguments || ')';
	EXECUTE 'CREATE TRIGGER u AFTER UPDATE ON crm.subscribed REFERENCING OLD TABLE AS o NEW TABLE AS n'
		' FOR EACH STATEMENT EXECUTE FUNCTION provreq.subscription_change(' || arguments || ')';
	EXECUTE 'CREATE TRIGGER d AFTER DELETE ON crm.subscribed REFERENCING OLD TABLE AS o'
		' FOR EACH STATEMENT EXECUTE FUNCTION provreq.subscription_change(' || arguments || ')';
END
\$\$;
CREATE ROLE clerk LOGIN;
GRANT USAGE ON SCHEMA crm TO clerk;
GRANT SELECT, INSERT, UPDATE, DELETE ON crm.subscribed TO clerk;
EOQ

# ------------------------------------------------------------ random changes

sub one_of { return $_[ rand @_ ]; }

# One change: a transaction.  The arguments: provider, two subscriptions, two
# services.
my @changes = (
	sub { "INSERT INTO crm.subscribed VALUES ('$_[0]', $_[1], 'P$_[3]') ON CONFLICT DO NOTHING;" },
	sub { "INSERT INTO crm.subscribed SELECT '$_[0]', $_[1], 'P' || i FROM generate_series(1, $services) AS i"
		  . " ON CONFLICT (subscription, service) DO UPDATE SET state = 'ACTIVE';" },
	sub { "DELETE FROM crm.subscribed WHERE subscription = $_[1] AND service = 'P$_[3]';" },
	sub { "DELETE FROM crm.subscribed WHERE subscription = $_[1] AND random() < 0.5;" },
	sub { "UPDATE crm.subscribed SET spare = NOT spare WHERE subscription IN ($_[1], $_[2]);" },
	sub { "UPDATE crm.subscribed SET state = '" . one_of(qw(ACTIVE ACTIVE PAUSED)) . "' WHERE subscription = $_[1];" },
	sub { "UPDATE crm.subscribed SET spare = NOT spare, state = '" . one_of(qw(ACTIVE PAUSED))
		  . "' WHERE subscription = $_[1] AND service < 'P$_[3]';" },
	sub { "UPDATE crm.subscribed SET remark = 'called' WHERE subscription = $_[1];" },
	sub { "BEGIN; UPDATE crm.subscribed SET state = 'PAUSED' WHERE subscription = $_[1];"
		  . " UPDATE crm.subscribed SET state = 'ACTIVE' WHERE subscription = $_[1]; COMMIT;" },
	sub { "BEGIN; DELETE FROM crm.subscribed WHERE subscription = $_[1]; SAVEPOINT s;"
		  . " INSERT INTO crm.subscribed VALUES ('$_[0]', $_[1], 'P$_[3]'); ROLLBACK TO s;"
		  . " INSERT INTO crm.subscribed VALUES ('$_[0]', $_[1], 'P$_[4]'); COMMIT;" },
	sub { "BEGIN; DELETE FROM crm.subscribed WHERE subscription = $_[1]; ROLLBACK;" },
	sub { "MERGE INTO crm.subscribed s USING (SELECT 'P' || i AS code, random() < 0.5 AS wanted"
		  . " FROM generate_series(1, $services) AS i) AS n ON s.subscription = $_[1] AND s.service = n.code"
		  . " WHEN MATCHED AND NOT n.wanted THEN DELETE"
		  . " WHEN NOT MATCHED AND n.wanted THEN INSERT (provider, subscription, service) VALUES ('$_[0]', $_[1], n.code);" },
	sub { "WITH gone AS (DELETE FROM crm.subscribed WHERE subscription = $_[1] AND random() < 0.5 RETURNING *)"
		  . " INSERT INTO crm.subscribed (provider, subscription, service, spare, state)"
		  . " SELECT provider, subscription, service, spare, state FROM gone;" });

# The subscriptions of one system are those of one session.
sub start_session
{
	my ($kind, $count) = @_;
	my $first = $kind eq 'nds' ? $subscriptions + 1 : 1;
	my $file = File::Temp->new;

	print $file one_of(@changes)->(
		"crm_$kind",
		(map { $first + int rand $subscriptions } 1 .. 2),
		(map { 1 + int rand $services } 1 .. 2)), "\n"
	  foreach 1 .. $count;
	$file->flush;
	return {
		file => $file,
		run => IPC::Run::start(
			[
				'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-U', 'clerk',
				'-d', $node->connstr('postgres'), '-f', $file->filename
			],
			'>', \my $out)
	};
}

# What a CAS is like during one leg; the first two are fair and shut.
my %busy = (nagravision => '00FF', nds => 'E009');
my @weather = (
	sub { return },
	sub { return 'kind=refuse' },
	sub { return "kind=reject code=$busy{$_[0]} probability=0.2" },
	sub { return 'kind=carry-out-close probability=0.1' },
	sub { return 'kind=close-after-body probability=0.1' },
	sub { return ('kind=hang-after-body probability=0.03', 'kind=carry-out-no-answer probability=0.03') },
	sub { return 'kind=half-answer probability=0.1' });

foreach my $leg (0 .. $legs - 1)
{
	my @running;

	foreach my $kind (@kinds)
	{
		my $weather = $leg < 2 ? $weather[$leg] : one_of(@weather);

		$cas{$kind}->clear_faults;
		$cas{$kind}->fault($weather->($kind));
	}
	@running = map { start_session($_, $actions / $legs) } @kinds;
	ok($_->{run}->finish, "leg $leg of changes is done") foreach @running;
	next unless $leg == $legs / 2;
	$node->stop('immediate');
	$node->start;
}
$cas{$_}->clear_faults foreach @kinds;
wait_until_idle($node);

# ---------------------------------------------------------------- both sides

is($node->safe_psql('postgres', <<'EOQ'), '', 'nothing was rejected');
SELECT DISTINCT provider, life_cycle_state, error_code, error_description FROM provreq.request
WHERE life_cycle_state <> 'COMPLETED'
EOQ

# The products of each card, by the CRM and by the gateway itself.
sub of_crm
{
	return map { split /\|/ } split /\n/, $node->safe_psql('postgres', <<'EOQ');
SELECT i.ca_id, string_agg(lpad(substr(s.service, 2), 12, '0'), ',' ORDER BY s.service)
FROM crm.subscribed AS s JOIN provreq.installed_item AS i ON i.serial_number = s.smartcard
WHERE s.state = 'ACTIVE' AND s.provider = 'crm_nagravision' GROUP BY i.ca_id
EOQ
}

my %crm = of_crm();
my $held = $cas{nagravision}->cards;
my $wanted = join "\n", sort map {
	$cas{nagravision}->card_on_wire($_) . " $crm{$_}"
} keys %crm;
my $holds = join "\n", sort map {
	my $products = join ',', sort map { s/:.*//r } split /,/, $held->{$_}->{products} // '-';
	$products =~ /\d/ ? "$_ $products" : ();
} keys %$held;

is($holds, $wanted, 'the gateway holds what the CRM says, card by card');
cmp_ok(scalar keys %crm, '>', 5, 'which is something');
cards_agree($node, $cas{nagravision}, 'and what was COMPLETED');
ledger_agrees($node, $cas{nagravision}, 'in order, and nothing for nobody');

# NDS: a statement that changes the set of a card's services makes a request
# for it in the same transaction, and one that touches nothing makes none.
is($node->safe_psql('postgres', <<'EOQ'), '', 'every change of a card was told to NDS');
SELECT DISTINCT n.card, n.at FROM (
	SELECT card, service, at, statement FROM crm.seen
	GROUP BY card, service, at, statement HAVING sum(step) <> 0) AS n
JOIN provreq.installed_item AS i ON i.serial_number = n.card
WHERE (regexp_match(n.card, '\d+$'))[1]::integer % 1000 > (SELECT count(*) / 2 FROM provreq.subscription)
AND NOT EXISTS (SELECT FROM provreq.request AS r WHERE r.provider = 'crm_nds'
	AND r.created_date = n.at AND r.parameters ->> 'smartcard_ca_id' = i.ca_id)
EOQ
is($node->safe_psql('postgres', <<'EOQ'), '', 'and nothing else was');
SELECT number, parameters FROM provreq.request AS r WHERE r.provider = 'crm_nds'
AND NOT EXISTS (SELECT FROM crm.seen AS s JOIN provreq.installed_item AS i ON i.serial_number = s.card
	WHERE s.at = r.created_date AND i.ca_id = r.parameters ->> 'smartcard_ca_id')
EOQ
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM provreq.request WHERE provider = 'crm_nds'"),
	'>', $actions / 10, 'which was something');
cards_agree($node, $cas{nds}, 'each card was authorised anew as often');
is( $node->safe_psql('postgres', 'SELECT DISTINCT created_by_user FROM provreq.request'),
	'clerk',
	'made in the name of who changed the table');

$_->stop foreach values %cas;
$node->stop;
unlike(log_of($node), qr/PANIC|TRAP|terminated by signal/, 'no process crashed');
done_testing();
