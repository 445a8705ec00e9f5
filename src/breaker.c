/*-------------------------------------------------------------------------
 *
 * breaker.c
 *		The circuit breaker of a provider.
 *
 * It opens after a few failures in a row, whether the provider could not be
 * reached or took messages and never answered.  While it is open one request
 * at a time goes out as a probe, at growing intervals, so that an outage
 * costs a few requests an attempt and not every queued one all of theirs.
 * Any answer closes it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "utils/timestamp.h"

#include "breaker.h"

/* Failures in a row that open the breaker. */
#define BREAKER_THRESHOLD 3

void
breaker_init(Breaker *breaker, int first_delay, int last_delay)
{
	memset(breaker, 0, sizeof(*breaker));
	breaker->first_delay = first_delay;
	breaker->last_delay = Max(first_delay, last_delay);
}

bool
breaker_answered(Breaker *breaker)
{
	bool		was_open = breaker->open;

	breaker->open = false;
	breaker->failures = 0;
	breaker->delay = 0;
	return was_open;
}

bool
breaker_failed(Breaker *breaker, TimestampTz now)
{
	bool		opens;

	if (breaker->failures < BREAKER_THRESHOLD)
		breaker->failures++;
	if (breaker->failures < BREAKER_THRESHOLD)
		return false;
	opens = !breaker->open;
	if (opens || now >= breaker->next_probe)
	{
		breaker->delay = breaker->delay == 0 ? breaker->first_delay :
			Min(breaker->delay * 2, breaker->last_delay);
		breaker->next_probe = TimestampTzPlusMilliseconds(now,
														  breaker->delay);
	}
	breaker->open = true;
	return opens;
}

int
breaker_limit(const Breaker *breaker, TimestampTz now)
{
	if (!breaker->open)
		return INT_MAX;
	return now >= breaker->next_probe ? 1 : 0;
}
