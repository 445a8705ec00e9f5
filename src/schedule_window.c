/*-------------------------------------------------------------------------
 *
 * schedule_window.c
 *		What of the table is in memory, and what is left there.
 *
 * A deferred entry is known by two things only: its number is beyond the
 * horizon, and its keys are in a Bloom filter.  An entry beyond the horizon
 * that is in memory is "checked" when all that are due, share a key with it
 * and have a lower number are in memory too.  It is so if none of its keys
 * is in the filter, if a checked one stands behind it in the queue of each
 * key that is, or after a look-up.  It stays so because nothing is deferred
 * that would have to go before an entry in memory.
 *
 * While a feed is read in parts, nothing is known of what is unread, not even
 * keys.  It became visible at the begin of the feed: what was checked by then
 * was seen before, and may go before it.  What comes in since is unchecked,
 * whatever its number and the filter say, until it is looked up, or covered
 * by one behind it that was checked since the begin ("sure"), or the feed has
 * ended.  Urgent entries, and those they lift, are looked up at once; others,
 * and all that belong to the feed itself, wait for the end: a more urgent one
 * that is still unread goes before them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "schedule_private.h"

/* ------------------------------------------------------------------------
 * The filter: two bits a key
 * ------------------------------------------------------------------------
 */
static uint32
filter_bit(const Schedule *schedule, uint64 key, int which)
{
	uint64		half = (uint32) (store_mix(key) >> (32 * which));

	return (half * schedule->filter_bits) >> 32;
}

static void
filter_add(Schedule *schedule, uint64 key)
{
	int			which;

	for (which = 0; which < 2; which++)
	{
		uint32		bit = filter_bit(schedule, key, which);

		schedule->filter[bit / 8] |= 1 << (bit % 8);
	}
}

static bool
filter_has(const Schedule *schedule, uint64 key)
{
	uint32		first = filter_bit(schedule, key, 0);
	uint32		second = filter_bit(schedule, key, 1);

	return (schedule->filter[first / 8] & (1 << (first % 8))) != 0 &&
		(schedule->filter[second / 8] & (1 << (second % 8))) != 0;
}

/*
 * Numbers up to the horizon that come late are taken in until there are so
 * many windows of entries; then the horizon gives way.
 */
#define CROWDED_WINDOWS 2

/* ------------------------------------------------------------------------
 * Deferring
 * ------------------------------------------------------------------------
 */
static bool
has_room(const Schedule *schedule)
{
	return schedule->sendable < schedule->window &&
		schedule->by_number.count <= schedule->cap;
}

/* Must an entry, not yet in the queues, go before one that is? */
static bool
goes_before_known(const Schedule *schedule, const Entry *e)
{
	uint32		i;

	for (i = e->links; i != NONE; i = link_at(schedule, i)->sibling)
	{
		uint64		value = store_link_key(schedule, link_at(schedule, i));
		uint32		found = store_find_key(schedule, value);
		const Key  *key = key_at(schedule, found);

		if (found == NONE)
			continue;
		/* one in flight at the head may come back to its own place */
		if (link_entry(schedule, key->tail)->number > e->number ||
			link_entry(schedule, key->head)->number > e->number)
			return true;
	}
	return false;
}

/* May an entry that has come due stay in memory? */
static bool
is_admitted(const Schedule *schedule, const Entry *e, ScheduleSource source)
{
	if (source != SCHEDULE_FEED || e->been_out || e->held ||
		e->urgency != URGENCY_REGULAR)
		return true;
	if (schedule->overflowing ? e->number <= schedule->horizon &&
		schedule->sendable / CROWDED_WINDOWS < schedule->window
		: has_room(schedule))
		return true;
	return goes_before_known(schedule, e);
}

/* Leaves an entry, which is not in the queues, to the table. */
static void
defer(Schedule *schedule, uint32 entry)
{
	Entry	   *e = entry_at(schedule, entry);
	uint32		i;

	if (!schedule->overflowing)
	{
		schedule->overflowing = true;
		schedule->horizon = e->number - 1;
		schedule->deferred = 0;
		schedule->filter = store_alloc(schedule,
									   schedule->filter_bits / 8 + 1);
	}
	schedule->horizon = Min(schedule->horizon, e->number - 1);
	for (i = e->links; i != NONE; i = link_at(schedule, i)->sibling)
		filter_add(schedule, store_link_key(schedule, link_at(schedule, i)));
	schedule->deferred++;
	schedule->lowest_deferred = Min(schedule->lowest_deferred, e->number);
	store_delete(schedule, entry);
}

