# What is rolled back is never sent, what is committed is, however it was
# committed: savepoints, PREPARE TRANSACTION over a restart, and a long
# transaction whose requests have lower numbers than those sent before them.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;

my $node = provreq_node('main');
my $cas = Provreq::Simulator->start;

fill_directory($node, 100);
create_provider($node, 'main_conax', $cas);

sub call
{
	my ($card, $service) = @_;

	return "SELECT (provreq.conax_add_subscriptions('number=S$card',"
	  . " 'code=$service', 'serial_number=card$card')).number;";
}

# The cards that messages went out for, in that order.
sub cards
{
	return join ' ', map { $_->{cards} - 100000000000 } $cas->ledger;
}

$node->safe_psql('postgres',
	join("\n", 'BEGIN;', call(1, 'P1'), 'ROLLBACK;'));
$node->safe_psql('postgres',
	join("\n",
		'BEGIN;', call(2, 'P1'), 'SAVEPOINT s;', call(3, 'P1'),
		'ROLLBACK TO s;', call(4, 'P1'), 'SAVEPOINT t;', call(5, 'P1'),
		'RELEASE t;', 'COMMIT;'));
wait_until_idle($node);
is(cards(), '2 4 5', 'rolled back requests are not sent, others are');

# ---- Prepared transactions

$node->safe_psql('postgres',
	join("\n", 'BEGIN;', call(6, 'P1'), "PREPARE TRANSACTION 'kept';"));
$node->safe_psql('postgres',
	join("\n", 'BEGIN;', call(7, 'P1'), "PREPARE TRANSACTION 'given up';"));
$node->safe_psql('postgres',
	join("\n", 'BEGIN;', call(8, 'P1'), "PREPARE TRANSACTION 'later';"));

# one that comes after them has been sent, so that they would have been
$node->safe_psql('postgres', call(9, 'P1'));
wait_until_idle($node);
is(cards(), '2 4 5 9', 'what is only prepared is not sent');
$node->safe_psql('postgres', "COMMIT PREPARED 'kept'");
$node->safe_psql('postgres', "ROLLBACK PREPARED 'given up'");
wait_until('the prepared request is sent', sub { cards() eq '2 4 5 9 6' });
wait_until_idle($node);
pass('COMMIT PREPARED lets it go');

$node->stop('immediate');
$node->start;
wait_for_sender($node, 'main_conax');
$node->safe_psql('postgres', call(10, 'P1'));
wait_until_idle($node);
is(cards(), '2 4 5 9 6 10', 'nor is it after a restart');
$node->safe_psql('postgres', "COMMIT PREPARED 'later'");
wait_until('the prepared request is sent',
	sub { cards() eq '2 4 5 9 6 10 8' });
wait_until_idle($node);
pass('COMMIT PREPARED after a restart lets it go');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts'),
	0, 'no prepared transaction is left');

# ---- A lower number that commits late

my $session = $node->background_psql('postgres');
$session->query_safe('BEGIN');
my $early = $session->query_safe(call(11, 'P1'));
my $late = $node->safe_psql('postgres', call(12, 'P1'));
cmp_ok($early, '<', $late, 'the open transaction has the lower number');
wait_until_idle($node);
$node->safe_psql('postgres', call($_, 'P2')) foreach 20 .. 30;
wait_until_idle($node);
is(scalar($cas->messages($early)), 0, 'what is not committed is not sent');
$session->query_safe('COMMIT');
wait_until('the late one is sent', sub { $cas->messages($early) });
$session->quit;
wait_until_idle($node);
is( $node->safe_psql('postgres',
		"SELECT life_cycle_state FROM provreq.request WHERE number = $early"),
	'COMPLETED',
	'a lower number that commits late is sent as well');

# ---- Many sessions that commit and roll back across each other

$node->append_conf('postgresql.conf', 'provreq.batch_size = 4');
$node->reload;
my @sessions = map { $node->background_psql('postgres') } 1 .. 4;
my $seed = 42;
my (%committed, %open);

sub chance
{
	my ($n) = @_;

	$seed = ($seed * 1103515245 + 12345) % 2147483648;
	return ($seed >> 8) % $n;
}

for my $turn (1 .. 200)
{
	my $i = chance(4);
	my $in = $open{$i} ||= do { $sessions[$i]->query_safe('BEGIN'); [] };

	push @$in, $sessions[$i]->query_safe(call(31 + chance(60), 'P3'));
	next if chance(3);
	my $end = chance(3) ? 'COMMIT' : 'ROLLBACK';

	$sessions[$i]->query_safe($end);
	delete $open{$i};
	@committed{@$in} = () if $end eq 'COMMIT';
}
foreach my $i (keys %open)
{
	$sessions[$i]->query_safe('COMMIT');
	@committed{ @{ $open{$i} } } = ();
}
$_->quit foreach @sessions;
wait_until_idle($node);
my %sent = map { $_->{sequence} => 1 } grep { $_->{things} eq '3' } $cas->ledger;
is_deeply(
	[ sort { $a <=> $b } keys %sent ],
	[ sort { $a <=> $b } keys %committed ],
	'what was committed was sent, and nothing else');
ledger_agrees($node, $cas, 'ledger and table agree', order => 0);

done_testing();
