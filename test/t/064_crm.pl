# A CRM that knows nothing of requests: what its own tables say of subscriptions
# is what the conditional access system does, card by card, after thousands of
# changes by plain DML from several sessions with the system up, down, silent
# and failing, and a crash of the server.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use File::Temp;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use Test::More;

my $actions = scale('PROVREQ_CRM_ACTIONS', 10_000);
my $subscriptions = 60;
my $services = 8;
my $sessions = 2;
my $seed = $ENV{PROVREQ_SEED} || time();
my $node = provreq_node('crm');
my $cas = Provreq::Simulator->start;

srand($seed);
note("PROVREQ_SEED=$seed, $actions actions");
create_provider(
	$node, 'crm_conax', $cas,
	timeout => '300ms',
	retry_limit => 1000,
	retry_delay => '10ms',
	retry_delay_max => '50ms');

sub psql_file
{
	my ($file, @more) = @_;

	return $node->command_ok(
		[
			'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', @more,
			'-d', $node->connstr('postgres'),
			'-f', "$FindBin::Bin/../crm/$file"
		],
		"the example's $file runs");
}

# ---------------------------------------------------------------- two states

# The products that each card has, by what the CAS did, in that order.
sub state_of_ledger
{
	my %has;

	foreach my $message (grep { $_->{carried_out} } $cas->ledger)
	{
		foreach my $card (split /,/, $message->{cards})
		{
			$has{"$card $_"} = $message->{operation} eq 'AddSubscriptions'
			  foreach split /,/, $message->{things};
		}
	}
	return join "\n", sort grep { $has{$_} } keys %has;
}

# The same, by what the CRM's tables say.
sub state_of_crm
{
	return join "\n", sort split /\n/, $node->safe_psql('postgres', <<'EOQ');
SELECT i.ca_id || ' ' || v.ca_id FROM crm.subscribed_service AS s
	JOIN crm.item AS i ON i.serial_number = s.smartcard
	JOIN crm.service AS v ON v.code = s.service
WHERE s.state = 'ACTIVE'
EOQ
}

# The same, by what the CAS says of itself.
sub state_of_cas
{
	my @all;
	my $cards = $cas->cards;

	foreach my $card (keys %$cards)
	{
		push @all, map { "$card $_" }
		  grep { $_ ne '-' && $_ ne '' } split /,/, $cards->{$card}->{products};
	}
	return join "\n", sort @all;
}

# What became of a subscription, in order: each line has the services that
# were added or cancelled at once.
sub steps_of
{
	my ($subscription) = @_;
	my @steps;

	foreach my $row (split /\n/, $node->safe_psql('postgres', <<"EOQ"))
SELECT type || ' ' || (parameters ->> 'smartcard_ca_id'), parameters ->> 'service_ca_id'
FROM provreq.request WHERE subscription_id = '$subscription' ORDER BY number
EOQ
	{
		my ($what, $service) = split /\|/, $row;

		push @steps, { what => $what }
		  unless @steps && $steps[-1]->{what} eq $what;
		push @{ $steps[-1]->{services} }, $service;
	}
	return map { join ' ', $_->{what}, sort @{ $_->{services} } } @steps;
}

# --------------------------------------------------------------- the story

psql_file('schema.sql', '-v', 'provider=crm_conax');
psql_file('story.sql');
wait_until_idle($node);
is(join("\n", steps_of('C-1')), join("\n",
		'ADD_SUBSCRIPTIONS 000000002017 2001 2002',
		'CANCEL_SUBSCRIPTIONS 000000002017 2001 2002',
		'ADD_SUBSCRIPTIONS 000000002025 2001 2002',
		'CANCEL_SUBSCRIPTIONS 000000002025 2001 2002',
		'ADD_SUBSCRIPTIONS 000000002025 2001 2002',
		'CANCEL_SUBSCRIPTIONS 000000002025 2002',
		'ADD_SUBSCRIPTIONS 000000002025 2003',
		'CANCEL_SUBSCRIPTIONS 000000002025 2001 2003'),
	'the story makes the requests that it tells of');
