/*-------------------------------------------------------------------------
 *
 * web_api_read.c
 *		GET: provreq.show and provreq.list with parameters in JSON.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"

#include "complaint.h"
#include "web_api_private.h"

#define IDENTIFIER "provisioning_request_identifier"

static const char *const show_names[] = {IDENTIFIER, "fields_set", NULL};

/* In the order of provreq.list's arguments; "kind" comes behind them. */
static const char *const list_names[] = {
	"type", "life_cycle_state", "reference_number", "number_of_results",
	"offset", "fields_set", NULL
};

/* The first of list_names that are numbers, and behind the last of them. */
#define FIRST_NUMBER 3
#define AFTER_NUMBERS 5
#define LIST_ARGUMENTS 7

static bool
is_one_of(const char *const *names, const char *name)
{
	int			i;

	for (i = 0; names[i] != NULL; i++)
	{
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

/* Raises an error for a parameter that the operation does not have. */
static void
check_names(const WebCall *call, const char *const *names)
{
	List	   *valid = list_make1(pstrdup("token"));
	ListCell   *cell;
	int			i;

	for (i = 0; names[i] != NULL; i++)
		valid = lappend(valid, unconstify(char *, names[i]));
	foreach(cell, call->members)
	{
		const WebMember *member = lfirst(cell);

		if (!is_one_of(names, member->name))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_PARAMETER),
					 errmsg("\"%s\" has no parameter \"%s\"",
							call->operation, complaint_text(member->name)),
					 errhint("Valid parameters are %s.",
							 complaint_list(valid))));
	}
}

/* The text of a member, or SQL NULL. */
static void
set_text(const WebCall *call, const char *name, Datum *value, char *isnull)
{
	const JsonbValue *member = web_member(call->members, name);

	*isnull = member == NULL ? 'n' : ' ';
	if (member != NULL)
		*value = CStringGetTextDatum(web_string(name, member));
}

static void
set_kind(const WebCall *call, Datum *value, char *isnull)
{
	*isnull = ' ';
	*value = CStringGetTextDatum(call->adapter != NULL ? call->adapter->kind :
								 WEB_NEUTRAL_KIND);
}

/* The one jsonb that a statement returns, in the caller's memory context. */
static Jsonb *
select_jsonb(const char *sql, int nargs, Oid *types, Datum *values,
			 const char *nulls)
{
	Datum		data;
	bool		isnull;

	SPI_connect();
	if (SPI_execute_with_args(sql, nargs, types, values, nulls, false,
							  1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not read requests");
	data = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						 &isnull);
	data = SPI_datumTransfer(data, false, -1);
	SPI_finish();
	return DatumGetJsonbP(data);
}

/* Raises an error unless it is "id=..." or "number=" and a number. */
static void
check_identifier(const char *string)
{
	const char *number = string + strlen("number=");
	size_t		len;

	if (strncmp(string, "id=", strlen("id=")) == 0)
		return;
	if (strncmp(string, "number=", strlen("number=")) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" must be id=value or number=value",
						IDENTIFIER)));
	len = strlen(number);
	if (len < 1 || len > 18 || len != strspn(number, "0123456789"))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\": a number has 1 to 18 digits",
						IDENTIFIER)));
}

/* "number=18572", as a query string has it, or from an object in a body. */
static char *
request_identifier(const WebCall *call)
{
	const JsonbValue *value = web_member(call->members, IDENTIFIER);
	char	   *string;

	if (value == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("parameter \"%s\" is mandatory", IDENTIFIER)));
	string = value->type == jbvString ? web_string(IDENTIFIER, value) :
		web_identifier(IDENTIFIER, value);
	check_identifier(string);
	return string;
}

Jsonb *
web_show(const WebCall *call)
{
	Oid			types[3] = {TEXTOID, TEXTOID, TEXTOID};
	Datum		values[3];
	char		nulls[3];

	check_names(call, show_names);
	values[0] = CStringGetTextDatum(request_identifier(call));
	nulls[0] = ' ';
	set_text(call, "fields_set", &values[1], &nulls[1]);
	set_kind(call, &values[2], &nulls[2]);
	return select_jsonb("SELECT provreq.show($1, $2, $3)", 3, types, values,
						nulls);
}

static void
set_number(const WebCall *call, const char *name, Datum *value, char *isnull)
{
	const JsonbValue *member = web_member(call->members, name);
	int64		number;

	*isnull = member == NULL ? 'n' : ' ';
	if (member == NULL)
		return;
	number = web_integer(name, member);
	if (number < PG_INT32_MIN || number > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("parameter \"%s\" is out of range", name)));
	*value = Int32GetDatum((int32) number);
}

Jsonb *
web_list(const WebCall *call)
{
	Oid			types[LIST_ARGUMENTS] = {TEXTOID, TEXTOID, TEXTOID, INT4OID,
	INT4OID, TEXTOID, TEXTOID};
	Datum		values[LIST_ARGUMENTS];
	char		nulls[LIST_ARGUMENTS];
	int			i;

	check_names(call, list_names);
	for (i = 0; list_names[i] != NULL; i++)
	{
		if (i >= FIRST_NUMBER && i < AFTER_NUMBERS)
			set_number(call, list_names[i], &values[i], &nulls[i]);
		else
			set_text(call, list_names[i], &values[i], &nulls[i]);
	}
	set_kind(call, &values[i], &nulls[i]);
	return select_jsonb("SELECT coalesce(pg_catalog.jsonb_agg(l), '[]')"
						" FROM provreq.list($1, $2, $3, $4, $5, $6, $7) AS l",
						LIST_ARGUMENTS, types, values, nulls);
}
