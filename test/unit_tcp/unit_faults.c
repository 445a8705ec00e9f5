/*-------------------------------------------------------------------------
 *
 * unit_faults.c
 *		A peer that breaks the rules, or goes away.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <poll.h>

#include "tcp_link.h"
#include "unit.h"

/* What became of several messages. */
typedef struct Ends
{
	int			answered;
	int			doubtful;		/* CAS_NO_ANSWER */
	int			unsent;
	int			shown;			/* of the doubtful, with data */
	char		failure[200];	/* of the last doubtful one */
	char		data[200];		/* what was shown */
	Size		len;
} Ends;

static Ends
collect(CasLink *link, int n)
{
	Ends		ends = {0};

	for (int i = 0; i < n; i++)
	{
		CasReply	reply;

		if (unit_process(link, &reply, 1) != 1)
			break;
		switch (reply.status)
		{
			case CAS_ANSWERED:
				ends.answered += unit_answered(&reply, reply.tag) ? 1 : 1000;
				break;
			case CAS_NOT_SENT:
				ends.unsent++;
				break;
			case CAS_NO_ANSWER:
				ends.doubtful++;
				strlcpy(ends.failure, reply.failure, sizeof(ends.failure));
				if (reply.len == 0)
					break;
				ends.shown++;
				ends.len = reply.len;
				memcpy(ends.data, reply.data,
					   Min(reply.len, sizeof(ends.data) - 1));
				break;
		}
	}
	return ends;
}

/* Three messages, of which the first meets the fault. */
static void
test_fault(PeerManner manner, bool by_order, const char *called,
		   const char *failure, const char *shown, int shown_len)
{
	Peer	   *peer = peer_start(PEER_HOLDS, NULL, NULL);
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link;
	Ends		ends;
	CasReply	reply;

	rules->by_order = rules->per_connection = by_order;
	rules->max_frame = 1000;
	link = unit_open(rules);
	for (int i = 1; i <= 3; i++)
		unit_submit(link, i, 0);
	unit_until(link, peer->ledger->messages == 3);
	peer->ledger->manner = manner;
	ends = collect(link, 3);
	ok(ends.doubtful == 3 && ends.answered == 0 && ends.unsent == 0,
	   "%s: all messages are in doubt", called);
	has(ends.failure, failure, psprintf("%s: says why", called));
	if (shown)
		ok(ends.shown == 1 && ends.len >= shown_len &&
		   memcmp(ends.data, shown, shown_len) == 0,
		   "%s: the oldest shows what came (%d bytes)", called,
		   (int) ends.len);
	unit_until(link, peer->ledger->closed == 1);
	ok(peer->ledger->closed == 1, "%s: the link is dropped", called);
	peer->ledger->manner = PEER_ANSWERS;
	do
		reply = unit_exchange(link, 9);
	while (reply.status == CAS_NOT_SENT && peer->ledger->connections < 2);
	ok(unit_answered(&reply, 9), "%s: and comes back", called);
	peer_stop(peer);
}

/* By number, an answer to nobody is let be. */
static void
test_nobodys_number(void)
{
	Peer	   *peer = peer_start(PEER_OTHER_NUMBER, NULL, NULL);
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link;
	CasReply	reply;

	rules->timeout = 300;
	link = unit_open(rules);
	reply = unit_exchange(link, 1);
	ok(reply.status == CAS_NO_ANSWER && reply.len == 0,
	   "the answer to another number is not taken");
	is(reply.failure, "no answer within 300 ms", "the message has none");
	peer->ledger->manner = PEER_UNASKED;
	for (int i = 2; i <= 50; i++)
	{
		reply = unit_exchange(link, i);
		if (!unit_answered(&reply, i))
			break;
	}
	ok(reply.tag == 50 && unit_answered(&reply, 50) &&
	   peer->ledger->connections == 1, "nor is a second answer");
	peer_stop(peer);
}

/* Bytes of the hello to it. */
#define HELLO 9

