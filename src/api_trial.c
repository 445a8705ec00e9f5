/*-------------------------------------------------------------------------
 *
 * api_trial.c
 *		Encoding a request on trial, before it is put into the queue.
 *
 * The sender must not find out that a message cannot be built of a request.
 * Each value was looked at by the adapter's validate; what else encode can
 * stumble over is what the message consists of, which is the same for all
 * requests of an operation that have the same kinds of values.  One of them
 * speaks for the others of the statement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api.h"
#include "statement_cache.h"

/* As many as are remembered; what is beyond is encoded each time. */
#define MAX_ENCODED 64

/* A request that could be encoded, as far as others are like it. */
typedef struct Encoded
{
	const CasSettings *settings;
	const CasOperation *operation;
	int			nvalues;
	const char *names[FLEXIBLE_ARRAY_MEMBER];	/* of the values, in order */
} Encoded;

/* The names are those of static tables: the same one is the same pointer. */
static bool
is_alike(const Encoded *encoded, const CasSettings *settings,
		 const CasRequest *request)
{
	int			i;

	if (encoded->settings != settings ||
		encoded->operation != request->operation ||
		encoded->nvalues != list_length(request->values))
		return false;
	for (i = 0; i < encoded->nvalues; i++)
	{
		const CasValue *value = list_nth(request->values, i);

		if (encoded->names[i] != value->name)
			return false;
	}
	return true;
}

static void
remember(StatementCache *cache, const CasSettings *settings,
		 const CasRequest *request)
{
	int			n = list_length(request->values);
	MemoryContext old = MemoryContextSwitchTo(cache->context);
	Encoded    *encoded = palloc(offsetof(Encoded, names) +
								 sizeof(char *) * n);
	int			i;

	encoded->settings = settings;
	encoded->operation = request->operation;
	encoded->nvalues = n;
	for (i = 0; i < n; i++)
		encoded->names[i] = ((CasValue *) list_nth(request->values, i))->name;
	cache->encoded = lappend(cache->encoded, encoded);
	MemoryContextSwitchTo(old);
}

void
api_try_encoding(const CasSettings *settings, const CasRequest *request)
{
	StatementCache *cache = statement_cache();
	ListCell   *cell;

	foreach(cell, cache->encoded)
	{
		if (is_alike(lfirst(cell), settings, request))
			return;
	}
	(void) settings->adapter->encode(settings, request, CAS_WIRE);
	if (list_length(cache->encoded) < MAX_ENCODED)
		remember(cache, settings, request);
}
