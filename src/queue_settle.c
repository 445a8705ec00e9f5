/*-------------------------------------------------------------------------
 *
 * queue_settle.c
 *		Recording what became of attempts.
 *
 * Outcomes are recorded in batches, one statement for each way that a
 * request can go: it closes (its row moves to the closed part), it stays
 * pending and the attempt counts (it goes into attempt_log, if there was
 * one), or the attempt never happened.  In all three the attempt row goes
 * away.
 *
 * Plans are kept, and the tables may have been empty when they were made.  So
 * rows are named by "number = ANY (...)", which is an index condition whatever
 * the statistics say, and never found by joining the table with a list.  Of a
 * list that it does not see the planner expects ten rows, and would compare
 * each with each where two are joined; of generate_subscripts() a thousand.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "queue.h"
#include "saved_plan.h"
#include "waiters.h"

/* One array argument in the making. */
typedef struct Column
{
	Oid			type;
	Datum	   *values;
	bool	   *nulls;
	int			n;
} Column;

static void
column_init(Column *column, Oid type, int room)
{
	column->type = type;
	column->values = palloc(sizeof(Datum) * room);
	column->nulls = palloc(sizeof(bool) * room);
	column->n = 0;
}

static void
column_add(Column *column, Datum value, bool isnull)
{
	column->values[column->n] = value;
	column->nulls[column->n] = isnull;
	column->n++;
}

static void
column_add_text(Column *column, const char *value)
{
	column_add(column, value ? CStringGetTextDatum(value) : (Datum) 0,
			   value == NULL);
}

static Oid
array_type_of(Oid type)
{
	switch (type)
	{
		case BOOLOID:
			return BOOLARRAYOID;
		case INT4OID:
			return INT4ARRAYOID;
		case INT8OID:
			return INT8ARRAYOID;
		case TIMESTAMPTZOID:
			return TIMESTAMPTZARRAYOID;
		default:
			return TEXTARRAYOID;
	}
}

static Datum
column_array(const Column *column)
{
	int16		len;
	bool		byval;
	char		align;
	int			lower = 1;
	int			n = column->n;

	get_typlenbyvalalign(column->type, &len, &byval, &align);
	return PointerGetDatum(construct_md_array(column->values, column->nulls,
											  1, &n, &lower, column->type,
											  len, byval, align));
}

/* Texts of an outcome that both kinds of settling store. */
enum
{
	TEXT_REQUEST,
	TEXT_RESPONSE,
	TEXT_RESPONSE_DATA,
	TEXT_REFERENCE,
	TEXT_ERROR_CODE,
	TEXT_ERROR_DESCRIPTION,
	TEXT_PROVIDER_CODE,
	TEXT_PROVIDER_DESCRIPTION,
	TEXT_COLUMNS
};

static void
texts_init(Column *texts, int room)
{
	for (int i = 0; i < TEXT_COLUMNS; i++)
		column_init(&texts[i], TEXTOID, room);
}

static void
texts_add(Column *texts, const QueueOutcome *outcome)
{
	const CasOutcome *cas = &outcome->cas;

	column_add_text(&texts[TEXT_REQUEST], outcome->request);
	column_add_text(&texts[TEXT_RESPONSE], cas->response);
	column_add_text(&texts[TEXT_RESPONSE_DATA], cas->response_data);
	column_add_text(&texts[TEXT_REFERENCE], cas->reference_number);
	column_add_text(&texts[TEXT_ERROR_CODE], cas->error_code);
	column_add_text(&texts[TEXT_ERROR_DESCRIPTION], cas->error_description);
	column_add_text(&texts[TEXT_PROVIDER_CODE], cas->provider_error_code);
	column_add_text(&texts[TEXT_PROVIDER_DESCRIPTION],
					cas->provider_error_description);
}

/* The arguments of a statement: some columns, then the texts. */
static void
make_arguments(const Column *fixed, int nfixed, const Column *texts,
			   Oid *types, Datum *values)
{
	for (int i = 0; i < nfixed + TEXT_COLUMNS; i++)
	{
		const Column *column = i < nfixed ? &fixed[i] : &texts[i - nfixed];

		types[i] = array_type_of(column->type);
		values[i] = column_array(column);
	}
}

static void
run(SPIPlanPtr plan, Datum *values, const char *what)
{
	if (SPI_execute_plan(plan, values, NULL, false, 0) < 0)
		elog(ERROR, "could not settle: %s", what);
}

