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
 * legal record of where they went, and must not take what another one has.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/acl.h"
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

/* Server and user of a mapping, as the current command leaves them. */
static Oid
mapping_server(Oid mapping, Oid *user)
{
	Relation	rel = table_open(UserMappingRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			server = InvalidOid;

	ScanKeyInit(&key, Anum_pg_user_mapping_oid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(mapping));
	scan = systable_beginscan(rel, UserMappingOidIndexId, true,
							  SnapshotSelf, 1, &key);
	if (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		server = ((Form_pg_user_mapping) GETSTRUCT(tuple))->umserver;
		*user = ((Form_pg_user_mapping) GETSTRUCT(tuple))->umuser;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return server;
}

/* Mappings of other roles are nothing to the senders. */
static void
mapping_changed(Oid mapping)
{
	Oid			user = InvalidOid;
	Oid			server = mapping_server(mapping, &user);

	if (OidIsValid(server) &&
		(!OidIsValid(user) || user == get_role_oid("provreq_worker", true)))
		wake_sender_at_commit(server, WAKE_RELOAD);
}

/* The hook: tells the processes at commit of the DDL that concerns them. */
static void
watch(ObjectAccessType access, Oid classId, Oid objectId, int subId,
	  void *arg)
{
	if (previous_hook)
		previous_hook(access, classId, objectId, subId, arg);
	if (access != OAT_POST_CREATE && access != OAT_POST_ALTER &&
		access != OAT_DROP)
		return;
	if (classId == ForeignServerRelationId && access == OAT_POST_ALTER)
		refuse_rename(objectId);
	if (classId == ForeignServerRelationId && access != OAT_DROP)
		provider_refuse_clash(objectId);
	if (classId == ForeignServerRelationId)
		wake_sender_at_commit(objectId, WAKE_RELOAD);
	if (classId == UserMappingRelationId)
		mapping_changed(objectId);
	if (classId == ForeignServerRelationId ||
		classId == ExtensionRelationId)
		wake_supervisor_at_commit();
	if (classId == ForeignServerRelationId)
		wake_runner_at_commit();
	if (classId == DatabaseRelationId)
		wake_launcher_at_commit();
}

void
watch_install_hook(void)
{
	previous_hook = object_access_hook;
	object_access_hook = watch;
}
