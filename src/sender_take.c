/*-------------------------------------------------------------------------
 *
 * sender_take.c
 *		Taking what is next: rows become flights, attempts are written.
 *
 * A row may have changed its mind since the schedule learned of it: then it
 * is passed over, and the schedule is told why.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "sender_private.h"
#include "wake.h"

void
work_pass_over(Work *work, int64 number, PassedOver why,
			   TimestampTz not_before)
{
	ScheduleStep *step = palloc(sizeof(ScheduleStep));

	step->number = number;
	step->why = why;
	step->not_before = not_before;
	work->passed_over = lappend(work->passed_over, step);
}

/* Numbers that queue_take did not return: gone, or locked by somebody. */
static void
pass_over_missing(Sender *sender, Work *work, List *rows, TimestampTz now)
{
	List	   *pending = NIL;
	bool		asked = false;

	for (int i = 0; i < work->ntaken; i++)
	{
		bool		found = false;
		ListCell   *lc;

		if (list_length(rows) == work->ntaken)
			return;
		foreach(lc, rows)
			if (((QueueRow *) lfirst(lc))->cas.number == work->taken[i])
			found = true;
		if (found)
			continue;
		if (!asked)
			pending = queue_still_pending(sender->queue, work->taken,
										  work->ntaken);
		asked = true;
		foreach(lc, pending)
			if (*(int64 *) lfirst(lc) == work->taken[i])
			found = true;
		work_pass_over(work, work->taken[i],
					   found ? PASSED_LOCKED : PASSED_GONE,
					   TimestampTzPlusMilliseconds(now, LOCKED_DELAY));
	}
}

/* Makes a flight of a row, unless the row changed its mind. */
static void
take_row(Sender *sender, Work *work, QueueRow *row, TimestampTz now)
{
	Flight	   *flight;

	if (row->held)
		work_pass_over(work, row->cas.number, PASSED_HELD, 0);
	else if (row->cas.scheduled > now)
		work_pass_over(work, row->cas.number, PASSED_LATER,
					   row->cas.scheduled);
	else
	{
		flight = flight_make(work->batch, sender->settings, row);
		if (flight->encoded)
			work->departing = lappend(work->departing, flight);
		else
			work->refused = lappend(work->refused, flight);
	}
}

void
work_take(Sender *sender, Work *work, TimestampTz now)
{
	int			room = sender_take_room(sender, now);
	MemoryContext context;
	MemoryContext old;
	List	   *rows;
	List	   *attempted = NIL;
	ListCell   *lc;

	if (room == 0)
		return;
	work->taken = palloc(sizeof(int64) * room);
	work->ntaken = schedule_take(sender->schedule, now, work->taken, room);
	if (work->ntaken == 0)
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "provreq flights",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	work->batch = palloc0(sizeof(FlightBatch));
	work->batch->context = context;
	rows = queue_take(sender->queue, work->taken, work->ntaken);
	MemoryContextSwitchTo(old);
	pass_over_missing(sender, work, rows, now);
	foreach(lc, rows)
		take_row(sender, work, lfirst(lc), now);
	foreach(lc, work->departing)
		attempted = lappend(attempted, ((Flight *) lfirst(lc))->row);
	if (attempted == NIL)
		return;
	queue_attempt(sender->queue, attempted);
	if (!sender->announced)
		wake_supervisor_at_commit();
}

static uint32
slot_allocate(Sender *sender)
{
	if (sender->nfree == 0)
	{
		uint32		nslots = sender->nslots + Max(sender->nslots, 64);

		sender->flights = repalloc(sender->flights,
								   sizeof(Flight *) * nslots);
		memset(sender->flights + sender->nslots, 0,
			   sizeof(Flight *) * (nslots - sender->nslots));
		sender->free_slots = repalloc(sender->free_slots,
									  sizeof(uint32) * nslots);
		for (uint32 i = sender->nslots; i < nslots; i++)
			sender->free_slots[sender->nfree++] = i;
		sender->nslots = nslots;
	}
	return sender->free_slots[--sender->nfree];
}

/* After the commit: attempts are in the table, messages may go. */
void
work_taken(Sender *sender, Work *work)
{
	ListCell   *lc;

	if (work->batch && work->batch->nflights > 0)
		MemoryContextSetParent(work->batch->context, TopMemoryContext);
	if (work->departing != NIL)
		sender->announced = true;
	sender_count_attempts(sender, list_length(work->departing));
	foreach(lc, work->departing)
	{
		Flight	   *flight = lfirst(lc);

		flight->slot = slot_allocate(sender);
		sender->flights[flight->slot] = flight;
		dlist_push_tail(&sender->outbox, &flight->node);
		sender->noutbox++;
	}
	foreach(lc, work->refused)
	{
		Flight	   *flight = lfirst(lc);

		if (sender->nlanded == 0)
			sender->landed_since = GetCurrentTimestamp();
		dlist_push_tail(&sender->landed, &flight->node);
		sender->nlanded++;
	}
	foreach(lc, work->passed_over)
	{
		ScheduleStep *step = lfirst(lc);

		if (step->why == PASSED_GONE)
			schedule_finish(sender->schedule, step->number);
		else
			schedule_return(sender->schedule, step->number, step->not_before);
		if (step->why == PASSED_HELD)
			schedule_hold(sender->schedule, step->number);
	}
}
