/*-------------------------------------------------------------------------
 *
 * sender_work.c
 *		One unit of a sender's work: record what landed, learn what is new,
 *		take what is next, all in one transaction.
 *
 * Nothing in memory is changed for good before the commit: outcomes stay in
 * the landed list and taken entries go back if it fails.  A follower on the
 * same ordering key is taken one unit later than its predecessor is settled,
 * so that never two attempts of one key are unfinished in the table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "process.h"
#include "sender_private.h"
#include "settings.h"
#include "wake.h"

/* How long outcomes may wait for company before they are recorded, ms. */
#define SETTLE_DELAY 3

/* How far ahead of time scheduled requests are taken into memory, ms. */
#define LATER_AHEAD 5000

/* How often to look for requests of prepared transactions, ms. */
#define PREPARED_INTERVAL 1000

/* A row that somebody else has locked is tried again after this, ms. */
#define LOCKED_DELAY 200

/* A unit of work that failed is tried again after this, ms. */
#define ERROR_DELAY 1000

/* Rows that one refill reads at a time. */
#define REFILL_ROWS 10000

/* What one unit of work did, to be made good after the commit. */
typedef struct Work
{
	QueueOutcome **outcomes;	/* recorded */
	Flight	  **settled;		/* the same as flights; NULL for recovery */
	int			noutcomes;
	int64	   *taken;			/* numbers marked in flight by the schedule */
	int			ntaken;
	List	   *departing;		/* of Flight *, attempts written */
	List	   *refused;		/* of Flight *, cannot be encoded */
	List	   *passed_over;	/* of ScheduleStep *, see below */
	FlightBatch *batch;			/* of what departs; under the work's context
								 * until the commit */
	bool		recovery;		/* outcomes are those of unfinished attempts */
} Work;

/* What is to be told the schedule about a number that did not depart. */
typedef enum PassedOver
{
	PASSED_GONE,				/* no longer pending */
	PASSED_LOCKED,				/* somebody has it locked */
	PASSED_HELD,				/* held meanwhile */
	PASSED_LATER				/* scheduled for later meanwhile */
} PassedOver;

typedef struct ScheduleStep
{
	int64		number;
	PassedOver	why;
	TimestampTz not_before;
} ScheduleStep;

int
sender_room(Sender *sender, TimestampTz now)
{
	const CasTransport *transport;
	int			limit;

	if (sender->link == NULL || sender->stopping || sender->reload)
		return 0;
	transport = sender->settings->adapter->transport;
	limit = breaker_limit(&sender->breaker, now) - sender->nsubmitted;
	return Max(0, Min(limit, transport->capacity(sender->link)));
}

/* How many more requests may be taken now. */
static int
take_room(Sender *sender, TimestampTz now)
{
	int			room = sender_room(sender, now);

	if (sender->breaker.open)
		return room > 0 && sender->noutbox == 0 ? 1 : 0;
	if (room == 0 && (sender->link == NULL || sender->stopping ||
					  sender->reload))
		return 0;
	room += provreq_batch_size - sender->noutbox;
	if (sender->careful)
		return Min(room, 1);
	return Max(0, Min(room, provreq_batch_size));
}

/* Is it worth a transaction to take more? */
static bool
wants_take(Sender *sender, TimestampTz now)
{
	ScheduleCounts counts;
	int			room = take_room(sender, now);

	if (room == 0)
		return false;
	schedule_counts(sender->schedule, &counts);
	if (counts.ready == 0)
		return false;
	return sender->noutbox < sender_room(sender, now) ||
		room >= provreq_batch_size / 2;
}

static bool
wants_settle(Sender *sender, TimestampTz now)
{
	int			fresh = sender->nlanded - sender->nlocked;

	if (sender->nlocked > 0 && now >= sender->locked_until)
		return true;
	if (fresh == 0)
		return false;
	return fresh >= provreq_batch_size || sender->noutbox == 0 ||
		now >= TimestampTzPlusMilliseconds(sender->landed_since, SETTLE_DELAY);
}

static bool
wants_later(const Sender *sender, TimestampTz now)
{
	return sender->next_later != 0 &&
		now >= TimestampTzPlusMilliseconds(sender->next_later, -LATER_AHEAD);
}

bool
sender_has_work(Sender *sender, TimestampTz now)
{
	int64		number;

	if (now < sender->pause_until)
		return false;
	if (sender->stopping)
		return wants_settle(sender, now);
	(void) schedule_next_time(sender->schedule, now);	/* lets time pass */
	return sender->feed ||
		(!sender->recovered && sender->settings != NULL) ||
		(sender->prepared && now >= sender->next_prepared_look) ||
		wants_settle(sender, now) || wants_take(sender, now) ||
		wants_later(sender, now) ||
		schedule_next_lookup(sender->schedule, now, &number) ||
		schedule_wants_refill(sender->schedule, now);
}

