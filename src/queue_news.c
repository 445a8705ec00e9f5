/*-------------------------------------------------------------------------
 *
 * queue_news.c
 *		How a sender learns what is new in the request table.
 *
 * Asking for "the next one" again and again would walk over every dead row
 * as soon as some long transaction holds back vacuum.  Instead a sender
 * remembers what its last snapshot could not see: transactions from xmax on,
 * and those running below it.  Rows of exactly these are what may be new,
 * and an index on created_xid leads to them alone.
 *
 * When these rows are more than a bite, none of them is read by that feed:
 * their transactions become stretches, places in the index from which they
 * are read on, one bite a unit of work.  A row stands in the order of its
 * transaction and its number, so that a bite begins where the last one ended
 * and passes no row twice, dead or alive.
 *
 * At any time each visible row is of a transaction that the remembered
 * snapshot could not see, or stands in a stretch, or was read.  A row that is
 * changed gets the transaction that changes it: it may leave a stretch before
 * a bite comes to it, and is then among the news of a feed whose snapshot is
 * not older than the bite's.  So nothing is left unread only when a feed that
 * came after the last bite found no more than it could read.
 *
 * Rows of aborted transactions are no rows; those of prepared ones come when
 * these are no longer running; subtransactions write the transaction above
 * them.  What a failed unit of work has read is known for good, for it was
 * committed by others: a place is moved when all before it has been shown.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

#include "queue.h"
#include "queue_rows.h"
#include "saved_plan.h"

/*
 * Rows that are read at a time, whatever their provider: few, for an urgent
 * request waits while they are read.
 */
#define BITE_ROWS 1000

/* What a query costs, as so many rows. */
#define QUERY_ROWS 20

/* Rows of transactions, in their order, of which the first ones were read. */
typedef struct Stretch
{
	QueuePlace	after;
	FullTransactionId below;	/* the first transaction behind it */
} Stretch;

/* ------------------------------------------------------------------------
 * Snapshots
 * ------------------------------------------------------------------------
 */

/* A 32-bit transaction id that is not in the future, with its epoch. */
static FullTransactionId
widen(TransactionId xid, FullTransactionId next)
{
	uint32		epoch = EpochFromFullTransactionId(next);

	if (xid > XidFromFullTransactionId(next))
		epoch--;
	return FullTransactionIdFromEpochAndXid(epoch, xid);
}

/*
 * Has a transaction that was running come to its end, for the active
 * snapshot?  Of others no row can be seen, however many they have: they are
 * not looked for, and are remembered as running once more.
 */
static bool
has_ended(FullTransactionId xid)
{
	return !XidInMVCCSnapshot(XidFromFullTransactionId(xid),
							  GetActiveSnapshot());
}

/* Remembers what a snapshot could not see. */
static void
remember_snapshot(Queue *queue, Snapshot snapshot, FullTransactionId next)
{
	FullTransactionId *running =
	MemoryContextAlloc(queue->context,
					   sizeof(FullTransactionId) * (snapshot->xcnt + 1));

	for (uint32 i = 0; i < snapshot->xcnt; i++)
		running[i] = widen(snapshot->xip[i], next);
	if (queue->running)
		pfree(queue->running);
	queue->running = running;
	queue->nrunning = (int) snapshot->xcnt;
	queue->xmax = widen(snapshot->xmax, next);
	queue->primed = true;
}

/* ------------------------------------------------------------------------
 * Stretches
 * ------------------------------------------------------------------------
 */
static List *
add_stretch(List *stretches, FullTransactionId from, FullTransactionId below)
{
	Stretch    *stretch = palloc(sizeof(Stretch));

	stretch->after.xid = from;
	stretch->after.number = PG_INT64_MIN;
	stretch->below = below;
	return lappend(stretches, stretch);
}

/*
 * What is unread, with all that the remembered snapshot could not see, below
 * a transaction.
 */
static List *
more_unread(Queue *queue, FullTransactionId xmax)
{
	MemoryContext old = MemoryContextSwitchTo(queue->context);
	List	   *stretches = list_copy(queue->unread);

	for (int i = 0; i < queue->nrunning; i++)
	{
		FullTransactionId next = queue->running[i];

		if (!has_ended(queue->running[i]))
			continue;
		FullTransactionIdAdvance(&next);
		stretches = add_stretch(stretches, queue->running[i], next);
	}
	stretches = add_stretch(stretches, queue->xmax, xmax);
	MemoryContextSwitchTo(old);
	return stretches;
}

