# ProvreqLinks.pm: what the tests of Nagravision and NDS share beside
# Provreq.pm: their types as a table, and the comparison of ledger and cards
# with the request table.
#
# Their messages do not have the number of the request.  But each is about one
# card, and the requests of a card go out one after the other: so the messages
# of a card, in the order of receiving, are those of its requests, in the order
# of their numbers.  To be told apart, requests of one card that follow each
# other should ask for different things.

package ProvreqLinks;

use strict;
use warnings;

use Carp;
use Exporter 'import';
use IO::Socket::INET;
use List::Util qw(min);
use JSON::PP ();
use POSIX ();
use Provreq ();
use Test::More;

our @EXPORT = qw(
  link_types
  link_call
  compare_links
  compare_cards
  cards_agree
  start_peer
);

# The types by kind: the function and its arguments for subscription, card and
# STB number %1$s, which may be an expression.
my %types = (
	nagravision => {
		ADD_ENHANCED_LIST_OF_PRODUCTS => [
			'nagravision_add_enhanced_list_of_products',
			q{ARRAY['code=P1', 'code=P2', 'code=P3'], 'serial_number=card' || %1$s,
				subscription_identifier => 'number=S' || %1$s}
		],
		CANCEL_LIST_OF_PRODUCTS => [
			'nagravision_cancel_list_of_products',
			q{'number=S' || %1$s, ARRAY['code=P2', 'code=P3'],
				'serial_number=card' || %1$s}
		],
		PAIR_SMARTCARD_DECODER => [
			'nagravision_pair_smartcard_decoder',
			q{'serial_number=card' || %1$s, 'serial_number=stb' || %1$s}
		],
		SET_PIN_TO_DEFAULT_VALUE => [
			'nagravision_set_pin_to_default_value',
			q{'number=S' || %1$s, 'serial_number=card' || %1$s}
		],
		SET_PIN_TO_GIVEN_VALUE => [
			'nagravision_set_pin_to_given_value',
			q{'number=S' || %1$s, '4711', 'serial_number=card' || %1$s}
		],
		CLEAR_PIN => [
			'nagravision_clear_pin',
			q{'number=S' || %1$s, 'serial_number=card' || %1$s}
		]
	},
	nds => {
		SET_USER_PARAMETERS => [
			'nds_set_user_parameters',
			q{'number=S' || %1$s, 'serial_number=card' || %1$s, new_pin => '4711'}
		],
		REAUTHORISE_ALL_SERVICES => [
			'nds_reauthorise_all_services',
			q{'number=S' || %1$s, 'serial_number=card' || %1$s}
		]
	});

# What a refusal is that the sender tries again.
my %busy = (nagravision => '00FF', nds => 'E009');

# Codes with which a simulator complains of the form of a message.
my %form = map { $_ => 1 } qw(0003 E002 E003 E004);

my %housekeeping = map { $_ => 1 } qw(- Hello Heartbeat Ping);
my $json = JSON::PP->new;

sub link_types { return sort keys %{ $types{ $_[0] } } }

# The SQL call that makes a request of a type for a card number; more: further
# arguments by name, as SQL.
sub link_call
{
	my ($kind, $type, $card, %more) = @_;
	my $known = $types{$kind}->{$type} // croak "no type $type of $kind";
	my $arguments = sprintf $known->[1], $card;

	$arguments .= ", $_ => $more{$_}" foreach sort keys %more;
	return "provreq.$known->[0]($arguments)";
}

# ---------------------------------------------------------------- requests

sub as_list
{
	my ($value) = @_;

	return ref $value ? @$value : defined $value ? ($value) : ();
}

# The messages that a request is, as the simulators name what they ask for.
sub expected_parts
{
	my ($type, $parameters) = @_;
	my @products =
	  map { sprintf '%012s', $_ } as_list($parameters->{service_ca_id});
	my %pin = (
		SET_PIN_TO_DEFAULT_VALUE => 'PinDefault',
		SET_PIN_TO_GIVEN_VALUE => 'PinNew',
		CLEAR_PIN => 'PinClear');

	return map { "AddProduct $_" } @products
	  if $type eq 'ADD_ENHANCED_LIST_OF_PRODUCTS';
	return map { "CancelProduct $_" } @products
	  if $type eq 'CANCEL_LIST_OF_PRODUCTS';
	return defined $parameters->{stb_ca_id}
	  ? "Pair $parameters->{stb_ca_id}"
	  : 'Unpair'
	  if $type eq 'PAIR_SMARTCARD_DECODER';
	return $parameters->{reset_pin} ? 'PinDefault' : 'PinNew'
	  if $type eq 'SET_USER_PARAMETERS';
	return 'Reauthorise' if $type eq 'REAUTHORISE_ALL_SERVICES';
	return $pin{$type} // croak "no type $type";
}