is(state_of_ledger(), '', 'and at the end the card has nothing');

# ------------------------------------------------------------ random changes

# A clerk of the CRM, who has no right on provreq.  Each session has customers
# and cards of its own, so that its changes are not refused for reasons of
# locking; each subscription has two cards to choose from.
$node->safe_psql('postgres', <<"EOQ");
CREATE ROLE clerk LOGIN;
GRANT USAGE ON SCHEMA crm TO clerk;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA crm TO clerk;
INSERT INTO crm.service
	SELECT 'V' || i, 'Service ' || i, (3000 + i)::text FROM generate_series(1, $services) AS i;
INSERT INTO crm.item
	SELECT 'K' || i || c, 'SMARTCARD', (500000000000 + 10 * i + ascii(c))::text
	FROM generate_series(1, $sessions * $subscriptions) AS i, unnest('{a,b}'::text[]) AS c;
INSERT INTO crm.subscription (number, customer, smartcard)
	SELECT 'S' || i, 'Customer ' || i, 'K' || i || 'a'
	FROM generate_series(1, $sessions * $subscriptions) AS i;
EOQ

sub one_of { return $_[ rand @_ ]; }

# One change of the CRM: a transaction.
my @changes = (
	sub { "INSERT INTO crm.subscribed_service VALUES ('S$_[0]', 'V$_[1]') ON CONFLICT DO NOTHING;" },
	sub { "INSERT INTO crm.subscribed_service VALUES ('S$_[0]', 'V$_[1]')"
		  . " ON CONFLICT (subscription, service) DO UPDATE SET service = excluded.service;" },
	sub { "INSERT INTO crm.subscribed_service SELECT 'S$_[0]', code FROM crm.service"
		  . " WHERE code LIKE 'V%' ON CONFLICT DO NOTHING;" },
	sub { "DELETE FROM crm.subscribed_service WHERE subscription = 'S$_[0]' AND service = 'V$_[1]';" },
	sub { "DELETE FROM crm.subscribed_service WHERE subscription = 'S$_[0]' AND random() < 0.5;" },
	sub { "UPDATE crm.subscribed_service s SET service = 'V$_[1]' WHERE subscription = 'S$_[0]' AND service = 'V$_[2]'"
		  . " AND NOT EXISTS (SELECT FROM crm.subscribed_service o WHERE o.subscription = 'S$_[0]' AND o.service = 'V$_[1]');" },
	sub { "UPDATE crm.subscription SET smartcard = translate(smartcard, 'ab', 'ba') WHERE number = 'S$_[0]';" },
	sub { "UPDATE crm.subscription SET state = '" . one_of(qw(ACTIVE ACTIVE PAUSED ENDED)) . "' WHERE number = 'S$_[0]';" },
	sub { "UPDATE crm.subscription SET state = '" . one_of(qw(ACTIVE PAUSED)) . "',"
		  . " smartcard = translate(smartcard, 'ab', 'ba') WHERE number IN ('S$_[0]', 'S$_[3]');" },
	sub { "UPDATE crm.subscription SET customer = customer || '.' WHERE number = 'S$_[0]';" },
	sub { "BEGIN; UPDATE crm.subscription SET state = 'PAUSED' WHERE number = 'S$_[0]';"
		  . " UPDATE crm.subscription SET state = 'ACTIVE' WHERE number = 'S$_[0]'; COMMIT;" },
	sub { "BEGIN; DELETE FROM crm.subscribed_service WHERE subscription = 'S$_[0]';"
		  . " SAVEPOINT s; INSERT INTO crm.subscribed_service VALUES ('S$_[0]', 'V$_[1]');"
		  . " ROLLBACK TO s; INSERT INTO crm.subscribed_service VALUES ('S$_[0]', 'V$_[2]'); COMMIT;" },
	sub { "BEGIN; UPDATE crm.subscription SET smartcard = translate(smartcard, 'ab', 'ba') WHERE number = 'S$_[0]'; ROLLBACK;" },

	# what last night's list says, in one statement
	sub { "MERGE INTO crm.subscribed_service s USING (SELECT 'S$_[0]' AS subscription, code, random() < 0.5 AS wanted"
		  . " FROM crm.service WHERE code LIKE 'V%') AS n ON s.subscription = n.subscription AND s.service = n.code"
		  . " WHEN MATCHED AND NOT n.wanted THEN DELETE"
		  . " WHEN NOT MATCHED AND n.wanted THEN INSERT (subscription, service) VALUES (n.subscription, n.code);" },

	# a row goes and another with the same card and service comes, in one
	# statement
	sub { "WITH gone AS (DELETE FROM crm.subscribed_service WHERE subscription = 'S$_[0]' AND random() < 0.5"
		  . " RETURNING subscription, service)"
		  . " INSERT INTO crm.subscribed_service SELECT subscription, service FROM gone;" });

