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

/*
 * Records what has landed: all of it, or after an error one at a time.  When
 * somebody was found to hold locks on such rows, theirs wait.
 */
void
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

void
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
	if (sender->careful && work->noutcomes > 0 && sender->nlanded > 0)
		return;
	sender->careful = false;
	sender->nlocked = sender->nlanded;
	sender->locked_until = sender->nlocked == 0 ? 0 :
		TimestampTzPlusMilliseconds(sender->landed_since, LOCKED_DELAY);
}

/*
 * An outcome that failed all alone loses the texts that may be the cause, and
 * lets others go first.
 */
void
work_settle_failed(Sender *sender, Work *work)
{
	QueueOutcome *outcome;

	if (work->noutcomes != 1 || work->settled[0] == NULL)
		return;
	dlist_delete(&work->settled[0]->node);
	dlist_push_tail(&sender->landed, &work->settled[0]->node);
	outcome = &work->settled[0]->outcome;
	outcome->cas.response = NULL;
	outcome->cas.response_data = NULL;
	outcome->cas.provider_error_description = NULL;
	outcome->cas.error_description = "the answer could not be stored";
}
