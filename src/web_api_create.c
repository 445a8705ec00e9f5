/*-------------------------------------------------------------------------
 *
 * web_api_create.c
 *		POST: an operation, by way of its function in SQL.
 *
 * Operations are not known here.  The adapter's table says how a member is
 * written in JSON, the declaration of the function in SQL what its argument
 * is, and calling that function makes its privileges those of the facade.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "nodes/makefuncs.h"
#include "parser/parse_func.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "complaint.h"
#include "instant.h"
#include "web_api_private.h"

/* Members of the body that are one argument in SQL begin so. */
#define UDF_PREFIX "udf_"
#define UDF_ARGUMENT "udf"

/* The function behind an operation, and what it is called with. */
typedef struct Target
{
	const CasOperation *operation;
	Oid			oid;
	char	   *name;
	int			nargs;
	char	  **names;
	Oid		   *types;
	Datum	   *values;
	char	   *nulls;			/* 'n' or ' ' */
} Target;

static void
find_function(Target *target, const CasAdapter *adapter)
{
	HeapTuple	tuple;
	char	   *modes;

	target->name = psprintf("%s_%s", adapter->prefix,
							target->operation->name);
	target->oid = LookupFuncName(list_make2(makeString("provreq"),
											makeString(target->name)),
								 -1, NULL, false);
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(target->oid));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", target->oid);
	target->nargs = get_func_arg_info(tuple, &target->types, &target->names,
									  &modes);
	ReleaseSysCache(tuple);
	target->values = palloc0(sizeof(Datum) * target->nargs);
	target->nulls = palloc(target->nargs);
	memset(target->nulls, 'n', target->nargs);
}

/* ------------------------------------------------------------------------
 * Names
 * ------------------------------------------------------------------------
 */

static bool
is_udf(const char *name)
{
	return strncmp(name, UDF_PREFIX, strlen(UDF_PREFIX)) == 0;
}

/* The place of an argument in the function, or -1. */
static int
argument_index(const Target *target, const char *name)
{
	int			i;

	for (i = 0; i < target->nargs; i++)
	{
		if (strcmp(target->names[i], name) == 0)
			return strcmp(name, UDF_ARGUMENT) == 0 ? -1 : i;
	}
	return -1;
}

/*
 * Raises an error for a member of the body that the operation does not have:
 * a misspelt one must not be left out in silence.
 */
static void
check_names(const Target *target, List *members)
{
	List	   *valid = NIL;
	ListCell   *cell;
	int			i;

	for (i = 0; i < target->nargs; i++)
		valid = lappend(valid, strcmp(target->names[i], UDF_ARGUMENT) == 0 ?
						"udf_string_1 and so on" : target->names[i]);
	foreach(cell, members)
	{
		const WebMember *member = lfirst(cell);

		if (!is_udf(member->name) &&
			argument_index(target, member->name) < 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_PARAMETER),
					 errmsg("operation \"%s\" has no parameter \"%s\"",
							target->operation->name,
							complaint_text(member->name)),
					 errhint("Valid parameters are token, %s.",
							 complaint_list(valid))));
	}
}

/* ------------------------------------------------------------------------
 * Values
 * ------------------------------------------------------------------------
 */

static Datum
text_array(List *texts)
{
	Datum	   *elements = palloc(sizeof(Datum) * (list_length(texts) + 1));
	ListCell   *cell;
	int			n = 0;

	foreach(cell, texts)
		elements[n++] = CStringGetTextDatum(lfirst(cell));
	return PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

static Datum
integer_value(const char *name, const JsonbValue *value, Oid type)
{
	int64		number = web_integer(name, value);

	if (type == INT8OID)
		return Int64GetDatum(number);
	if (number < PG_INT32_MIN || number > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("parameter \"%s\" is out of range", name)));
	return Int32GetDatum((int32) number);
}

static Datum
instant_value(const char *name, const JsonbValue *value)
{
	TimestampTz instant;

	if (!instant_parse(web_string(name, value), &instant))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_DATETIME_FORMAT),
				 errmsg("parameter \"%s\" is not a date between the "
						"years 1 and 9999", name),
				 errhint("Write it as 2015-09-07T15:23:15.")));
	return TimestampTzGetDatum(instant);
}

/* A value as the type of the argument alone has it. */
static Datum
plain_value(const char *name, const JsonbValue *value, Oid type)
{
	switch (type)
	{
		case TEXTOID:
			return CStringGetTextDatum(web_string(name, value));
		case BOOLOID:
			return BoolGetDatum(web_boolean(name, value));
		case INT4OID:
		case INT8OID:
			return integer_value(name, value, type);
		case TIMESTAMPTZOID:
			return instant_value(name, value);
	}
	elog(ERROR, "arguments cannot have type %u", type);
}

static const CasParameter *
find_parameter(const CasOperation *operation, const char *name)
{
	const CasParameter *parameter;

	for (parameter = operation->parameters; parameter->name; parameter++)
	{
		if (strcmp(parameter->name, name) == 0)
			return parameter;
	}
	return NULL;
}

/*
 * A member of the body as an argument of the operation's SQL function:
 * identifiers, objects in the body, as "field=value", and sets as arrays.
 */
