/*-------------------------------------------------------------------------
 *
 * use_directory.c
 *		provreq.use_directory(), and reading the directory from SQL.
 *
 * Whoever points the directory at a relation says with whose rights it is
 * read, and must be able to become that role: nobody reads more through us
 * than without us.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "caller.h"
#include "compat.h"
#include "directory_source.h"

/* Rows that are read at once. */
#define FETCH_ROWS 1000

PG_FUNCTION_INFO_V1(provreq_use_directory);
PG_FUNCTION_INFO_V1(provreq_directory_source_changed);
PG_FUNCTION_INFO_V1(provreq_directory_rows);

/* ------------------------------------------------------------------------
 * Choosing
 * ------------------------------------------------------------------------
 */

static DirectoryKind
kind_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("parameter \"kind\" must not be null")));
	return directory_kind(text_to_cstring(PG_GETARG_TEXT_PP(0)));
}

/* The owner of a relation; raises an error when there is none. */
static Oid
relation_owner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("parameter \"relation\": there is no relation with "
						"OID %u", relid)));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

static void
check_caller(const DirectorySource *source)
{
	if (!compat_can_set_role(GetUserId(), source->role))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("parameter \"role\": must be able to SET ROLE \"%s\"",
						source->role_name),
				 errhint("Name a role that you are a member of.")));
}

/* Reads the arguments and checks them against the catalogs. */
static void
read_choice(FunctionCallInfo fcinfo, DirectoryKind kind,
			DirectoryChoice *choice)
{
	Oid			relid = PG_GETARG_OID(1);
	Oid			owner = relation_owner(relid);

	choice->schema = get_namespace_name(get_rel_namespace(relid));
	choice->relation = get_rel_name(relid);
	choice->columns = PG_ARGISNULL(2) ?
		DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"))) :
		PG_GETARG_JSONB_P(2);
	choice->role = PG_ARGISNULL(3) ? GetUserNameFromId(owner, false) :
		pstrdup(NameStr(*PG_GETARG_NAME(3)));
	check_caller(directory_source_make(kind, choice));
}

/* Becomes the owner of our own tables until set_user. */
static void
become_owner(Oid *user, int *security)
{
	Oid			schema = get_namespace_oid("provreq", false);
	Oid			relid = get_relname_relid("directory_source", schema);

	GetUserIdAndSecContext(user, security);
	SetUserIdAndSecContext(relation_owner(relid),
						   *security | SECURITY_LOCAL_USERID_CHANGE);
}

/* One row for each kind: a new choice replaces the one before. */
static void
store(DirectoryKind kind, const DirectoryChoice *choice)
{
	Oid			types[6] = {TEXTOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID,
	TEXTOID};
	Datum		values[6];

	values[0] = CStringGetTextDatum(directory_kind_name(kind));
	values[1] = CStringGetTextDatum(choice->schema);
	values[2] = CStringGetTextDatum(choice->relation);
	values[3] = JsonbPGetDatum(choice->columns);
	values[4] = CStringGetTextDatum(choice->role);
	values[5] = CStringGetTextDatum(caller_user());
	if (SPI_execute_with_args("INSERT INTO provreq.directory_source"
							  " (kind, relation_schema, relation_name,"
							  " columns, role_name, changed_by_user)"
							  " VALUES ($1, $2, $3, $4, $5, $6)"
							  " ON CONFLICT (kind) DO UPDATE SET"
							  " relation_schema = excluded.relation_schema,"
							  " relation_name = excluded.relation_name,"
							  " columns = excluded.columns,"
							  " role_name = excluded.role_name,"
							  " changed_date = pg_catalog.now(),"
							  " changed_by_user = excluded.changed_by_user",
							  6, types, values, NULL, false,
							  0) != SPI_OK_INSERT)
		elog(ERROR, "could not write provreq.directory_source");
}

static void
go_back(DirectoryKind kind)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1];

	values[0] = CStringGetTextDatum(directory_kind_name(kind));
	if (SPI_execute_with_args("DELETE FROM provreq.directory_source AS d"
							  " WHERE d.kind OPERATOR(pg_catalog.=) $1",
							  1, types, values, NULL, false,
							  0) != SPI_OK_DELETE)
		elog(ERROR, "could not write provreq.directory_source");
}

Datum
provreq_use_directory(PG_FUNCTION_ARGS)
{
	DirectoryKind kind = kind_argument(fcinfo);
	DirectoryChoice choice = {0};
	Oid			user;
	int			security;

	if (!PG_ARGISNULL(1))
		read_choice(fcinfo, kind, &choice);
	SPI_connect();
	become_owner(&user, &security);
	if (PG_ARGISNULL(1))
		go_back(kind);
	else
		store(kind, &choice);
	SetUserIdAndSecContext(user, security);
	SPI_finish();
	PG_RETURN_VOID();
}

/* Lets every session look at the choices anew. */
Datum
provreq_directory_source_changed(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("provreq.directory_source_changed() was not called "
						"by a trigger")));
	CacheInvalidateRelcache(data->tg_relation);
	return PointerGetDatum(NULL);
}

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */

/* The SELECT for a kind, of the rows with certain values if "column". */
static char *
rows_sql(DirectoryKind kind, const DirectorySource *source,
		 const char *column)
{
	char	   *sql;

	sql = psprintf("SELECT pg_catalog.to_jsonb(d) FROM provreq.%s AS d%s%s%s",
				   directory_kind_name(kind),
				   column != NULL ? " WHERE d." : "",
				   column != NULL ? column : "",
				   column != NULL ? " OPERATOR(pg_catalog.=) ANY ($1)" : "");
	return source != NULL ? directory_source_sql(source, sql) : sql;
}

/* Puts what the query gives into the function's result. */
static void
fetch_rows(const char *sql, int nargs, Datum values, ReturnSetInfo *result)
{
	Oid			types[1] = {TEXTARRAYOID};
	Portal		portal = SPI_cursor_open_with_args(NULL, sql, nargs, types,
												   &values, NULL, true,
												   CURSOR_OPT_NO_SCROLL);

	for (;;)
	{
		uint64		i;

		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		if (SPI_processed == 0)
			break;
		for (i = 0; i < SPI_processed; i++)
			tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
}

Datum
provreq_directory_rows(PG_FUNCTION_ARGS)
{
	DirectoryKind kind = kind_argument(fcinfo);
	const DirectorySource *source = directory_source(kind);
	char	   *column = NULL;
	DirectoryRights saved;

	if (PG_ARGISNULL(1) != PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("parameters \"column\" and \"values\" go together")));
	if (!PG_ARGISNULL(1))
	{
		column = text_to_cstring(PG_GETARG_TEXT_PP(1));
		directory_kind_check_column(kind, "column", column);
	}
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	SPI_connect();
	if (source != NULL)
		directory_source_enter(source, &saved);
	fetch_rows(rows_sql(kind, source, column), column != NULL ? 1 : 0,
			   column != NULL ? PG_GETARG_DATUM(2) : (Datum) 0,
			   (ReturnSetInfo *) fcinfo->resultinfo);
	if (source != NULL)
		directory_source_leave(&saved);
	SPI_finish();
	return (Datum) 0;
}