/* ------------------------------------------------------------------------
 * Settling
 * ------------------------------------------------------------------------
 */

/* Leaves only those outcomes whose rows nobody else has locked. */
static void
drop_locked(Sender *sender, Work *work)
{
	int64	   *numbers = palloc(sizeof(int64) * work->noutcomes);
	List	   *lockable;
	List	   *pending;
	int			kept = 0;

	for (int i = 0; i < work->noutcomes; i++)
		numbers[i] = work->outcomes[i]->number;
	lockable = queue_lockable(sender->queue, numbers, work->noutcomes);
	pending = queue_still_pending(sender->queue, numbers, work->noutcomes);
	for (int i = 0; i < work->noutcomes; i++)
	{
		bool		locked = false;
		ListCell   *lc;

		foreach(lc, pending)
			locked = locked || *(int64 *) lfirst(lc) == numbers[i];
		foreach(lc, lockable)
			if (*(int64 *) lfirst(lc) == numbers[i])
				locked = false;
		if (locked)
			continue;
		work->outcomes[kept] = work->outcomes[i];
		work->settled[kept++] = work->settled[i];
	}
	work->noutcomes = kept;
}

/* A text that the table will not take must not keep the outcome from it. */
static void
strip_texts(QueueOutcome *outcome)
{
	outcome->cas.response = NULL;
	outcome->cas.response_data = NULL;
	outcome->cas.provider_error_description = NULL;
	outcome->cas.error_description = "the answer could not be stored";
}

/*
 * Records what has landed: all of it, or after an error one at a time.  When
 * somebody was found to hold locks on such rows, theirs wait.
 */
static void
work_settle(Sender *sender, Work *work)
{
	int			most = sender->careful ? 1 : sender->nlanded;
	dlist_iter	iter;

	if (sender->nlanded == 0)
		return;
	work->outcomes = palloc(sizeof(QueueOutcome *) * sender->nlanded);
	work->settled = palloc(sizeof(Flight *) * sender->nlanded);
	dlist_foreach(iter, &sender->landed)
	{
		Flight	   *flight = dlist_container(Flight, node, iter.cur);

		work->settled[work->noutcomes] = flight;
		work->outcomes[work->noutcomes++] = &flight->outcome;
	}
	if (sender->locked_until != 0)
		drop_locked(sender, work);
	work->noutcomes = Min(work->noutcomes, most);
	if (work->noutcomes > 0)
		queue_settle(sender->queue, work->outcomes, work->noutcomes);
}

/* After the commit: the schedule learns how each attempt ended. */
static void
schedule_settled(Schedule *schedule, const QueueOutcome *outcome)
{
	switch (outcome->step)
	{
		case QUEUE_COMPLETED:
		case QUEUE_REJECTED:
			schedule_finish(schedule, outcome->number);
			break;
		case QUEUE_RETRY:
			schedule_retry(schedule, outcome->number, outcome->retry_date);
			break;
		case QUEUE_HOLD:
			schedule_hold(schedule, outcome->number);
			break;
		case QUEUE_RETURN:
			schedule_return(schedule, outcome->number, 0);
			break;
	}
}

static void
report_held(const Sender *sender, const QueueOutcome *outcome)
{
	if (outcome->step == QUEUE_HOLD)
		ereport(WARNING,
				(errmsg("provreq: request " INT64_FORMAT
						" of provider \"%s\" is held: %s",
						outcome->number, sender->name, outcome->hold_reason),
				 errhint("Find out whether it was carried out, then use provreq.resubmit(" INT64_FORMAT ") or provreq.cancel(" INT64_FORMAT ", …).",
						 outcome->number, outcome->number)));
}

static void
work_settled(Sender *sender, Work *work)
{
	for (int i = 0; i < work->noutcomes; i++)
	{
		schedule_settled(sender->schedule, work->outcomes[i]);
		report_held(sender, work->outcomes[i]);
		if (work->settled[i] == NULL)
			continue;
		dlist_delete(&work->settled[i]->node);
		sender->nlanded--;
		flight_free(work->settled[i]);
	}
	sender->landed_since = GetCurrentTimestamp();
	if (sender->careful && sender->nlanded > 0)
		return;
	sender->careful = false;
	sender->nlocked = sender->nlanded;
	sender->locked_until = sender->nlocked == 0 ? 0 :
		TimestampTzPlusMilliseconds(sender->landed_since, LOCKED_DELAY);
}

