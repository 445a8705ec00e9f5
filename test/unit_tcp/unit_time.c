/*-------------------------------------------------------------------------
 *
 * unit_time.c
 *		Answers that are late or missing, heartbeats, and stalls.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <poll.h>
#include <sys/epoll.h>
#include <time.h>

#include "tcp_link.h"
#include "unit.h"

/* How many sockets the transport is told of at a time. */
static int	most_events = PG_INT32_MAX;

/* What src/tcp_link.c calls for epoll_wait here: see the Makefile. */
int
unit_epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
	if (most_events == 0)
		return 0;
	return epoll_wait(fd, events, Min(max, most_events), timeout);
}

/* By order, who has no answer takes the connection with him. */
static void
test_no_answer_by_order(void)
{
	Peer	   *peer = peer_start(PEER_DEAF, NULL, NULL);
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link;
	CasReply	replies[4];
	int64		start;
	int			n = 0;

	rules->by_order = rules->per_connection = true;
	rules->timeout = 300;
	link = unit_open(rules);
	start = unit_clock();
	for (int i = 1; i <= 4; i++)
		unit_submit(link, i, 0);
	while (n < 4)
	{
		int			got = unit_process(link, replies + n, 4 - n);

		if (got == 0)
			break;
		n += got;
	}
	ok(n == 4 && unit_clock() >= start + 300 &&
	   unit_clock() < start + PATIENCE, "by order: all end in time");
	for (int i = 0; i < n; i++)
		ok(replies[i].status == CAS_NO_ANSWER &&
		   strcmp(replies[i].failure, "no answer within 300 ms") == 0,
		   "by order: number %d has no answer", i);
	unit_until(link, peer->ledger->closed == 1);
	ok(peer->ledger->closed == 1, "by order: the connection is dropped");
	peer_stop(peer);
}

/* By number, the connection stays, and the answer may come yet. */
static void
test_late_answer(void)
{
	Peer	   *peer = peer_start(PEER_HOLDS, NULL, NULL);
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link;
	CasReply	reply = {0};

	rules->timeout = 300;
	link = unit_open(rules);
	unit_submit(link, 5, 0);
	ok(unit_process(link, &reply, 1) == 1 && reply.tag == 5 &&
	   reply.status == CAS_NO_ANSWER && !reply.late,
	   "by number: no answer in time");
	is(reply.failure, "no answer within 300 ms", "by number: says so");
	unit_until(link, peer->ledger->checks == 1);
	ok(peer->ledger->checks == 1, "a check goes out at once");
	unit_until(link, tcp_transport.capacity(link) == 15);
	ok(tcp_transport.capacity(link) == 15, "its place stays taken");
	peer->ledger->release = 5;
	ok(unit_process(link, &reply, 1) == 1 && reply.late &&
	   reply.request == 1005 && reply.part == 5, "the answer comes late");
	ok(unit_answered(&reply, 5) && reply.tag == 0, "with all of it");
	ok(tcp_transport.capacity(link) == 16, "its place is free");
	ok(peer->ledger->connections == 1, "on the same connection");
	peer->ledger->release = 0;
	unit_submit(link, 6, 0);
	ok(unit_process(link, &reply, 1) == 1 && reply.tag == 6 &&
	   reply.status == CAS_NO_ANSWER, "another has no answer");
	peer->ledger->manner = PEER_TWICE;
	ok(unit_process(link, &reply, 1) == 1 && reply.late &&
	   reply.request == 1006, "its answer comes late and twice");
	reply = unit_exchange(link, 7);
	ok(unit_answered(&reply, 7) && !reply.late, "the second is ignored");
	peer_stop(peer);
}

/* Half of the window without answers is too much. */
static void
test_too_many_late(void)
{
	Peer	   *peer = peer_start(PEER_DEAF, NULL, NULL);
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link;
	CasReply	replies[16];
	int			n = 0;
	int			first = 0;
	int			got;

	rules->timeout = 300;
	link = unit_open(rules);
	for (int i = 1; i <= 7; i++)
		unit_submit(link, i, 0);
	while (n < 7 && (got = unit_process(link, replies, 16)) > 0)
		n += got;
	unit_until(link, peer->ledger->checks == 1);
	ok(n == 7 && tcp_transport.capacity(link) >= 8 &&
	   peer->ledger->closed == 0, "seven of 16 without answers are endured");
	unit_until(link, tcp_transport.capacity(link) == 9);
	unit_submit(link, 8, 0);
	unit_until(link, peer->ledger->messages == 8);
	unit_submit(link, 9, 0);
	n = 0;
	while (n < 2 && (got = unit_process(link, replies + n, 2 - n)) > 0)
		n += got;
	for (int i = 0; i < n; i++)
		first += replies[i].status == CAS_NO_ANSWER ? 1 : 0;
	unit_until(link, peer->ledger->closed == 1);
	ok(first == 2 && peer->ledger->closed == 1,
	   "eight are not: the connection is dropped");
	ok(tcp_transport.capacity(link) <= 1 ||
	   tcp_transport.capacity(link) == 16, "their places are free");
	peer_stop(peer);
}

