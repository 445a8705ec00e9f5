/*-------------------------------------------------------------------------
 *
 * conax_reply.h
 *		What goes back for a message, faults included.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONAX_REPLY_H
#define CONAX_REPLY_H

#include <stdbool.h>

#include "conax_message.h"
#include "fault.h"

typedef enum ReplyEnding
{
	REPLY_WHOLE,
	REPLY_HALF,					/* then the connection is closed */
	REPLY_TWICE,				/* a second answer that nobody asked for */
	REPLY_HANG,					/* never */
	REPLY_CLOSE					/* no answer, the connection is closed */
} ReplyEnding;

/* Starts zeroed. */
typedef struct Reply
{
	ReplyEnding ending;
	unsigned	status;			/* HTTP */
	Text		body;
	char		location[FAULT_WORD];	/* "": none */
	char		outcome[FAULT_WORD + 8];	/* for the ledger; "": no answer */
	bool		carried_out;
} Reply;

/* Carries a valid message out, unless the fault says otherwise. */
extern void reply_to_message(const Message *message, const Fault *fault,
							 Reply *reply);

/* An HTTP status with a line of text. */
extern void reply_with_status(unsigned status, Reply *reply);

/* A SOAP fault: code is Client or Server. */
extern void reply_with_fault(const char *code, const char *reason,
							 Reply *reply);

#endif							/* CONAX_REPLY_H */
