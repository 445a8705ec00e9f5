/*-------------------------------------------------------------------------
 *
 * flight.h
 *		A request on its way: from the attempt to the outcome.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_FLIGHT_H
#define PROVREQ_FLIGHT_H

#include "lib/ilist.h"
#include "queue.h"

/*
 * The rows of one transaction share a memory context; the last one frees it.
 */
typedef struct FlightBatch
{
	MemoryContext context;
	int			nflights;
} FlightBatch;

typedef struct FlightPart
{
	CasMessage *message;
	bool		done;			/* carried out in an earlier attempt */
	bool		submitted;
	bool		answered;		/* outcome is valid */
	CasOutcome	outcome;
	CasOutcome *late;			/* what an earlier attempt turned out to have
								 * come to, or NULL */
} FlightPart;

typedef struct Flight
{
	dlist_node	node;			/* in the sender's outbox or landed list */
	FlightBatch *batch;
	uint32		slot;			/* in the sender's table of flights */
	QueueRow   *row;
	int			nparts;
	FlightPart *parts;
	List	   *messages;		/* of all parts, CasMessage * */
	int			nwaiting;		/* submitted and not answered */
	int			next_part;		/* the next one to submit */
	bool		encoded;		/* else outcome says why it cannot go */
	bool		described;		/* outcome has the texts of the messages */
	QueueOutcome outcome;		/* once it landed, or cannot go */
	int			failures;		/* to record it, alone */
	TimestampTz settle_after;	/* while it is deferred */
} Flight;

/*
 * A flight for a row, its messages encoded; in the batch's context.  A row
 * that cannot be encoded makes a flight that has landed already, REJECTED,
 * and so does one whose messages are not those of which some were carried
 * out: held.
 */
extern Flight *flight_make(FlightBatch *batch, const CasSettings *settings,
						   QueueRow *row);

/* Frees the flight, and its batch with the last one. */
extern void flight_free(Flight *flight);

/*
 * Makes the texts of the messages that left, for the table, unless that was
 * done before.  In a transaction.
 */
extern void flight_describe(Flight *flight, const CasSettings *settings);

/* The next part to submit, skipping those already carried out; -1 = none. */
extern int	flight_next_part(Flight *flight);

/* The answer to one part, decoded into the flight's memory. */
extern void flight_answer(Flight *flight, int part,
						  const CasSettings *settings, const CasReply *reply);

/*
 * A late answer to a part that an earlier attempt sent.  If it says anything
 * for certain, the part is not sent any more, or if it has been, counts as
 * answered so unless its own answer is as certain.
 */
extern void flight_answer_late(Flight *flight, int part,
							   const CasSettings *settings,
							   const CasReply *reply);

/* All parts are answered or will never be submitted: makes the outcome. */
extern void flight_land(Flight *flight, const CasSettings *settings,
						TimestampTz now);

/* Has any part been submitted in this attempt? */
extern bool flight_was_out(const Flight *flight);

/*
 * The same for one that is not in flight, all of whose answers were late:
 * what is known now, which may be no more than some parts of it.
 */
extern void flight_land_late(Flight *flight, const CasSettings *settings,
							 TimestampTz now);

/* Not a byte of it left: makes an outcome that takes the attempt back. */
extern void flight_recall(Flight *flight, TimestampTz now);

/*
 * The outcome of an attempt whose exchange ended as "result" says; shared by
 * flights and by recovery.  Sets everything but the texts of the request.
 */
extern void flight_decide(QueueOutcome *outcome, const QueueRow *row,
						  const CasSettings *settings,
						  const CasOutcome *result, TimestampTz now);

/* Does it say what became of the message? */
extern bool flight_is_certain(const CasOutcome *outcome);

#endif							/* PROVREQ_FLIGHT_H */
