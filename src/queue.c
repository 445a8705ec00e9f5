/*-------------------------------------------------------------------------
 *
 * queue.c
 *		The request table as a queue: taking rows and writing attempts.
 *
 * An attempt is committed before any byte leaves, so an attempt found
 * without an outcome was in flight when its sender ended.  There is no clock
 * and no process id in that rule: a sender start is an incarnation, and the
 * attempts of every other incarnation are unfinished.
 *
 * A row that is taken is locked, so that whoever wants to cancel it has
 * either done so before, or finds the attempt.  Nobody is waited for: what
 * somebody else has locked is taken another time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/lock.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "attempt_history.h"
#include "queue.h"
#include "saved_plan.h"
#include "values.h"


bool		queue_in_sender = false;

/* Sets our advisory locks apart from those of users, which have 1 and 2. */
#define PROVIDER_LOCK 3

bool
queue_lock_provider(const char *provider)
{
	LOCKTAG		tag;
	uint64		hash = hash_bytes_extended((const unsigned char *) provider,
										   (int) strlen(provider), 0);

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (hash >> 32),
						 (uint32) hash, PROVIDER_LOCK);
	return LockAcquire(&tag, ExclusiveLock, true, true) !=
		LOCKACQUIRE_NOT_AVAIL;
}

Queue *
queue_open(const CasAdapter *adapter, const char *provider)
{
	Queue	   *queue = palloc0(sizeof(Queue));
	bool		isnull;

	queue->context = CurrentMemoryContext;
	queue->provider = pstrdup(provider);
	queue->adapter = adapter;
	SPI_connect();
	if (SPI_execute("SELECT pg_catalog.nextval('provreq.incarnation_seq')",
					false, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not start an incarnation");
	queue->incarnation =
		DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
									SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	return queue;
}

bool
queue_lock_table(void)
{
	static Oid	ours = InvalidOid;	/* known to belong to the extension */
	RangeVar   *pending = makeRangeVar("provreq", "request_pending", -1);
	Oid			relid = RangeVarGetRelid(pending, RowExclusiveLock, true);
	Oid			extension;

	if (!OidIsValid(relid) || relid == ours)
		return OidIsValid(relid);
	extension = get_extension_oid("provreq", true);
	if (!OidIsValid(extension) ||
		getExtensionOfObject(RelationRelationId, relid) != extension)
		return false;
	ours = relid;
	return true;
}

/* ------------------------------------------------------------------------
 * Taking
 * ------------------------------------------------------------------------
 */

static Datum
numbers_array(const int64 *numbers, int n)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		elements[i] = Int64GetDatum(numbers[i]);
	return PointerGetDatum(construct_array(elements, n, INT8OID,
										   sizeof(int64), FLOAT8PASSBYVAL,
										   TYPALIGN_DOUBLE));
}

static Datum
row_column(int row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
						 column, isnull);
}

