/*-------------------------------------------------------------------------
 *
 * api_arguments.c
 *		Named arguments, and the generic rules of CasParameter.
 *
 * The value of a secret parameter is in no message here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <errno.h>

#include "mb/pg_wchar.h"

#include "api.h"
#include "complaint.h"
#include "directory.h"
#include "instant.h"

/* As many members as a set may have. */
#define MAX_SET 500

/* Arguments that every operation has. */
static const char *const common_names[] = {
	"process_immediately", "scheduled_date", "priority", "provider",
	"process_name", "process_id", "name", "udf", NULL
};

const ApiArgument *
api_argument(List *arguments, const char *name)
{
	ListCell   *cell;

	foreach(cell, arguments)
	{
		const ApiArgument *argument = lfirst(cell);

		if (strcmp(argument->name, name) == 0)
			return argument->isnull ? NULL : argument;
	}
	return NULL;
}

static bool
is_common(const char *name)
{
	int			i;

	for (i = 0; common_names[i] != NULL; i++)
	{
		if (strcmp(common_names[i], name) == 0)
			return true;
	}
	return false;
}

static bool
is_parameter(const CasOperation *operation, const char *name)
{
	const CasParameter *parameter;

	for (parameter = operation->parameters; parameter->name; parameter++)
	{
		if (strcmp(parameter->name, name) == 0)
			return true;
	}
	return false;
}

/* All arguments that an operation has, for a hint. */
static char *
valid_names(const CasOperation *operation)
{
	const CasParameter *parameter;
	List	   *names = NIL;
	int			i;

	for (parameter = operation->parameters; parameter->name; parameter++)
		names = lappend(names, unconstify(char *, parameter->name));
	for (i = 0; common_names[i] != NULL; i++)
		names = lappend(names, unconstify(char *, common_names[i]));
	return complaint_list(names);
}

void
api_check_names(const CasOperation *operation, List *arguments)
{
	ListCell   *cell;

	foreach(cell, arguments)
	{
		const ApiArgument *argument = lfirst(cell);

		if (!is_common(argument->name) &&
			!is_parameter(operation, argument->name))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_PARAMETER),
					 errmsg("operation \"%s\" has no parameter \"%s\"",
							operation->name,
							complaint_text(argument->name)),
					 errhint("Valid parameters are %s.",
							 valid_names(operation))));
	}
}

/* Raises an error on a text with a control character. */
static void
check_control(const char *name, const char *value)
{
	if (complaint_has_control(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" contains a control character",
						name)));
}

/* Raises an error on a text of more than max characters. */
static void
check_length(const char *name, const char *value, int64 max)
{
	if (max > 0 && pg_mbstrlen(value) > max)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" is longer than " INT64_FORMAT
						" characters", name, max)));
}

/* The text of an argument that must not be a set. */
static const char *
single_text(const ApiArgument *argument)
{
	if (argument->set || argument->texts == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" takes a single value",
						argument->name)));
	return argument->texts[0];
}

static void
check_not_empty(const char *name, const char *value)
{
	if (*value == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" is empty", name),
				 errhint("Leave it out when there is nothing to say.")));
}

const char *
api_text(List *arguments, const char *name, int max)
{
	const ApiArgument *argument = api_argument(arguments, name);
	const char *value;

	if (argument == NULL)
		return NULL;
	value = single_text(argument);
	check_not_empty(name, value);
	check_length(name, value, max);
	check_control(name, value);
	return value;
}

static bool
parse_boolean(const char *name, const char *value)
{
	if (strcmp(value, "true") == 0)
		return true;
	if (strcmp(value, "false") == 0)
		return false;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("parameter \"%s\" must be true or false", name)));
}

bool
api_boolean(List *arguments, const char *name)
{
	const ApiArgument *argument = api_argument(arguments, name);

	return argument != NULL && parse_boolean(name, single_text(argument));
}

static TimestampTz
parse_instant(const char *name, const char *value)
{
	TimestampTz instant;

	if (!instant_parse(value, &instant))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_DATETIME_FORMAT),
				 errmsg("parameter \"%s\" is not a date between the "
						"years 1 and 9999", name),
				 errhint("Write it as 2015-09-07T15:23:15.")));
	if (TIMESTAMP_NOT_FINITE(instant))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" must not be infinite", name)));
	return instant;
}

bool
api_instant(List *arguments, const char *name, TimestampTz *instant)
{
	const ApiArgument *argument = api_argument(arguments, name);

	if (argument == NULL)
		return false;
	*instant = parse_instant(name, single_text(argument));
	return true;
}

/* ------------------------------------------------------------------------
 * The rules of CasParameter
 * ------------------------------------------------------------------------
 */

static int64
parse_integer(const CasParameter *parameter, const char *value)
{
	char	   *end;
	int64		number;

	errno = 0;
	number = strtoi64(value, &end, 10);
	if (end == value || *end != '\0' || errno != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" must be an integer",
						parameter->name)));
	return number;
}

/* The integer in plain decimal, within its bounds. */
static char *
check_integer(const CasParameter *parameter, const char *value)
{
	int64		number = parse_integer(parameter, value);

	if (parameter->max != 0 &&
		(number < parameter->min || number > parameter->max))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" must be between " INT64_FORMAT
						" and " INT64_FORMAT, parameter->name,
						parameter->min, parameter->max)));
	if (parameter->max == 0 && number < parameter->min)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" must be at least " INT64_FORMAT,
						parameter->name, parameter->min)));
	if (parameter->step != 0 && number % parameter->step != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" must be a multiple of "
						INT64_FORMAT, parameter->name, parameter->step)));
	return psprintf(INT64_FORMAT, number);
}

