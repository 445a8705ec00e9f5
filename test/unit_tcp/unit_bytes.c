/*-------------------------------------------------------------------------
 *
 * unit_bytes.c
 *		The connection ends after each byte of a conversation, in either
 *		direction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <poll.h>

#include "tcp_link.h"
#include "unit.h"
#include "utils/memutils.h"

#define MESSAGES 3

/* Every message has one end, and it fits to what the peer saw. */
static bool
ends_fit(CasLink *link, Peer * peer, int *answered, int *doubtful,
		 int *unsent)
{
	bool		ended[MESSAGES + 1] = {false};
	bool		good = true;

	for (int i = 1; i <= MESSAGES; i++)
	{
		CasReply	reply = {0};
		int			serial;

		if (unit_process(link, &reply, 1) != 1 || reply.late ||
			reply.tag < 1 || reply.tag > MESSAGES || ended[reply.tag])
			return false;
		serial = (int) reply.tag;
		ended[serial] = true;
		if (reply.status == CAS_ANSWERED)
		{
			good = good && unit_answered(&reply, serial) &&
				peer->ledger->seen[serial] == 1;
			(*answered)++;
		}
		else if (reply.status == CAS_NOT_SENT)
		{
			good = good && peer->ledger->seen[serial] == 0;
			(*unsent)++;
		}
		else
			(*doubtful)++;
		good = good && (reply.status == CAS_ANSWERED ||
						(reply.failure && reply.failure[0]));
	}
	return good;
}

/*
 * One conversation, cut; the bytes of a whole one if it was not.  Now and
 * then, whether the link comes back.
 */
static bool
converse(bool by_order, bool tls, bool read, int cut, int *total,
		 int *ends)
{
	Peer	   *peer = peer_start(PEER_ANSWERS,
								  tls ? unit_file("server.crt") : NULL,
								  unit_file("server.key"));
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link;
	CasReply	reply;
	bool		good;
	int64		end = unit_clock() + PATIENCE;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "conversation",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	rules->tls = tls;
	rules->ca_file = unit_file("server.crt");
	rules->by_order = rules->per_connection = by_order;
	rules->checks_at_start = 1;
	if (read)
		peer->ledger->cut_read = cut;
	else
		peer->ledger->cut_written = cut;
	link = unit_open(rules);
	for (int i = 1; i <= MESSAGES; i++)
		unit_submit(link, i, 0);
	good = ends_fit(link, peer, &ends[0], &ends[1], &ends[2]);
	*total = read ? peer->ledger->read : peer->ledger->written;
	peer->ledger->cut_read = peer->ledger->cut_written = 0;
	if (cut % 10 == 0)
	{
		do
		{
			reply = unit_exchange(link, 10);
			poll(NULL, 0, 1);
		} while (reply.status != CAS_ANSWERED && unit_clock() < end);
		good = good && unit_answered(&reply, 10);
	}
	peer_stop(peer);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return good;
}

/* Cuts after every byte, or every so many. */
static void
test_cuts(bool by_order, bool tls, bool read, int step)
{
	int			ends[3] = {0};
	int			total;
	int			bad = 0;
	int			none;

	if (!converse(by_order, tls, read, 0, &total, ends))
		total = 0;
	ok(total > 40 && ends[0] == MESSAGES, "a whole conversation has %d bytes",
	   total);
	memset(ends, 0, sizeof(ends));
	for (int cut = 1; cut < total; cut += step)
		if (!converse(by_order, tls, read, cut, &none, ends) && bad++ == 0)
			ok(false, "cut after byte %d", cut);
	ok(bad == 0,
	   "%s, %s, cut after each byte %s: %d answered, %d in doubt, %d not sent",
	   by_order ? "by order" : "by number", tls ? "TLS" : "plain",
	   read ? "read" : "written", ends[0], ends[1], ends[2]);
	ok(ends[0] + ends[1] + ends[2] >= (total - 1) / step * MESSAGES &&
	   ends[2] > 0 && ends[1] > 0, "each message has its end");
}

void
test_bytes(void)
{
	test_cuts(false, false, true, 1);
	test_cuts(false, false, false, 1);
	test_cuts(true, false, true, 1);
	test_cuts(true, false, false, 1);
	test_cuts(false, true, true, 5);
	test_cuts(false, true, false, 5);
}
