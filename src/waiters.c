/*-------------------------------------------------------------------------
 *
 * waiters.c
 *		Who waits for the outcome of which request.
 *
 * A process that waits has an entry in shared memory, its place being its
 * process number, in one of many chains by the number of the request.
 * Whoever closes a request looks into the chain after the commit and sets the
 * latches that he finds there.
 *
 * No wake-up is missed: the waiter enters, and then looks at the table; the
 * closer commits, and then looks for waiters.  Whichever comes second sees
 * the other.  Both have a full memory barrier between their two steps.
 *
 * Where nobody waits, all that a closer does is to read one counter.
 *
 * Locking: WaitersShared.lock guards chains and entries; count and woken are
 * atomic.  It is held for the length of one chain, by those who wake in
 * shared mode.
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

#include "compat.h"
#include "waiters.h"

/* A power of two: numbers that follow each other are in different chains. */
#define CHAINS 1024

/* The end of a chain. */
#define NOBODY (-1)

/* One transaction remembers so many numbers; with more it wakes everybody. */
#define NUMBERS_MAX 4096

typedef struct Waiter
{
	int64		number;
	Oid			dbid;
	int			next;			/* in its chain */
	pg_atomic_uint32 woken;
} Waiter;

typedef struct WaitersShared
{
	LWLock	   *lock;
	pg_atomic_uint32 count;		/* of entries in all chains */
	int			chains[CHAINS]; /* the first of each */
	Waiter		entries[FLEXIBLE_ARRAY_MEMBER]; /* by process number */
} WaitersShared;

static WaitersShared *shared = NULL;
static shmem_request_hook_type previous_shmem_request = NULL;
static shmem_startup_hook_type previous_shmem_startup = NULL;

/* What to wake when the current transaction ends. */
static int64 *numbers = NULL;	/* in TopTransactionContext */
static int	nnumbers = 0;
static bool wake_all = false;

static Size
waiters_size(void)
{
	return add_size(offsetof(WaitersShared, entries),
					mul_size(MaxBackends, sizeof(Waiter)));
}

static void
waiters_shmem_request(void)
{
	if (previous_shmem_request)
		previous_shmem_request();
	RequestAddinShmemSpace(waiters_size());
	RequestNamedLWLockTranche("provreq_waiters", 1);
}

/* All chains are empty. */
static void
waiters_shmem_startup(void)
{
	bool		found;

	if (previous_shmem_startup)
		previous_shmem_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("provreq waiters", waiters_size(), &found);
	if (!found)
	{
		shared->lock = &(GetNamedLWLockTranche("provreq_waiters"))->lock;
		pg_atomic_init_u32(&shared->count, 0);
		for (int i = 0; i < CHAINS; i++)
			shared->chains[i] = NOBODY;
		for (int i = 0; i < MaxBackends; i++)
			pg_atomic_init_u32(&shared->entries[i].woken, 0);
	}
	LWLockRelease(AddinShmemInitLock);
}

/* ------------------------------------------------------------------------
 * Those who wait
 * ------------------------------------------------------------------------
 */
static int *
chain_of(int64 number)
{
	return &shared->chains[(uint64) number & (CHAINS - 1)];
}

void
waiters_enter(int64 number)
{
	int			me = compat_my_proc_number();
	Waiter	   *entry = &shared->entries[me];
	int		   *chain = chain_of(number);

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	entry->number = number;
	entry->dbid = MyDatabaseId;
	entry->next = *chain;
	pg_atomic_write_u32(&entry->woken, 0);
	*chain = me;
	pg_atomic_fetch_add_u32(&shared->count, 1); /* a full barrier */
	LWLockRelease(shared->lock);
}

void
waiters_leave(void)
{
	int			me = compat_my_proc_number();
	int		   *link;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	link = chain_of(shared->entries[me].number);
	while (*link != me)
		link = &shared->entries[*link].next;
	*link = shared->entries[me].next;
	pg_atomic_fetch_sub_u32(&shared->count, 1);
	LWLockRelease(shared->lock);
}

bool
waiters_take(void)
{
	Waiter	   *entry = &shared->entries[compat_my_proc_number()];

	return pg_atomic_exchange_u32(&entry->woken, 0) != 0;
}

/* ------------------------------------------------------------------------
 * Those who wake
 * ------------------------------------------------------------------------
 */

/* Wakes those of a chain that wait for the number; any number if "all". */
static void
wake_chain(int first, int64 number, bool all)
{
	for (int i = first; i != NOBODY; i = shared->entries[i].next)
	{
		Waiter	   *entry = &shared->entries[i];

		if (entry->dbid != MyDatabaseId ||
			(!all && entry->number != number))
			continue;
		pg_atomic_write_u32(&entry->woken, 1);
		SetLatch(&ProcGlobal->allProcs[i].procLatch);
	}
}

static void
wake_waiters(void)
{
	pg_memory_barrier();
	if (pg_atomic_read_u32(&shared->count) == 0)
		return;
	LWLockAcquire(shared->lock, LW_SHARED);
	if (wake_all)
		for (int i = 0; i < CHAINS; i++)
			wake_chain(shared->chains[i], 0, true);
	else
		for (int i = 0; i < nnumbers; i++)
			wake_chain(*chain_of(numbers[i]), numbers[i], false);
	LWLockRelease(shared->lock);
}

/*
 * What a prepared transaction has closed is not closed yet, and whoever says
 * COMMIT PREPARED will not pass here: those who wait for it are woken at
 * PREPARE, to find that prepared transactions exist, and to look now and
 * then.
 */
static void
wake_at_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE ||
		event == XACT_EVENT_PARALLEL_PRE_COMMIT)
		return;
	if ((nnumbers > 0 || wake_all) &&
		(event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE))
		wake_waiters();
	numbers = NULL;
	nnumbers = 0;
	wake_all = false;
}

void
waiters_wake_at_commit(int64 number)
{
	if (shared == NULL || wake_all)
		return;
	if (nnumbers == NUMBERS_MAX)
	{
		wake_all = true;
		return;
	}
	if (numbers == NULL)
		numbers = MemoryContextAlloc(TopTransactionContext,
									 sizeof(int64) * NUMBERS_MAX);
	numbers[nnumbers++] = number;
}

void
waiters_wake_all_at_commit(void)
{
	wake_all = shared != NULL;
}

void
waiters_install_hooks(void)
{
	previous_shmem_request = shmem_request_hook;
	shmem_request_hook = waiters_shmem_request;
	previous_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = waiters_shmem_startup;
	RegisterXactCallback(wake_at_end, NULL);
}
