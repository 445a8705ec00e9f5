/*-------------------------------------------------------------------------
 *
 * schedule_private.h
 *		What the files of the schedule share among themselves.
 *
 * Entries, keys and links live in pools and are named by 32-bit indexes, so
 * that an entry with one key of its own takes less than 100 bytes, hash
 * tables and heaps included.  A link is the membership of one entry in the
 * queue of one key.  NONE is the index of nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_SCHEDULE_PRIVATE_H
#define PROVREQ_SCHEDULE_PRIVATE_H

#include "schedule.h"

#define NONE 0

#ifdef SCHEDULE_TEST
#define SCHEDULE_STEP() (schedule_steps++)
#else
#define SCHEDULE_STEP() ((void) 0)
#endif

typedef enum Urgency
{
	URGENCY_IMMEDIATE,
	URGENCY_EXPRESS,
	URGENCY_REGULAR
} Urgency;

/* Every entry is in at most one heap. */
typedef enum HeapKind
{
	HEAP_NO,
	HEAP_LATER,					/* not due: by scheduled */
	HEAP_UNCHECKED,				/* waits for a look-up: by effective urgency,
								 * number */
	HEAP_RETRY,					/* due, waits for not_before: by that */
	HEAP_READY,					/* by effective urgency, scheduled, number */
	HEAP_KINDS
} HeapKind;

typedef struct Entry
{
	int64		number;
	TimestampTz scheduled;
	TimestampTz not_before;		/* 0 once it has been reached */
	uint32		links;			/* first of its links */
	uint32		heap_at;		/* place in its heap */
	uint32		blocked;		/* queues in which it is not first */
	uint32		urgency:2,
				effective:2,
				heap:3,
				due:1,			/* is in the queues of its keys */
				held:1,
				been_out:1,
				in_flight:1,
				stuck:1,		/* is held or waits for not_before, or comes
								 * after one that is stuck */
				unchecked:1,	/* a deferred or unread one may have to go
								 * before it */
				sure:1,			/* checked since the last feed began */
				waits:1;		/* for the end of the feed or a look-up */
} Entry;

typedef struct Key
{
	uint64		key;
	uint32		head;			/* links */
	uint32		tail;
} Key;

/* While its entry is not due, prev and next hold the halves of the key. */
typedef struct Link
{
	uint32		entry;
	uint32		sibling;		/* next link of the same entry */
	uint32		key;			/* index of the Key; NONE while not due */
	uint32		prev;
	uint32		next;
} Link;

/* Items of one size, in chunks; a free one holds the index of the next. */
typedef struct Pool
{
	char	  **chunks;
	uint32		nchunks;
	uint32		max_chunks;
	uint32		used;			/* indexes ever given out, NONE included */
	uint32		free;
	Size		item_size;
} Pool;

/* Open addressing; a slot holds an index into a pool, or NONE. */
typedef struct Table
{
	uint32	   *slots;
	uint32		nslots;			/* a power of two */
	uint32		count;
	bool		of_keys;		/* else of entries */
} Table;

typedef struct Heap
{
	uint32	   *items;			/* entries */
	uint32		count;
	uint32		size;
} Heap;

struct Schedule
{
	MemoryContext context;
	Size		bytes;			/* taken from it */

	Pool		entries;
	Pool		keys;
	Pool		links;
	Table		by_number;
	Table		by_key;
	Heap		heaps[HEAP_KINDS];
	uint32	   *stack;			/* work list of order_mark and its like */
	uint32		stack_size;

	uint32		sendable;
	uint32		in_flight;
	uint32		held;

	uint32		window;
	uint64		cap;
	TimestampTz later_limit;

	bool		overflowing;
	int64		horizon;		/* while overflowing: all that is due and has
								 * a number up to it is in memory */
	uint64		deferred;		/* since the overflow began */
	int64		lowest_deferred;	/* since the refill began */
	uint32		filter_bits;
	uint8	   *filter;			/* NULL while not overflowing */
	bool		unread;			/* a feed has begun and not ended */
};

/* schedule_store.c: memory and look-up tables */
extern void *store_alloc(Schedule *schedule, Size size);
extern void store_free(Schedule *schedule, void *pointer, Size size);
extern void store_init(Schedule *schedule);
extern void store_release(Schedule *schedule);
extern uint64 store_mix(uint64 value);
extern uint32 store_find(const Schedule *schedule, int64 number);
extern uint32 store_add(Schedule *schedule, const ScheduleEntry *offered);
extern void store_delete(Schedule *schedule, uint32 entry);
extern uint64 store_link_key(const Schedule *schedule, const Link *link);
extern uint32 store_find_key(const Schedule *schedule, uint64 key);
extern void store_attach_key(Schedule *schedule, Link *link);
extern void store_detach_key(Schedule *schedule, Link *link);
extern void store_push(Schedule *schedule, uint32 depth, uint32 entry);

/* schedule_heap.c */
extern void heap_put(Schedule *schedule, uint32 entry, HeapKind kind);
extern void heap_raised(Schedule *schedule, uint32 entry);
extern uint32 heap_top(const Schedule *schedule, HeapKind kind);

/* schedule_order.c: the queues of the keys */
extern void order_enter(Schedule *schedule, uint32 entry);
extern void order_leave(Schedule *schedule, uint32 entry);
extern void order_reseat(Schedule *schedule, uint32 entry);
extern void order_lift(Schedule *schedule, uint32 entry);
extern void order_mark(Schedule *schedule, uint32 entry);
extern void order_unmark(Schedule *schedule, uint32 entry);
extern void order_settle(Schedule *schedule, uint32 entry);
extern void order_set_held(Schedule *schedule, uint32 entry, bool held);
extern void order_set_in_flight(Schedule *schedule, uint32 entry,
								bool in_flight);

/* schedule_window.c: what is in memory */
extern void window_advance(Schedule *schedule, TimestampTz now);

static inline void *
pool_item(const Pool *pool, uint32 item)
{
	return pool->chunks[item >> 10] + (item & 1023) * pool->item_size;
}

static inline Entry *
entry_at(const Schedule *schedule, uint32 entry)
{
	return (Entry *) pool_item(&schedule->entries, entry);
}

static inline Key *
key_at(const Schedule *schedule, uint32 key)
{
	return (Key *) pool_item(&schedule->keys, key);
}

static inline Link *
link_at(const Schedule *schedule, uint32 link)
{
	return (Link *) pool_item(&schedule->links, link);
}

/* The entry that a link belongs to. */
static inline Entry *
link_entry(const Schedule *schedule, uint32 link)
{
	return entry_at(schedule, link_at(schedule, link)->entry);
}

#endif							/* PROVREQ_SCHEDULE_PRIVATE_H */
