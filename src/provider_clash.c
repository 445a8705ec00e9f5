/*-------------------------------------------------------------------------
 *
 * provider_clash.c
 *		Two providers must not have what only one can: the same link of the
 *		same system, for one.
 *
 * Checked when DDL makes a provider effective, or changes one that is.  A
 * validator sees options and does not know whose they are, so this is called
 * by the object access hook.  Who makes another provider of the same kind at
 * the same time waits until the first one is committed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "foreign/foreign.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"

#include "provider.h"

/* The settings of a server's own options; NULL if nothing can clash. */
static CasSettings *
clash_settings(Oid wrapper, const char *name, List *options)
{
	const CasAdapter *adapter =
	adapter_by_kind(GetForeignDataWrapper(wrapper)->fdwname);
	CasSettings *settings;

	if (adapter == NULL || adapter->clash == NULL)
		return NULL;
	settings = settings_empty(adapter, name);
	settings_apply(settings, options);
	settings_defaults(settings);
	return strcmp(cas_option(settings, "state"), "effective") == 0 ?
		settings : NULL;
}

/* The same for a server as the current command leaves it, and its wrapper. */
static CasSettings *
changed_settings(Oid serverid, Oid *wrapper)
{
	Relation	rel = table_open(ForeignServerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	CasSettings *settings = NULL;

	ScanKeyInit(&key, Anum_pg_foreign_server_oid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(serverid));
	scan = systable_beginscan(rel, ForeignServerOidIndexId, true,
							  SnapshotSelf, 1, &key);
	if (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_foreign_server form;
		bool		isnull;
		Datum		options = heap_getattr(tuple,
										   Anum_pg_foreign_server_srvoptions,
										   RelationGetDescr(rel), &isnull);

		form = (Form_pg_foreign_server) GETSTRUCT(tuple);
		*wrapper = form->srvfdw;
		settings = clash_settings(form->srvfdw, NameStr(form->srvname),
								  isnull ? NIL :
								  untransformRelOptions(options));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return settings;
}

static void
refuse_clash(const CasSettings *mine, const CasSettings *other)
{
	char	   *what = mine->adapter->clash(mine, other);

	if (what == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("provider \"%s\" cannot have %s: provider \"%s\" has it",
					mine->server_name, what, other->server_name),
			 errdetail("Only one effective provider can use it."),
			 errhint("Change the options of one of them, or set its state to 'not_effective'.")));
}

void
provider_refuse_clash(Oid serverid)
{
	Oid			wrapper = InvalidOid;
	CasSettings *mine = changed_settings(serverid, &wrapper);
	ListCell   *lc;

	if (mine == NULL)
		return;
	LockDatabaseObject(ForeignDataWrapperRelationId, wrapper, 0,
					   ShareUpdateExclusiveLock);
	foreach(lc, provider_list())
	{
		const Provider *provider = lfirst(lc);
		ForeignServer *server;
		CasSettings *other;

		if (provider->serverid == serverid ||
			provider->adapter != mine->adapter || !provider->effective)
			continue;
		server = GetForeignServer(provider->serverid);
		other = clash_settings(server->fdwid, server->servername,
							   server->options);
		if (other)
			refuse_clash(mine, other);
	}
}
