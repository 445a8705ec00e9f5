/*-------------------------------------------------------------------------
 *
 * trigger_rules.h
 *		What the arguments of a trigger say about its table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_TRIGGER_RULES_H
#define PROVREQ_TRIGGER_RULES_H

#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "utils/rel.h"

/* The columns that a trigger can be told of. */
typedef enum TriggerColumn
{
	TRIGGER_PROVIDER,
	TRIGGER_SUBSCRIPTION,
	TRIGGER_SERVICE,
	TRIGGER_SMARTCARD,
	TRIGGER_STATE,
	TRIGGER_PRIORITY
} TriggerColumn;

#define TRIGGER_COLUMNS (TRIGGER_PRIORITY + 1)

typedef struct TriggerColumnRule
{
	AttrNumber	number;			/* 0: not told of */
	const char *field;			/* of the identifier; NULL: no identifier */
	Oid			type;			/* never a domain */
	bool		padded;			/* character(n) */
	FmgrInfo	output;
} TriggerColumnRule;

/* Owned by the memory context that was current when it was made. */
typedef struct TriggerRules
{
	TriggerColumnRule columns[TRIGGER_COLUMNS];
	const char *provider;		/* NULL: a column has it */
	const char *process_name;
	const char *priority;		/* where no column says another */
	List	   *active;			/* of char *: states, in the column's words */
	List	   *express;		/* of char *: likewise, of the priority */
} TriggerRules;

/* What one row says; texts are in the current memory context. */
typedef struct TriggerRow
{
	bool		active;			/* it lets a card have a service */
	bool		express;
	const char *provider;		/* these may be NULL unless active,
								 * subscription and service then, too */
	const char *subscription;	/* identifiers: field=value */
	const char *service;
	const char *smartcard;
} TriggerRow;

/*
 * Reads and checks the arguments.  Raises an error that names the one at
 * fault, as it does when a column is missing or the trigger is one that the
 * function cannot be called by.  Of the trigger it looks at tgname, tgtype,
 * tgargs, tgnargs, tgoldtable and tgnewtable.
 */
extern TriggerRules *trigger_rules_read(Relation rel, const Trigger *trigger);

/*
 * A value of the column as text, without the blanks that character(n) is
 * filled up with; in the current memory context.
 */
extern char *trigger_column_text(TriggerColumnRule *column, Datum value);

/* ---- trigger_row.c ---- */

/* Reads a row; one with a NULL in a column that matters is not active. */
extern void trigger_row_read(TriggerRules *rules, TupleTableSlot *slot,
							 TriggerRow *row);

#endif							/* PROVREQ_TRIGGER_RULES_H */
