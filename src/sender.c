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

/* How often to look whether the provider's other sender has left, in ms. */
#define OTHER_SENDER_DELAY 100

/* Before a wait longer than this, in ms, statistics are sent for certain. */
#define LONG_WAIT 1000

/* Keys that the filter of deferred requests is made for. */
#define FILTER_KEYS 2000000

/* ------------------------------------------------------------------------
 * The loop
 * ------------------------------------------------------------------------
 */

/* What others want of this sender, and what the server's signals say. */
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
	if ((bits & WAKE_PREPARED) && (bits & WAKE_RELOAD))
		sender->reload_prepared = true;
	if (bits & WAKE_STOP)
		sender->stopping = sender->deliberate = true;
	process_follow_configuration();
	if (ShutdownRequestPending)
		sender->stopping = true;
}

/* Nothing is on its way and nothing is to be recorded. */
static bool
is_drained(const Sender *sender)
{
	return sender->nsubmitted == 0 && sender->noutbox == 0 &&
		sender->nlanded == 0 && sender->late == NIL;
}

/*
 * Whether to leave now: everything is answered and recorded.  Answers are
 * waited for as long as provreq.shutdown_grace says, locks half as long
 * again.
 */
static bool
stop_now(Sender *sender, TimestampTz now)
{
	int			more = provreq_shutdown_grace / 2 + 1000;

	if (!sender->stopping)
		return false;
	if (sender->gone)
		return true;
	if (sender->stop_at == 0)
	{
		sender->stop_at = TimestampTzPlusMilliseconds(now,
													  provreq_shutdown_grace);
		sender->leave_at = TimestampTzPlusMilliseconds(sender->stop_at, more);
		sender_recall(sender, now);
	}
	if (now >= sender->stop_at && sender->nsubmitted > 0)
		sender_abandon(sender, now);
	return (is_drained(sender) && sender->ndeferred == 0) ||
		now >= sender->leave_at;
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
	if (sender->breaker.open && !sender->paused && sender->nsubmitted == 0 &&
		(counts.ready > 0 || sender->noutbox > 0))
		next = sooner(next, sender->breaker.next_probe);
	return next;
}

/* How long there is nothing to do, in ms; -1: until somebody says so. */
static long
wait_time(Sender *sender)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz next = next_instant(sender, now);
	const CasSettings *settings = sender->settings;
	bool		leaving = sender->stopping && sender->ndeferred == 0;
	long		timeout = -1;
	long		answers = -1;

	if (sender->gone || sender_has_work(sender, now) ||
		(is_drained(sender) && (sender->reload || leaving)))
		return 0;
	if (next != 0)
		timeout = TimestampDifferenceMilliseconds(now, next);
	if (sender->link)
		answers = settings->adapter->transport->timeout(sender->link);
	if (answers >= 0)
		timeout = timeout < 0 ? answers : Min(timeout, answers);
	return timeout;
}

/* For pg_stat_activity. */
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
	else if (sender->paused)
		snprintf(state, sizeof(state), "paused; %u waiting",
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
	sender_move_bytes(sender);
	if (stop_now(sender, GetCurrentTimestamp()))
		return false;
	if (sender->reload_again != 0 &&
		GetCurrentTimestamp() >= sender->reload_again)
		sender->reload = true;
	if (sender->reload && !sender->stopping)
	{
		sender_recall(sender, GetCurrentTimestamp());
		if (is_drained(sender))
			sender_reload(sender);
	}
	if (sender_has_work(sender, GetCurrentTimestamp()))
		sender_work(sender);
	if (sender->paused)
		sender_recall(sender, GetCurrentTimestamp());
	if (!sender->stopping)
		sender_submit(sender, GetCurrentTimestamp());
	return true;
}

/* The descriptor that tells of answers, or PGINVALID_SOCKET. */
static pgsocket
link_socket(const Sender *sender)
{
	if (sender->link == NULL)
		return PGINVALID_SOCKET;
	return sender->settings->adapter->transport->socket(sender->link);
}

/* The only loop: work, then wait for the latch or the link. */
static void
run(Sender *sender)
{
	uint32		waited_generation = 0;
	WaitEventSet *set = NULL;
	uint32		event_name = compat_wait_event("ProvreqSenderMain");

	for (;;)
	{
		WaitEvent	event;
		long		timeout;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (!turn(sender))
			break;
		if (set == NULL || waited_generation != sender->link_generation)
		{
			if (set)
				FreeWaitEventSet(set);
			waited_generation = sender->link_generation;
			set = process_wait_set(link_socket(sender));
		}
		report_state(sender);
		sender_publish(sender);
		timeout = wait_time(sender);
		if (timeout < 0 || timeout > LONG_WAIT)
			pgstat_report_stat(true);
		(void) WaitEventSetWait(set, timeout, &event, 1, event_name);
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
	sender->stats = stats_attach(serverid);
	run(sender);
	sender_drop_link(sender);
	if (sender->deliberate)
		wake_leave();
	proc_exit(0);
}
