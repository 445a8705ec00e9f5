/*-------------------------------------------------------------------------
 *
 * complaint.h
 *		Values in error messages.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_COMPLAINT_H
#define PROVREQ_COMPLAINT_H

#include "nodes/pg_list.h"

/*
 * A caller's text as an error message may show it: cut after 60 characters,
 * control characters as question marks, in the current memory context.
 * Never for secrets.
 */
extern char *complaint_text(const char *string);

/* True when the text has a control character, C1 and DEL among them. */
extern bool complaint_has_control(const char *string);

/* "REGULAR, EXPRESS" from a list of char *. */
extern char *complaint_list(List *names);

#endif							/* PROVREQ_COMPLAINT_H */
