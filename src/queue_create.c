/*-------------------------------------------------------------------------
 *
 * queue_create.c
 *		Putting a request into the table.
 *
 * The row goes into the pending partition by name, which spares every call
 * the routing of tuples.  The trigger on that partition stamps the row and
 * wakes the sender.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "queue_create.h"
#include "queue_insert.h"
#include "saved_plan.h"

/* What a secret value is stored and shown as. */
#define MASK "****"

/* The columns that are given a value, and the parameters of the INSERT. */
enum
{
	ARG_NUMBER,
	ARG_PROVIDER,
	ARG_TYPE,
	ARG_PRIORITY,
	ARG_PROCESS_IMMEDIATELY,
	ARG_SCHEDULED_DATE,
	ARG_SUBSCRIPTION_ID,
	ARG_ORDERING_KEYS,
	ARG_PARAMETERS,
	ARG_NAME,
	ARG_PROCESS_NAME,
	ARG_PROCESS_ID,
	ARG_CREATED_BY_USER,
	ARG_UPDATED_BY_USER,
	ARG_CREATED_BY_UNIT,
	ARG_UPDATED_BY_UNIT,
	ARG_UDF,
	ARG_COUNT = ARG_UDF + UDF_COUNT
};

static const char *const column_names[ARG_COUNT] = {
	"number", "provider", "type", "priority", "process_immediately",
	"scheduled_date", "subscription_id", "ordering_keys", "parameters",
	"name", "process_name", "process_id",
	"created_by_user", "updated_by_user",
	"created_by_unit", "updated_by_unit",
	"udf_string_1", "udf_string_2", "udf_string_3", "udf_string_4",
	"udf_string_5", "udf_string_6", "udf_string_7", "udf_string_8",
	"udf_float_1", "udf_float_2", "udf_float_3", "udf_float_4",
	"udf_date_1", "udf_date_2", "udf_date_3", "udf_date_4"
};

int64
queue_next_number(void)
{
	Oid			schema = get_namespace_oid("provreq", false);
	Oid			sequence = get_relname_relid("request_number_seq", schema);

	PreventCommandIfReadOnly("INSERT");
	if (!OidIsValid(sequence))
		elog(ERROR, "sequence provreq.request_number_seq is missing");
	return nextval_internal(sequence, false);
}

/* ------------------------------------------------------------------------
 * Values to JSON
 * ------------------------------------------------------------------------
 */

static bool
has_name(List *names, const char *name)
{
	ListCell   *cell;

	foreach(cell, names)
	{
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	}
	return false;
}

static void
push_string(JsonbParseState **state, JsonbIteratorToken token,
			const char *string)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, string);
	value.val.string.len = (int) strlen(string);
	(void) pushJsonbValue(state, token, &value);
}

/* A value in its JSON type; a secret as asterisks unless revealed. */
static void
push_value(JsonbParseState **state, JsonbIteratorToken token,
		   const CasValue *value, bool reveal)
{
	JsonbValue	scalar;

	if (value->secret && !reveal)
		push_string(state, token, MASK);
	else if (value->boolean)
	{
		scalar.type = jbvBool;
		scalar.val.boolean = strcmp(value->value, "true") == 0;
		(void) pushJsonbValue(state, token, &scalar);
	}
	else if (!value->number)
		push_string(state, token, value->value);
	else
	{
		scalar.type = jbvNumeric;
		scalar.val.numeric =
			int64_to_numeric(strtoi64(value->value, NULL, 10));
		(void) pushJsonbValue(state, token, &scalar);
	}
}