sub random_change
{
	my ($session) = @_;
	my @numbers = map { 1 + $session * $subscriptions + int rand $subscriptions } 1 .. 2;
	my @codes = map { 1 + int rand $services } 1 .. 2;

	return one_of(@changes)->($numbers[0], @codes, $numbers[1]);
}

# Plays the changes of all sessions at once, and returns how they ended.
sub start_session
{
	my ($session, $count) = @_;
	my $file = File::Temp->new;

	print $file random_change($session), "\n" foreach 1 .. $count;
	$file->flush;
	return {
		file => $file,
		run => IPC::Run::start(
			[
				'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-U', 'clerk',
				'-d', $node->connstr('postgres'), '-f', $file->filename
			],
			'>', \my $out,
			'2>', \my $error)
	};
}

sub change_together
{
	my ($count) = @_;
	my @running = map { start_session($_, $count / $sessions) } 0 .. $sessions - 1;

	return @running;
}

# What the CAS is like during one leg of the changes.
my @weather = (
	sub { },
	sub { $cas->fault('kind=refuse') },
	sub { $cas->fault('kind=reject code=SYSTEM_ERROR probability=0.2') },
	sub { $cas->fault('kind=carry-out-close probability=0.1') },
	sub { $cas->fault('kind=close-after-body probability=0.1') },
	sub { $cas->fault('kind=hang-after-body probability=0.02',
			'kind=carry-out-no-answer probability=0.02') },
	sub { $cas->fault('kind=half-answer probability=0.1', 'kind=http-status status=503 probability=0.1') });

my $leg = $actions / 20;

foreach my $number (0 .. 19)
{
	my $weather = $number < @weather ? $weather[$number] : one_of(@weather);
	my @running;

	$cas->clear_faults;
	$weather->();
	@running = change_together($leg);
	ok($_->{run}->finish, "leg $number of changes is done") foreach @running;
	next unless $number == 10;
	$node->stop('immediate');
	$node->start;
}
$cas->clear_faults;
wait_until_idle($node);
is($node->safe_psql('postgres', <<'EOQ'), '', 'nothing was rejected');
SELECT DISTINCT life_cycle_state, error_code, error_description FROM provreq.request
WHERE life_cycle_state <> 'COMPLETED'
EOQ
is(state_of_ledger(), state_of_crm(), 'by its ledger, the CAS is where the CRM is');
is(state_of_cas(), state_of_crm(), 'and it says so itself');
cmp_ok(split(/\n/, state_of_crm()) + 0, '>', 50, 'which is somewhere');
ledger_agrees($node, $cas, 'in order, and nothing twice');
note($node->safe_psql('postgres', 'SELECT count(*) FROM provreq.request') . ' requests');
is( $node->safe_psql(
		'postgres', 'SELECT DISTINCT created_by_user FROM provreq.request'
		  . " WHERE subscription_id LIKE 'S%'"),
	'clerk',
	'made in the name of who changed the tables');

my $error;

$node->psql('postgres', 'TRUNCATE crm.subscribed_service', stderr => \$error);
like($error, qr/cannot truncate table "subscribed_service"/, 'TRUNCATE is refused');

$cas->stop;
$node->stop;
done_testing();
