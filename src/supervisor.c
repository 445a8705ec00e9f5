/*-------------------------------------------------------------------------
 *
 * supervisor.c
 *		The process that looks after one database: its senders, its runner
 *		and the partitions of its closed requests.
 *
 * It is woken by DDL on servers, mappings and profiles (watch.c), by a sender
 * that ended, and otherwise only when the next month comes near.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "process.h"
#include "provider.h"
#include "queue.h"
#include "settings.h"
#include "wake.h"

PGDLLEXPORT void provreq_supervisor_main(Datum main_arg);

/* How often partitions are looked after, in ms. */
#define PARTITION_INTERVAL (24 * 60 * 60 * 1000)

/* When to look again after an error, in ms. */
#define ERROR_INTERVAL 5000

/* While prepared transactions may hold DDL of ours, in ms. */
#define PREPARED_INTERVAL 1000

typedef struct Supervisor
{
	bool		present;		/* the extension is there */
	bool		at_home;		/* not a copy of another database */
	bool		rescan;
	bool		prepared;
	TimestampTz next_partitions;	/* 0 = at the next look */
	bool		said_copied;
} Supervisor;

/* Tells senders that are not wanted to leave, and wants the others. */
static void
match_senders(Supervisor *supervisor)
{
	List	   *known = wake_sender_oids(MyDatabaseId);
	ListCell   *lc;

	if (supervisor->present && supervisor->at_home)
		foreach(lc, provider_list())
	{
		Provider   *provider = lfirst(lc);

		if (!provider->effective)
			continue;
		known = list_delete_oid(known, provider->serverid);
		if (!wake_want(WORKER_SENDER, MyDatabaseId, provider->serverid))
			ereport(WARNING,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("no room for the sender of provider \"%s\"",
							provider->name),
					 errhint("Set provreq.max_workers to more than %d.",
							 provreq_max_workers)));
	}
	foreach(lc, known)
		wake_stop(WORKER_SENDER, MyDatabaseId, lfirst_oid(lc));
}

static bool
ask(const char *question)
{
	bool		isnull;
	bool		answer;

	SPI_connect();
	if (SPI_execute(question, false, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not ask: %s", question);
	answer = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0],
										SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	return answer;
}

static void
say_copied(Supervisor *supervisor)
{
	if (supervisor->at_home || supervisor->said_copied)
		return;
	supervisor->said_copied = true;
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("provreq: database \"%s\" was restored or copied from another one, nothing is sent from it",
					get_database_name(MyDatabaseId)),
			 errhint("If requests are to be sent from here and no longer from there, use provreq.adopt().")));
}

/* A runner is there while there is something for it to do. */
static void
match_runner(const Supervisor *supervisor)
{
	if (!supervisor->present || !supervisor->at_home ||
		!ask("SELECT provreq.runs_wanted()"))
		wake_stop(WORKER_RUNNER, MyDatabaseId, InvalidOid);
	else if (!wake_want(WORKER_RUNNER, MyDatabaseId, InvalidOid))
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no room for the runner of database \"%s\"",
						get_database_name(MyDatabaseId)),
				 errhint("Set provreq.max_workers to more than %d.",
						 provreq_max_workers)));
}

/* Looks at everything anew. */
static void
look(Supervisor *supervisor)
{
	/* asked first: what is committed after this is seen at the next look */
	if (supervisor->prepared)
		supervisor->prepared = queue_prepared_exist();
	supervisor->present = queue_lock_table();
	if (supervisor->present)
	{
		supervisor->at_home = ask("SELECT provreq.is_home()");
		say_copied(supervisor);
	}
	match_senders(supervisor);
	match_runner(supervisor);
}

/*
 * Makes partitions ahead, and drops old ones if that is asked for.  Until
 * there is a request there are none to make, so that a dump can be restored
 * with its own; the sender that takes the first request lets us know.
 */
static void
look_after_partitions(Supervisor *supervisor)
{
	if (GetCurrentTimestamp() < supervisor->next_partitions)
		return;
	if (ask("SELECT provreq.make_partitions()"))
		supervisor->next_partitions =
			TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
										PARTITION_INTERVAL);
}

/* One transaction; false when it failed. */
static bool
supervise(Supervisor *supervisor)
{
	PG_TRY();
	{
		process_begin_afresh();
		look(supervisor);
		if (supervisor->present)
			look_after_partitions(supervisor);
		process_commit();
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		EmitErrorReport();
		process_abort();
		MemoryContextSwitchTo(TopMemoryContext);
		RESUME_INTERRUPTS();
		return false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(TopMemoryContext);
	return true;
}

static void
heed_wakeups(Supervisor *supervisor)
{
	uint32		bits = wake_take();

	if (bits & (WAKE_RELOAD | WAKE_WORK))
		supervisor->rescan = true;
	if (bits & WAKE_PREPARED)
		supervisor->prepared = true;
	process_follow_configuration();
}

/* The extension is gone: leave when the senders and the runner have. */
static bool
may_leave(const Supervisor *supervisor)
{
	List	   *senders = wake_sender_oids(MyDatabaseId);
	bool		alone = senders == NIL && !wake_runner_exists(MyDatabaseId);

	list_free(senders);
	return !supervisor->present && !supervisor->prepared && alone;
}

/* Starts who is wanted; after how many ms to do so again, -1 = never. */
static long
start_children(void)
{
	long		senders = wake_start_wanted(WORKER_SENDER, MyDatabaseId);
	long		runner = wake_start_wanted(WORKER_RUNNER, MyDatabaseId);

	if (senders < 0 || runner < 0)
		return Max(senders, runner);
	return Min(senders, runner);
}

/* How long to wait, given what starting children asked for. */
static long
supervisor_timeout(const Supervisor *supervisor, long timeout, bool ok)
{
	TimestampTz now = GetCurrentTimestamp();
	long		mine = -1;

	if (!ok)
		mine = ERROR_INTERVAL;
	else if (supervisor->prepared)
		mine = PREPARED_INTERVAL;
	else if (supervisor->next_partitions != 0)
		mine = TimestampDifferenceMilliseconds(now,
											   supervisor->next_partitions);
	if (timeout < 0 || mine < 0)
		return Max(timeout, mine);
	return Min(timeout, mine);
}

void
provreq_supervisor_main(Datum main_arg)
{
	Supervisor	supervisor = {.rescan = true,.prepared = true};
	WaitEventSet *set;
	uint32		event_name;

	process_start(main_arg, false);
	process_name("provreq", "supervisor");
	set = process_wait_set(PGINVALID_SOCKET);
	event_name = compat_wait_event("ProvreqSupervisorMain");
	while (!ShutdownRequestPending)
	{
		WaitEvent	event;
		long		timeout;
		bool		ok = true;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		heed_wakeups(&supervisor);
		if (supervisor.rescan || supervisor.prepared ||
			(supervisor.next_partitions != 0 &&
			 GetCurrentTimestamp() >= supervisor.next_partitions))
			ok = supervise(&supervisor);
		supervisor.rescan = !ok;
		if (ok && may_leave(&supervisor))
		{
			wake_leave();
			break;
		}
		process_report(false, "looking after senders and partitions");
		timeout = start_children();
		timeout = supervisor_timeout(&supervisor, timeout, ok);
		(void) WaitEventSetWait(set, timeout, &event, 1, event_name);
	}
	proc_exit(0);
}
