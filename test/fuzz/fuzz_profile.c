/*-------------------------------------------------------------------------
 *
 * fuzz_profile.c
 *		JSON documents compiled as profiles.
 *
 * The first byte of the input says as whose.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "../unit/pg_shim.h"
#include "fuzz.h"

static const CasAdapter *const adapters[] = {
	&conax_adapter, &nagravision_adapter, &nds_adapter
};

void
fuzz_prepare(void)
{
}

void
fuzz_try(const char *data, Size len)
{
	const CasAdapter *adapter;
	Jsonb	   *document;

	if (len == 0 || len > 100000)
		return;
	adapter = adapters[(unsigned char) data[0] % lengthof(adapters)];
	document = fuzz_jsonb(data + 1, len - 1);
	if (document == NULL)
		return;
	PG_TRY();
	{
		(void) adapter->compile_profile(document);
	}
	PG_CATCH();
	{
		/* anything else is an error that nobody thought of */
		FUZZ_HOLDS(pg_shim_error_code() == ERRCODE_INVALID_PARAMETER_VALUE);
		PG_RE_THROW();
	}
	PG_END_TRY();
}
