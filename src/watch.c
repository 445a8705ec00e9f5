/*-------------------------------------------------------------------------
 *
 * watch.c
 *		Notices DDL that our processes must follow.
 *
 * Servers, user mappings, the extension itself: each change passes the object
 * access hook of the backend that makes it, which wakes the supervisor and
 * the senders of the database at commit.  So nobody polls the catalogs.
 *
 * A provider must keep its name, for requests refer to it by name as the
 * legal record of where they went.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_database.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "provider.h"
#include "wake.h"
#include "watch.h"

static object_access_hook_type previous_hook = NULL;

/* The name of a server as the current command is making it. */
static void
new_server_name(Oid serverid, NameData *name)
{
	Relation	rel = table_open(ForeignServerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	namestrcpy(name, "");
	ScanKeyInit(&key, Anum_pg_foreign_server_oid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(serverid));
	scan = systable_beginscan(rel, ForeignServerOidIndexId, true,
							  SnapshotSelf, 1, &key);
	if (HeapTupleIsValid(tuple = systable_getnext(scan)))
		*name = ((Form_pg_foreign_server) GETSTRUCT(tuple))->srvname;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

static void
refuse_rename(Oid serverid)
{
	Provider   *before = provider_find(serverid);
	NameData	after;

	if (before == NULL)
		return;
	new_server_name(serverid, &after);
	if (strcmp(NameStr(after), before->name) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot rename provider \"%s\"", before->name),
				 errdetail("Requests refer to their provider by name."),
				 errhint("Create a server of the new name, and drop the old one when nothing is pending for it.")));
}

static void
watch(ObjectAccessType access, Oid classId, Oid objectId, int subId, void *arg)
{
	if (previous_hook)
		previous_hook(access, classId, objectId, subId, arg);
	if (access != OAT_POST_CREATE && access != OAT_POST_ALTER &&
		access != OAT_DROP)
		return;
	if (classId == ForeignServerRelationId && access == OAT_POST_ALTER)
		refuse_rename(objectId);
	if (classId == ForeignServerRelationId ||
		classId == UserMappingRelationId)
		wake_all_senders_at_commit(WAKE_RELOAD);
	if (classId == ForeignServerRelationId ||
		classId == ExtensionRelationId)
		wake_supervisor_at_commit();
	if (classId == DatabaseRelationId)
		wake_launcher_at_commit();
}

void
watch_install_hook(void)
{
	previous_hook = object_access_hook;
	object_access_hook = watch;
}
