/*-------------------------------------------------------------------------
 *
 * inspect.c
 *		Looking at messages and answers without sending anything.
 *
 * Secrets are shown to members of provreq_admin and to nobody else, and the
 * provider's own credentials to nobody at all.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "complaint.h"
#include "provider.h"
#include "saved_plan.h"
#include "values.h"
#include "wire_text.h"

PG_FUNCTION_INFO_V1(provreq_preview);
PG_FUNCTION_INFO_V1(provreq_explain_reply);
PG_FUNCTION_INFO_V1(provreq_request_types);
PG_FUNCTION_INFO_V1(provreq_card_key);

/* What preview reads of a request. */
typedef struct PreviewRow
{
	CasRequest	cas;			/* without operation */
	char	   *provider;
	char	   *type;
	char	   *sent;			/* what went out as far as the caller may see
								 * it; NULL: nothing yet */
} PreviewRow;

/*
 * Is the role that called us, not the owner of the function, an admin?  One
 * who maintains somebody else's table has not called what its index calls.
 */
static bool
caller_is_admin(void)
{
	Oid			admin = get_role_oid("provreq_admin", true);

	return OidIsValid(admin) && !InSecurityRestrictedOperation() &&
		has_privs_of_role(GetOuterUserId(), admin);
}

/* ------------------------------------------------------------------------
 * Preview
 * ------------------------------------------------------------------------
 */

static Datum
row_column(int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
						 column, isnull);
}

static char *
row_text(int column)
{
	bool		isnull;
	Datum		value = row_column(column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static Jsonb *
row_jsonb(int column)
{
	bool		isnull;
	Datum		value = row_column(column, &isnull);

	return isnull ? NULL : DatumGetJsonbPCopy(value);
}

/* The row in SPI's result, in the current memory context. */
static PreviewRow *
copy_row(int64 number, bool admin)
{
	PreviewRow *row = palloc0(sizeof(PreviewRow));
	char	   *secret_sent = row_text(10);
	bool		isnull;

	row->cas.number = number;
	row->cas.id = row_text(1);
	row->provider = row_text(2);
	row->type = row_text(3);
	row->cas.express = DatumGetBool(row_column(4, &isnull));
	row->cas.process_immediately = DatumGetBool(row_column(5, &isnull));
	row->cas.scheduled = DatumGetTimestampTz(row_column(6, &isnull));
	row->cas.attempt = DatumGetInt32(row_column(7, &isnull));
	row->sent = row_text(8);
	if (admin && secret_sent != NULL)
		row->sent = secret_sent;
	row->cas.values = values_from_jsonb(row_jsonb(9), row_jsonb(11));
	return row;
}

/* Raises an error when there is no request of that number. */
static PreviewRow *
read_row(int64 number, bool admin)
{
	static SPIPlanPtr plan = NULL;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext spi;
	Oid			types[1] = {INT8OID};
	Datum		values[1];
	PreviewRow *row;

	SPI_connect();
	if (plan == NULL)
		plan = saved_plan_make("SELECT r.id, r.provider, r.type,"
							   " r.priority = 'EXPRESS',"
							   " r.process_immediately, r.scheduled_date,"
							   " r.attempt, r.request,"
							   " r.parameters, s.request, s.parameters"
							   " FROM (SELECT q.*, CASE WHEN q.attempts > 0"
							   " THEN q.attempts ELSE 1 END AS attempt"
							   " FROM provreq.request AS q"
							   " WHERE q.number = $1) AS r"
							   " LEFT JOIN provreq.request_secret AS s"
							   " ON s.number = r.number", 1, types);
	values[0] = Int64GetDatum(number);
	/* Not "read only": what the calling statement has made is there, too */
	if (SPI_execute_plan(plan, values, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read provreq.request");
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("there is no request with number " INT64_FORMAT,
						number)));
	spi = MemoryContextSwitchTo(caller);
	row = copy_row(number, admin);
	MemoryContextSwitchTo(spi);
	SPI_finish();
	return row;
}

/* An option that not every kind of provider has. */
static const char *
option_if_any(const CasSettings *settings, const char *name)
{
	for (int i = 0; settings->options[i].name; i++)
		if (strcmp(settings->options[i].name, name) == 0)
			return settings->values[i];
	return NULL;
}

/* What goes before the body of a message. */
static void
append_head(StringInfo preview, const CasSettings *settings,
			const CasMessage *message)
{
	const char *url = option_if_any(settings, "url");

	if (message->label != NULL)
		appendStringInfo(preview, "%s\n", message->label);
	if (message->target != NULL)
		appendStringInfo(preview, "POST %s\n", message->target);
	if (url != NULL)
		appendStringInfo(preview, "Server: %s\n", url);
	if (option_if_any(settings, "username") != NULL)
		appendStringInfoString(preview, "Authorization: ****\n");
	if (message->headers != NULL)
		appendStringInfoString(preview, message->headers);
	if (settings->adapter->explain == NULL)
		appendStringInfoChar(preview, '\n');
}

/* A text that ends with a line end, its own or ours. */
static void
append_body(StringInfo preview, const char *body)
{
	appendStringInfoString(preview, body);
	if (preview->len > 0 && preview->data[preview->len - 1] != '\n')
		appendStringInfoChar(preview, '\n');
}

/*
 * A message as the caller may see it, and where the adapter can tell them
 * apart, its fields; "shown" is the one to show, "wire" the one to explain.
 */
static void
append_message(StringInfo preview, const CasSettings *settings,
			   const CasMessage *shown, const CasMessage *wire, bool admin)
{
	const CasAdapter *adapter = settings->adapter;

	append_body(preview, adapter->text ? adapter->text(settings, shown) :
				wire_text_from_utf8(shown->data, shown->len));
	if (adapter->explain)
		append_body(preview, adapter->explain(settings, wire, admin));
}

/*
 * The messages as the current settings make them, or where the request has
 * been sent already, their head alone and then what went out.
 */
static void
append_messages(StringInfo preview, const PreviewRow *row,
				const Provider *provider, bool admin)
{
	CasSettings *settings = provider_settings(provider->serverid);
	CasRequest	cas = row->cas;
	List	   *shown;
	List	   *wire;
	ListCell   *cell;
	ListCell   *other;

	cas.operation = adapter_operation_by_type(provider->adapter, row->type);
	if (cas.operation == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("provider \"%s\" has no requests of type %s",
						provider->name, row->type)));
	shown = provider->adapter->encode(settings, &cas,
									  admin ? CAS_WIRE : CAS_MASKED);
	wire = provider->adapter->encode(settings, &cas, CAS_WIRE);
	forboth(cell, shown, other, wire)
	{
		append_head(preview, settings, lfirst(cell));
		if (row->sent == NULL)
			append_message(preview, settings, lfirst(cell), lfirst(other),
						   admin);
	}
}

/* The provider of that name, or NULL once it was dropped. */
static Provider *
find_provider(const char *name)
{
	ListCell   *cell;

	foreach(cell, provider_list())
	{
		Provider   *provider = lfirst(cell);

		if (strcmp(provider->name, name) == 0)
			return provider;
	}
	return NULL;
}

/* provreq.preview(number) */
Datum
provreq_preview(PG_FUNCTION_ARGS)
{
	bool		admin = caller_is_admin();
	PreviewRow *row = read_row(PG_GETARG_INT64(0), admin);
	Provider   *provider = find_provider(row->provider);
	StringInfoData preview;

	initStringInfo(&preview);
	if (provider == NULL && row->sent == NULL)
		provider = provider_by_name(row->provider);
	if (provider != NULL)
		append_messages(&preview, row, provider, admin);
	if (row->sent != NULL)
		append_body(&preview, row->sent);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(preview.data, preview.len));
}

