/*-------------------------------------------------------------------------
 *
 * queue.h
 *		The request table as the queue of one provider: what a sender does
 *		with it.
 *
 * Every function runs inside the caller's transaction.  What they return
 * lives in the caller's memory context.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_QUEUE_H
#define PROVREQ_QUEUE_H

#include "access/transam.h"
#include "adapter.h"
#include "schedule.h"

/* What one sender knows of the table. */
typedef struct Queue
{
	char	   *provider;
	const CasAdapter *adapter;
	int64		incarnation;	/* of this sender; marks its attempts */
	bool		primed;			/* the whole pending part was read once */
	FullTransactionId xmax;		/* last feed: nothing from here on was seen */
	int			nrunning;		/* last feed: transactions below xmax that
								 * were not seen */
	FullTransactionId *running;
	List	   *unread;			/* places from which to read on; NIL = none */
	MemoryContext context;
} Queue;

/* A pending row that was taken: locked until the transaction ends. */
typedef struct QueueRow
{
	CasRequest	cas;			/* cas.attempt: the one that is about to
								 * begin; cas.operation: NULL if the adapter
								 * has none of that type */
	const char *type;
	bool		held;
	int			nparts_done;
	const char **parts_done;	/* what messages already acknowledged were
								 * about, as in CasMessage */
	bool		attempted;		/* since it was created or last resubmitted */
	int			tries;			/* attempts since then, but for those that we
								 * interrupted */
	TimestampTz first_started;	/* of the first of those; 0 = none yet */
	TimestampTz last_started;	/* of the attempt before this one; 0 = none */
	int64		last_sequence;
	TimestampTz started;		/* of this attempt, set by queue_attempt */
	int64		sequence_number;	/* set by queue_attempt */
} QueueRow;

/* What the table is told of a request. */
typedef enum QueueStep
{
	QUEUE_COMPLETED,			/* closes it */
	QUEUE_REJECTED,				/* closes it */
	QUEUE_RETRY,				/* the attempt counts; again at retry_date */
	QUEUE_HOLD,					/* the attempt counts, if there was one; waits
								 * for a person */
	QUEUE_RETURN,				/* the attempt never happened */
	QUEUE_NOTE					/* no attempt ended: some more of its parts
								 * turned out to be done */
} QueueStep;

typedef struct QueueOutcome
{
	int64		number;
	QueueStep	step;
	int			attempt;		/* 0: rejected before any attempt */
	bool		interrupted;	/* with QUEUE_RETRY: we broke it off, and it
								 * counts towards no limit */
	int64		sequence_number;
	TimestampTz started;		/* 0: not sent, this time */
	TimestampTz ended;
	TimestampTz retry_date;
	const char *hold_reason;
	const char *request;		/* what went out, secrets masked; or NULL */
	const char *secret_request; /* the same unmasked where that differs */
	int			nparts_done;
	const char **parts_done;	/* all that are; NULL: as before */
	CasOutcome	cas;
} QueueOutcome;

/* Receives what a reading function found, row by row. */
typedef void (*QueueVisitor) (const ScheduleEntry *entry, void *arg);

/*
 * Makes this process the only sender of a provider, by name, until it ends;
 * false when another one still is.  A server may be dropped and made again
 * under the same name while its old sender waits for answers.
 */
extern bool queue_lock_provider(const char *provider);

/* Starts an incarnation of the sender of a provider. */
extern Queue *queue_open(const CasAdapter *adapter, const char *provider);

/*
 * Locks the pending part against DROP EXTENSION until the end of the
 * transaction; false when the extension is not there.  A table of that name
 * which somebody else made does not count: nothing of his may be run with
 * our rights.
 */
extern bool queue_lock_table(void);

/*
 * Rows that were not visible to the previous feed and are now, in order of
 * number; the first time, all pending rows.  If they are many none of them is
 * shown and false is returned: they are unread.  An error leaves the queue as
 * it was, so that the rows come again.
 */
extern bool queue_feed(Queue *queue, QueueVisitor visitor, void *arg);

/*
 * Shows some of the unread rows, each transaction's in order of number.  What
 * changes meanwhile may be missed, and is shown by the next feed.
 */
extern void queue_bite(Queue *queue, QueueVisitor visitor, void *arg);

/* Did a feed leave rows unread? */
extern bool queue_is_unread(const Queue *queue);

/* Up to limit rows beyond a number, by number.  Returns how many. */
extern int	queue_read_after(Queue *queue, int64 number, int limit,
							 QueueVisitor visitor, void *arg);

/*
 * Rows with a lower number that share an ordering key with this one.  False:
 * this one is not pending any more, and nobody knows.
 */
extern bool queue_read_before(Queue *queue, int64 number,
							  QueueVisitor visitor, void *arg);

/* Rows scheduled after "from" up to and including "to". */
extern void queue_read_later(Queue *queue, TimestampTz from, TimestampTz to,
							 QueueVisitor visitor, void *arg);

/* When the next row scheduled after an instant is due; 0 = none. */
extern TimestampTz queue_next_later(Queue *queue, TimestampTz after);

/*
 * Has somebody paused the provider, or a dump been restored here?  To be
 * asked after requests were read: what comes from a dump is committed
 * together with the mark that says so.
 */
extern bool queue_is_paused(Queue *queue);

/* True when prepared transactions exist in this database. */
extern bool queue_prepared_exist(void);

/*
 * Reads and locks rows for sending; those that somebody else has locked or
 * closed are missing.  A list of QueueRow * in the order of the numbers.
 */
extern List *queue_take(Queue *queue, const int64 *numbers, int n);

/* Of these numbers, those still pending (locked or not): int64 pointers. */
extern List *queue_still_pending(Queue *queue, const int64 *numbers, int n);

/* Writes the attempts of these rows, in order.  A list of QueueRow *. */
extern void queue_attempt(Queue *queue, List *rows);

/*
 * Attempts that other incarnations left without an outcome: a list of
 * QueueRow *, in order of sequence number.
 */
extern List *queue_unfinished(Queue *queue);

/* Of these numbers, the pending ones that can be locked at once. */
extern List *queue_lockable(Queue *queue, const int64 *numbers, int n);

/* Records outcomes.  Those whose row is gone are passed over. */
extern void queue_settle(Queue *queue, QueueOutcome **outcomes, int n);

/*
 * Reserves a block of up to count message numbers for a link of the provider,
 * between "first" and "last", after which they begin anew: none of them is
 * given out again before that.
 */
extern void queue_reserve_numbers(Queue *queue, const char *link,
								  uint64 *first, uint64 *last, uint64 count);

/* Set in senders: their own changes of the table are no news to them. */
extern bool queue_in_sender;

#endif							/* PROVREQ_QUEUE_H */
