/*-------------------------------------------------------------------------
 *
 * runner.c
 *		The process that makes the requests of runs, chunk by chunk.
 *
 * A step is one transaction: it counts what has become of earlier chunks and
 * turns the next chunk of one run into requests.  These, the end of the chunk
 * and the notes of cards that failed commit together, so that a crash leaves
 * no card out and none twice.
 *
 * The process has the rights of provreq_worker; only the requests are made as
 * the role that owns the run.
 *
 * A step that fails puts off the run whose chunk it had, and no other.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "compat.h"
#include "process.h"
#include "queue.h"
#include "runner_chunk.h"
#include "wake.h"

PGDLLEXPORT void provreq_runner_main(Datum main_arg);

/* When to look again while nothing happens, in ms: doubled each time. */
#define SHORTEST_DELAY 20
#define LONGEST_DELAY 10000

/* When to try again after an error of no run in particular, in ms. */
#define ERROR_DELAY 5000

typedef struct Runner
{
	bool		present;		/* the extension is there */
	bool		wanted;			/* there is a run with something to do */
	bool		progress;		/* of this step */
	int64		run;			/* whose chunk this step has; 0 = none */
	char		error[512];		/* what the step ended with */
	int64		after_run;		/* how far the open parts were looked at */
	int64		after_position;
	long		delay;			/* until the next look, in ms */
	long		due;			/* when a run may go on by its rate, in ms; -1
								 * = none */
} Runner;

static Datum
column(int number, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
						 number, isnull);
}

