/*-------------------------------------------------------------------------
 *
 * catalog_watch.c
 *		Has anything changed that is kept for the session?
 *
 * Any change counts, to whatever relation, function, schema, role, server or
 * user mapping (and wire profile, whose trigger says so): changes are rare,
 * and to make the few things anew that are kept costs less than to find out
 * whether they are concerned.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/inval.h"
#include "utils/syscache.h"

#include "catalog_watch.h"

static uint64 changes = 0;

static void
relation_changed(Datum arg, Oid relid)
{
	changes++;
}

static void
object_changed(Datum arg, int cache, uint32 hash)
{
	changes++;
}

uint64
catalog_watch(void)
{
	if (changes == 0)
	{
		CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
		CacheRegisterSyscacheCallback(PROCOID, object_changed, (Datum) 0);
		CacheRegisterSyscacheCallback(AUTHOID, object_changed, (Datum) 0);
		CacheRegisterSyscacheCallback(NAMESPACEOID, object_changed,
									  (Datum) 0);
		CacheRegisterSyscacheCallback(FOREIGNSERVEROID, object_changed,
									  (Datum) 0);
		CacheRegisterSyscacheCallback(USERMAPPINGOID, object_changed,
									  (Datum) 0);
		changes = 1;
	}
	return changes;
}
