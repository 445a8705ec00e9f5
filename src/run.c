/*-------------------------------------------------------------------------
 *
 * run.c
 *		Starting runs: what SQL cannot see for itself.
 *
 * A run makes one request for each smartcard of a set.  Whatever does not
 * depend on the card is checked once, when the run starts, so that a message
 * that is too long is one error and not a million of them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/plancache.h"
#include "utils/syscache.h"

#include "api.h"
#include "complaint.h"
#include "directory.h"
#include "provider.h"
#include "statement_cache.h"
#include "statement_text.h"
#include "wake.h"

PG_FUNCTION_INFO_V1(provreq_run_check);
PG_FUNCTION_INFO_V1(provreq_run_check_query);
PG_FUNCTION_INFO_V1(provreq_run_open);
PG_FUNCTION_INFO_V1(provreq_run_role);
PG_FUNCTION_INFO_V1(provreq_run_subscription);
PG_FUNCTION_INFO_V1(provreq_run_changed);

/* The argument by which a run tells its smartcards. */
#define CARD "smartcard_identifier"

/* Arguments that the run itself gives, or that make no sense in one. */
static const char *const reserved_names[] = {
	CARD, "process_immediately", "provider", "process_name", "process_id",
	NULL
};

static const char *const priorities[] = {"REGULAR", "EXPRESS", NULL};

/* ------------------------------------------------------------------------
 * Parameters of a run as arguments of the operation
 * ------------------------------------------------------------------------
 */

/* A scalar as the text that api.h wants; raises on anything else. */
static const char *
scalar_text(const char *name, const JsonbValue *value)
{
	Datum		number = NumericGetDatum(value->val.numeric);

	switch (value->type)
	{
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out, number));
		case jbvBool:
			return value->val.boolean ? "true" : "false";
		case jbvNull:
			return NULL;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("parameter \"%s\" must not be nested",
							complaint_text(name))));
	}
}

static void
read_set(ApiArgument *argument, JsonbContainer *array)
{
	int			n = JsonContainerSize(array);

	argument->set = true;
	argument->dimensions = n > 0 ? 1 : 0;
	argument->texts = palloc0(sizeof(char *) * (n + 1));
	for (argument->count = 0; argument->count < n; argument->count++)
		argument->texts[argument->count] =
			scalar_text(argument->name,
						getIthJsonbValueFromContainer(array,
													  argument->count));
}

/* One member of the parameters. */
static ApiArgument *
read_member(char *name, const JsonbValue *value)
{
	ApiArgument *argument = palloc0(sizeof(ApiArgument));
	bool		nested = value->type == jbvBinary;

	argument->name = name;
	argument->isnull = value->type == jbvNull;
	if (nested && JsonContainerIsObject(value->val.binary.data))
		argument->object =
			JsonbValueToJsonb(unconstify(JsonbValue *, value));
	else if (nested)
		read_set(argument, value->val.binary.data);
	else
	{
		argument->count = 1;
		argument->texts = palloc(sizeof(char *));
		argument->texts[0] = scalar_text(name, value);
	}
	return argument;
}

/* A list of ApiArgument *. */
static List *
read_parameters(Jsonb *parameters)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	List	   *arguments = NIL;
	char	   *name = NULL;

	if (!JB_ROOT_IS_OBJECT(parameters))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"parameters\" must be a JSON object")));
	iterator = JsonbIteratorInit(&parameters->root);
	(void) JsonbIteratorNext(&iterator, &value, true);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = pnstrdup(value.val.string.val, value.val.string.len);
		else if (token == WJB_VALUE)
			arguments = lappend(arguments, read_member(name, &value));
	}
	return arguments;
}

static void
check_reserved(List *arguments)
{
	for (int i = 0; reserved_names[i]; i++)
		if (api_argument(arguments, reserved_names[i]) != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("parameter \"%s\" cannot be chosen for a run",
							reserved_names[i])));
}

static void
check_priority(const char *priority)
{
	for (int i = 0; priority != NULL && priorities[i]; i++)
		if (strcmp(priority, priorities[i]) == 0)
			return;
	if (priority != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"priority\" cannot be \"%s\"",
						complaint_text(priority)),
				 errhint("Valid values are REGULAR, EXPRESS.")));
}

/*
 * Whether the operation can be carried out for a set of cards.  A PIN would
 * lie in the run's parameters for everybody to read.
 */
static void
check_operation(const CasOperation *operation)
{
	const CasParameter *parameter;
	bool		has_card = false;

	for (parameter = operation->parameters; parameter->name; parameter++)
	{
		if (strcmp(parameter->name, CARD) == 0)
			has_card = true;
		if (parameter->kind == CAS_PIN)
		{
			statement_text_hide("start_run");
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("operation \"%s\" cannot be a run: it has a PIN",
							operation->name)));
		}
	}
	if (!has_card)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("operation \"%s\" cannot be a run: it has no "
						"parameter \"" CARD "\"", operation->name)));
}

/* Everything that does not depend on the card; raises. */
static void
check_parameters(const CasOperation *operation, List *arguments)
{
	const CasParameter *parameter;
	NewRequest	ignored = {0};
	TimestampTz instant;

	check_reserved(arguments);
	api_check_names(operation, arguments);
	for (parameter = operation->parameters; parameter->name; parameter++)
	{
		if (strcmp(parameter->name, CARD) == 0 ||
			(parameter->kind == CAS_SUBSCRIPTION &&
			 api_argument(arguments, parameter->name) == NULL))
			continue;
		(void) api_parameter_texts(parameter, arguments);
	}
	check_priority(api_text(arguments, "priority", 0));
	(void) api_text(arguments, "name", 255);
	(void) api_instant(arguments, "scheduled_date", &instant);
	api_read_udf(arguments, &ignored);
}