/* ------------------------------------------------------------------------
 * Learning
 * ------------------------------------------------------------------------
 */
typedef struct Offering
{
	Sender	   *sender;
	ScheduleSource source;
	TimestampTz now;
	bool		full;
} Offering;

static void
offer(const ScheduleEntry *entry, void *arg)
{
	Offering   *offering = arg;
	Sender	   *sender = offering->sender;

	switch (schedule_offer(sender->schedule, entry, offering->source,
						   offering->now))
	{
		case SCHEDULE_FULL:
			offering->full = true;
			break;
		case SCHEDULE_LATER:
			if (sender->next_later == 0 || entry->scheduled < sender->next_later)
				sender->next_later = entry->scheduled;
			break;
		case SCHEDULE_ADDED:
		case SCHEDULE_KNOWN:
		case SCHEDULE_DEFERRED:
			break;
	}
}

static void
work_refill(Sender *sender, Offering *offering)
{
	int64		after = schedule_refill_begin(sender->schedule);
	int			n;

	offering->source = SCHEDULE_REFILL;
	offering->full = false;
	n = queue_read_after(sender->queue, after, REFILL_ROWS, offer, offering);
	if (n < REFILL_ROWS && !offering->full)
		schedule_refill_complete(sender->schedule);
}

static void
work_later(Sender *sender, Offering *offering)
{
	TimestampTz limit = TimestampTzPlusMilliseconds(offering->now,
													LATER_AHEAD);

	offering->source = SCHEDULE_FEED;
	schedule_set_later_limit(sender->schedule, limit);
	queue_read_later(sender->queue, sender->later_limit, limit, offer,
					 offering);
	sender->later_limit = limit;
	sender->next_later = queue_next_later(sender->queue, limit);
}

static void
work_lookups(Sender *sender, Offering *offering)
{
	int64		number;

	offering->source = SCHEDULE_LOOKUP;
	while (schedule_next_lookup(sender->schedule, offering->now, &number))
	{
		queue_read_before(sender->queue, number, offer, offering);
		schedule_lookup_done(sender->schedule, number);
	}
}

static void
work_prepared(Sender *sender, TimestampTz now)
{
	sender->prepared = queue_prepared_exist();
	sender->next_prepared_look = TimestampTzPlusMilliseconds(now,
															 PREPARED_INTERVAL);
	sender->feed = true;
}

/* Looks for what is new, in the way that schedule.h asks for. */
static void
work_learn(Sender *sender, TimestampTz now)
{
	Offering	offering = {sender, SCHEDULE_FEED, now, false};

	if (sender->prepared && now >= sender->next_prepared_look)
		work_prepared(sender, now);
	if (sender->feed)
	{
		sender->feed = false;
		queue_feed(sender->queue, offer, &offering);
	}
	if (wants_later(sender, now))
		work_later(sender, &offering);
	if (schedule_wants_refill(sender->schedule, now))
		work_refill(sender, &offering);
	work_lookups(sender, &offering);
}

/*
 * The first unit of work of an incarnation: attempts of earlier ones without
 * an outcome are in doubt.
 */
static void
work_recover(Sender *sender, Work *work, TimestampTz now)
{
	List	   *rows = queue_unfinished(sender->queue);
	int			n = list_length(rows);

	work->recovery = true;
	work->outcomes = palloc0(sizeof(QueueOutcome *) * Max(n, 1));
	work->settled = palloc0(sizeof(Flight *) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		QueueOutcome *outcome = palloc0(sizeof(QueueOutcome));
		CasOutcome	result = {.verdict = CAS_UNKNOWN};

		result.error_code = "IN_DOUBT";
		result.error_description =
			"the sender ended before it recorded an outcome";
		flight_decide(outcome, list_nth(rows, i), sender->settings, &result,
					  now);
		work->outcomes[work->noutcomes++] = outcome;
	}
	if (n == 0)
		return;
	queue_settle(sender->queue, work->outcomes, n);
	ereport(LOG,
			(errmsg("provreq: %d attempt(s) of provider \"%s\" were in doubt",
					n, sender->name)));
}

/* ------------------------------------------------------------------------
 * Taking
 * ------------------------------------------------------------------------
 */
static void
pass_over(Work *work, int64 number, PassedOver why, TimestampTz not_before)
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
		pass_over(work, work->taken[i], found ? PASSED_LOCKED : PASSED_GONE,
				  TimestampTzPlusMilliseconds(now, LOCKED_DELAY));
	}
}

