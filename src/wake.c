/*-------------------------------------------------------------------------
 *
 * wake.c
 *		The roster of our processes in shared memory, and how to wake them.
 *
 * Every supervisor and every sender has a slot, reserved by its parent
 * before it is started, so that there can never be two senders of one
 * provider.  A slot outlives the process in it: one that ends unasked leaves
 * its slot as "wanted", and the parent starts it again.
 *
 * A wake-up is only a hint.  It is a bit in the slot and a set latch, given
 * at commit by a transaction callback; the table is the queue, and a sender
 * that starts reads all of it.
 *
 * Locking: WakeShared.lock guards all fields of all slots but the bits,
 * which are atomic.  It is held for a scan of the array at most.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "settings.h"
#include "wake.h"

/* A child that dies at once is started again after this, in ms. */
#define RESTART_DELAY	500

/* A registered child that is not heard of for so long is given up, in ms. */
#define START_PATIENCE	3000

/* Another try to register one when no worker slot was free, in ms. */
#define FULL_DELAY		1000

typedef struct WakeSlot
{
	WorkerKind	kind;
	WorkerState state;
	Oid			dbid;
	Oid			serverid;		/* of senders */
	uint32		generation;		/* grows with every start */
	int			procno;			/* -1 unless running */
	TimestampTz not_before;		/* wanted: not to be started earlier */
	TimestampTz started;		/* starting: since when */
	pg_atomic_uint32 bits;		/* WAKE_* */
} WakeSlot;

typedef struct WakeShared
{
	LWLock	   *lock;
	int			nslots;
	WakeSlot	slots[FLEXIBLE_ARRAY_MEMBER];	/* [0] is the launcher */
} WakeShared;

/* What to wake when the current transaction commits. */
typedef struct PendingWake
{
	WorkerKind	kind;
	Oid			serverid;		/* InvalidOid: all senders */
	uint32		bits;
} PendingWake;

static WakeShared *shared = NULL;
static WakeSlot *my_slot = NULL;
static bool leaving = false;
static List *pending = NIL;		/* of PendingWake *, in TopTransactionContext */
static shmem_request_hook_type previous_shmem_request = NULL;
static shmem_startup_hook_type previous_shmem_startup = NULL;

static Size
wake_size(void)
{
	return add_size(offsetof(WakeShared, slots),
					mul_size(provreq_max_workers + 1, sizeof(WakeSlot)));
}

static void
wake_shmem_request(void)
{
	if (previous_shmem_request)
		previous_shmem_request();
	RequestAddinShmemSpace(wake_size());
	RequestNamedLWLockTranche("provreq", 1);
}

static void
wake_shmem_startup(void)
{
	bool		found;

	if (previous_shmem_startup)
		previous_shmem_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("provreq", wake_size(), &found);
	if (!found)
	{
		memset(shared, 0, wake_size());
		shared->lock = &(GetNamedLWLockTranche("provreq"))->lock;
		shared->nslots = provreq_max_workers + 1;
		for (int i = 0; i < shared->nslots; i++)
		{
			pg_atomic_init_u32(&shared->slots[i].bits, 0);
			shared->slots[i].procno = -1;
		}
	}
	LWLockRelease(AddinShmemInitLock);
}

bool
wake_available(void)
{
	return shared != NULL;
}

/* Sets bits and the latch of a slot's process.  Caller holds the lock. */
static void
slot_wake(WakeSlot *slot, uint32 bits)
{
	pg_atomic_fetch_or_u32(&slot->bits, bits);
	if (slot->procno >= 0)
		SetLatch(&ProcGlobal->allProcs[slot->procno].procLatch);
}

/* The slot of a child, or NULL.  Caller holds the lock. */
static WakeSlot *
slot_find(WorkerKind kind, Oid dbid, Oid serverid)
{
	for (int i = 1; i < shared->nslots; i++)
	{
		WakeSlot   *slot = &shared->slots[i];

		if (slot->state != WORKER_FREE && slot->kind == kind &&
			slot->dbid == dbid && slot->serverid == serverid)
			return slot;
	}
	return NULL;
}

/*
 * Reserves a slot, or returns the one that is there; NULL when the roster is
 * full.  Caller holds the lock exclusively.
 */
