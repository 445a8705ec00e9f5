# Each of the thirteen Conax types goes over HTTPS, with Basic authentication
# and a client certificate, as a message that fits the published schema; it is
# carried out once and recorded whole, and a refusal brings the CAS's code.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use Test::More;

my $node = provreq_node('types');
my $cas = Provreq::Simulator->start(
	tls => 1,
	client_ca => 1,
	user => 'crm',
	password => 'open sesame',
	arguments => [ '--unmanaged-prefix', ca_id(9) ]);
my $tls = $cas->{tls};
my $schema = "$FindBin::Bin/../simulator/conax.xsd";
my %number;

# The default of --unmanaged-prefix is a prefix: card 9 is the only one of it.
fill_directory($node, 9);
create_provider($node, 'main_conax', $cas, wait => 0);
$node->safe_psql('postgres',
		'ALTER USER MAPPING FOR provreq_worker SERVER main_conax OPTIONS ('
	  . "ADD client_cert '$tls->{client}', ADD client_key '$tls->{client_key}')"
);

# Does xmllint find the text of a request valid?
sub is_valid
{
	my ($row, $name) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir_short() . '/request.xml';
	my ($out, $err);

	append_to_file($file, $row->{request} // '');
	my $ok = IPC::Run::run(
		[ 'xmllint', '--noout', '--nonet', '--schema', $schema, $file ],
		'>', \$out, '2>', \$err);
	ok($ok, $name) or diag($err);
	return;
}

# A request that was carried out has all that there is to be recorded.
sub check_completed
{
	my ($type, $row) = @_;
	my @messages = $cas->messages($row->{number});

	is($row->{life_cycle_state}, 'COMPLETED', "$type->{type} is COMPLETED")
	  or diag("$row->{error_code}: $row->{error_description}");
	is($row->{type}, $type->{type}, '... of its type');
	is(scalar(@messages), 1, '... with one message');
	is($messages[0]->{operation}, $type->{message}, '... of its operation');
	is($row->{attempts}, 1, '... in one attempt');
	like($row->{request}, qr/<SequenceNumber>$row->{number}</,
		'... with its request');
	like($row->{response}, qr/<c:StatusCode>OK</, '... its response');
	like($row->{reference_number}, qr/^CWS-[0-9A-F]{8}-[0-9]{8}$/,
		'... the reference of the CAS');
	ok($row->{executed_date} && $row->{sequence_number},
		'... and when it was sent');
	is($row->{error_code} // $row->{provider_error_code}, undef,
		'... without an error');
	return;
}

# And one that was refused says why, in the words of the CAS.
sub check_refused
{
	my ($type, $row, $code, $carried_out) = @_;
	my @messages = $cas->messages($row->{number});

	is($row->{life_cycle_state}, 'REJECTED', "$type->{type} is REJECTED");
	is($row->{error_code}, $code, "... with $code");
	is($row->{provider_error_code}, $code, '... as the code of the CAS');
	ok($row->{provider_error_description}, '... and its words');
	is($row->{attempts}, 1, '... in one attempt');
	is(scalar(@messages), 1, '... with one message');
	ok(!$messages[0]->{carried_out}, '... that was not carried out');
	like($row->{response}, qr/<c:StatusCode>$code</, '... and its response');
	return;
}

# ------------------------------------------------------------- carried out

foreach my $type (conax_types())
{
	my $number = create_request($node, $type->{type}, 1);
	my $row = wait_for_end($node, $number);

	$number{ $type->{type} } = $number;
	check_completed($type, $row);

	# PINs are asterisks in the table; the CAS accepted the right text, which
	# it checks against the same schema
	is_valid($row, '... that the schema allows')
	  unless $type->{type} eq 'UPDATE_CA_PIN_TO_GIVEN_VALUE';
}

# Everything that was asked for can be seen in the CAS.
my $card = $cas->card(ca_id(1));

is($card->{products}, '1', 'the card holds the added service');
is($card->{pin}, '4711', 'the PIN is the given one');
is($card->{pairing},
	ca_id(1) . ',' . ca_id(2) . '/' . stb_ca_id(1) . ',' . stb_ca_id(2),
	'both pairings are there');
is("@$card{qw(mails barks repeated_barks fingerprints)}",
	'1 1 1 1', 'every text was shown once');

# The answers of questions are kept, decoded.
my %data = map {
	$_ => request_row($node, $number{$_})->{response_data}
} keys %number;
my $pairing = {
	smartcard_ca_ids => [ ca_id(1) . '', ca_id(2) . '' ],
	stb_ca_ids => [ stb_ca_id(1) . '', stb_ca_id(2) . '' ]
};

is($data{GET_ACTIVE_SUBSCRIPTIONS}->{active_subscriptions}->[0]->{service_ca_id},
	'1', 'GET_ACTIVE_SUBSCRIPTIONS names the service');
like(
	$data{GET_ACTIVE_SUBSCRIPTIONS}->{active_subscriptions}->[0]->{start_date},
	qr/^20\d\d-\d\d-\d\dT/,
	'... and since when');
is(scalar @{ $data{GET_ACTIVE_SUBSCRIPTIONS}->{active_subscriptions} },
	1, '... and nothing else');
is_deeply($data{$_}, { pairings => [$pairing] }, "$_ tells the pairing")
  foreach
  qw(GET_PAIRING_STATUS_FOR_CARD GET_PAIRING_STATUS_FOR_PAIRING_MODULE);
is((grep { defined $data{$_} } keys %data), 3, 'other types keep no data');

# What was taken back is gone.
wait_for_end($node, create_request($node, 'CANCEL_SUBSCRIPTIONS', 1));
is($cas->card(ca_id(1))->{products}, '1', 'another service stays');
wait_for_end(
	$node,
	$node->safe_psql(
		'postgres', "SELECT number FROM provreq.conax_cancel_subscriptions("
		  . "'number=S1', 'code=P1', 'serial_number=card1')"));
is($cas->card(ca_id(1))->{products}, '-', 'the cancelled one goes');
wait_for_end($node,
	create_request($node, 'UPDATE_CA_PIN_TO_DEFAULT_VALUE', 1));
is($cas->card(ca_id(1))->{pin}, 'default', 'the PIN is reset');

# ----------------------------------------------------------------- refused

# Each type with each code that says no.
foreach my $code (
	qw(INPUT_VALIDATION_ERROR FEATURE_NOT_AVAILABLE CLIENT_NOT_FOUND))
{
	$cas->fault("kind=reject code=$code");
	my %refused = map { $_->{type} => create_request($node, $_->{type}, 3) }
	  conax_types();
	check_refused($_, wait_for_end($node, $refused{ $_->{type} }), $code)
	  foreach conax_types();
	$cas->clear_faults;
}

# A card that the CAS itself does not want, without any fault.
check_refused(
	{ type => 'ADD_SUBSCRIPTIONS' },
	wait_for_end($node, create_request($node, 'ADD_SUBSCRIPTIONS', 9)),
	'CLIENT_NOT_MANAGED_BY_SMS');

ledger_agrees($node, $cas, 'ledger and table agree');
is((grep { $_->{sequence} eq '-' } $cas->ledger),
	0, 'the CAS understood every message');

done_testing();