/* An array of texts as one text; NULL when it is to stay as it is. */
static char *
parts_literal(const QueueOutcome *outcome)
{
	StringInfoData literal;

	if (outcome->parts_done == NULL)
		return NULL;
	initStringInfo(&literal);
	appendStringInfoChar(&literal, '{');
	for (int i = 0; i < outcome->nparts_done; i++)
	{
		appendStringInfoString(&literal, i == 0 ? "\"" : ",\"");
		for (const char *p = outcome->parts_done[i]; *p; p++)
		{
			if (*p == '"' || *p == '\\')
				appendStringInfoChar(&literal, '\\');
			appendStringInfoChar(&literal, *p);
		}
		appendStringInfoChar(&literal, '"');
	}
	appendStringInfoChar(&literal, '}');
	return literal.data;
}

/* ------------------------------------------------------------------------
 * Closing
 * ------------------------------------------------------------------------
 */

/* Columns of the request table that move to the closed part unchanged. */
#define KEPT_COLUMNS \
	"id, number, provider, type, priority, process_immediately, " \
	"scheduled_date, subscription_id, ordering_keys, parameters, name, " \
	"process_name, process_id, attempt_log, " \
	"udf_string_1, udf_string_2, udf_string_3, udf_string_4, " \
	"udf_string_5, udf_string_6, udf_string_7, udf_string_8, " \
	"udf_float_1, udf_float_2, udf_float_3, udf_float_4, " \
	"udf_date_1, udf_date_2, udf_date_3, udf_date_4, " \
	"created_date, created_by_user, created_by_unit"

/* The rest, in the order of CLOSED_VALUES. */
#define CLOSED_COLUMNS \
	"life_cycle_state, executed_date, closed_date, sequence_number, attempts, " \
	"request, response, response_data, reference_number, error_code, " \
	"error_description, provider_error_code, provider_error_description, " \
	"parts_done, updated_date, updated_by_user"

/* Moves finished requests to the closed part, in one statement. */
static void
close_requests(QueueOutcome **outcomes, int n)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[7 + TEXT_COLUMNS];
	Datum		values[7 + TEXT_COLUMNS];
	Column		fixed[7];
	Column		texts[TEXT_COLUMNS];
	static const Oid fixed_types[7] = {INT8OID, TEXTOID, TIMESTAMPTZOID,
	TIMESTAMPTZOID, INT8OID, INT4OID, TEXTOID};

	for (int i = 0; i < 7; i++)
		column_init(&fixed[i], fixed_types[i], n);
	texts_init(texts, n);
	for (int i = 0; i < n; i++)
	{
		const QueueOutcome *outcome = outcomes[i];
		bool		unsent = outcome->started == 0;

		column_add(&fixed[0], Int64GetDatum(outcome->number), false);
		column_add_text(&fixed[1], outcome->step == QUEUE_COMPLETED ?
						"COMPLETED" : "REJECTED");
		column_add(&fixed[2], TimestampTzGetDatum(outcome->started), unsent);
		column_add(&fixed[3], TimestampTzGetDatum(outcome->ended), false);
		column_add(&fixed[4], Int64GetDatum(outcome->sequence_number),
				   unsent);
		column_add(&fixed[5], Int32GetDatum(outcome->attempt), false);
		column_add_text(&fixed[6], outcome->step == QUEUE_COMPLETED ? NULL :
						parts_literal(outcome));
		texts_add(texts, outcome);
	}
	make_arguments(fixed, 7, texts, types, values);
	saved_plan_get(&plan, "WITH o AS MATERIALIZED ("
				   " SELECT * FROM ROWS FROM ("
				   " pg_catalog.unnest($1), pg_catalog.unnest($2),"
				   " pg_catalog.unnest($3), pg_catalog.unnest($4),"
				   " pg_catalog.unnest($5), pg_catalog.unnest($6),"
				   " pg_catalog.unnest($7), pg_catalog.unnest($8),"
				   " pg_catalog.unnest($9), pg_catalog.unnest($10),"
				   " pg_catalog.unnest($11), pg_catalog.unnest($12),"
				   " pg_catalog.unnest($13), pg_catalog.unnest($14),"
				   " pg_catalog.unnest($15),"
				   " pg_catalog.generate_subscripts($1, 1))"
				   " AS o (o_number, o_state, o_started, o_ended, o_sequence,"
				   " o_attempt, o_parts, o_request, o_response, o_data, o_reference,"
				   " o_error, o_error_text, o_provider_error,"
				   " o_provider_error_text, o_place)"
				   "), gone AS ("
				   " DELETE FROM provreq.request_pending"
				   " WHERE number = ANY ($1) RETURNING *"
				   "), attempts_gone AS ("
				   " DELETE FROM provreq.attempt WHERE number = ANY ($1)"
				   ") INSERT INTO provreq.request_closed ("
				   KEPT_COLUMNS ", " CLOSED_COLUMNS ")"
				   " SELECT " KEPT_COLUMNS ", o_state, o_started, o_ended,"
				   " o_sequence, o_attempt, COALESCE(o_request, request),"
				   " o_response, o_data::jsonb, o_reference, o_error, o_error_text,"
				   " o_provider_error, o_provider_error_text,"
				   " NULLIF(COALESCE(o_parts::text[], parts_done), '{}'),"
				   " o_ended,"
				   " 'provreq_worker' FROM gone JOIN o ON o_number = number",
				   7 + TEXT_COLUMNS, types);
	run(plan, values, "closing requests");
}

