/*-------------------------------------------------------------------------
 *
 * unit_lines.c
 *		Several links, and the numbers that they give to messages.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <poll.h>

#include "tcp_link.h"
#include "unit.h"

static CasLinkRules *
rules_with_links(int port, const char *a, const char *b, const char *c)
{
	CasLinkRules *rules = unit_rules(port);

	rules->links = palloc0(sizeof(char *) * 4);
	rules->links[0] = a;
	rules->links[1] = b;
	rules->links[2] = c;
	rules->window = 4;
	return rules;
}

/* Submits what fits in, from a serial on; the next serial. */
static int
fill(CasLink *link, int serial)
{
	while (tcp_transport.capacity(link) > 0)
		unit_submit(link, serial++, 0);
	return serial;
}

static void
test_more_links_when_busy(void)
{
	Peer	   *peer = peer_start(PEER_HOLDS, NULL, NULL);
	CasLink    *link = unit_open(rules_with_links(peer->port, "cas-a",
												  "cas-b", "cas-c"));
	CasReply	replies[12];
	char		state[200];
	int			good = 0;

	peer->ledger->release = 3;
	for (int i = 1; i <= 3; i++)
		(void) unit_exchange(link, i);
	ok(peer->ledger->connections == 1, "one link does for a few messages");
	unit_submit(link, 4, 0);
	unit_submit(link, 5, 0);
	unit_until(link, peer->ledger->messages == 5);
	ok(peer->ledger->connections == 1, "also when it is half full");
	unit_submit(link, 6, 0);
	unit_until(link, peer->ledger->hellos == 2);
	ok(peer->ledger->hellos == 2, "another is opened when it is fuller");
	unit_until(link, tcp_transport.capacity(link) == 5);
	ok(tcp_transport.capacity(link) == 5, "and carries as much again");
	for (int i = 7; i <= 11; i++)
		unit_submit(link, i, 0);
	unit_until(link, tcp_transport.capacity(link) == 4);
	for (int i = 12; i <= 15; i++)
		unit_submit(link, i, 0);
	unit_until(link, peer->ledger->messages == 15);
	ok(peer->ledger->connections == 3 && tcp_transport.capacity(link) == 0,
	   "up to the last");
	tcp_transport.describe(link, state, sizeof(state));
	is(state, "3 of 3 links open, 12 unanswered", "the state says so");
	peer->ledger->release = 15;
	while (good < 12 && unit_process(link, replies, 1) == 1)
		good += unit_answered(&replies[0], replies[0].tag) ? 1 : 0;
	ok(good == 12 && peer->ledger->shrinking == 0 &&
	   peer->ledger->unanswered_most == 4,
	   "each has its own window and its own numbers");
	peer_stop(peer);
}

/* Messages until one is answered: how many were not sent? */
static int
failures_before(CasLink *link, int serial)
{
	int64		end = unit_clock() + PATIENCE;
	int			failures = 0;

	while (unit_clock() < end)
	{
		CasReply	reply = unit_exchange(link, serial);

		if (unit_answered(&reply, serial))
			return failures;
		failures += reply.status == CAS_NOT_SENT ? 1 : 1000;
	}
	return -1;
}

/* Does its state say that? */
static bool
says(CasLink *link, const char *piece)
{
	char		state[300];

	tcp_transport.describe(link, state, sizeof(state));
	return strstr(state, piece) != NULL;
}

static void
test_one_refused(void)
{
	Peer	   *peer = peer_start(PEER_REFUSES_SOME, NULL, NULL);
	CasLink    *link = unit_open(rules_with_links(peer->port, "bad-a",
												  "cas-b", "bad-c"));
	char		state[300];
	int			failures = failures_before(link, 1);
	int			good = 0;
	int64		end = unit_clock() + 1500;
	CasReply	replies[4];

	ok(failures >= 1 && failures <= 3,
	   "a link that is refused gives way to another (%d)", failures);
	while (unit_clock() < end)
	{
		int			n;

		fill(link, 2);
		n = unit_process(link, replies, 4);
		for (int j = 0; j < n; j++)
			good += replies[j].status == CAS_ANSWERED ? 1 : -1000000;
	}
	ok(good > 100, "which works as if it were alone (%d)", good);
	ok(peer->ledger->hellos >= 3 && peer->ledger->hellos <= 15,
	   "the others are tried now and then (%d)", peer->ledger->hellos);
	tcp_transport.describe(link, state, sizeof(state));
	has(state, "1 of 3 links open", "the state says how many are open");
	has(state, "; bad-a: hello: refused: not you, next try in",
		"and what is wrong with which");
	while (!says(link, " 0 unanswered"))
		(void) unit_process(link, replies, 4);
	peer->ledger->closing = true;
	(void) unit_exchange(link, 1);
	good = 0;
	for (int i = 1; i <= 3; i++)
	{
		CasReply	reply;

		unit_until(link, says(link, "0 of 3") &&
				   !says(link, "next try in"));
		reply = unit_exchange(link, i);
		good += unit_answered(&reply, i) ? 1 : 0;
	}
	ok(good == 3, "the one that worked is tried before those that did not");
	peer_stop(peer);
}