/* The operation by its name, or by the type of its requests. */
static const CasOperation *
find_operation(const CasAdapter *adapter, const char *kind)
{
	const CasOperation *operation = adapter_operation(adapter, kind);
	List	   *names = NIL;

	if (operation == NULL)
		operation = adapter_operation_by_type(adapter, kind);
	if (operation != NULL)
		return operation;
	for (operation = adapter->operations; operation && operation->name;
		 operation++)
		names = lappend(names, unconstify(char *, operation->name));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("parameter \"kind\" cannot be \"%s\"",
					complaint_text(kind)),
			 names == NIL ? 0 :
			 errhint("Valid values are %s.", complaint_list(names))));
}

static void
refuse_null(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("parameter \"%s\" must not be null", name)));
}

/* run_check(provider, kind, parameters): the function that is to be used. */
Datum
provreq_run_check(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"provider", "kind", "parameters"};
	Provider   *provider;
	const CasOperation *operation;

	for (int i = 0; i < 3; i++)
		if (PG_ARGISNULL(i))
			refuse_null(names[i]);
	provider = provider_by_name(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	operation = find_operation(provider->adapter,
							   text_to_cstring(PG_GETARG_TEXT_PP(1)));
	check_operation(operation);
	check_parameters(operation, read_parameters(PG_GETARG_JSONB_P(2)));
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s_%s",
											  provider->adapter->prefix,
											  operation->name)));
}

/* ------------------------------------------------------------------------
 * The query
 * ------------------------------------------------------------------------
 */

static void
refuse_query(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("parameter \"query\" must be one SELECT with one column"),
			 errdetail_internal("%s", detail),
			 errhint("The column holds smartcard identifiers, such as id=X or serial_number=X.")));
}

/*
 * run_check_query(query): raises an error unless the query is all of one
 * SELECT and has one column.  It is read as the caller would, and not run.
 */
Datum
provreq_run_check_query(PG_FUNCTION_ARGS)
{
	SPIPlanPtr	plan;
	List	   *sources;
	const CachedPlanSource *source;

	SPI_connect();
	plan = SPI_prepare(text_to_cstring(PG_GETARG_TEXT_PP(0)), 0, NULL);
	if (plan == NULL)
		refuse_query("It cannot be prepared.");
	sources = SPI_plan_get_plan_sources(plan);
	if (list_length(sources) != 1)
		refuse_query(psprintf("It has %d statements.",
							  list_length(sources)));
	source = linitial(sources);
	if (source->commandTag != CMDTAG_SELECT)
		refuse_query(psprintf("It is %s.",
							  GetCommandTagName(source->commandTag)));
	if (source->resultDesc == NULL)
		refuse_query("It gives no rows.");
	if (source->resultDesc->natts != 1)
		refuse_query(psprintf("It has %d columns.",
							  source->resultDesc->natts));
	SPI_finish();
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 * The row of a run
 * ------------------------------------------------------------------------
 */

static Oid
function_owner(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * run_open(job): makes the row of a run that belongs to the current role.  A
 * SECURITY DEFINER function could not tell who that is, so this is none, and
 * takes the rights of its owner for the one statement only.
 */
Datum
provreq_run_open(PG_FUNCTION_ARGS)
{
	Oid			types[2] = {OIDOID, JSONBOID};
	Datum		values[2] = {0};
	Oid			user;
	int			context;
	bool		isnull;
	int64		id;

	GetUserIdAndSecContext(&user, &context);
	values[0] = ObjectIdGetDatum(user);
	values[1] = PG_GETARG_DATUM(0);
	SetUserIdAndSecContext(function_owner(fcinfo->flinfo->fn_oid),
						   context | SECURITY_LOCAL_USERID_CHANGE);
	SPI_connect();
	if (SPI_execute_with_args("SELECT provreq.run_insert($1, $2)", 2, types,
							  values, NULL, false, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not make a run");
	id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
									 SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	SetUserIdAndSecContext(user, context);
	PG_RETURN_INT64(id);
}

/*
 * run_subscription(smartcard_identifier): the subscription of a card, as an
 * identifier.
 */
Datum
provreq_run_subscription(PG_FUNCTION_ARGS)
{
	DirectoryItem *item;

	if (PG_ARGISNULL(0))
		refuse_null(CARD);
	statement_cache_begin();
	item = directory_item(CARD, text_to_cstring(PG_GETARG_TEXT_PP(0)),
						  DIRECTORY_SMARTCARD);
	if (item->subscription_id == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("parameter \"" CARD "\" names a smartcard that belongs to no subscription")));
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("id=%s",
											  item->subscription_id)));
}

/* The role in force when the first SECURITY DEFINER function was called. */
Datum
provreq_run_role(PG_FUNCTION_ARGS)
{
	PG_RETURN_OID(GetOuterUserId());
}

/* A run was started, or changed its state: somebody may have work. */
Datum
provreq_run_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("provreq.run_changed() must be called as a trigger")));
	wake_supervisor_at_commit();
	wake_runner_at_commit();
	return PointerGetDatum(NULL);
}
