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
#include "transport.h"
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

/* As the adapter says; else printable text as it is, the rest in hex. */
static void
append_message_text(StringInfo str, const CasSettings *settings,
					const CasMessage *message)
{
	if (str->len > 0)
		appendStringInfoChar(str, '\n');
	if (settings->adapter->text)
		appendStringInfoString(str,
							   settings->adapter->text(settings, message));
	else if (is_printable(message))
		appendStringInfoString(str, wire_text_from_utf8(message->data,
														message->len));
	else
		for (Size i = 0; i < message->len; i++)
			appendStringInfo(str, "%02x", (unsigned char) message->data[i]);
}

/* Of those parts that were submitted, the given messages. */
static char *
messages_text(const Flight *flight, const CasSettings *settings,
			  List *messages)
{
	StringInfoData str;

	initStringInfo(&str);
	for (int i = 0; i < flight->nparts; i++)
		if (flight->parts[i].submitted)
			append_message_text(&str, settings, list_nth(messages, i));
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

/* Makes the messages.  Raises. */
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
	{
		CasMessage *message = list_nth(messages, i);

		message->request = cas->number;
		message->part = i;
		flight->parts[i].message = message;
	}
	flight->messages = messages;
	flight->encoded = true;
}

/*
 * Masked messages are made anew, with the stamps of those that were sent.
 */
static void
describe_masked(Flight *flight, const CasSettings *settings)
{
	const CasAdapter *adapter = settings->adapter;
	List	   *masked = adapter->encode(settings, &flight->row->cas,
										 CAS_MASKED);

	for (int i = 0; i < flight->nparts; i++)
		if (flight->parts[i].message->stamp)
			adapter->dialect->stamp(settings, list_nth(masked, i),
									flight->parts[i].message->stamp);
	flight->outcome.secret_request = flight->outcome.request;
	flight->outcome.request = messages_text(flight, settings, masked);
}

void
flight_describe(Flight *flight, const CasSettings *settings)
{
	MemoryContext old = MemoryContextSwitchTo(flight->batch->context);

	if (!flight->described && flight_was_out(flight))
	{
		flight->outcome.request = messages_text(flight, settings,
												flight->messages);
		if (has_secrets(&flight->row->cas))
			describe_masked(flight, settings);
	}
	flight->described = true;
	MemoryContextSwitchTo(old);
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

/*
 * Marks the part that an earlier attempt carried out; false when there is
 * none that is about the same.  A value may stand in a list more than once.
 */
static bool
mark_done(Flight *flight, const char *about)
{
	for (int i = 0; i < flight->nparts; i++)
	{
		FlightPart *part = &flight->parts[i];

		if (part->done || part->message->about == NULL ||
			strcmp(part->message->about, about) != 0)
			continue;
		part->done = true;
		return true;
	}
	return false;
}

/*
 * Something was carried out, and what the messages would do now is something
 * else: nobody knows what is left to do.
 */
static void
hold_changed(Flight *flight, const char *about)
{
	QueueOutcome *outcome = &flight->outcome;

	outcome->number = flight->row->cas.number;
	outcome->step = QUEUE_HOLD;
	outcome->attempt = flight->row->cas.attempt - 1;
	outcome->ended = GetCurrentTimestamp();
	outcome->cas.verdict = CAS_UNKNOWN;
	outcome->cas.error_code = "PARTS_CHANGED";
	outcome->cas.error_description =
		psprintf("the wire profile was changed after %d of its messages were carried out, one of them for %s",
				 flight->row->nparts_done, about);
	outcome->hold_reason = psprintf("in doubt: %s",
									outcome->cas.error_description);
	flight->encoded = false;
}

/*
 * Finds the parts that earlier attempts carried out.  If the wire profile
 * makes other messages since, all of them are sent, provided that they may be
 * repeated or that a person says so.
 */
static void
flight_recall_parts(Flight *flight, const CasSettings *settings)
{
	const QueueRow *row = flight->row;

	for (int i = 0; i < row->nparts_done; i++)
	{
		if (mark_done(flight, row->parts_done[i]))
			continue;
		if (row->attempted &&
			!settings->adapter->idempotent(settings, row->cas.operation))
			hold_changed(flight, row->parts_done[i]);
		for (int part = 0; part < flight->nparts; part++)
			flight->parts[part].done = false;
		return;
	}
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
		flight_recall_parts(flight, settings);
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
int
flight_next_part(Flight *flight)
{
	while (flight->next_part < flight->nparts &&
		   (flight->parts[flight->next_part].done ||
			flight->parts[flight->next_part].answered))
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

bool
flight_is_certain(const CasOutcome *outcome)
{
	return outcome->verdict == CAS_DONE || outcome->verdict == CAS_REFUSED;
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
	if (answered->late && !flight_is_certain(&answered->outcome))
		answered->outcome = *answered->late;
	answered->answered = true;
	flight->nwaiting--;
	MemoryContextSwitchTo(old);
}

void
flight_answer_late(Flight *flight, int part, const CasSettings *settings,
				   const CasReply *reply)
{
	MemoryContext old = MemoryContextSwitchTo(flight->batch->context);
	FlightPart *answered = &flight->parts[part];
	CasOutcome *outcome = palloc0(sizeof(CasOutcome));

	settings->adapter->decode(settings, flight->row->cas.operation, reply,
							  outcome);
	if (flight_is_certain(outcome) && !answered->done &&
		!(answered->answered && flight_is_certain(&answered->outcome)))
	{
		answered->late = outcome;
		if (answered->answered || !answered->submitted)
		{
			answered->outcome = *outcome;
			answered->answered = true;
		}
	}
	MemoryContextSwitchTo(old);
}
