/*-------------------------------------------------------------------------
 *
 * flight.c
 *		A request on its way: from the attempt to the outcome.
 *
 * A request is one or more messages.  It has landed when each of them has an
 * answer or will never be sent; then the worst of the answers decides: one
 * that nobody knows about, then a refusal, then one to try again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "flight.h"
#include "wire_text.h"

/* ------------------------------------------------------------------------
 * Encoding
 * ------------------------------------------------------------------------
 */

/* Can the table show these bytes as text? */
static bool
is_printable(const CasMessage *message)
{
	if (wire_text_is_plain(message->data, message->len))
		return true;
	if (!pg_verify_mbstr(PG_UTF8, message->data, (int) message->len, true))
		return false;
	for (Size i = 0; i < message->len; i++)
	{
		unsigned char c = (unsigned char) message->data[i];

		if ((c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7F)
			return false;
	}
	return true;
}

/* Printable text as it is, anything else in hex. */
static void
append_message_text(StringInfo str, const CasMessage *message)
{
	if (str->len > 0)
		appendStringInfoChar(str, '\n');
	if (is_printable(message))
		appendStringInfoString(str, wire_text_from_utf8(message->data,
														message->len));
	else
		for (Size i = 0; i < message->len; i++)
			appendStringInfo(str, "%02x", (unsigned char) message->data[i]);
}

static char *
messages_text(List *messages)
{
	StringInfoData str;
	ListCell   *lc;

	initStringInfo(&str);
	foreach(lc, messages)
		append_message_text(&str, lfirst(lc));
	return str.data;
}

static bool
has_secrets(const CasRequest *cas)
{
	ListCell   *lc;

	foreach(lc, cas->values)
		if (((const CasValue *) lfirst(lc))->secret)
		return true;
	return false;
}

/* Messages, and what the table will show of them.  Raises. */
static void
flight_encode(Flight *flight, const CasSettings *settings)
{
	const CasAdapter *adapter = settings->adapter;
	CasRequest *cas = &flight->row->cas;
	List	   *messages;

	if (cas->operation == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("%s has no operation of type %s",
						adapter->kind, flight->row->type)));
	messages = adapter->encode(settings, cas, CAS_WIRE);
	flight->nparts = list_length(messages);
	flight->parts = palloc0(sizeof(FlightPart) * flight->nparts);
	for (int i = 0; i < flight->nparts; i++)
		flight->parts[i].message = list_nth(messages, i);
	flight->outcome.request = messages_text(messages);
	if (has_secrets(cas))
	{
		flight->outcome.secret_request = flight->outcome.request;
		flight->outcome.request =
			messages_text(adapter->encode(settings, cas, CAS_MASKED));
	}
	flight->encoded = true;
}

/* Makes the outcome of a row that cannot be encoded, from the error. */
static void
flight_refuse(Flight *flight, const ErrorData *error)
{
	QueueOutcome *outcome = &flight->outcome;

	outcome->number = flight->row->cas.number;
	outcome->step = QUEUE_REJECTED;
	outcome->attempt = flight->row->cas.attempt - 1;
	outcome->ended = GetCurrentTimestamp();
	outcome->cas.verdict = CAS_REFUSED;
	outcome->cas.error_code = "NOT_ENCODABLE";
	outcome->cas.error_description = pstrdup(error->message);
}

/* Or about a server that is short of memory, or going down? */
static bool
is_about_the_row(const ErrorData *error)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return category == ERRCODE_DATA_EXCEPTION ||
		category == ERRCODE_FEATURE_NOT_SUPPORTED ||
		category == ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION ||
		category == ERRCODE_PROGRAM_LIMIT_EXCEEDED;
}

