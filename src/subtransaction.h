/*-------------------------------------------------------------------------
 *
 * subtransaction.h
 *		A piece of work that may fail without its transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_SUBTRANSACTION_H
#define PROVREQ_SUBTRANSACTION_H

#include "utils/elog.h"

typedef void (*SubtransactionWork) (void *arg);

/* What is left of the work when it did not fail. */
typedef enum SubtransactionEnd
{
	SUBTRANSACTION_KEEP,		/* all of it */
	SUBTRANSACTION_UNDO			/* nothing, and none of its locks */
} SubtransactionEnd;

/*
 * Does the work in a subtransaction, with the caller's memory context and
 * resource owner before and after it.  Returns NULL, or the error with which
 * it failed, made in the caller's memory context; then nothing of it is left.
 */
extern ErrorData *subtransaction_try(SubtransactionWork work, void *arg,
									 SubtransactionEnd end);

#endif							/* PROVREQ_SUBTRANSACTION_H */
