/*-------------------------------------------------------------------------
 *
 * unit_memory.c
 *		What frames leave behind goes with them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "tcp_link.h"
#include "unit.h"
#include "utils/memutils.h"

/* Enough for the first block of a context, and for one frame. */
#define LITTLE (32 * 1024)

/* A hundred thousand messages that nobody asked for, many in one turn. */
static void
test_many_frames(void)
{
	Peer	   *peer = peer_start(PEER_FLOODS, NULL, NULL);
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link;
	Size		before;
	Size		after;

	rules->timeout = 10 * PATIENCE;
	link = unit_open(rules);
	unit_submit(link, 1, 0);
	unit_frames = 0;
	unit_until(link, unit_frames > 20000);
	before = MemoryContextMemAllocated(CurrentMemoryContext, true);
	unit_frame_memory = 0;
	unit_until(link, unit_frames > 120000);
	after = MemoryContextMemAllocated(CurrentMemoryContext, true);
	ok(unit_frames > 120000, "100000 frames come");
	ok(after <= before + LITTLE, "memory stays as it is: %zu, then %zu",
	   before, after);
	ok(unit_frame_memory > 0 && unit_frame_memory <= LITTLE,
	   "each frame finds it as the first one did: %zu at its most",
	   unit_frame_memory);
	peer_stop(peer);
}

void
test_memory(void)
{
	test_many_frames();
}
