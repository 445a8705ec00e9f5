/*-------------------------------------------------------------------------
 *
 * instant.h
 *		Instants as text, in one form, whatever DateStyle says.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_INSTANT_H
#define PROVREQ_INSTANT_H

#include "datatype/timestamp.h"

/*
 * Reads an ISO 8601 instant: a date, then optionally a time of day to the
 * microsecond and a zone ("Z", "+02", "+02:00").  Without a zone the
 * session's time zone is meant.  "infinity" and "-infinity" are understood
 * as well.  False when the text is anything else or outside of the years 1
 * to 9999.
 */
extern bool instant_parse(const char *string, TimestampTz *instant);

/*
 * 2015-09-07T15:23:15Z in the current memory context; fractions are cut.  For
 * what instant_parse gave.
 */
extern char *instant_to_seconds(TimestampTz instant);

/*
 * The same with six digits of a second: instant_parse gives it back, or
 * refuses it when it is outside of the years 1 to 9999.
 */
extern char *instant_to_microseconds(TimestampTz instant);

#endif							/* PROVREQ_INSTANT_H */
