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

/*
 * How many attempts the log (or NULL) has since somebody last resubmitted the
 * request, and when the first of them started (0 if there is none).  What a
 * person sends again starts afresh with its limits.
 */
extern int	attempt_history(Jsonb *log, TimestampTz *first_started);

#endif							/* PROVREQ_ATTEMPT_HISTORY_H */
