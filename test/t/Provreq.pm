# Provreq.pm: what the TAP tests share.
#
# A server with the extension, the simulators of the three systems, a
# directory full of subscriptions and cards, and the comparison of a
# simulator's ledger with the request table by which loss, duplicates and order
# are proven.
#
#	my $node = provreq_node('main', conf => "provreq.batch_size = 8\n");
#	my $cas = Provreq::Simulator->start(tls => 1);
#	fill_directory($node, 100);
#	create_provider($node, 'main_conax', $cas, timeout => '1s');
#	add_subscriptions($node, 1, 100);
#	wait_until_idle($node);
#	ledger_agrees($node, $cas, 'every card got its service');
#
# Everything that waits polls a condition, with the deadline of
# poll_query_until (PG_TEST_TIMEOUT_DEFAULT, 180 seconds), and dies when it
# passes: what follows could not be trusted.

package Provreq;

use strict;
use warnings;

use Carp;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(
  provreq_node
  wait_for
  wait_until
  wait_for_message
  fill_directory
  create_provider
  add_subscriptions
  sender_pid
  wait_for_sender
  wait_until_idle
  wait_until_open
  sqlstate
  sqlstate_is
  log_of
  make_certificates
  compare_ledger_with_table
  ledger_agrees
);

our $deadline = $ENV{PG_TEST_TIMEOUT_DEFAULT} || 180;

# Settings under which tests are quick and nothing is said in another language
my $common_conf = <<'EOC';
shared_preload_libraries = 'provreq'
max_worker_processes = 32
max_prepared_transactions = 10
log_line_prefix = '%m [%p] %b %q%a '
timezone = 'UTC'
lc_messages = 'C'
EOC

# ---------------------------------------------------------------- servers

# A running server with the extension in database postgres.  Options:
# conf: lines for postgresql.conf; init: parameters for init(), a reference to
# an array; start => 0, extension => 0.
sub provreq_node
{
	my ($name, %option) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(@{ $option{init} || [] });
	$node->append_conf('postgresql.conf', $common_conf);
	$node->append_conf('postgresql.conf', $option{conf}) if $option{conf};
	return $node unless $option{start} // 1;
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION provreq')
	  if $option{extension} // 1;
	return $node;
}