static Datum
argument_value(const Target *target, const char *name,
			   const JsonbValue *value, Oid type)
{
	const CasParameter *parameter = find_parameter(target->operation, name);

	if (parameter == NULL)
		return plain_value(name, value, type);
	switch (parameter->kind)
	{
		case CAS_SMARTCARD_OR_CA_ID:
			if (value->type == jbvString)
				return plain_value(name, value, type);
			/* FALLTHROUGH */
		case CAS_SUBSCRIPTION:
		case CAS_SERVICE:
		case CAS_SMARTCARD:
		case CAS_STB:
			return CStringGetTextDatum(web_identifier(name, value));
		case CAS_SERVICE_SET:
			return text_array(web_set(name, value, "service_identifier",
									  true));
		case CAS_SMARTCARD_CA_ID_SET:
			return text_array(web_set(name, value, "smartcard_ca_id", false));
		case CAS_STB_CA_ID_SET:
			return text_array(web_set(name, value, "stb_ca_id", false));
		default:
			return plain_value(name, value, type);
	}
}

/* The user-defined fields, which SQL takes as one object. */
static Datum
udf_value(List *members, bool *isnull)
{
	JsonbParseState *state = NULL;
	ListCell   *cell;

	*isnull = true;
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	foreach(cell, members)
	{
		WebMember  *member = lfirst(cell);
		JsonbValue	key;

		if (!is_udf(member->name))
			continue;
		*isnull = false;
		key.type = jbvString;
		key.val.string.val = unconstify(char *, member->name);
		key.val.string.len = (int) strlen(member->name);
		(void) pushJsonbValue(&state, WJB_KEY, &key);
		(void) pushJsonbValue(&state, WJB_VALUE, &member->value);
	}
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state,
														   WJB_END_OBJECT,
														   NULL)));
}

/*
 * Fills in the arguments from the members of the body; those that are not
 * there take their defaults.
 */
static void
fill_in(Target *target, List *members)
{
	int			i;

	for (i = 0; i < target->nargs; i++)
	{
		const char *name = target->names[i];
		const JsonbValue *value = web_member(members, name);
		bool		isnull = value == NULL;

		if (strcmp(name, UDF_ARGUMENT) == 0)
			target->values[i] = udf_value(members, &isnull);
		else if (!isnull)
			target->values[i] = argument_value(target, name, value,
											   target->types[i]);
		if (!isnull)
			target->nulls[i] = ' ';
	}
}

/* ------------------------------------------------------------------------
 * The call
 * ------------------------------------------------------------------------
 */

/* Calls the function; the rows of requests are in SPI_tuptable. */
static void
call_function(const Target *target)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT r FROM provreq.%s(",
					 quote_identifier(target->name));
	for (i = 0; i < target->nargs; i++)
		appendStringInfo(&sql, "%s%s => $%d", i > 0 ? ", " : "",
						 quote_identifier(target->names[i]), i + 1);
	appendStringInfoString(&sql, ") AS r");
	if (SPI_execute_with_args(sql.data, target->nargs, target->types,
							  target->values, target->nulls, false,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not call provreq.%s", target->name);
}

/*
 * The response objects of the rows as an array, or the only one by itself.
 * They are made by another statement than the rows, which sees them.
 */
static Datum
response(bool set)
{
	SPITupleTable *rows = SPI_tuptable;
	uint64		n = SPI_processed;
	Oid			type = SPI_gettypeid(rows->tupdesc, 1);
	ArrayBuildState *built = NULL;
	Oid			types[2];
	Datum		values[2];
	bool		isnull;
	uint64		i;

	for (i = 0; i < n; i++)
	{
		Datum		row = SPI_getbinval(rows->vals[i], rows->tupdesc, 1,
										&isnull);

		built = accumArrayResult(built, row, isnull, type,
								 CurrentMemoryContext);
	}
	if (built == NULL)
		elog(ERROR, "no request was made");
	types[0] = get_array_type(type);
	types[1] = BOOLOID;
	values[0] = makeArrayResult(built, CurrentMemoryContext);
	values[1] = BoolGetDatum(set);
	if (SPI_execute_with_args("SELECT provreq.request_objects($1, $2)", 2,
							  types, values, NULL, false,
							  1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not read new requests");
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						 &isnull);
}

/* Without a smartcard, a function that returns a set may make several. */
static bool
makes_several(const Target *target)
{
	const CasParameter *parameter;

	if (!get_func_retset(target->oid))
		return false;
	for (parameter = target->operation->parameters; parameter->name;
		 parameter++)
	{
		int			i = argument_index(target, parameter->name);

		if (i >= 0 && target->nulls[i] != 'n' &&
			parameter->kind == CAS_SMARTCARD_OR_CA_ID)
			return false;
	}
	return true;
}

Jsonb *
web_create(const WebCall *call)
{
	Target		target = {0};
	Datum		data;

	target.operation = adapter_operation(call->adapter, call->operation);
	find_function(&target, call->adapter);
	check_names(&target, call->members);
	fill_in(&target, call->members);
	SPI_connect();
	call_function(&target);
	data = SPI_datumTransfer(response(makes_several(&target)), false, -1);
	SPI_finish();
	return DatumGetJsonbP(data);
}
