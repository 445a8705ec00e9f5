/*-------------------------------------------------------------------------
 *
 * sender_late.c
 *		Answers that come after their attempts ended in doubt.
 *
 * If the request is on its way once more, the answer joins that flight, and
 * so it does if the flight has landed and is not recorded yet.  If not, the
 * request waits for its next attempt or for a person, or was settled
 * meanwhile; the next unit of work finds that out in the table, before it
 * takes anything, and settles it by what is now known, with all the others.
 * Whichever it is, the provider lives.
 *
 * An answer that cannot be used, because of a lock or an error, is forgotten:
 * the request goes its way as if it had not come.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "sender_private.h"

/* As many are kept for the next unit of work. */
#define MAX_LATE 10000

typedef struct LateAnswer
{
	int64		request;
	int			part;
	CasReply	reply;
} LateAnswer;

static Flight *
flight_of(const Sender *sender, int64 request)
{
	for (uint32 slot = 0; slot < sender->nslots; slot++)
		if (sender->flights[slot] &&
			sender->flights[slot]->row->cas.number == request)
			return sender->flights[slot];
	return NULL;
}

/* The flight may have nothing left to send and nothing to wait for. */
static void
join_flight(Sender *sender, Flight *flight, const CasReply *reply,
			TimestampTz now)
{
	bool		waiting = flight_next_part(flight) >= 0;

	if (reply->part >= flight->nparts)
		return;
	flight_answer_late(flight, reply->part, sender->settings, reply);
	if (!waiting || flight_next_part(flight) >= 0)
		return;
	sender_leave_outbox(sender, flight);
	if (flight->nwaiting > 0)
		return;
	flight_land(flight, sender->settings, now);
	sender_flight_landed(sender, flight);
}

static Flight *
find_in_list(dlist_head *flights, int64 request)
{
	dlist_iter	iter;

	dlist_foreach(iter, flights)
	{
		Flight	   *flight = dlist_container(Flight, node, iter.cur);

		if (flight->row->cas.number == request)
			return flight;
	}
	return NULL;
}

/*
 * The same for a flight that has landed and whose outcome is not recorded
 * yet: it lands anew.  Returns whether there is one.
 */
static bool
join_landed(Sender *sender, const CasReply *reply, TimestampTz now)
{
	Flight	   *flight = find_in_list(&sender->landed, reply->request);

	if (flight == NULL)
		flight = find_in_list(&sender->deferred, reply->request);
	if (flight == NULL)
		return false;
	if (flight_was_out(flight) && reply->part < flight->nparts)
	{
		flight_answer_late(flight, reply->part, sender->settings, reply);
		flight_land(flight, sender->settings, now);
	}
	return true;
}

void
sender_take_late(Sender *sender, const CasReply *reply, TimestampTz now)
{
	Flight	   *flight = flight_of(sender, reply->request);
	MemoryContext old;
	LateAnswer *late;
	char	   *data;

	if (flight)
	{
		join_flight(sender, flight, reply, now);
		return;
	}
	if (join_landed(sender, reply, now))
		return;
	if (list_length(sender->late) >= MAX_LATE)
		return;
	if (sender->late_context == NULL)
		sender->late_context = AllocSetContextCreate(TopMemoryContext,
													 "provreq late answers",
													 ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(sender->late_context);
	late = palloc(sizeof(LateAnswer));
	data = palloc(reply->len + 1);
	memcpy(data, reply->data, reply->len);
	data[reply->len] = '\0';
	late->request = reply->request;
	late->part = reply->part;
	late->reply = *reply;
	late->reply.data = data;
	sender->late = lappend(sender->late, late);
	MemoryContextSwitchTo(old);
}

/* ------------------------------------------------------------------------
 * In a unit of work
 * ------------------------------------------------------------------------
 */

/* The numbers of those that have no attempt open, each once. */
static int
idle_numbers(const Sender *sender, int64 *numbers)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, sender->late)
	{
		int64		number = ((LateAnswer *) lfirst(lc))->request;
		bool		known = schedule_is_in_flight(sender->schedule, number);

		for (int i = 0; i < n && !known; i++)
			known = numbers[i] == number;
		if (!known)
			numbers[n++] = number;
	}
	return n;
}

/* A row with all late answers to its parts as an outcome; NULL if of none. */
static QueueOutcome *
late_outcome(Sender *sender, FlightBatch *batch, QueueRow *row,
			 TimestampTz now)
{
	Flight	   *flight = flight_make(batch, sender->settings, row);
	ListCell   *lc;

	if (!flight->encoded)
		return NULL;
	foreach(lc, sender->late)
	{
		const LateAnswer *late = lfirst(lc);

		if (late->request == row->cas.number && late->part < flight->nparts)
			flight_answer_late(flight, late->part, sender->settings,
							   &late->reply);
	}
	flight_land_late(flight, sender->settings, now);
	if (flight->outcome.step == QUEUE_NOTE &&
		flight->outcome.nparts_done == 0)
		return NULL;
	return &flight->outcome;
}

void
work_late(Sender *sender, Work *work, TimestampTz now)
{
	int			n = list_length(sender->late);
	FlightBatch *batch;
	QueueOutcome **outcomes;
	int64	   *numbers;
	ListCell   *lc;

	if (n == 0 || sender->settings == NULL)
		return;
	numbers = palloc(sizeof(int64) * n);
	n = idle_numbers(sender, numbers);
	batch = palloc0(sizeof(FlightBatch));
	batch->context = CurrentMemoryContext;
	foreach(lc, n > 0 ? queue_take(sender->queue, numbers, n) : NIL)
	{
		QueueOutcome *outcome = late_outcome(sender, batch, lfirst(lc), now);

		if (outcome)
			work->late = lappend(work->late, outcome);
	}
	outcomes = palloc(sizeof(QueueOutcome *) * n);
	n = 0;
	foreach(lc, work->late)
		outcomes[n++] = lfirst(lc);
	if (n > 0)
		queue_settle(sender->queue, outcomes, n);
}

void
work_late_done(Sender *sender, Work *work)
{
	ListCell   *lc;

	foreach(lc, work->late)
	{
		const QueueOutcome *outcome = lfirst(lc);

		if (outcome->step == QUEUE_COMPLETED ||
			outcome->step == QUEUE_REJECTED)
			schedule_finish(sender->schedule, outcome->number);
	}
	if (work->kind == WORK_ALL || work->kind == WORK_SETTLE)
		sender_drop_late(sender);
}

void
sender_drop_late(Sender *sender)
{
	sender->late = NIL;
	if (sender->late_context)
		MemoryContextReset(sender->late_context);
}
