/*-------------------------------------------------------------------------
 *
 * provider_options.c
 *		Checks what DDL writes: the options of servers and user mappings, and
 *		wire profiles.
 *
 * A validator learns its adapter from its own name, so a new system needs a
 * CREATE FUNCTION and no code here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "complaint.h"
#include "provider.h"
#include "statement_text.h"
#include "wake.h"

PG_FUNCTION_INFO_V1(provreq_validate_options);
PG_FUNCTION_INFO_V1(provreq_check_wire_profile);

/* Bytes of a name, an address, a path, or a list of source ids */
#define MAX_LINE 4096

/* The names of all options of one place, for a hint. */
static char *
option_names(const CasSettings *settings, CasOptionPlace place)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; settings->options[i].name; i++)
		if (settings->options[i].place == place)
			appendStringInfo(&names, "%s%s", names.len ? ", " : "",
							 settings->options[i].name);
	return names.data;
}

/* A whole number, or a duration, within the option's limits. */
static void
check_number(const CasOption *option, const char *value)
{
	int			flags = option->kind == CAS_OPTION_DURATION ? GUC_UNIT_MS : 0;
	const char *hint = NULL;
	int			number;

	if (!parse_int(value, &number, flags, &hint))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"",
						option->name, complaint_text(value)),
				 hint ? errhint("%s", _(hint)) :
				 errhint("Give a whole number.")));
	if (number < option->min || number > option->max)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("value %s of option \"%s\" is outside of " INT64_FORMAT
						" to " INT64_FORMAT "%s",
						complaint_text(value), option->name, option->min,
						option->max,
						flags ? " ms" : "")));
}

static void
check_choice(const CasOption *option, const char *value)
{
	char	   *words = pstrdup(option->choices);
	char	   *save = NULL;

	for (char *word = strtok_r(words, ", ", &save); word;
		 word = strtok_r(NULL, ", ", &save))
		if (strcmp(word, value) == 0)
			return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\": \"%s\"",
					option->name, complaint_text(value)),
			 errhint("Valid values are: %s.", option->choices)));
}

/* Names, addresses and paths have one short line. */
static void
check_line(const CasOption *option, const char *value)
{
	if (complaint_has_control(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"%s\" contains a control character",
						option->name)));
	if (strlen(value) > MAX_LINE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"%s\" is longer than %d bytes",
						option->name, MAX_LINE)));
}

static void
check_file(const CasOption *option)
{
	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to set option \"%s\"",
						option->name),
				 errhint("Options that name files on the server may be set by superusers only.")));
}

/* Values that are secrets never appear in an error. */
static void
check_value(const CasOption *option, const char *value)
{
	bool		flag;

	switch (option->kind)
	{
		case CAS_OPTION_INTEGER:
		case CAS_OPTION_DURATION:
			check_number(option, value);
			break;
		case CAS_OPTION_CHOICE:
			check_choice(option, value);
			break;
		case CAS_OPTION_FILE:
			check_file(option);
			check_line(option, value);
			break;
		case CAS_OPTION_BOOLEAN:
			if (!parse_bool(value, &flag))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("invalid value for option \"%s\": \"%s\"",
								option->name, complaint_text(value)),
						 errhint("Valid values are: true, false.")));
			break;
		case CAS_OPTION_TEXT:
			check_line(option, value);
			break;
		case CAS_OPTION_SECRET:
			break;
	}
	if (value[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"%s\" must not be empty", option->name)));
}

/* Puts one option of the DDL where it belongs, or raises. */
static void
take_option(CasSettings *settings, CasOptionPlace place, const DefElem *def)
{
	const char *value = defGetString((DefElem *) def);

	for (int i = 0; settings->options[i].name; i++)
	{
		const CasOption *option = &settings->options[i];

		if (option->place != place || strcmp(option->name, def->defname) != 0)
			continue;
		check_value(option, value);
		settings->values[i] = value;
		return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\"", def->defname),
			 *option_names(settings, place) ?
			 errhint("Valid options of a %s are: %s.",
					 place == CAS_ON_SERVER ? "server" : "user mapping",
					 option_names(settings, place)) :
			 errhint("A %s of this kind has no options.",
					 place == CAS_ON_SERVER ? "server" : "user mapping")));
}

static void
check_mandatory(const CasSettings *settings, CasOptionPlace place)
{
	for (int i = 0; settings->options[i].name; i++)
	{
		const CasOption *option = &settings->options[i];

		if (option->mandatory && option->place == place &&
			settings->values[i] == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
					 errmsg("option \"%s\" is missing", option->name),
					 errhint("Valid options are: %s.",
							 option_names(settings, place))));
	}
}

/* The adapter that a validator function is for, by the function's name. */
static const CasAdapter *
validator_adapter(Oid function)
{
	char	   *name = get_func_name(function);
	char	   *suffix = name ? strstr(name, "_validator") : NULL;
	const CasAdapter *adapter;

	if (suffix)
		*suffix = '\0';
	adapter = suffix ? adapter_by_kind(name) : NULL;
	if (adapter == NULL)
		elog(ERROR, "function %u is not the validator of a known system",
			 function);
	return adapter;
}