# What a message asks for, in the same words.
sub part_of
{
	my ($message) = @_;
	my ($thing) = split /,/, $message->{things};

	return $message->{operation} =~ /Product|^Pair/
	  ? "$message->{operation} $thing"
	  : $message->{operation};
}

# The requests of a simulator's kind, by number.
sub read_links
{
	my ($node, $cas, %option) = @_;
	my $profile = $cas->{kind} eq 'nds' ? 'nds_ascii' : 'nagra_smsgw';
	my $where = $option{provider}
	  ? "r.provider = '$option{provider}'"
	  : "w.document #> ARRAY['operations', r.type] IS NOT NULL";
	my $rows = $json->decode(
		$node->safe_psql($option{dbname} || 'postgres', <<"EOQ"));
SELECT coalesce(json_agg(json_build_object('number', r.number, 'type', r.type,
	'state', r.life_cycle_state, 'attempts', r.attempts,
	'parameters', r.parameters,
	'unknown', (SELECT count(*) FROM jsonb_array_elements(r.attempt_log) AS a
		WHERE a ->> 'verdict' = 'UNKNOWN'),
	'stopped', r.error_code IS NOT DISTINCT FROM 'CANCELLED'
		OR r.hold_reason IS NOT NULL,
	'idempotent', coalesce((w.document #>> ARRAY['operations', r.type,
		'idempotent'])::boolean, false)) ORDER BY r.number), '[]')
FROM provreq.request AS r
JOIN provreq.wire_profile AS w ON w.name = '$profile' AND $where
EOQ

	foreach my $request (@$rows)
	{
		$request->{card} =
		  $cas->card_on_wire($request->{parameters}->{smartcard_ca_id});
		$request->{parts} = {
			map { $_ => 1 }
			  expected_parts($request->{type}, $request->{parameters})
		};
		$request->{what} =
		  "request $request->{number} ($request->{type}, $request->{state})";
	}
	return @$rows;
}

# ------------------------------------------------------------------ ledger

# Notes of which messages the sender knows for certain what became of them: not
# of those that were given an answer on a connection where anything else went
# wrong, for it may not have come to read that answer; and a late answer may
# have come on any connection of its source.
sub note_certain
{
	my ($cas, $messages) = @_;
	my %troubled = map { $_->{connection} => 1 }
	  grep { $_->{fault} !~ /^(?:-|delay|reject)$/ } @$messages;
	my %late = map { $_->{source} => 1 }
	  grep { $_->{fault} =~ /late/ } @$messages;

	foreach my $message (@$messages)
	{
		$message->{certain} = !$troubled{ $message->{connection} }
		  && !$late{ $message->{source} }
		  && defined $message->{answered}
		  && $message->{outcome} ne $busy{ $cas->{kind} };
	}
	return;
}

# What one request and these messages say against each other.
sub compare_request
{
	my ($request, @messages) = @_;
	my @problems;

	foreach my $part (sort keys %{ $request->{parts} })
	{
		my @copies = grep { part_of($_) eq $part } @messages;
		my $carried = grep { $_->{carried_out} } @copies;
		my ($answered) = grep { $copies[$_]->{certain} } 0 .. $#copies;

		push @problems, "$request->{what}: $part was not carried out"
		  if $request->{state} eq 'COMPLETED' && !$carried;
		push @problems,
		  "$request->{what}: $part went out "
		  . @copies
		  . " times in $request->{attempts} attempts"
		  if @copies > $request->{attempts};

		# As often as the sender says that it does not know: it may have
		# ended, or stopped waiting, while the answer was on its way.
		push @problems, "$request->{what}: $part went out after its answer"
		  if defined $answered && $#copies - $answered > $request->{unknown};
		push @problems, "$request->{what}: $part was carried out $carried times"
		  if !$request->{idempotent} && $carried > 1;
	}
	return @problems;
}

