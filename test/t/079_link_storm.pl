# Everything that can go wrong with a link goes wrong, at random, for
# Nagravision with three links and for NDS with eight connections: every
# request comes to its end, in the order of its card, as the ledger tells it,
# and the cards are in the state that the requests lead to.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults qw(scale);
use ProvreqLinks;
use Test::More;

my $cards = scale('PROVREQ_STORM_CARDS', 100);
my $node = provreq_node('storm');

my @faults = (
	'delay delay=30ms probability=0.02',
	'reject probability=0.02',
	'no-answer probability=0.01',
	'carry-out-no-answer probability=0.01',
	'hang-after-body probability=0.003',
	'close-before-body probability=0.005',
	'close-after-body probability=0.01',
	'carry-out-close probability=0.01',
	'half-answer probability=0.01',
	'two-answers probability=0.02',
	'other-answer probability=0.01',
	'unsolicited probability=0.02',
	'late-answer delay=800ms probability=0.02',
	'byte-by-byte probability=0.01',
	'garbage probability=0.005',
	'nonsense probability=0.005',
	'wrong-length probability=0.005',
	'oversized size=3000 probability=0.005',
	'cut-sent after=500 probability=0.1',
	'cut-received after=800 probability=0.1');
my %more = (
	nagravision => [
		'out-of-order batch=5 probability=0.05',
		'one-write batch=3 probability=0.05',
		'hello-connection probability=0.05',
		'hello-call probability=0.05',
		'no-answer match-op=Heartbeat probability=0.02'
	],
	nds => [
		'wrong-digest probability=0.01',
		'wrong-sequence probability=0.01',
		'no-answer match-op=Ping probability=0.02'
	]);

# Two requests of each type for each card.
sub create_requests
{
	my ($kind) = @_;

	foreach my $type ((link_types($kind)) x 2)
	{
		my $call = link_call($kind, $type, 'i', provider => "'the_$kind'");

		$node->safe_psql('postgres',
			"SELECT count(*) FROM generate_series(1, $cards) AS i,"
			  . " LATERAL $call AS r");
	}
	return;
}

sub ends_of
{
	my ($kind) = @_;

	return $node->safe_psql('postgres',
		"SELECT string_agg(DISTINCT coalesce(error_code, 'none'), ' ')"
		  . " FROM provreq.request WHERE provider = 'the_$kind'");
}

# A comparison that finds nothing wrong must be able to find something.
sub check_comparison
{
	my ($cas, $kind, $operation, $thing) = @_;
	my $file = $cas->{ledger};
	my $ledger = slurp_file($file);
	my $find = sub {
		my ($what, $text, $expected) = @_;

		$cas->{ledger} = "$file.$what";
		append_to_file($cas->{ledger}, $text);
		like(
			join("\n", compare_links($node, $cas, provider => "the_$kind")),
			$expected, "$kind: the comparison sees $what");
		$cas->{ledger} = $file;
	};
	my $card = $cas->card_on_wire(100000000100);
	my $line = join "\t", 99999999999999, 99999999999999, 1, 999999999,
	  $operation, $card, $thing, '-', 'OK', 'yes', 1001, '-';

	$cas->control('flush');
	$cas->stop;
	$find->('an additional message', "$ledger$line\n", qr/is of no request/);
	$find->(
		'a message too few',
		join('', grep { !/\t$card\t/ } split /^/, $ledger),
		qr/was not carried out/);
	$find->(
		'a protocol error',
		$ledger . $line =~ s/\tOK\t/\terror:window\t/r . "\n",
		qr/error:window/);
	$find->(
		'another order',
		join('', map { s/^(\d+)/99999999999999 - $1/er } split /^/, $ledger),
		qr/is of no request|under way|after|not carried out/)
	  if $kind eq 'nagravision';
	return;
}

fill_directory($node, $cards, card_step => 100);
foreach my $kind (qw(nagravision nds))
{
	my $cas = Provreq::Simulator->start(
		kind => $kind,
		$kind eq 'nagravision' ? (source_ids => [ 1001, 1002, 1003 ]) : (),
		arguments => [
			'--unknown-prefix', $kind eq 'nagravision' ? '1000000005' : '100000000500'
		]);

	create_provider(
		$node, "the_$kind", $cas,
		timeout => '500ms',
		retry_limit => 1000,
		$kind eq 'nds' ? (connections => 8) : ());
	$cas->fault("kind=$_") foreach @faults, @{ $more{$kind} };
	create_requests($kind);
	wait_until_idle($node);
	is(ends_of($kind),
		$kind eq 'nds' ? 'E001 none' : '0001 none',
		"$kind: COMPLETED, or REJECTED for an unknown card");
	is($cas->status->{errors}, 0, "$kind: no error in the protocol");
	ledger_agrees($node, $cas, "$kind: nothing lost, no disorder",
		provider => "the_$kind");
	cards_agree($node, $cas, "$kind: the cards hold what they should",
		provider => "the_$kind");
	check_comparison($cas, $kind,
		$kind eq 'nds' ? ('Reauthorise', '-') :
		  ('AddProduct', '000000000009,20260101,20991231'));
}

done_testing();
