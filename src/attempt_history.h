/*-------------------------------------------------------------------------
 *
 * attempt_history.h
 *		What request.attempt_log says of earlier attempts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_ATTEMPT_HISTORY_H
#define PROVREQ_ATTEMPT_HISTORY_H

#include "datatype/timestamp.h"
#include "utils/jsonb.h"

typedef struct AttemptHistory
{
	bool		attempted;		/* since somebody last resubmitted the
								 * request: what a person sends again starts
								 * afresh with its limits */
	int			attempts;		/* since then, but for those that we
								 * interrupted, which count for nothing */
	TimestampTz first_started;	/* of those; 0 = none */
	TimestampTz last_started;	/* of all; 0 = none */
	int64		last_sequence;
} AttemptHistory;

/* What the log (or NULL) says. */
extern AttemptHistory attempt_history(Jsonb *log);

#endif							/* PROVREQ_ATTEMPT_HISTORY_H */
