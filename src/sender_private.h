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
	TimestampTz stop_at;		/* stopping: when patience ends */
} Sender;

/* sender_work.c: one unit of work, in one transaction. */
extern bool sender_has_work(Sender *sender, TimestampTz now);
extern void sender_work(Sender *sender);

/* Messages that may still be submitted now. */
extern int	sender_room(Sender *sender, TimestampTz now);

#endif							/* PROVREQ_SENDER_PRIVATE_H */
