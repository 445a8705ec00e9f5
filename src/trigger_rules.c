/*-------------------------------------------------------------------------
 *
 * trigger_rules.c
 *		What the arguments of a trigger say about its table.
 *
 * Each argument is "name=value".  Values of states and priorities go through
 * the column's own type, so that a misspelt enum label is an error, and
 * "yes" is a boolean's "t".
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "api.h"
#include "complaint.h"
#include "directory.h"
#include "trigger_request.h"
#include "trigger_rules.h"

#define ARGUMENTS_HINT \
	"Valid arguments are provider, provider_column, subscription, service, " \
	"smartcard, state, active, process_name, priority, priority_column, " \
	"express, each as 'name=value'."

/* An argument that names a column. */
typedef struct ColumnArgument
{
	const char *name;
	TriggerColumn column;
	bool		identifier;		/* "column" or "column:field" */
	CasParameterKind kind;
	const char *field;			/* by default */
} ColumnArgument;

static const ColumnArgument column_arguments[] = {
	{"provider_column", TRIGGER_PROVIDER},
	{"subscription", TRIGGER_SUBSCRIPTION, true, CAS_SUBSCRIPTION, "number"},
	{"service", TRIGGER_SERVICE, true, CAS_SERVICE, "code"},
	{"smartcard", TRIGGER_SMARTCARD, true, CAS_SMARTCARD, "serial_number"},
	{"state", TRIGGER_STATE},
	{"priority_column", TRIGGER_PRIORITY},
	{NULL}
};

/* The arguments while they are read: values by name, in order. */
typedef struct TriggerArguments
{
	int			count;
	char	  **names;
	char	  **values;
} TriggerArguments;

/* ------------------------------------------------------------------------
 * Is it a trigger that can do it?
 * ------------------------------------------------------------------------
 */

static void
check_timing(Relation rel, const Trigger *trigger)
{
	if (TRIGGER_FOR_TRUNCATE(trigger->tgtype))
		return;
	if (!TRIGGER_FOR_AFTER(trigger->tgtype))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("trigger \"%s\" on \"%s\" must fire after the change",
						trigger->tgname, RelationGetRelationName(rel)),
				 errhint("Write AFTER instead of BEFORE or INSTEAD OF in "
						 "CREATE TRIGGER.")));
}

/* For each row, or for each statement with all tables of changed rows. */
static void
check_level(Relation rel, const Trigger *trigger)
{
	int16		type = trigger->tgtype;
	bool		needs_new;
	bool		needs_old;

	needs_new = TRIGGER_FOR_INSERT(type) || TRIGGER_FOR_UPDATE(type);
	needs_old = TRIGGER_FOR_UPDATE(type) || TRIGGER_FOR_DELETE(type);
	if (TRIGGER_FOR_ROW(type) ||
		((!needs_new || trigger->tgnewtable != NULL) &&
		 (!needs_old || trigger->tgoldtable != NULL)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("trigger \"%s\" on \"%s\" is not given the changed rows",
					trigger->tgname, RelationGetRelationName(rel)),
			 errhint("A trigger FOR EACH STATEMENT needs%s%s%s; one FOR EACH "
					 "ROW needs nothing.",
					 needs_old ? " REFERENCING OLD TABLE AS old_rows" : "",
					 needs_old && needs_new ? " and" : "",
					 !needs_new ? "" : needs_old ? " NEW TABLE AS new_rows" :
					 " REFERENCING NEW TABLE AS new_rows")));
}

/* ------------------------------------------------------------------------
 * The arguments
 * ------------------------------------------------------------------------
 */

/* Is it the name of a trigger argument? */
static bool
is_known(const char *name)
{
	static const char *const others[] = {
		"provider", "active", "process_name", "priority", "express", NULL
	};
	int			i;

	for (i = 0; column_arguments[i].name != NULL; i++)
	{
		if (strcmp(column_arguments[i].name, name) == 0)
			return true;
	}
	for (i = 0; others[i] != NULL; i++)
	{
		if (strcmp(others[i], name) == 0)
			return true;
	}
	return false;
}

/*
 * A trigger argument as name and value.  Raises an error if it is of another
 * form, or the name of none.
 */
static void
split_argument(const char *argument, char **name, char **value)
{
	const char *equals = strchr(argument, '=');

	if (equals == NULL || equals[1] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("trigger argument \"%s\" must have the form "
						"name=value", complaint_text(argument)),
				 errhint(ARGUMENTS_HINT)));
	*name = pnstrdup(argument, equals - argument);
	*value = pstrdup(equals + 1);
	if (!is_known(*name))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_PARAMETER),
				 errmsg("there is no trigger argument \"%s\"",
						complaint_text(*name)),
				 errhint(ARGUMENTS_HINT)));
}