static void
test_numbers_are_wanted(void)
{
	Peer	   *peer = peer_start(PEER_ANSWERS, NULL, NULL);
	CasLinkRules *rules = rules_with_links(peer->port, "cas-a", "cas-b",
										   NULL);
	CasLink    *link;
	uint64		first = 0;
	uint64		last = 0;
	CasReply	reply;

	rules->first_number = 10;
	rules->window = 16;
	unit_generous = false;
	link = tcp_transport.open(unit_settings(rules));
	ok(tcp_transport.capacity(link) == 0, "without numbers, no room");
	is(tcp_transport.wants_numbers(link, &first, &last), "cas-a",
	   "the first link wants numbers");
	ok(first == 10 && last == 999999999, "between the least and the greatest");
	tcp_transport.give_numbers(link, "cas-a", 5, 100);
	tcp_transport.give_numbers(link, "cas-a", 100, 99);
	tcp_transport.give_numbers(link, "cas-a", 100, 1000000000);
	tcp_transport.give_numbers(link, "cas-x", 100, 110);
	ok(tcp_transport.capacity(link) == 0, "none but between those");
	tcp_transport.give_numbers(link, "cas-a", 101, 108);
	ok(tcp_transport.capacity(link) == 8, "as much room as numbers");
	ok(tcp_transport.wants_numbers(link, &first, &last) == NULL,
	   "enough for now");
	for (int i = 1; i <= 7; i++)
	{
		unit_submit(link, i, 0);
		unit_process(link, &reply, 1);
		if (i == 6)
			ok(tcp_transport.wants_numbers(link, &first, &last) == NULL,
			   "a quarter is left");
	}
	is(tcp_transport.wants_numbers(link, &first, &last), "cas-a",
	   "less than a quarter is left");
	tcp_transport.give_numbers(link, "cas-a", 201, 204);
	unit_submit(link, 8, 0);
	unit_process(link, &reply, 1);
	ok(peer->ledger->last_number[1] == 108, "the first block is used up");
	unit_submit(link, 9, 0);
	unit_process(link, &reply, 1);
	ok(peer->ledger->last_number[1] == 201, "then the next is begun");
	ok(tcp_transport.capacity(link) == 3, "its numbers are room");
	unit_generous = true;
	peer_stop(peer);
}

/* Over many connections, with some messages that are never sent. */
static void
test_numbers_are_used_once(void)
{
	Peer	   *peer = peer_start(PEER_RESETS, NULL, NULL);
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link;
	int64		end = unit_clock() + PATIENCE;

	rules->checks_at_start = 2;
	link = unit_open(rules);
	while (peer->ledger->connections < 30 && unit_clock() < end)
	{
		CasReply	replies[16];

		unit_give_numbers(link, 50);
		fill(link, 1);
		(void) unit_process(link, replies, 16);
	}
	ok(peer->ledger->connections >= 30 && peer->ledger->shrinking == 0,
	   "over %d connections, numbers grow", peer->ledger->connections);
	peer_stop(peer);
}

static void
test_numbers_of_a_connection(void)
{
	Peer	   *peer = peer_start(PEER_CLOSES_IDLE, NULL, NULL);
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link;
	bool		first = true;
	uint64		numbers[2];

	rules->per_connection = rules->by_order = true;
	rules->first_number = 7;
	link = unit_open(rules);
	ok(tcp_transport.wants_numbers(link, &numbers[0], &numbers[1]) == NULL,
	   "who counts by connection wants no numbers");
	for (int i = 1; i <= 3; i++)
	{
		peer->ledger->last_number[1] = 0;
		peer->ledger->by_number_first = 0;
		(void) failures_before(link, i);
		first = first && peer->ledger->by_number_first == 7;
	}
	ok(first, "each connection begins with the first");
	peer->ledger->manner = PEER_ANSWERS;
	rules->last_number = 9;
	link = unit_open(rules);
	for (int i = 1; i <= 4; i++)
		(void) unit_exchange(link, i);
	ok(peer->ledger->last_number[1] == 7, "after the last comes the first");
	ok(tcp_transport.capacity(link) == 2,
	   "no more are under way than there are numbers");
	peer_stop(peer);
}

