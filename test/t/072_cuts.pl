# The connection ends after each byte of a conversation, in both directions,
# for each protocol on framed TCP: nothing is lost, nothing is carried out
# twice behind our back, nothing overtakes, and nothing is in doubt that
# cannot have left.
#
# Several simulators of a kind, each with a provider and a cut of its own, make
# up a round: each gets two requests of one new card, of which the second is
# not idempotent.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqLinks;
use Test::More;

# So many conversations at once, for each kind
my $width = 4;

# What a round is made of: the second type is not idempotent here.  quiet: the
# bytes of either direction with which no message can have left yet.
my %kinds = (
	nagravision => {
		types => [ 'CANCEL_LIST_OF_PRODUCTS', 'CLEAR_PIN' ],
		profile => 'nagra_smsgw',
		options => { checks_at_start => 1 },
		quiet => { received => 11 + 38, sent => 3 + 3 + 46 }
	},
	nds => {
		types => [ 'REAUTHORISE_ALL_SERVICES', 'SET_USER_PARAMETERS' ],
		profile => 'nds_ascii',
		options => {},
		quiet => { received => 0, sent => 0 }
	});

my $node = provreq_node('cuts');
my $card = 0;
my %ends;						# how many requests ended how

fill_directory($node, 1500, card_step => 100);
foreach my $kind (values %kinds)
{
	$node->safe_psql('postgres', <<"EOQ");
UPDATE provreq.wire_profile SET document = jsonb_set(document,
	'{operations,$kind->{types}->[1],idempotent}', 'false')
WHERE name = '$kind->{profile}'
EOQ
}

# --------------------------------------------------------------- one round

# Two requests on each provider, to be made and waited for, and what became of
# them.
sub round_sql
{
	my ($kind, @cuts) = @_;
	my @calls;

	foreach my $cut (@cuts)
	{
		$cut->{card} = ++$card;
		push @calls, map {
			'SELECT (r).number FROM '
			  . link_call($kind, $_, $card,
				provider => "'$cut->{provider}'")
			  . ' AS r;'
		} @{ $kinds{$kind}->{types} };
	}
	return "BEGIN;\n" . join("\n", @calls) . "\nCOMMIT;\n" . <<'EOQ';
DO $$
BEGIN
	WHILE EXISTS (SELECT FROM provreq.request_pending WHERE hold_reason IS NULL)
	LOOP
		PERFORM pg_sleep(0.005);
	END LOOP;
END
$$;
EOQ
}

# The two requests of each cut, first the first.
sub read_ends
{
	my (@cuts) = @_;
	my %by_provider;
	my $rows = $node->safe_psql('postgres', <<"EOQ");
SELECT r.provider, r.life_cycle_state, r.attempts, coalesce(r.hold_reason, '')
FROM provreq.request AS r
WHERE r.number > (SELECT max(number) - 2 * @{[ scalar @cuts ]} FROM provreq.request)
ORDER BY r.number
EOQ

	foreach my $row (split /\n/, $rows)
	{
		my ($provider, $state, $attempts, $hold) = split /\|/, $row;

		push @{ $by_provider{$provider} },
		  { state => $state, attempts => $attempts, hold => $hold };
	}
	return %by_provider;
}

sub count_end
{
	my ($end) = @_;

	$ends{ $end->{hold} ? 'held' : $end->{attempts} > 1 ? 'again' : 'once' }++;
	return;
}

# What is wrong with the end of a request.
sub fault_of
{
	my ($end, $idempotent, $quiet) = @_;

	return if $end->{state} eq 'COMPLETED';
	return "in doubt although nothing left: $end->{hold}"
	  if $quiet && $end->{hold};
	return if $end->{hold} =~ /^in doubt: ./ && !$idempotent;
	return "$end->{state} after $end->{attempts} attempts, $end->{hold}";
}

# One round; returns what is wrong.
sub cut_round
{
	my ($kind, @cuts) = @_;
	my %by_provider;
	my @problems;

	foreach my $cut (@cuts)
	{
		$cut->{cas}->clear_faults;
		$cut->{cas}->fault(
			"kind=cut-$cut->{direction} after=$cut->{after} count=1");
		$cut->{cas}->control('drop all');
	}
	$node->safe_psql('postgres', round_sql($kind, @cuts));
	%by_provider = read_ends(@cuts);
	foreach my $cut (@cuts)
	{
		my $ends = $by_provider{ $cut->{provider} };
		my $quiet =
		  $cut->{after} <= $kinds{$kind}->{quiet}->{ $cut->{direction} };

		count_end($_) foreach @$ends;
		push @problems, map {
			"$cut->{direction} $cut->{after}, request $_: "
			  . fault_of($ends->[$_], $_ == 0, $quiet)
		  } grep {
			defined fault_of($ends->[$_], $_ == 0, $quiet)
		  } 0 .. 1;
	}
	return @problems;
}

# ------------------------------------------------------------ all of a kind

# Bytes in either direction of the conversation that a round is.
sub whole_conversation
{
	my ($kind, $cas, $provider) = @_;
	my ($links, %bytes);

	$node->safe_psql('postgres', round_sql($kind, { provider => $provider }));
	$links = $cas->control('links');
	$bytes{$1} = $2 while $links =~ /\b(received|sent)=(\d+)/g;
	return %bytes;
}

sub check_kind
{
	my ($kind) = @_;
	my (@providers, @cuts, @problems);

	foreach my $i (1 .. $width)
	{
		my $cas = Provreq::Simulator->start(kind => $kind);

		create_provider(
			$node, "${kind}_$i", $cas,
			%{ $kinds{$kind}->{options} },
			timeout => '20s',
			retry_delay => '10ms',
			retry_delay_max => '50ms');
		push @providers, { cas => $cas, provider => "${kind}_$i" };
	}
	my %bytes = whole_conversation($kind, @{ $providers[0] }{qw(cas provider)});

	foreach my $direction (qw(received sent))
	{
		cmp_ok($bytes{$direction}, '>', 100,
			"$kind: $bytes{$direction} bytes are $direction");
		push @cuts,
		  map { { direction => $direction, after => $_ } } 1 .. $bytes{$direction};
	}
	while (my @some = splice @cuts, 0, $width)
	{
		@{ $some[$_] }{qw(cas provider)} =
		  @{ $providers[$_] }{qw(cas provider)}
		  foreach 0 .. $#some;
		push @problems, cut_round($kind, @some);
	}
	is(join("\n", @problems), '', "$kind: cut after each byte, in both directions");
	ledger_agrees(
		$node, $_->{cas},
		"$kind: ledger and table of $_->{provider} agree",
		provider => $_->{provider}) foreach @providers;
	return;
}

foreach my $kind (sort keys %kinds)
{
	%ends = ();
	check_kind($kind);
	cmp_ok($ends{$_}, '>', 0, "$kind: some requests end so: $_ ($ends{$_})")
	  foreach qw(once again held);
	is($node->safe_psql('postgres', 'SELECT count(*) FROM provreq.attempt'),
		0, "$kind: no attempt is left");
}
done_testing();
