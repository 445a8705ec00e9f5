# ProvreqFaults.pm: what the tests of sending share beside Provreq.pm: the
# thirteen Conax types as a table, one request followed to its end, and what
# a request looks like when it is there.

package ProvreqFaults;

use strict;
use warnings;

use Carp;
use Exporter 'import';
use IPC::Open2;
use JSON::PP ();
use Provreq;

our @EXPORT = qw(
  conax_types
  conax_call
  ask
  create_request
  request_row
  wait_for_end
  attempt_codes
  ca_id
  stb_ca_id
  quote
  scale
  anonymous_kb
);

# The types: the function, the name of its message, whether the default
# profile calls it idempotent, and its arguments for subscription, card and
# STB number %1$s, which may be an expression.
my @types = (
	{
		type => 'ADD_SUBSCRIPTIONS',
		function => 'conax_add_subscriptions',
		message => 'AddSubscriptions',
		idempotent => 1,
		arguments => q{'number=S' || %1$s, 'code=P1', 'serial_number=card' || %1$s}
	},
	{
		type => 'CANCEL_SUBSCRIPTIONS',
		function => 'conax_cancel_subscriptions',
		message => 'CancelSubscriptions',
		idempotent => 1,
		arguments => q{'number=S' || %1$s, 'code=P2', 'serial_number=card' || %1$s}
	},
	{
		type => 'CREATE_PAIRING',
		function => 'conax_create_pairing',
		message => 'CreatePairing',
		idempotent => 1,
		arguments => q{ARRAY['smartcard_ca_id=' || 100000000000 + %1$s],
			ARRAY['stb_ca_id=' || 900000000000 + %1$s]}
	},
	{
		type => 'ADD_TO_EXISTING_PAIRING',
		function => 'conax_add_to_existing_pairing',
		message => 'AddToExistingPairing',
		idempotent => 1,
		arguments => q{ARRAY['smartcard_ca_id=' || 100000000001 + %1$s],
			ARRAY['stb_ca_id=' || 900000000001 + %1$s],
			(100000000000 + %1$s)::text}
	},
	{
		type => 'UPDATE_CA_PIN_TO_DEFAULT_VALUE',
		function => 'conax_reset_pin_to_default_value',
		message => 'UpdateCaPinToDefaultValue',
		idempotent => 1,
		arguments => q{'number=S' || %1$s, 'serial_number=card' || %1$s}
	},
	{
		type => 'UPDATE_CA_PIN_TO_GIVEN_VALUE',
		function => 'conax_reset_pin_to_given_value',
		message => 'UpdateCaPinToGivenValue',
		idempotent => 1,
		arguments => q{'number=S' || %1$s, 'serial_number=card' || %1$s, '4711'}
	},
	{
		type => 'GET_ACTIVE_SUBSCRIPTIONS',
		function => 'conax_get_active_subscriptions',
		message => 'GetActiveSubscriptions',
		idempotent => 1,
		arguments => q{'serial_number=card' || %1$s}
	},
	{
		type => 'GET_PAIRING_STATUS_FOR_CARD',
		function => 'conax_get_pairing_status_for_card',
		message => 'GetPairingStatusForCard',
		idempotent => 1,
		arguments => q{'serial_number=card' || %1$s}
	},
	{
		type => 'GET_PAIRING_STATUS_FOR_PAIRING_MODULE',
		function => 'conax_get_pairing_status_for_pairing_module',
		message => 'GetPairingStatusForPairingModule',
		idempotent => 1,
		arguments => q{'serial_number=stb' || %1$s}
	},
	{
		type => 'DISPLAY_FINGERPRINT',
		function => 'conax_display_fingerprint',
		message => 'DisplayFingerprint',
		idempotent => 0,
		arguments => q{'serial_number=card' || %1$s, display_duration => 30,
			position_x => 10, position_y => 20, height => 30,
			fingerprint_slot => '1'}
	},
	{
		type => 'SEND_MAIL_MESSAGE_TO_CLIENT',
		function => 'conax_send_mail_message',
		message => 'SendMailMessageToClients',
		idempotent => 0,
		arguments => q{'serial_number=card' || %1$s, 'mail for card ' || %1$s}
	},
	{
		type => 'SEND_BARK_MESSAGE_TO_CLIENT',
		function => 'conax_send_bark_message',
		message => 'SendBarkMessageToClients',
		idempotent => 0,
		arguments => q{'serial_number=card' || %1$s, 'bark for card ' || %1$s}
	},
	{
		type => 'SEND_REPEATING_BARK_MESSAGE_TO_CLIENT',
		function => 'conax_send_repeating_bark_message',
		message => 'SendRepeatingBarkMessageToClients',
		idempotent => 0,
		arguments => q{'serial_number=card' || %1$s, 'again for card ' || %1$s, 3, 60}
	});