/* ------------------------------------------------------------------------
 * Answers
 * ------------------------------------------------------------------------
 */

/* Columns of explain_reply. */
enum
{
	REPLY_VERDICT,
	REPLY_ERROR_CODE,
	REPLY_ERROR_DESCRIPTION,
	REPLY_PROVIDER_ERROR_CODE,
	REPLY_PROVIDER_ERROR_DESCRIPTION,
	REPLY_REFERENCE_NUMBER,
	REPLY_RESPONSE_DATA,
	REPLY_RESPONSE,
	REPLY_COLUMNS
};

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

/* The operation of that name or type; raises an error that lists them. */
static const CasOperation *
named_operation(const CasAdapter *adapter, const char *name)
{
	const CasOperation *operation = adapter_operation(adapter, name);
	List	   *names = NIL;

	if (operation == NULL)
		operation = adapter_operation_by_type(adapter, name);
	if (operation != NULL)
		return operation;
	for (operation = adapter->operations; operation->name; operation++)
		names = lappend(names, unconstify(char *, operation->name));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("parameter \"operation\" cannot be \"%s\"",
					complaint_text(name)),
			 errhint("Valid values are %s.", complaint_list(names))));
}

/*
 * Reads the answer as one to each operation until one of them understands
 * it; what the first one says of it if none does.
 */
static void
decode_as_any(const CasSettings *settings, const CasReply *reply,
			  CasOutcome *outcome)
{
	const CasOperation *operation = settings->adapter->operations;

	settings->adapter->decode(settings, operation, reply, outcome);
	while (outcome->verdict == CAS_UNKNOWN && (++operation)->name != NULL)
	{
		CasOutcome	other = {0};

		settings->adapter->decode(settings, operation, reply, &other);
		if (other.verdict != CAS_UNKNOWN)
			*outcome = other;
	}
}

static void
set_text(Datum *values, bool *nulls, int column, const char *string)
{
	nulls[column] = string == NULL;
	if (string != NULL)
		values[column] = CStringGetTextDatum(string);
}

