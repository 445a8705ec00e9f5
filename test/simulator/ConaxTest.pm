# Messages for the Conax simulator: making them, posting them with curl, and
# checking them with xmllint.
package ConaxTest;

use strict;
use warnings;
use Exporter 'import';
use FindBin;
use SimulatorTest;

our @EXPORT = qw(start_conax soap post is_valid cards products modules
  sequence add last_sequence);

my $number = 100;

# Which service an operation belongs to, and where that is.
my %service;
$service{$_} = [ 'authorization', 'client/authorization' ]
  for qw(AddSubscriptions CancelSubscriptions GetActiveSubscriptions);
$service{$_} = [ 'pairing', 'client/pairing' ]
  for qw(CreatePairing AddToExistingPairing GetPairingStatusForCard
  GetPairingStatusForPairingModule);
$service{$_} = [ 'pin', 'client/pin' ]
  for qw(UpdateCaPinToDefaultValue UpdateCaPinToGivenValue);
$service{$_} = [ 'user-text-messaging', 'caclient/user-text-messaging' ]
  for qw(SendMailMessageToClients SendBarkMessageToClients
  SendRepeatingBarkMessageToClients);
$service{DisplayFingerprint} = [ 'fingerprint', 'client/fingerprint' ];

sub cards { return (CaClientIds => [ map { (CaClientId => $_) } @_ ]) }
sub products { return (ProductIds => [ map { (ProductId => $_) } @_ ]) }

sub modules
{
	return (PairingModuleIds => [ map { (PairingModuleId => $_) } @_ ]);
}

sub last_sequence { return $number }
sub sequence { return (SequenceNumber => ++$number) }

# A right request to add product 17 to a card.
sub add
{
	return soap('AddSubscriptions', cards($_[0]), products(17), sequence());
}

# With --tls-cert among the options it is HTTPS.
sub start_conax
{
	my (@options) = @_;
	my $sim = start_simulator('conax_simulator', @options);
	$sim->{scheme} = (grep { $_ eq '--tls-cert' } @options) ? 'https' : 'http';
	$sim->{url} = "$sim->{scheme}://localhost:$sim->{port}/ca-server/webservices/";
	return $sim;
}

# The envelope of a request.  Parameters: [name => value], a value being text
# or again a list.
sub soap
{
	my ($operation, @parameters) = @_;
	my $xml;
	$xml = sub {
		my $text = '';
		while (my ($name, $value) = splice(@_, 0, 2))
		{
			my $inner = ref $value ? $xml->(@$value) : $value;
			$text .= "<r:$name>$inner</r:$name>";
		}
		return $text;
	};
	my $inner = $xml->(@parameters);
	return '<s:Envelope'
	  . ' xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
	  . "<s:Body><r:$operation"
	  . " xmlns:r=\"http://www.conax.com/cas/xsd/$service{$operation}[0]/v1\">"
	  . "<r:${operation}Request>$inner</r:${operation}Request>"
	  . "</r:$operation></s:Body></s:Envelope>";
}

# Posts a body with curl.  rc is curl's exit status, status that of HTTP.
# Options: args, for curl; path; headers, instead of the usual ones.
sub post
{
	my ($sim, $operation, $body, %option) = @_;
	my $path = $option{path} // $service{$operation}[1];
	my $headers = $option{headers}
	  // [ 'Content-Type: text/xml; charset=utf-8', 'SOAPAction: ""' ];
	my $in = spew(scratch("request.$$"), $body);
	my $out = scratch("answer.$$");
	unlink $out;
	open(
		my $curl, '-|', 'curl', '-s', '--noproxy', '*', '--max-time', 20,
		'-o', $out, '-w', '%{http_code}',
		(map { ('-H', $_) } @$headers), '--data-binary', "\@$in",
		@{ $option{args} // [] }, $sim->{url} . $path) or die "curl: $!";
	my $status = <$curl>;
	close($curl);
	my $text = slurp($out);
	my ($code) = $text =~ /<c:StatusCode>(\w+)</;
	return {
		rc => $? >> 8,
		status => $status,
		body => $text,
		code => $code // '' };
}

# Does the schema know that envelope?
sub is_valid
{
	my ($xml) = @_;
	my $file = spew(scratch("validate.$$"), $xml);
	return system("xmllint --nonet --noout --schema $FindBin::Bin/conax.xsd"
		  . " $file >/dev/null 2>&1") == 0;
}

1;
