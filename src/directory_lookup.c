/*-------------------------------------------------------------------------
 *
 * directory_lookup.c
 *		A row of the directory by a unique column, without a statement for it.
 *
 * A statement over 100,000 smartcards asks for 100,000 rows, one by one.
 * Starting the executor for each of them costs several times the descent of
 * an index, which is all that there is to do.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "catalog_watch.h"
#include "directory_lookup.h"

/* The index finds the one row for a text by the type's own equality. */
static bool
index_fits(Relation index, AttrNumber attribute, Oid collation)
{
	Form_pg_index form = index->rd_index;

	return form->indisunique && form->indimmediate && form->indisvalid &&
		!form->indcheckxmin && form->indnkeyatts == 1 &&
		form->indkey.values[0] == attribute &&
		index->rd_rel->relam == BTREE_AM_OID &&
		index->rd_opfamily[0] == TEXT_BTREE_FAM_OID &&
		index->rd_indcollation[0] == collation &&
		RelationGetIndexPredicate(index) == NIL;
}

static Oid
find_index(Relation rel, AttrNumber attribute, Oid collation)
{
	List	   *indexes = RelationGetIndexList(rel);
	Oid			found = InvalidOid;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (index_fits(index, attribute, collation))
			found = lfirst_oid(cell);
		index_close(index, NoLock);
	}
	list_free(indexes);
	return found;
}

/* The number of a column of type text, or 0. */
static AttrNumber
text_attribute(Relation rel, const char *name)
{
	AttrNumber	number = get_attnum(RelationGetRelid(rel), name);

	if (number <= 0 ||
		TupleDescAttr(RelationGetDescr(rel), number - 1)->atttypid != TEXTOID)
		return 0;
	return number;
}

/* Leaves the index out when a statement has to be used. */
static void
describe(DirectoryLookup *lookup, Relation rel)
{
	AttrNumber	key;
	int			i;

	lookup->made = catalog_watch();
	lookup->relid = RelationGetRelid(rel);
	lookup->index = InvalidOid;
	if (rel->rd_rel->relkind != RELKIND_RELATION ||
		rel->rd_rel->relrowsecurity || rel->rd_rel->relhassubclass)
		return;
	for (i = 0; i < LOOKUP_COLUMNS && lookup->columns[i] != NULL; i++)
	{
		lookup->attributes[i] = text_attribute(rel, lookup->columns[i]);
		if (lookup->attributes[i] == 0)
			return;
	}
	key = text_attribute(rel, lookup->key);
	if (key == 0)
		return;
	lookup->key_attribute = key;
	lookup->collation =
		TupleDescAttr(RelationGetDescr(rel), key - 1)->attcollation;
	lookup->index = find_index(rel, key, lookup->collation);
}

/*
 * Locks and opens the table.  That lets in what others have changed, so that
 * afterwards the description is known to be good, or is made anew.
 */
static Relation
open_table(DirectoryLookup *lookup)
{
	Relation	rel;

	if (OidIsValid(lookup->relid))
	{
		LockRelationOid(lookup->relid, AccessShareLock);
		if (lookup->made == catalog_watch())
			return table_open(lookup->relid, NoLock);
		UnlockRelationOid(lookup->relid, AccessShareLock);
		lookup->relid = InvalidOid;
	}
	rel = table_openrv(makeRangeVar("provreq",
									unconstify(char *, lookup->table), -1),
					   AccessShareLock);
	describe(lookup, rel);
	return rel;
}

/* Nobody wants to be asked, and nobody would say no. */
static bool
permitted(Oid relid)
{
	return ExecutorCheckPerms_hook == NULL &&
		pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

static const char **
copy_columns(const DirectoryLookup *lookup, Relation rel, HeapTuple tuple)
{
	const char **columns = palloc0(sizeof(char *) * LOOKUP_COLUMNS);
	int			i;

	for (i = 0; i < LOOKUP_COLUMNS && lookup->columns[i] != NULL; i++)
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, lookup->attributes[i],
										 RelationGetDescr(rel), &isnull);

		if (!isnull)
			columns[i] = TextDatumGetCString(value);
	}
	return columns;
}

/* The row's columns, in "context", or NULL. */
static const char **
find_row(const DirectoryLookup *lookup, Relation rel, const char *value,
		 MemoryContext context)
{
	const char **columns = NULL;
	MemoryContext old;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	ScanKeyEntryInitialize(&key, 0, lookup->key_attribute,
						   BTEqualStrategyNumber, InvalidOid,
						   lookup->collation, F_TEXTEQ,
						   CStringGetTextDatum(value));
	scan = systable_beginscan(rel, lookup->index, true, GetActiveSnapshot(),
							  1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		old = MemoryContextSwitchTo(context);
		columns = copy_columns(lookup, rel, tuple);
		MemoryContextSwitchTo(old);
	}
	systable_endscan(scan);
	return columns;
}

bool
directory_lookup(DirectoryLookup *lookup, const char *value,
				 MemoryContext context, const char ***columns)
{
	Relation	rel = open_table(lookup);
	bool		fits = OidIsValid(lookup->index) && permitted(lookup->relid);

	if (fits)
		*columns = find_row(lookup, rel, value, context);
	table_close(rel, NoLock);
	return fits;
}
