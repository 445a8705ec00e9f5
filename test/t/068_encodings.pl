# What is percent-encoded in a path is UTF-8, whatever encoding the database
# has.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use JSON::PP qw(decode_json);
use PostgreSQL::Test::Utils;
use Provreq;
use Test::More;

my $node = provreq_node('main', extension => 0);

# Makes a database with the extension and one closed request for each of the
# reference numbers, which are expressions.
sub make_database
{
	my ($encoding, @references) = @_;
	my $name = lc $encoding;

	$node->safe_psql('postgres',
		"CREATE DATABASE $name ENCODING '$encoding' TEMPLATE template0"
		  . " LC_COLLATE 'C' LC_CTYPE 'C'");
	$node->safe_psql($name, <<"EOQ");
CREATE EXTENSION provreq;
INSERT INTO provreq.request (provider, type, life_cycle_state, ordering_keys,
	parameters, closed_date, created_xid, reference_number)
SELECT 'main_conax', 'GET_ACTIVE_SUBSCRIPTIONS', 'COMPLETED', '{smartcard:1}',
	'{}', now(), NULL, r FROM unnest(ARRAY[@{[ join ', ', @references ]}]) AS r;
EOQ
	return $name;
}

# The code of the answer to a list by a reference number, and how many
# requests are in it, or the message.
sub list
{
	my ($database, $reference) = @_;
	my $answer = decode_json($node->safe_psql($database,
			"SET client_encoding = UTF8;"
			  . "SELECT provreq.web_api('GET', 'conax_web_services/list?reference_number=' || $reference)"));
	my $code = $answer->{status}->{code};

	return "$code: $answer->{status}->{message}" unless $code eq 'OK';
	return "$code: " . ($answer->{data} ? scalar @{ $answer->{data} } : 0);
}

my $not_utf8 = 'INVALID_PARAMETER: parameter "path" has percent-encoded bytes that are not UTF-8';

my $latin = make_database('LATIN1', 'chr(233)', 'chr(233) || chr(232)');
is(list($latin, q('%C3%A9')), 'OK: 1', 'LATIN1: a character of two bytes');
is(list($latin, q('%C3%A9%c3%a8')), 'OK: 1', 'two of them');
is(list($latin, q(chr(233) || '%C3%A8')),
	'OK: 1', 'beside one that is not encoded');
is(list($latin, q('x%C3%A9')), 'OK: 0', 'beside another one');
is(list($latin, q('%E9')), $not_utf8, 'not the bytes of the database');
is(list($latin, q('%C3')), $not_utf8, 'nor half a character');
is( list($latin, q('%E2%82%AC')),
	'INVALID_PARAMETER: parameter "path" has a percent-encoded character'
	  . ' that encoding "LATIN1" of the database does not have',
	'a character that the database cannot have');
is( list($latin, q('a%00b')),
	'INVALID_PARAMETER: parameter "path" has %00, which is not a character of any value',
	'no character at all');
is(list($latin, q(repeat('%C3%A9', 100000))), 'OK: 0', 'a very long one');

my $euc = make_database('EUC_JP', q(convert_from('\xe697a5', 'UTF8')));
is(list($euc, q('%E6%97%A5')), 'OK: 1', 'EUC_JP: a character of three bytes');
is(list($euc, q('%C6%FC')), $not_utf8, 'not the bytes of the database');

my $bytes = make_database('SQL_ASCII', q(convert_from('\xc3a9', 'SQL_ASCII')));
is(list($bytes, q('%C3%A9')), 'OK: 1', 'SQL_ASCII: the bytes as they are');
is(list($bytes, q('%E9')), $not_utf8, 'if they are UTF-8');

$node->stop;
unlike(log_of($node), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
