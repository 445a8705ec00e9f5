# A database that is being restored sends nothing, in whatever order its rows
# come: the provider may be there, and its sender at work, before the row that
# says where the dump comes from.

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

fill_directory($node, 20);
create_provider($node, 'main_conax', $cas);
add_subscriptions($node, 1, 2);
wait_until_idle($node);

# Pending, and due as soon as nobody pauses it any more
$node->safe_psql('postgres',
	"SELECT provreq.pause('main_conax', 'so that requests wait')");
add_subscriptions($node, 3, 12);
my $received = scalar($cas->ledger);

# ---- The rows alone, where a sender is at work

$node->safe_psql('postgres',
	"COPY provreq.request_pending TO '$dir/pending.copy'");
$node->safe_psql('postgres', 'CREATE DATABASE rows');
$node->safe_psql('rows', 'CREATE EXTENSION provreq');
create_provider($node, 'main_conax', $cas, dbname => 'rows');
wait_until('there is a sender',
	sub { sender_pid($node, 'main_conax', 'rows') ne '' });
is($node->safe_psql('rows', 'SELECT provreq.is_home()'),
	't', 'a new database is a home');
$node->safe_psql('rows',
	"COPY provreq.request_pending FROM '$dir/pending.copy'");
is($node->safe_psql('rows', 'SELECT provreq.is_home()'),
	'f', 'one with the rows of another is none');
wait_until('the sender is gone',
	sub { sender_pid($node, 'main_conax', 'rows') eq '' });
is($node->safe_psql('rows', 'SELECT count(*) FROM provreq.request_pending'),
	10, 'the rows are there');
is(scalar($cas->ledger), $received, 'nothing of them was sent');

$node->safe_psql('rows', 'SELECT provreq.adopt()');
wait_for($node, 'SELECT count(*) = 0 FROM provreq.request_pending',
	't', 'rows');
is(scalar($cas->ledger), $received + 10, 'adopted, it sends them');

# ---- The same as a replica, for which triggers do not fire

$node->safe_psql('postgres', 'CREATE DATABASE replica');
$node->safe_psql('replica', 'CREATE EXTENSION provreq');
create_provider($node, 'main_conax', $cas, dbname => 'replica');
wait_until('there is a sender',
	sub { sender_pid($node, 'main_conax', 'replica') ne '' });
$node->safe_psql('replica', <<"EOQ");
SET session_replication_role = replica;
COPY provreq.request_pending FROM '$dir/pending.copy';
EOQ
is($node->safe_psql('replica', 'SELECT provreq.is_home()'),
	'f', 'rows that are applied as those of another database make no home');
wait_until('the sender is gone',
	sub { sender_pid($node, 'main_conax', 'replica') eq '' });
is(scalar($cas->ledger), $received + 10, 'nothing of them was sent');

# ---- A whole dump, the requests before everything else

$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/dump", 'postgres' ],
	'pg_dump -Fc');
$node->safe_psql('postgres', 'CREATE DATABASE whole');
$node->command_ok(
	[ 'pg_restore', '--section=pre-data', '-d', 'whole', "$dir/dump" ],
	'the definitions are restored');
wait_until('there is a sender',
	sub { sender_pid($node, 'main_conax', 'whole') ne '' });
$node->command_ok(
	[
		'pg_restore', '--data-only', '-t', 'request_pending', '-d', 'whole',
		"$dir/dump"
	],
	'the requests are restored');
wait_until('the sender is gone',
	sub { sender_pid($node, 'main_conax', 'whole') eq '' });
is(scalar($cas->ledger), $received + 10, 'nothing of them was sent');

# ---- Numbers of messages, where the sender has begun to number already

my $gateway = Provreq::Simulator->start(kind => 'nagravision');

$node->safe_psql('postgres', 'CREATE DATABASE numbers');
$node->safe_psql('numbers', 'CREATE EXTENSION provreq');
create_provider($node, 'main_nagra', $gateway, dbname => 'numbers');
wait_for($node, 'SELECT count(*) = 1 FROM provreq.link_number',
	't', 'numbers');
$node->safe_psql('numbers',
	'UPDATE provreq.link_number SET next_number = 50001');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/numbers", 'numbers' ],
	'pg_dump -Fc of a database with links');
$node->safe_psql('postgres', 'CREATE DATABASE again');
$node->command_ok(
	[ 'pg_restore', '--section=pre-data', '-d', 'again', "$dir/numbers" ],
	'the definitions are restored');
wait_for($node, 'SELECT count(*) = 1 FROM provreq.link_number', 't', 'again');
$node->command_ok(
	[ 'pg_restore', '--data-only', '-e', '-d', 'again', "$dir/numbers" ],
	'the rows are restored, although one is there');
is($node->safe_psql('again', 'SELECT next_number FROM provreq.link_number'),
	50001, 'the numbers go on where those of the dump do');

$node->stop;
unlike(log_of($node), qr/PANIC|TRAP|terminated by signal/,
	'nothing crashed');
done_testing();
