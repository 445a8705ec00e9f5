/*-------------------------------------------------------------------------
 *
 * sender.c
 *		The process that sends the requests of one provider.
 *
 * One loop, one wait: latch, postmaster death, and the descriptor that
 * stands for all sockets of the transport.  Between two waits it moves
 * bytes, notes answers, and when that is worth a transaction does one unit
 * of work (sender_work.c).  No transaction is ever open across the wait.
 *
 * The sender knows no CAS and no column of the table: it moves flights
 * between the queue, the schedule, and the transport.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "process.h"
#include "sender_private.h"
#include "settings.h"
#include "wake.h"

PGDLLEXPORT void provreq_sender_main(Datum main_arg);

/* Answers that are read from the transport at a time. */
#define REPLIES 64

/* How often to look whether the provider's other sender has left, in ms. */
#define OTHER_SENDER_DELAY 100

/* Keys that the filter of deferred requests is made for. */
#define FILTER_KEYS 2000000

/* ------------------------------------------------------------------------
 * Flights
 * ------------------------------------------------------------------------
 */

static uint64
flight_tag(const Flight *flight, int part)
{
	return ((uint64) flight->slot << 32) | (uint32) part;
}

/* Puts a flight among the landed, its slot free for another. */
static void
flight_landed(Sender *sender, Flight *flight)
{
	sender->flights[flight->slot] = NULL;
	sender->free_slots[sender->nfree++] = flight->slot;
	if (sender->nlanded == 0)
		sender->landed_since = GetCurrentTimestamp();
	dlist_push_tail(&sender->landed, &flight->node);
	sender->nlanded++;
}

static void
leave_outbox(Sender *sender, Flight *flight)
{
	dlist_delete(&flight->node);
	sender->noutbox--;
}

/* Hands messages to the transport as long as it takes them. */
static void
submit_outbox(Sender *sender, TimestampTz now)
{
	int			room = sender_room(sender, now);

	while (room > 0 && sender->noutbox > 0)
	{
		Flight	   *flight = dlist_container(Flight, node,
											 dlist_head_node(&sender->outbox));
		int			part = flight_next_part(flight);

		if (part >= 0)
		{
			sender->settings->adapter->transport->submit(sender->link,
														 flight->parts[part].message,
														 flight_tag(flight, part));
			flight->parts[part].submitted = true;
			flight->next_part++;
			flight->nwaiting++;
			sender->nsubmitted++;
			room--;
		}
		if (flight_next_part(flight) >= 0)
			continue;
		leave_outbox(sender, flight);
		if (flight->nwaiting == 0)
		{
			flight_land(flight, sender->settings, now);
			flight_landed(sender, flight);
		}
	}
}

/* Takes back what waits in the outbox: no further byte of it will leave. */
static void
recall_outbox(Sender *sender, TimestampTz now)
{
	while (sender->noutbox > 0)
	{
		Flight	   *flight = dlist_container(Flight, node,
											 dlist_head_node(&sender->outbox));

		leave_outbox(sender, flight);
		flight->next_part = flight->nparts;
		if (flight->nwaiting > 0)
			continue;			/* lands with its last answer */
		if (flight_was_out(flight))
			flight_land(flight, sender->settings, now);
		else
			flight_recall(flight, now);
		flight_landed(sender, flight);
	}
}

/* ------------------------------------------------------------------------
 * Answers
 * ------------------------------------------------------------------------
 */

/* What an answer says about the provider itself. */
static void
note_health(Sender *sender, const CasOutcome *outcome, const CasReply *reply,
			TimestampTz now)
{
	const char *why = reply->failure ? reply->failure :
		outcome->error_description;

	if (reply->status == CAS_ANSWERED && !outcome->unreachable)
	{
		if (breaker_answered(&sender->breaker))
			ereport(LOG,
					(errmsg("provreq: provider \"%s\" answers again",
							sender->name)));
		return;
	}
	if (!breaker_failed(&sender->breaker, now))
		return;
	ereport(WARNING,
			(errmsg("provreq: provider \"%s\" is out of reach: %s",
					sender->name, why ? why : "no answer"),
			 errdetail("Its requests wait; one at a time is tried until it answers.")));
	recall_outbox(sender, now);
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

static void
take_reply(Sender *sender, const CasReply *reply, TimestampTz now)
{
	uint32		slot = (uint32) (reply->tag >> 32);
	int			part = (int) (uint32) reply->tag;
	Flight	   *flight = slot < sender->nslots ? sender->flights[slot] : NULL;
	CasOutcome	outcome;

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
		flight_landed(sender, flight);
	}
	note_health(sender, &outcome, reply, now);
}

