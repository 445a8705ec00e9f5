# The connection to a Conax CAS ends somewhere in a conversation, in either
# direction: nothing is lost, nothing is carried out twice behind our back, and
# nothing overtakes.
#
# Between sender and CAS there are relays that close a connection after so many
# bytes.  Each has a provider; each round gives each of them two requests of
# one new card, of which the second is not idempotent.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use IO::Select;
use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use POSIX ();
use Socket;
use Test::More;

# So many conversations at once, and bytes from one cut to the next: a whole
# conversation has some thousands.
my $width = 8;
my $step = $ENV{PROVREQ_QUICK} ? 41 : 1;

my @relays;

# ------------------------------------------------------------------- relay

# Closes both ends of a connection.
sub end_connection
{
	my ($select, $by_socket, $connection) = @_;

	return unless $by_socket->{ $connection->{client} };
	foreach my $socket (@{$connection}{qw(client server)})
	{
		delete $by_socket->{$socket};
		$select->remove($socket);
		shutdown $socket, 2;
		close $socket;
	}
	return;
}

# Bytes from one end to the other, up to the cut; false when that is the end.
sub pass_on
{
	my ($connection, $from) = @_;
	my $direction = $from == $connection->{client} ? 'received' : 'sent';
	my $to = $connection->{ $direction eq 'received' ? 'server' : 'client' };
	my $cut = $connection->{cut}->{$direction};
	my $room = 65536;

	$room = $cut - $connection->{$direction}
	  if $cut && $cut - $connection->{$direction} < $room;
	my $data;
	my $n = sysread $from, $data, $room;

	return 0 unless $n;
	$connection->{$direction} += $n;
	while (length $data)
	{
		my $done = syswrite $to, $data;

		return 0 unless $done;
		substr $data, 0, $done, '';
	}
	return !$cut || $connection->{$direction} < $cut;
}

# The process of a relay.  A command "received 17" ends all connections and
# cuts the next one; the answer says what went through the last.
sub relay
{
	my ($listener, $control, $target) = @_;
	my $select = IO::Select->new($listener, $control);
	my (%by_socket, %cut);
	my $last = { received => 0, sent => 0 };

	while (1)
	{
		foreach my $socket ($select->can_read)
		{
			my $connection = $by_socket{$socket};

			if ($socket == $control)
			{
				my $command = <$control> // POSIX::_exit(0);

				my @all = values %by_socket;

				end_connection($select, \%by_socket, $_) foreach @all;
				%cut = split ' ', $command;
				syswrite $control, "$last->{received} $last->{sent}\n";
			}
			elsif ($socket == $listener)
			{
				my $client = $listener->accept or next;
				my $server = IO::Socket::INET->new(
					PeerAddr => '127.0.0.1',
					PeerPort => $target) or next;

				$last = {
					client => $client,
					server => $server,
					received => 0,
					sent => 0,
					cut => {%cut}
				};
				%cut = ();
				$by_socket{$_} = $last foreach $client, $server;
				$select->add($client, $server);
			}
			elsif ($connection && !pass_on($connection, $socket))
			{
				end_connection($select, \%by_socket, $connection);
			}
		}
	}
	return;
}

# Starts a relay to a port.
sub start_relay
{
	my ($target) = @_;
	my $listener = IO::Socket::INET->new(
		LocalAddr => '127.0.0.1',
		Listen => 64) or die "no port: $!";
	my ($ours, $theirs) =
	  IO::Socket->socketpair(AF_UNIX, SOCK_STREAM, PF_UNSPEC);
	my $pid = fork() // die "could not fork: $!";

	if ($pid == 0)
	{
		$SIG{PIPE} = 'IGNORE';
		close $ours;
		eval { relay($listener, $theirs, $target); };
		print STDERR "relay: $@";
		POSIX::_exit(1);
	}
	close $theirs;
	return {
		pid => $pid,
		port => $listener->sockport,
		control => $ours
	};
}

