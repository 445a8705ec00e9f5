/*-------------------------------------------------------------------------
 *
 * link_answer.h
 *		Answers that are on their way, and their lines of the ledger.
 *
 * A line is written when the answer is put behind its link's other bytes to
 * be sent, or when it is sure that it will never be.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_LINK_ANSWER_H
#define SIMULATOR_LINK_ANSWER_H

#include "link_protocol.h"

typedef enum AnswerManner
{
	ANSWER_PLAIN,
	ANSWER_SLOWLY,				/* byte by byte */
	ANSWER_LATE,				/* keeps no order, outlives its link */
	ANSWER_RELEASE				/* no answer: what the link holds is due */
} AnswerManner;

typedef struct Answer
{
	Link	   *link;			/* NULL: gone */
	char		source[LINK_SOURCE];	/* of the link */
	long long	due;
	unsigned long long order;	/* among those that are due together */
	AnswerManner manner;
	long long	gap;			/* of bytes that go slowly */
	bool		counts;			/* among the unanswered of the link */
	bool		is_queued;		/* among the queued of the link */
	bool		is_written;		/* its line is in the ledger */
	bool		ends_link;
	bool		is_none;		/* what is sent is no whole answer */
	bool		is_error;		/* its outcome is told, though nothing is
								 * sent */

	/* For the ledger. */
	long long	received;
	unsigned long long connection;
	char		sequence[16];
	char		operation[MESSAGE_WORD];
	char		card[16];
	char		things[MESSAGE_THINGS];
	char		more[MESSAGE_THINGS];
	char		fault[2 * MESSAGE_WORD];
	char		outcome[FAULT_WORD];	/* "": none */
	bool		carried_out;

	Text		bytes;
} Answer;

/* An answer to a message, without bytes yet. */
extern Answer *answer_new(Link *link, const Message *message);

/* The answer is the callee's in all of these. */

/* It leaves after so many microseconds; 0: now, or after those before it. */
extern void answer_post(Answer *answer, long long delay);

/*
 * It leaves with others, all that hold says, or after "delay" with those that
 * are there.
 */
extern void answer_hold(Answer *answer, size_t batch, bool reversed,
						long long delay);

/* It will never be sent; or it stands for an error, which has an outcome. */
extern void answer_drop(Answer *answer);
extern void answer_fail(Answer *answer);

/* A late answer may have waited for this link: its source is known now. */
extern void answers_for_source(Link *link);

/* The answers of a link that has closed. */
extern void answers_link_closed(Link *link);

/* Sends what is due; when the next one is, or -1. */
extern long long answers_tick(long long now);
extern void answers_drop_all(void);

#endif							/* SIMULATOR_LINK_ANSWER_H */