/* Shows up to limit rows of a stretch, and returns how many there were. */
static int
read_stretch(Queue *queue, Stretch *stretch, int limit,
			 QueueVisitor visitor, void *arg)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[5] = {TEXTOID, XID8OID, INT8OID, XID8OID, INT4OID};
	Datum		values[5];
	QueuePlace	last = stretch->after;
	int			n;

	values[0] = CStringGetTextDatum(queue->provider);
	values[1] = FullTransactionIdGetDatum(stretch->after.xid);
	values[2] = Int64GetDatum(stretch->after.number);
	values[3] = FullTransactionIdGetDatum(stretch->below);
	values[4] = Int32GetDatum(limit);
	saved_plan_get(&plan, "SELECT " QUEUE_ENTRY_COLUMNS
				   " FROM provreq.request_pending"
				   " WHERE (created_xid, number) > ($2, $3)"
				   " AND created_xid < $4"
				   " ORDER BY created_xid, number LIMIT $5",
				   5, types);
	if (SPI_execute_plan(plan, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read unread requests");
	n = (int) SPI_processed;
	queue_visit_rows(visitor, arg, &last);
	SPI_freetuptable(SPI_tuptable);
	stretch->after = last;
	return n;
}

bool
queue_is_unread(const Queue *queue)
{
	return queue->unread != NIL;
}

void
queue_bite(Queue *queue, QueueVisitor visitor, void *arg)
{
	int			budget = BITE_ROWS;

	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	while (queue->unread != NIL && budget > 0)
	{
		Stretch    *stretch = linitial(queue->unread);
		int			n = read_stretch(queue, stretch, budget, visitor, arg);

		if (n < budget)
		{
			queue->unread = list_delete_first(queue->unread);
			pfree(stretch);
		}
		budget -= n + QUERY_ROWS;
	}
	SPI_finish();
	PopActiveSnapshot();
}

/* ------------------------------------------------------------------------
 * News
 * ------------------------------------------------------------------------
 */

/*
 * Shows rows of the transactions that the remembered snapshot could not see,
 * in order of number; none, and false, when they are more than a bite.
 */
static bool
read_news(Queue *queue, QueueVisitor visitor, void *arg)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[4] = {TEXTOID, XID8OID, XID8ARRAYOID, INT4OID};
	Datum		values[4];
	Datum	   *running = palloc(sizeof(Datum) * (queue->nrunning + 1));
	int			nended = 0;
	bool		all;

	for (int i = 0; i < queue->nrunning; i++)
		if (has_ended(queue->running[i]))
			running[nended++] = FullTransactionIdGetDatum(queue->running[i]);
	values[0] = CStringGetTextDatum(queue->provider);
	values[1] = FullTransactionIdGetDatum(queue->xmax);
	values[2] = PointerGetDatum(construct_array(running, nended,
												XID8OID, sizeof(int64),
												FLOAT8PASSBYVAL,
												TYPALIGN_DOUBLE));
	values[3] = Int32GetDatum(BITE_ROWS + 1);
	saved_plan_get(&plan, "SELECT " QUEUE_ENTRY_COLUMNS " FROM ("
				   "(SELECT * FROM provreq.request_pending"
				   " WHERE created_xid >= $2"
				   " ORDER BY created_xid, number LIMIT $4) "
				   "UNION ALL "
				   "(SELECT * FROM provreq.request_pending"
				   " WHERE created_xid = ANY ($3)"
				   " ORDER BY created_xid, number LIMIT $4)) AS news"
				   " ORDER BY number + 0",
				   4, types);
	if (SPI_execute_plan(plan, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read new requests");
	all = SPI_processed <= BITE_ROWS;
	if (all)
		queue_visit_rows(visitor, arg, NULL);
	SPI_freetuptable(SPI_tuptable);
	return all;
}

bool
queue_feed(Queue *queue, QueueVisitor visitor, void *arg)
{
	Snapshot	snapshot = GetTransactionSnapshot();
	FullTransactionId next = ReadNextFullTransactionId();
	List	   *unread = queue->unread;
	bool		all = true;

	PushActiveSnapshot(snapshot);
	SPI_connect();
	if (!queue->primed)
	{
		queue_read_all(queue, visitor, arg);
		unread = NIL;
	}
	else if (!read_news(queue, visitor, arg))
	{
		unread = more_unread(queue, widen(snapshot->xmax, next));
		all = false;
	}
	SPI_finish();
	remember_snapshot(queue, GetActiveSnapshot(), next);
	if (unread == NIL)
		list_free_deep(queue->unread);
	else if (unread != queue->unread)
		list_free(queue->unread);	/* the copy has what was in it */
	queue->unread = unread;
	PopActiveSnapshot();
	return all;
}
