# A dump carries everything: restored into another database or another cluster,
# by psql or by pg_restore in parallel, the same rows are there, sequences go
# on, a dump of the copy is the same again, and the copy sends nothing until
# it is adopted.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;

my $node = provreq_node('main');
my $cas = Provreq::Simulator->start;
my $dir = PostgreSQL::Test::Utils::tempdir();

# ---- Rows of every kind in every part

fill_directory($node, 30);
create_provider(
	$node, 'main_conax', $cas,
	timeout => '2s',
	retry_delay => '1h',
	retry_delay_max => '1h');
add_subscriptions($node, 1, 10);
wait_until_idle($node);

# refused, held, in retry
$cas->fault('kind=reject code=CLIENT_NOT_FOUND count=1');
add_subscriptions($node, 11, 11);
wait_until_idle($node);
$cas->fault('kind=carry-out-no-answer count=1');
$node->safe_psql('postgres',
	"SELECT provreq.conax_send_mail_message('serial_number=card12',"
	  . " E'Grüße & <b>\\\\t\\\\n</b> \\'; DROP TABLE x')");
wait_for($node,
	'SELECT count(*) = 1 FROM provreq.request WHERE hold_reason IS NOT NULL');
$cas->fault('kind=reject code=SYSTEM_ERROR count=1');
add_subscriptions($node, 13, 13);
wait_for($node,
	'SELECT count(*) = 1 FROM provreq.request WHERE retry_date IS NOT NULL');

# with a secret, closed and pending; scheduled, in its own words
$node->safe_psql('postgres',
	"SELECT provreq.conax_reset_pin_to_given_value('number=S14',"
	  . " 'serial_number=card14', '8642')");
wait_for($node, 'SELECT count(*) = 2 FROM provreq.request_pending');
$node->safe_psql('postgres',
	"ALTER SERVER main_conax OPTIONS (ADD state 'not_effective')");
wait_until('the sender is gone',
	sub { sender_pid($node, 'main_conax') eq '' });
$node->safe_psql('postgres', <<'EOQ');
ALTER SERVER main_conax OPTIONS (SET state 'effective', SET retry_delay '50ms');
BEGIN;
ALTER SERVER main_conax OPTIONS (SET state 'not_effective');
COMMIT;
EOQ
wait_until('the sender is gone',
	sub { sender_pid($node, 'main_conax') eq '' });

# As the functions would make them for a provider that is effective
$node->safe_psql('postgres', <<'EOQ');
INSERT INTO provreq.request (provider, type, subscription_id, ordering_keys,
	parameters, priority, scheduled_date, name, udf_string_1, udf_float_2,
	udf_date_3)
SELECT provider, type, subscription_id,
	ARRAY['smartcard 1000000000' || 14 + i], parameters,
	CASE i % 2 WHEN 0 THEN 'EXPRESS' ELSE 'REGULAR' END,
	now() - i * interval '1 hour', E'tab\t, \\N and "quotes"', 'ünïcödé', 0.1,
	'2015-09-07 15:23:15+02'
FROM provreq.request, generate_series(1, 5) AS i WHERE number = 1;
INSERT INTO provreq.request (provider, type, ordering_keys, parameters,
	scheduled_date)
SELECT provider, type, ordering_keys, parameters, '2200-01-01'
FROM provreq.request WHERE number = 2;
WITH r AS (
	INSERT INTO provreq.request (provider, type, ordering_keys, parameters)
	SELECT provider, type, ARRAY['smartcard 100000000025'],
		'{"smartcard_ca_id": "100000000025", "ca_pin": "****"}'
	FROM provreq.request
	WHERE type = 'UPDATE_CA_PIN_TO_GIVEN_VALUE'
	RETURNING number)
INSERT INTO provreq.request_secret (number, parameters)
SELECT number, '{"ca_pin": "1357"}' FROM r;

-- an attempt that nobody knows the end of
INSERT INTO provreq.attempt (number, attempt, provider, incarnation, started_date)
SELECT max(number) - 7, 1, 'main_conax', 1, now() FROM provreq.request;

-- closed in past months, and in one that has no partition
INSERT INTO provreq.request (provider, type, life_cycle_state, ordering_keys,
	closed_date, created_xid)
