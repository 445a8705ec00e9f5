/*-------------------------------------------------------------------------
 *
 * trigger.c
 *		The trigger function provreq.subscription_change().
 *
 * Rows of the CRM's own table become requests.  A trigger for each statement
 * reads the tables of changed rows as they are stored, without a query.
 *
 * An error in the arguments is an error of CREATE TRIGGER: the server has no
 * check of its own to offer, but its object access hook is called when the
 * trigger is in the catalog.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "trigger.h"
#include "trigger_change.h"
#include "trigger_rules.h"

PG_FUNCTION_INFO_V1(provreq_subscription_change);

/*
 * The statement whose rows are seen now.  It may call us once a row, and once
 * for each of INSERT, UPDATE and DELETE, in no useful order: WITH may delete
 * a row and insert another with the same card and service, and tells us first
 * of the insertion.  Therefore what a statement has added it never cancels.
 *
 * It is known by the snapshot that it works with, which no other statement of
 * the transaction has, since ours use up a command number.
 */
typedef struct TriggerStatement
{
	SubTransactionId subtransaction;
	TransactionId xmin;
	TransactionId xmax;
	CommandId	command;		/* of the snapshot */
	CommandId	seen;			/* up to where directory look-ups see */
	CommandId	left;			/* where our last call ended */
	MemoryContext context;		/* owns this struct, too */
	ChangeMemory *memory;
} TriggerStatement;

static TriggerStatement *statement = NULL;

static object_access_hook_type previous_hook = NULL;

/* ------------------------------------------------------------------------
 * The statement
 * ------------------------------------------------------------------------
 */

static void
forget_statement(void *unused)
{
	statement = NULL;
}

/* The transaction's end takes the memory away, and tells us. */
static void
make_statement(Snapshot snapshot)
{
	MemoryContext context;
	MemoryContextCallback *callback;

	if (statement != NULL)
		MemoryContextDelete(statement->context);
	context = AllocSetContextCreate(TopTransactionContext,
									"provreq trigger statement",
									ALLOCSET_DEFAULT_SIZES);
	callback = MemoryContextAlloc(context, sizeof(MemoryContextCallback));
	callback->func = forget_statement;
	callback->arg = NULL;
	MemoryContextRegisterResetCallback(context, callback);
	statement = MemoryContextAllocZero(context, sizeof(TriggerStatement));
	statement->subtransaction = GetCurrentSubTransactionId();
	statement->xmin = snapshot->xmin;
	statement->xmax = snapshot->xmax;
	statement->command = snapshot->curcid;
	statement->context = context;
	statement->memory = change_memory_make(context);
}

static bool
is_same_statement(Snapshot snapshot)
{
	return statement != NULL &&
		statement->subtransaction == GetCurrentSubTransactionId() &&
		statement->xmin == snapshot->xmin &&
		statement->xmax == snapshot->xmax &&
		statement->command == snapshot->curcid;
}

/*
 * Directory look-ups see what the statement has done, for the directory may
 * be views of the very table.  As long as nobody but ourselves has done
 * anything since our last call, they go on to see the same, so that what they
 * found is good for all rows.
 */
static void
push_snapshot(void)
{
	Snapshot	active = GetActiveSnapshot();
	bool		same = is_same_statement(active);

	if (!same)
		make_statement(active);
	CommandCounterIncrement();
	if (!same || statement->left != GetCurrentCommandId(false))
		statement->seen = GetCurrentCommandId(false);
	PushActiveSnapshot(GetTransactionSnapshot());
	GetActiveSnapshot()->curcid = statement->seen;
}

static void
pop_snapshot(void)
{
	PopActiveSnapshot();
	statement->left = GetCurrentCommandId(false);
}

/* ------------------------------------------------------------------------
 * Changed rows
 * ------------------------------------------------------------------------
 */

static void
collect_row(TriggerData *data, TriggerRules *rules, ChangeSet *set)
{
	TriggerEvent event = data->tg_event;
	TriggerRow	before = {0};
	TriggerRow	after = {0};

	if (TRIGGER_FIRED_BY_INSERT(event))
		trigger_row_read(rules, data->tg_trigslot, &after);
	else
		trigger_row_read(rules, data->tg_trigslot, &before);
	if (TRIGGER_FIRED_BY_UPDATE(event))
		trigger_row_read(rules, data->tg_newslot, &after);
	change_note(set, &before, CHANGE_BEFORE);
	change_note(set, &after, CHANGE_AFTER);
}

