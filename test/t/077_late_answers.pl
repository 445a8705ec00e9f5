# Answers that come after their time show that the provider lives, and are
# recorded together.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use Provreq;
use ProvreqFaults;
use ProvreqLinks;
use Test::More;

# with the text of each statement in the log when it ends
my $node = provreq_node('main', conf => <<'EOC');
shared_preload_libraries = 'provreq, auto_explain'
auto_explain.log_min_duration = 0
EOC
my $cas = Provreq::Simulator->start(kind => 'nagravision', window => 64);

fill_directory($node, 100, card_step => 100);
create_provider($node, 'gateway', $cas,
	timeout => '300ms',
	retry_delay => '1h',
	retry_delay_max => '1h');

# How many statements that match ended since an offset.
sub statements
{
	my ($offset, $regexp) = @_;

	return scalar grep { /$regexp/ } split /\n/, log_of($node, $offset);
}

# Requests for these cards, in one transaction.
sub create
{
	my ($type, $from, $to) = @_;

	return ask($node,
		'SELECT count('
		  . link_call('nagravision', $type, 'i')
		  . ") FROM generate_series($from, $to) AS i");
}

# Stops the sender until so many late answers have been given in all, so that
# it finds them at once however slow the machine is.
sub gather_late_answers
{
	my ($count) = @_;
	my $sender = wait_for_sender($node, 'gateway');

	kill 'STOP', $sender;
	wait_until(
		'late answers are given',
		sub {
			$count == grep { $_->{fault} =~ /late-answer/ && defined $_->{answered} }
			  $cas->ledger;
		});
	kill 'CONT', $sender;
	return;
}

# Thirty that time out together: less than half of the window, so that the
# link stays.
{
	my $offset = -s $node->logfile;

	$cas->fault('kind=late-answer delay=4s count=30');
	create('CLEAR_PIN', 1, 30);
	wait_for_message($node, qr/provider "gateway" is out of reach/, $offset);
	wait_for($node, 'SELECT count(*) = 30 FROM provreq.request_pending WHERE attempt_log IS NOT NULL');
	$offset = -s $node->logfile;
	gather_late_answers(30);
	wait_for_message($node, qr/provider "gateway" answers again/, $offset);
	pass('late answers close the circuit breaker');
	wait_until_idle($node);
	pass('late answers settle their requests');
	cmp_ok(statements($offset, qr/INSERT INTO provreq\.request_closed/),
		'<=', 10, 'with few statements');
	create('CLEAR_PIN', 31, 31);
	wait_until_idle($node);
	pass('and the next request goes out, an hour before the next probe');
	is(scalar(grep { $_->{operation} eq 'PinClear' } $cas->ledger),
		31, 'nothing was sent twice');
}

# Ten lists of which one part is answered late and the others never.
{
	my $parts =
	  q{SELECT count(*) FROM provreq.request_pending WHERE parts_done = '{service_ca_id=1}'};
	my $offset = -s $node->logfile;

	$cas->fault(map {
			my $wire = $cas->card_on_wire(100000000000 + 100 * $_);

			("kind=late-answer delay=4s count=1 match-card=$wire",
				"kind=no-answer match-card=$wire")
	} 51 .. 60);
	create($_, 51, 60) foreach 'ADD_ENHANCED_LIST_OF_PRODUCTS';
	wait_for($node, 'SELECT count(*) = 10 FROM provreq.request_pending WHERE attempt_log IS NOT NULL');
	is(ask($node, $parts), 0, 'no part is known to be carried out');
	$offset = -s $node->logfile;
	gather_late_answers(40);
	wait_for($node, "SELECT ($parts) = 10");
	pass('late answers to parts are remembered');
	cmp_ok(statements($offset, qr/UPDATE provreq\.request_pending p SET parts_done/),
		'<=', 5, 'with few statements as well');
}

done_testing();
