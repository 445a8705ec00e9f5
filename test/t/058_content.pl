# Careless content goes through unharmed: long user-defined texts, characters
# of every plane, XML in messages, in a database of UTF-8 and in one of
# LATIN1; and answers that are no text at all are kept safely.

use strict;
use warnings;
use utf8;

use FindBin;
use lib $FindBin::Bin;

use Encode qw(encode decode);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use Test::More;

$ENV{PGCLIENTENCODING} = 'UTF8';

my $node = provreq_node('content', init => [ extra => [ '-E', 'UTF8' ] ]);

$node->safe_psql('postgres',
	"CREATE DATABASE latin1 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
);
$node->safe_psql('latin1', 'CREATE EXTENSION provreq');

# The text that a card got last, as the simulator tells it.
sub last_text
{
	my ($cas, $card) = @_;
	my ($text) = $cas->control('card ' . ca_id($card)) =~ / last_text=(.*)$/s;

	return decode('UTF-8', $text);
}

# A message to a card; its request in the end.
sub send_message
{
	my ($dbname, $type, $card, $message) = @_;
	my %function = (
		SEND_MAIL_MESSAGE_TO_CLIENT => 'conax_send_mail_message',
		SEND_BARK_MESSAGE_TO_CLIENT => 'conax_send_bark_message');
	my $number = $node->safe_psql(
		$dbname,
		encode(
			'UTF-8',
			"SELECT number FROM provreq.$function{$type}('serial_number=card$card', "
			  . quote($message)
			  . ')'));

	return wait_for_end($node, $number, dbname => $dbname);
}

# One message arrives as it was written, in both kinds, and the request text
# that is kept has it too.
sub check_message
{
	my ($dbname, $cas, $name, $message) = @_;

	foreach
	  my $type (qw(SEND_MAIL_MESSAGE_TO_CLIENT SEND_BARK_MESSAGE_TO_CLIENT))
	{
		my $row = send_message($dbname, $type, 1, $message);

		is($row->{life_cycle_state}, 'COMPLETED', "$dbname, $name: $type")
		  or diag("$row->{error_code}: $row->{error_description}");
		is(last_text($cas, 1), $message, "$dbname, $name: arrives intact");
		is($row->{parameters}->{message},
			$message, "$dbname, $name: is in the parameters");
	}
	return;
}

# Answers that are not what they should be are kept, and harm nobody.
sub check_answers
{
	my ($dbname, $cas) = @_;

	foreach my $kind (
		'garbage', 'malformed-xml',
		'doctype', 'half-answer',
		'oversized size=900kB', 'oversized size=2MB')
	{
		my $row;

		$cas->fault("kind=$kind count=1");
		$row = send_message($dbname, 'SEND_MAIL_MESSAGE_TO_CLIENT', 2, $kind);
		if ($kind eq 'oversized size=900kB')
		{
			is($row->{life_cycle_state},
				'COMPLETED', "$dbname, $kind: a long answer is an answer");
			cmp_ok(length $row->{response}, '>', 900_000,
				"$dbname, $kind: and is kept whole");
		}
		else
		{
			like($row->{hold_reason}, qr/^in doubt/, "$dbname, $kind: is in doubt");
			cmp_ok(length($row->{response} // ''),
				'>', 100, "$dbname, $kind: what came is kept");
		}
		$cas->clear_faults;

		# what is kept can be read, converted and dumped
		is( $node->safe_psql($dbname, <<"EOQ"), 't', "$dbname, $kind: it is valid text");
SELECT octet_length(convert_to(coalesce(response, ''), 'UTF8')) > 0
	AND to_jsonb(r)::text LIKE '{%'
FROM provreq.request AS r WHERE number = $row->{number}
EOQ
		$node->safe_psql($dbname,
			"SELECT provreq.cancel(number, 'test') FROM provreq.request_pending");
	}
	is( IPC::Run::run(
			[ 'pg_dump', '-d', $node->connstr($dbname) ],
			'>', '/dev/null') ? 'dumped' : 'failed',
		'dumped',
		"$dbname: the table can be dumped");
	return;
}

# User-defined texts as long as may be travel with the row; longer ones, of a
# megabyte, are refused at once.
sub check_user_defined
{
	my ($dbname, $character) = @_;
	my $number = $node->safe_psql(
		$dbname, encode('UTF-8', <<"EOQ"));
SELECT number FROM provreq.conax_add_subscriptions('number=S3', 'code=P1',
	'serial_number=card3', udf => (SELECT jsonb_object_agg('udf_string_' || i,
		repeat('$character<&>"', 199) || i) FROM generate_series(1, 8) AS i))
EOQ

	is(wait_for_end($node, $number, dbname => $dbname)->{life_cycle_state},
		'COMPLETED', "$dbname: eight user-defined texts of nearly 1,000 characters");
	is( $node->safe_psql(
			$dbname, encode('UTF-8', <<"EOQ")), 't', "$dbname: are there afterwards");
SELECT bool_and(text = repeat('$character<&>"', 199) || i)
FROM provreq.request, unnest(ARRAY[udf_string_1, udf_string_2, udf_string_3,
	udf_string_4, udf_string_5, udf_string_6, udf_string_7, udf_string_8])
	WITH ORDINALITY AS u (text, i)
WHERE number = $number
EOQ
	sqlstate_is(
		$node, <<"EOQ", '22023', "$dbname: one of a megabyte is refused", dbname => $dbname);
SELECT provreq.conax_add_subscriptions('number=S3', 'code=P1',
	'serial_number=card3', udf => jsonb_build_object('udf_string_1', repeat('x', 1000000)))
EOQ
	return;
}

foreach my $dbname (qw(postgres latin1))
{
	my $cas = Provreq::Simulator->start;

	fill_directory($node, 5, dbname => $dbname);
	create_provider($node, 'careless', $cas, dbname => $dbname);
	check_message($dbname, $cas, 'XML',
		q{<Message>&amp;&#65;]]>"'<!-- -->%s\\n{}$1</Message><?x?>&e;});
	check_message($dbname, $cas, 'spaces', "a  b   c \x{a0} d");
	check_message($dbname, $cas, 'Latin-1',
		join '', map { chr } 0xa1 .. 0xac, 0xae .. 0xff);
	check_message($dbname, $cas, 'one character', 'x');
	check_message($dbname, $cas, 'quotes', q{it's "quoted" \\'n\\' $$tagged$$});
	check_answers($dbname, $cas);
	check_user_defined($dbname, 'ü');
	if ($dbname eq 'postgres')
	{
		# one character and more of each plane, and the ends of the ranges
		my $planes = join '',
		  map { chr($_ * 0x10000 + 0x1234) . chr($_ * 0x10000 + 0xfffd) }
		  0 .. 16;

		check_message($dbname, $cas, 'all planes', $planes);
		check_message($dbname, $cas, 'scripts',
			'Ελληνικά кирилица עברית العربية हिन्दी 中文 日本語 한국어 👩‍👩‍👧 e' . "\x{301}");
		check_message($dbname, $cas, 'as long as may be',
			"\x{10fffd}" x 129);
	}
	else
	{
		is( sqlstate(
				$node,
				encode('UTF-8',
					"SELECT provreq.conax_send_mail_message('serial_number=card1', '中')"),
				dbname => $dbname),
			'22P05',
			'latin1: what it has no character for is refused at once');
	}
	ledger_agrees($node, $cas, "$dbname: ledger and table agree",
		dbname => $dbname);
}

done_testing();
