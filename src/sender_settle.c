/*-------------------------------------------------------------------------
 *
 * sender_settle.c
 *		Recording what became of the flights that landed.
 *
 * All of it in one go, as a rule.  When somebody else holds locks on such
 * rows theirs wait; after any other error it goes one by one, so that one
 * outcome that cannot be stored keeps no other from it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "sender_private.h"

/* An outcome that failed alone is retried after this, doubled each time. */
#define DEFER_DELAY 1000
#define DEFER_DELAY_MAX 60000

bool
sender_wants_deferred(const Sender *sender, TimestampTz now)
{
	return sender->ndeferred > 0 && now >= sender->next_deferred;
}

/* It is counted first: if it cannot be described, it is the one at fault. */
static void
choose(Sender *sender, Work *work, Flight *flight)
{
	work->settled[work->noutcomes] = flight;
	work->outcomes[work->noutcomes++] = &flight->outcome;
	if (sender->settings && flight->encoded)
		flight_describe(flight, sender->settings);
}

/* All that landed, or only the first. */
static void
choose_landed(Sender *sender, Work *work)
{
	dlist_iter	iter;

	dlist_foreach(iter, &sender->landed)
	{
		if (sender->settle_singly && work->noutcomes > 0)
			return;
		choose(sender, work, dlist_container(Flight, node, iter.cur));
	}
}

/*
 * Of the deferred whose time has come, those that were locked by others; if
 * there are none, the first of those that failed.
 */
static void
choose_deferred(Sender *sender, Work *work, TimestampTz now)
{
	Flight	   *failed = NULL;
	dlist_iter	iter;

	dlist_foreach(iter, &sender->deferred)
	{
		Flight	   *flight = dlist_container(Flight, node, iter.cur);

		if (flight->settle_after > now)
			continue;
		if (flight->failures == 0)
			choose(sender, work, flight);
		else if (failed == NULL)
			failed = flight;
	}
	if (work->noutcomes == 0 && failed != NULL)
		choose(sender, work, failed);
}

static bool
numbers_have(List *numbers, int64 number)
{
	ListCell   *lc;

	foreach(lc, numbers)
		if (*(int64 *) lfirst(lc) == number)
		return true;
	return false;
}

/* Leaves only those outcomes whose rows nobody else has locked. */
static void
drop_locked(Sender *sender, Work *work)
{
	int			n = work->noutcomes;
	int64	   *numbers = palloc(sizeof(int64) * n);
	List	   *lockable;
	List	   *pending;

	for (int i = 0; i < n; i++)
		numbers[i] = work->outcomes[i]->number;
	lockable = queue_lockable(sender->queue, numbers, n);
	pending = queue_still_pending(sender->queue, numbers, n);
	work->locked = palloc(sizeof(Flight *) * n);
	work->noutcomes = 0;
	for (int i = 0; i < n; i++)
	{
		Flight	   *flight = work->settled[i];

		if (numbers_have(pending, numbers[i]) &&
			!numbers_have(lockable, numbers[i]))
			work->locked[work->nlocked++] = flight;
		else
			choose(sender, work, flight);
	}
}

/*
 * Records what has landed, or what was deferred, as the kind of work says.
 * When somebody was found to hold locks on such rows, theirs wait.
 */
void
work_settle(Sender *sender, Work *work)
{
	int			room = sender->nlanded + sender->ndeferred;

	if (room == 0)
		return;
	work->settling = true;
	work->outcomes = palloc(sizeof(QueueOutcome *) * room);
	work->settled = palloc(sizeof(Flight *) * room);
	if (work->kind == WORK_DEFERRED)
		choose_deferred(sender, work, GetCurrentTimestamp());
	else
		choose_landed(sender, work);
	if (sender->avoid_locked && work->noutcomes > 0)
		drop_locked(sender, work);
	if (work->noutcomes > 0)
		queue_settle(sender->queue, work->outcomes, work->noutcomes);
	work->settling = false;
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
		case QUEUE_NOTE:
			break;
	}
}