/* Makes a flight of a row, unless the row changed its mind. */
static void
take_row(Sender *sender, Work *work, QueueRow *row, TimestampTz now)
{
	Flight	   *flight;

	if (row->held)
		pass_over(work, row->cas.number, PASSED_HELD, 0);
	else if (row->cas.scheduled > now)
		pass_over(work, row->cas.number, PASSED_LATER, row->cas.scheduled);
	else
	{
		flight = flight_make(work->batch, sender->settings, row);
		if (flight->encoded)
			work->departing = lappend(work->departing, flight);
		else
			work->refused = lappend(work->refused, flight);
	}
}

static void
work_take(Sender *sender, Work *work, TimestampTz now)
{
	int			room = take_room(sender, now);
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
	sender->announced = true;
}

static uint32
slot_allocate(Sender *sender)
{
	if (sender->nfree == 0)
	{
		uint32		more = Max(sender->nslots, 64);

		sender->flights = repalloc(sender->flights,
								   sizeof(Flight *) * (sender->nslots + more));
		sender->free_slots = repalloc(sender->free_slots,
									  sizeof(uint32) * (sender->nslots + more));
		for (uint32 i = 0; i < more; i++)
			sender->free_slots[sender->nfree++] = sender->nslots + i;
		sender->nslots += more;
	}
	return sender->free_slots[--sender->nfree];
}

/* After the commit: attempts are in the table, messages may go. */
static void
work_taken(Sender *sender, Work *work)
{
	ListCell   *lc;

	if (work->batch && work->batch->nflights > 0)
		MemoryContextSetParent(work->batch->context, TopMemoryContext);
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

/* ------------------------------------------------------------------------
 * All together
 * ------------------------------------------------------------------------
 */
static void
work_in_transaction(Sender *sender, Work *work, MemoryContext context)
{
	TimestampTz now;

	process_begin();
	MemoryContextSwitchTo(context);
	now = GetCurrentTimestamp();
	if (!queue_lock_table())
	{
		sender->stopping = true;
		sender->deliberate = true;
	}
	else if (!sender->recovered && sender->settings != NULL)
		work_recover(sender, work, now);
	else
	{
		work_settle(sender, work);
		if (!sender->stopping)
		{
			work_learn(sender, now);
			work_take(sender, work, now);
		}
	}
	process_commit();
}

/* It is committed: now memory follows. */
static void
work_done(Sender *sender, Work *work)
{
	work_settled(sender, work);
	work_taken(sender, work);
	if (work->recovery)
	{
		sender->recovered = true;
		sender->queue->primed = false;
		sender->feed = true;
	}
}

/*
 * The transaction failed: nothing of it happened.  What was taken goes back;
 * outcomes stay landed.  Somebody's lock makes us pass over locked rows from
 * now on; any other error makes us go row by row until that goes well, and
 * an outcome that fails all alone loses its texts.
 */
static void
work_failed(Sender *sender, Work *work, const ErrorData *error)
{
	bool		locked = error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE;
	TimestampTz again = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													locked ? LOCKED_DELAY :
													ERROR_DELAY);

	for (int i = 0; i < work->ntaken; i++)
		schedule_return(sender->schedule, work->taken[i], again);
	sender->feed = true;
	if (!locked)
	{
		if (sender->careful && work->noutcomes == 1 &&
			work->settled[0] != NULL)
			strip_texts(&work->settled[0]->outcome);
		sender->careful = true;
		sender->pause_until = again;
	}
	else if (sender->locked_until != 0)
		sender->pause_until = again;
	else
		sender->locked_until = again;
}

/* Locks are nothing to write about unless they last. */
static void
report_failure(Sender *sender, const ErrorData *error)
{
	TimestampTz now = GetCurrentTimestamp();

	if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
	{
		EmitErrorReport();
		return;
	}
	if (!TimestampDifferenceExceeds(sender->lock_reported, now, 60000))
		return;
	sender->lock_reported = now;
	ereport(LOG,
			(errmsg("provreq: the sender of provider \"%s\" finds requests locked by other sessions",
					sender->name),
			 errhint("See pg_locks for who holds locks on provreq.request_pending.")));
}

void
sender_work(Sender *sender)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext,
												  "provreq work",
												  ALLOCSET_DEFAULT_SIZES);
	Work	   *work = MemoryContextAllocZero(context, sizeof(Work));

	PG_TRY();
	{
		work_in_transaction(sender, work, context);
		MemoryContextSwitchTo(context);
		work_done(sender, work);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		report_failure(sender, error);
		process_abort();
		work_failed(sender, work, error);
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextDelete(context);
}