/*
 * Does a checked entry stand behind a link in its queue?  What has been out
 * was taken in unchecked, and stands in front anyway.
 */
static bool
is_covered(const Schedule *schedule, uint32 this)
{
	uint32		i;

	for (i = key_at(schedule, link_at(schedule, this)->key)->tail;
		 i != this; i = link_at(schedule, i)->prev)
	{
		const Entry *e = link_entry(schedule, i);

		SCHEDULE_STEP();
		if (!e->unchecked && !e->been_out && (e->sure || !schedule->unread))
			return true;
	}
	return false;
}

/* May one that is not in memory have to go before one in the queues? */
static bool
must_check(const Schedule *schedule, const Entry *e)
{
	uint32		i;

	if (e->been_out)
		return false;
	if (!schedule->unread &&
		(!schedule->overflowing || e->number <= schedule->horizon))
		return false;
	for (i = e->links; i != NONE; i = link_at(schedule, i)->sibling)
	{
		uint64		value = store_link_key(schedule, link_at(schedule, i));

		if ((schedule->unread || filter_has(schedule, value)) &&
			!is_covered(schedule, i))
			return true;
	}
	return false;
}

/* Nothing that is not in memory has to go before it. */
static void
set_checked(Schedule *schedule, uint32 entry)
{
	entry_at(schedule, entry)->unchecked = false;
	entry_at(schedule, entry)->sure = true;
	order_settle(schedule, entry);
}

/* ------------------------------------------------------------------------
 * Taking in
 * ------------------------------------------------------------------------
 */

/* Puts an entry that has come due into the queues, or defers it. */
static ScheduleOffered
become_due(Schedule *schedule, uint32 entry, ScheduleSource source)
{
	Entry	   *e = entry_at(schedule, entry);

	if (!is_admitted(schedule, e, source))
	{
		defer(schedule, entry);
		return SCHEDULE_DEFERRED;
	}
	order_enter(schedule, entry);
	e->unchecked = must_check(schedule, e);
	e->sure = !e->unchecked;
	order_settle(schedule, entry);
	return SCHEDULE_ADDED;
}

/* Moves on what time alone moves: what comes due, what may be retried. */
void
window_advance(Schedule *schedule, TimestampTz now)
{
	uint32		entry;

	while ((entry = heap_top(schedule, HEAP_LATER)) != NONE &&
		   entry_at(schedule, entry)->scheduled <= now)
	{
		heap_put(schedule, entry, HEAP_NO);
		become_due(schedule, entry, SCHEDULE_FEED);
	}
	while ((entry = heap_top(schedule, HEAP_RETRY)) != NONE &&
		   entry_at(schedule, entry)->not_before <= now)
	{
		heap_put(schedule, entry, HEAP_NO);
		entry_at(schedule, entry)->not_before = 0;
		order_unmark(schedule, entry);
		order_settle(schedule, entry);
	}
}

static void
set_fields(Schedule *schedule, uint32 entry, const ScheduleEntry *offered,
		   TimestampTz now)
{
	Entry	   *e = entry_at(schedule, entry);

	e->scheduled = offered->scheduled;
	e->not_before = offered->not_before > now ? offered->not_before : 0;
	e->urgency = offered->immediate ? URGENCY_IMMEDIATE :
		offered->express ? URGENCY_EXPRESS : URGENCY_REGULAR;
	e->effective = e->urgency;
	e->been_out |= offered->been_out;
	order_set_held(schedule, entry, offered->held);
}

/*
 * New fields for an entry that is in memory and not in flight.  One that was
 * due stays in memory, and stays checked if it was.
 */
static ScheduleOffered
refresh(Schedule *schedule, uint32 entry, const ScheduleEntry *offered,
		TimestampTz now)
{
	Entry	   *e = entry_at(schedule, entry);
	bool		was_due = e->due;

	order_leave(schedule, entry);
	set_fields(schedule, entry, offered, now);
	if (offered->scheduled <= now)
	{
		if (!was_due && become_due(schedule, entry,
								   SCHEDULE_FEED) == SCHEDULE_DEFERRED)
			return SCHEDULE_DEFERRED;
		if (was_due)
			order_enter(schedule, entry);
	}
	order_settle(schedule, entry);
	return SCHEDULE_KNOWN;
}

/* A refill has come to a number: may it be passed? */
static bool
move_horizon(Schedule *schedule, const ScheduleEntry *offered, bool counts)
{
	if (!schedule->overflowing)
		return true;
	if (offered->number > schedule->lowest_deferred)
		return false;
	if (counts && !offered->held && !offered->been_out && !has_room(schedule))
		return false;
	schedule->horizon = Max(schedule->horizon, offered->number);
	return true;
}