static WakeSlot *
slot_want(WorkerKind kind, Oid dbid, Oid serverid)
{
	WakeSlot   *slot = slot_find(kind, dbid, serverid);

	if (slot)
		return slot;
	for (int i = 1; i < shared->nslots; i++)
	{
		slot = &shared->slots[i];
		if (slot->state == WORKER_FREE)
		{
			slot->kind = kind;
			slot->state = WORKER_WANTED;
			slot->dbid = dbid;
			slot->serverid = serverid;
			slot->procno = -1;
			slot->not_before = 0;
			pg_atomic_write_u32(&slot->bits, 0);
			return slot;
		}
	}
	return NULL;
}

/* Wakes whoever starts children of this kind.  Caller holds the lock. */
static void
slot_wake_parent(const WakeSlot *slot)
{
	WakeSlot   *parent = &shared->slots[0];

	if (slot->kind == WORKER_SENDER)
		parent = slot_find(WORKER_SUPERVISOR, slot->dbid, InvalidOid);
	if (parent)
		slot_wake(parent, WAKE_RELOAD);
}

/* ------------------------------------------------------------------------
 * Wake-up at commit
 * ------------------------------------------------------------------------
 */

/* Caller holds the lock exclusively. */
static void
wake_one(const PendingWake *wake, uint32 more)
{
	WakeSlot   *slot;

	if (wake->kind == WORKER_LAUNCHER)
	{
		slot_wake(&shared->slots[0], wake->bits);
		return;
	}
	if (wake->kind == WORKER_SUPERVISOR)
	{
		slot = slot_want(WORKER_SUPERVISOR, MyDatabaseId, InvalidOid);
		if (slot == NULL)
			return;
		slot_wake(slot, wake->bits | more);
		if (slot->state == WORKER_WANTED)
			slot_wake_parent(slot);
		return;
	}
	for (int i = 1; i < shared->nslots; i++)
	{
		slot = &shared->slots[i];
		if (slot->state != WORKER_FREE && slot->kind == WORKER_SENDER &&
			slot->dbid == MyDatabaseId &&
			(wake->serverid == InvalidOid || slot->serverid == wake->serverid))
			slot_wake(slot, wake->bits | more);
	}
}

/*
 * At PREPARE TRANSACTION nothing can be seen yet, and whoever says COMMIT
 * PREPARED will not pass here: those who wait are told to look now and then.
 */
static void
wake_at_end(XactEvent event, void *arg)
{
	ListCell   *lc;

	if (pending == NIL)
		return;
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PARALLEL_COMMIT ||
		event == XACT_EVENT_PREPARE)
	{
		LWLockAcquire(shared->lock, LW_EXCLUSIVE);
		foreach(lc, pending)
			wake_one(lfirst(lc),
					 event == XACT_EVENT_PREPARE ? WAKE_PREPARED : 0);
		LWLockRelease(shared->lock);
	}
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PARALLEL_COMMIT ||
		event == XACT_EVENT_PREPARE || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PARALLEL_ABORT)
		pending = NIL;
}

static void
wake_at_commit(WorkerKind kind, Oid serverid, uint32 bits)
{
	MemoryContext old;
	PendingWake *wake;
	ListCell   *lc;

	if (!wake_available())
		return;
	foreach(lc, pending)
	{
		wake = lfirst(lc);
		if (wake->kind == kind && wake->serverid == serverid)
		{
			wake->bits |= bits;
			return;
		}
	}
	old = MemoryContextSwitchTo(TopTransactionContext);
	wake = palloc(sizeof(PendingWake));
	wake->kind = kind;
	wake->serverid = serverid;
	wake->bits = bits;
	pending = lappend(pending, wake);
	MemoryContextSwitchTo(old);
}

void
wake_sender_at_commit(Oid serverid, uint32 bits)
{
	wake_at_commit(WORKER_SENDER, serverid, bits);
}

void
wake_all_senders_at_commit(uint32 bits)
{
	wake_at_commit(WORKER_SENDER, InvalidOid, bits);
}

void
wake_supervisor_at_commit(void)
{
	wake_at_commit(WORKER_SUPERVISOR, InvalidOid, WAKE_RELOAD);
}

void
wake_launcher_at_commit(void)
{
	wake_at_commit(WORKER_LAUNCHER, InvalidOid, WAKE_RELOAD);
}

void
wake_install_hooks(void)
{
	previous_shmem_request = shmem_request_hook;
	shmem_request_hook = wake_shmem_request;
	previous_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = wake_shmem_startup;
	RegisterXactCallback(wake_at_end, NULL);
}

/* ------------------------------------------------------------------------
 * The processes of the roster
 * ------------------------------------------------------------------------
 */