my %by_type = map { $_->{type} => $_ } @types;
my $json = JSON::PP->new->utf8;
my %sessions;					# by server, database and name
my $end_of_answer = '-- end of the answer';

sub conax_types { return @types }

# What fill_directory() calls the cards and STBs.
sub ca_id { return 100000000000 + $_[0] }

sub stb_ca_id { return 900000000000 + $_[0] }

# A string as an SQL literal.
sub quote
{
	my ($text) = @_;

	$text =~ s/'/''/g;
	return "'$text'";
}

# The SQL call that makes a request of a type for a card number; more: further
# arguments, by name, as texts or, where a reference to one, as SQL.
sub conax_call
{
	my ($type, $card, %more) = @_;
	my $known = $by_type{$type} // croak "no type $type";
	my $arguments = sprintf $known->{arguments}, $card;

	$arguments .=
	  ", $_ => " . (ref $more{$_} ? ${ $more{$_} } : quote($more{$_}))
	  foreach sort keys %more;
	return "provreq.$known->{function}($arguments)";
}

# One psql for each database and name, as long as the test runs and the server
# does.
sub session
{
	my ($node, $dbname, $name) = @_;
	my $session = $sessions{ $node->name }->{$dbname}->{$name} ||= {};

	return $session if $session->{pid};
	$session->{pid} = open2(
		my $out, my $in,
		'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d',
		$node->connstr($dbname));
	$in->autoflush(1);
	@$session{qw(in out)} = ($in, $out);
	return $session;
}

# What a query says, like safe_psql() but without a new session each time.
# session: the name of one, if it is not to be that of all.
sub ask
{
	my ($node, $sql, %option) = @_;
	my $session = session(
		$node,
		$option{dbname} || 'postgres',
		$option{session} || 'all');
	my @lines;

	print { $session->{in} } "$sql;\n\\echo $end_of_answer\n";
	while (defined(my $line = readline $session->{out}))
	{
		chomp $line;
		return join "\n", @lines if $line eq $end_of_answer;
		push @lines, $line;
	}
	croak "error running SQL: $sql";
}

# Makes one request, and returns its number.
sub create_request
{
	my ($node, $type, $card, %more) = @_;
	my $dbname = delete $more{dbname};

	return ask(
		$node,
		'SELECT number FROM ' . conax_call($type, $card, %more),
		dbname => $dbname);
}

# A request as a hash of its columns; undef if the condition does not hold.
sub request_row
{
	my ($node, $number, %option) = @_;
	my $condition = $option{condition} || 'true';
	my $row = ask(
		$node,
		"SELECT to_jsonb(r) FROM provreq.request AS r"
		  . " WHERE number = $number AND ($condition)",
		%option);

	return $row eq '' ? undef : $json->decode($row);
}

# Waits until a request is closed or held, and returns it.
sub wait_for_end
{
	my ($node, $number, %option) = @_;

	return wait_until(
		"request $number has come to an end",
		sub {
			request_row($node, $number, %option,
				condition =>
				  "life_cycle_state <> 'PENDING' OR hold_reason IS NOT NULL");
		});
}

# The attempts that did not settle a request: "RETRY SYSTEM_ERROR, ...".
sub attempt_codes
{
	my ($row) = @_;

	return join ', ',
	  map { "$_->{verdict} $_->{error_code}" } @{ $row->{attempt_log} || [] };
}

# The number of rounds of a test: the environment's, else a tenth of the usual
# when testing is to be quick.
sub scale
{
	my ($variable, $usual) = @_;

	return $ENV{$variable} if $ENV{$variable};
	return $ENV{PROVREQ_QUICK} ? int($usual / 10) || 1 : $usual;
}

# What a process has of its own in memory, in kB.
sub anonymous_kb
{
	my ($pid) = @_;

	open my $status, '<', "/proc/$pid/status" or croak "no process $pid: $!";
	while (my $line = <$status>)
	{
		return $1 if $line =~ /^RssAnon:\s+(\d+) kB/;
	}
	croak "no RssAnon of process $pid";
}

1;
