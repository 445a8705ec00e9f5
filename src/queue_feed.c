/*-------------------------------------------------------------------------
 *
 * queue_feed.c
 *		How a sender reads the request table.
 *
 * What is new there, queue_news.c finds; here is all that is read by number,
 * by key or by schedule.
 *
 * Plans are kept, and the table may have been empty when they were made: an
 * index on number that promised the right order would then be walked from end
 * to end.  "number + 0" keeps it out where another index is meant.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "queue.h"
#include "queue_rows.h"
#include "saved_plan.h"

/* Rows that a cursor fetches at a time. */
#define FETCH_ROWS 1000

static Datum
entry_column(int row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
						 column, isnull);
}

/* Hashes of a row's ordering keys; a null is none. */
static uint64 *
entry_keys(Datum array, int *nkeys)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	uint64	   *keys;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false,
					  TYPALIGN_INT, &elements, &nulls, &n);
	keys = palloc(sizeof(uint64) * Max(n, 1));
	*nkeys = 0;
	for (int i = 0; i < n; i++)
	{
		text	   *key;
		Datum		hash;

		if (nulls[i])
			continue;
		key = DatumGetTextPP(elements[i]);
		hash = hash_any_extended((unsigned char *) VARDATA_ANY(key),
								 VARSIZE_ANY_EXHDR(key), 0);
		keys[(*nkeys)++] = DatumGetUInt64(hash);
	}
	return keys;
}

void
queue_visit_rows(QueueVisitor visitor, void *arg, QueuePlace *last)
{
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		ScheduleEntry entry;
		bool		isnull;
		bool		retrynull;
		Datum		retry = entry_column(row, 7, &retrynull);

		entry.number = DatumGetInt64(entry_column(row, 1, &isnull));
		if (last)
		{
			last->xid =
				DatumGetFullTransactionId(entry_column(row, 10, &isnull));
			last->number = entry.number;
		}
		if (!DatumGetBool(entry_column(row, 11, &isnull)))
			continue;
		entry.immediate = DatumGetBool(entry_column(row, 2, &isnull));
		entry.express = DatumGetBool(entry_column(row, 3, &isnull));
		entry.held = DatumGetBool(entry_column(row, 4, &isnull));
		entry.been_out = DatumGetBool(entry_column(row, 5, &isnull));
		entry.scheduled = DatumGetTimestampTz(entry_column(row, 6, &isnull));
		if (!DatumGetBool(entry_column(row, 9, &isnull)))
			entry.scheduled = Min(entry.scheduled, GetCurrentTimestamp());
		entry.not_before = retrynull ? 0 : DatumGetTimestampTz(retry);
		entry.keys = entry_keys(entry_column(row, 8, &isnull), &entry.nkeys);
		visitor(&entry, arg);
	}
}

/*
 * Runs a reading plan with the active snapshot and shows its rows, in
 * bounded memory however many they are.  Returns their number.
 */
static int
visit_plan(SPIPlanPtr plan, Datum *values, QueueVisitor visitor, void *arg)
{
	MemoryContext rows = AllocSetContextCreate(CurrentMemoryContext,
											   "provreq feed",
											   ALLOCSET_DEFAULT_SIZES);
	Portal		portal = SPI_cursor_open(NULL, plan, values, NULL, true);
	int			total = 0;

	for (;;)
	{
		MemoryContext old;

		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		if (SPI_processed > 0)
		{
			total += (int) SPI_processed;
			old = MemoryContextSwitchTo(rows);
			queue_visit_rows(visitor, arg, NULL);
			MemoryContextSwitchTo(old);
			MemoryContextReset(rows);
		}
		SPI_freetuptable(SPI_tuptable);
		if (SPI_processed < FETCH_ROWS)
			break;
	}
	SPI_cursor_close(portal);
	MemoryContextDelete(rows);
	return total;
}

void
queue_read_all(Queue *queue, QueueVisitor visitor, void *arg)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[1] = {TEXTOID};
	Datum		values[1];

	values[0] = CStringGetTextDatum(queue->provider);
	saved_plan_get(&plan, "SELECT " QUEUE_ENTRY_COLUMNS
				   " FROM provreq.request_pending"
				   " WHERE provider = $1 ORDER BY number",
				   1, types);
	visit_plan(plan, values, visitor, arg);
}

