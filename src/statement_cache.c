/*-------------------------------------------------------------------------
 *
 * statement_cache.c
 *		What one statement has already looked up.
 *
 * One statement may create 100,000 requests for a few services and
 * subscriptions.  All of its calls look through one snapshot, in which a row
 * is always the same, so that what was found through a snapshot may be used
 * for as long as the same snapshot is active.  Nothing is ever used across
 * snapshots, and therefore nothing has to be invalidated.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "statement_cache.h"

/* Beyond this many answers it is cheaper to start anew than to keep them. */
#define MAX_ANSWERS 50000

/*
 * What makes two snapshots of one transaction see the same.  Transactions
 * only ever leave the lists of those in progress while xmax stays, so that
 * equal lengths mean equal lists.  The subtransaction is a part of it because
 * one that was rolled back has seen rows that its parent does not.
 */
typedef struct SnapshotKey
{
	SubTransactionId subtransaction;
	TransactionId xmin;
	TransactionId xmax;
	uint32		in_progress;
	int32		subtransactions_in_progress;
	CommandId	command;
} SnapshotKey;

static StatementCache *current = NULL;
static SnapshotKey current_key;
static bool locked = false;

static void
forget(void *unused)
{
	current = NULL;
}

static SnapshotKey
active_snapshot_key(void)
{
	Snapshot	snapshot = GetActiveSnapshot();
	SnapshotKey key;

	key.subtransaction = GetCurrentSubTransactionId();
	key.xmin = snapshot->xmin;
	key.xmax = snapshot->xmax;
	key.in_progress = snapshot->xcnt;
	key.subtransactions_in_progress = snapshot->subxcnt;
	key.command = snapshot->curcid;
	return key;
}

static bool
same_key(const SnapshotKey *a, const SnapshotKey *b)
{
	return a->subtransaction == b->subtransaction &&
		a->xmin == b->xmin && a->xmax == b->xmax &&
		a->in_progress == b->in_progress &&
		a->subtransactions_in_progress == b->subtransactions_in_progress &&
		a->command == b->command;
}

/*
 * An empty cache for the rest of the transaction.  The callback tells us when
 * the transaction's end takes its memory away.
 */
static void
start_anew(void)
{
	MemoryContext context;
	MemoryContextCallback *callback;

	if (current != NULL)
		MemoryContextDelete(current->context);
	context = AllocSetContextCreate(TopTransactionContext,
									"provreq statement cache",
									ALLOCSET_DEFAULT_SIZES);
	callback = MemoryContextAlloc(context, sizeof(MemoryContextCallback));
	callback->func = forget;
	callback->arg = NULL;
	MemoryContextRegisterResetCallback(context, callback);
	current = MemoryContextAllocZero(context, sizeof(StatementCache));
	current->context = context;
}

void
statement_cache_begin(void)
{
	SnapshotKey key = active_snapshot_key();

	if (locked)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("requests cannot be made while the directory is "
						"being read"),
				 errhint("A relation named to provreq.use_directory() must "
						 "not call functions that make requests.")));
	if (current != NULL && same_key(&key, &current_key) &&
		(current->answers == NULL ||
		 hash_get_num_entries(current->answers) < MAX_ANSWERS))
		return;
	start_anew();
	current_key = key;
}

void
statement_cache_lock(void)
{
	locked = true;
}

void
statement_cache_unlock(void)
{
	locked = false;
}

StatementCache *
statement_cache(void)
{
	Assert(current != NULL);
	return current;
}
