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
 * After an error, settling and taking are units of their own, and if that
 * does not help rows go one by one, until the one at fault is found: one bad
 * row stops no other.
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

/*
 * How long outcomes may wait for company before they are recorded, in ms:
 * while there is enough to send, and while requests wait for their outcome.
 */
#define SETTLE_DELAY 3
#define SETTLE_DELAY_STARVING 1

/* A unit of work that failed is tried again after this, ms. */
#define ERROR_DELAY 1000

/* A row that failed all alone is left for so much longer, ms. */
#define QUARANTINE_DELAY 60000

int
sender_room(Sender *sender, TimestampTz now)
{
	const CasTransport *transport;
	int			limit;

	if (sender->link == NULL || sender->stopping || sender->reload ||
		sender->paused)
		return 0;
	transport = sender->settings->adapter->transport;
	limit = breaker_limit(&sender->breaker, now) - sender->nsubmitted;
	return Max(0, Min(limit, transport->capacity(sender->link)));
}

/* How many more requests may be taken now. */
int
sender_take_room(Sender *sender, TimestampTz now)
{
	int			room = sender_room(sender, now);

	if (sender->breaker.open)
		return room > 0 && sender->noutbox == 0 ? 1 : 0;
	if (room == 0 && (sender->link == NULL || sender->stopping ||
					  sender->reload || sender->paused))
		return 0;
	room = Max(0, room + provreq_batch_size - sender->noutbox);
	return Min(room, sender->take_singles > 0 ? 1 : provreq_batch_size);
}

/* Is it worth a transaction to take more? */
static bool
wants_take(Sender *sender, TimestampTz now)
{
	ScheduleCounts counts;
	int			room = sender_take_room(sender, now);

	if (room == 0)
		return false;
	schedule_counts(sender->schedule, &counts);
	if (counts.ready == 0)
		return false;
	return sender->noutbox < sender_room(sender, now) ||
		room >= provreq_batch_size / 2;
}

TimestampTz
sender_settle_time(const Sender *sender)
{
	if (sender->nsubmitted == 0 && sender->noutbox == 0)
		return sender->landed_since;
	return TimestampTzPlusMilliseconds(sender->landed_since,
									   sender->noutbox == 0 ?
									   SETTLE_DELAY_STARVING : SETTLE_DELAY);
}

static bool
wants_settle(Sender *sender, TimestampTz now)
{
	if (sender->late != NIL)
		return true;
	return sender->nlanded > 0 &&
		(sender->nlanded >= provreq_batch_size ||
		 now >= sender_settle_time(sender));
}

bool
sender_wants_later(const Sender *sender, TimestampTz now)
{
	return sender->next_later != 0 &&
		now >= TimestampTzPlusMilliseconds(sender->next_later, -LATER_AHEAD);
}

/* Is there something to learn or to take? */
static bool
wants_more(Sender *sender, TimestampTz now)
{
	int64		number;

	if (sender->stopping || now < sender->take_pause)
		return false;
	(void) schedule_next_time(sender->schedule, now);	/* lets time pass */
	return sender->feed || queue_is_unread(sender->queue) ||
		sender->withdrawn ||
		sender_wants_numbers(sender) ||
		(sender->prepared && now >= sender->next_prepared_look) ||
		wants_take(sender, now) || sender_wants_later(sender, now) ||
		schedule_next_lookup(sender->schedule, now, &number) ||
		schedule_wants_refill(sender->schedule, now);
}

static bool
wants_recovery(const Sender *sender)
{
	return !sender->recovered && sender->settings != NULL &&
		!sender->stopping;
}

bool
sender_has_work(Sender *sender, TimestampTz now)
{
	if (now < sender->pause_until)
		return false;
	return wants_recovery(sender) || wants_settle(sender, now) ||
		sender_wants_deferred(sender, now) || wants_more(sender, now);
}

/* ------------------------------------------------------------------------
 * One unit
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
		sender->gone = true;
	}
	else if (work->kind == WORK_RECOVER)
		work_recover(sender, work, now);
	else
	{
		if (work->kind != WORK_TAKE)
			work_settle(sender, work);
		if (work->kind == WORK_ALL || work->kind == WORK_SETTLE)
			work_late(sender, work, now);
		if (work->kind == WORK_ALL || work->kind == WORK_TAKE)
			work_numbers(sender, work);
		if (!sender->stopping && now >= sender->take_pause &&
			(work->kind == WORK_ALL || work->kind == WORK_TAKE))
		{
			work_learn(sender, work, now);
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
	work_late_done(sender, work);
	work_numbers_done(sender, work);
	work_taken(sender, work);
	if (work->kind == WORK_RECOVER)
	{
		sender->recovered = true;
		sender->queue->primed = false;
		sender->feed = true;
	}
	if (work->kind != WORK_TAKE)
		return;
	sender->take_singles = Max(0, sender->take_singles - work->ntaken);
	sender->cautious = sender->settle_singly || sender->take_singles > 0;
}

/*
 * The server is short of something, or on its way down, or the table lacks a
 * right or a column: not the fault of a row.
 */