/*
 * The next row of a table of changed rows, or false; NULL has none.  The slot
 * is left empty: a row that was spilled to disk lives in the current memory
 * context.
 */
static bool
next_row(Tuplestorestate *store, TriggerRules *rules, TupleTableSlot *slot,
		 TriggerRow *row)
{
	memset(row, 0, sizeof(TriggerRow));
	if (store == NULL || !tuplestore_gettupleslot(store, true, false, slot))
		return false;
	trigger_row_read(rules, slot, row);
	ExecClearTuple(slot);
	return true;
}

static void
start_over(Tuplestorestate *store)
{
	if (store != NULL)
		tuplestore_rescan(store);
}

/* Deferred rows are of many statements, in order: nothing is to be mended. */
static void
carry_out(TriggerData *data, TriggerRules *rules, ChangeSet *set)
{
	if (change_set_is_empty(set))
		return;
	push_snapshot();
	change_set_carry_out(set, rules, data->tg_trigger->tgdeferrable ? NULL :
						 statement->memory);
	pop_snapshot();
}

/*
 * Where one table alone has rows nothing is to be paired, and requests are
 * made before the end when the changes take too much memory.
 */
static ChangeSet *
flush_when_full(TriggerData *data, TriggerRules *rules, ChangeSet *set)
{
	if (data->tg_oldtable != NULL && data->tg_newtable != NULL)
		return set;
	if (!change_set_is_full(set))
		return set;
	carry_out(data, rules, set);
	change_set_free(set);
	return change_set_make();
}

/*
 * Walks through both tables side by side.  A pair that says the same is not
 * kept in memory; "unchanged" looks for such pairs and for nothing else.
 * Should the rows of a pair not belong together, nothing is wrong but that
 * more is kept.  Returns the set, or another that holds what is left to do.
 */
static ChangeSet *
walk(TriggerData *data, TriggerRules *rules, ChangeSet *set,
	 TupleTableSlot *slot, bool unchanged)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "provreq changed rows",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	start_over(data->tg_oldtable);
	start_over(data->tg_newtable);
	for (;;)
	{
		TriggerRow	before;
		TriggerRow	after;
		bool		more;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(context);
		more = next_row(data->tg_oldtable, rules, slot, &before);
		more |= next_row(data->tg_newtable, rules, slot, &after);
		if (!more)
			break;
		if (unchanged && change_same(&before, &after))
			change_unchanged(set, &before);
		if (!unchanged && !change_same(&before, &after))
		{
			change_note(set, &before, CHANGE_BEFORE);
			change_note(set, &after, CHANGE_AFTER);
			MemoryContextSwitchTo(old);
			set = flush_when_full(data, rules, set);
			MemoryContextSwitchTo(context);
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return set;
}

static ChangeSet *
collect_statement(TriggerData *data, TriggerRules *rules, ChangeSet *set)
{
	TupleTableSlot *slot;

	slot = MakeSingleTupleTableSlot(RelationGetDescr(data->tg_relation),
									&TTSOpsMinimalTuple);
	set = walk(data, rules, set, slot, false);
	if (data->tg_oldtable != NULL && data->tg_newtable != NULL &&
		!change_set_is_empty(set))
		set = walk(data, rules, set, slot, true);
	ExecDropSingleTupleTableSlot(slot);
	return set;
}

/* ------------------------------------------------------------------------
 * The function
 * ------------------------------------------------------------------------
 */

static void
add_context(void *arg)
{
	const TriggerData *data = arg;

	errcontext("trigger \"%s\" on table \"%s\"", data->tg_trigger->tgname,
			   RelationGetRelationName(data->tg_relation));
}

static void
refuse_truncate(const TriggerData *data)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot truncate table \"%s\": its rows let smartcards "
					"have services",
					RelationGetRelationName(data->tg_relation)),
			 errhint("Use DELETE, which cancels them.")));
}