/* All values of the first one's name, as a scalar or as an array. */
static void
push_name(JsonbParseState **state, const NewRequest *request,
		  const CasValue *first, bool reveal)
{
	const CasValue *value;

	push_string(state, WJB_KEY, first->name);
	if (!has_name(request->set_names, first->name))
	{
		push_value(state, WJB_VALUE, first, reveal);
		return;
	}
	(void) pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (value = first; value != NULL;
		 value = cas_value_next(&request->cas, value))
		push_value(state, WJB_ELEM, value, reveal);
	(void) pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
push_nulls(JsonbParseState **state, const NewRequest *request)
{
	JsonbValue	null;
	ListCell   *cell;

	null.type = jbvNull;
	foreach(cell, request->null_names)
	{
		if (cas_value(&request->cas, lfirst(cell)) != NULL)
			continue;
		push_string(state, WJB_KEY, lfirst(cell));
		(void) pushJsonbValue(state, WJB_VALUE, &null);
	}
}

/* All values, secrets masked; or the secret ones alone, as they are. */
static Jsonb *
values_to_json(const NewRequest *request, bool secrets)
{
	JsonbParseState *state = NULL;
	ListCell   *cell;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	foreach(cell, request->cas.values)
	{
		const CasValue *value = lfirst(cell);

		if (secrets && !value->secret)
			continue;
		if (cas_value(&request->cas, value->name) == value)
			push_name(&state, request, value, secrets);
	}
	if (!secrets)
		push_nulls(&state, request);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static bool
has_secret(const NewRequest *request)
{
	ListCell   *cell;

	foreach(cell, request->cas.values)
	{
		if (((const CasValue *) lfirst(cell))->secret)
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------------
 * The row
 * ------------------------------------------------------------------------
 */

/* The plan by which single requests are inserted, saved for the session. */
static SPIPlanPtr
insert_plan(void)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[ARG_COUNT];
	int			i;

	if (plan != NULL)
		return plan;
	for (i = 0; i < ARG_COUNT; i++)
		types[i] = TEXTOID;
	types[ARG_NUMBER] = INT8OID;
	types[ARG_PROCESS_IMMEDIATELY] = BOOLOID;
	types[ARG_SCHEDULED_DATE] = TIMESTAMPTZOID;
	types[ARG_ORDERING_KEYS] = TEXTARRAYOID;
	types[ARG_PARAMETERS] = JSONBOID;
	for (i = 0; i < UDF_FLOATS; i++)
		types[ARG_UDF + UDF_STRINGS + i] = FLOAT8OID;
	for (i = 0; i < UDF_DATES; i++)
		types[ARG_UDF + UDF_STRINGS + UDF_FLOATS + i] = TIMESTAMPTZOID;
	plan = saved_plan_make("INSERT INTO provreq.request_pending AS r"
						   " (number, provider, type, priority,"
						   " process_immediately, scheduled_date,"
						   " subscription_id, ordering_keys, parameters,"
						   " name, process_name, process_id,"
						   " created_by_user, updated_by_user,"
						   " created_by_unit, updated_by_unit,"
						   " udf_string_1, udf_string_2, udf_string_3,"
						   " udf_string_4, udf_string_5, udf_string_6,"
						   " udf_string_7, udf_string_8,"
						   " udf_float_1, udf_float_2, udf_float_3,"
						   " udf_float_4,"
						   " udf_date_1, udf_date_2, udf_date_3, udf_date_4)"
						   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,"
						   " $10, $11, $12, $13, $14, $15, $16,"
						   " $17, $18, $19, $20, $21, $22, $23, $24,"
						   " $25, $26, $27, $28, $29, $30, $31, $32)"
						   " RETURNING r::provreq.request",
						   ARG_COUNT, types);
	return plan;
}

static Datum
text_array(List *strings)
{
	Datum	   *members = palloc(sizeof(Datum) * list_length(strings));
	ListCell   *cell;
	int			n = 0;

	foreach(cell, strings)
		members[n++] = CStringGetTextDatum(lfirst(cell));
	return PointerGetDatum(construct_array(members, n, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

/* One text; NULL is SQL NULL. */
static void
set_text(Datum *values, bool *nulls, int arg, const char *string)
{
	if (string == NULL)
		return;
	values[arg] = CStringGetTextDatum(string);
	nulls[arg] = false;
}

static void
set_datum(Datum *values, bool *nulls, int arg, Datum value)
{
	values[arg] = value;
	nulls[arg] = false;
}

static void
set_creator(const NewRequest *request, Datum *values, bool *nulls)
{
	set_text(values, nulls, ARG_CREATED_BY_USER, request->created_by_user);
	set_text(values, nulls, ARG_UPDATED_BY_USER, request->created_by_user);
	set_text(values, nulls, ARG_CREATED_BY_UNIT, request->created_by_unit);
	set_text(values, nulls, ARG_UPDATED_BY_UNIT, request->created_by_unit);
}

/* The arguments of the plan, in the order of its enum. */
static void
fill_in(const NewRequest *request, Datum *values, bool *nulls)
{
	const CasRequest *cas = &request->cas;
	int			i;

	memset(nulls, true, ARG_COUNT * sizeof(bool));
	set_datum(values, nulls, ARG_NUMBER, Int64GetDatum(cas->number));
	set_text(values, nulls, ARG_PROVIDER, request->provider);
	set_text(values, nulls, ARG_TYPE, cas->operation->type);
	set_text(values, nulls, ARG_PRIORITY,
			 cas->express ? "EXPRESS" : "REGULAR");
	set_datum(values, nulls, ARG_PROCESS_IMMEDIATELY,
			  BoolGetDatum(cas->process_immediately));
	set_datum(values, nulls, ARG_SCHEDULED_DATE,
			  TimestampTzGetDatum(cas->scheduled));
	set_text(values, nulls, ARG_SUBSCRIPTION_ID, request->subscription_id);
	set_datum(values, nulls, ARG_ORDERING_KEYS,
			  text_array(request->ordering_keys));
	set_datum(values, nulls, ARG_PARAMETERS,
			  JsonbPGetDatum(values_to_json(request, false)));
	set_text(values, nulls, ARG_NAME, request->name);
	set_text(values, nulls, ARG_PROCESS_NAME, request->process_name);
	set_text(values, nulls, ARG_PROCESS_ID, request->process_id);
	set_creator(request, values, nulls);
	for (i = 0; i < UDF_COUNT; i++)
	{
		if (request->udf_given[i])
			set_datum(values, nulls, ARG_UDF + i, request->udf[i]);
	}
}

static void
insert_secrets(const NewRequest *request)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[2] = {INT8OID, JSONBOID};
	Datum		values[2];

	SPI_connect();
	if (plan == NULL)
		plan = saved_plan_make("INSERT INTO provreq.request_secret"
							   " (number, parameters) VALUES ($1, $2)",
							   2, types);
	values[0] = Int64GetDatum(request->cas.number);
	values[1] = JsonbPGetDatum(values_to_json(request, true));
	if (SPI_execute_plan(plan, values, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not insert into provreq.request_secret");
	SPI_finish();
}

/* The row by a statement of its own. */
static Datum
insert_by_statement(Datum *values, const bool *isnull)
{
	char		nulls[ARG_COUNT];
	Datum		row;
	bool		unused;
	int			i;

	for (i = 0; i < ARG_COUNT; i++)
		nulls[i] = isnull[i] ? 'n' : ' ';
	SPI_connect();
	if (SPI_execute_plan(insert_plan(), values, nulls, false,
						 0) != SPI_OK_INSERT_RETURNING || SPI_processed != 1)
		elog(ERROR, "could not insert into provreq.request");
	row = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						&unused);
	row = SPI_datumTransfer(row, false, -1);
	SPI_finish();
	return row;
}

Datum
queue_create(NewRequest *request)
{
	Datum		values[ARG_COUNT];
	bool		nulls[ARG_COUNT];
	Datum		row;

	fill_in(request, values, nulls);
	if (has_secret(request))
		insert_secrets(request);
	if (!queue_insert(column_names, values, nulls, ARG_COUNT, &row))
		row = insert_by_statement(values, nulls);
	return row;
}
