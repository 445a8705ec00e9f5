/*-------------------------------------------------------------------------
 *
 * provider.c
 *		Foreign server and user mapping -> the settings of a provider.
 *
 * An option is checked when the DDL runs, against the table of its adapter,
 * so that reading settings later finds nothing wrong but what depends on
 * other objects: the user mapping and the profile.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "foreign/foreign.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "complaint.h"
#include "provider.h"

#define WORKER_ROLE "provreq_worker"

/* NULL if it is a server of somebody else's wrapper. */
static Provider *
provider_from_server(const ForeignServer *server)
{
	ForeignDataWrapper *wrapper = GetForeignDataWrapper(server->fdwid);
	const CasAdapter *adapter = adapter_by_kind(wrapper->fdwname);
	Provider   *provider;
	ListCell   *lc;

	if (adapter == NULL)
		return NULL;
	provider = palloc(sizeof(Provider));
	provider->serverid = server->serverid;
	provider->name = pstrdup(server->servername);
	provider->adapter = adapter;
	provider->effective = true;
	foreach(lc, server->options)
	{
		DefElem    *def = lfirst(lc);

		if (strcmp(def->defname, "state") == 0)
			provider->effective = strcmp(defGetString(def), "effective") == 0;
	}
	return provider;
}

List *
provider_list(void)
{
	Relation	rel = table_open(ForeignServerRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, ForeignServerNameIndexId, true,
										  NULL, 0, NULL);
	List	   *providers = NIL;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_foreign_server form;
		ForeignServer *server;
		Provider   *provider;

		form = (Form_pg_foreign_server) GETSTRUCT(tuple);
		server = GetForeignServerExtended(form->oid, FSV_MISSING_OK);
		provider = server ? provider_from_server(server) : NULL;
		if (provider)
			providers = lappend(providers, provider);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return providers;
}

Provider *
provider_find(Oid serverid)
{
	ForeignServer *server = GetForeignServerExtended(serverid,
													 FSV_MISSING_OK);

	return server ? provider_from_server(server) : NULL;
}

/*
 * The names of the providers of one adapter (NULL: any) for a hint;
 * optionally only the effective ones.
 */
static char *
provider_names(const CasAdapter *adapter, bool effective_only)
{
	StringInfoData names;
	ListCell   *lc;

	initStringInfo(&names);
	foreach(lc, provider_list())
	{
		Provider   *provider = lfirst(lc);

		if ((adapter != NULL && provider->adapter != adapter) ||
			(effective_only && !provider->effective))
			continue;
		appendStringInfo(&names, "%s%s", names.len ? ", " : "",
						 quote_identifier(provider->name));
	}
	return names.len ? names.data : pstrdup("none");
}

Provider *
provider_by_name(const char *name)
{
	ForeignServer *server = GetForeignServerByName(name, true);
	Provider   *provider = server ? provider_from_server(server) : NULL;

	if (provider == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("provider \"%s\" does not exist",
						complaint_text(name)),
				 errhint("Providers of this database: %s.",
						 provider_names(NULL, false))));
	return provider;
}

/* The only effective provider of an adapter; raises when there is not one. */
static Provider *
provider_only(const CasAdapter *adapter)
{
	Provider   *only = NULL;
	ListCell   *lc;

	foreach(lc, provider_list())
	{
		Provider   *provider = lfirst(lc);

		if (provider->adapter != adapter || !provider->effective)
			continue;
		if (only != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_AMBIGUOUS_PARAMETER),
					 errmsg("parameter \"provider\" is needed: there is more than one effective provider of kind %s",
							adapter->kind),
					 errhint("Candidates: %s.",
							 provider_names(adapter, true))));
		only = provider;
	}
	if (only == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION),
				 errmsg("there is no effective provider of kind %s",
						adapter->kind),
				 errdetail("Providers of that kind: %s.",
						   provider_names(adapter, false)),
				 errhint("Use CREATE SERVER ... FOREIGN DATA WRAPPER %s, or ALTER SERVER ... OPTIONS (SET state 'effective').",
						 adapter->kind)));
	return only;
}

Provider *
provider_choose(const CasAdapter *adapter, const char *named,
				const char *named_by_smartcard)
{
	const char *name = named ? named : named_by_smartcard;
	Provider   *provider;

	if (name == NULL)
		return provider_only(adapter);
	provider = provider_by_name(name);
	if (provider->adapter != adapter)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("provider \"%s\" is of kind %s, not %s",
						name, provider->adapter->kind, adapter->kind),
				 errhint("Providers of that kind: %s.",
						 provider_names(adapter, false))));
	if (!provider->effective)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION),
				 errmsg("provider \"%s\" is not effective", name),
				 errhint("Use ALTER SERVER %s OPTIONS (SET state 'effective').",
						 quote_identifier(name))));
	return provider;
}