Flight *
flight_make(FlightBatch *batch, const CasSettings *settings, QueueRow *row)
{
	MemoryContext old = MemoryContextSwitchTo(batch->context);
	Flight	   *flight = palloc0(sizeof(Flight));

	flight->batch = batch;
	batch->nflights++;
	flight->row = row;
	PG_TRY();
	{
		flight_encode(flight, settings);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(batch->context);
		error = CopyErrorData();
		if (!is_about_the_row(error))
			PG_RE_THROW();
		FlushErrorState();
		flight_refuse(flight, error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	return flight;
}

void
flight_free(Flight *flight)
{
	FlightBatch *batch = flight->batch;

	if (--batch->nflights == 0)
		MemoryContextDelete(batch->context);
}

/* ------------------------------------------------------------------------
 * Parts
 * ------------------------------------------------------------------------
 */
static bool
part_was_done(const QueueRow *row, int part)
{
	for (int i = 0; i < row->nparts_done; i++)
		if (row->parts_done[i] == part)
			return true;
	return false;
}

int
flight_next_part(Flight *flight)
{
	while (flight->next_part < flight->nparts &&
		   part_was_done(flight->row, flight->next_part))
		flight->next_part++;
	return flight->next_part < flight->nparts ? flight->next_part : -1;
}

bool
flight_was_out(const Flight *flight)
{
	for (int i = 0; i < flight->nparts; i++)
		if (flight->parts[i].submitted)
			return true;
	return false;
}

void
flight_answer(Flight *flight, int part, const CasSettings *settings,
			  const CasReply *reply)
{
	MemoryContext old = MemoryContextSwitchTo(flight->batch->context);
	FlightPart *answered = &flight->parts[part];

	memset(&answered->outcome, 0, sizeof(CasOutcome));
	settings->adapter->decode(settings, flight->row->cas.operation, reply,
							  &answered->outcome);
	answered->answered = true;
	flight->nwaiting--;
	MemoryContextSwitchTo(old);
}

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

/* "carried out: product 1, product 2; not carried out: product 3" */
static char *
parts_account(const Flight *flight)
{
	StringInfoData done;
	StringInfoData rest;

	initStringInfo(&done);
	initStringInfo(&rest);
	for (int i = 0; i < flight->nparts; i++)
	{
		const FlightPart *part = &flight->parts[i];
		bool		ok = part_was_done(flight->row, i) ||
		(part->answered && part->outcome.verdict == CAS_DONE);
		StringInfo	list = ok ? &done : &rest;

		appendStringInfo(list, "%s%s", list->len ? ", " : "",
						 part->message->label ? part->message->label : "");
	}
	return psprintf("carried out: %s; not carried out: %s",
					done.len ? done.data : "none",
					rest.len ? rest.data : "none");
}

/* Remembers which parts are carried out, for the next attempt. */
static void
collect_parts_done(Flight *flight)
{
	QueueOutcome *outcome = &flight->outcome;

	outcome->parts_done = palloc(sizeof(int) * flight->nparts);
	outcome->nparts_done = 0;
	for (int i = 0; i < flight->nparts; i++)
		if (part_was_done(flight->row, i) ||
			(flight->parts[i].answered &&
			 flight->parts[i].outcome.verdict == CAS_DONE))
			outcome->parts_done[outcome->nparts_done++] = i;
}

/* The one result of all parts. */
static CasOutcome
parts_result(Flight *flight)
{
	CasOutcome	result;
	bool		any = false;
	bool		unsent = false;

	memset(&result, 0, sizeof(result));
	for (int i = 0; i < flight->nparts; i++)
	{
		const FlightPart *part = &flight->parts[i];

		if (!part->answered && !part_was_done(flight->row, i))
			unsent = true;
		if (!part->answered)
			continue;
		if (!any || verdict_weight(&part->outcome) > verdict_weight(&result))
			result = part->outcome;
		any = true;
	}
	if (unsent && result.verdict == CAS_DONE)
	{
		result.verdict = CAS_RETRY;
		result.error_code = "NOT_SENT";
		result.error_description = "not all messages were sent";
	}
	if (flight->nparts > 1)
	{
		collect_parts_done(flight);
		if (result.verdict != CAS_DONE)
			result.error_description =
				psprintf("%s (%s)", result.error_description ?
						 result.error_description : "no description",
						 parts_account(flight));
		if (flight->outcome.nparts_done > flight->row->nparts_done)
			result.unreachable = false;
	}
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

static void
decide_again(QueueOutcome *outcome, const QueueRow *row,
			 const CasSettings *settings, TimestampTz now)
{
	CasOutcome *cas = &outcome->cas;

	if (!is_exhausted(row, settings, cas, now))
	{
		outcome->step = QUEUE_RETRY;
		outcome->retry_date = retry_time(settings, row->cas.attempt, now);
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

void
flight_recall(Flight *flight, TimestampTz now)
{
	QueueOutcome *outcome = &flight->outcome;

	outcome->number = flight->row->cas.number;
	outcome->step = QUEUE_RETURN;
	outcome->ended = now;
}