# Cuts the next connection; returns what went through the last one.
sub set_cut
{
	my ($relay, $direction, $after) = @_;

	syswrite $relay->{control}, "$direction $after\n";
	return split ' ', readline($relay->{control}) // die 'the relay has ended';
}

END
{
	local $?;
	kill 'TERM', map { $_->{pid} } @relays;
}

# --------------------------------------------------------------- one round

my $node = provreq_node('cuts_conax');
my $cas = Provreq::Simulator->start;
my $card = 0;
my %ends = (once => 0, again => 0, held => 0);

fill_directory($node, 4000);
foreach my $i (0 .. $width - 1)
{
	$relays[$i] = start_relay($cas->{port});
	create_provider(
		$node, "conax_$i", $cas,
		url => "http://127.0.0.1:$relays[$i]->{port}",
		connections => 1,
		timeout => '20s',
		retry_delay => '10ms',
		retry_delay_max => '50ms');
}

# Two requests on the first providers, waited for; how they ended, each
# "provider state attempts hold_reason".
sub two_requests_each
{
	my ($providers) = @_;
	my $calls = '';

	foreach my $i (0 .. $providers - 1)
	{
		$card++;
		$calls .= 'SELECT number FROM '
		  . conax_call($_, $card, provider => "conax_$i") . ";\n"
		  foreach qw(ADD_SUBSCRIPTIONS SEND_BARK_MESSAGE_TO_CLIENT);
	}

	$node->safe_psql('postgres', "BEGIN;\n$calls\nCOMMIT;\n" . <<'EOQ');
DO $$
BEGIN
	WHILE EXISTS (SELECT FROM provreq.request_pending WHERE hold_reason IS NULL)
	LOOP
		PERFORM pg_sleep(0.005);
	END LOOP;
END
$$;
EOQ
	return split /\n/, $node->safe_psql('postgres', <<"EOQ");
SELECT concat_ws(' ', provider, life_cycle_state, attempts, hold_reason)
FROM provreq.request ORDER BY number DESC LIMIT 2 * $providers
EOQ
}

# What is wrong with how requests ended; the second is the first in the list.
sub faults_of
{
	my (@rows) = @_;
	my @faults;

	foreach my $i (0 .. $#rows)
	{
		my ($provider, $state, $attempts, $hold) = split / /, $rows[$i], 4;

		$ends{ $hold ? 'held' : $attempts > 1 ? 'again' : 'once' }++;
		next if $state eq 'COMPLETED';
		next if $i % 2 == 0 && $hold && $hold =~ /^in doubt: ./;
		push @faults, $rows[$i];
	}
	return @faults;
}

# -------------------------------------------------------------------- run

my (@cuts, @faults);
my %bytes;

set_cut($relays[0], received => 0);
push @faults, faults_of(two_requests_each(1));
@bytes{qw(received sent)} = set_cut($relays[0], received => 0);
foreach my $direction (qw(received sent))
{
	cmp_ok($bytes{$direction}, '>', 500,
		"$bytes{$direction} bytes are $direction");
	for (my $after = 1; $after <= $bytes{$direction}; $after += $step)
	{
		push @cuts, [ $direction, $after ];
	}
}
while (my @some = splice @cuts, 0, $width)
{
	set_cut($relays[$_], @{ $some[$_] }) foreach 0 .. $#some;
	push @faults, map {
		"$_ (" . join(', ', map { "@$_" } @some) . ')'
	} faults_of(two_requests_each(scalar @some));
}
is(join("\n", @faults), '', 'cut all over, in both directions');
ledger_agrees($node, $cas, 'ledger and table agree');
cmp_ok($ends{$_}, '>', 0, "some requests end so: $_ ($ends{$_})")
  foreach sort keys %ends;
is($node->safe_psql('postgres', 'SELECT count(*) FROM provreq.attempt'),
	0, 'no attempt is left');
done_testing();