/* ------------------------------------------------------------------------
 * Settings
 * ------------------------------------------------------------------------
 */

static int
options_count(const CasOption *options)
{
	int			n = 0;

	while (options[n].name)
		n++;
	return n;
}

CasSettings *
settings_empty(const CasAdapter *adapter, const char *server_name)
{
	CasSettings *settings = palloc0(sizeof(CasSettings));
	int			common = options_count(adapter_common_options);
	int			own = options_count(adapter->options);
	CasOption  *options = palloc0(sizeof(CasOption) * (common + own + 1));

	memcpy(options, adapter_common_options, sizeof(CasOption) * common);
	memcpy(options + common, adapter->options, sizeof(CasOption) * own);
	settings->server_name = pstrdup(server_name);
	settings->adapter = adapter;
	settings->options = options;
	settings->values = palloc0(sizeof(char *) * (common + own));
	return settings;
}

void
settings_apply(CasSettings *settings, List *defs)
{
	ListCell   *lc;

	foreach(lc, defs)
	{
		DefElem    *def = lfirst(lc);

		for (int i = 0; settings->options[i].name; i++)
			if (strcmp(settings->options[i].name, def->defname) == 0)
				settings->values[i] = pstrdup(defGetString(def));
	}
}

void
settings_defaults(CasSettings *settings)
{
	for (int i = 0; settings->options[i].name; i++)
		if (settings->values[i] == NULL)
			settings->values[i] = settings->options[i].default_value;
}

/* Options of the mapping for the senders' role, or PUBLIC's; NIL if none. */
static List *
mapping_options(Oid serverid)
{
	Oid			roles[2];

	roles[0] = get_role_oid(WORKER_ROLE, true);
	roles[1] = InvalidOid;		/* PUBLIC */
	for (int i = 0; i < lengthof(roles); i++)
	{
		HeapTuple	tuple;
		List	   *options = NIL;
		Datum		datum;
		bool		isnull;

		if (i == 0 && !OidIsValid(roles[0]))
			continue;
		tuple = SearchSysCache2(USERMAPPINGUSERSERVER,
								ObjectIdGetDatum(roles[i]),
								ObjectIdGetDatum(serverid));
		if (!HeapTupleIsValid(tuple))
			continue;
		datum = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple,
								Anum_pg_user_mapping_umoptions, &isnull);
		if (!isnull)
			options = untransformRelOptions(datum);
		ReleaseSysCache(tuple);
		return options;
	}
	return NIL;
}

/*
 * The compiled profile of a name, in the caller's memory context.  SPI's own
 * context is left behind before anything is made.
 */
static void *
profile_load(const CasAdapter *adapter, const char *name)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		args[2];
	Oid			types[2] = {TEXTOID, TEXTOID};
	Jsonb	   *document = NULL;

	args[0] = CStringGetTextDatum(name);
	args[1] = CStringGetTextDatum(adapter->kind);
	SPI_connect();
	if (SPI_execute_with_args("SELECT document FROM provreq.wire_profile"
							  " WHERE name OPERATOR(pg_catalog.=) $1"
							  " AND kind OPERATOR(pg_catalog.=) $2",
							  2, types, args, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read provreq.wire_profile");
	if (SPI_processed > 0)
	{
		bool		isnull;
		Datum		datum = SPI_getbinval(SPI_tuptable->vals[0],
										  SPI_tuptable->tupdesc, 1, &isnull);
		MemoryContext spi = MemoryContextSwitchTo(caller);

		document = DatumGetJsonbPCopy(datum);
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	if (document == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("wire profile \"%s\" for %s does not exist",
						name, adapter->kind),
				 errhint("The option \"profile\" of a server names a row of provreq.wire_profile.")));
	return adapter->compile_profile(document);
}

CasSettings *
provider_settings(Oid serverid)
{
	ForeignServer *server = GetForeignServer(serverid);
	Provider   *provider = provider_from_server(server);
	CasSettings *settings;
	const char *profile;

	if (provider == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" is not a provider",
						server->servername)));
	settings = settings_empty(provider->adapter, server->servername);
	settings_apply(settings, server->options);
	settings_apply(settings, mapping_options(serverid));
	settings_defaults(settings);
	profile = cas_option(settings, "profile");
	if (profile == NULL)
		profile = provider->adapter->default_profile;
	settings->profile = profile_load(provider->adapter, profile);
	return settings;
}
