/*-------------------------------------------------------------------------
 *
 * schedule.c
 *		In which order the requests of one provider go out: what is taken,
 *		and what becomes of it.
 *
 * The contract is in schedule.h, the queues in schedule_order.c, the window
 * on the table in schedule_window.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "schedule_private.h"

/* Bits of the filter for each key that is expected in it. */
#define FILTER_BITS 10

Schedule *
schedule_create(uint32 window, uint32 filter_keys)
{
	Schedule   *schedule = palloc0(sizeof(Schedule));

	schedule->context = CurrentMemoryContext;
	schedule->bytes = sizeof(Schedule);
	schedule->window = Max(window, 1);
	schedule->cap = (uint64) schedule->window * SCHEDULE_CAP_FACTOR;
	schedule->later_limit = DT_NOEND;
	schedule->lowest_deferred = PG_INT64_MAX;
	schedule->filter_bits =
		Min(Max((uint64) filter_keys * FILTER_BITS, 64), PG_UINT32_MAX);
	store_init(schedule);
	return schedule;
}

void
schedule_free(Schedule *schedule)
{
	store_free(schedule, schedule->filter, schedule->filter_bits / 8 + 1);
	store_release(schedule);
	pfree(schedule);
}

void
schedule_set_later_limit(Schedule *schedule, TimestampTz limit)
{
	schedule->later_limit = limit;
}

int
schedule_take(Schedule *schedule, TimestampTz now, int64 *numbers, int max)
{
	int			count = 0;
	uint32		entry;

	window_advance(schedule, now);
	while (count < max && (entry = heap_top(schedule, HEAP_READY)) != NONE)
	{
		order_set_in_flight(schedule, entry, true);
		order_settle(schedule, entry);
		numbers[count++] = entry_at(schedule, entry)->number;
	}
	return count;
}

/* The entry of that number if it is in flight, else NONE. */
static uint32
find_in_flight(const Schedule *schedule, int64 number)
{
	uint32		entry = store_find(schedule, number);

	if (entry == NONE || !entry_at(schedule, entry)->in_flight)
		return NONE;
	return entry;
}

static void
forget(Schedule *schedule, uint32 entry)
{
	order_leave(schedule, entry);
	order_set_held(schedule, entry, false);
	store_delete(schedule, entry);
}

bool
schedule_finish(Schedule *schedule, int64 number)
{
	uint32		entry = store_find(schedule, number);

	if (entry == NONE)
		return false;
	forget(schedule, entry);
	return true;
}

bool
schedule_remove(Schedule *schedule, int64 number)
{
	uint32		entry = store_find(schedule, number);

	if (entry == NONE || entry_at(schedule, entry)->in_flight)
		return false;
	forget(schedule, entry);
	return true;
}

bool
schedule_return(Schedule *schedule, int64 number, TimestampTz not_before)
{
	uint32		entry = find_in_flight(schedule, number);

	if (entry == NONE)
		return false;
	order_set_in_flight(schedule, entry, false);
	entry_at(schedule, entry)->not_before = not_before;
	order_reseat(schedule, entry);
	return true;
}

bool
schedule_retry(Schedule *schedule, int64 number, TimestampTz not_before)
{
	uint32		entry = find_in_flight(schedule, number);

	if (entry == NONE)
		return false;
	entry_at(schedule, entry)->been_out = true;
	return schedule_return(schedule, number, not_before);
}

bool
schedule_hold(Schedule *schedule, int64 number)
{
	uint32		entry = store_find(schedule, number);
	Entry	   *e = entry_at(schedule, entry);

	if (entry == NONE)
		return false;
	order_set_held(schedule, entry, true);
	if (e->in_flight)
		return schedule_retry(schedule, number, 0);
	if (e->due)
		order_mark(schedule, entry);
	order_settle(schedule, entry);
	return true;
}

bool
schedule_release(Schedule *schedule, int64 number)
{
	uint32		entry = store_find(schedule, number);
	Entry	   *e = entry_at(schedule, entry);

	if (entry == NONE || !e->held)
		return false;
	order_set_held(schedule, entry, false);
	heap_put(schedule, entry, HEAP_NO);
	e->not_before = 0;
	if (e->due)
	{
		order_unmark(schedule, entry);
		order_lift(schedule, entry);
	}
	order_settle(schedule, entry);
	return true;
}

TimestampTz
schedule_next_time(Schedule *schedule, TimestampTz now)
{
	uint32		later;
	uint32		retry;

	window_advance(schedule, now);
	later = heap_top(schedule, HEAP_LATER);
	retry = heap_top(schedule, HEAP_RETRY);
	if (later == NONE)
		return retry == NONE ? 0 : entry_at(schedule, retry)->not_before;
	if (retry == NONE)
		return entry_at(schedule, later)->scheduled;
	return Min(entry_at(schedule, later)->scheduled,
			   entry_at(schedule, retry)->not_before);
}

bool
schedule_next_stuck(const Schedule *schedule, uint32 *cursor, int64 *number)
{
	while (*cursor < schedule->by_number.nslots)
	{
		uint32		entry = schedule->by_number.slots[(*cursor)++];
		const Entry *e;

		if (entry == NONE)
			continue;
		e = entry_at(schedule, entry);
		if (!e->held && e->heap != HEAP_RETRY)
			continue;
		*number = e->number;
		return true;
	}
	return false;
}

bool
schedule_knows(const Schedule *schedule, int64 number)
{
	return store_find(schedule, number) != NONE;
}

bool
schedule_is_in_flight(const Schedule *schedule, int64 number)
{
	return find_in_flight(schedule, number) != NONE;
}

void
schedule_counts(const Schedule *schedule, ScheduleCounts *counts)
{
	memset(counts, 0, sizeof(*counts));
	counts->in_memory = schedule->by_number.count;
	counts->ready = schedule->heaps[HEAP_READY].count;
	counts->in_flight = schedule->in_flight;
	counts->retrying = schedule->heaps[HEAP_RETRY].count;
	counts->held = schedule->held;
	counts->later = schedule->heaps[HEAP_LATER].count;
	counts->unchecked = schedule->heaps[HEAP_UNCHECKED].count;
	counts->sendable = schedule->sendable;
	counts->overflowing = schedule->overflowing;
	counts->deferred = schedule->overflowing ? schedule->deferred : 0;
	counts->bytes = schedule->bytes;
}
