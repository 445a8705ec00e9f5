/*-------------------------------------------------------------------------
 *
 * queue_insert.c
 *		One row into the pending part, without a statement for it.
 *
 * Starting the executor for one INSERT costs several times what the row
 * itself does: constraints are read from their text and compiled anew, the
 * target and its indexes are described anew.  Here all of that is made once
 * and kept for the session.
 *
 * What is kept refers to no open relation: relations are opened by each call,
 * and whatever invalidates a cached relation or function makes the next call
 * start anew.  The table is locked before that is looked at, so that nothing
 * is missed, as with a statement.  What is kept is taken out while in use: a
 * call inside of a call makes its own, and with an error it goes away with
 * the (sub)transaction.
 *
 * The way is taken only where it leads to the same place as the statement.
 * Triggers, rules, policies, generated columns or indexes of other kinds that
 * somebody added, missing privileges, and modules that want to know of each
 * statement are all left to the statement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tupconvert.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_func.h"
#include "rewrite/rewriteHandler.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/typcache.h"

#include "catalog_watch.h"
#include "queue_insert.h"

typedef struct Inserter
{
	MemoryContext context;		/* owns everything below */
	uint64		made;			/* catalog_watch before it was made */
	Oid			relid;
	Oid			user;			/* whose rights its expressions have */
	bool		fits;			/* the rest is there and may be used */
	EState	   *estate;
	ResultRelInfo *target;		/* its relations are open during a call */
	Oid		   *indexes;		/* of the target's */
	TupleTableSlot *slot;
	int		   *attributes;		/* place in the slot of each named column */
	ExprState **defaults;		/* one for each attribute; NULL: none, or it
								 * is a named column */
	TupleDesc	row_type;		/* of provreq.request */
	TupleConversionMap *to_row; /* NULL: the columns are the same */
} Inserter;

static Inserter *kept = NULL;

/* ------------------------------------------------------------------------
 * Does it fit?
 * ------------------------------------------------------------------------
 */

/* Our own trigger is the only one that an INSERT fires. */
static bool
triggers_fit(Relation rel)
{
	List	   *name = list_make2(makeString("provreq"),
								  makeString("request_changed"));
	Oid			ours = LookupFuncName(name, 0, NULL, false);
	int			i;

	if (rel->trigdesc == NULL)
		return true;
	for (i = 0; i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (TRIGGER_FOR_INSERT(trigger->tgtype) && trigger->tgfoid != ours)
			return false;
	}
	return true;
}

/* Values can be put into all columns as they are, or left out. */
static bool
columns_fit(TupleDesc desc)
{
	int			i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (attribute->attisdropped)
			continue;
		if (attribute->attgenerated != '\0' ||
			get_typtype(attribute->atttypid) == TYPTYPE_DOMAIN)
			return false;
	}
	return true;
}

/*
 * No index's access method keeps a pin between calls, or a pointer to what
 * may go away without an invalidation of the index.
 */
static bool
indexes_fit(const ResultRelInfo *target)
{
	int			i;

	for (i = 0; i < target->ri_NumIndices; i++)
	{
		Oid			am = target->ri_IndexRelationDescs[i]->rd_rel->relam;

		if (am != BTREE_AM_OID && am != GIN_AM_OID)
			return false;
	}
	return true;
}

static bool
table_fits(Relation rel)
{
	return rel->rd_rel->relkind == RELKIND_RELATION &&
		rel->rd_rules == NULL && !rel->rd_rel->relrowsecurity &&
		triggers_fit(rel) && columns_fit(RelationGetDescr(rel));
}

/* Nobody wants to be asked, and nobody would say no. */
static bool
permitted(Oid relid)
{
	AclMode		needed = ACL_INSERT | ACL_SELECT;

	return ExecutorCheckPerms_hook == NULL &&
		pg_class_aclmask(relid, GetUserId(), needed, ACLMASK_ALL) == needed;
}

/* ------------------------------------------------------------------------
 * Making one
 * ------------------------------------------------------------------------
 */

