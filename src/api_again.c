/*-------------------------------------------------------------------------
 *
 * api_again.c
 *		New requests out of REJECTED ones.
 *
 * A closed request has the values that went out and not the identifiers that
 * it was made with.  These are found again by the CA IDs, and then it is made
 * like any other: what could not be made today is refused, with the reason.
 *
 * All are tried before any is made.  Trying writes nothing, so that one
 * subtransaction does for as many as are good in a row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "api.h"
#include "api_making.h"
#include "caller.h"
#include "complaint.h"
#include "provider.h"
#include "statement_cache.h"
#include "subtransaction.h"
#include "values.h"

PG_FUNCTION_INFO_V1(provreq_make_again);

/* The value that says that a subscription was given, where it need not be. */
#define DISTRIBUTOR "sub_provisioning_distribution_id"

/* Columns of read_originals. */
enum
{
	COLUMN_NUMBER = 1,
	COLUMN_TYPE,
	COLUMN_EXPRESS,
	COLUMN_IMMEDIATELY,
	COLUMN_SUBSCRIPTION_ID,
	COLUMN_PARAMETERS,
	COLUMN_SECRETS,
	COLUMN_NAME,
	COLUMN_PROCESS_NAME,
	COLUMN_PROCESS_ID,
	COLUMN_UDF
};

/* A closed request and what becomes of it. */
typedef struct Original
{
	HeapTuple	row;			/* as read_originals gave it */
	TupleDesc	columns;
	const Provider *provider;
	const char *refusal;		/* NULL: a new one can be made */
	int64		made;			/* its number */
} Original;

static Datum
column(const Original *original, int number, bool *isnull)
{
	return SPI_getbinval(original->row, original->columns, number, isnull);
}

/* A text column, or NULL. */
static const char *
column_text(const Original *original, int number)
{
	bool		isnull;
	Datum		value = column(original, number, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static bool
column_bool(const Original *original, int number)
{
	bool		isnull;

	return DatumGetBool(column(original, number, &isnull));
}

/* All values, secret ones too: a list of CasValue *. */
static List *
stored_values(const Original *original)
{
	bool		isnull;
	Datum		parameters = column(original, COLUMN_PARAMETERS, &isnull);
	Datum		secrets = column(original, COLUMN_SECRETS, &isnull);

	return values_from_jsonb(DatumGetJsonbP(parameters),
							 isnull ? NULL : DatumGetJsonbP(secrets));
}

/* ------------------------------------------------------------------------
 * Values back to arguments
 * ------------------------------------------------------------------------
 */

/* The other parameter, of which only one can be given, that is kept so. */
static const CasParameter *
alternative(const CasOperation *operation, const CasParameter *parameter)
{
	const char *name = cas_stored_name(parameter);
	const CasParameter *other;

	for (other = operation->parameters; other->name; other++)
	{
		const char *stored = cas_stored_name(other);

		if (other != parameter && stored != NULL && strcmp(stored, name) == 0)
			return other;
	}
	return NULL;
}

/* The identifier of the item that has the CA ID; NULL: of no such item. */
static char *
item_identifier(const Original *original, const CasParameter *parameter,
				const char *ca_id)
{
	const char *classification = api_item_classification(parameter->kind);
	DirectoryItem *item;

	item = directory_item_by_ca_id(parameter->name, ca_id, classification,
								   original->provider->name);
	return item != NULL ? psprintf("id=%s", item->id) : NULL;
}

/* How the value is written as an argument; NULL: it cannot be found again. */
static const char *
argument_text(const Original *original, const CasParameter *parameter,
			  const char *value)
{
	DirectoryService *service;

	switch (parameter->kind)
	{
		case CAS_SERVICE:
		case CAS_SERVICE_SET:
			service = directory_service_by_ca_id(parameter->name, value,
												 original->provider->name);
			return psprintf("id=%s", service->id);
		case CAS_SMARTCARD:
		case CAS_STB:
			return item_identifier(original, parameter, value);
		case CAS_SMARTCARD_CA_ID_SET:
			return psprintf("smartcard_ca_id=%s", value);
		case CAS_STB_CA_ID_SET:
			return psprintf("stb_ca_id=%s", value);
		default:
			return value;
	}
}

static void
refuse_missing(const CasParameter *parameter, const char *ca_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("parameter \"%s\": no installed item has CA ID \"%s\"",
					parameter->name, complaint_text(ca_id))));
}