# Waits until a query says what is expected, 't' by default.
sub wait_for
{
	my ($node, $query, $expected, $dbname) = @_;

	$node->poll_query_until($dbname || 'postgres', $query, $expected // 't')
	  or croak "in vain waited for: $query";
}

# Waits until the code returns true, and returns that.
sub wait_until
{
	my ($what, $code) = @_;
	my $end = time() + $deadline;

	while (time() < $end)
	{
		my $result = $code->();

		return $result if $result;
		usleep(20_000);
	}
	croak "in vain waited until $what";
}

# The server's log from an offset on.
sub log_of
{
	my ($node, $offset) = @_;

	return slurp_file($node->logfile, $offset // 0);
}

# Waits until the server's log has a line that matches.
sub wait_for_message
{
	my ($node, $regexp, $offset) = @_;

	wait_until("the log has $regexp", sub { log_of($node, $offset) =~ $regexp });
	return;
}

# How an SQL command ends: '00000' or the SQLSTATE of its error.  role: whom
# the session is of; dbname.
sub sqlstate
{
	my ($node, $sql, %option) = @_;
	my ($out, $err) = ('', '');
	my $session = $option{role}
	  ? "SET SESSION AUTHORIZATION $option{role};\n"
	  : '';

	$node->psql(
		$option{dbname} || 'postgres',
		"\\set VERBOSITY sqlstate\n$session$sql",
		stdout => \$out,
		stderr => \$err);
	return $err =~ /(?:ERROR|FATAL):\s+([0-9A-Z]{5})/ ? $1 : '00000';
}

sub sqlstate_is
{
	my ($node, $sql, $expected, $name, %option) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(sqlstate($node, $sql, %option), $expected, $name);
}

# -------------------------------------------------------------- directory

# Subscriptions S1..Sn, each with smartcard card1..cardn (CA ID 100000000001
# and so on) and set-top box stb1..stbn (CA ID 900000000001 and so on), and
# services P1..P10 (CA ID 1..10).  dbname; card_step: from one card's CA ID to
# the next, 1; Nagravision, which takes ten of its twelve digits, needs 100.
sub fill_directory
{
	my ($node, $n, %option) = @_;
	my $step = $option{card_step} || 1;

	$node->safe_psql($option{dbname} || 'postgres', <<"EOQ");
INSERT INTO provreq.subscription (number)
	SELECT 'S' || i FROM generate_series(1, $n) AS i;
INSERT INTO provreq.product (code)
	SELECT 'P' || i FROM generate_series(1, 10) AS i;
INSERT INTO provreq.service_mapping (product_id, service_ca_id)
	SELECT id, substr(code, 2) FROM provreq.product;
INSERT INTO provreq.installed_item (serial_number, subscription_id,
		classification, ca_id)
	SELECT 'card' || substr(number, 2), id, 'SMARTCARD',
		(100000000000 + $step * substr(number, 2)::bigint)::text
	FROM provreq.subscription
	UNION ALL
	SELECT 'stb' || substr(number, 2), id, 'STB',
		(900000000000 + substr(number, 2)::bigint)::text
	FROM provreq.subscription;
ANALYZE provreq.subscription, provreq.product, provreq.installed_item,
	provreq.service_mapping;
EOQ
	return;
}

# A provider that sends to a simulator.  dbname; wait => 0 not to wait for its
# sender; anything else is an option of the server, for which undef leaves a
# default of ours out.
sub create_provider
{
	my ($node, $name, $cas, %option) = @_;
	my $dbname = delete $option{dbname} || 'postgres';
	my $wait = delete $option{wait} // 1;
	my %server = (
		retry_delay => '50ms',
		retry_delay_max => '200ms',
		$cas->server_options,
		%option);
	my $options = join(', ',
		map { "$_ '$server{$_}'" }
		grep { defined $server{$_} } sort keys %server);
	my %user = $cas->mapping_options;
	my $mapping = %user
	  ? 'OPTIONS (' . join(', ', map { "$_ '$user{$_}'" } sort keys %user) . ')'
	  : '';
	my $wrapper = $cas->wrapper;

	$node->safe_psql($dbname, <<"EOQ");
BEGIN;
CREATE SERVER $name FOREIGN DATA WRAPPER $wrapper OPTIONS ($options);
CREATE USER MAPPING FOR provreq_worker SERVER $name $mapping;
COMMIT;
EOQ
	wait_for_sender($node, $name, $dbname) if $wait;
	return;
}

# The process that sends for a provider; '' when there is none.
sub sender_pid
{
	my ($node, $name, $dbname) = @_;

	$dbname ||= 'postgres';
	return $node->safe_psql($dbname,
		"SELECT pid FROM pg_stat_activity WHERE datname = '$dbname'"
		  . " AND application_name = 'provreq sender $name'");
}

sub wait_for_sender
{
	my ($node, $name, $dbname) = @_;
	my $pid;

	wait_until("provider $name has a sender",
		sub { $pid = sender_pid($node, $name, $dbname) });
	return $pid;
}

# --------------------------------------------------------------- requests

# ADD_SUBSCRIPTIONS for the cards from $from to $to, in one transaction, in
# the order of the cards.  dbname, service (P1), provider, priority.
sub add_subscriptions
{
	my ($node, $from, $to, %option) = @_;
	my $service = $option{service} || 'P1';
	my $more = join '',
	  map { ", $_ => '$option{$_}'" }
	  grep { defined $option{$_} } qw(provider priority scheduled_date);

	$node->safe_psql($option{dbname} || 'postgres', <<"EOQ");
SELECT count(provreq.conax_add_subscriptions('number=S' || i,
	'code=$service', 'serial_number=card' || i$more))
FROM generate_series($from, $to) AS i;
EOQ
	return;
}

# Waits until nothing is pending.
sub wait_until_idle
{
	my ($node, $dbname) = @_;

	wait_for($node, 'SELECT NOT EXISTS (SELECT FROM provreq.request_pending)',
		't', $dbname);
	return;
}

# Waits until nothing is pending but what is held.
sub wait_until_open
{
	my ($node, $dbname) = @_;

	wait_for(
		$node,
		'SELECT NOT EXISTS (SELECT FROM provreq.request_pending'
		  . ' WHERE hold_reason IS NULL)',
		't', $dbname);
	return;
}

# ------------------------------------------------------------ certificates

sub run_openssl
{
	my (@arguments) = @_;
	my ($out, $err);

	IPC::Run::run([ 'openssl', @arguments ], '>', \$out, '2>', \$err)
	  or croak "openssl @arguments: $err";
	return;
}

# A certificate and its key in a directory, signed by its authority.
sub sign_certificate
{
	my ($dir, $name, $extension) = @_;

	append_to_file("$dir/$name.ext", "$extension\n");
	run_openssl(
		qw(req -new -newkey rsa:2048 -nodes -subj), "/CN=$name",
		'-keyout', "$dir/$name.key",
		'-out', "$dir/$name.csr");
	run_openssl(
		qw(x509 -req -days 2 -CAcreateserial),
		'-in', "$dir/$name.csr",
		'-CA', "$dir/ca.crt",
		'-CAkey', "$dir/ca.key",
		'-extfile', "$dir/$name.ext",
		'-out', "$dir/$name.crt");
	chmod 0600, "$dir/$name.key";
	return;
}

# Throw-away certificates, of an authority of their own: paths by name (ca,
# server, server_key, client, client_key, wrong, wrong_key; "wrong" is for
# another host).
sub make_certificates
{
	my $dir = PostgreSQL::Test::Utils::tempdir('tls');

	run_openssl(
		qw(req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-authority),
		'-keyout', "$dir/ca.key",
		'-out', "$dir/ca.crt");
	sign_certificate($dir, 'server',
		'subjectAltName=DNS:localhost,IP:127.0.0.1');
	sign_certificate($dir, 'wrong', 'subjectAltName=DNS:elsewhere.invalid');
	sign_certificate($dir, 'client', 'extendedKeyUsage=clientAuth');
	return {
		ca => "$dir/ca.crt",
		map { ($_ => "$dir/$_.crt", "${_}_key" => "$dir/$_.key") }
		  qw(server wrong client)
	};
}

# ----------------------------------------------------- ledger against table

# The requests of a provider by number, those that were sent at least.
sub read_requests
{
	my ($node, $dbname, $provider) = @_;
	my $where = $provider ? "WHERE provider = '$provider'" : '';
	my %requests;
	my $rows = $node->safe_psql($dbname, <<"EOQ");
SELECT r.number, r.type, r.life_cycle_state, r.attempts,
	r.error_code IS NOT DISTINCT FROM 'CANCELLED' OR r.hold_reason IS NOT NULL,
	coalesce(w.document #>> ARRAY['operations', r.type, 'idempotent'], 'false'),
	coalesce(jsonb_array_length(r.attempt_log), 0)
FROM provreq.request AS r
LEFT JOIN provreq.wire_profile AS w ON w.name = 'conax_ws' $where
EOQ

	foreach my $row (split /\n/, $rows)
	{
		my @field = split /\|/, $row;

		$requests{ $field[0] } = {
			number => $field[0],
			type => $field[1],
			state => $field[2],
			attempts => $field[3],
			stopped => $field[4] eq 't',
			idempotent => $field[5] eq 'true',
			logged => $field[6]
		};
	}
	return \%requests;
}

# What one request and the messages of its number say against each other.
sub compare_request
{
	my ($request, $messages, $resubmitted) = @_;
	my @problems;
	my $what = "request $request->{number} ($request->{type}, $request->{state})";
	my $carried = grep { $_->{carried_out} } @$messages;

	push @problems, "$what was not carried out"
	  if $request->{state} eq 'COMPLETED' && !$carried;
	push @problems,
	  "$what went out " . @$messages . " times in $request->{attempts} attempts"
	  if @$messages > $request->{attempts};
	push @problems, "$what was carried out $carried times"
	  if !$request->{idempotent} && $carried > 1 && !$resubmitted;
	push @problems, "$what went out after it was carried out"
	  if !$request->{idempotent}
	  && !$resubmitted
	  && @$messages > 1
	  && grep { $_->{carried_out} } @$messages[ 0 .. $#$messages - 1 ];
	return @problems;
}

# The smartcards and STBs that a message touches, each once.
sub message_keys
{
	my ($message) = @_;
	my %keys = map { ("card $_" => 1) } split /,/, $message->{cards};

	if ($message->{operation} =~ /Pairing/)
	{
		$keys{"stb $_"} = 1 foreach split /,/, $message->{things};
	}
	delete @keys{ 'card -', 'stb -' };
	return sort keys %keys;
}

# Per card and STB, messages go out in the order of their numbers, and none
# before the answer to the one before it was given.
sub compare_order
{
	my ($messages) = @_;
	my (%last, @problems);

	foreach my $message (@$messages)
	{
		foreach my $key (message_keys($message))
		{
			my $before = $last{$key};

			$last{$key} = $message;
			next unless $before;
			push @problems,
			  "$key got $message->{sequence} after $before->{sequence}"
			  if $message->{sequence} < $before->{sequence};
			push @problems,
			  "$key got $message->{sequence} while $before->{sequence} was under way"
			  if defined $before->{answered}
			  && $message->{received} < $before->{answered};
		}
	}
	return @problems;
}

# Proves loss, duplicates and order: returns what is wrong, an empty list when
# nothing is.  dbname; provider: only its requests; pending: requests may be
# pending still; order => 0: not created in one order, or resubmitted after
# cancellation; resubmitted: numbers that a person resubmitted, so that they
# may have been carried out twice, a reference to an array.  For Nagravision and
# NDS see compare_links() in ProvreqLinks.pm.
sub compare_ledger_with_table
{
	my ($node, $cas, %option) = @_;

	if ($cas->{kind} ne 'conax')
	{
		require ProvreqLinks;
		return ProvreqLinks::compare_links($node, $cas, %option);
	}
	my $requests = read_requests($node, $option{dbname} || 'postgres',
		$option{provider});
	my @messages = $cas->ledger;
	my %resubmitted = map { $_ => 1 } @{ $option{resubmitted} || [] };
	my (%by_number, @problems);

	@messages = grep { $_->{sequence} ne '-' } @messages;
	push @{ $by_number{ $_->{sequence} } }, $_ foreach @messages;
	foreach my $number (sort { $a <=> $b } keys %by_number)
	{
		push @problems, "message $number is of no request"
		  unless $requests->{$number};
	}
	foreach my $request (
		sort { $a->{number} <=> $b->{number} }
		values %$requests)
	{
		push @problems, "request $request->{number} is pending"
		  if $request->{state} eq 'PENDING'
		  && !$request->{stopped}
		  && !$option{pending};
		push @problems,
		  compare_request(
			$request,
			$by_number{ $request->{number} } || [],
			$resubmitted{ $request->{number} });
	}
	push @problems, compare_order(\@messages) if $option{order} // 1;
	return @problems;
}

sub ledger_agrees
{
	my ($node, $cas, $name, %option) = @_;
	my @problems = compare_ledger_with_table($node, $cas, %option);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(join("\n", splice(@problems, 0, 20)), '', $name);
}

# --------------------------------------------------------------- simulator

package Provreq::Simulator;

use strict;
use warnings;

use Carp;
use File::Basename;
use File::Spec;
use IO::Socket::UNIX;
use POSIX ();
use PostgreSQL::Test::Utils;

my %running;

# By kind: the program, the wrapper of its servers, and what is usual for it.
my %kinds = (
	conax => {
		program => 'conax_simulator',
		wrapper => 'conax_web_services',
		defaults => {}
	},
	nagravision => {
		program => 'nagra_simulator',
		wrapper => 'nagravision',
		defaults => {
			source_ids => [1001],
			dest_id => '0009',
			mop_ppid => '00007',
			window => 16
		}
	},
	nds => {
		program => 'nds_simulator',
		wrapper => 'nds',
		defaults => {
			from_id => '0A01',
			to_id => '00C5',
			digest => 'hmac-sha256',
			key => 'not a real key'
		}
	});

# Starts a CAS.  kind: conax (default), nagravision or nds.  tls => 1: with
# certificates of its own; client_ca: and it asks for one of the client; port;
# fault: faults from the start, a reference to an array; arguments: further
# ones.  Conax: user and password, HTTP Basic.  Nagravision: source_ids, a
# reference to an array; dest_id, mop_ppid; window, that must not be overrun.
# NDS: from_id, to_id, digest, key.
sub start
{
	my ($class, %option) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir_short();
	my $kind = $option{kind} || 'conax';
	my $self = bless {
		%{ $kinds{$kind}->{defaults} || croak "no CAS of kind $kind" },
		%option,
		kind => $kind,
		dir => $dir,
		control => "$dir/control",
		ledger => "$dir/ledger"
	}, $class;

	$self->{tls} = Provreq::make_certificates()
	  if $option{tls} && !ref $option{tls};
	$self->launch;
	return $self;
}

sub arguments
{
	my ($self) = @_;
	my $tls = $self->{tls};
	my @arguments = (
		'--port', $self->{port} || 0,
		'--port-file', "$self->{dir}/port",
		'--control', $self->{control},
		'--ledger', $self->{ledger});

	push @arguments,
	  '--tls-cert' => $tls->{server},
	  '--tls-key' => $tls->{server_key},
	  '--tls-wrong-cert' => $tls->{wrong},
	  '--tls-wrong-key' => $tls->{wrong_key}
	  if $tls;
	push @arguments, '--client-ca' => $tls->{ca} if $self->{client_ca};
	push @arguments,
	  '--user' => $self->{user},
	  '--password' => $self->{password}
	  if $self->{user};
	push @arguments, '--source-ids' => join(',', @{ $self->{source_ids} })
	  if $self->{source_ids};
	foreach my $name (qw(dest_id mop_ppid window from_id to_id digest key))
	{
		my $flag = $name =~ tr/_/-/r;

		push @arguments, "--$flag" => $self->{$name} if defined $self->{$name};
	}
	push @arguments, map { ('--fault' => $_) } @{ $self->{fault} || [] };
	return (@arguments, @{ $self->{arguments} || [] });
}

sub launch
{
	my ($self) = @_;
	my $program = File::Spec->rel2abs(
		dirname(__FILE__) . "/../simulator/$kinds{ $self->{kind} }->{program}");

	croak "no simulator: run \"make -C test/simulator\"" unless -x $program;
	unlink "$self->{dir}/port", $self->{control};
	my $pid = fork() // croak "could not fork: $!";
	if ($pid == 0)
	{
		open STDOUT, '>>', "$self->{dir}/output";
		open STDERR, '>&', \*STDOUT;
		exec($program, $self->arguments) or POSIX::_exit(127);
	}
	$self->{pid} = $pid;
	$running{$pid} = $self;
	Provreq::wait_until(
		'the simulator listens',
		sub {
			croak 'the simulator ended: ' . slurp_file("$self->{dir}/output")
			  if waitpid($pid, POSIX::WNOHANG()) == $pid;
			-s "$self->{dir}/port";
		});
	chomp($self->{port} = slurp_file("$self->{dir}/port"));
	return;
}

# Ends it; the ledger can still be read.
sub stop
{
	my ($self, $signal) = @_;

	return unless $self->{pid};
	kill $signal || 'TERM', $self->{pid};
	waitpid $self->{pid}, 0;
	delete $running{ $self->{pid} };
	delete $self->{pid};
	return;
}

# Starts it again on the same port, with the same ledger.
sub restart
{
	my ($self) = @_;

	$self->stop;
	$self->launch;
	return;
}

sub url
{
	my ($self) = @_;

	return ($self->{tls} ? 'https' : 'http') . "://127.0.0.1:$self->{port}";
}

# The options of a server that sends to it, and those of the user mapping.
sub server_options
{
	my ($self) = @_;
	my $tls = $self->{tls};

	return (url => $self->url,
		$tls ? (ca_file => $tls->{ca}) : (allow_plaintext => 'true'))
	  if $self->{kind} eq 'conax';
	return (
		host => '127.0.0.1',
		port => $self->{port},
		$tls ? (tls => 'true', ca_file => $tls->{ca}) : (),
		$self->{source_ids}
		? (source_id => join(',', @{ $self->{source_ids} }))
		: (),
		map { defined $self->{$_} ? ($_ => $self->{$_}) : () }
		  qw(dest_id mop_ppid window from_id to_id digest));
}

sub mapping_options
{
	my ($self) = @_;

	return (username => $self->{user}, password => $self->{password})
	  if $self->{user};
	return (key => $self->{key})
	  if defined $self->{key} && $self->{digest} ne 'none';
	return;
}

# The foreign data wrapper of its servers.
sub wrapper
{
	my ($self) = @_;

	return $kinds{ $self->{kind} }->{wrapper};
}

# A card as this CAS calls it, and the ledger: Nagravision takes the first ten
# digits, NDS twelve.
sub card_on_wire
{
	my ($self, $ca_id) = @_;

	return sprintf '%010s', substr($ca_id, 0, 10)
	  if $self->{kind} eq 'nagravision';
	return $self->{kind} eq 'nds' ? sprintf('%012s', $ca_id) : $ca_id;
}

# Gives a command to the control socket and returns what follows the "ok".
sub control
{
	my ($self, $command) = @_;
	my $socket = IO::Socket::UNIX->new(Peer => $self->{control})
	  or croak "no connection to $self->{control}: $!";

	print $socket "$command\n";
	my $reply = <$socket> // '';
	chomp $reply;
	croak "simulator, to \"$command\": $reply" unless $reply =~ s/^ok ?//;
	return $reply;
}

sub fault
{
	my ($self, @faults) = @_;

	$self->control("fault add $_") foreach @faults;
	return;
}

sub clear_faults
{
	my ($self) = @_;

	$self->control('fault clear');
	return;
}

# What "status" counts, by name.
sub status
{
	my ($self) = @_;

	return { map { split /=/, $_, 2 } split / /, $self->control('status') };
}

# What a card is said to hold, by name: products, pin, pairing, ...
sub card
{
	my ($self, $ca_id) = @_;

	$ca_id = $self->card_on_wire($ca_id);
	return { map { split /=/, $_, 2 } split / /, $self->control("card $ca_id") };
}

# All cards that something was done to, each as above, by card.
sub cards
{
	my ($self) = @_;
	my (undef, @cards) = split /\t/, $self->control('cards'), -1;

	@cards = map { +{ map { split /=/, $_, 2 } split / / } } @cards;
	return { map { $_->{card} => $_ } @cards };
}

# The messages that were received, in that order, each a hash; their number
# in scalar context.
sub ledger
{
	my ($self) = @_;
	my @names = qw(received answered connection sequence operation cards things
	  fault outcome carried_out source more);
	my @messages;

	$self->control('flush') if $self->{pid};
	return unless -e $self->{ledger};
	foreach my $line (split /\n/, slurp_file($self->{ledger}))
	{
		my %message;

		@message{@names} = split /\t/, $line;
		$message{answered} = undef if $message{answered} eq '-';
		$message{carried_out} = $message{carried_out} eq 'yes';
		push @messages, \%message;
	}
	@messages = sort { $a->{received} <=> $b->{received} } @messages;
	return @messages;
}

# The messages of one request of Conax, whose messages have its number.
sub messages
{
	my ($self, $number) = @_;

	my @messages = grep { $_->{sequence} eq $number } $self->ledger;

	return @messages;
}

# Simulators do not outlive the test, however it ends.
END
{
	local $?;
	$_->stop foreach values %running;
}

1;