/* An outcome as a row of provreq.explain_reply(). */
static Datum
outcome_row(FunctionCallInfo fcinfo, const CasOutcome *outcome)
{
	TupleDesc	tupdesc;
	Datum		values[REPLY_COLUMNS];
	bool		nulls[REPLY_COLUMNS];

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE ||
		tupdesc->natts != REPLY_COLUMNS)
		elog(ERROR, "provreq.explain_reply is not declared as expected");
	set_text(values, nulls, REPLY_VERDICT, verdict_name(outcome->verdict));
	set_text(values, nulls, REPLY_ERROR_CODE, outcome->error_code);
	set_text(values, nulls, REPLY_ERROR_DESCRIPTION,
			 outcome->error_description);
	set_text(values, nulls, REPLY_PROVIDER_ERROR_CODE,
			 outcome->provider_error_code);
	set_text(values, nulls, REPLY_PROVIDER_ERROR_DESCRIPTION,
			 outcome->provider_error_description);
	set_text(values, nulls, REPLY_REFERENCE_NUMBER,
			 outcome->reference_number);
	nulls[REPLY_RESPONSE_DATA] = outcome->response_data == NULL;
	if (outcome->response_data != NULL)
		values[REPLY_RESPONSE_DATA] =
			DirectFunctionCall1(jsonb_in,
								CStringGetDatum(outcome->response_data));
	set_text(values, nulls, REPLY_RESPONSE, outcome->response);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc),
											 values, nulls));
}

/* The bytes with a zero behind them, as transports give them. */
static char *
copy_bytes(const bytea *data)
{
	Size		len = VARSIZE_ANY_EXHDR(data);
	char	   *copy = palloc(len + 1);

	memcpy(copy, VARDATA_ANY(data), len);
	copy[len] = '\0';
	return copy;
}

/* provreq.explain_reply(provider, reply, http_status, operation) */
Datum
provreq_explain_reply(PG_FUNCTION_ARGS)
{
	CasReply	reply = {0};
	CasOutcome	outcome = {0};
	CasSettings *settings;
	Provider   *provider;
	bytea	   *data;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	provider = provider_by_name(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	settings = provider_settings(provider->serverid);
	data = PG_GETARG_BYTEA_PP(1);
	reply.status = CAS_ANSWERED;
	reply.code = PG_GETARG_INT32(2);
	reply.len = VARSIZE_ANY_EXHDR(data);
	reply.data = copy_bytes(data);
	if (PG_ARGISNULL(3))
		decode_as_any(settings, &reply, &outcome);
	else
	{
		char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(3));

		settings->adapter->decode(settings,
								  named_operation(settings->adapter, name),
								  &reply, &outcome);
	}
	if (settings->adapter->explain_answer)
		outcome.response = settings->adapter->explain_answer(settings,
															 reply.data,
															 reply.len,
															 false);
	PG_RETURN_DATUM(outcome_row(fcinfo, &outcome));
}

/* provreq.request_types(kind): as text[]; NULL: of all kinds of providers. */
Datum
provreq_request_types(PG_FUNCTION_ARGS)
{
	ArrayBuildState *types = initArrayResult(TEXTOID, CurrentMemoryContext,
											 false);
	const CasAdapter *adapter = NULL;
	char	   *kind = NULL;

	if (!PG_ARGISNULL(0))
		kind = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (kind != NULL && adapter_by_kind(kind) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("parameter \"kind\": there is no kind of providers "
						"\"%s\"", complaint_text(kind))));
	while ((adapter = adapter_next(adapter)) != NULL)
	{
		const CasOperation *operation;

		if (kind != NULL && strcmp(adapter->kind, kind) != 0)
			continue;
		for (operation = adapter->operations; operation->name; operation++)
			types = accumArrayResult(types,
									 CStringGetTextDatum(operation->type),
									 false, TEXTOID, CurrentMemoryContext);
	}
	PG_RETURN_DATUM(makeArrayResult(types, CurrentMemoryContext));
}

/* An operation of the adapter that takes a smartcard, or NULL. */
static const CasOperation *
card_operation(const CasAdapter *adapter)
{
	for (const CasOperation *op = adapter->operations; op->name; op++)
		for (const CasParameter *p = op->parameters; p->name; p++)
		{
			const char *stored = cas_stored_name(p);

			if (stored && strcmp(stored, "smartcard_ca_id") == 0)
				return op;
		}
	return NULL;
}

/* provreq.card_key(provider, smartcard_ca_id) */
Datum
provreq_card_key(PG_FUNCTION_ARGS)
{
	const char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Provider   *provider = provider_by_name(name);
	const CasAdapter *adapter = provider->adapter;
	const CasOperation *operation = card_operation(adapter);
	const char *ca_id = text_to_cstring(PG_GETARG_TEXT_PP(1));

	if (adapter->identity && operation)
		ca_id = adapter->identity(provider_settings(provider->serverid),
								  operation, "smartcard_ca_id", ca_id);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("smartcard:%s", ca_id)));
}