/* The argument of a parameter that is kept, or NULL. */
static ApiArgument *
stored_argument(const Original *original, const CasOperation *operation,
				const CasParameter *parameter, List *values)
{
	ApiArgument *argument = palloc0(sizeof(ApiArgument));
	const char *name = cas_stored_name(parameter);
	ListCell   *cell;

	argument->name = parameter->name;
	argument->set = parameter->kind == CAS_SERVICE_SET ||
		parameter->kind == CAS_SMARTCARD_CA_ID_SET ||
		parameter->kind == CAS_STB_CA_ID_SET;
	argument->dimensions = 1;
	argument->texts = palloc(sizeof(char *) * (list_length(values) + 1));
	foreach(cell, values)
	{
		const CasValue *value = lfirst(cell);
		const char *string;

		if (strcmp(value->name, name) != 0)
			continue;
		string = argument_text(original, parameter, value->value);
		if (string == NULL && alternative(operation, parameter) != NULL)
			return NULL;
		if (string == NULL)
			refuse_missing(parameter, value->value);
		argument->texts[argument->count++] = string;
	}
	return argument->count > 0 ? argument : NULL;
}

/* The subscription, where it was given. */
static ApiArgument *
subscription_argument(const Original *original,
					  const CasParameter *parameter, List *values)
{
	const char *id = column_text(original, COLUMN_SUBSCRIPTION_ID);
	ApiArgument *argument = palloc0(sizeof(ApiArgument));
	bool		given = parameter->mandatory;
	ListCell   *cell;

	foreach(cell, values)
	{
		if (strcmp(((CasValue *) lfirst(cell))->name, DISTRIBUTOR) == 0)
			given = true;
	}
	if (id == NULL || !given)
		return NULL;
	argument->name = parameter->name;
	argument->count = 1;
	argument->texts = palloc(sizeof(char *));
	argument->texts[0] = psprintf("id=%s", id);
	return argument;
}

/* The arguments that the request could be made with today. */
static List *
find_arguments(const Original *original, const CasOperation *operation,
			   List *values)
{
	const CasParameter *parameter;
	List	   *arguments = NIL;

	for (parameter = operation->parameters; parameter->name; parameter++)
	{
		const CasParameter *other;
		ApiArgument *argument;

		if (parameter->kind == CAS_SUBSCRIPTION)
			argument = subscription_argument(original, parameter, values);
		else
		{
			other = alternative(operation, parameter);
			if (other != NULL && api_argument(arguments, other->name) != NULL)
				continue;
			argument = stored_argument(original, operation, parameter,
									   values);
		}
		if (argument != NULL)
			arguments = lappend(arguments, argument);
	}
	return arguments;
}

/* ------------------------------------------------------------------------
 * Making
 * ------------------------------------------------------------------------
 */

/* All that has nothing to do with the operation. */
static void
copy_common(const Original *original, NewRequest *request)
{
	request->cas.express = column_bool(original, COLUMN_EXPRESS);
	request->cas.process_immediately =
		column_bool(original, COLUMN_IMMEDIATELY);
	request->cas.scheduled = GetCurrentTransactionStartTimestamp();
	request->name = column_text(original, COLUMN_NAME);
	request->process_name = column_text(original, COLUMN_PROCESS_NAME);
	request->process_id = column_text(original, COLUMN_PROCESS_ID);
	request->created_by_user = caller_user();
	request->created_by_unit = caller_unit();
	for (int i = 0; i < UDF_COUNT; i++)
	{
		bool		isnull;

		request->udf[i] = column(original, COLUMN_UDF + i, &isnull);
		request->udf_given[i] = !isnull;
	}
}

/* A card that has moved on must not get what was meant for another one. */
static void
check_subscription(const Original *original, const NewRequest *request)
{
	const char *then = column_text(original, COLUMN_SUBSCRIPTION_ID);

	if (then != NULL && (request->subscription_id == NULL ||
						 strcmp(request->subscription_id, then) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("its smartcard or STB belongs to another subscription by now")));
}

static const CasOperation *
find_operation(const Original *original)
{
	const char *type = column_text(original, COLUMN_TYPE);
	const CasOperation *operation;

	operation = adapter_operation_by_type(original->provider->adapter, type);
	if (operation == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("type \"%s\" is unknown", complaint_text(type))));
	return operation;
}

/* Everything but the row; raises what the making of a request raises. */
static void
prepare(const Original *original, int64 number, Making *making)
{
	List	   *values = stored_values(original);
	List	   *arguments;

	statement_cache_begin();
	making->adapter = original->provider->adapter;
	making->request.cas.operation = find_operation(original);
	making->request.cas.number = number;
	copy_common(original, &making->request);
	arguments = find_arguments(original, making->request.cas.operation,
							   values);
	api_check_rules(making->request.cas.operation, arguments);
	api_make(making, arguments, original->provider->name);
	check_subscription(original, &making->request);
}

/* Errors that say something of the request, rather than of the server. */
static bool
concerns_request(int code)
{
	return ERRCODE_TO_CATEGORY(code) == ERRCODE_DATA_EXCEPTION ||
		code == ERRCODE_NO_DATA_FOUND ||
		code == ERRCODE_TOO_MANY_ROWS ||
		code == ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE ||
		code == ERRCODE_UNDEFINED_PARAMETER ||
		code == ERRCODE_FEATURE_NOT_SUPPORTED;
}

