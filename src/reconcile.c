/*-------------------------------------------------------------------------
 *
 * reconcile.c
 *		What the directory says of smartcards, for reconciliation.
 *
 * Identifiers are resolved here in the way in which requests resolve them;
 * the rest is SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "directory.h"
#include "statement_cache.h"

PG_FUNCTION_INFO_V1(provreq_reconcile_smartcard);
PG_FUNCTION_INFO_V1(provreq_reconcile_subscription);

static const char *
identifier(FunctionCallInfo fcinfo, const char *name)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("parameter \"%s\" must not be null", name)));
	statement_cache_begin();
	return text_to_cstring(PG_GETARG_TEXT_PP(0));
}

/* reconcile_smartcard(identifier): id, CA ID, subscription and provider. */
Datum
provreq_reconcile_smartcard(PG_FUNCTION_ARGS)
{
	static const char name[] = "smartcard_identifier";
	DirectoryItem *item = directory_item(name, identifier(fcinfo, name),
										 DIRECTORY_SMARTCARD);
	const char *texts[4];
	Datum		values[4] = {0};
	bool		nulls[4];
	TupleDesc	tupdesc;

	texts[0] = item->id;
	texts[1] = item->ca_id;
	texts[2] = item->subscription_id;
	texts[3] = item->provider;
	for (int i = 0; i < 4; i++)
	{
		nulls[i] = texts[i] == NULL;
		if (!nulls[i])
			values[i] = CStringGetTextDatum(texts[i]);
	}
	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "the result is no row");
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc),
													  values, nulls)));
}

/* reconcile_subscription(identifier): its id. */
Datum
provreq_reconcile_subscription(PG_FUNCTION_ARGS)
{
	static const char name[] = "subscription_identifier";
	DirectorySubscription *found;

	found = directory_subscription(name, identifier(fcinfo, name));
	PG_RETURN_TEXT_P(cstring_to_text(found->id));
}
