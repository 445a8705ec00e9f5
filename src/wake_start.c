/*-------------------------------------------------------------------------
 *
 * wake_start.c
 *		How parents keep the roster: who is wanted, starting, and stopping.
 *
 * The launcher is the parent of the supervisors, a supervisor that of the
 * senders and the runner of its database.  A slot is claimed under the lock
 * before its process is registered, with a new generation: a process that
 * comes late, after its parent has lost patience and claimed the slot again,
 * does not fit any more and leaves.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "wake_private.h"

/* A registered child that is not heard of for so long is given up, in ms. */
#define START_PATIENCE	3000

/* Another try to register one when no worker slot was free, in ms. */
#define FULL_DELAY		1000

bool
wake_want(WorkerKind kind, Oid dbid, Oid serverid)
{
	bool		found;

	LWLockAcquire(wake_shared->lock, LW_EXCLUSIVE);
	found = wake_slot_want(kind, dbid, serverid) != NULL;
	LWLockRelease(wake_shared->lock);
	return found;
}

void
wake_stop(WorkerKind kind, Oid dbid, Oid serverid)
{
	WakeSlot   *slot;

	LWLockAcquire(wake_shared->lock, LW_EXCLUSIVE);
	slot = wake_slot_find(kind, dbid, serverid);
	if (slot && slot->state == WORKER_RUNNING)
		wake_slot_wake(slot, WAKE_STOP);
	else if (slot)
	{
		slot->generation++;
		slot->state = WORKER_FREE;
	}
	LWLockRelease(wake_shared->lock);
}

/* The Oids of all slots of one kind; by database or by server. */
static List *
roster_oids(WorkerKind kind, Oid dbid)
{
	List	   *oids = NIL;

	LWLockAcquire(wake_shared->lock, LW_SHARED);
	for (int i = 1; i < wake_shared->nslots; i++)
	{
		WakeSlot   *slot = &wake_shared->slots[i];

		if (slot->state == WORKER_FREE || slot->kind != kind)
			continue;
		if (kind == WORKER_SUPERVISOR)
			oids = lappend_oid(oids, slot->dbid);
		else if (slot->dbid == dbid)
			oids = lappend_oid(oids, slot->serverid);
	}
	LWLockRelease(wake_shared->lock);
	return oids;
}

List *
wake_sender_oids(Oid dbid)
{
	return roster_oids(WORKER_SENDER, dbid);
}

bool
wake_runner_exists(Oid dbid)
{
	bool		found;

	LWLockAcquire(wake_shared->lock, LW_SHARED);
	found = wake_slot_find(WORKER_RUNNER, dbid, InvalidOid) != NULL;
	LWLockRelease(wake_shared->lock);
	return found;
}

List *
wake_supervisor_databases(void)
{
	return roster_oids(WORKER_SUPERVISOR, InvalidOid);
}

/* What a child is called: the entry in pg_stat_activity and its function. */
static const char *const child_types[] = {
	[WORKER_SUPERVISOR] = "provreq supervisor",
	[WORKER_SENDER] = "provreq sender",
	[WORKER_RUNNER] = "provreq runner"
};
static const char *const child_functions[] = {
	[WORKER_SUPERVISOR] = "provreq_supervisor_main",
	[WORKER_SENDER] = "provreq_sender_main",
	[WORKER_RUNNER] = "provreq_runner_main"
};

/* Registers the child of a slot; false when the server has no room. */
static bool
child_register(int slot, WorkerKind kind, const WakeChild *child)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "provreq", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, child_functions[kind], BGW_MAXLEN);
	strlcpy(worker.bgw_type, child_types[kind], BGW_MAXLEN);
	if (kind == WORKER_SENDER)
		snprintf(worker.bgw_name, BGW_MAXLEN,
				 "provreq sender for server %u in database %u",
				 child->serverid, child->dbid);
	else
		snprintf(worker.bgw_name, BGW_MAXLEN, "%s for database %u",
				 child_types[kind], child->dbid);
	worker.bgw_main_arg = Int32GetDatum(slot);
	memcpy(worker.bgw_extra, child, sizeof(*child));
	return RegisterDynamicBackgroundWorker(&worker, NULL);
}

/* Says at most once a minute that the server has too few worker slots. */
static void
report_no_room(int missing)
{
	static TimestampTz last = 0;
	TimestampTz now = GetCurrentTimestamp();

	if (last != 0 && !TimestampDifferenceExceeds(last, now, 60000))
		return;
	last = now;
	ereport(WARNING,
			(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
			 errmsg("no background worker slot left for %d provreq process(es)",
					missing),
			 errhint("Set max_worker_processes to at least %d.",
					 max_worker_processes + missing)));
}

/*
 * Claims the next slot that is to be started now.  Returns its index or 0;
 * "delay" is lowered to when one that must wait will be due.
 */
static int
claim_wanted(WorkerKind kind, Oid dbid, WakeChild *child, long *delay)
{
	TimestampTz now = GetCurrentTimestamp();
	int			claimed = 0;

	LWLockAcquire(wake_shared->lock, LW_EXCLUSIVE);
	for (int i = 1; i < wake_shared->nslots && claimed == 0; i++)
	{
		WakeSlot   *slot = &wake_shared->slots[i];
		TimestampTz due = slot->not_before;

		if (slot->kind != kind ||
			(slot->state != WORKER_WANTED &&
			 slot->state != WORKER_STARTING) ||
			(OidIsValid(dbid) && slot->dbid != dbid))
			continue;
		if (slot->state == WORKER_STARTING)
			due = TimestampTzPlusMilliseconds(slot->started, START_PATIENCE);
		if (due > TimestampTzPlusMilliseconds(now, RESTART_DELAY_MAX))
			due = now;			/* the clock was set back */
		if (due > now)
		{
			long		ms = TimestampDifferenceMilliseconds(now, due) + 1;

			*delay = *delay < 0 ? ms : Min(*delay, ms);
			continue;
		}
		slot->generation++;
		slot->state = WORKER_STARTING;
		slot->started = now;
		child->dbid = slot->dbid;
		child->serverid = slot->serverid;
		child->generation = slot->generation;
		claimed = i;
	}
	LWLockRelease(wake_shared->lock);
	return claimed;
}

/* Puts a claimed slot back because its process could not be registered. */
static void
unclaim(int slot)
{
	LWLockAcquire(wake_shared->lock, LW_EXCLUSIVE);
	if (wake_shared->slots[slot].state == WORKER_STARTING)
	{
		wake_shared->slots[slot].state = WORKER_WANTED;
		wake_shared->slots[slot].not_before =
			TimestampTzPlusMilliseconds(GetCurrentTimestamp(), FULL_DELAY);
	}
	LWLockRelease(wake_shared->lock);
}

long
wake_start_wanted(WorkerKind kind, Oid dbid)
{
	WakeChild	child;
	long		delay = -1;
	int			missing = 0;
	int			slot;

	while ((slot = claim_wanted(kind, dbid, &child, &delay)) != 0)
	{
		if (child_register(slot, kind, &child))
		{
			delay = delay < 0 ? START_PATIENCE : Min(delay, START_PATIENCE);
			continue;
		}
		unclaim(slot);
		missing++;
		delay = delay < 0 ? FULL_DELAY : Min(delay, FULL_DELAY);
	}
	if (missing > 0)
		report_no_room(missing);
	return delay;
}