/* It need not wait for the end of the feed, or that has come. */
static void
stop_waiting(Schedule *schedule, uint32 entry)
{
	Entry	   *e = entry_at(schedule, entry);

	if (!e->waits)
		return;
	e->waits = false;
	if (e->due && e->unchecked && !must_check(schedule, e))
		set_checked(schedule, entry);
	else
		order_settle(schedule, entry);
}

ScheduleOffered
schedule_offer(Schedule *schedule, const ScheduleEntry *offered,
			   ScheduleSource source, TimestampTz now)
{
	uint32		entry;
	bool		later = offered->scheduled > now;
	bool		waits = source == SCHEDULE_BITE && schedule->unread;

	if (source == SCHEDULE_BITE)
		source = SCHEDULE_FEED;
	window_advance(schedule, now);
	entry = store_find(schedule, offered->number);
	if (source == SCHEDULE_REFILL &&
		!move_horizon(schedule, offered, entry == NONE && !later))
		return SCHEDULE_FULL;
	if (entry != NONE)
	{
		if (source == SCHEDULE_LOOKUP)
			stop_waiting(schedule, entry);
		if (source != SCHEDULE_FEED || entry_at(schedule, entry)->in_flight)
			return SCHEDULE_KNOWN;
		return refresh(schedule, entry, offered, now);
	}
	if (later && offered->scheduled > schedule->later_limit)
		return SCHEDULE_LATER;
	entry = store_add(schedule, offered);
	entry_at(schedule, entry)->waits = waits;
	set_fields(schedule, entry, offered, now);
	if (!later)
		return become_due(schedule, entry, source);
	order_settle(schedule, entry);
	return SCHEDULE_ADDED;
}

/* ------------------------------------------------------------------------
 * Refill and look-up
 * ------------------------------------------------------------------------
 */
bool
schedule_wants_refill(Schedule *schedule, TimestampTz now)
{
	window_advance(schedule, now);
	return schedule->overflowing && !schedule->unread &&
		schedule->sendable < (schedule->window + 1) / 2 &&
		schedule->by_number.count + schedule->window / 2 <= schedule->cap;
}

int64
schedule_refill_begin(Schedule *schedule)
{
	schedule->lowest_deferred = PG_INT64_MAX;
	return schedule->horizon;
}

bool
schedule_refill_complete(Schedule *schedule)
{
	uint32		entry;

	if (!schedule->overflowing)
		return true;
	if (schedule->lowest_deferred != PG_INT64_MAX)
		return false;
	schedule->overflowing = false;
	store_free(schedule, schedule->filter, schedule->filter_bits / 8 + 1);
	schedule->filter = NULL;
	while (!schedule->unread &&
		   (entry = heap_top(schedule, HEAP_UNCHECKED)) != NONE)
		set_checked(schedule, entry);
	return true;
}

bool
schedule_next_lookup(Schedule *schedule, TimestampTz now, int64 *number)
{
	uint32		entry;

	window_advance(schedule, now);
	while ((entry = heap_top(schedule, HEAP_UNCHECKED)) != NONE)
	{
		Entry	   *e = entry_at(schedule, entry);

		if (must_check(schedule, e))
		{
			*number = e->number;
			return !schedule->unread || e->effective != URGENCY_REGULAR;
		}
		set_checked(schedule, entry);
	}
	return false;
}

bool
schedule_lookup_done(Schedule *schedule, int64 number)
{
	uint32		entry = store_find(schedule, number);

	if (entry == NONE)
		return false;
	set_checked(schedule, entry);
	return true;
}

/* ------------------------------------------------------------------------
 * Feeds that are read in parts
 * ------------------------------------------------------------------------
 */
void
schedule_feed_begin(Schedule *schedule)
{
	uint32		slot;

	schedule->unread = true;
	for (slot = 0; slot < schedule->by_number.nslots; slot++)
	{
		uint32		entry = schedule->by_number.slots[slot];

		if (entry != NONE)
			entry_at(schedule, entry)->sure = false;
	}
}

void
schedule_feed_end(Schedule *schedule)
{
	uint32		slot;

	if (!schedule->unread)
		return;
	schedule->unread = false;
	for (slot = 0; slot < schedule->by_number.nslots; slot++)
	{
		uint32		entry = schedule->by_number.slots[slot];

		if (entry != NONE)
			stop_waiting(schedule, entry);
	}
}
