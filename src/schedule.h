/*-------------------------------------------------------------------------
 *
 * schedule.h
 *		In which order the requests of one provider go out.
 *
 * Pure: no SQL, no clock, no I/O.  Whoever owns a Schedule passes the
 * instant "now" and tells it what happened; the schedule says what may go
 * next.  It holds a bounded window of the table; what it did not take in
 * ("deferred") is found again in the table, in the way described below.
 *
 * Order of one key (promise P2)
 *
 * An entry is due once "now" has reached its scheduled instant, and stays
 * so if the clock is set back.  Until then it waits outside of all queues
 * and blocks nobody.  A due entry stands in the queue of each of its keys:
 * what is in flight first, then what has been out, then by number.  So an
 * arrival with a lower number goes before those that are waiting, and behind
 * one that is in flight or has been out.  An entry is ready when it is due,
 * not held, its not_before has been reached, and it is first in all of its
 * queues.  One that is held or waits for not_before keeps its place and
 * holds back its followers.  At most one entry of a key is in flight.
 *
 * Order of the ready ones (promise P3)
 *
 * By effective urgency, then scheduled, then number.  The effective urgency
 * is the most urgent of the entry's own and of all due entries behind it in
 * its queues, whose effective urgency counts: an EXPRESS request lifts the
 * earlier ones of its keys, they lift theirs.  An entry that waits for
 * not_before lifts; a held one cannot go and does not lift, nor does it pass
 * on what is behind it, until it is released.  A lift stays with an entry
 * until it is taken, also when the one that caused it is removed; one that
 * comes back is lifted anew by what is behind it then.
 *
 * The window
 *
 * At most "window" entries that can go without outside help are kept; those
 * behind a held or waiting entry do not count, so that a blocked smartcard
 * starves nobody, up to a hard cap of SCHEDULE_CAP_FACTOR windows.  When a
 * REGULAR one more is offered the schedule overflows: everything with a
 * number up to the horizon is in memory, a REGULAR entry beyond it is
 * deferred, and its keys go into a Bloom filter.  Taken in at any time are:
 * numbers up to the horizon, which gives way when many of them come late;
 * what has been out or is held; what goes before an entry in memory; and
 * urgent entries (immediate, express).  If a key of
 * such an entry is in the filter, a deferred request may have to go before
 * it; the entry then does not become ready before its owner has looked them
 * up in the table.
 *
 * Feeds in parts
 *
 * What is new may be too much to be read at one go while urgent requests
 * wait.  Between schedule_feed_begin and schedule_feed_end the owner knows
 * that there is more than it has offered.  What was ready stays so.  What is
 * taken in meanwhile may have an unread one to go before it: it becomes ready
 * when the feed has ended, or before, if it is urgent or lifted, when its
 * owner has looked it up.  What belongs to the feed itself (BITE) waits for
 * the end however urgent it is, unless the look-up of another one finds it.
 * So an unread request is overtaken by those alone that were seen before it,
 * and requests seen together keep their order among themselves.
 *
 * What the owner does
 *
 *		start: offer every pending request in order of number, FEED
 *		then, each turn:
 *		offer what is new in the table, in order of number, FEED; or, if that
 *		is too much, schedule_feed_begin, offer some of it, BITE, each turn,
 *		and all that is new since, FEED, and in the end schedule_feed_end
 *		if (schedule_wants_refill(schedule, now))
 *		{
 *			after = schedule_refill_begin(schedule);
 *			read pending requests (the due ones, or all), number > after,
 *			by number, with LIMIT
 *			offer each, REFILL, until one is SCHEDULE_FULL
 *			if the rows ended (fewer than LIMIT, none SCHEDULE_FULL)
 *				schedule_refill_complete(schedule);
 *		}
 *		while (schedule_next_lookup(schedule, now, &number))
 *		{
 *			read the pending, due requests with a lower number that share
 *			an ordering key with that one, and offer each, LOOKUP
 *			schedule_lookup_done(schedule, number);
 *		}
 *		schedule_take(...)
 *
 * The snapshot of a refill or look-up must not be older than that of the
 * last FEED, or schedule_feed_begin, and a refill's is taken after
 * schedule_refill_begin.  Rows that
 * closed must be committed as closed before schedule_finish or
 * schedule_remove is called for them.  A request may be offered more often
 * than needed, never less.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_SCHEDULE_H
#define PROVREQ_SCHEDULE_H

#include "datatype/timestamp.h"

typedef struct Schedule Schedule;

/* At most so many windows of entries in memory, blocked ones included. */
#define SCHEDULE_CAP_FACTOR 8

/* One request, as it is offered; the schedule copies what it needs. */
typedef struct ScheduleEntry
{
	int64		number;
	bool		immediate;
	bool		express;
	bool		held;			/* waits for schedule_release */
	bool		been_out;		/* an attempt that counts was made: nothing
								 * may go before it any more */
	TimestampTz scheduled;
	TimestampTz not_before;		/* retry not earlier; 0 = none */
	int			nkeys;
	const uint64 *keys;			/* hashes of the ordering keys, any order; a
								 * collision merely adds order.  They must not
								 * change during the life of a request */
} ScheduleEntry;

/* Why a request is offered. */
typedef enum ScheduleSource
{
	SCHEDULE_FEED,				/* new in the table, or changed there */
	SCHEDULE_BITE,				/* the same, where a feed is read in parts */
	SCHEDULE_REFILL,			/* the next one beyond the horizon */
	SCHEDULE_LOOKUP				/* may have to go before the looked-up one */
} ScheduleSource;