int
queue_read_after(Queue *queue, int64 number, int limit,
				 QueueVisitor visitor, void *arg)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[3] = {TEXTOID, INT8OID, INT4OID};
	Datum		values[3];
	int			n;

	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	values[0] = CStringGetTextDatum(queue->provider);
	values[1] = Int64GetDatum(number);
	values[2] = Int32GetDatum(limit);
	saved_plan_get(&plan, "SELECT " QUEUE_ENTRY_COLUMNS
				   " FROM provreq.request_pending"
				   " WHERE provider = $1 AND number > $2"
				   " ORDER BY number LIMIT $3",
				   3, types);
	n = visit_plan(plan, values, visitor, arg);
	SPI_finish();
	PopActiveSnapshot();
	return n;
}

/* Is it still pending? */
static bool
is_pending(int64 number)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[1] = {INT8OID};
	Datum		values[1];

	values[0] = Int64GetDatum(number);
	saved_plan_get(&plan, "SELECT FROM provreq.request_pending"
				   " WHERE number = $1", 1, types);
	if (SPI_execute_plan(plan, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read provreq.request_pending");
	return SPI_processed > 0;
}

bool
queue_read_before(Queue *queue, int64 number, QueueVisitor visitor, void *arg)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[2] = {TEXTOID, INT8OID};
	Datum		values[2];
	bool		pending;

	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	values[0] = CStringGetTextDatum(queue->provider);
	values[1] = Int64GetDatum(number);
	saved_plan_get(&plan, "SELECT " QUEUE_ENTRY_COLUMNS
				   " FROM provreq.request_pending"
				   " WHERE provider = $1 AND number + 0 < $2"
				   " AND ordering_keys && (SELECT ordering_keys"
				   " FROM provreq.request_pending WHERE number = $2)"
				   " ORDER BY number + 0",
				   2, types);
	pending = visit_plan(plan, values, visitor, arg) > 0 ||
		is_pending(number);
	SPI_finish();
	PopActiveSnapshot();
	return pending;
}

void
queue_read_later(Queue *queue, TimestampTz from, TimestampTz to,
				 QueueVisitor visitor, void *arg)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[3] = {TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum		values[3];

	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	values[0] = CStringGetTextDatum(queue->provider);
	values[1] = TimestampTzGetDatum(from);
	values[2] = TimestampTzGetDatum(to);
	saved_plan_get(&plan, "SELECT " QUEUE_ENTRY_COLUMNS
				   " FROM provreq.request_pending"
				   " WHERE provider = $1 AND scheduled_date > $2"
				   " AND scheduled_date <= $3"
				   " AND scheduled_date > created_date ORDER BY number + 0",
				   3, types);
	visit_plan(plan, values, visitor, arg);
	SPI_finish();
	PopActiveSnapshot();
}

TimestampTz
queue_next_later(Queue *queue, TimestampTz after)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[2] = {TEXTOID, TIMESTAMPTZOID};
	Datum		values[2];
	TimestampTz next = 0;

	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	values[0] = CStringGetTextDatum(queue->provider);
	values[1] = TimestampTzGetDatum(after);
	saved_plan_get(&plan, "SELECT scheduled_date"
				   " FROM provreq.request_pending"
				   " WHERE provider = $1 AND scheduled_date > $2"
				   " AND scheduled_date > created_date"
				   " ORDER BY provider, scheduled_date LIMIT 1",
				   2, types);
	if (SPI_execute_plan(plan, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the next scheduled request");
	if (SPI_processed > 0)
	{
		bool		isnull;

		next = DatumGetTimestampTz(entry_column(0, 1, &isnull));
	}
	SPI_finish();
	PopActiveSnapshot();
	return next;
}

bool
queue_is_paused(Queue *queue)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[1] = {TEXTOID};
	Datum		values[1];
	bool		paused;

	SPI_connect();
	values[0] = CStringGetTextDatum(queue->provider);
	saved_plan_get(&plan, "SELECT 1 FROM provreq.paused_provider"
				   " WHERE provider = $1 UNION ALL"
				   " SELECT 1 FROM provreq.installation"
				   " HAVING pg_catalog.count(*) <> 1", 1, types);
	if (SPI_execute_plan(plan, values, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read provreq.paused_provider");
	paused = SPI_processed > 0;
	SPI_finish();
	return paused;
}

bool
queue_prepared_exist(void)
{
	static SPIPlanPtr plan = NULL;
	bool		exist;

	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	saved_plan_get(&plan, "SELECT 1 FROM pg_catalog.pg_prepared_xacts"
				   " WHERE database = pg_catalog.current_database()", 0, NULL);
	if (SPI_execute_plan(plan, NULL, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read pg_prepared_xacts");
	exist = SPI_processed > 0;
	SPI_finish();
	PopActiveSnapshot();
	return exist;
}
