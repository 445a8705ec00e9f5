# A client of the simulators over links, plain or through openssl s_client,
# that sends whatever it is told to; and the messages of both protocols.
package LinkTest;

use strict;
use warnings;
use Digest::MD5;
use Digest::SHA 'hmac_sha256_hex', 'sha256_hex';
use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use IPC::Open2;
use POSIX 'strftime';
use SimulatorTest;
use Socket 'IPPROTO_TCP', 'TCP_NODELAY';

our @EXPORT = qw(dial put get get_until_end hang_up frame frames hello greeted
  today nagra heartbeat add_product acknowledged nds_message nds_answer
  pin_mark link_line $nds_key);

our $nds_key = 'a key';
my $wait = 10;

# A connection: two handles and, through TLS, a process.
sub dial
{
	my ($sim, @tls) = @_;
	my %link = (buffer => '');
	if (@tls)
	{
		$link{pid} = open2($link{from}, $link{to}, 'sh', '-c',
			'exec openssl s_client "$@" 2>/dev/null', 'sh',
			'-quiet', '-no_ign_eof', '-connect', "localhost:$sim->{port}",
			'-verify_return_error', @tls);
	}
	else
	{
		my $socket = IO::Socket::INET->new("127.0.0.1:$sim->{port}")
		  or return;
		setsockopt($socket, IPPROTO_TCP, TCP_NODELAY, 1);
		@link{qw(from to)} = ($socket, $socket);
	}
	binmode $link{$_} for qw(from to);
	return \%link;
}

sub put
{
	my ($link, $bytes) = @_;
	local $SIG{PIPE} = 'IGNORE';
	return syswrite($link->{to}, $bytes);
}