static Datum
text_array(Datum *members, int n)
{
	return PointerGetDatum(construct_array(members, n, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

/* Runs a statement that returns one row. */
static void
ask(const char *sql, int nargs, Oid *types, Datum *values)
{
	if (SPI_execute_with_args(sql, nargs, types, values, NULL, false,
							  0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not ask: %s", sql);
}

/* Counts what has become of the next open parts. */
static void
settle(Runner *runner)
{
	Oid			types[2] = {INT8OID, INT8OID};
	Datum		values[2];
	bool		at_end;
	bool		isnull;

	values[0] = Int64GetDatum(runner->after_run);
	values[1] = Int64GetDatum(runner->after_position);
	ask("SELECT run, position, settled FROM provreq.run_settle($1, $2)",
		2, types, values);
	runner->after_run = DatumGetInt64(column(1, &at_end));
	runner->after_position = DatumGetInt64(column(2, &isnull));
	if (at_end)
	{
		runner->after_run = 0;
		runner->after_position = -1;
	}
	if (DatumGetInt64(column(3, &isnull)) > 0)
		runner->progress = true;
}

/* The next chunk, or NULL; in memory that SPI_finish frees. */
static Chunk *
take(Runner *runner)
{
	Chunk	   *chunk = palloc0(sizeof(Chunk));
	bool		isnull;
	bool		none;
	bool	   *nulls;
	Datum		unit;

	ask("SELECT run, position, cards, owner, statement, parameters, provider,"
		" process_name, created_by_user, created_by_unit, milliseconds"
		" FROM provreq.run_take()", 0, NULL, NULL);
	runner->due = DatumGetInt64(column(11, &isnull));
	if (isnull)
		runner->due = -1;
	chunk->run = DatumGetInt64(column(1, &none));
	if (none)
		return NULL;
	runner->run = chunk->run;
	chunk->position = DatumGetInt64(column(2, &isnull));
	deconstruct_array(DatumGetArrayTypePCopy(column(3, &isnull)), TEXTOID, -1,
					  false, TYPALIGN_INT, &chunk->cards, &nulls,
					  &chunk->ncards);
	chunk->owner = TextDatumGetCString(column(4, &isnull));
	chunk->statement = TextDatumGetCString(column(5, &isnull));
	chunk->parameters =
		JsonbPGetDatum(DatumGetJsonbPCopy(column(6, &isnull)));
	chunk->provider = PointerGetDatum(DatumGetTextPCopy(column(7, &isnull)));
	chunk->process_name =
		PointerGetDatum(DatumGetTextPCopy(column(8, &isnull)));
	chunk->user = TextDatumGetCString(column(9, &isnull));
	unit = column(10, &isnull);
	chunk->unit = isnull ? NULL : TextDatumGetCString(unit);
	chunk->error_positions = palloc(sizeof(Datum) * chunk->ncards);
	chunk->error_cards = palloc(sizeof(Datum) * chunk->ncards);
	chunk->error_codes = palloc(sizeof(Datum) * chunk->ncards);
	chunk->error_texts = palloc(sizeof(Datum) * chunk->ncards);
	return chunk;
}

/* Stores what a chunk has come to, in the transaction of its requests. */
static void
record(const Chunk *chunk)
{
	Oid			types[9] = {INT8OID, INT8OID, INT8OID, INT8OID, INT8OID,
	INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID};
	Datum		values[9];

	values[0] = Int64GetDatum(chunk->run);
	values[1] = Int64GetDatum(chunk->position);
	values[2] = Int64GetDatum(chunk->created);
	values[3] = Int64GetDatum(chunk->first_number);
	values[4] = Int64GetDatum(chunk->last_number);
	values[5] =
		PointerGetDatum(construct_array(chunk->error_positions,
										chunk->nerrors, INT8OID,
										sizeof(int64), FLOAT8PASSBYVAL,
										TYPALIGN_DOUBLE));
	values[6] = text_array(chunk->error_cards, chunk->nerrors);
	values[7] = text_array(chunk->error_codes, chunk->nerrors);
	values[8] = text_array(chunk->error_texts, chunk->nerrors);
	ask("SELECT provreq.run_done($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		9, types, values);
}

/* The run cannot go on; what the chunk made so far is to be undone. */
static void
fail(int64 run, const char *why)
{
	Oid			types[2] = {INT8OID, TEXTOID};
	Datum		values[2];

	values[0] = Int64GetDatum(run);
	values[1] = CStringGetTextDatum(why);
	ask("SELECT provreq.run_set_state($1, 'FAILED', $2)", 2, types, values);
}

/* Makes the requests of a chunk and records what has become of it. */
static void
work_off(Chunk *chunk)
{
	runner_chunk_make(chunk);
	if (chunk->fatal)
		fail(chunk->run, chunk->fatal);
	else
		record(chunk);
}

/* In a transaction. */
static void
step(Runner *runner)
{
	Chunk	   *chunk;
	bool		isnull;

	runner->present = queue_lock_table();
	if (!runner->present)
		return;
	SPI_connect();
	settle(runner);
	chunk = take(runner);
	if (chunk)
	{
		work_off(chunk);
		runner->progress = true;
	}
	else
	{
		ask("SELECT provreq.runs_wanted()", 0, NULL, NULL);
		runner->wanted = DatumGetBool(column(1, &isnull));
	}
	SPI_finish();
}

/* The run whose chunk the last step had is to wait; in a transaction. */
static void
postpone(Runner *runner)
{
	Oid			types[2] = {INT8OID, TEXTOID};
	Datum		values[2];

	if (!queue_lock_table())
		return;
	SPI_connect();
	values[0] = Int64GetDatum(runner->run);
	values[1] = CStringGetTextDatum(runner->error);
	ask("SELECT provreq.run_postpone($1, $2)", 2, types, values);
	SPI_finish();
}

/* Keeps the message of the current error, whole characters of it. */
static void
keep_error(Runner *runner)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	ErrorData  *error = CopyErrorData();
	const char *message = error->message ? error->message : "";
	size_t		len = sizeof(runner->error) - 1;

	len = pg_mbcliplen(message, (int) strlen(message), (int) len);
	memcpy(runner->error, message, len);
	runner->error[len] = '\0';
	MemoryContextSwitchTo(old);
}

/* One transaction; false when it failed. */
static bool
try_step(Runner *runner, void (*doing) (Runner *))
{
	PG_TRY();
	{
		process_begin_afresh();
		doing(runner);
		process_commit();
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		keep_error(runner);
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

/* Steps, and decides when to do so again. */
static void
turn(Runner *runner)
{
	bool		more;

	runner->progress = false;
	runner->wanted = true;
	runner->due = -1;
	runner->run = 0;
	if (!try_step(runner, step))
	{
		runner->present = runner->wanted = true;
		runner->delay = ERROR_DELAY;
		if (runner->run != 0 && try_step(runner, postpone))
			runner->delay = 0;
		return;
	}
	more = runner->after_position >= 0;
	if (runner->progress)
		runner->delay = 0;
	else if (more)
		runner->delay = Max(SHORTEST_DELAY, runner->delay);
	else
		runner->delay = Min(LONGEST_DELAY,
							Max(SHORTEST_DELAY, runner->delay * 2));
}

/* How long to wait: a run that waits for its time by its rate is punctual. */
static long
wait_time(const Runner *runner)
{
	if (runner->due >= 0)
		return Min(runner->delay, runner->due);
	return runner->delay;
}

void
provreq_runner_main(Datum main_arg)
{
	Runner		runner = {.after_position = -1};
	WaitEventSet *set;
	uint32		event_name;

	(void) process_start(main_arg, true);
	process_name("provreq", "runner");
	set = process_wait_set(PGINVALID_SOCKET);
	event_name = compat_wait_event("ProvreqRunnerMain");
	while (!ShutdownRequestPending)
	{
		WaitEvent	event;
		uint32		bits;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		process_follow_configuration();
		bits = wake_take();
		if (bits != 0)
			runner.delay = 0;
		if (!(bits & WAKE_STOP))
		{
			process_report(true, "making requests of runs");
			turn(&runner);
		}
		if ((bits & WAKE_STOP) || !runner.present || !runner.wanted)
		{
			wake_leave();
			break;
		}
		if (runner.delay > 0)
			process_report(false, "waiting for what runs have made");
		(void) WaitEventSetWait(set, wait_time(&runner), &event, 1,
								event_name);
	}
	proc_exit(0);
}