static void
report_held(const Sender *sender, const QueueOutcome *outcome)
{
	if (outcome->step == QUEUE_HOLD)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("provreq: request " INT64_FORMAT
						" of provider \"%s\" is held: %s",
						outcome->number, sender->name, outcome->hold_reason),
				 errhint("Find out whether it was carried out, then use provreq.resubmit(" INT64_FORMAT ") or provreq.cancel(" INT64_FORMAT ", '...').",
						 outcome->number, outcome->number)));
}

/* Takes a flight out of the list that it is in. */
static void
unlist(Sender *sender, WorkKind kind, Flight *flight)
{
	dlist_delete(&flight->node);
	if (kind == WORK_DEFERRED)
		sender->ndeferred--;
	else
		sender->nlanded--;
}

/* Puts a flight off for some ms. */
static void
defer(Sender *sender, WorkKind kind, Flight *flight, int delay)
{
	unlist(sender, kind, flight);
	flight->settle_after = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													   delay);
	dlist_push_tail(&sender->deferred, &flight->node);
	sender->ndeferred++;
}

/* The earliest instant at which a deferred one is to be tried again. */
static void
find_next_deferred(Sender *sender)
{
	dlist_iter	iter;

	sender->next_deferred = DT_NOEND;
	dlist_foreach(iter, &sender->deferred)
	{
		Flight	   *flight = dlist_container(Flight, node, iter.cur);

		sender->next_deferred = Min(sender->next_deferred,
									flight->settle_after);
	}
}

void
work_settled(Sender *sender, Work *work)
{
	for (int i = 0; i < work->noutcomes; i++)
	{
		schedule_settled(sender->schedule, work->outcomes[i]);
		sender_count_outcome(sender, work->outcomes[i]);
		report_held(sender, work->outcomes[i]);
		if (work->settled[i] == NULL)
			continue;
		unlist(sender, work->kind, work->settled[i]);
		flight_free(work->settled[i]);
	}
	for (int i = 0; i < work->nlocked; i++)
		defer(sender, work->kind, work->locked[i], LOCKED_DELAY);
	if (work->kind == WORK_DEFERRED || work->nlocked > 0)
		find_next_deferred(sender);
	sender->landed_since = GetCurrentTimestamp();
	if (sender->nlanded == 0)
		sender->settle_singly = false;
	if (sender->ndeferred == 0 && work->nlocked == 0 &&
		work->noutcomes > 0)
		sender->avoid_locked = false;
}

/*
 * The answer's own texts are what the table did not take: the outcome must
 * not be lost for them.
 */
static void
drop_answer(Flight *flight, const ErrorData *error)
{
	MemoryContext old = MemoryContextSwitchTo(flight->batch->context);
	CasOutcome *cas = &flight->outcome.cas;

	cas->response = psprintf("(the answer could not be stored: %s)",
							 error->message);
	cas->response_data = NULL;
	cas->provider_error_description = NULL;
	MemoryContextSwitchTo(old);
}

/*
 * After an error: many go one by one from now on, and one that failed alone
 * waits, so that it stops no other.
 */
void
work_settle_failed(Sender *sender, Work *work, const ErrorData *error)
{
	Flight	   *flight;
	int			delay = DEFER_DELAY;

	if (work->noutcomes != 1)
	{
		/* of the deferred, those that failed go one by one */
		for (int i = 0; i < work->noutcomes; i++)
			if (work->kind == WORK_DEFERRED)
				work->settled[i]->failures++;
		if (work->kind != WORK_DEFERRED)
			sender->settle_singly = true;
		return;
	}
	flight = work->settled[0];
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_DATA_EXCEPTION)
		drop_answer(flight, error);
	for (int i = 0; i < flight->failures && delay < DEFER_DELAY_MAX; i++)
		delay *= 2;
	flight->failures++;
	defer(sender, work->kind, flight, Min(delay, DEFER_DELAY_MAX));
	find_next_deferred(sender);
}
