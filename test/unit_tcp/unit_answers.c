/*-------------------------------------------------------------------------
 *
 * unit_answers.c
 *		Messages and their answers, one by one and many at once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "tcp_link.h"
#include "unit.h"
#include "utils/memutils.h"

/* Sends so many messages, as many at once as may be; how many were answered. */
static int
send_many(CasLink *link, int n, int size)
{
	int			sent = 0;
	int			good = 0;
	CasReply	replies[8];

	for (int done = 0; done < n;)
	{
		int			got;

		unit_give_numbers(link, 1000);
		while (tcp_transport.capacity(link) > 0 && sent < n)
			unit_submit(link, ++sent, size);
		got = unit_process(link, replies, lengthof(replies));
		if (got == 0)
			return good;
		for (int i = 0; i < got; i++)
			good += !replies[i].late &&
				unit_answered(&replies[i], replies[i].tag) ? 1 : 0;
		done += got;
	}
	return good;
}

static bool
doubled(const Peer * peer)
{
	for (int i = 0; i < PEER_MAX_SERIAL; i++)
		if (peer->ledger->seen[i] > 1)
			return true;
	return false;
}

static CasLinkRules *
secure(CasLinkRules *rules)
{
	rules->tls = true;
	rules->ca_file = unit_file("server.crt");
	return rules;
}

static void
test_one_by_one(bool tls)
{
	const char *called = tls ? "TLS" : "plain";
	Peer	   *peer = peer_start(PEER_ANSWERS,
								  tls ? unit_file("server.crt") : NULL,
								  unit_file("server.key"));
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link;
	int			good = 0;

	link = unit_open(tls ? secure(rules) : rules);
	ok(peer->ledger->connections == 0, "%s: connects lazily", called);
	for (int i = 1; i <= 100; i++)
	{
		CasReply	reply = unit_exchange(link, i);

		good += unit_answered(&reply, i) && reply.tag == i ? 1 : 0;
	}
	ok(good == 100 && !doubled(peer), "%s: 100 messages, 100 answers (%d)",
	   called, good);
	ok(peer->ledger->connections == 1 && peer->ledger->hellos == 1,
	   "%s: on one connection", called);
	ok(tcp_transport.timeout(link) == -1,
	   "%s: an idle link wants no call", called);
	peer_stop(peer);
}

static void
test_many(PeerManner manner, const char *called, bool by_order, int window,
		  int size, bool tls)
{
	Peer	   *peer = peer_start(manner, tls ? unit_file("server.crt") : NULL,
								  unit_file("server.key"));
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link;
	int			good;

	if (tls)
		secure(rules);
	rules->by_order = rules->per_connection = by_order;
	rules->window = window;
	link = unit_open(rules);
	good = send_many(link, 3000, size);
	ok(good == 3000 && !doubled(peer), "%s: 3000 messages, once each (%d)",
	   called, good);
	ok(peer->ledger->unanswered_most <= window,
	   "%s: no more than the window (%d)", called,
	   peer->ledger->unanswered_most);
	ok(window == 1 || peer->ledger->unanswered_most > 1,
	   "%s: many at once", called);
	ok(peer->ledger->shrinking == 0, "%s: numbers grow", called);
	ok(tcp_transport.capacity(link) == window, "%s: all room is given back",
	   called);
	peer_stop(peer);
}

/* The stamp is what went out. */
static void
test_stamp(void)
{
	Peer	   *peer = peer_start(PEER_ANSWERS, NULL, NULL);
	CasLink    *link = unit_open(unit_rules(peer->port));
	CasMessage	message = {0};
	CasReply	reply;

	message.detail = "serial=5.";
	tcp_transport.submit(link, &message, 5);
	ok(message.stamp && strcmp(message.stamp->link, "cas-a") == 0 &&
	   message.stamp->transaction > 0 && message.len > 0,
	   "a message is stamped when submit returns");
	ok(unit_process(link, &reply, 1) == 1 && unit_answered(&reply, 5) &&
	   strtoull(reply.data + 3, NULL, 10) == message.stamp->transaction,
	   "and its answer has that number");
	peer_stop(peer);
}

/* Memory does not grow with what went through. */
static void
test_flat(void)
{
	Peer	   *peer = peer_start(PEER_ANSWERS, NULL, NULL);
	MemoryContext link_context = AllocSetContextCreate(CurrentMemoryContext,
													   "link",
													   ALLOCSET_DEFAULT_SIZES);
	MemoryContext turn = AllocSetContextCreate(CurrentMemoryContext, "test",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(link_context);
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link;
	Size		before = 0;

	rules->window = 64;
	link = unit_open(rules);
	for (int i = 0; i < 12; i++)
	{
		MemoryContextSwitchTo(turn);
		send_many(link, 3000, 100);
		MemoryContextReset(turn);
		if (i == 1)
			before = MemoryContextMemAllocated(link_context, true);
	}
	MemoryContextSwitchTo(old);
	/* of what grows by doubling some may double late */
	ok(before > 0 &&
	   MemoryContextMemAllocated(link_context, true) < before + 50000,
	   "memory is flat: %zu, %zu", before,
	   MemoryContextMemAllocated(link_context, true));
	MemoryContextDelete(link_context);
	peer_stop(peer);
}

void
test_answers(void)
{
	test_one_by_one(false);
	test_one_by_one(true);
	test_stamp();
	test_many(PEER_ANSWERS, "by number", false, 64, 0, false);
	test_many(PEER_ANSWERS, "by order", true, 64, 0, false);
	test_many(PEER_ANSWERS, "one at a time", true, 1, 0, false);
	test_many(PEER_REVERSES, "last first", false, 64, 0, false);
	test_many(PEER_BYTEWISE, "byte by byte", false, 64, 0, false);
	test_many(PEER_CHATTERS, "with other messages between", true, 8, 0,
			  false);
	test_many(PEER_TWICE, "two answers each", false, 64, 0, false);
	test_many(PEER_ANSWERS, "big ones", false, 64, 6000, false);
	test_many(PEER_ANSWERS, "big ones over TLS", false, 64, 6000, true);
	test_flat();
}
