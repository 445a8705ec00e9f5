/*-------------------------------------------------------------------------
 *
 * api_provider.c
 *		Where a request goes, found out once a statement.
 *
 * The settings of a provider, its compiled profile above all, are kept for
 * the session: to make them takes longer than all the rest of a request.
 * What was invalidated stays until the end of the transaction, for statements
 * that began with it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "api.h"
#include "catalog_watch.h"
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

/* The settings of one provider, and what catalog_watch said before. */
typedef struct Kept
{
	Oid			serverid;
	uint64		made;
	MemoryContext context;		/* owns this struct, too */
	CasSettings *settings;
} Kept;

static List *kept = NIL;		/* of Kept *, in TopMemoryContext */

/* Forgets what may be out of date. */
static void
forget_stale(void)
{
	uint64		now = catalog_watch();
	ListCell   *cell;

	foreach(cell, kept)
	{
		Kept	   *one = lfirst(cell);

		if (one->made == now)
			continue;
		kept = foreach_delete_current(kept, cell);
		MemoryContextSetParent(one->context, TopTransactionContext);
	}
}

/* Settings that are current now and stay until the transaction ends. */
static const CasSettings *
session_settings(Oid serverid)
{
	MemoryContext context;
	MemoryContext old;
	Kept	   *one;
	ListCell   *cell;

	forget_stale();
	foreach(cell, kept)
	{
		one = lfirst(cell);
		if (one->serverid == serverid)
			return one->settings;
	}
	context = AllocSetContextCreate(CurrentMemoryContext,
									"provreq provider settings",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	one = palloc(sizeof(Kept));
	one->serverid = serverid;
	one->made = catalog_watch();
	one->context = context;
	one->settings = provider_settings(serverid);
	MemoryContextSwitchTo(TopMemoryContext);
	kept = lappend(kept, one);
	MemoryContextSetParent(context, TopMemoryContext);
	MemoryContextSwitchTo(old);
	return one->settings;
}

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
	choice->settings = session_settings(provider->serverid);
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
