/*-------------------------------------------------------------------------
 *
 * connection_test.c
 *		Trying the connection to a provider, step by step, from a session.
 *
 * The transport does it (CasTransport.test), apart from the sender's link and
 * without any request.  What it holds is released with a memory context of
 * its own, also when it is cancelled.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "provider.h"
#include "transport.h"

PG_FUNCTION_INFO_V1(provreq_test_connection);

static void
put_step(ReturnSetInfo *result, const CasStep *step)
{
	Datum		values[4];
	bool		nulls[4] = {0};

	values[0] = CStringGetTextDatum(step->name);
	values[1] = BoolGetDatum(step->ok);
	values[2] = CStringGetTextDatum(step->detail ? step->detail : "");
	values[3] = Float8GetDatum(step->microseconds / 1000.0);
	nulls[2] = step->detail == NULL;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Reads the settings as the sender does, and lets the transport try. */
static void
test_provider(const char *name, ReturnSetInfo *result)
{
	Provider   *provider = provider_by_name(name);
	const CasTransport *transport = provider->adapter->transport;
	ListCell   *lc;

	if (transport == NULL || transport->test == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("connections to providers of kind %s cannot be tested",
						provider->adapter->kind)));
	foreach(lc, transport->test(provider_settings(provider->serverid)))
		put_step(result, lfirst(lc));
}

Datum
provreq_test_connection(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	MemoryContext old;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("parameter \"provider\" must not be null")));
	InitMaterializedSRF(fcinfo, 0);
	context = AllocSetContextCreate(CurrentMemoryContext,
									"provreq connection test",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	test_provider(text_to_cstring(PG_GETARG_TEXT_PP(0)),
				  (ReturnSetInfo *) fcinfo->resultinfo);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	PG_RETURN_NULL();
}
