/*-------------------------------------------------------------------------
 *
 * api_function.c
 *		The C function behind provreq.conax_add_subscriptions and all others.
 *
 * The SQL declarations are the interface: a function finds its operation by
 * its own name, and its arguments by theirs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "api.h"
#include "instant.h"
#include "statement_cache.h"
#include "statement_text.h"

PG_FUNCTION_INFO_V1(provreq_create_request);

/* What a call needs to know of its own declaration; in fn_extra. */
typedef struct ApiFunction
{
	char	   *name;
	const CasAdapter *adapter;
	const CasOperation *operation;
	bool		secret;			/* one of its parameters is */
	int			nargs;
	char	  **names;
	Oid		   *types;
} ApiFunction;

static bool
has_secret(const CasOperation *operation)
{
	const CasParameter *parameter;

	for (parameter = operation->parameters; parameter->name; parameter++)
	{
		if (parameter->kind == CAS_PIN)
			return true;
	}
	return false;
}

/* Finds the operation by the name "prefix_operation". */
static void
find_operation(ApiFunction *function)
{
	const char *underscore = strchr(function->name, '_');

	if (underscore != NULL)
		function->adapter =
			adapter_by_prefix(pnstrdup(function->name,
									   underscore - function->name));
	if (function->adapter != NULL)
		function->operation = adapter_operation(function->adapter,
												underscore + 1);
	if (function->operation == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function \"%s\" is not named after an operation",
						function->name)));
	function->secret = has_secret(function->operation);
}

/* Reads the declaration, in the current memory context. */
static ApiFunction *
describe_function(Oid oid)
{
	ApiFunction *function = palloc0(sizeof(ApiFunction));
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
	char	   *modes;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", oid);
	function->name = pstrdup(NameStr(((Form_pg_proc)
									  GETSTRUCT(tuple))->proname));
	function->nargs = get_func_arg_info(tuple, &function->types,
										&function->names, &modes);
	ReleaseSysCache(tuple);
	if (function->nargs > 0 && function->names == NULL)
		elog(ERROR, "function \"%s\" has unnamed arguments", function->name);
	find_operation(function);
	return function;
}

/* An array of text; a member that is NULL stays NULL. */
static void
read_array(ApiArgument *argument, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	Datum	   *members;
	bool	   *nulls;
	int			i;

	argument->set = true;
	argument->dimensions = ARR_NDIM(array);
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
					  &members, &nulls, &argument->count);
	argument->texts = palloc0(sizeof(char *) * argument->count + 1);
	for (i = 0; i < argument->count; i++)
	{
		if (!nulls[i])
			argument->texts[i] = TextDatumGetCString(members[i]);
	}
}

static const char *
datum_text(Datum value, Oid type)
{
	switch (type)
	{
		case TEXTOID:
			return TextDatumGetCString(value);
		case INT4OID:
			return psprintf("%d", DatumGetInt32(value));
		case INT8OID:
			return psprintf(INT64_FORMAT, DatumGetInt64(value));
		case BOOLOID:
			return DatumGetBool(value) ? "true" : "false";
		case TIMESTAMPTZOID:
			return instant_to_microseconds(DatumGetTimestampTz(value));
	}
	elog(ERROR, "arguments cannot have type %u", type);
}

/* An argument of the call, of one of the types that our functions take. */
static ApiArgument *
read_argument(const char *name, Oid type, NullableDatum arg)
{
	ApiArgument *argument = palloc0(sizeof(ApiArgument));

	argument->name = name;
	argument->isnull = arg.isnull;
	if (arg.isnull)
		return argument;
	if (type == TEXTARRAYOID)
		read_array(argument, arg.value);
	else if (type == JSONBOID)
		argument->object = DatumGetJsonbP(arg.value);
	else
	{
		argument->count = 1;
		argument->texts = palloc(sizeof(char *));
		argument->texts[0] = datum_text(arg.value, type);
	}
	return argument;
}

static List *
read_arguments(const ApiFunction *function, FunctionCallInfo fcinfo)
{
	List	   *arguments = NIL;
	int			i;

	for (i = 0; i < function->nargs; i++)
	{
		if (!fcinfo->args[i].isnull)
			arguments = lappend(arguments,
								read_argument(function->names[i],
											  function->types[i],
											  fcinfo->args[i]));
	}
	return arguments;
}

/* Puts the rows into the result of a function that returns a set. */
static void
return_rows(FunctionCallInfo fcinfo, List *rows)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, rows)
	{
		Datum		row = PointerGetDatum(lfirst(lc));
		HeapTupleHeader header = DatumGetHeapTupleHeader(row);
		HeapTupleData tuple = {0};

		tuple.t_len = HeapTupleHeaderGetDatumLength(header);
		tuple.t_data = header;
		tuplestore_puttuple(result->setResult, &tuple);
	}
}

static Datum
create(const ApiFunction *function, FunctionCallInfo fcinfo)
{
	List	   *arguments = read_arguments(function, fcinfo);

	if (!fcinfo->flinfo->fn_retset)
		return api_create_request(function->adapter, function->operation,
								  arguments);
	return_rows(fcinfo, api_create_requests(function->adapter,
											function->operation, arguments));
	return (Datum) 0;
}

/*
 * Creates a request, or several if the function returns a set.  With a secret
 * among the arguments, the texts of the statements around this call are no
 * error context either.
 */
Datum
provreq_create_request(PG_FUNCTION_ARGS)
{
	ApiFunction *function = fcinfo->flinfo->fn_extra;
	ErrorContextCallback *contexts = error_context_stack;
	Datum		row;

	if (function == NULL)
	{
		MemoryContext old;

		old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
		function = describe_function(fcinfo->flinfo->fn_oid);
		MemoryContextSwitchTo(old);
		fcinfo->flinfo->fn_extra = function;
	}
	if (function->secret)
	{
		statement_text_hide(function->name);
		error_context_stack = NULL;
	}
	statement_cache_begin();
	row = create(function, fcinfo);
	error_context_stack = contexts;
	return row;
}
