/*-------------------------------------------------------------------------
 *
 * web_api.c
 *		The JSON facade: a documented path and body, the documented answer.
 *
 * The function in SQL runs with the rights of its caller, and so does all
 * that it calls by SQL: it can do nothing that the caller could not do with
 * the functions behind it.
 *
 * A call is one subtransaction.  What fails in it is undone and becomes an
 * answer; only what ends the statement as such, like a cancel, goes through.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "caller.h"
#include "statement_text.h"
#include "subtransaction.h"
#include "web_api_private.h"

PG_FUNCTION_INFO_V1(provreq_web_api);
PG_FUNCTION_INFO_V1(provreq_web_api_hide);

/* What becomes of an SQLSTATE; a whole class follows its single codes. */
static const struct
{
	int			sqlstate;
	bool		category;
	const char *code;
}			codes[] = {
	{ERRCODE_NULL_VALUE_NOT_ALLOWED, false, "MISSING_PARAMETER"},
	{ERRCODE_AMBIGUOUS_PARAMETER, false, "MISSING_PARAMETER"},
	{ERRCODE_UNDEFINED_PARAMETER, false, "UNKNOWN_PARAMETER"},
	{ERRCODE_DATA_EXCEPTION, true, "INVALID_PARAMETER"},
	{ERRCODE_TOO_MANY_ROWS, false, "INVALID_PARAMETER"},
	{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, false, "INVALID_PARAMETER"},
	{ERRCODE_NO_DATA_FOUND, false, "NOT_FOUND"},
	{ERRCODE_UNDEFINED_OBJECT, false, "NOT_FOUND"},
	{ERRCODE_UNDEFINED_FUNCTION, false, "NOT_FOUND"},
	{ERRCODE_INSUFFICIENT_PRIVILEGE, false, "NOT_ALLOWED"},
	{ERRCODE_READ_ONLY_SQL_TRANSACTION, false, "NOT_ALLOWED"},
	{ERRCODE_FEATURE_NOT_SUPPORTED, false, "NOT_ALLOWED"},
	{ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, false, "INVALID_TOKEN"},
	{ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION, false,
	"PROVIDER_NOT_EFFECTIVE"},
	{0}
};

static const char *
code_of(int sqlstate)
{
	int			i;

	for (i = 0; codes[i].code != NULL; i++)
	{
		if (sqlstate == codes[i].sqlstate ||
			(codes[i].category &&
			 ERRCODE_TO_CATEGORY(sqlstate) == codes[i].sqlstate))
			return codes[i].code;
	}
	return "INTERNAL_ERROR";
}

/* ------------------------------------------------------------------------
 * The envelope
 * ------------------------------------------------------------------------
 */

static void
push_text(JsonbParseState **state, JsonbIteratorToken token,
		  const char *string)
{
	JsonbValue	value;

	value.type = jbvNull;
	if (string != NULL)
	{
		value.type = jbvString;
		value.val.string.val = unconstify(char *, string);
		value.val.string.len = (int) strlen(string);
	}
	(void) pushJsonbValue(state, token, &value);
}

static void
push_data(JsonbParseState **state, Jsonb *data)
{
	JsonbValue	value;

	if (data == NULL)
	{
		push_text(state, WJB_VALUE, NULL);
		return;
	}
	JsonbToJsonbValue(data, &value);
	(void) pushJsonbValue(state, WJB_VALUE, &value);
}