SELECT 'main_conax', 'ADD_SUBSCRIPTIONS',
	CASE i % 3 WHEN 0 THEN 'REJECTED' ELSE 'COMPLETED' END, ARRAY['x'],
	now() - i * interval '25 days', NULL
FROM generate_series(1, 12) AS i;
SELECT provreq.make_partitions();
INSERT INTO provreq.request (provider, type, life_cycle_state, ordering_keys,
	closed_date, created_xid)
SELECT 'main_conax', 'ADD_SUBSCRIPTIONS', 'COMPLETED', ARRAY['x'],
	now() + interval '3 years', NULL;

-- profiles changed and made
UPDATE provreq.wire_profile SET document =
	jsonb_set(document, '{pin_digits}', '{"min": 4, "max": 6}');
INSERT INTO provreq.wire_profile (name, kind, document)
	SELECT 'dialect', kind, document FROM provreq.wire_profile WHERE name = 'conax_ws';
EOQ

is( $node->safe_psql('postgres',
		'SELECT count(*) FILTER (WHERE life_cycle_state = $$PENDING$$),'
		  . ' count(DISTINCT tableoid) >= 8,'
		  . ' count(*) FILTER (WHERE hold_reason IS NOT NULL),'
		  . ' count(*) FILTER (WHERE tableoid = $$provreq.request_closed_default$$::regclass)'
		  . ' FROM provreq.request'),
	'9|t|1|1',
	'there are rows of every kind');

# ---- Comparing

# Every row of every table, where it lies, and the partitions' bounds; the
# number of the transaction is that of the restore, and where the database
# lives is of each one's own.
sub contents
{
	my ($of, $dbname) = @_;
	my $tables = $of->safe_psql($dbname, <<'EOQ');
SELECT c.relname, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = 'provreq'::regnamespace AND c.relkind = 'r'
AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'created_xid'
AND c.relname <> 'installation'
GROUP BY c.oid ORDER BY 1
EOQ
	my $text = $of->safe_psql($dbname, <<'EOQ');
SELECT c.relname, pg_get_expr(c.relpartbound, c.oid),
	(SELECT array_agg(indexrelid::regclass::text
		ORDER BY indexrelid::regclass::text)
		FROM pg_index WHERE indrelid = c.oid),
	(SELECT array_agg(tgname ORDER BY tgname) FROM pg_trigger
		WHERE tgrelid = c.oid AND NOT tgisinternal),
	c.relacl::text
FROM pg_class AS c WHERE relnamespace = 'provreq'::regnamespace
AND relkind IN ('r', 'p') ORDER BY 1
EOQ

	foreach my $line (split /\n/, $tables)
	{
		my ($table, $columns) = split /\|/, $line;

		$text .= "\n--- $table\n"
		  . $of->safe_psql($dbname,
			"COPY (SELECT $columns FROM provreq.$table"
			  . ' ORDER BY 1, 2) TO STDOUT');
	}
	foreach my $sequence (qw(request_number sequence_number incarnation))
	{
		$text .= "\n--- $sequence "
		  . $of->safe_psql($dbname,
			"SELECT last_value, is_called FROM provreq.${sequence}_seq");
	}
	$text .= "\n--- providers\n"
	  . $of->safe_psql($dbname,
		'SELECT srvname, usename, umoptions,'
		  . ' (SELECT array_agg(o ORDER BY o) FROM unnest(srvoptions) AS o)'
		  . ' FROM pg_user_mappings JOIN pg_foreign_server USING (srvname)');
	return $text;
}

# A dump as text, without what differs from dump to dump.
sub dump_text
{
	my ($of, $dbname) = @_;
	my $file = "$dir/again.sql";
	my ($text, $in) = ('', '');

	$of->command_ok([ 'pg_dump', '-f', $file, $dbname ],
		"pg_dump of $dbname");
	foreach my $line (split /\n/, slurp_file($file))
	{
		next if $line =~ /^\\(un)?restrict /;
		$in = $1 if $line =~ /^COPY provreq\.(\w+)/;
		$in = '' if $line eq '\.';
		next if $in eq 'installation';
		$line =~ s/\t[^\t]+$// if $in eq 'request_pending';
		$text .= "$line\n";
	}
	return $text;
}