/* ------------------------------------------------------------------------
 * Keeping
 * ------------------------------------------------------------------------
 */

/* What attempt_log calls the end of a counted attempt. */
static const char *
verdict_name(CasVerdict verdict)
{
	switch (verdict)
	{
		case CAS_DONE:
			return "DONE";
		case CAS_REFUSED:
			return "REFUSED";
		case CAS_RETRY:
			return "RETRY";
		case CAS_UNKNOWN:
			return "UNKNOWN";
	}
	return NULL;
}

/*
 * Writes down, in one statement, how attempts ended after which the requests
 * are still pending.
 */
static void
keep_requests(QueueOutcome **outcomes, int n)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[10 + TEXT_COLUMNS];
	Datum		values[10 + TEXT_COLUMNS];
	Column		fixed[10];
	Column		texts[TEXT_COLUMNS];
	static const Oid fixed_types[10] = {INT8OID, INT4OID, INT8OID,
		TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
	TEXTOID, TEXTOID, TEXTOID, BOOLOID};

	for (int i = 0; i < 10; i++)
		column_init(&fixed[i], fixed_types[i], n);
	texts_init(texts, n);
	for (int i = 0; i < n; i++)
	{
		const QueueOutcome *outcome = outcomes[i];
		bool		unsent = outcome->started == 0;

		column_add(&fixed[0], Int64GetDatum(outcome->number), false);
		column_add(&fixed[1], Int32GetDatum(outcome->attempt), false);
		column_add(&fixed[2], Int64GetDatum(outcome->sequence_number),
				   unsent);
		column_add(&fixed[3], TimestampTzGetDatum(outcome->started), unsent);
		column_add(&fixed[4], TimestampTzGetDatum(outcome->ended), false);
		column_add(&fixed[5], TimestampTzGetDatum(outcome->retry_date),
				   outcome->retry_date == 0);
		column_add_text(&fixed[6], outcome->hold_reason);
		column_add_text(&fixed[7], parts_literal(outcome));
		column_add_text(&fixed[8], verdict_name(outcome->cas.verdict));
		column_add(&fixed[9], BoolGetDatum(outcome->interrupted), false);
		texts_add(texts, outcome);
	}
	make_arguments(fixed, 10, texts, types, values);
	saved_plan_get(&plan, "WITH o AS MATERIALIZED ("
				   " SELECT * FROM ROWS FROM ("
				   " pg_catalog.unnest($1), pg_catalog.unnest($2),"
				   " pg_catalog.unnest($3), pg_catalog.unnest($4),"
				   " pg_catalog.unnest($5), pg_catalog.unnest($6),"
				   " pg_catalog.unnest($7), pg_catalog.unnest($8),"
				   " pg_catalog.unnest($9), pg_catalog.unnest($10),"
				   " pg_catalog.unnest($11), pg_catalog.unnest($12),"
				   " pg_catalog.unnest($13), pg_catalog.unnest($14),"
				   " pg_catalog.unnest($15), pg_catalog.unnest($16),"
				   " pg_catalog.unnest($17), pg_catalog.unnest($18))"
				   " AS o (number, attempt, sequence, started, ended, retry_date,"
				   " hold_reason, parts, verdict, interrupted, request, response, data,"
				   " reference, error, error_text, provider_error,"
				   " provider_error_text)"
				   "), attempts_gone AS ("
				   " DELETE FROM provreq.attempt WHERE number = ANY ($1)"
				   ") UPDATE provreq.request_pending p SET"
				   " attempts = o.attempt, retry_date = o.retry_date,"
				   " hold_reason = o.hold_reason,"
				   " parts_done = NULLIF(COALESCE(o.parts::text[],"
				   " p.parts_done), '{}'),"
				   " request = CASE WHEN o.started IS NULL THEN p.request"
				   " ELSE o.request END,"
				   " response = CASE WHEN o.started IS NULL THEN p.response"
				   " ELSE o.response END,"
				   " error_code = o.error, error_description = o.error_text,"
				   " provider_error_code = o.provider_error,"
				   " provider_error_description = o.provider_error_text,"
				   " updated_date = o.ended, updated_by_user = 'provreq_worker',"
				   " updated_by_unit = NULL,"
				   " attempt_log = CASE WHEN o.started IS NULL"
				   " THEN p.attempt_log ELSE COALESCE(p.attempt_log, '[]')"
				   " || (pg_catalog.jsonb_build_object('attempt', o.attempt,"
				   " 'sequence_number', o.sequence, 'started', o.started,"
				   " 'ended', o.ended, 'verdict', o.verdict,"
				   " 'error_code', o.error, 'error_description', o.error_text)"
				   " || CASE WHEN o.interrupted THEN '{\"interrupted\": true}'"
				   " ELSE '{}' END::jsonb) END"
				   " FROM o WHERE p.number = ANY ($1) AND p.number = o.number",
				   10 + TEXT_COLUMNS, types);
	run(plan, values, "keeping requests");
}