static void
wake_exit(int code, Datum arg)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	my_slot->procno = -1;
	if (my_slot != &shared->slots[0])
	{
		slot_wake_parent(my_slot);
		if (leaving)
			my_slot->state = WORKER_FREE;
		else
		{
			my_slot->state = WORKER_WANTED;
			my_slot->not_before =
				TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
											RESTART_DELAY);
		}
	}
	my_slot = NULL;
	LWLockRelease(shared->lock);
}

bool
wake_attach(int slot, uint32 generation)
{
	WakeSlot   *mine = &shared->slots[slot];
	bool		fits;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	fits = mine->state == WORKER_STARTING && mine->generation == generation;
	if (fits)
	{
		mine->state = WORKER_RUNNING;
		mine->procno = compat_my_proc_number();
		my_slot = mine;
	}
	LWLockRelease(shared->lock);
	if (fits)
		before_shmem_exit(wake_exit, (Datum) 0);
	return fits;
}

void
wake_attach_launcher(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	my_slot = &shared->slots[0];
	my_slot->kind = WORKER_LAUNCHER;
	my_slot->state = WORKER_RUNNING;
	my_slot->procno = compat_my_proc_number();
	LWLockRelease(shared->lock);
	before_shmem_exit(wake_exit, (Datum) 0);
}

void
wake_leave(void)
{
	leaving = true;
}

uint32
wake_take(void)
{
	return pg_atomic_exchange_u32(&my_slot->bits, 0);
}

/* ------------------------------------------------------------------------
 * Parents
 * ------------------------------------------------------------------------
 */
bool
wake_want(WorkerKind kind, Oid dbid, Oid serverid)
{
	bool		found;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	found = slot_want(kind, dbid, serverid) != NULL;
	LWLockRelease(shared->lock);
	return found;
}

void
wake_stop(WorkerKind kind, Oid dbid, Oid serverid)
{
	WakeSlot   *slot;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = slot_find(kind, dbid, serverid);
	if (slot && slot->state == WORKER_RUNNING)
		slot_wake(slot, WAKE_STOP);
	else if (slot)
	{
		slot->generation++;
		slot->state = WORKER_FREE;
	}
	LWLockRelease(shared->lock);
}

/* The Oids of all slots of one kind; by database or by server. */
static List *
roster_oids(WorkerKind kind, Oid dbid)
{
	List	   *oids = NIL;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 1; i < shared->nslots; i++)
	{
		WakeSlot   *slot = &shared->slots[i];

		if (slot->state == WORKER_FREE || slot->kind != kind)
			continue;
		if (kind == WORKER_SUPERVISOR)
			oids = lappend_oid(oids, slot->dbid);
		else if (slot->dbid == dbid)
			oids = lappend_oid(oids, slot->serverid);
	}
	LWLockRelease(shared->lock);
	return oids;
}

List *
wake_sender_oids(Oid dbid)
{
	return roster_oids(WORKER_SENDER, dbid);
}

List *
wake_supervisor_databases(void)
{
	return roster_oids(WORKER_SUPERVISOR, InvalidOid);
}

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
	strlcpy(worker.bgw_function_name,
			kind == WORKER_SENDER ? "provreq_sender_main" :
			"provreq_supervisor_main", BGW_MAXLEN);
	strlcpy(worker.bgw_type,
			kind == WORKER_SENDER ? "provreq sender" : "provreq supervisor",
			BGW_MAXLEN);
	if (kind == WORKER_SENDER)
		snprintf(worker.bgw_name, BGW_MAXLEN,
				 "provreq sender for server %u in database %u",
				 child->serverid, child->dbid);
	else
		snprintf(worker.bgw_name, BGW_MAXLEN,
				 "provreq supervisor for database %u", child->dbid);
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

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 1; i < shared->nslots && claimed == 0; i++)
	{
		WakeSlot   *slot = &shared->slots[i];
		TimestampTz due = slot->not_before;

		if (slot->kind != kind ||
			(slot->state != WORKER_WANTED && slot->state != WORKER_STARTING) ||
			(OidIsValid(dbid) && slot->dbid != dbid))
			continue;
		if (slot->state == WORKER_STARTING)
			due = TimestampTzPlusMilliseconds(slot->started, START_PATIENCE);
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
	LWLockRelease(shared->lock);
	return claimed;
}

/* Puts a claimed slot back because its process could not be registered. */
static void
unclaim(int slot)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (shared->slots[slot].state == WORKER_STARTING)
	{
		shared->slots[slot].state = WORKER_WANTED;
		shared->slots[slot].not_before =
			TimestampTzPlusMilliseconds(GetCurrentTimestamp(), FULL_DELAY);
	}
	LWLockRelease(shared->lock);
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