typedef enum ScheduleOffered
{
	SCHEDULE_ADDED,				/* in memory now */
	SCHEDULE_KNOWN,				/* was in memory; a FEED updates its fields
								 * unless it is in flight, the other sources
								 * change nothing */
	SCHEDULE_DEFERRED,			/* in the table only; a refill will find it */
	SCHEDULE_LATER,				/* beyond the later limit: offer it again when
								 * the limit has moved, or when it is due */
	SCHEDULE_FULL				/* REFILL only: not taken, stop reading */
} ScheduleOffered;

/* For views and logs. */
typedef struct ScheduleCounts
{
	uint32		in_memory;		/* all below together, and those that wait in
								 * the queue of a key */
	uint32		ready;
	uint32		in_flight;
	uint32		retrying;		/* due, waiting for not_before */
	uint32		held;
	uint32		later;			/* not yet due */
	uint32		unchecked;		/* wait for a look-up */
	uint32		sendable;		/* what counts against the window */
	bool		overflowing;	/* something is in the table only */
	uint64		deferred;		/* how often since the overflow began */
	Size		bytes;			/* memory used */
} ScheduleCounts;

/*
 * An empty schedule in the current memory context, where it stays.  The
 * filter has about ten bits for each of filter_keys keys, and takes memory
 * only while the schedule overflows; when it gets too many keys, more
 * look-ups than needed are asked for, and nothing worse.
 */
extern Schedule *schedule_create(uint32 window, uint32 filter_keys);
extern void schedule_free(Schedule *schedule);

/*
 * Entries that are not due and scheduled after the limit are not taken in.
 * At first there is no limit.
 */
extern void schedule_set_later_limit(Schedule *schedule, TimestampTz limit);

/*
 * Takes in one request, or says why not.  A known one that is offered with
 * FEED gets the new fields, except that been_out is never taken back.
 */
extern ScheduleOffered schedule_offer(Schedule *schedule,
									  const ScheduleEntry *entry,
									  ScheduleSource source, TimestampTz now);

/*
 * Marks up to max ready entries as in flight and stores their numbers in
 * the order of P3.  Returns how many.
 */
extern int	schedule_take(Schedule *schedule, TimestampTz now, int64 *numbers,
						  int max);

/*
 * What became of an entry.  All return false, and change nothing, when the
 * number is not in memory (or, where that is said, not in flight).
 */

/* It is closed: forget it, in flight or not. */
extern bool schedule_finish(Schedule *schedule, int64 number);

/*
 * It was in flight and did not go out after all: back as if it had not been
 * taken, not before the given instant (0 = at once).  What has arrived with
 * a lower number goes before it, unless it had been out already.
 */
extern bool schedule_return(Schedule *schedule, int64 number,
							TimestampTz not_before);

/* It was in flight, has been out, and is to go again (0 = at once). */
extern bool schedule_retry(Schedule *schedule, int64 number,
						   TimestampTz not_before);

/*
 * It waits for a person.  One in flight has been out and is no longer in
 * flight, but keeps its place.
 */
extern bool schedule_hold(Schedule *schedule, int64 number);

/* A held one may go, at once if it is first; false also when not held. */
extern bool schedule_release(Schedule *schedule, int64 number);

/* It was cancelled while waiting; false also when it is in flight. */
extern bool schedule_remove(Schedule *schedule, int64 number);

/*
 * Should the owner refill now?  True while the schedule overflows, fewer
 * than half a window of entries can go, there is room below the cap, and no
 * feed is read in parts.
 */
extern bool schedule_wants_refill(Schedule *schedule, TimestampTz now);

/*
 * Starts a refill, which may also be a continued one: returns the horizon,
 * read what is beyond it.
 */
extern int64 schedule_refill_begin(Schedule *schedule);

/*
 * The rows ended, all of them offered.  Ends the overflow and returns true,
 * unless something was deferred since the begin: then the refill is to be
 * repeated.
 */
extern bool schedule_refill_complete(Schedule *schedule);

/*
 * An entry (of the most urgent ones that with the lowest number) before which
 * deferred or unread requests may have to go; false when there is none.  It
 * is named again and again until schedule_lookup_done.
 */
extern bool schedule_next_lookup(Schedule *schedule, TimestampTz now,
								 int64 *number);

/*
 * All that share a key with it and have a lower number have been offered.
 * They may in turn need a look-up for their other keys.
 */
extern bool schedule_lookup_done(Schedule *schedule, int64 number);

/*
 * Requests have become visible to the owner that it will not offer all at
 * once: to be called before any of these is offered, also when others are
 * still unread.
 */
extern void schedule_feed_begin(Schedule *schedule);

/* All that is visible has been offered; nothing happens if it always was. */
extern void schedule_feed_end(Schedule *schedule);

/*
 * The earliest instant after now at which time alone may make something
 * ready; 0 when there is none.
 */
extern TimestampTz schedule_next_time(Schedule *schedule, TimestampTz now);

/*
 * One after the other, the entries that nobody takes for now though they are
 * due or held: held ones, and those that wait for not_before.  *cursor is 0
 * for the first.  False at the end.
 */
extern bool schedule_next_stuck(const Schedule *schedule, uint32 *cursor,
								int64 *number);

extern bool schedule_knows(const Schedule *schedule, int64 number);
extern bool schedule_is_in_flight(const Schedule *schedule, int64 number);
extern void schedule_counts(const Schedule *schedule, ScheduleCounts *counts);

#ifdef SCHEDULE_TEST
/* Elements looked at or moved since the program began. */
extern uint64 schedule_steps;
#endif

#endif							/* PROVREQ_SCHEDULE_H */