/* Read once a statement, as long as the function's call info lives. */
static TriggerRules *
rules_of_call(FunctionCallInfo fcinfo, const TriggerData *data)
{
	TriggerRules *rules = fcinfo->flinfo->fn_extra;
	MemoryContext old;

	if (rules != NULL)
		return rules;
	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	rules = trigger_rules_read(data->tg_relation, data->tg_trigger);
	MemoryContextSwitchTo(old);
	fcinfo->flinfo->fn_extra = rules;
	return rules;
}

Datum
provreq_subscription_change(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	ErrorContextCallback context;
	TriggerRules *rules;
	ChangeSet  *set;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("provreq.subscription_change() was not called by a "
						"trigger")));
	context.callback = add_context;
	context.arg = data;
	context.previous = error_context_stack;
	error_context_stack = &context;
	rules = rules_of_call(fcinfo, data);
	if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
		refuse_truncate(data);
	set = change_set_make();
	if (TRIGGER_FIRED_FOR_ROW(data->tg_event))
		collect_row(data, rules, set);
	else
		set = collect_statement(data, rules, set);
	carry_out(data, rules, set);
	change_set_free(set);
	error_context_stack = context.previous;
	return PointerGetDatum(NULL);
}

/* ------------------------------------------------------------------------
 * CREATE TRIGGER
 * ------------------------------------------------------------------------
 */

static bool
is_our_function(Oid function)
{
	char	   *schema = get_namespace_name(get_func_namespace(function));
	char	   *name = get_func_name(function);

	return schema != NULL && strcmp(schema, "provreq") == 0 &&
		name != NULL && strcmp(name, "subscription_change") == 0;
}

static char *
name_or_null(HeapTuple tuple, TupleDesc desc, int attribute)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, attribute, desc, &isnull);

	return isnull ? NULL : pstrdup(NameStr(*DatumGetName(value)));
}

/* In the catalog the arguments stand behind each other, ended by zeros. */
static void
read_catalog_arguments(Trigger *trigger, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, Anum_pg_trigger_tgargs, desc,
									 &isnull);
	char	   *next;
	int			i;

	if (isnull)
		elog(ERROR, "pg_trigger has a row without arguments");
	next = VARDATA_ANY(DatumGetByteaPP(value));
	trigger->tgargs = palloc0(sizeof(char *) * (trigger->tgnargs + 1));
	for (i = 0; i < trigger->tgnargs; i++)
	{
		trigger->tgargs[i] = pstrdup(next);
		next += strlen(next) + 1;
	}
}

/*
 * Raises an error if a trigger that is being made or changed is one of ours
 * and cannot work.
 */
static void
check_catalog_row(HeapTuple tuple, TupleDesc desc)
{
	Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);
	Trigger		trigger = {0};
	Relation	rel;

	if (form->tgisinternal || OidIsValid(form->tgparentid) ||
		!is_our_function(form->tgfoid))
		return;
	trigger.tgname = NameStr(form->tgname);
	trigger.tgtype = form->tgtype;
	trigger.tgnargs = form->tgnargs;
	trigger.tgoldtable = name_or_null(tuple, desc,
									  Anum_pg_trigger_tgoldtable);
	trigger.tgnewtable = name_or_null(tuple, desc,
									  Anum_pg_trigger_tgnewtable);
	read_catalog_arguments(&trigger, tuple, desc);
	rel = relation_open(form->tgrelid, AccessShareLock);
	(void) trigger_rules_read(rel, &trigger);
	relation_close(rel, NoLock);
}

/* The row that the current command has made is visible to itself only. */
static void
check_new_trigger(Oid oid)
{
	Relation	rel = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(oid));
	scan = systable_beginscan(rel, TriggerOidIndexId, true, SnapshotSelf, 1,
							  &key);
	if (HeapTupleIsValid(tuple = systable_getnext(scan)))
		check_catalog_row(tuple, RelationGetDescr(rel));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

static void
object_accessed(ObjectAccessType access, Oid classId, Oid objectId, int subId,
				void *arg)
{
	if (previous_hook)
		previous_hook(access, classId, objectId, subId, arg);
	if (access == OAT_POST_CREATE && classId == TriggerRelationId)
		check_new_trigger(objectId);
}

void
trigger_install_hook(void)
{
	previous_hook = object_access_hook;
	object_access_hook = object_accessed;
}
