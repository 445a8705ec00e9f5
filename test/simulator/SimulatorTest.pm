# What the simulators' own tests need: starting one, talking to it, and
# reading its ledger.  Core modules and openssl.
package SimulatorTest;

use strict;
use warnings;
use Exporter 'import';
use File::Temp 'tempdir';
use FindBin;
use IO::Socket::UNIX;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(start_simulator stop_simulator control ledger told last_line
  poll_until slurp spew scratch certificates);

my $scratch = tempdir(CLEANUP => 1);
my $starts = 0;
my %running;

sub scratch { return "$scratch/$_[0]" }

sub slurp
{
	my ($path) = @_;
	open(my $file, '<', $path) or return '';
	local $/;
	return scalar(<$file>) // '';
}

sub spew
{
	my ($path, $text) = @_;
	open(my $file, '>', $path) or die "$path: $!";
	print $file $text;
	close($file) or die "$path: $!";
	return $path;
}

# True as soon as the condition is; false if it is not within ten seconds.
sub poll_until
{
	my ($condition) = @_;
	my $end = time() + 10;
	until ($condition->())
	{
		return 0 if time() > $end;
		sleep(0.01);
	}
	return 1;
}

sub start_simulator
{
	my ($program, @options) = @_;
	my $base = scratch('sim' . ++$starts);
	my %sim = (
		ledger => "$base.ledger",
		control => "$base.control");
	my $pid = fork() // die "fork: $!";
	if ($pid == 0)
	{
		open(STDOUT, '>', '/dev/null');
		exec("$FindBin::Bin/$program", '--ledger', $sim{ledger},
			'--control', $sim{control}, '--port-file', "$base.port", @options);
		die "exec: $!";
	}
	$running{$pid} = 1;
	$sim{pid} = $pid;
	poll_until(sub { slurp("$base.port") =~ /\n/ })
	  or die "the simulator does not start";
	chomp($sim{port} = slurp("$base.port"));
	return \%sim;
}

# Ends it with a signal; the exit status.
sub stop_simulator
{
	my ($sim) = @_;
	kill('TERM', $sim->{pid});
	waitpid($sim->{pid}, 0);
	delete $running{ $sim->{pid} };
	return $?;
}

END
{
	my $status = $?;
	for my $pid (keys %running)
	{
		kill('TERM', $pid);
		waitpid($pid, 0);
	}
	$? = $status;
}

# One command on the control socket; its answer.
sub control
{
	my ($sim, $line) = @_;
	my $socket = IO::Socket::UNIX->new(Peer => $sim->{control})
	  or die "$sim->{control}: $!";
	print $socket "$line\n";
	my $answer = <$socket> // '';
	chomp $answer;
	return $answer;
}

# The ledger's lines, flushed first, as hashes.
sub ledger
{
	my ($sim) = @_;
	my @names = qw(received answered connection sequence operation cards
	  things fault outcome carried source more);
	control($sim, 'flush');
	return map {
		my @values = split(/\t/, $_, -1);
		+{ map { $names[$_] => $values[$_] } 0 .. $#names };
	} split(/\n/, slurp($sim->{ledger}));
}

sub last_line
{
	my ($sim) = @_;
	my @lines = ledger($sim);
	return @lines ? $lines[-1] : {};
}

# What the ledger says, without when: times have all sorts of digits.
sub told
{
	my ($sim) = @_;
	control($sim, 'flush');
	return slurp($sim->{ledger}) =~ s/^\S+\t\S+\t//gmr;
}

# A CA, certificates for localhost and for a client signed by it, and one for
# localhost that is not.
sub certificates
{
	my %file = map { $_ => scratch($_) } qw(ca server client wrong);
	my $new = 'openssl req -x509 -newkey rsa:2048 -nodes -days 2'
	  . ' -addext subjectAltName=DNS:localhost';
	my $run = sub { system("@_ >/dev/null 2>&1") == 0 or die "openssl: @_" };

	$run->("$new -subj /CN=ca -keyout $file{ca}.key -out $file{ca}.pem");
	$run->("$new -subj /CN=wrong -keyout $file{wrong}.key"
		  . " -out $file{wrong}.pem");
	spew("$file{ca}.ext", "subjectAltName=DNS:localhost\n");
	for my $who (qw(server client))
	{
		$run->("openssl req -newkey rsa:2048 -nodes -subj /CN=$who"
			  . " -keyout $file{$who}.key -out $file{$who}.csr");
		$run->("openssl x509 -req -days 2 -in $file{$who}.csr"
			  . " -CA $file{ca}.pem -CAkey $file{ca}.key -CAcreateserial"
			  . " -extfile $file{ca}.ext -out $file{$who}.pem");
	}
	return %file;
}

1;