static char *
check_text(const CasParameter *parameter, const char *value)
{
	check_not_empty(parameter->name, value);
	check_length(parameter->name, value, parameter->max);
	check_control(parameter->name, value);
	if (pg_mbstrlen(value) < parameter->min)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" is shorter than " INT64_FORMAT
						" characters", parameter->name, parameter->min)));
	return pstrdup(value);
}

/* A copy, of digits, as many as any profile may want; never repeated. */
static char *
check_pin(const CasParameter *parameter, const char *value)
{
	size_t		len = strlen(value);

	if (len != strspn(value, "0123456789"))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" must have digits only",
						parameter->name)));
	if (len < parameter->min || (parameter->max > 0 && len > parameter->max))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 parameter->min == parameter->max ?
				 errmsg("parameter \"%s\" must have " INT64_FORMAT
						" digits", parameter->name, parameter->max) :
				 errmsg("parameter \"%s\" must have " INT64_FORMAT " to "
						INT64_FORMAT " digits", parameter->name,
						parameter->min, parameter->max)));
	return pstrdup(value);
}

/* The CA ID alone, checked. */
static char *
check_ca_id(const CasParameter *parameter, const char *value)
{
	check_not_empty(parameter->name, value);
	check_length(parameter->name, value,
				 parameter->max > 0 ? parameter->max : DIRECTORY_MAX_LENGTH);
	check_control(parameter->name, value);
	return pstrdup(value);
}

/* The CA ID in "smartcard_ca_id=..." or the like. */
static char *
check_ca_id_member(const CasParameter *parameter, const char *field,
				   const char *value)
{
	size_t		len = strlen(field);

	if (strncmp(value, field, len) != 0 || value[len] != '=')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" must have members of the form "
						"%s=value", parameter->name, field)));
	if (value[len + 1] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" has no value for field \"%s\"",
						parameter->name, field)));
	return check_ca_id(parameter, value + len + 1);
}

/* One text of a parameter in canonical form. */
static char *
check_value(const CasParameter *parameter, const char *value)
{
	switch (parameter->kind)
	{
		case CAS_SUBSCRIPTION:
		case CAS_SERVICE:
		case CAS_SERVICE_SET:
		case CAS_SMARTCARD:
		case CAS_STB:
			check_not_empty(parameter->name, value);
			return pstrdup(value);
		case CAS_SMARTCARD_OR_CA_ID:
			if (strchr(value, '=') != NULL)
				return pstrdup(value);
			return check_ca_id(parameter, value);
		case CAS_SMARTCARD_CA_ID:
			return check_ca_id(parameter, value);
		case CAS_SMARTCARD_CA_ID_SET:
			return check_ca_id_member(parameter, "smartcard_ca_id", value);
		case CAS_STB_CA_ID_SET:
			return check_ca_id_member(parameter, "stb_ca_id", value);
		case CAS_TEXT:
			return check_text(parameter, value);
		case CAS_INTEGER:
			return check_integer(parameter, value);
		case CAS_BOOLEAN:
			return pstrdup(parse_boolean(parameter->name, value) ?
						   "true" : "false");
		case CAS_TIMESTAMP:
			return instant_to_seconds(parse_instant(parameter->name, value));
		case CAS_PIN:
			return check_pin(parameter, value);
	}
	elog(ERROR, "unknown kind %d of parameter \"%s\"",
		 (int) parameter->kind, parameter->name);
}

static bool
is_set_kind(CasParameterKind kind)
{
	return kind == CAS_SERVICE_SET || kind == CAS_SMARTCARD_CA_ID_SET ||
		kind == CAS_STB_CA_ID_SET;
}

/* An array of one dimension with 1 to MAX_SET members, none NULL. */
static void
check_set(const ApiArgument *argument)
{
	int			i;

	if (!argument->set)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" takes an array", argument->name)));
	if (argument->dimensions > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("parameter \"%s\" must have one dimension",
						argument->name)));
	if (argument->count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" is an empty set",
						argument->name)));
	if (argument->count > MAX_SET)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" has more than %d members",
						argument->name, MAX_SET)));
	for (i = 0; i < argument->count; i++)
	{
		if (argument->texts[i] == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("parameter \"%s\" has a NULL member",
							argument->name)));
	}
}

/* Raises an error when a mandatory parameter is absent or empty. */
static void
check_mandatory(const CasParameter *parameter, const ApiArgument *argument)
{
	if (!parameter->mandatory)
		return;
	if (argument == NULL ||
		(!argument->set && argument->texts != NULL &&
		 argument->texts[0][0] == '\0') ||
		(argument->set && argument->count == 0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("parameter \"%s\" is mandatory", parameter->name)));
}

List *
api_parameter_texts(const CasParameter *parameter, List *arguments)
{
	const ApiArgument *argument = api_argument(arguments, parameter->name);
	List	   *texts = NIL;
	int			i;

	check_mandatory(parameter, argument);
	if (argument == NULL)
	{
		if (parameter->default_value == NULL)
			return NIL;
		return list_make1(pstrdup(parameter->default_value));
	}
	if (!is_set_kind(parameter->kind))
		return list_make1(check_value(parameter, single_text(argument)));
	check_set(argument);
	for (i = 0; i < argument->count; i++)
		texts = lappend(texts, check_value(parameter, argument->texts[i]));
	return texts;
}