/*
 * By order, the numbers of a connection follow each other: where a block does
 * not follow on, there is another connection.
 */
static void
test_numbers_that_follow(void)
{
	Peer	   *peer = peer_start(PEER_ANSWERS, NULL, NULL);
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link;
	int			good = 0;

	rules->by_order = true;
	rules->window = 4;
	rules->checks_at_start = 2;
	rules->first_number = 0;
	rules->last_number = 999;
	unit_generous = false;
	link = tcp_transport.open(unit_settings(rules));
	tcp_transport.give_numbers(link, "cas-a", 11, 20);
	tcp_transport.give_numbers(link, "cas-a", 21, 25);
	tcp_transport.give_numbers(link, "cas-a", 101, 102);
	tcp_transport.give_numbers(link, "cas-a", 201, 210);
	for (int i = 1; i <= 20; i++)
	{
		CasReply	reply;
		int64		end = unit_clock() + PATIENCE;

		while (tcp_transport.capacity(link) == 0 && unit_clock() < end)
			unit_turn(link);
		reply = unit_exchange(link, i);
		good += unit_answered(&reply, i) ? 1 : 0;
	}
	ok(good == 20 && peer->ledger->gaps == 0 && peer->ledger->shrinking == 0,
	   "by order, numbers follow each other on a connection (%d, %d)", good,
	   peer->ledger->gaps);
	ok(peer->ledger->connections == 2 && peer->ledger->last_number[1] == 209,
	   "and those that do not go to another, too few to nobody");
	link = tcp_transport.open(unit_settings(rules));
	peer->ledger->last_number[1] = 0;
	tcp_transport.give_numbers(link, "cas-a", 990, 999);
	tcp_transport.give_numbers(link, "cas-a", 0, 9);
	for (int i = 21; i <= 30; i++)
		(void) unit_exchange(link, i);
	ok(peer->ledger->connections == 3 && peer->ledger->last_number[1] == 1,
	   "after the last comes the first");
	unit_generous = true;
	peer_stop(peer);
}

/* Answers that come until there are so many, or one to that serial. */
static int
answers_up_to(CasLink *link, int n, int serial, CasReply *last)
{
	int			good = 0;

	while (good < n && unit_process(link, last, 1) == 1 &&
		   !(last->late || last->tag == serial))
		good += unit_answered(last, (int) last->tag) ? 1 : 0;
	return good;
}

/*
 * Few numbers come round while one message waits, or waits no more: it keeps
 * its number until the end of the connection.
 */
static void
test_numbers_come_round(bool late, bool blocks)
{
	Peer	   *peer = peer_start(PEER_HOLDS, NULL, NULL);
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link;
	CasReply	reply = {0};
	int			good = 0;

	rules->per_connection = !blocks;
	rules->last_number = 40;
	rules->timeout = late ? 200 : 5000;
	unit_generous = false;
	link = tcp_transport.open(unit_settings(rules));
	tcp_transport.give_numbers(link, "cas-a", 1, 40);
	peer->ledger->release = 1000;
	ok(tcp_transport.capacity(link) == 9,
	   "at most a quarter of all numbers is under way");
	unit_submit(link, 2000, 0);
	if (late)
		ok(unit_process(link, &reply, 1) == 1 &&
		   reply.status == CAS_NO_ANSWER, "one message has no answer");
	for (int i = 1; i <= 200; i += 5)
	{
		uint64		numbers[2];

		if (tcp_transport.wants_numbers(link, &numbers[0], &numbers[1]))
			tcp_transport.give_numbers(link, "cas-a", 1, 40);
		for (int j = i; j < i + 5; j++)
			unit_submit(link, j, 0);
		good += answers_up_to(link, 5, 2000, &reply);
	}
	ok(good == 200, "all others have theirs (%d)", good);
	peer->ledger->release = 2000;
	ok(unit_process(link, &reply, 1) == 1 && reply.late == late &&
	   reply.request == 3000 && unit_answered(&reply, 2000),
	   "and it has its own");
	ok(peer->ledger->connections == 1, "all on one connection");
	unit_generous = true;
	peer_stop(peer);
}

void
test_lines(void)
{
	test_more_links_when_busy();
	test_one_refused();
	test_numbers_are_wanted();
	test_numbers_are_used_once();
	test_numbers_of_a_connection();
	test_numbers_that_follow();
	test_numbers_come_round(false, false);
	test_numbers_come_round(true, false);
	test_numbers_come_round(false, true);
	test_numbers_come_round(true, true);
}
