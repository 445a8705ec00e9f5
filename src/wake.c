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
#include "wake_private.h"

/* A child that dies is started again after this, in ms. */
#define RESTART_DELAY	500

/*
 * One that dies within this is, after twice the time at each repetition, up
 * to RESTART_DELAY_MAX.
 */
#define SHORT_LIFE		1000

/* What to wake when the current transaction commits. */
typedef struct PendingWake
{
	WorkerKind	kind;
	Oid			serverid;		/* InvalidOid: all senders */
	uint32		bits;
} PendingWake;

WakeShared *wake_shared = NULL;
static WakeSlot *my_slot = NULL;
static bool leaving = false;
static List *pending = NIL;		/* PendingWake *, in TopTransactionContext */
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

/* A slot for each process, and one for the launcher. */
static void
wake_shmem_startup(void)
{
	bool		found;

	if (previous_shmem_startup)
		previous_shmem_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	wake_shared = ShmemInitStruct("provreq", wake_size(), &found);
	if (!found)
	{
		memset(wake_shared, 0, wake_size());
		wake_shared->lock = &(GetNamedLWLockTranche("provreq"))->lock;
		wake_shared->nslots = provreq_max_workers + 1;
		for (int i = 0; i < wake_shared->nslots; i++)
		{
			pg_atomic_init_u32(&wake_shared->slots[i].bits, 0);
			wake_shared->slots[i].procno = -1;
		}
	}
	LWLockRelease(AddinShmemInitLock);
}

/* Was provreq preloaded, so that the roster exists? */
static bool
is_available(void)
{
	return wake_shared != NULL;
}

/* Sets bits and the latch of a slot's process.  Caller holds the lock. */
void
wake_slot_wake(WakeSlot *slot, uint32 bits)
{
	pg_atomic_fetch_or_u32(&slot->bits, bits);
	if (slot->procno >= 0)
		SetLatch(&ProcGlobal->allProcs[slot->procno].procLatch);
}

/* The slot of a child, or NULL.  Caller holds the lock. */
WakeSlot *
wake_slot_find(WorkerKind kind, Oid dbid, Oid serverid)
{
	for (int i = 1; i < wake_shared->nslots; i++)
	{
		WakeSlot   *slot = &wake_shared->slots[i];

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
WakeSlot *
wake_slot_want(WorkerKind kind, Oid dbid, Oid serverid)
{
	WakeSlot   *slot = wake_slot_find(kind, dbid, serverid);

	if (slot)
		return slot;
	for (int i = 1; i < wake_shared->nslots; i++)
	{
		slot = &wake_shared->slots[i];
		if (slot->state == WORKER_FREE)
		{
			slot->kind = kind;
			slot->state = WORKER_WANTED;
			slot->dbid = dbid;
			slot->serverid = serverid;
			slot->procno = -1;
			slot->not_before = 0;
			slot->failures = 0;
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
	WakeSlot   *parent = &wake_shared->slots[0];

	if (slot->kind != WORKER_SUPERVISOR)
		parent = wake_slot_find(WORKER_SUPERVISOR, slot->dbid, InvalidOid);
	if (parent)
		wake_slot_wake(parent, WAKE_RELOAD);
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
		wake_slot_wake(&wake_shared->slots[0], wake->bits);
		return;
	}
	if (wake->kind == WORKER_SUPERVISOR)
	{
		slot = wake_slot_want(WORKER_SUPERVISOR, MyDatabaseId, InvalidOid);
		if (slot == NULL)
			return;
		wake_slot_wake(slot, wake->bits | more);
		if (slot->state == WORKER_WANTED)
			slot_wake_parent(slot);
		return;
	}
	for (int i = 1; i < wake_shared->nslots; i++)
	{
		slot = &wake_shared->slots[i];
		if (slot->state != WORKER_FREE && slot->kind == wake->kind &&
			slot->dbid == MyDatabaseId &&
			(wake->serverid == InvalidOid ||
			 slot->serverid == wake->serverid))
			wake_slot_wake(slot, wake->bits | more);
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
		LWLockAcquire(wake_shared->lock, LW_EXCLUSIVE);
		foreach(lc, pending)
			wake_one(lfirst(lc),
					 event == XACT_EVENT_PREPARE ? WAKE_PREPARED : 0);
		LWLockRelease(wake_shared->lock);
	}
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PARALLEL_COMMIT ||
		event == XACT_EVENT_PREPARE || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PARALLEL_ABORT)
		pending = NIL;
}

/*
 * Once for a worker and transaction, whatever the bits; not rolled back with
 * a subtransaction, for one wake-up too many does no harm.
 */
static void
wake_at_commit(WorkerKind kind, Oid serverid, uint32 bits)
{
	MemoryContext old;
	PendingWake *wake;
	ListCell   *lc;

	if (!is_available())
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
wake_runner_at_commit(void)
{
	wake_at_commit(WORKER_RUNNER, InvalidOid, WAKE_WORK);
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

/* Wants a child that ended unasked again, after a while. */
static void
slot_failed(WakeSlot *slot)
{
	TimestampTz now = GetCurrentTimestamp();
	int			delay = RESTART_DELAY;

	if (TimestampDifferenceExceeds(slot->started, now, SHORT_LIFE))
		slot->failures = 0;
	for (int i = 0; i < slot->failures && delay < RESTART_DELAY_MAX; i++)
		delay *= 2;
	slot->failures++;
	slot->state = WORKER_WANTED;
	slot->not_before =
		TimestampTzPlusMilliseconds(now, Min(delay, RESTART_DELAY_MAX));
}

static void
wake_exit(int code, Datum arg)
{
	LWLockAcquire(wake_shared->lock, LW_EXCLUSIVE);
	my_slot->procno = -1;
	if (my_slot != &wake_shared->slots[0])
	{
		slot_wake_parent(my_slot);
		if (leaving)
			my_slot->state = WORKER_FREE;
		else
			slot_failed(my_slot);
	}
	my_slot = NULL;
	LWLockRelease(wake_shared->lock);
}

bool
wake_attach(int slot, uint32 generation)
{
	WakeSlot   *mine = &wake_shared->slots[slot];
	bool		fits;

	LWLockAcquire(wake_shared->lock, LW_EXCLUSIVE);
	fits = mine->state == WORKER_STARTING && mine->generation == generation;
	if (fits)
	{
		mine->state = WORKER_RUNNING;
		mine->procno = compat_my_proc_number();
		my_slot = mine;
	}
	LWLockRelease(wake_shared->lock);
	if (fits)
		before_shmem_exit(wake_exit, (Datum) 0);
	return fits;
}

void
wake_attach_launcher(void)
{
	LWLockAcquire(wake_shared->lock, LW_EXCLUSIVE);
	my_slot = &wake_shared->slots[0];
	my_slot->kind = WORKER_LAUNCHER;
	my_slot->state = WORKER_RUNNING;
	my_slot->procno = compat_my_proc_number();
	LWLockRelease(wake_shared->lock);
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
