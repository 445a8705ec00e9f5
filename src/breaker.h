/*-------------------------------------------------------------------------
 *
 * breaker.h
 *		The circuit breaker of a provider: stop pushing at a closed door.
 *
 * Pure: the caller passes the time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_BREAKER_H
#define PROVREQ_BREAKER_H

#include "datatype/timestamp.h"

typedef struct Breaker
{
	bool		open;
	int			failures;		/* in a row, without any answer between */
	int			delay;			/* ms until the next probe */
	int			first_delay;	/* limits of delay */
	int			last_delay;
	TimestampTz next_probe;		/* while open */
} Breaker;

extern void breaker_init(Breaker *breaker, int first_delay, int last_delay);

/* The provider answered.  True when that closed the breaker. */
extern bool breaker_answered(Breaker *breaker);

/*
 * The provider could not be reached, or did not answer.  True when that
 * opened the breaker.
 */
extern bool breaker_failed(Breaker *breaker, TimestampTz now);

/* How many exchanges may be in flight: all, one probe, or none. */
extern int	breaker_limit(const Breaker *breaker, TimestampTz now);

#endif							/* PROVREQ_BREAKER_H */