static void
move_bytes(Sender *sender)
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

/* ------------------------------------------------------------------------
 * The loop
 * ------------------------------------------------------------------------
 */
static void
heed_wakeups(Sender *sender)
{
	uint32		bits = wake_take();

	if (bits & WAKE_WORK)
		sender->feed = true;
	if (bits & WAKE_RELOAD)
		sender->reload = true;
	if (bits & WAKE_WITHDRAWN)
		sender->withdrawn = true;
	if (bits & WAKE_PREPARED)
		sender->prepared = sender->withdrawn = true;
	if (bits & WAKE_STOP)
		sender->stopping = sender->deliberate = true;
	process_follow_configuration();
	if (ShutdownRequestPending)
		sender->stopping = true;
}

/* Patience is over: what has no answer yet is in doubt, and recorded so. */
static void
abandon_flights(Sender *sender, TimestampTz now)
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
		flight_landed(sender, flight);
	}
	sender->nsubmitted = 0;
	sender->link = NULL;		/* closed with the settings' context */
	sender->link_generation++;
}

/*
 * Whether to leave now: everything is answered and recorded.  Answers are
 * waited for as long as provreq.shutdown_grace says, locks half as long
 * again.
 */
static bool
stop_now(Sender *sender, TimestampTz now)
{
	if (!sender->stopping)
		return false;
	if (sender->stop_at == 0)
	{
		sender->stop_at = TimestampTzPlusMilliseconds(now,
													  provreq_shutdown_grace);
		sender->leave_at = TimestampTzPlusMilliseconds(sender->stop_at,
													   provreq_shutdown_grace / 2 + 1000);
		recall_outbox(sender, now);
	}
	if (now >= sender->stop_at && sender->nsubmitted > 0)
		abandon_flights(sender, now);
	return (sender->nsubmitted == 0 && sender->nlanded == 0 &&
			sender->ndeferred == 0) || now >= sender->leave_at;
}

static TimestampTz
sooner(TimestampTz a, TimestampTz b)
{
	if (a == 0 || b == 0)
		return a + b;
	return Min(a, b);
}

/* The next instant at which there may be something to do; 0 = none. */
static TimestampTz
next_instant(Sender *sender, TimestampTz now)
{
	TimestampTz next = sender->nsubmitted > 0 ? sender->stop_at :
		sender->leave_at;
	ScheduleCounts counts;

	if (sender->pause_until > now)
		return sooner(next, sender->pause_until);
	if (sender->ndeferred > 0)
		next = sooner(next, sender->next_deferred);
	if (sender->nlanded > 0)
		next = sooner(next, sender_settle_time(sender));
	if (sender->stopping)
		return next;
	next = sooner(next, sender->reload_again);
	if (sender->take_pause > now)
		return sooner(next, sender->take_pause);
	next = sooner(next, schedule_next_time(sender->schedule, now));
	if (sender->next_later != 0)
		next = sooner(next, sender->next_later);
	if (sender->prepared)
		next = sooner(next, sender->next_prepared_look);
	schedule_counts(sender->schedule, &counts);
	if (sender->breaker.open && counts.ready > 0 &&
		sender->nsubmitted == 0 && sender->noutbox == 0)
		next = sooner(next, sender->breaker.next_probe);
	return next;
}

static long
wait_time(Sender *sender)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz next = next_instant(sender, now);
	long		timeout = -1;
	long		transport = -1;

	if (sender_has_work(sender, now))
		return 0;
	if (next != 0)
		timeout = TimestampDifferenceMilliseconds(now, next);
	if (sender->link)
		transport = sender->settings->adapter->transport->timeout(sender->link);
	if (transport >= 0)
		timeout = timeout < 0 ? transport : Min(timeout, transport);
	return timeout;
}