/* Finds the attributes of the named columns; false when one is missing. */
static bool
find_attributes(Inserter *inserter, const char *const *names, int count)
{
	TupleDesc	desc = inserter->slot->tts_tupleDescriptor;
	int			i;

	inserter->attributes = palloc(sizeof(int) * count);
	for (i = 0; i < count; i++)
	{
		AttrNumber	number = get_attnum(inserter->relid, names[i]);

		if (number <= 0 || number > desc->natts)
			return false;
		inserter->attributes[i] = number - 1;
	}
	return true;
}

/* Defaults of the columns that are not given values. */
static void
compile_defaults(Inserter *inserter, Relation rel, int count)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool	   *named = palloc0(sizeof(bool) * desc->natts);
	int			i;

	inserter->defaults = palloc0(sizeof(ExprState *) * desc->natts);
	for (i = 0; i < count; i++)
		named[inserter->attributes[i]] = true;
	for (i = 0; i < desc->natts; i++)
	{
		Node	   *value;

		if (named[i] || TupleDescAttr(desc, i)->attisdropped)
			continue;
		value = build_column_default(rel, i + 1);
		if (value != NULL)
			inserter->defaults[i] = ExecPrepareExpr((Expr *) value,
													inserter->estate);
	}
}

static void
describe_row(Inserter *inserter)
{
	Oid			schema = get_namespace_oid("provreq", false);
	Oid			parent = get_relname_relid("request", schema);

	inserter->row_type = lookup_rowtype_tupdesc_copy(get_rel_type_id(parent),
													 -1);
	inserter->to_row =
		convert_tuples_by_name(inserter->slot->tts_tupleDescriptor,
							   inserter->row_type);
}

/* Opens the indexes too, and remembers which they are. */
static void
describe_target(Inserter *inserter, Relation rel)
{
	ResultRelInfo *target = makeNode(ResultRelInfo);
	int			i;

	InitResultRelInfo(target, rel, 0, NULL, 0);
	ExecOpenIndices(target, false);
	inserter->target = target;
	inserter->indexes = palloc(sizeof(Oid) * (target->ri_NumIndices + 1));
	for (i = 0; i < target->ri_NumIndices; i++)
		inserter->indexes[i] =
			RelationGetRelid(target->ri_IndexRelationDescs[i]);
}

/* Everything but the header; the relations of the target are left open. */
static void
fill_in(Inserter *inserter, Relation rel, const char *const *names, int count)
{
	TupleDesc	desc = CreateTupleDescCopy(RelationGetDescr(rel));

	inserter->estate = CreateExecutorState();
	inserter->slot = MakeSingleTupleTableSlot(desc, &TTSOpsHeapTuple);
	describe_target(inserter, rel);
	inserter->fits = indexes_fit(inserter->target) &&
		find_attributes(inserter, names, count);
	if (!inserter->fits)
	{
		ExecCloseIndices(inserter->target);
		return;
	}
	compile_defaults(inserter, rel, count);
	describe_row(inserter);
}

/*
 * A new inserter in the transaction's memory.  What is invalidated while it
 * is being made may or may not be in it, and makes it the last of its kind.
 */