# Reads more into the buffer; false at the end or in vain.
sub fill
{
	my ($link, $seconds) = @_;
	return 0 unless IO::Select->new($link->{from})->can_read($seconds // $wait);
	return sysread($link->{from}, $link->{buffer}, 65536,
		length $link->{buffer});
}

# So many bytes; undef if there are less.
sub get
{
	my ($link, $length, $seconds) = @_;
	while (length $link->{buffer} < $length)
	{
		return unless fill($link, $seconds);
	}
	return substr($link->{buffer}, 0, $length, '');
}

# All that comes until the other side closes; undef if it does not.
sub get_until_end
{
	my ($link) = @_;
	my $got;
	while ($got = fill($link)) { }
	return if !defined $got && !$!{ECONNRESET};
	return if defined $got && !IO::Select->new($link->{from})->can_read(0);
	return substr($link->{buffer}, 0, length $link->{buffer}, '');
}

sub hang_up
{
	my ($link) = @_;
	close $link->{to};
	close $link->{from};
	waitpid($link->{pid}, 0) if $link->{pid};
	return;
}

sub pin_mark { return substr(sha256_hex($_[0]), 0, 16) }
sub today { return strftime('%Y%m%d', gmtime(time() + ($_[0] // 0) * 86400)) }

# The last line of a connection's.
sub link_line
{
	my ($sim, $match) = @_;
	my @lines = grep { !$match || $match->($_) } ledger($sim);
	return @lines ? $lines[-1] : {};
}

# ------------------------------------------------------------- Nagravision

sub frame { return pack('n/a*', $_[0]) }

# So many frames; less at the end or in vain.
sub frames
{
	my ($link, $count, $seconds) = @_;
	my @frames;
	while (@frames < $count)
	{
		my $length = get($link, 2, $seconds) // last;
		push(@frames, get($link, unpack('n', $length), $seconds) // last);
	}
	return @frames;
}

sub hello { return frame(pack('CC/a*', 0, $_[0] // 'SMS_GWY')) }

# A link that has been accepted.
sub greeted
{
	my ($sim, @tls) = @_;
	my $link = dial($sim, @tls) or return;
	put($link, hello());
	my @status = frames($link, 2);
	return $link if @status == 2 && $status[0] eq "\6" && $status[1] eq "\0";
	return;
}

# A message: number, type and what follows the header; source, dest, ppid and
# date may be given.
sub nagra
{
	my ($number, $type, $body, %more) = @_;
	return frame(
		sprintf('%09d', $number)
		  . $type
		  . ($more{source} // '1001')
		  . ($more{dest} // '0009')
		  . ($more{ppid} // '00007')
		  . ($more{date} // today())
		  . $body);
}

sub heartbeat { return nagra($_[0], '05', '1002', @_[ 1 .. $#_ ]) }

sub add_product
{
	my ($number, $card, $product, %more) = @_;
	return nagra($number, '01',
		'N' . today() . today(30) . "U${card}0002"
		  . sprintf('%012d', $product) . today() . '20991231', %more);
}

# Is the frame an acknowledgement of that number?
sub acknowledged
{
	my ($frame, $number) = @_;
	my $date = today();
	return defined $frame
	  && $frame =~ /^\d{9}0500091001\d{5}${date}1000(\d{9})$/
	  && $1 == $number;
}

# --------------------------------------------------------------------- NDS

sub hmac_md5_hex
{
	my ($text, $key) = @_;
	my $padded = $key . "\0" x (64 - length $key);
	my $inner = Digest::MD5::md5(($padded ^ ("\x36" x 64)) . $text);
	return Digest::MD5::md5_hex(($padded ^ ("\x5c" x 64)) . $inner);
}

sub nds_digest
{
	my ($text, $digest) = @_;
	return '' if $digest eq 'none';
	my $hex = $digest eq 'hmac-md5' ? hmac_md5_hex($text, $nds_key) :
	  substr(hmac_sha256_hex($text, $nds_key), 0, 32);
	return uc $hex;
}

# A message: sequence, command, card and fields.  digest, version, length (to
# add to the right one), from, to, time, priority may be given.
sub nds_message
{
	my ($sequence, $command, $card, $fields, %more) = @_;
	my $digest = $more{digest} // 'hmac-sha256';
	my $length = 53 + length($fields) + ($digest eq 'none' ? 0 : 32)
	  + ($more{length} // 0);
	my $text = ($more{version} // '0001')
	  . sprintf('%04X', $length)
	  . ($more{from} // '0A01')
	  . ($more{to} // '00C5')
	  . ($sequence =~ /^\d+$/ ? sprintf('%08X', $sequence) : substr($sequence, 1))
	  . ($more{time} // strftime('%Y%m%d%H%M%S', gmtime))
	  . ($more{priority} // 'R')
	  . $command . $card . $fields;
	return $text . ($more{hex} // nds_digest($text, $digest));
}

# An answer, read and checked: a hash of its fields, with "bad" for what is
# wrong with it; undef if there is none.
sub nds_answer
{
	my ($link, %more) = @_;
	my $digest = $more{digest} // 'hmac-sha256';
	my $head = get($link, 8, $more{seconds}) // return;
	my %answer = (bad => '');
	if ($head !~ /^0001([0-9A-F]{4})$/)
	{
		$answer{bad} = "head $head";
		return \%answer;
	}
	my $rest = get($link, hex($1) - 8, $more{seconds}) // return;
	my $text = $head . $rest;
	if ($digest ne 'none')
	{
		my $hex = substr($text, -32, 32, '');
		$answer{bad} = 'digest' if $hex ne nds_digest($text, $digest);
	}
	@answer{qw(from to sequence time priority command card rest)} =
	  unpack('x8 a4 a4 a8 a14 a a2 a12 a*', $text);
	my $form = $answer{command} eq 'OK' ? qr/^[A-Z0-9]* *$/ :
	  qr/^E\d{3}[0-9A-F]{2}/;
	$answer{bad} ||= 'rest' if $answer{rest} !~ $form;
	$answer{bad} ||= 'reference'
	  if $answer{command} eq 'OK' && length $answer{rest} != 16;
	$answer{code} = $answer{command} eq 'OK' ? 'OK' :
	  substr($answer{rest}, 0, 4);
	return \%answer;
}

1;