/* Some that are tried one after the other. */
typedef struct Trial
{
	Original   *originals;
	int			n;
	int			at;				/* the one that is tried */
	MemoryContext scratch;		/* reset after each */
} Trial;

static void
try_each(void *arg)
{
	Trial	   *trial = arg;

	MemoryContextSwitchTo(trial->scratch);
	for (; trial->at < trial->n; trial->at++)
	{
		Making		making = {0};

		CHECK_FOR_INTERRUPTS();
		prepare(&trial->originals[trial->at], 1, &making);
		MemoryContextReset(trial->scratch);
	}
}

/*
 * Tries one after the other in a subtransaction, up to the first that cannot
 * be made, and gives that its refusal.  Returns how many were tried.
 */
static int
try_some(Original *originals, int n, MemoryContext scratch)
{
	Trial		trial = {originals, n, 0, scratch};
	ErrorData  *error = subtransaction_try(try_each, &trial,
										   SUBTRANSACTION_UNDO);

	MemoryContextReset(scratch);
	if (error == NULL)
		return n;
	if (!concerns_request(error->sqlerrcode))
		ReThrowError(error);
	originals[trial.at].refusal = error->message;
	return trial.at + 1;
}

static void
make_all(Original *originals, int n, MemoryContext scratch)
{
	for (int i = 0; i < n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(scratch);
		Making		making = {0};

		CHECK_FOR_INTERRUPTS();
		if (originals[i].refusal == NULL)
		{
			originals[i].made = queue_next_number();
			prepare(&originals[i], originals[i].made, &making);
			(void) queue_create(&making.request);
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
}

/* ------------------------------------------------------------------------
 * The SQL function
 * ------------------------------------------------------------------------
 */

/* The originals in the order of the numbers, in SPI's memory. */
static Original *
read_originals(FunctionCallInfo fcinfo, int *n)
{
	Oid			types[3] = {TEXTOID, INT8ARRAYOID, TIMESTAMPTZOID};
	Datum		values[3];
	Provider   *provider;
	Original   *originals;

	provider = provider_by_name(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	for (int i = 0; i < 3; i++)
		values[i] = PG_GETARG_DATUM(i);
	if (SPI_execute_with_args("SELECT c.number, c.type,"
							  " c.priority = 'EXPRESS', c.process_immediately,"
							  " c.subscription_id, COALESCE("
							  "provreq.parameters_left(c.parameters,"
							  " c.parts_done), '{}'), s.parameters,"
							  " c.name, c.process_name, c.process_id,"
							  " c.udf_string_1, c.udf_string_2,"
							  " c.udf_string_3, c.udf_string_4,"
							  " c.udf_string_5, c.udf_string_6,"
							  " c.udf_string_7, c.udf_string_8,"
							  " c.udf_float_1, c.udf_float_2, c.udf_float_3,"
							  " c.udf_float_4, c.udf_date_1, c.udf_date_2,"
							  " c.udf_date_3, c.udf_date_4"
							  " FROM provreq.request_closed c"
							  " LEFT JOIN provreq.request_secret s"
							  " ON s.number = c.number"
							  " WHERE c.life_cycle_state = 'REJECTED'"
							  " AND c.provider = $1 AND c.number = ANY ($2)"
							  " AND c.closed_date >= $3 ORDER BY"
							  " pg_catalog.array_position($2, c.number)",
							  3, types, values, NULL, true,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not read rejected requests");
	*n = (int) SPI_processed;
	originals = palloc0(sizeof(Original) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
	{
		originals[i].row = SPI_tuptable->vals[i];
		originals[i].columns = SPI_tuptable->tupdesc;
		originals[i].provider = provider;
	}
	return originals;
}

/* One row of the result: original, number, refusal. */
static void
put_result(FunctionCallInfo fcinfo, const Original *original)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[3] = {0};
	bool		nulls[3] = {false};

	values[0] = column(original, COLUMN_NUMBER, &nulls[0]);
	values[1] = Int64GetDatum(original->made);
	nulls[1] = original->refusal != NULL;
	nulls[2] = original->refusal == NULL;
	if (!nulls[2])
		values[2] = CStringGetTextDatum(original->refusal);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * provreq.make_again(provider, numbers, since): makes new requests out of
 * those of the rejected ones of which it can be done, in that order.
 */
Datum
provreq_make_again(PG_FUNCTION_ARGS)
{
	MemoryContext scratch;
	Original   *originals;
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	scratch = AllocSetContextCreate(CurrentMemoryContext,
									"provreq request again",
									ALLOCSET_DEFAULT_SIZES);
	originals = read_originals(fcinfo, &n);
	for (int tried = 0; tried < n;)
		tried += try_some(originals + tried, n - tried, scratch);
	make_all(originals, n, scratch);
	for (int i = 0; i < n; i++)
		put_result(fcinfo, &originals[i]);
	SPI_finish();
	return (Datum) 0;
}
