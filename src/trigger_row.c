/*-------------------------------------------------------------------------
 *
 * trigger_row.c
 *		What one row of a trigger's table says.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "trigger_rules.h"

/* The column's text; NULL for NULL and where there is no column. */
static const char *
read_text(TriggerColumnRule *column, TupleTableSlot *slot)
{
	bool		isnull;
	Datum		value;

	if (column->number == 0)
		return NULL;
	value = slot_getattr(slot, column->number, &isnull);
	return isnull ? NULL : trigger_column_text(column, value);
}

static const char *
read_identifier(TriggerColumnRule *column, TupleTableSlot *slot)
{
	const char *value = read_text(column, slot);

	return value == NULL ? NULL : psprintf("%s=%s", column->field, value);
}

static bool
is_among(List *values, const char *value)
{
	ListCell   *cell;

	foreach(cell, values)
	{
		if (strcmp(lfirst(cell), value) == 0)
			return true;
	}
	return false;
}

static bool
has_active_state(TriggerRules *rules, TupleTableSlot *slot)
{
	TriggerColumnRule *column = &rules->columns[TRIGGER_STATE];
	const char *state = read_text(column, slot);

	if (column->number == 0)
		return true;
	return state != NULL && is_among(rules->active, state);
}

/* False when there is a column, but nothing in it. */
static bool
has_value(const TriggerColumnRule *column, const char *value)
{
	return column->number == 0 || value != NULL;
}

static bool
is_express(TriggerRules *rules, TupleTableSlot *slot)
{
	TriggerColumnRule *column = &rules->columns[TRIGGER_PRIORITY];
	const char *priority = read_text(column, slot);

	if (column->number == 0)
		return strcmp(rules->priority, "EXPRESS") == 0;
	return priority != NULL && is_among(rules->express, priority);
}

void
trigger_row_read(TriggerRules *rules, TupleTableSlot *slot, TriggerRow *row)
{
	TriggerColumnRule *columns = rules->columns;

	memset(row, 0, sizeof(TriggerRow));
	if (!has_active_state(rules, slot))
		return;
	row->provider = rules->provider != NULL ? rules->provider :
		read_text(&columns[TRIGGER_PROVIDER], slot);
	row->subscription = read_identifier(&columns[TRIGGER_SUBSCRIPTION], slot);
	row->service = read_identifier(&columns[TRIGGER_SERVICE], slot);
	row->smartcard = read_identifier(&columns[TRIGGER_SMARTCARD], slot);
	row->express = is_express(rules, slot);
	row->active = row->provider != NULL && row->smartcard != NULL &&
		has_value(&columns[TRIGGER_SUBSCRIPTION], row->subscription) &&
		has_value(&columns[TRIGGER_SERVICE], row->service);
}
