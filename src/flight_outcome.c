/*-------------------------------------------------------------------------
 *
 * flight_outcome.c
 *		How a flight ended: from the answers to its parts to what the table
 *		is told.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "utils/timestamp.h"

#include "flight.h"

/* Which verdict of several parts decides; a higher one wins. */
static int
verdict_weight(const CasOutcome *outcome)
{
	switch (outcome->verdict)
	{
		case CAS_DONE:
			return 0;
		case CAS_RETRY:
			return outcome->unreachable ? 1 : 2;
		case CAS_REFUSED:
			return 3;
		case CAS_UNKNOWN:
			return 4;
	}
	return 4;
}

/* What became of a part; one that was not answered was not sent. */
static CasVerdict
part_verdict(const Flight *flight, int part)
{
	if (flight->parts[part].done)
		return CAS_DONE;
	return flight->parts[part].answered ?
		flight->parts[part].outcome.verdict : CAS_RETRY;
}

/*
 * "carried out: product 1, product 2; not carried out: product 3", and if
 * there are any "; in doubt: product 4"
 */
static char *
parts_account(const Flight *flight)
{
	StringInfoData done;
	StringInfoData rest;
	StringInfoData doubt;

	initStringInfo(&done);
	initStringInfo(&rest);
	initStringInfo(&doubt);
	for (int i = 0; i < flight->nparts; i++)
	{
		const char *label = flight->parts[i].message->label;
		CasVerdict	verdict = part_verdict(flight, i);
		StringInfo	list = verdict == CAS_DONE ? &done :
		verdict == CAS_UNKNOWN ? &doubt : &rest;

		appendStringInfo(list, "%s%s", list->len ? ", " : "",
						 label ? label : "");
	}
	return psprintf("carried out: %s; not carried out: %s%s%s",
					done.len ? done.data : "none",
					rest.len ? rest.data : "none",
					doubt.len ? "; in doubt: " : "", doubt.data);
}

/* All that was answered, an answer a line; NULL if there is nothing. */
static char *
parts_responses(const Flight *flight)
{
	StringInfoData all;

	initStringInfo(&all);
	for (int i = 0; i < flight->nparts; i++)
	{
		const FlightPart *part = &flight->parts[i];

		if (part->answered && part->outcome.response)
			appendStringInfo(&all, "%s%s", all.len ? "\n" : "",
							 part->outcome.response);
	}
	return all.len ? all.data : NULL;
}

/*
 * Remembers which parts are carried out, for the next attempt.  Returns
 * whether there are more of them than before.
 */
static bool
collect_parts_done(Flight *flight)
{
	QueueOutcome *outcome = &flight->outcome;
	bool		more = false;

	outcome->parts_done = palloc(sizeof(char *) * flight->nparts);
	outcome->nparts_done = 0;
	for (int i = 0; i < flight->nparts; i++)
	{
		const char *about = flight->parts[i].message->about;

		if (part_verdict(flight, i) != CAS_DONE || about == NULL)
			continue;
		outcome->parts_done[outcome->nparts_done++] = about;
		more |= !flight->parts[i].done;
	}
	return more;
}

/*
 * The one result of all parts.  An attempt that we stopped, or could not go
 * on with, was interrupted if nothing failed and some of it was carried out.
 */
static CasOutcome
parts_result(Flight *flight)
{
	CasOutcome	result;
	bool		interrupted;
	bool		any = false;
	bool		unsent = false;

	memset(&result, 0, sizeof(result));
	for (int i = 0; i < flight->nparts; i++)
	{
		const FlightPart *part = &flight->parts[i];

		if (!part->answered && !part->done)
			unsent = true;
		if (!part->answered)
			continue;
		if (!any || verdict_weight(&part->outcome) > verdict_weight(&result))
			result = part->outcome;
		any = true;
	}
	interrupted = unsent && result.verdict == CAS_DONE;
	if (interrupted)
	{
		result.verdict = CAS_RETRY;
		result.error_code = "NOT_SENT";
		result.error_description = "not all messages were sent";
	}
	if (flight->nparts > 1)
	{
		result.response = parts_responses(flight);
		if (result.verdict != CAS_DONE)
			result.error_description =
				psprintf("%s (%s)", result.error_description ?
						 result.error_description : "no description",
						 parts_account(flight));
	}
	if ((flight->nparts > 1 || flight->row->nparts_done > 0) &&
		collect_parts_done(flight) && result.unreachable)
		interrupted = true;
	if (interrupted)
		result.unreachable = false;
	flight->outcome.interrupted = interrupted;
	return result;
}

/* ------------------------------------------------------------------------
 * Deciding
 * ------------------------------------------------------------------------
 */