static const char *
argument_value(const TriggerArguments *arguments, const char *name)
{
	int			i;

	for (i = 0; i < arguments->count; i++)
	{
		if (strcmp(arguments->names[i], name) == 0)
			return arguments->values[i];
	}
	return NULL;
}

/* All arguments of a trigger, none of them twice. */
static void
split_arguments(TriggerArguments *arguments, const Trigger *trigger)
{
	int			i;

	arguments->names = palloc(sizeof(char *) * (trigger->tgnargs + 1));
	arguments->values = palloc(sizeof(char *) * (trigger->tgnargs + 1));
	for (i = 0; i < trigger->tgnargs; i++)
	{
		char	   *name;
		char	   *value;

		split_argument(trigger->tgargs[i], &name, &value);
		if (argument_value(arguments, name) != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_OBJECT),
					 errmsg("trigger argument \"%s\" is given twice", name)));
		arguments->names[i] = name;
		arguments->values[i] = value;
		arguments->count++;
	}
}

/* Raises an error unless exactly one of the two is given. */
static void
check_alternatives(const TriggerArguments *arguments, const char *one,
				   const char *other)
{
	if (argument_value(arguments, one) != NULL &&
		argument_value(arguments, other) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("trigger arguments \"%s\" and \"%s\" exclude each "
						"other", one, other)));
}

static void
check_given(const TriggerArguments *arguments, const char *name,
			const char *needed_by)
{
	if (argument_value(arguments, name) != NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 needed_by == NULL ?
			 errmsg("trigger argument \"%s\" is missing", name) :
			 errmsg("trigger argument \"%s\" is missing, which \"%s\" needs",
					name, needed_by),
			 errhint(ARGUMENTS_HINT)));
}

static void
check_combination(const TriggerArguments *arguments)
{
	check_alternatives(arguments, "provider", "provider_column");
	check_alternatives(arguments, "priority", "priority_column");
	if (argument_value(arguments, "provider_column") == NULL)
		check_given(arguments, "provider", NULL);
	check_given(arguments, "smartcard", NULL);
	if (argument_value(arguments, "active") != NULL)
		check_given(arguments, "state", "active");
	if (argument_value(arguments, "express") != NULL)
		check_given(arguments, "priority_column", "express");
}

/* ------------------------------------------------------------------------
 * Columns
 * ------------------------------------------------------------------------
 */

/*
 * A column of the trigger's table; raises an error if it has none of that
 * name.
 */
static AttrNumber
find_column(Relation rel, const char *argument, const char *name)
{
	TupleDesc	desc = RelationGetDescr(rel);
	int			i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped &&
			strcmp(NameStr(attribute->attname), name) == 0)
			return i + 1;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("table \"%s\" has no column \"%s\", which trigger "
					"argument \"%s\" names", RelationGetRelationName(rel),
					complaint_text(name), argument),
			 errhint("After a column was renamed or dropped, the trigger has "
					 "to be created anew.")));
}

/* Takes ":field" off the value; the default where there is none. */
static const char *
identifier_field(const ColumnArgument *argument, char *value)
{
	char	   *colon = strrchr(value, ':');

	if (colon == NULL)
		return argument->field;
	*colon = '\0';
	directory_check_field(argument->kind, argument->name, colon + 1);
	return colon + 1;
}

/*
 * Values are read and shown with the rights of the function's owner, so that
 * only types will do whose functions a superuser has made: no domains, whose
 * constraints are anybody's (they are taken for what they are made of), and
 * nothing that may have domains inside.
 */
static void
check_type(Oid type, const char *argument, const char *column)
{
	char		sort = get_typtype(type);

	if ((sort == TYPTYPE_BASE && get_element_type(type) == InvalidOid) ||
		sort == TYPTYPE_ENUM)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\", which trigger argument \"%s\" names, "
					"cannot be of type %s", column, argument,
					format_type_be(type)),
			 errhint("It must hold a single value.")));
}