static bool
is_passing(const ErrorData *error)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return category == ERRCODE_INSUFFICIENT_RESOURCES ||
		category == ERRCODE_OPERATOR_INTERVENTION ||
		category == ERRCODE_SYSTEM_ERROR ||
		category == ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION;
}

/* Gives back to the schedule what was taken; one that failed alone waits. */
static void
untake(Sender *sender, Work *work, bool blame, TimestampTz now)
{
	TimestampTz again = 0;

	if (blame && work->kind == WORK_TAKE && work->ntaken == 1)
		again = TimestampTzPlusMilliseconds(now, QUARANTINE_DELAY);
	for (int i = 0; i < work->ntaken; i++)
		schedule_return(sender->schedule, work->taken[i], again);
	sender->take_singles = work->ntaken > 1 ? work->ntaken :
		Max(0, sender->take_singles - work->ntaken);
	if (work->ntaken == 0)
		sender->take_pause = TimestampTzPlusMilliseconds(now, ERROR_DELAY);
}

/*
 * The transaction failed: nothing of it happened.  What was taken goes back,
 * outcomes stay to be recorded.  Somebody's lock makes us look for locks from
 * now on, and what will pass is waited for.  Any other error is cornered:
 * settling and taking in units of their own, then one by one.
 */
static void
work_failed(Sender *sender, Work *work, const ErrorData *error)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		locked = error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE;
	bool		passing = is_passing(error);

	sender->feed = sender->withdrawn = true;

	/*
	 * A feed does not see rows that its own transaction closed for a late
	 * answer, and what others have changed of them would be missed.
	 */
	if (sender->late != NIL)
		sender->queue->primed = false;
	sender_drop_late(sender);
	if (work->ntaken > 0 || (!work->settling && !locked && !passing))
		untake(sender, work, !locked && !passing, now);
	if (locked && !sender->avoid_locked)
		sender->avoid_locked = true;
	else if (locked)
		sender->pause_until = TimestampTzPlusMilliseconds(now, LOCKED_DELAY);
	else if (passing || work->kind == WORK_RECOVER)
		sender->pause_until = TimestampTzPlusMilliseconds(now, ERROR_DELAY);
	else
	{
		sender->cautious = true;
		if (work->settling && work->kind != WORK_ALL)
			work_settle_failed(sender, work, error);
	}
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
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("provreq: the sender of provider \"%s\" finds requests locked by other sessions",
					sender->name),
			 errhint("See pg_locks for who holds locks on provreq.request_pending or provreq.request_closed.")));
}

/*
 * After the commit nothing may fail: if it does, the error ends the process,
 * and the next incarnation finds what there is in the table.
 */
static void
work_unit(Sender *sender, WorkKind kind)
{
	volatile bool committed = false;
	MemoryContext context = AllocSetContextCreate(TopMemoryContext,
												  "provreq work",
												  ALLOCSET_DEFAULT_SIZES);
	Work	   *work = MemoryContextAllocZero(context, sizeof(Work));

	work->kind = kind;
	PG_TRY();
	{
		work_in_transaction(sender, work, context);
		committed = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		report_failure(sender, error);
		process_abort();
		MemoryContextSwitchTo(context);
		work_failed(sender, work, error);
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	if (committed)
		work_done(sender, work);
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextDelete(context);
}

void
sender_work(Sender *sender)
{
	TimestampTz now = GetCurrentTimestamp();

	if (wants_recovery(sender))
	{
		work_unit(sender, WORK_RECOVER);
		return;
	}
	if (sender_wants_deferred(sender, now))
		work_unit(sender, WORK_DEFERRED);
	if (!sender->cautious)
	{
		if (wants_settle(sender, now) || wants_more(sender, now))
			work_unit(sender, WORK_ALL);
		return;
	}
	if (wants_settle(sender, now))
		work_unit(sender, WORK_SETTLE);
	if (!sender->stopping && now >= sender->take_pause)
		work_unit(sender, WORK_TAKE);
}
