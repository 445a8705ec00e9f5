/*-------------------------------------------------------------------------
 *
 * sender_learn.c
 *		How a sender learns what there is to do.
 *
 * New rows come by feed, those beyond a full window by refill, those that are
 * scheduled when they come near, and what may have to go before an urgent
 * request by look-up; schedule.h says when.  What an earlier incarnation left
 * unfinished comes before all of it.
 *
 * A large transaction is fed in bites, one a unit of work.  Until the last of
 * them the schedule lets go only what it knew before, and of other news what
 * is urgent and was looked up in the table.  A bite comes before the feed of
 * the same unit, so that what has changed its transaction meanwhile is not
 * missed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "sender_private.h"

/* How often to look for requests of prepared transactions, ms. */
#define PREPARED_INTERVAL 1000

/*
 * Rows that one refill reads at a time: few, for an urgent request waits
 * while they are read.
 */
#define REFILL_ROWS 1000

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

	if (entry->scheduled > offering->now)
		offering->now = GetCurrentTimestamp();	/* the row is newer */
	if (offering->source == SCHEDULE_REFILL && offering->full)
		return;					/* refused once: no row beyond may come in */
	switch (schedule_offer(sender->schedule, entry, offering->source,
						   offering->now))
	{
		case SCHEDULE_FULL:
			offering->full = true;
			break;
		case SCHEDULE_LATER:
			if (sender->next_later == 0 ||
				entry->scheduled < sender->next_later)
				sender->next_later = entry->scheduled;
			break;
		case SCHEDULE_ADDED:
		case SCHEDULE_KNOWN:
		case SCHEDULE_DEFERRED:
			break;
	}
}

/* The queue has said what is new: the schedule must know if not all is. */
static void
work_feed(Sender *sender, Offering *offering)
{
	sender->feed = false;
	offering->source = SCHEDULE_BITE;
	if (queue_is_unread(sender->queue))
		queue_bite(sender->queue, offer, offering);
	offering->source = SCHEDULE_FEED;
	if (!queue_feed(sender->queue, offer, offering))
		schedule_feed_begin(sender->schedule);
	else if (!queue_is_unread(sender->queue))
		schedule_feed_end(sender->schedule);
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
work_lookups(Sender *sender, Work *work, Offering *offering)
{
	int64		number;

	offering->source = SCHEDULE_LOOKUP;
	while (schedule_next_lookup(sender->schedule, offering->now, &number))
	{
		if (!queue_read_before(sender->queue, number, offer, offering))
			work_pass_over(work, number, PASSED_GONE, 0);
		schedule_lookup_done(sender->schedule, number);
	}
}

static int
compare_numbers(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return left < right ? -1 : left > right;
}

/*
 * Rows have been cancelled or deleted.  Those that would be taken in time are
 * found gone then; what nobody takes must be asked for, or it would hold back
 * its followers for ever.
 */
static void
work_withdrawn(Sender *sender, Work *work)
{
	uint32		cursor = 0;
	int			n = 0;
	int			room = 64;
	int64	   *stuck = palloc(sizeof(int64) * room);
	bool	   *gone;
	ListCell   *lc;

	sender->withdrawn = false;
	while (schedule_next_stuck(sender->schedule, &cursor, &stuck[n]))
		if (++n == room)
			stuck = repalloc_huge(stuck, sizeof(int64) * (room *= 2));
	if (n == 0)
		return;
	qsort(stuck, n, sizeof(int64), compare_numbers);
	gone = palloc(sizeof(bool) * n);
	memset(gone, true, sizeof(bool) * n);
	foreach(lc, queue_still_pending(sender->queue, stuck, n))
	{
		int64	   *found = bsearch(lfirst(lc), stuck, n, sizeof(int64),
									compare_numbers);

		if (found)
			gone[found - stuck] = false;
	}
	for (int i = 0; i < n; i++)
		if (gone[i])
			work_pass_over(work, stuck[i], PASSED_GONE, 0);
}

static void
work_prepared(Sender *sender, TimestampTz now)
{
	sender->prepared = queue_prepared_exist();
	if (!sender->prepared && sender->reload_prepared)
	{
		sender->reload = true;
		sender->reload_prepared = false;
	}
	sender->withdrawn = true;
	sender->next_prepared_look =
		TimestampTzPlusMilliseconds(now, PREPARED_INTERVAL);
	sender->feed = true;
}

/* Looks for what is new, in the way that schedule.h asks for. */
void
work_learn(Sender *sender, Work *work, TimestampTz now)
{
	Offering	offering = {sender, SCHEDULE_FEED, now, false};

	if (sender->prepared && now >= sender->next_prepared_look)
		work_prepared(sender, now);
	if (sender->withdrawn)
		work_withdrawn(sender, work);
	if (sender->feed || queue_is_unread(sender->queue))
		work_feed(sender, &offering);
	if (sender_wants_later(sender, now))
		work_later(sender, &offering);
	if (schedule_wants_refill(sender->schedule, now))
		work_refill(sender, &offering);
	work_lookups(sender, work, &offering);
	sender->paused = queue_is_paused(sender->queue);
}

/*
 * The first unit of work of an incarnation: attempts of earlier ones without
 * an outcome are in doubt.
 */
void
work_recover(Sender *sender, Work *work, TimestampTz now)
{
	List	   *rows = queue_unfinished(sender->queue);
	int			n = list_length(rows);

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
			(errcode(ERRCODE_SUCCESSFUL_COMPLETION),
			 errmsg("provreq: %d attempt(s) of provider \"%s\" were in doubt",
					n, sender->name)));
}