static void
read_column(TriggerRules *rules, Relation rel, const ColumnArgument *argument,
			const char *given)
{
	TriggerColumnRule *column = &rules->columns[argument->column];
	char	   *name = pstrdup(given);
	Oid			output;
	bool		unused;

	if (argument->identifier)
		column->field = identifier_field(argument, name);
	column->number = find_column(rel, argument->name, name);
	column->type = getBaseType(TupleDescAttr(RelationGetDescr(rel),
											 column->number - 1)->atttypid);
	check_type(column->type, argument->name, name);
	column->padded = column->type == BPCHAROID;
	getTypeOutputInfo(column->type, &output, &unused);
	fmgr_info(output, &column->output);
}

char *
trigger_column_text(TriggerColumnRule *column, Datum value)
{
	char	   *shown = OutputFunctionCall(&column->output, value);
	size_t		len = strlen(shown);

	while (column->padded && len > 0 && shown[len - 1] == ' ')
		shown[--len] = '\0';
	return shown;
}

/* What a value looks like when it is read from the column. */
static char *
as_column_shows(TriggerColumnRule *column, char *value)
{
	Oid			input;
	Oid			parameter;
	Datum		read;

	getTypeInputInfo(column->type, &input, &parameter);
	read = OidInputFunctionCall(input, value, parameter, -1);
	return trigger_column_text(column, read);
}

static char *
trim(char *string)
{
	size_t		len;

	string += strspn(string, " ");
	len = strlen(string);
	while (len > 0 && string[len - 1] == ' ')
		string[--len] = '\0';
	return string;
}

/* "ACTIVE, TRIAL" as the column shows them. */
static List *
read_values(TriggerColumnRule *column, const char *argument,
			const char *values)
{
	char	   *rest = pstrdup(values);
	List	   *list = NIL;

	while (rest != NULL)
	{
		char	   *comma = strchr(rest, ',');
		char	   *value;

		if (comma != NULL)
			*comma = '\0';
		value = trim(rest);
		if (*value == '\0')
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("trigger argument \"%s\" has an empty value",
							argument)));
		list = lappend(list, as_column_shows(column, value));
		rest = comma != NULL ? comma + 1 : NULL;
	}
	return list;
}

/* ------------------------------------------------------------------------
 * Together
 * ------------------------------------------------------------------------
 */

static void
read_states(TriggerRules *rules, const TriggerArguments *arguments)
{
	TriggerColumnRule *column = &rules->columns[TRIGGER_STATE];
	const char *active = argument_value(arguments, "active");

	if (column->number == 0)
		return;
	if (active == NULL && column->type != BOOLOID)
		check_given(arguments, "active", "state");
	rules->active = read_values(column, "active",
								active != NULL ? active : "true");
}

static void
read_priority(TriggerRules *rules, const TriggerArguments *arguments)
{
	TriggerColumnRule *column = &rules->columns[TRIGGER_PRIORITY];
	const char *express = argument_value(arguments, "express");
	const char *priority = argument_value(arguments, "priority");

	rules->priority = priority != NULL ? priority : "REGULAR";
	api_check_word("priority", rules->priority);
	if (column->number != 0)
		rules->express = read_values(column, "express",
									 express != NULL ? express : "EXPRESS");
}

static void
read_process_name(TriggerRules *rules, const TriggerArguments *arguments)
{
	const char *name = argument_value(arguments, "process_name");

	rules->process_name = name != NULL ? name :
		"PROVISIONING_REQUEST_PROCESSING";
	api_check_word("process_name", rules->process_name);
}

/* What a known provider needs must be there before the first row comes. */
static void
read_provider(TriggerRules *rules, const TriggerArguments *arguments)
{
	rules->provider = argument_value(arguments, "provider");
	if (rules->provider == NULL)
		return;
	change_check_provider(rules->provider,
						  argument_value(arguments, "subscription"),
						  argument_value(arguments, "service"));
}

TriggerRules *
trigger_rules_read(Relation rel, const Trigger *trigger)
{
	TriggerRules *rules = palloc0(sizeof(TriggerRules));
	TriggerArguments arguments = {0};
	int			i;

	check_timing(rel, trigger);
	check_level(rel, trigger);
	split_arguments(&arguments, trigger);
	if (TRIGGER_FOR_TRUNCATE(trigger->tgtype))
		return rules;
	check_combination(&arguments);
	for (i = 0; column_arguments[i].name != NULL; i++)
	{
		const char *value = argument_value(&arguments,
										   column_arguments[i].name);

		if (value != NULL)
			read_column(rules, rel, &column_arguments[i], value);
	}
	read_states(rules, &arguments);
	read_priority(rules, &arguments);
	read_process_name(rules, &arguments);
	read_provider(rules, &arguments);
	return rules;
}