/* ------------------------------------------------------------------------
 * Returning, and all together
 * ------------------------------------------------------------------------
 */
static void
forget_attempts(QueueOutcome **outcomes, int n)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[1] = {INT8ARRAYOID};
	Datum		values[1];
	Column		numbers;

	column_init(&numbers, INT8OID, n);
	for (int i = 0; i < n; i++)
		column_add(&numbers, Int64GetDatum(outcomes[i]->number), false);
	values[0] = column_array(&numbers);
	saved_plan_get(&plan, "DELETE FROM provreq.attempt WHERE number = ANY ($1)",
				   1, types);
	run(plan, values, "forgetting attempts");
}

/* Which messages of pending requests are done, of answers that came late. */
static void
note_parts(QueueOutcome **outcomes, int n)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[2] = {INT8ARRAYOID, TEXTARRAYOID};
	Datum		values[2];
	Column		numbers;
	Column		parts;

	column_init(&numbers, INT8OID, n);
	column_init(&parts, TEXTOID, n);
	for (int i = 0; i < n; i++)
	{
		column_add(&numbers, Int64GetDatum(outcomes[i]->number), false);
		column_add_text(&parts, parts_literal(outcomes[i]));
	}
	values[0] = column_array(&numbers);
	values[1] = column_array(&parts);
	saved_plan_get(&plan, "WITH o AS MATERIALIZED ("
				   " SELECT * FROM ROWS FROM (pg_catalog.unnest($1),"
				   " pg_catalog.unnest($2)) AS o (number, parts)"
				   ") UPDATE provreq.request_pending p"
				   " SET parts_done = NULLIF(COALESCE(o.parts::text[],"
				   " p.parts_done), '{}'),"
				   " updated_date = pg_catalog.now(),"
				   " updated_by_user = 'provreq_worker',"
				   " updated_by_unit = NULL"
				   " FROM o WHERE p.number = ANY ($1) AND p.number = o.number",
				   2, types);
	run(plan, values, "noting parts");
}

/* The unmasked text of a request whose table row shows a masked one. */
static void
store_secret(const QueueOutcome *outcome)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[2] = {INT8OID, TEXTOID};
	Datum		values[2];

	values[0] = Int64GetDatum(outcome->number);
	values[1] = CStringGetTextDatum(outcome->secret_request);
	saved_plan_get(&plan, "UPDATE provreq.request_secret SET request = $2"
				   " WHERE number = $1", 2, types);
	run(plan, values, "storing a secret");
}

#define STEP(step) (1 << (step))
#define CLOSING (STEP(QUEUE_COMPLETED) | STEP(QUEUE_REJECTED))

/* Settles in one of the ways to go the outcomes that have one of steps. */
static void
settle_those(QueueOutcome **outcomes, int n, int steps,
			 void (*settle) (QueueOutcome **, int))
{
	QueueOutcome **chosen = palloc(sizeof(QueueOutcome *) * n);
	int			nchosen = 0;

	for (int i = 0; i < n; i++)
		if (STEP(outcomes[i]->step) & steps)
			chosen[nchosen++] = outcomes[i];
	if (nchosen > 0)
		settle(chosen, nchosen);
}

void
queue_settle(Queue *queue, QueueOutcome **outcomes, int n)
{
	SPI_connect();
	settle_those(outcomes, n, CLOSING, close_requests);
	settle_those(outcomes, n, STEP(QUEUE_RETRY) | STEP(QUEUE_HOLD),
				 keep_requests);
	settle_those(outcomes, n, STEP(QUEUE_RETURN), forget_attempts);
	settle_those(outcomes, n, STEP(QUEUE_NOTE), note_parts);
	for (int i = 0; i < n; i++)
	{
		if (outcomes[i]->secret_request && outcomes[i]->step != QUEUE_RETURN)
			store_secret(outcomes[i]);
		if (STEP(outcomes[i]->step) & (CLOSING | STEP(QUEUE_HOLD)))
			waiters_wake_at_commit(outcomes[i]->number);
	}
	SPI_finish();
}
