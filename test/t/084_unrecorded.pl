# An outcome that cannot be recorded keeps no other from it, also when both
# waited for locks of somebody else before: and the sender tries now and then,
# not all the time.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use Provreq;
use ProvreqFaults;
use Test::More;

my $node = provreq_node('main');
my $cas = Provreq::Simulator->start(kind => 'nagravision');

fill_directory($node, 10, card_step => 100);
create_provider($node, 'main_nagra', $cas);

sub clear_pin
{
	my ($card) = @_;

	return ask($node, 'SELECT number FROM provreq.nagravision_clear_pin('
		  . "'number=S$card', 'serial_number=card$card')");
}

$cas->fault('kind=delay delay=5s count=2');
my $good = clear_pin(1);
my $bad = clear_pin(2);

ask($node, <<"EOQ");
CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN
	IF new.number = $bad THEN
		RAISE EXCEPTION 'not this one';
	END IF;
	RETURN new;
END
\$\$;
CREATE TRIGGER refuse BEFORE INSERT ON provreq.request_closed
	FOR EACH ROW EXECUTE FUNCTION public.refuse()
EOQ
wait_until('both have been sent', sub { $cas->status->{received} >= 2 });

my $holder = $node->background_psql('postgres');

is( $holder->query_safe(<<"EOQ"), 2, 'both rows are locked before they are answered');
BEGIN;
SELECT count(*) FROM (SELECT FROM provreq.request
	WHERE number IN ($good, $bad) AND life_cycle_state = 'PENDING' FOR UPDATE) AS r
EOQ
wait_for_message($node, qr/"main_nagra" finds requests locked/);
is(wait_for_end($node, clear_pin(3))->{life_cycle_state},
	'COMPLETED', 'another request is not kept');
$holder->query_safe('ROLLBACK');
$holder->quit;

is(wait_for_end($node, $good)->{life_cycle_state},
	'COMPLETED', 'the one that can be recorded is');
is(request_row($node, $bad)->{life_cycle_state}, 'PENDING', 'the other is not');

my $tried = () = slurp_file($node->logfile) =~ /ERROR: .*not this one/g;

cmp_ok($tried, '>=', 1, 'its outcome was tried');
cmp_ok($tried, '<', 20, "and not all the time ($tried)");
ask($node, 'DROP TRIGGER refuse ON provreq.request_closed');

my $row = wait_for_end($node, $bad);

is("$row->{life_cycle_state} $row->{attempts}", 'COMPLETED 1',
	'until it can be recorded');
done_testing();