static void
report_state(Sender *sender)
{
	char		state[128];
	ScheduleCounts counts;

	schedule_counts(sender->schedule, &counts);
	if (sender->stopping)
		snprintf(state, sizeof(state), "stopping, %d in flight",
				 sender->nsubmitted);
	else if (sender->settings == NULL)
		snprintf(state, sizeof(state), "settings are wrong, see the log; %u waiting",
				 counts.in_memory);
	else if (sender->breaker.open)
		snprintf(state, sizeof(state), "provider out of reach; %u waiting",
				 counts.in_memory);
	else if (counts.in_memory == 0)
		snprintf(state, sizeof(state), "waiting for requests");
	else
		snprintf(state, sizeof(state), "%u in flight, %u waiting",
				 counts.in_flight, counts.in_memory - counts.in_flight);
	process_report(counts.in_flight > 0, state);
}

/* Everything but the wait.  Returns false when it is time to leave. */
static bool
turn(Sender *sender)
{
	heed_wakeups(sender);
	move_bytes(sender);
	if (stop_now(sender, GetCurrentTimestamp()))
		return false;
	if (sender->reload_again != 0 &&
		GetCurrentTimestamp() >= sender->reload_again)
		sender->reload = true;
	if (sender->reload && !sender->stopping)
	{
		recall_outbox(sender, GetCurrentTimestamp());
		if (sender->nsubmitted == 0 && sender->nlanded == 0)
			sender_reload(sender);
	}
	if (sender_has_work(sender, GetCurrentTimestamp()))
		sender_work(sender);
	if (!sender->stopping)
		submit_outbox(sender, GetCurrentTimestamp());
	return true;
}

static void
run(Sender *sender)
{
	uint32		waited_generation = 0;
	WaitEventSet *set = NULL;
	uint32		event_name = compat_wait_event("ProvreqSenderMain");

	for (;;)
	{
		WaitEvent	event;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (!turn(sender))
			break;
		if (set == NULL || waited_generation != sender->link_generation)
		{
			if (set)
				FreeWaitEventSet(set);
			waited_generation = sender->link_generation;
			set = process_wait_set(sender->link ?
								   sender->settings->adapter->transport->socket(sender->link) :
								   PGINVALID_SOCKET);
		}
		report_state(sender);
		(void) WaitEventSetWait(set, wait_time(sender), &event, 1, event_name);
	}
	if (set)
		FreeWaitEventSet(set);
}

/*
 * A sender with nothing in it; NULL when its provider is not wanted, and with
 * *again when it has another sender yet.
 */
static Sender *
sender_make(Oid serverid, bool *again)
{
	Sender	   *sender = palloc0(sizeof(Sender));
	Provider   *provider;

	*again = false;
	sender->serverid = serverid;
	sender->reload = sender->feed = sender->prepared = true;
	dlist_init(&sender->outbox);
	dlist_init(&sender->landed);
	dlist_init(&sender->deferred);
	sender->flights = palloc(sizeof(Flight *));
	sender->free_slots = palloc(sizeof(uint32));
	sender->later_limit = GetCurrentTimestamp();
	sender->next_later = sender->later_limit;
	process_begin_afresh();
	MemoryContextSwitchTo(TopMemoryContext);
	if (!queue_lock_table() || (provider = provider_find(serverid)) == NULL)
		sender = NULL;
	else if (!queue_lock_provider(provider->name))
	{
		sender = NULL;
		*again = true;
	}
	else
	{
		sender->name = pstrdup(provider->name);
		sender->queue = queue_open(provider->adapter, provider->name);
		sender->schedule = schedule_create(provreq_window, FILTER_KEYS);
		schedule_set_later_limit(sender->schedule, sender->later_limit);
	}
	process_commit();
	MemoryContextSwitchTo(TopMemoryContext);
	return sender;
}

/* The provider's old sender has yet to leave; so do we if we are told to. */
static void
wait_for_other(void)
{
	process_report(false, "waiting for the provider's other sender to leave");
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 OTHER_SENDER_DELAY, compat_wait_event("ProvreqSenderStart"));
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (wake_take() & WAKE_STOP)
		wake_leave();
	else if (!ShutdownRequestPending)
		return;
	proc_exit(0);
}

void
provreq_sender_main(Datum main_arg)
{
	Oid			serverid = process_start(main_arg, true);
	Sender	   *sender;
	bool		again = false;

	queue_in_sender = true;
	while ((sender = sender_make(serverid, &again)) == NULL && again)
		wait_for_other();
	if (sender == NULL)
	{
		wake_leave();
		proc_exit(0);
	}
	process_name("provreq sender", sender->name);
	run(sender);
	sender_drop_link(sender);
	if (sender->deliberate)
		wake_leave();
	proc_exit(0);
}
