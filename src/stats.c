/*-------------------------------------------------------------------------
 *
 * stats.c
 *		What each sender tells of itself, in shared memory.
 *
 * A sender keeps its figures in memory of its own and copies all of them
 * into its slot once a turn.  It is the only writer of the slot while it
 * runs, so it takes no lock: it makes "changes" odd, copies, and makes it
 * even again.  A reader copies the slot and does it over when "changes" was
 * odd or is another one afterwards.
 *
 * Latencies are counted in classes of a logarithmic scale: the position of
 * the highest bit and the three bits after it.  So a class is an eighth of
 * its lower bound wide, and its middle is off by a sixteenth at most.
 *
 * Locking: StatsShared.lock guards whose a slot is: dbid, serverid, pid and
 * started.  Neither readers nor senders hold it while they copy figures.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "port/atomics.h"
#include "port/pg_bitutils.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "settings.h"
#include "stats.h"

/* How often a reader tries to get an undisturbed copy. */
#define READ_TRIES 1000

typedef struct StatsSlot
{
	Oid			dbid;			/* InvalidOid: free */
	Oid			serverid;
	int			pid;			/* 0: no sender runs */
	TimestampTz started;
	pg_atomic_uint32 changes;	/* odd while stats is being written */
	SenderStats stats;
} StatsSlot;

typedef struct StatsShared
{
	LWLock	   *lock;
	int			nslots;
	StatsSlot	slots[FLEXIBLE_ARRAY_MEMBER];
} StatsShared;

static StatsShared *shared = NULL;
static StatsSlot *my_slot = NULL;
static SenderStats mine;
static shmem_request_hook_type previous_shmem_request = NULL;
static shmem_startup_hook_type previous_shmem_startup = NULL;

static Size
stats_size(void)
{
	return add_size(offsetof(StatsShared, slots),
					mul_size(provreq_max_workers, sizeof(StatsSlot)));
}

static void
stats_shmem_request(void)
{
	if (previous_shmem_request)
		previous_shmem_request();
	RequestAddinShmemSpace(stats_size());
	RequestNamedLWLockTranche("provreq_stats", 1);
}

/* The lock, and a slot for each process that there can be. */
static void
stats_shmem_startup(void)
{
	bool		found;

	if (previous_shmem_startup)
		previous_shmem_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("provreq stats", stats_size(), &found);
	if (!found)
	{
		memset(shared, 0, stats_size());
		shared->lock = &(GetNamedLWLockTranche("provreq_stats"))->lock;
		shared->nslots = provreq_max_workers;
		for (int i = 0; i < shared->nslots; i++)
			pg_atomic_init_u32(&shared->slots[i].changes, 0);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
stats_install_hooks(void)
{
	previous_shmem_request = shmem_request_hook;
	shmem_request_hook = stats_shmem_request;
	previous_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = stats_shmem_startup;
}

/* ------------------------------------------------------------------------
 * Writing
 * ------------------------------------------------------------------------
 */

/*
 * The slot that the provider had, or a free one, or the one whose sender
 * ended the longest ago; NULL when all are in use.  Caller holds the lock.
 */
static StatsSlot *
find_slot(Oid serverid)
{
	StatsSlot  *best = NULL;

	for (int i = 0; i < shared->nslots; i++)
	{
		StatsSlot  *slot = &shared->slots[i];

		if (slot->dbid == MyDatabaseId && slot->serverid == serverid)
			return slot;
		if (slot->pid == 0 && (best == NULL || slot->started < best->started))
			best = slot;
	}
	return best;
}

static void
stats_exit(int code, Datum arg)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	my_slot->pid = 0;
	LWLockRelease(shared->lock);
	my_slot = NULL;
}

SenderStats *
stats_attach(Oid serverid)
{
	StatsSlot  *slot;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = find_slot(serverid);
	if (slot)
	{
		if (slot->dbid == MyDatabaseId && slot->serverid == serverid)
			mine = slot->stats;
		slot->dbid = MyDatabaseId;
		slot->serverid = serverid;
		slot->pid = MyProcPid;
		slot->started = GetCurrentTimestamp();
	}
	LWLockRelease(shared->lock);
	if (slot == NULL)
		return NULL;
	my_slot = slot;
	before_shmem_exit(stats_exit, (Datum) 0);
	stats_publish();
	return &mine;
}

void
stats_publish(void)
{
	uint32		changes = pg_atomic_read_u32(&my_slot->changes);

	pg_atomic_write_u32(&my_slot->changes, changes + 1);
	pg_write_barrier();
	memcpy(&my_slot->stats, &mine, sizeof(mine));
	pg_write_barrier();
	pg_atomic_write_u32(&my_slot->changes, changes + 2);
}

/* The class of a latency: 0 to 7 by themselves, then eight for each power. */
static int
class_of(int64 microseconds)
{
	uint64		value = Max(microseconds, 0);
	int			high;

	if (value < 8)
		return (int) value;
	high = pg_leftmost_one_pos64(value);
	return Min(STATS_CLASSES - 1,
			   (high - 2) * 8 + (int) ((value >> (high - 3)) & 7));
}

/* The middle of a class, in microseconds. */
static double
middle_of(int class)
{
	int			high = class / 8 + 2;

	if (class < 8)
		return class;
	return ldexp(8 + class % 8 + 0.5, high - 3);
}

void
stats_count_latency(SenderStats *stats, int64 microseconds)
{
	stats->latency[class_of(microseconds)]++;
	stats->latency_max = Max(stats->latency_max, microseconds);
}

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */

/* Tries again while the sender writes, but not for ever. */
static void
copy_stats(StatsSlot *slot, SenderStats *copy)
{
	for (int i = 0; i < READ_TRIES; i++)
	{
		uint32		before = pg_atomic_read_u32(&slot->changes);
		uint32		after;

		pg_read_barrier();
		memcpy(copy, &slot->stats, sizeof(*copy));
		pg_read_barrier();
		after = pg_atomic_read_u32(&slot->changes);
		if (before == after && before % 2 == 0)
			break;
		CHECK_FOR_INTERRUPTS();
	}
	/* whatever it is, its texts end */
	copy->link[sizeof(copy->link) - 1] = '\0';
	copy->last_error_text[sizeof(copy->last_error_text) - 1] = '\0';
}

List *
stats_read(void)
{
	List	   *readings = NIL;
	List	   *slots = NIL;
	ListCell   *lc;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < shared->nslots; i++)
	{
		StatsSlot  *slot = &shared->slots[i];
		StatsReading *reading;

		if (slot->dbid != MyDatabaseId)
			continue;
		reading = palloc0(sizeof(StatsReading));
		reading->serverid = slot->serverid;
		reading->pid = slot->pid;
		reading->started = slot->started;
		readings = lappend(readings, reading);
		slots = lappend(slots, slot);
	}
	LWLockRelease(shared->lock);
	foreach(lc, readings)
	{
		StatsReading *reading = lfirst(lc);

		copy_stats(list_nth(slots, foreach_current_index(lc)),
				   &reading->stats);
	}
	return readings;
}

double
stats_percentile(const SenderStats *stats, double part)
{
	int64		total = 0;
	int64		seen = 0;

	for (int i = 0; i < STATS_CLASSES; i++)
		total += stats->latency[i];
	for (int i = 0; i < STATS_CLASSES && total > 0; i++)
	{
		seen += stats->latency[i];
		if (seen >= part * total && seen > 0)
			return Min(middle_of(i), (double) stats->latency_max);
	}
	return -1;
}
