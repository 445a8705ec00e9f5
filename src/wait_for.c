/*-------------------------------------------------------------------------
 *
 * wait_for.c
 *		Waiting for the outcome of a request.
 *
 * The backend sleeps on its latch and is woken by whoever commits the
 * outcome (waiters.c); it looks at the table before it sleeps for the first
 * time and each time that it was woken, and at no other.  The exception are
 * prepared transactions, whose commit wakes nobody: while there are any, it
 * looks once a second.
 *
 * The outcome can be seen only by a snapshot that is taken anew for each
 * look, and the request be sent only once its own transaction has committed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/twophase.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/ipc.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "queue.h"
#include "subtransaction.h"
#include "waiters.h"

PG_FUNCTION_INFO_V1(provreq_wait_for);

/* How often to look while prepared transactions exist, in ms. */
#define PREPARED_INTERVAL 1000

/* The longest timeout, in ms: what fits an int, in whole days. */
#define TIMEOUT_MAX (INT64CONST(24) * 24 * 60 * 60 * 1000)

/* A request as one look has found it. */
typedef struct Sight
{
	Datum		row;			/* provreq.request; 0 = there is none */
	bool		over;			/* closed or held: nothing to wait for */
	bool		ours;			/* written by this very transaction */
} Sight;

/* ------------------------------------------------------------------------
 * Looking
 * ------------------------------------------------------------------------
 */

/* Copies the only row of SPI's result, if it has one. */
static void
see(Sight *sight)
{
	HeapTuple	tuple;
	TupleDesc	desc = SPI_tuptable->tupdesc;
	bool		isnull;

	if (SPI_processed == 0)
		return;
	tuple = SPI_tuptable->vals[0];
	sight->row = SPI_getbinval(tuple, desc, 1, &isnull);
	sight->row = SPI_datumTransfer(sight->row, false, -1);
	sight->over = DatumGetBool(SPI_getbinval(tuple, desc, 2, &isnull));
	sight->ours = DatumGetBool(SPI_getbinval(tuple, desc, 3, &isnull)) &&
		!isnull;
}

static void
look_with(const char *sql, int64 number, Sight *sight)
{
	Oid			types[1] = {INT8OID};
	Datum		values[1];

	values[0] = Int64GetDatum(number);
	if (SPI_execute_with_args(sql, 1, types, values, NULL, false,
							  1) != SPI_OK_SELECT)
		elog(ERROR, "could not read provreq.request");
	see(sight);
}

/*
 * Reads the request, each part of the table by a snapshot of its own: a row
 * goes from the pending part to the closed one and never back.
 */
static Sight
read_request(int64 number)
{
	Sight		sight = {0};

	SPI_connect();
	look_with("SELECT r, r.hold_reason IS NOT NULL,"
			  " r.created_xid = pg_catalog.pg_current_xact_id_if_assigned()"
			  " FROM provreq.request r"
			  " WHERE r.life_cycle_state = 'PENDING' AND r.number = $1",
			  number, &sight);
	if (sight.row == (Datum) 0)
		look_with("SELECT r, true, false FROM provreq.request r"
				  " WHERE r.life_cycle_state IN ('COMPLETED', 'REJECTED')"
				  " AND r.number = $1",
				  number, &sight);
	SPI_finish();
	return sight;
}

/* What is looked for, and what was found. */
typedef struct Look
{
	int64		number;
	Sight		sight;
} Look;

static void
do_look(void *arg)
{
	Look	   *it = arg;

	it->sight = read_request(it->number);
}

/*
 * The same without keeping the table's locks while we sleep: DDL that waits
 * for us would keep the sender from ever finishing the request.  They go with
 * a subtransaction that is rolled back.
 */
static Sight
read_and_unlock(int64 number)
{
	Look		it = {.number = number};
	ErrorData  *error = subtransaction_try(do_look, &it, SUBTRANSACTION_UNDO);

	if (error != NULL)
		ReThrowError(error);
	return it.sight;
}

/* The request as it is now; raises an error if it cannot be waited for. */
static Sight
look(int64 number)
{
	Sight		sight = read_and_unlock(number);

	if (sight.row == (Datum) 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("request " INT64_FORMAT " does not exist", number),
				 errhint("A request can be waited for once the transaction that makes it has committed.")));
	if (sight.ours)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("request " INT64_FORMAT " was made or changed by this transaction",
						number),
				 errdetail("Nothing of it is sent before the transaction commits."),
				 errhint("Wait for it after COMMIT.")));
	return sight;
}

/* ------------------------------------------------------------------------
 * Waiting
 * ------------------------------------------------------------------------
 */

/* Milliseconds that are left of a time limit; not less than 0. */
static long
time_left(instr_time start, long limit)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return Max(0, limit - (long) INSTR_TIME_GET_MILLISEC(now));
}

/* Sleeps until this process is woken, and for so many ms at most. */
static void
sleep_until_woken(long limit)
{
	static uint32 event_name = 0;
	instr_time	start;
	long		left = limit;

	if (event_name == 0)
		event_name = compat_wait_event("ProvreqWaitFor");
	INSTR_TIME_SET_CURRENT(start);
	for (;;)
	{
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		left = time_left(start, limit);
		if (waiters_take() || left == 0)
			return;
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 left, event_name);
	}
}

static bool
prepared_exist(void)
{
	return max_prepared_xacts > 0 && queue_prepared_exist();
}

/* The request when it has an outcome, is held, or when time has run out. */
static Datum
wait_for(int64 number, long timeout)
{
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	for (;;)
	{
		/* asked first: what is prepared after this wakes us */
		bool		prepared = prepared_exist();
		Sight		sight = look(number);
		long		left = time_left(start, timeout);

		if (sight.over || left == 0)
			return sight.row;
		pfree(DatumGetPointer(sight.row));
		sleep_until_woken(prepared ? Min(left, PREPARED_INTERVAL) : left);
	}
}

/* ------------------------------------------------------------------------
 * The SQL function
 * ------------------------------------------------------------------------
 */
static void
check_transaction(void)
{
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot wait for requests on a standby server"),
				 errhint("Wait on the primary server, which sends them.")));
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("cannot wait for requests in a transaction of isolation level %s",
						XactIsoLevel == XACT_SERIALIZABLE ?
						"serializable" : "repeatable read"),
				 errhint("Use a transaction of isolation level READ COMMITTED.")));
}

/* The parameter "timeout" in ms; raises unless it is from 0 to 24 days. */
static long
timeout_ms(const Interval *timeout)
{
	double		days = timeout->month * (double) DAYS_PER_MONTH +
	timeout->day;
	double		ms = days * SECS_PER_DAY * 1000.0 + timeout->time / 1000.0;

	if (ms < 0 || ms > TIMEOUT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"timeout\" must be between 0 and 24 days")));
	return (long) ms;
}

static void
leave(int code, Datum arg)
{
	waiters_leave();
}

Datum
provreq_wait_for(PG_FUNCTION_ARGS)
{
	long		timeout;
	Datum		row;

	for (int i = 0; i < 2; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("parameter \"%s\" must not be null",
							i == 0 ? "number" : "timeout")));
	timeout = timeout_ms(PG_GETARG_INTERVAL_P(1));
	check_transaction();
	waiters_enter(PG_GETARG_INT64(0));
	PG_ENSURE_ERROR_CLEANUP(leave, (Datum) 0);
	{
		row = wait_for(PG_GETARG_INT64(0), timeout);
	}
	PG_END_ENSURE_ERROR_CLEANUP(leave, (Datum) 0);
	waiters_leave();
	PG_RETURN_DATUM(row);
}