/* Of how many frames with these lengths did so many bytes come? */
static int
reached(int bytes, const int *lengths)
{
	int			n = 0;

	while (bytes > 0)
		bytes -= lengths[n++];
	return n;
}

/*
 * A peer that reads nothing: what left is in doubt, what did not was not
 * sent.
 */
static void
test_peer_reads_not(bool tls)
{
	Peer	   *peer = peer_start(PEER_READS_NOT,
								  tls ? unit_file("server.crt") : NULL,
								  unit_file("server.key"));
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link;
	Ends		ends;
	int64		start;
	int			lengths[400];

	rules->tls = tls;
	rules->ca_file = unit_file("server.crt");
	rules->window = 400;
	rules->max_frame = 65535;
	rules->timeout = 700;
	link = unit_open(rules);
	start = unit_clock();
	for (int i = 0; i < 400; i++)
		lengths[i] = unit_submit(link, i + 1, 60000);
	ends = collect(link, 400);
	ok(ends.doubtful + ends.unsent == 400 && ends.doubtful > 0 &&
	   ends.unsent > 0, "%s: nothing is read: %d in doubt, %d not sent",
	   tls ? "TLS" : "plain", ends.doubtful, ends.unsent);
	ok(unit_clock() - start < PATIENCE, "%s: in time", tls ? "TLS" : "plain");
	peer->ledger->manner = PEER_DEAF;
	unit_until(link, peer->ledger->closed == 1);
	ok(tls || ends.doubtful == reached(peer->ledger->read - HELLO, lengths),
	   "those that reached it, also in part, are in doubt (%d)",
	   reached(peer->ledger->read - HELLO, lengths));
	peer_stop(peer);
}

/* Messages that are too many for a moment go out in pieces. */
static void
test_partial_writes(bool tls)
{
	Peer	   *peer = peer_start(PEER_READS_NOT,
								  tls ? unit_file("server.crt") : NULL,
								  unit_file("server.key"));
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link;
	Ends		ends;

	rules->tls = tls;
	rules->ca_file = unit_file("server.crt");
	rules->window = 200;
	rules->timeout = PATIENCE;
	link = unit_open(rules);
	for (int i = 1; i <= 200; i++)
		unit_submit(link, i, 60000);
	unit_until(link, tcp_transport.timeout(link) > 0 &&
			   peer->ledger->hellos == 1);
	for (int i = 0; i < 20; i++)
		unit_turn(link);
	ok(tcp_transport.timeout(link) > 0,
	   "%s: full is no reason to be called again and again",
	   tls ? "TLS" : "plain");
	peer->ledger->manner = PEER_ANSWERS;
	ends = collect(link, 200);
	ok(ends.answered == 200, "%s: what waited goes out in the end (%d)",
	   tls ? "TLS" : "plain", ends.answered);
	peer_stop(peer);
}

void
test_faults(void)
{
	test_fault(PEER_BAD_FRAME, false, "a bad frame, by number",
			   "a frame of kind B came", "\0\5B;bad", 7);
	test_fault(PEER_BAD_FRAME, true, "a bad frame, by order",
			   "a frame of kind B came", "\0\5B;bad", 7);
	test_fault(PEER_NO_FRAME, false, "no frame", "garbage came",
			   "\xFF\xFFgarbage", 9);
	test_fault(PEER_TOO_LONG, false, "too long a frame",
			   "a message of more than 1000 bytes came", "\xEA\x60xxx", 5);
	test_fault(PEER_REVERSES, true, "answers in another order",
			   "the answer to another message came", "\0\x0C" "A3;serial=3.",
			   14);
	test_fault(PEER_OTHER_NUMBER, true, "another number, by order",
			   "the answer to another message came", "\0\x0E" "A999999;", 10);
	test_fault(PEER_HALF_CLOSES, false, "a half-closed connection",
			   "the other side closed the connection", NULL, 0);
	test_fault(PEER_RESETS, false, "a reset", "Connection reset",
			   NULL, 0);
	test_nobodys_number();
	test_peer_reads_not(false);
	test_peer_reads_not(true);
	test_partial_writes(false);
	test_partial_writes(true);
}