/* The number is known on the next connection, too. */
static void
test_late_over_connections(void)
{
	Peer	   *peer = peer_start(PEER_RESETS, NULL, NULL);
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link = unit_open(rules);
	CasReply	reply = unit_exchange(link, 1);
	uint64		number;
	int64		end = unit_clock() + PATIENCE;
	bool		late = false;
	bool		good = false;

	ok(reply.status == CAS_NO_ANSWER, "a message is lost with its connection");
	number = peer->ledger->last_number[1];
	peer->ledger->manner = PEER_OLD_NUMBER;
	peer->ledger->old_number = (int) number;
	while (!good && unit_clock() < end)
	{
		if (tcp_transport.capacity(link) > 0)
			unit_submit(link, 2, 0);
		while (!good && unit_process(link, &reply, 1) == 1 &&
			   reply.status != CAS_NOT_SENT)
			if (reply.late)
				late = reply.request == 1001 && unit_answered(&reply, 1);
			else
				good = unit_answered(&reply, 2);
		poll(NULL, 0, 2);
	}
	ok(late, "its answer comes on the next connection");
	ok(good, "before that of the next message");
	peer_stop(peer);
}

static void
test_heartbeat(void)
{
	Peer	   *peer = peer_start(PEER_ANSWERS, NULL, NULL);
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link;
	CasReply	reply;
	int64		start;

	rules->heartbeat = 150;
	rules->timeout = 1000;
	link = unit_open(rules);
	(void) unit_exchange(link, 1);
	start = unit_clock();
	ok(tcp_transport.timeout(link) <= 150 && tcp_transport.timeout(link) > 50,
	   "nothing but the heartbeat wants a call (%ld)",
	   tcp_transport.timeout(link));
	unit_until(link, peer->ledger->checks == 3);
	ok(unit_clock() >= start + 350 && peer->ledger->connections == 1,
	   "idle links are checked now and then");
	peer->ledger->manner = PEER_HANGS;
	start = unit_clock();
	unit_until(link, peer->ledger->closed == 1);
	ok(peer->ledger->closed == 1 && unit_clock() >= start + 900,
	   "without an answer, the connection is dropped");
	ok(tcp_transport.timeout(link) == -1, "and not made again for nothing");
	peer->ledger->manner = PEER_ANSWERS;
	reply = unit_exchange(link, 2);
	ok(unit_answered(&reply, 2), "but for the next message");
	peer->ledger->manner = PEER_ILL;
	unit_until(link, peer->ledger->closed == 2);
	ok(peer->ledger->closed == 2, "a bad answer is the end of it, too");
	peer_stop(peer);
}

/*
 * Nobody looks while the answers come and the time runs out: they are
 * answers, also when the transport was told of other sockets only.
 */
static void
test_stall(bool by_order, int events)
{
	Peer	   *peer = peer_start(PEER_HOLDS, NULL, NULL);
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link;
	CasReply	replies[64];
	int			good = 0;
	int			n = 0;
	int64		end;

	rules->window = 64;
	rules->timeout = 1000;
	rules->by_order = rules->per_connection = by_order;
	link = unit_open(rules);
	for (int i = 1; i <= 64; i++)
		unit_submit(link, i, 0);
	unit_until(link, peer->ledger->messages == 64);
	end = unit_clock() + 1002;
	peer->ledger->release = 64;
	while (peer->ledger->answers < 64 || unit_clock() <= end)
		poll(NULL, 0, 1);
	most_events = events;
	while (n < 64)
	{
		int			got = unit_process(link, replies, 64);

		for (int i = 0; i < got; i++)
			good += unit_answered(&replies[i], replies[i].tag) ? 1 : 0;
		n += got;
		if (got == 0)
			break;
	}
	most_events = PG_INT32_MAX;
	ok(good == 64, "%s: answers that came while nobody looked count (%d)",
	   by_order ? "by order" : "by number", good);
	peer_stop(peer);
}

/* ms of processor time: other programs on the machine do not count. */
static int64
effort_so_far(void)
{
	struct timespec spent;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
	return (int64) spent.tv_sec * 1000 + spent.tv_nsec / 1000000;
}

/* Something comes all the time, but not the answer. */
static void
test_flood(bool by_order, bool tls)
{
	Peer	   *peer = peer_start(PEER_FLOODS,
								  tls ? unit_file("server.crt") : NULL,
								  unit_file("server.key"));
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link;
	CasReply	reply;
	int64		start;
	int64		longest = 0;
	int			n = 0;

	rules->by_order = rules->per_connection = by_order;
	rules->timeout = 500;
	rules->tls = tls;
	rules->ca_file = unit_file("server.crt");
	link = unit_open(rules);
	unit_effort = 2000;			/* more than it takes to write one */
	start = unit_clock();
	unit_submit(link, 1, 0);
	while (n == 0 && unit_clock() < start + PATIENCE)
	{
		int64		before = effort_so_far();

		n = tcp_transport.process(link, &reply, 1);
		longest = Max(longest, effort_so_far() - before);
	}
	unit_effort = 0;
	ok(n == 1 && reply.status == CAS_NO_ANSWER &&
	   unit_clock() < start + PATIENCE,
	   "a message has its end under a flood, after %d ms",
	   (int) (unit_clock() - start));
	ok(longest < 30000, "no call takes for ever: %d ms", (int) longest);
	peer_stop(peer);
}

void
test_time(void)
{
	test_no_answer_by_order();
	test_late_answer();
	test_too_many_late();
	test_late_over_connections();
	test_heartbeat();
	test_stall(false, PG_INT32_MAX);
	test_stall(true, PG_INT32_MAX);
	test_stall(false, 0);
	test_stall(true, 0);
	test_flood(false, false);
	test_flood(true, false);
	test_flood(false, true);
	test_flood(true, true);
}
