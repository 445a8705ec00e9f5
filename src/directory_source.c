/*-------------------------------------------------------------------------
 *
 * directory_source.c
 *		Relations that stand for tables of the directory.
 *
 * A choice is kept by names, so that a dump restores in any order and a
 * relation may be made anew.  It is checked when it is made, and again after
 * any change of the catalogs before it is used: what it stands for may be
 * gone, or be another thing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "catalog_watch.h"
#include "directory_source.h"

/* The columns of provreq.directory_source */
#define ATTR_KIND 1
#define ATTR_SCHEMA 2
#define ATTR_RELATION 3
#define ATTR_COLUMNS 4
#define ATTR_ROLE 5

/* One choice, as it was when the catalogs were looked at. */
typedef struct KeptSource
{
	uint64		made;			/* catalog_watch before; 0 = not good */
	MemoryContext context;		/* owns the source */
	DirectorySource *source;	/* NULL: the table itself */
} KeptSource;

static KeptSource kept[DIRECTORY_KINDS];
static uint64 generations = 0;

/* ------------------------------------------------------------------------
 * In force
 * ------------------------------------------------------------------------
 */

static char *
text_attribute(HeapTuple tuple, TupleDesc desc, int attribute)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, attribute, desc, &isnull);

	return isnull ? pstrdup("") : TextDatumGetCString(value);
}

static void
read_choice(HeapTuple tuple, TupleDesc desc, DirectoryChoice *choice)
{
	bool		isnull;
	Datum		columns = heap_getattr(tuple, ATTR_COLUMNS, desc, &isnull);

	choice->schema = text_attribute(tuple, desc, ATTR_SCHEMA);
	choice->relation = text_attribute(tuple, desc, ATTR_RELATION);
	choice->role = text_attribute(tuple, desc, ATTR_ROLE);
	choice->columns = DatumGetJsonbPCopy(columns);
}

/*
 * The row of the kind, or false.  Read as a catalog is, the latest that is
 * committed: in whose name this is done and through which snapshot does not
 * matter.
 */
static bool
find_choice(DirectoryKind kind, DirectoryChoice *choice)
{
	Oid			schema = get_namespace_oid("provreq", false);
	Oid			relid = get_relname_relid("directory_source", schema);
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	if (!OidIsValid(relid))
		elog(ERROR, "table provreq.directory_source is missing");
	rel = table_open(relid, AccessShareLock);
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		found = strcmp(text_attribute(tuple, RelationGetDescr(rel),
									  ATTR_KIND),
					   directory_kind_name(kind)) == 0;
		if (found)
			read_choice(tuple, RelationGetDescr(rel), choice);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

static bool
same_source(const DirectorySource *a, const DirectorySource *b)
{
	return a != NULL && b != NULL && a->relid == b->relid &&
		a->role == b->role && strcmp(a->role_name, b->role_name) == 0 &&
		strcmp(a->query, b->query) == 0;
}

/*
 * Takes what is new in; plans for what did not change stay good.  What was
 * there before stays until the transaction ends, for somebody may be reading
 * from it.
 */
static void
replace_source(KeptSource *one, MemoryContext context,
			   DirectorySource *source)
{
	if (source != NULL)
		source->generation = same_source(source, one->source) ?
			one->source->generation : ++generations;
	if (one->context != NULL)
		MemoryContextSetParent(one->context, TopTransactionContext);
	MemoryContextSetParent(context, TopMemoryContext);
	one->context = context;
	one->source = source;
}

/* Reads and checks the choice anew. */
static void
refresh(DirectoryKind kind)
{
	KeptSource *one = &kept[kind];
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "provreq directory source",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	uint64		made = catalog_watch();
	DirectorySource *source = NULL;
	DirectoryChoice choice;

	one->made = 0;
	if (find_choice(kind, &choice))
		source = directory_source_make(kind, &choice);
	MemoryContextSwitchTo(old);
	replace_source(one, context, source);
	one->made = made;
}

const DirectorySource *
directory_source(DirectoryKind kind)
{
	KeptSource *one = &kept[kind];

	if (one->made != catalog_watch())
		refresh(kind);

	/* Taking the lock lets in what others have changed. */
	while (one->source != NULL)
	{
		LockRelationOid(one->source->relid, AccessShareLock);
		if (one->made == catalog_watch())
			break;
		UnlockRelationOid(one->source->relid, AccessShareLock);
		refresh(kind);
	}
	return one->source;
}

const char *
directory_source_name(DirectoryKind kind)
{
	const DirectorySource *source = directory_source(kind);

	return source != NULL ? source->relation :
		psprintf("provreq.%s", directory_kind_name(kind));
}

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */

char *
directory_source_sql(const DirectorySource *source, const char *sql)
{
	char	   *table = psprintf("provreq.%s AS ",
								 directory_kind_name(source->kind));
	StringInfoData text_of;
	const char *found;

	initStringInfo(&text_of);
	while ((found = strstr(sql, table)) != NULL)
	{
		appendBinaryStringInfo(&text_of, sql, found - sql);
		appendStringInfo(&text_of, "(%s) AS ", source->query);
		sql = found + strlen(table);
	}
	appendStringInfoString(&text_of, sql);
	return text_of.data;
}

static void
add_context(void *arg)
{
	const DirectorySource *source = arg;

	errcontext("provreq reads %s as role \"%s\", as provreq.use_directory() "
			   "was told", source->relation, source->role_name);
}

void
directory_source_enter(const DirectorySource *source, DirectoryRights *saved)
{
	GetUserIdAndSecContext(&saved->user, &saved->security);
	SetUserIdAndSecContext(source->role, saved->security |
						   SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	saved->nest_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	saved->context.callback = add_context;
	saved->context.arg = unconstify(DirectorySource *, source);
	saved->context.previous = error_context_stack;
	error_context_stack = &saved->context;
}

void
directory_source_leave(DirectoryRights *saved)
{
	error_context_stack = saved->context.previous;
	AtEOXact_GUC(false, saved->nest_level);
	SetUserIdAndSecContext(saved->user, saved->security);
}