/* Exponential back-off with jitter: between half and all of the delay. */
static TimestampTz
retry_time(const CasSettings *settings, int attempt, TimestampTz now)
{
	double		delay = (double) cas_option_int(settings, "retry_delay");
	double		most = (double) cas_option_int(settings, "retry_delay_max");

	for (int i = 1; i < attempt && delay < most; i++)
		delay *= 2;
	delay = Min(delay, most);
	delay *= 0.5 + 0.5 * pg_prng_double(&pg_global_prng_state);
	return TimestampTzPlusMilliseconds(now, (int64) delay);
}

/* Has the request used up its attempts, or its time? */
static bool
is_exhausted(const QueueRow *row, const CasSettings *settings,
			 const CasOutcome *result, TimestampTz now)
{
	int64		limit = cas_option_int(settings, "retry_limit");
	TimestampTz first = row->first_started;

	if (first == 0)
		first = row->started;
	if (result->max_attempts > 0)
		limit = Min(limit, result->max_attempts);
	return row->tries + 1 >= limit ||
		TimestampDifferenceExceeds(first, now,
								   (int) cas_option_int(settings,
														"retry_window"));
}

/* One that was interrupted is not given up for it. */
static void
decide_again(QueueOutcome *outcome, const QueueRow *row,
			 const CasSettings *settings, TimestampTz now)
{
	CasOutcome *cas = &outcome->cas;

	if (outcome->interrupted || !is_exhausted(row, settings, cas, now))
	{
		outcome->step = QUEUE_RETRY;
		outcome->retry_date = retry_time(settings, row->tries + 1, now);
		return;
	}
	outcome->step = QUEUE_REJECTED;
	cas->error_description =
		psprintf("given up after %d attempt(s)%s; the last one: %s",
				 row->cas.attempt,
				 cas->verdict == CAS_UNKNOWN ?
				 ", it may have been carried out" : "",
				 cas->error_description ? cas->error_description :
				 "no description");
	cas->error_code = "RETRY_EXHAUSTED";
}

void
flight_decide(QueueOutcome *outcome, const QueueRow *row,
			  const CasSettings *settings, const CasOutcome *result,
			  TimestampTz now)
{
	outcome->number = row->cas.number;
	outcome->attempt = row->cas.attempt;
	outcome->sequence_number = row->sequence_number;
	outcome->started = row->started;
	outcome->ended = now;
	outcome->cas = *result;
	switch (result->verdict)
	{
		case CAS_DONE:
			outcome->step = QUEUE_COMPLETED;
			break;
		case CAS_REFUSED:
			outcome->step = QUEUE_REJECTED;
			break;
		case CAS_RETRY:
			if (result->unreachable)
				outcome->step = QUEUE_RETURN;
			else
				decide_again(outcome, row, settings, now);
			break;
		case CAS_UNKNOWN:
			if (row->cas.operation != NULL &&
				settings->adapter->idempotent(settings, row->cas.operation))
				decide_again(outcome, row, settings, now);
			else
			{
				outcome->step = QUEUE_HOLD;
				outcome->hold_reason =
					psprintf("in doubt: %s", result->error_description ?
							 result->error_description : "no answer");
			}
			break;
	}
}

void
flight_land(Flight *flight, const CasSettings *settings, TimestampTz now)
{
	MemoryContext old = MemoryContextSwitchTo(flight->batch->context);
	CasOutcome	result = parts_result(flight);

	flight_decide(&flight->outcome, flight->row, settings, &result, now);
	MemoryContextSwitchTo(old);
}

/* Is it known of each part what became of it? */
static bool
all_parts_known(const Flight *flight)
{
	for (int i = 0; i < flight->nparts; i++)
		if (!flight->parts[i].answered &&
			!flight->parts[i].done)
			return false;
	return true;
}

/*
 * The attempt that is recorded is the last one that was sent: the row's is
 * one that never began.  A refusal settles nothing as long as other parts are
 * in doubt.
 */
void
flight_land_late(Flight *flight, const CasSettings *settings,
				 TimestampTz now)
{
	MemoryContext old = MemoryContextSwitchTo(flight->batch->context);
	CasOutcome	result = parts_result(flight);
	QueueOutcome *outcome = &flight->outcome;
	QueueRow   *row = flight->row;

	row->cas.attempt--;
	row->started = row->last_started;
	row->sequence_number = row->last_sequence;
	if (flight_is_certain(&result) && all_parts_known(flight))
		flight_decide(outcome, row, settings, &result, now);
	else
	{
		outcome->number = row->cas.number;
		outcome->step = QUEUE_NOTE;
		outcome->ended = now;
		outcome->cas = result;
	}
	MemoryContextSwitchTo(old);
}

void
flight_recall(Flight *flight, TimestampTz now)
{
	QueueOutcome *outcome = &flight->outcome;

	outcome->number = flight->row->cas.number;
	outcome->step = QUEUE_RETURN;
	outcome->ended = now;
}
