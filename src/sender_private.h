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
#include "transport.h"
#include "stats.h"

typedef struct Sender
{
	Oid			serverid;
	char	   *name;			/* of the provider */

	/* Settings and link; NULL while the provider cannot be used. */
	MemoryContext settings_context;
	CasSettings *settings;
	CasLink    *link;
	uint32		link_generation;	/* grows with every change of link */
	bool		reload;			/* settings changed: load them when nothing is
								 * in flight */
	TimestampTz reload_again;	/* loading failed: another try; 0 = none */
	int			reload_failures;	/* in a row */

	Queue	   *queue;
	Schedule   *schedule;
	Breaker		breaker;
	SenderStats *stats;			/* what it tells of itself; or NULL */

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
	dlist_head	deferred;		/* could not be recorded, each waits for its
								 * settle_after */
	int			ndeferred;
	TimestampTz next_deferred;	/* the earliest of those */

	/* Late answers to requests that are not in flight now. */
	MemoryContext late_context;
	List	   *late;			/* of LateAnswer * */

	/* What the next unit of work has to do. */
	bool		feed;			/* look for new rows */
	bool		paused;			/* by a person: nothing is taken or submitted;
								 * read with each feed */
	bool		withdrawn;		/* rows may have left the pending part */
	bool		recovered;		/* unfinished attempts were dealt with */
	bool		announced;		/* the supervisor knows that there are
								 * requests */
	bool		prepared;		/* prepared transactions may hold requests */
	bool		reload_prepared;	/* so may DDL */
	TimestampTz next_prepared_look;
	TimestampTz later_limit;	/* rows scheduled up to here were offered */
	TimestampTz next_later;		/* the earliest one beyond it; 0 = none */

	/* After errors. */
	bool		cautious;		/* settle and take in units of their own */
	bool		settle_singly;	/* one outcome at a time */
	int			take_singles;	/* so many rows are to be taken one by one */
	bool		avoid_locked;	/* look for locks before settling */
	TimestampTz lock_reported;
	TimestampTz take_pause;		/* nothing is learned or taken before this */
	TimestampTz pause_until;	/* no work at all before this */

	bool		stopping;
	bool		deliberate;		/* stopping for good, not to be restarted */
	bool		gone;			/* the table is: there is nothing to wait for
								 * and nowhere to record it */
	TimestampTz stop_at;		/* stopping: end of patience with the CAS */
	TimestampTz leave_at;		/* stopping: end of all patience */
} Sender;

/* How far ahead of time scheduled requests are taken into memory, ms. */
#define LATER_AHEAD 5000

/* A row that somebody else has locked is tried again after this, ms. */
#define LOCKED_DELAY 200

/* What a unit of work is to do. */
typedef enum WorkKind
{
	WORK_RECOVER,				/* what an earlier incarnation left */
	WORK_ALL,					/* settle, learn, take */
	WORK_SETTLE,				/* what landed */
	WORK_DEFERRED,				/* what could not be settled before */
	WORK_TAKE					/* learn, take */
} WorkKind;

/* What one unit of work did, to be made good after the commit. */
typedef struct Work
{
	WorkKind	kind;
	bool		settling;		/* an error now is one of settling */
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
	Flight	  **locked;			/* not settled: their rows are locked */
	int			nlocked;
	List	   *late;			/* of QueueOutcome *, made of late answers */
	List	   *numbers;		/* of NumberBlock *, reserved for links */
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

/* sender_flights.c: between the table and the transport. */
extern void sender_submit(Sender *sender, TimestampTz now);
extern void sender_recall(Sender *sender, TimestampTz now);
extern void sender_move_bytes(Sender *sender);
extern void sender_abandon(Sender *sender, TimestampTz now);

/* Puts a flight among the landed, its slot free for another. */
extern void sender_flight_landed(Sender *sender, Flight *flight);
extern void sender_leave_outbox(Sender *sender, Flight *flight);

/* sender_late.c: answers that come after their attempts ended. */
extern void sender_take_late(Sender *sender, const CasReply *reply,
							 TimestampTz now);
extern void work_late(Sender *sender, Work *work, TimestampTz now);
extern void work_late_done(Sender *sender, Work *work);
extern void sender_drop_late(Sender *sender);

/* sender_numbers.c: what links number their messages with. */
extern bool sender_wants_numbers(const Sender *sender);
extern void work_numbers(Sender *sender, Work *work);
extern void work_numbers_done(Sender *sender, Work *work);

/* sender_settings.c: follows server, mapping and profile. */
extern void sender_reload(Sender *sender);
extern void sender_drop_link(Sender *sender);

/* sender_settle.c: what landed is recorded; after the commit, forgotten. */
extern void work_settle(Sender *sender, Work *work);
extern void work_settled(Sender *sender, Work *work);
extern void work_settle_failed(Sender *sender, Work *work,
							   const ErrorData *error);
extern bool sender_wants_deferred(const Sender *sender, TimestampTz now);

/* sender_learn.c: what is new in the table, and what was left unfinished. */
extern void work_learn(Sender *sender, Work *work, TimestampTz now);
extern void work_recover(Sender *sender, Work *work, TimestampTz now);

/* sender_take.c: attempts are written; after the commit, they may go. */
extern void work_take(Sender *sender, Work *work, TimestampTz now);
extern void work_taken(Sender *sender, Work *work);
extern void work_pass_over(Work *work, int64 number, PassedOver why,
						   TimestampTz not_before);

/* sender_stats.c: what it tells of itself. */
extern void sender_count_outcome(Sender *sender, const QueueOutcome *outcome);
extern void sender_count_attempts(Sender *sender, int n);
extern void sender_publish(Sender *sender);

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