# The messages and requests around the place at which a card's do not fit.
sub story
{
	my ($requests, $messages, $request, $message) = @_;
	my @lines;

	foreach my $i ($request - 2 .. $request + 2)
	{
		next if $i < 0 || $i > $#$requests;
		push @lines,
		  "  $requests->[$i]->{what}, attempts $requests->[$i]->{attempts},"
		  . " unknown $requests->[$i]->{unknown}: "
		  . join ', ', sort keys %{ $requests->[$i]->{parts} };
	}
	foreach my $i ($message - 4 .. $message + 4)
	{
		next if $i < 0 || $i > $#$messages;
		push @lines, join ' ', '  transaction', map { $_ // '-' }
		  @{ $messages->[$i] }{qw(sequence connection received answered)},
		  part_of($messages->[$i]),
		  @{ $messages->[$i] }{qw(fault outcome)},
		  $messages->[$i]->{carried_out} ? 'carried out' : 'not carried out',
		  $messages->[$i]->{certain} ? 'certain' : 'not certain';
	}
	return @lines;
}

# Gives the messages of one card to its requests, to each some that follow each
# other, so that nothing is wrong with any request.  Returns what is wrong if
# there is no such way.
sub assign
{
	my ($requests, $messages) = @_;
	my @before = ({ 0 => 0 });	# after each request: where its last message
								# can be, and where its first is then

	while ($#before < @$requests)
	{
		my $request = $requests->[$#before];
		my %here;

		foreach my $first (keys %{ $before[-1] })
		{
			for (my $next = $first;; $next++)
			{
				$here{$next} //= $first
				  unless compare_request($request, @$messages[ $first .. $next - 1 ]);
				last
				  if $next > $#$messages
				  || !$request->{parts}->{ part_of($messages->[$next]) };
			}
		}
		last unless %here;
		push @before, \%here;
	}
	if ($#before < @$requests || !exists $before[-1]->{@$messages})
	{
		my $at = $#before;
		my ($next) = sort { $b <=> $a } keys %{ $before[-1] };
		my $end = $next;

		return (
			"card $messages->[$next]->{cards}: "
			  . part_of($messages->[$next])
			  . " (transaction $messages->[$next]->{sequence}) is of no request",
			story($requests, $messages, $at, $next))
		  if $at == @$requests;
		$end++
		  while $end < @$messages
		  && $requests->[$at]->{parts}->{ part_of($messages->[$end]) };
		return (
			compare_request($requests->[$at], @$messages[ $next .. $end - 1 ]),
			"$requests->[$at]->{what} and its messages do not fit, from number "
			  . ($next + 1) . ' of ' . @$messages . ' of its card on',
			story($requests, $messages, $at, $next));
	}
	for (my ($at, $end) = ($#before, scalar @$messages); $at > 0; $at--)
	{
		my $first = $before[$at]->{$end};

		$_->{request} = $requests->[ $at - 1 ]
		  foreach @$messages[ $first .. $end - 1 ];
		$end = $first;
	}
	return;
}

# Per card and STB, requests go out in the order of their numbers, and none
# before the last answers to the one before it were given.
sub compare_order
{
	my ($messages) = @_;
	my (%last, @problems);

	foreach my $message (grep { $_->{request} } @$messages)
	{
		my $request = $message->{request};
		my $stb = $request->{parameters}->{stb_ca_id};

		foreach my $key ("card $message->{cards}", $stb ? "stb $stb" : ())
		{
			foreach my $before (@{ $last{$key} || [] })
			{
				my $number = $before->{request}->{number};

				next if $number == $request->{number};
				push @problems, "$key got $request->{number} after $number"
				  if $request->{number} < $number;
				push @problems,
				  "$key got $request->{number} while $number was under way:"
				  . " $before->{received} $before->{answered} $before->{fault},"
				  . " $message->{received}"
				  if defined $before->{answered}
				  && $message->{received} < min($before->{answered},
					$before->{answered_earlier} // $before->{answered});
			}

			# The answer to a message that was sent again is not waited for, nor
			# that to a copy when one before it was answered late.
			my @copies = grep {
				$_->{request} == $request && part_of($_) eq part_of($message)
			} @{ $last{$key} || [] };

			$message->{answered_earlier} = min grep { defined } map {
				($_->{outcome} eq 'spoiled' ? undef : $_->{answered},
					$_->{answered_earlier})
			} @copies;
			@{ $last{$key} } = grep {
				$_->{request} == $request && part_of($_) ne part_of($message)
			} @{ $last{$key} || [] };
			push @{ $last{$key} }, $message;
		}
	}
	return @problems;
}

# Proves loss, duplicates, order and form: returns what is wrong, an empty list
# when nothing is.  dbname; provider: only its requests (else all of the kind);
# pending: requests may be pending still; order => 0: not created in one order;
# malformed => 1: protocol errors and refusals for the form are expected.
sub compare_links
{
	my ($node, $cas, %option) = @_;
	my @requests = read_links($node, $cas, %option);
	my @messages = $cas->ledger;
	my (%requests, %messages, @problems);

	note_certain($cas, \@messages);
	push @problems, map {
		"connection $_->{connection}, transaction $_->{sequence}: $_->{outcome}"
	} grep {
		$_->{outcome} =~ /^error:/
		  || ($_->{fault} eq '-' && $form{ $_->{outcome} })
	  } @messages
	  unless $option{malformed};
	@messages = grep {
		!$housekeeping{ $_->{operation} } && $_->{cards} ne '-'
		  && $_->{outcome} !~ /^error:/
	} @messages;
	push @{ $requests{ $_->{card} } }, $_ foreach @requests;
	push @{ $messages{ $_->{cards} } }, $_ foreach @messages;
	push @problems, assign($requests{$_} || [], $messages{$_} || [])
	  foreach sort keys %{ { %requests, %messages } };
	foreach my $request (@requests)
	{
		push @problems, "$request->{what} is pending"
		  if $request->{state} eq 'PENDING'
		  && !$request->{stopped}
		  && !$option{pending};
	}
	push @problems, compare_order(\@messages) if $option{order} // 1;
	return @problems;
}

# ------------------------------------------------------------------- cards

# What a card holds after a request, as far as that is known.
sub apply
{
	my ($card, $request) = @_;

	foreach my $part (keys %{ $request->{parts} })
	{
		my ($operation, $thing) = split / /, $part, 2;

		$card->{products}->{$thing} = 1 if $operation eq 'AddProduct';
		delete $card->{products}->{$thing} if $operation eq 'CancelProduct';
		$card->{pairing} = $operation eq 'Pair' ? $thing : '-'
		  if $operation =~ /air$/;
		$card->{pin} = lc $1 if $operation =~ /^Pin(.*)/;
		$card->{reauthorised}++ if $operation eq 'Reauthorise';
	}
	return;
}

# What of a card differs from what its requests have made of it.
sub compare_card
{
	my ($name, $card, $held) = @_;
	my %pin = (new => qr/^[0-9a-f]{16}$/, default => qr/^default$/,
		clear => qr/^none$/);
	my $products = join ',', sort keys %{ $card->{products} || {} };
	my $got = join ',', map { s/:.*//r } split /,/, $held->{products} // '-';
	my @problems;

	push @problems, "card $name holds $got, not $products"
	  if $got ne ($products || '-');
	push @problems, "card $name is paired with $held->{pairing}"
	  if ($card->{pairing} // '-') ne ($held->{pairing} // '-');
	push @problems, "card $name has the PIN $held->{pin}, not $card->{pin}"
	  if $card->{pin} && ($held->{pin} // '-') !~ $pin{ $card->{pin} };
	push @problems, "card $name was reauthorised $held->{reauthorised} times"
	  if ($card->{reauthorised} // 0) > ($held->{reauthorised} // 0);
	return @problems;
}

# Is each card in the state that its COMPLETED requests lead to?  Cards with a
# request that was sent and is not COMPLETED are left out: what those have done
# is in doubt.  The simulator must not have been restarted.
sub compare_cards
{
	my ($node, $cas, %option) = @_;
	my $held = $cas->cards;
	my (%cards, %doubtful);

	foreach my $request (read_links($node, $cas, %option))
	{
		my $card = $cards{ $request->{card} } ||= {};

		if ($request->{state} eq 'COMPLETED')
		{
			apply($card, $request);
		}
		elsif ($request->{attempts} > 0)
		{
			$doubtful{ $request->{card} } = 1;
		}
	}
	return map { compare_card($_, $cards{$_}, $held->{$_} || {}) }
	  grep { !$doubtful{$_} } sort keys %cards;
}

sub cards_agree
{
	my ($node, $cas, $name, %option) = @_;
	my @problems = compare_cards($node, $cas, %option);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(join("\n", splice(@problems, 0, 20)), '', $name);
}

# -------------------------------------------------------------- scripted peers

my @peers;

# Runs a function with a listening socket in a process of its own, as long as
# the test runs; returns its port.
sub start_peer
{
	my ($run) = @_;
	my $listener = IO::Socket::INET->new(
		Listen => 10,
		LocalAddr => '127.0.0.1',
		ReuseAddr => 1) or die "cannot listen: $!";
	my $port = $listener->sockport;
	my $peer = fork() // die "could not fork: $!";

	if ($peer == 0)
	{
		$run->($listener);
		POSIX::_exit(0);
	}
	push @peers, $peer;
	return $port;
}

END
{
	local $?;
	kill 'TERM', @peers;
	waitpid $_, 0 foreach @peers;
}

1;