static Inserter *
make_inserter(Relation rel, const char *const *names, int count)
{
	MemoryContext context = AllocSetContextCreate(CurTransactionContext,
												  "provreq inserter",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Inserter   *inserter = palloc0(sizeof(Inserter));

	inserter->context = context;
	inserter->made = catalog_watch();
	inserter->relid = RelationGetRelid(rel);
	inserter->user = GetUserId();
	if (table_fits(rel))
		fill_in(inserter, rel, names, count);
	MemoryContextSwitchTo(old);
	return inserter;
}

/* ------------------------------------------------------------------------
 * Taking it out and putting it back
 * ------------------------------------------------------------------------
 */

static bool
is_current(const Inserter *inserter)
{
	return inserter->made == catalog_watch() && inserter->user == GetUserId();
}

static void
discard(Inserter *inserter)
{
	MemoryContextDelete(inserter->context);
}

/*
 * Locks and opens the table.  That lets in what others have changed, so that
 * afterwards what is kept is known to be current, or is gone.
 */
static Relation
open_table(void)
{
	if (kept != NULL)
	{
		Oid			relid = kept->relid;

		LockRelationOid(relid, RowExclusiveLock);
		if (kept != NULL && is_current(kept))
			return table_open(relid, NoLock);
		UnlockRelationOid(relid, RowExclusiveLock);
	}
	if (kept != NULL)
		discard(kept);
	kept = NULL;
	return table_openrv(makeRangeVar("provreq", "request_pending", -1),
						RowExclusiveLock);
}

static void
open_indexes(Inserter *inserter)
{
	ResultRelInfo *target = inserter->target;
	int			i;

	for (i = 0; i < target->ri_NumIndices; i++)
		target->ri_IndexRelationDescs[i] = index_open(inserter->indexes[i],
													  RowExclusiveLock);
}

/* The locks stay, as those of a statement's table do. */
static void
close_indexes(Inserter *inserter)
{
	ResultRelInfo *target = inserter->target;
	int			i;

	for (i = 0; i < target->ri_NumIndices; i++)
		index_close(target->ri_IndexRelationDescs[i], NoLock);
}

/*
 * An inserter for the table, with all relations open when it fits.
 *
 * Of a GIN index the cached relation is remembered, too.  Each lock on an
 * index lets in what others have changed, and a relation that is not open yet
 * then goes away: so this is looked at once more when all are open, for after
 * that they stay where they are.
 */
static Inserter *
take_out(Relation rel, const char *const *names, int count)
{
	Inserter   *inserter = kept;

	if (inserter == NULL)
		return make_inserter(rel, names, count);
	kept = NULL;
	MemoryContextSetParent(inserter->context, CurTransactionContext);
	if (!inserter->fits)
		return inserter;
	inserter->target->ri_RelationDesc = rel;
	open_indexes(inserter);
	if (is_current(inserter))
		return inserter;
	close_indexes(inserter);
	discard(inserter);
	return make_inserter(rel, names, count);
}

static void
put_back(Inserter *inserter)
{
	if (kept != NULL || !is_current(inserter))
	{
		discard(inserter);
		return;
	}
	MemoryContextSetParent(inserter->context, TopMemoryContext);
	kept = inserter;
}

/* ------------------------------------------------------------------------
 * Inserting
 * ------------------------------------------------------------------------
 */

/* A row of given values and, before, defaults. */
static void
fill_slot(Inserter *inserter, const Datum *values, const bool *nulls,
		  int count)
{
	TupleTableSlot *slot = inserter->slot;
	ExprContext *expressions = GetPerTupleExprContext(inserter->estate);
	int			natts = slot->tts_tupleDescriptor->natts;
	int			i;

	ExecClearTuple(slot);
	ResetExprContext(expressions);
	memset(slot->tts_isnull, true, natts * sizeof(bool));
	for (i = 0; i < natts; i++)
	{
		if (inserter->defaults[i] != NULL)
			slot->tts_values[i] =
				ExecEvalExprSwitchContext(inserter->defaults[i], expressions,
										  &slot->tts_isnull[i]);
	}
	for (i = 0; i < count; i++)
	{
		slot->tts_values[inserter->attributes[i]] = values[i];
		slot->tts_isnull[inserter->attributes[i]] = nulls[i];
	}
	ExecStoreVirtualTuple(slot);
}

/* The row as it was stored, our trigger having seen it. */
static Datum
stored_row(const Inserter *inserter)
{
	bool		unused;
	HeapTuple	tuple = ExecFetchSlotHeapTuple(inserter->slot, true, &unused);

	if (inserter->to_row != NULL)
		tuple = execute_attr_map_tuple(tuple, inserter->to_row);
	return heap_copy_tuple_as_datum(tuple, inserter->row_type);
}

bool
queue_insert(const char *const *names, const Datum *values,
			 const bool *nulls, int count, Datum *row)
{
	Relation	rel;
	Inserter   *inserter;
	bool		fits;

	rel = open_table();
	if (!permitted(RelationGetRelid(rel)))
	{
		table_close(rel, NoLock);
		return false;
	}
	inserter = take_out(rel, names, count);
	fits = inserter->fits;
	if (fits)
	{
		fill_slot(inserter, values, nulls, count);
		ExecSimpleRelationInsert(inserter->target, inserter->estate,
								 inserter->slot);
		*row = stored_row(inserter);
		ExecClearTuple(inserter->slot);
		close_indexes(inserter);
		CommandCounterIncrement();
	}
	table_close(rel, NoLock);
	put_back(inserter);
	return fits;
}