# Compares line by line, and shows where the first difference begins.
sub same_text
{
	my ($got, $expected, $name) = @_;
	my @got = split /\n/, $got;
	my @expected = split /\n/, $expected;

	foreach my $i (0 .. ($#got > $#expected ? $#got : $#expected))
	{
		my ($one, $two) = ($got[$i] // '', $expected[$i] // '');
		next if $one eq $two;
		my ($same) = ("$one\n$two" =~ /^(.*).*\n\1/);
		my $from = length($same) > 60 ? length($same) - 60 : 0;

		is(substr($one, $from, 120), substr($two, $from, 120), $name);
		return;
	}
	pass($name);
	return;
}

my $original = contents($node, 'postgres');
my $dump = dump_text($node, 'postgres');
my $received = scalar($cas->ledger);

$node->command_ok([ 'pg_dump', '-f', "$dir/plain.sql", 'postgres' ],
	'pg_dump as a script');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/custom.dump", 'postgres' ],
	'pg_dump -Fc');

# ---- Restoring

my $elsewhere = provreq_node('elsewhere', extension => 0);

sub restore_plain
{
	my ($to, $dbname) = @_;

	$to->command_ok(
		[
			'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f',
			"$dir/plain.sql", $dbname
		],
		'psql restores the script');
	return;
}

sub restore_custom
{
	my ($to, $dbname) = @_;

	$to->command_ok(
		[
			'pg_restore', '--exit-on-error', '-j2', '-d', $dbname,
			"$dir/custom.dump"
		],
		'pg_restore -j2 restores it');
	return;
}

sub check_copy
{
	my ($to, $dbname, $restore, $where) = @_;
	my $offset = -s $to->logfile;

	$to->safe_psql('template1', "CREATE DATABASE $dbname TEMPLATE template0");
	$restore->($to, $dbname);
	wait_for_message(
		$to,
		qr/database "$dbname" was restored or copied from another one/,
		$offset);
	same_text(contents($to, $dbname), $original, "$where: the same rows");
	same_text(dump_text($to, $dbname),
		$dump, "$where: a dump of the copy is the same");
	cmp_ok(
		$to->safe_psql($dbname, "SELECT nextval('provreq.request_number_seq')"),
		'>',
		$to->safe_psql($dbname, 'SELECT max(number) FROM provreq.request'),
		"$where: numbers go on");
	$to->safe_psql($dbname,
		"ALTER SERVER main_conax OPTIONS (SET state 'effective')");
	wait_for($to,
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = '$dbname'"
		  . " AND backend_type = 'provreq supervisor'");
	is($to->safe_psql($dbname, 'SELECT provreq.is_home()'),
		'f', "$where: it is no home");
	is(sender_pid($to, 'main_conax', $dbname), '', "$where: no sender");
	return;
}

check_copy($node, 'copy_plain', \&restore_plain, 'another database');
check_copy($elsewhere, 'plain', \&restore_plain, 'another cluster');
check_copy($elsewhere, 'custom', \&restore_custom, 'another cluster, -Fc');
is(scalar($cas->ledger), $received, 'nothing was sent by any copy');

# ---- Adopting

foreach my $copy ([ $elsewhere, 'custom' ], [ $node, 'copy_plain' ])
{
	my ($to, $dbname) = @$copy;
	my $before = scalar($cas->ledger);

	$to->safe_psql($dbname, 'SELECT provreq.adopt()');
	wait_for(
		$to,
		'SELECT NOT EXISTS (SELECT FROM provreq.request_pending'
		  . ' WHERE hold_reason IS NULL AND retry_date IS NULL'
		  . " AND scheduled_date < now())",
		't', $dbname);
	is( $to->safe_psql($dbname, 'SELECT count(*) FROM provreq.request_pending'),
		3,
		"$dbname: what is held, in retry or scheduled waits");
	is(scalar($cas->ledger) - $before, 6, "$dbname: adopted, it sends");
	is($cas->card('100000000025')->{pin},
		'1357', "$dbname: the secret came along");
}
same_text(contents($node, 'postgres'),
	$original, 'nothing of that changed the original');

$_->stop foreach $node, $elsewhere;
unlike(log_of($_), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed')
  foreach $node, $elsewhere;
done_testing();