/*
 * The options of a user mapping are secrets, also where somebody misspelt
 * their names, and so is a password in a URL.  They are in the text of the
 * statement, and in the contexts of an error if a function executes it.
 */
static void
hide_secrets(Oid function, Oid catalog, List *defs)
{
	bool		secret = catalog == UserMappingRelationId;
	ListCell   *lc;

	foreach(lc, defs)
	{
		if (strchr(defGetString(lfirst(lc)), '@') != NULL)
			secret = true;
	}
	if (!secret)
		return;
	statement_text_hide(get_func_name(function));
	error_context_stack = NULL;
}

/* The validator of all our foreign data wrappers. */
Datum
provreq_validate_options(PG_FUNCTION_ARGS)
{
	List	   *defs = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid			catalog = PG_GETARG_OID(1);
	const CasAdapter *adapter = validator_adapter(fcinfo->flinfo->fn_oid);
	ErrorContextCallback *contexts = error_context_stack;
	CasSettings *settings;
	CasOptionPlace place;
	ListCell   *lc;

	if (catalog != ForeignServerRelationId &&
		catalog != UserMappingRelationId)
	{
		if (defs != NIL)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("options belong to a server or a user mapping")));
		PG_RETURN_VOID();
	}
	hide_secrets(fcinfo->flinfo->fn_oid, catalog, defs);
	place = catalog == ForeignServerRelationId ? CAS_ON_SERVER :
		CAS_ON_USER_MAPPING;
	settings = settings_empty(adapter, "");
	foreach(lc, defs)
		take_option(settings, place, lfirst(lc));
	check_mandatory(settings, place);
	if (adapter->check_options)
		adapter->check_options(settings, place);
	error_context_stack = contexts;
	PG_RETURN_VOID();
}

/* A profile as shipped gives way to one of the same name: see the schema. */
static void
replace_shipped(Datum name)
{
	Oid			type = TEXTOID;

	SPI_connect();
	if (SPI_execute_with_args("DELETE FROM provreq.wire_profile"
							  " WHERE name OPERATOR(pg_catalog.=) $1"
							  " AND NOT modified",
							  1, &type, &name, NULL, false, 0) < 0)
		elog(ERROR, "could not replace a shipped profile");
	SPI_finish();
}

/* The adapter that compiles profiles of a kind; raises when there is none. */
static const CasAdapter *
profile_adapter(Datum kind)
{
	const CasAdapter *adapter = adapter_by_kind(TextDatumGetCString(kind));
	StringInfoData kinds;

	if (adapter != NULL && adapter->compile_profile != NULL)
		return adapter;
	initStringInfo(&kinds);
	adapter = NULL;
	while ((adapter = adapter_next(adapter)) != NULL)
		if (adapter->compile_profile != NULL)
			appendStringInfo(&kinds, "%s%s", kinds.len ? ", " : "",
							 adapter->kind);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid kind of wire profile: \"%s\"",
					complaint_text(TextDatumGetCString(kind))),
			 errhint("Valid kinds are: %s.", kinds.data)));
}

/* Checks a row that is to be written and marks it as modified. */
static HeapTuple
profile_checked(TriggerData *trigger, HeapTuple tuple)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	int			columns[2];
	int			ncolumns;
	Datum		values[2];
	bool		nulls[2] = {false, false};
	Datum		name,
				kind,
				document;
	bool		isnull[3];

	name = heap_getattr(tuple, SPI_fnumber(desc, "name"), desc, &isnull[0]);
	kind = heap_getattr(tuple, SPI_fnumber(desc, "kind"), desc, &isnull[1]);
	document = heap_getattr(tuple, SPI_fnumber(desc, "document"), desc,
							&isnull[2]);
	if (isnull[0] || isnull[1] || isnull[2])
		return tuple;			/* the NOT NULL constraints say it better */
	(void) profile_adapter(kind)->compile_profile(DatumGetJsonbP(document));
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event) && !creating_extension)
		replace_shipped(name);
	columns[0] = SPI_fnumber(desc, "modified");
	values[0] = BoolGetDatum(!creating_extension);
	columns[1] = SPI_fnumber(desc, "updated_date");
	values[1] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	/* an INSERT brings its date, or the default: a dump has the old one */
	ncolumns = TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ? 1 : 2;
	return heap_modify_tuple_by_cols(tuple, desc, ncolumns, columns, values,
									 nulls);
}

Datum
provreq_check_wire_profile(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("provreq.check_wire_profile() must be called as a trigger")));
	wake_all_senders_at_commit(WAKE_RELOAD);
	wake_supervisor_at_commit();
	CacheInvalidateRelcacheByRelid(RelationGetRelid(trigger->tg_relation));
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		return PointerGetDatum(trigger->tg_trigtuple);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return PointerGetDatum(profile_checked(trigger,
											   trigger->tg_newtuple));
	return PointerGetDatum(profile_checked(trigger, trigger->tg_trigtuple));
}