static char *
row_text(int row, int column)
{
	bool		isnull;
	Datum		datum = row_column(row, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(datum);
}

static Jsonb *
row_jsonb(int row, int column)
{
	bool		isnull;
	Datum		datum = row_column(row, column, &isnull);

	return isnull ? NULL : DatumGetJsonbPCopy(datum);
}

static void
row_parts_done(int row, int column, QueueRow *taken)
{
	bool		isnull;
	Datum		datum = row_column(row, column, &isnull);
	Datum	   *elements;

	if (isnull)
		return;
	deconstruct_array(DatumGetArrayTypeP(datum), TEXTOID, -1, false,
					  TYPALIGN_INT, &elements, NULL, &taken->nparts_done);
	taken->parts_done = palloc(sizeof(char *) * Max(taken->nparts_done, 1));
	for (int i = 0; i < taken->nparts_done; i++)
		taken->parts_done[i] = TextDatumGetCString(elements[i]);
}

/* Columns that row_read expects. */
#define ROW_COLUMNS \
	"p.number, p.id, p.type, p.process_immediately, p.priority = 'EXPRESS', " \
	"p.scheduled_date, p.attempts, p.hold_reason IS NOT NULL, p.parameters, " \
	"(SELECT s.parameters FROM provreq.request_secret s" \
	" WHERE s.number = p.number), p.parts_done, " \
	"p.attempt_log"

/* One row of the current SPI result, in the current memory context. */
static QueueRow *
row_read(Queue *queue, int row)
{
	QueueRow   *taken = palloc0(sizeof(QueueRow));
	CasRequest *cas = &taken->cas;
	Jsonb	   *parameters = row_jsonb(row, 9);
	Jsonb	   *secrets = row_jsonb(row, 10);
	AttemptHistory history;
	bool		isnull;

	cas->number = DatumGetInt64(row_column(row, 1, &isnull));
	cas->id = row_text(row, 2);
	taken->type = row_text(row, 3);
	cas->operation = adapter_operation_by_type(queue->adapter, taken->type);
	cas->process_immediately = DatumGetBool(row_column(row, 4, &isnull));
	cas->express = DatumGetBool(row_column(row, 5, &isnull));
	cas->scheduled = DatumGetTimestampTz(row_column(row, 6, &isnull));
	cas->attempt = DatumGetInt32(row_column(row, 7, &isnull)) + 1;
	taken->held = DatumGetBool(row_column(row, 8, &isnull));
	cas->values = values_from_jsonb(parameters, secrets);
	row_parts_done(row, 11, taken);
	history = attempt_history(row_jsonb(row, 12));
	taken->attempted = history.attempted;
	taken->tries = history.attempts;
	taken->first_started = history.first_started;
	taken->last_started = history.last_started;
	taken->last_sequence = history.last_sequence;
	return taken;
}

/* All rows of the current SPI result, in the given memory context. */
static List *
rows_read(Queue *queue, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	List	   *rows = NIL;

	for (uint64 row = 0; row < SPI_processed; row++)
		rows = lappend(rows, row_read(queue, row));
	MemoryContextSwitchTo(old);
	return rows;
}

List *
queue_take(Queue *queue, const int64 *numbers, int n)
{
	static SPIPlanPtr plan = NULL;
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[2] = {INT8ARRAYOID, TEXTOID};
	Datum		values[2];
	List	   *rows;

	SPI_connect();
	values[0] = numbers_array(numbers, n);
	values[1] = CStringGetTextDatum(queue->provider);
	saved_plan_get(&plan, "SELECT " ROW_COLUMNS
				   " FROM provreq.request_pending p"
				   " WHERE p.number = ANY ($1) AND p.provider = $2"
				   " ORDER BY pg_catalog.array_position($1, p.number)"
				   " FOR UPDATE OF p SKIP LOCKED",
				   2, types);
	if (SPI_execute_plan(plan, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not take pending requests");
	rows = rows_read(queue, caller);
	SPI_finish();
	return rows;
}

/* Runs a plan that takes numbers and the provider, and returns numbers. */
static List *
numbers_of_numbers(Queue *queue, SPIPlanPtr *plan, const char *sql,
				   const int64 *numbers, int n)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[2] = {INT8ARRAYOID, TEXTOID};
	Datum		values[2];
	List	   *found = NIL;

	SPI_connect();
	values[0] = numbers_array(numbers, n);
	values[1] = CStringGetTextDatum(queue->provider);
	saved_plan_get(plan, sql, 2, types);
	if (SPI_execute_plan(*plan, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look for pending requests");
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		MemoryContext spi = MemoryContextSwitchTo(caller);
		int64	   *number = palloc(sizeof(int64));
		bool		isnull;

		*number = DatumGetInt64(row_column(row, 1, &isnull));
		found = lappend(found, number);
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	return found;
}

List *
queue_still_pending(Queue *queue, const int64 *numbers, int n)
{
	static SPIPlanPtr plan = NULL;

	return numbers_of_numbers(queue, &plan,
							  "SELECT number FROM provreq.request_pending"
							  " WHERE number = ANY ($1) AND provider = $2",
							  numbers, n);
}

List *
queue_lockable(Queue *queue, const int64 *numbers, int n)
{
	static SPIPlanPtr plan = NULL;

	return numbers_of_numbers(queue, &plan,
							  "SELECT number FROM provreq.request_pending"
							  " WHERE number = ANY ($1) AND provider = $2"
							  " FOR UPDATE SKIP LOCKED", numbers, n);
}

/* ------------------------------------------------------------------------
 * Attempts
 * ------------------------------------------------------------------------
 */
void
queue_attempt(Queue *queue, List *rows)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[5] = {INT8ARRAYOID, INT4ARRAYOID, TEXTOID, INT8OID,
	TIMESTAMPTZOID};
	Datum		values[5];
	int			n = list_length(rows);
	int64	   *numbers = palloc(sizeof(int64) * n);
	Datum	   *attempts = palloc(sizeof(Datum) * n);
	TimestampTz now = GetCurrentTimestamp();
	int			ret;
	bool		isnull;

	for (int i = 0; i < n; i++)
	{
		QueueRow   *row = list_nth(rows, i);

		numbers[i] = row->cas.number;
		attempts[i] = Int32GetDatum(row->cas.attempt);
	}
	SPI_connect();
	values[0] = numbers_array(numbers, n);
	values[1] = PointerGetDatum(construct_array(attempts, n, INT4OID,
												sizeof(int32), true,
												TYPALIGN_INT));
	values[2] = CStringGetTextDatum(queue->provider);
	values[3] = Int64GetDatum(queue->incarnation);
	values[4] = TimestampTzGetDatum(now);
	saved_plan_get(&plan, "INSERT INTO provreq.attempt"
				   " (number, attempt, provider, incarnation, started_date)"
				   " SELECT number, attempt, $3, $4, $5"
				   " FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2))"
				   " AS t (number, attempt)"
				   " RETURNING sequence_number",
				   5, types);
	ret = SPI_execute_plan(plan, values, NULL, false, 0);
	if (ret != SPI_OK_INSERT_RETURNING || SPI_processed != n)
		elog(ERROR, "could not write attempts");
	for (int i = 0; i < n; i++)
	{
		QueueRow   *row = list_nth(rows, i);

		row->sequence_number = DatumGetInt64(row_column(i, 1, &isnull));
		row->started = now;
	}
	SPI_finish();
}

/* What a row of queue_unfinished has beside ROW_COLUMNS. */
static void
unfinished_attempt(QueueRow *row, int i)
{
	bool		isnull;

	row->cas.attempt = DatumGetInt32(row_column(i, 13, &isnull));
	row->sequence_number = DatumGetInt64(row_column(i, 14, &isnull));
	row->started = DatumGetTimestampTz(row_column(i, 15, &isnull));
}

List *
queue_unfinished(Queue *queue)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[2] = {TEXTOID, INT8OID};
	Datum		values[2];
	int			ret;
	List	   *rows;

	SPI_connect();
	values[0] = CStringGetTextDatum(queue->provider);
	values[1] = Int64GetDatum(queue->incarnation);
	ret = SPI_execute_with_args("DELETE FROM provreq.attempt a"
								" WHERE a.provider = $1"
								" AND a.incarnation <> $2 AND NOT EXISTS"
								" (SELECT FROM provreq.request_pending p"
								" WHERE p.number = a.number)",
								2, types, values, NULL, false, 0);
	if (ret != SPI_OK_DELETE)
		elog(ERROR, "could not remove attempts of requests that are gone");
	ret = SPI_execute_with_args("SELECT " ROW_COLUMNS
								", a.attempt, a.sequence_number,"
								" a.started_date FROM provreq.attempt a"
								" JOIN provreq.request_pending p"
								" ON p.number = a.number"
								" WHERE a.provider = $1"
								" AND a.incarnation <> $2"
								" ORDER BY a.sequence_number",
								2, types, values, NULL, false, 0);
	if (ret != SPI_OK_SELECT)
		elog(ERROR, "could not read unfinished attempts");
	rows = rows_read(queue, caller);
	for (int i = 0; i < list_length(rows); i++)
		unfinished_attempt(list_nth(rows, i), i);
	SPI_finish();
	return rows;
}
