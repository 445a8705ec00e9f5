/*-------------------------------------------------------------------------
 *
 * sender_flights.c
 *		A sender's flights between the table and the transport: out of the
 *		outbox, through the air, among the landed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/timestamp.h"

#include "process.h"
#include "sender_private.h"

/* Answers that are read from the transport at a time. */
#define REPLIES 64

/* ------------------------------------------------------------------------
 * Flights
 * ------------------------------------------------------------------------
 */

static uint64
flight_tag(const Flight *flight, int part)
{
	return ((uint64) flight->slot << 32) | (uint32) part;
}

void
sender_flight_landed(Sender *sender, Flight *flight)
{
	sender->flights[flight->slot] = NULL;
	sender->free_slots[sender->nfree++] = flight->slot;
	if (sender->nlanded == 0)
		sender->landed_since = GetCurrentTimestamp();
	dlist_push_tail(&sender->landed, &flight->node);
	sender->nlanded++;
}

void
sender_leave_outbox(Sender *sender, Flight *flight)
{
	dlist_delete(&flight->node);
	sender->noutbox--;
}

/* Hands one message to the transport. */
static void
submit_part(Sender *sender, Flight *flight, int part)
{
	const CasTransport *transport = sender->settings->adapter->transport;
	MemoryContext old = MemoryContextSwitchTo(flight->batch->context);

	transport->submit(sender->link, flight->parts[part].message,
					  flight_tag(flight, part));
	MemoryContextSwitchTo(old);
	flight->parts[part].submitted = true;
	flight->next_part++;
	flight->nwaiting++;
	sender->nsubmitted++;
}

/* Hands messages to the transport as long as it takes them. */
void
sender_submit(Sender *sender, TimestampTz now)
{
	int			room = sender_room(sender, now);

	while (room > 0 && sender->noutbox > 0)
	{
		Flight	   *flight = dlist_head_element(Flight, node,
												&sender->outbox);
		int			part = flight_next_part(flight);

		if (part >= 0)
		{
			submit_part(sender, flight, part);
			room--;
		}
		if (flight_next_part(flight) >= 0)
			continue;
		sender_leave_outbox(sender, flight);
		if (flight->nwaiting == 0)
		{
			flight_land(flight, sender->settings, now);
			sender_flight_landed(sender, flight);
		}
	}
}

/* Takes back what waits in the outbox: no further byte of it will leave. */
void
sender_recall(Sender *sender, TimestampTz now)
{
	while (sender->noutbox > 0)
	{
		Flight	   *flight = dlist_head_element(Flight, node,
												&sender->outbox);

		sender_leave_outbox(sender, flight);
		flight->next_part = flight->nparts;
		if (flight->nwaiting > 0)
			continue;			/* lands with its last answer */
		if (flight_was_out(flight))
			flight_land(flight, sender->settings, now);
		else
			flight_recall(flight, now);
		sender_flight_landed(sender, flight);
	}
}

/* ------------------------------------------------------------------------
 * Answers
 * ------------------------------------------------------------------------
 */

/* The provider lives. */
static void
note_life(Sender *sender)
{
	if (breaker_answered(&sender->breaker))
		ereport(LOG,
				(errcode(ERRCODE_SUCCESSFUL_COMPLETION),
				 errmsg("provreq: provider \"%s\" answers again",
						sender->name)));
}

/* What an answer says about the provider itself. */
static void
note_health(Sender *sender, const CasOutcome *outcome, const CasReply *reply,
			TimestampTz now)
{
	const char *why = reply->failure ? reply->failure :
	outcome->error_description;

	if (reply->status == CAS_ANSWERED && !outcome->unreachable)
	{
		note_life(sender);
		return;
	}
	if (!breaker_failed(&sender->breaker, now))
		return;
	ereport(WARNING,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("provreq: provider \"%s\" is out of reach: %s",
					sender->name, why ? why : "no answer"),
			 errdetail("Its requests wait; one at a time is tried until it answers.")));
	sender_recall(sender, now);
}

/*
 * Decoding may convert encodings, which needs a transaction unless the
 * database speaks UTF-8, as all but old ones do.
 */
static void
decode_reply(Sender *sender, Flight *flight, int part, const CasReply *reply)
{
	bool		convert = GetDatabaseEncoding() != PG_UTF8 &&
	GetDatabaseEncoding() != PG_SQL_ASCII;

	if (convert)
		process_begin();
	flight_answer(flight, part, sender->settings, reply);
	if (convert)
		process_commit();
}

/*
 * An answer, or what came instead of one, to a part of a flight; the flight
 * lands with its last part.  Late answers are of flights that have landed.
 */
static void
take_reply(Sender *sender, const CasReply *reply, TimestampTz now)
{
	uint32		slot = (uint32) (reply->tag >> 32);
	int			part = (int) (uint32) reply->tag;
	Flight	   *flight = slot < sender->nslots ? sender->flights[slot] : NULL;
	CasOutcome	outcome;

	if (reply->late)
	{
		sender_take_late(sender, reply, now);
		note_life(sender);
		return;
	}
	if (flight == NULL || part >= flight->nparts ||
		!flight->parts[part].submitted || flight->parts[part].answered)
	{
		elog(WARNING, "provreq: transport answered for nothing that was sent");
		return;
	}
	sender->nsubmitted--;
	decode_reply(sender, flight, part, reply);
	outcome = flight->parts[part].outcome;
	if (flight->nwaiting == 0 && flight_next_part(flight) < 0)
	{
		flight_land(flight, sender->settings, now);
		sender_flight_landed(sender, flight);
	}
	note_health(sender, &outcome, reply, now);
}

void
sender_move_bytes(Sender *sender)
{
	CasReply	replies[REPLIES];
	int			n;

	if (sender->link == NULL)
		return;
	do
	{
		TimestampTz now;

		n = sender->settings->adapter->transport->process(sender->link,
														  replies, REPLIES);
		now = GetCurrentTimestamp();
		for (int i = 0; i < n; i++)
			take_reply(sender, &replies[i], now);
	} while (n == REPLIES);
}

/* Patience is over: what has no answer yet is in doubt, and recorded so. */
void
sender_abandon(Sender *sender, TimestampTz now)
{
	CasReply	none = {.status = CAS_NO_ANSWER};

	none.failure = "the sender was stopped before an answer came";
	for (uint32 slot = 0; slot < sender->nslots; slot++)
	{
		Flight	   *flight = sender->flights[slot];

		if (flight == NULL)
			continue;
		for (int part = 0; part < flight->nparts; part++)
			if (flight->parts[part].submitted &&
				!flight->parts[part].answered)
				decode_reply(sender, flight, part, &none);
		flight_land(flight, sender->settings, now);
		sender_flight_landed(sender, flight);
	}
	sender->nsubmitted = 0;
	sender->link = NULL;		/* closed with the settings' context */
	sender->link_generation++;
}
