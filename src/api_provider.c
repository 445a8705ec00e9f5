/*-------------------------------------------------------------------------
 *
 * api_provider.c
 *		Where a request goes, found out once a statement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api.h"
#include "provider.h"
#include "statement_cache.h"

/* What was chosen for one combination of names. */
typedef struct Choice
{
	const CasAdapter *adapter;
	const char *named;			/* or NULL */
	const char *named_by_smartcard; /* or NULL */
	const CasSettings *settings;
} Choice;

static bool
same_name(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

static char *
copy_name(const char *name)
{
	return name != NULL ? pstrdup(name) : NULL;
}

/* Chooses, and remembers, in the cache's memory. */
static const CasSettings *
choose(StatementCache *cache, const CasAdapter *adapter, const char *named,
	   const char *named_by_smartcard)
{
	MemoryContext old = MemoryContextSwitchTo(cache->context);
	Choice	   *choice = palloc(sizeof(Choice));
	Provider   *provider;

	provider = provider_choose(adapter, named, named_by_smartcard);
	choice->adapter = adapter;
	choice->named = copy_name(named);
	choice->named_by_smartcard = copy_name(named_by_smartcard);
	choice->settings = provider_settings(provider->serverid);
	cache->providers = lappend(cache->providers, choice);
	MemoryContextSwitchTo(old);
	return choice->settings;
}

const CasSettings *
api_provider(const CasAdapter *adapter, const char *named,
			 const char *named_by_smartcard)
{
	StatementCache *cache = statement_cache();
	ListCell   *cell;

	foreach(cell, cache->providers)
	{
		const Choice *choice = lfirst(cell);

		if (choice->adapter == adapter &&
			same_name(choice->named, named) &&
			same_name(choice->named_by_smartcard, named_by_smartcard))
			return choice->settings;
	}
	return choose(cache, adapter, named, named_by_smartcard);
}