static Jsonb *
envelope(const char *code, const char *message, const char *description,
		 Jsonb *data)
{
	JsonbParseState *state = NULL;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_text(&state, WJB_KEY, "status");
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_text(&state, WJB_KEY, "code");
	push_text(&state, WJB_VALUE, code);
	push_text(&state, WJB_KEY, "message");
	push_text(&state, WJB_VALUE, message);
	push_text(&state, WJB_KEY, "description");
	push_text(&state, WJB_VALUE, description);
	(void) pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	push_text(&state, WJB_KEY, "data");
	push_data(&state, data);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* Detail and hint of an error, or NULL. */
static char *
describe(const ErrorData *error)
{
	if (error->detail != NULL && error->hint != NULL)
		return psprintf("%s %s", error->detail, error->hint);
	return error->detail != NULL ? error->detail : error->hint;
}

/*
 * The answer to a call that failed.  What nobody foresaw is for the log as
 * well, unless it may repeat a secret.
 */
static Jsonb *
complain(const ErrorData *error, bool secret)
{
	const char *code = code_of(error->sqlerrcode);

	if (strcmp(code, "INTERNAL_ERROR") != 0)
		return envelope(code, error->message, describe(error), NULL);
	if (secret)
		return envelope(code, error->message, error->hint, NULL);
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("web_api answered INTERNAL_ERROR: %s", error->message)));
	return envelope(code, error->message, describe(error), NULL);
}

/* ------------------------------------------------------------------------
 * The call
 * ------------------------------------------------------------------------
 */

/* From here to the end of the call, the token's user and unit act. */
static void
use_token(const char *token)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1];

	values[0] = CStringGetTextDatum(token);
	SPI_connect();
	if (SPI_execute_with_args("SELECT provreq.use_session($1)", 1, types,
							  values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not use a session");
	SPI_finish();
}

static Jsonb *
answer(const char *method, const char *path, Jsonb *body)
{
	const WebCall *call = web_call_read(method, path, body);

	if (call->token != NULL)
		use_token(call->token);
	if (call->post)
		return web_create(call);
	if (strcmp(call->operation, "list") == 0)
		return web_list(call);
	return web_show(call);
}

/* Not ours to answer: what ends the statement, such as a cancel. */
static bool
goes_through(const ErrorData *error)
{
	return ERRCODE_TO_CATEGORY(error->sqlerrcode) ==
		ERRCODE_OPERATOR_INTERVENTION;
}

/* One call, and what it answers. */
typedef struct Call
{
	const char *method;
	const char *path;
	Jsonb	   *body;
	Jsonb	   *data;
} Call;

static void
do_call(void *arg)
{
	Call	   *call = arg;

	call->data = answer(call->method, call->path, call->body);
}

/* The answer to a call, whatever happens in it. */
static Jsonb *
answer_or_complain(const char *method, const char *path, Jsonb *body,
				   bool secret)
{
	Call		call = {method, path, body, NULL};
	ErrorData  *error = subtransaction_try(do_call, &call,
										   SUBTRANSACTION_KEEP);

	if (error == NULL)
		return envelope("OK", NULL, NULL, call.data);
	if (goes_through(error))
		ReThrowError(error);
	return complain(error, secret);
}

static char *
argument_text(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/*
 * provreq.web_api(method, path, body).  With a secret in the call, the texts
 * of the statements around it are neither shown nor an error's context.
 */
Datum
provreq_web_api(PG_FUNCTION_ARGS)
{
	char	   *method = argument_text(fcinfo, 0);
	char	   *path = argument_text(fcinfo, 1);
	Jsonb	   *body = PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2);
	bool		secret = web_call_is_secret(path, body);
	ErrorContextCallback *contexts = error_context_stack;
	int			level = NewGUCNestLevel();
	Jsonb	   *result;

	if (secret)
	{
		statement_text_hide("web_api");
		error_context_stack = NULL;
	}
	caller_save();
	result = answer_or_complain(method, path, body, secret);
	AtEOXact_GUC(true, level);
	error_context_stack = contexts;
	PG_RETURN_JSONB_P(result);
}

/*
 * provreq.web_api_hide(path, body): for web_api_sync, which may fail before
 * it calls the other one.
 */
Datum
provreq_web_api_hide(PG_FUNCTION_ARGS)
{
	Jsonb	   *body = PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1);

	if (web_call_is_secret(argument_text(fcinfo, 0), body))
		statement_text_hide("web_api");
	PG_RETURN_VOID();
}
