/*-------------------------------------------------------------------------
 *
 * sender_private.h
 *		The state of a sender, shared by the files that make one up.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_SENDER_PRIVATE_H
#define PROVREQ_SENDER_PRIVATE_H

#include "breaker.h"
#include "flight.h"
#include "provider.h"
#include "queue.h"
#include "schedule.h"

typedef struct Sender
{
	Oid			serverid;
	char	   *name;			/* of the provider */

	/* Settings and link; NULL while the provider cannot be used. */
	MemoryContext settings_context;
	CasSettings *settings;
	CasLink    *link;
	bool		reload;			/* settings changed: load them when nothing is
								 * in flight */

	Queue	   *queue;
	Schedule   *schedule;
	Breaker		breaker;

	/* Flights: a table by slot, and lists of those not in flight. */
	Flight	  **flights;
	uint32		nslots;
	uint32	   *free_slots;
	uint32		nfree;
	dlist_head	outbox;			/* attempted, not all parts submitted */
	int			noutbox;
	int			nsubmitted;		/* messages that wait for an answer */
	dlist_head	landed;			/* have an outcome to record */
	int			nlanded;
	TimestampTz landed_since;	/* the oldest of them */

	/* What the next unit of work has to do. */
	bool		feed;			/* look for new rows */
	bool		withdrawn;		/* rows may have left the pending part */
	bool		recovered;		/* unfinished attempts were dealt with */
	bool		announced;		/* the supervisor knows that there are requests */
	bool		prepared;		/* prepared transactions may hold requests */
	TimestampTz next_prepared_look;
	TimestampTz later_limit;	/* rows scheduled up to here were offered */
	TimestampTz next_later;		/* the earliest one beyond it; 0 = none */
	bool		careful;		/* after an error: one row at a time */
	int			nlocked;		/* landed, but the row was locked by others */
	TimestampTz locked_until;	/* not 0: pass over locked rows, and try them
								 * again then */
	TimestampTz lock_reported;
	TimestampTz pause_until;	/* after an error: no work before this */

	bool		stopping;
	bool		deliberate;		/* stopping for good, not to be restarted */
	TimestampTz stop_at;		/* stopping: when patience with the CAS ends */
	TimestampTz leave_at;		/* stopping: when all patience ends */
} Sender;

/* How far ahead of time scheduled requests are taken into memory, ms. */
#define LATER_AHEAD 5000

/* A row that somebody else has locked is tried again after this, ms. */
#define LOCKED_DELAY 200

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
	List	   *passed_over;	/* of ScheduleStep * */
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

/* sender_settings.c: follows server, mapping and profile. */
extern void sender_reload(Sender *sender);
extern void sender_drop_link(Sender *sender);

/* sender_settle.c: what landed is recorded; after the commit, forgotten. */
extern void work_settle(Sender *sender, Work *work);
extern void work_settled(Sender *sender, Work *work);
extern void work_settle_failed(Sender *sender, Work *work);

/* sender_learn.c: what is new in the table, and what was left unfinished. */
extern void work_learn(Sender *sender, Work *work, TimestampTz now);
extern void work_recover(Sender *sender, Work *work, TimestampTz now);

/* sender_take.c: attempts are written; after the commit, they may go. */
extern void work_take(Sender *sender, Work *work, TimestampTz now);
extern void work_taken(Sender *sender, Work *work);
extern void work_pass_over(Work *work, int64 number, PassedOver why,
						   TimestampTz not_before);

/* sender_work.c: one unit of work, in one transaction. */
extern bool sender_has_work(Sender *sender, TimestampTz now);
extern void sender_work(Sender *sender);

/* Messages that may still be submitted now. */
extern int	sender_room(Sender *sender, TimestampTz now);

/* Requests that may be taken now. */
extern int	sender_take_room(Sender *sender, TimestampTz now);

/* When outcomes that landed are to be recorded at the latest. */
extern TimestampTz sender_settle_time(const Sender *sender);

/* Are scheduled requests near enough to be read? */
extern bool sender_wants_later(const Sender *sender, TimestampTz now);

#endif							/* PROVREQ_SENDER_PRIVATE_H */
