/*-------------------------------------------------------------------------
 *
 * api_udf.c
 *		User-defined fields: an object with members udf_string_1 and so on.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "api.h"
#include "complaint.h"
#include "instant.h"

/* The longest user-defined text, in characters. */
#define MAX_UDF_STRING 1000

static const char *const udf_names[UDF_COUNT] = {
	"udf_string_1", "udf_string_2", "udf_string_3", "udf_string_4",
	"udf_string_5", "udf_string_6", "udf_string_7", "udf_string_8",
	"udf_float_1", "udf_float_2", "udf_float_3", "udf_float_4",
	"udf_date_1", "udf_date_2", "udf_date_3", "udf_date_4"
};

/* The place of a member in udf_names; raises an error. */
static int
udf_index(const char *name)
{
	int			i;

	for (i = 0; i < UDF_COUNT; i++)
	{
		if (strcmp(udf_names[i], name) == 0)
			return i;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_PARAMETER),
			 errmsg("parameter \"udf\" has unknown member \"%s\"",
					complaint_text(name)),
			 errhint("Valid members are udf_string_1 to udf_string_%d, "
					 "udf_float_1 to udf_float_%d and udf_date_1 to "
					 "udf_date_%d.", UDF_STRINGS, UDF_FLOATS, UDF_DATES)));
}

static void
check_json_type(const char *name, const JsonbValue *value,
				enum jbvType type)
{
	if (value->type != type)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" must be a JSON %s", name,
						type == jbvString ? "string" : "number")));
}

/* At most MAX_UDF_STRING characters on one line. */
static Datum
udf_string(const char *name, const JsonbValue *value)
{
	char	   *string;

	check_json_type(name, value, jbvString);
	string = pnstrdup(value->val.string.val, value->val.string.len);
	if (pg_mbstrlen(string) > MAX_UDF_STRING)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" is longer than %d characters",
						name, MAX_UDF_STRING)));
	if (complaint_has_control(string))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" contains a control character",
						name)));
	return CStringGetTextDatum(string);
}

static Datum
udf_float(const char *name, const JsonbValue *value)
{
	Datum		number;

	check_json_type(name, value, jbvNumeric);
	number = DirectFunctionCall1(numeric_float8_no_overflow,
								 NumericGetDatum(value->val.numeric));
	if (isinf(DatumGetFloat8(number)))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("parameter \"%s\" is out of range", name)));
	return number;
}

/* An instant in the notation of the API; infinite ones are refused. */
static Datum
udf_date(const char *name, const JsonbValue *value)
{
	TimestampTz instant;

	check_json_type(name, value, jbvString);
	if (!instant_parse(pnstrdup(value->val.string.val,
								value->val.string.len), &instant))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_DATETIME_FORMAT),
				 errmsg("parameter \"%s\" is not a date between the "
						"years 1 and 9999", name),
				 errhint("Write it as 2015-09-07T15:23:15.")));
	if (TIMESTAMP_NOT_FINITE(instant))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" must not be infinite", name)));
	return TimestampTzGetDatum(instant);
}

/* A JSON null is the same as no member. */
static void
read_member(const char *name, const JsonbValue *value, NewRequest *request)
{
	int			i = udf_index(name);

	if (value->type == jbvNull)
		return;
	if (i < UDF_STRINGS)
		request->udf[i] = udf_string(name, value);
	else if (i < UDF_STRINGS + UDF_FLOATS)
		request->udf[i] = udf_float(name, value);
	else
		request->udf[i] = udf_date(name, value);
	request->udf_given[i] = true;
}

void
api_read_udf(List *arguments, NewRequest *request)
{
	const ApiArgument *argument = api_argument(arguments, "udf");
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *name = NULL;

	if (argument == NULL)
		return;
	if (argument->object == NULL || !JB_ROOT_IS_OBJECT(argument->object))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"udf\" must be a JSON object")));
	iterator = JsonbIteratorInit(&argument->object->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = pnstrdup(value.val.string.val, value.val.string.len);
		else if (token == WJB_VALUE)
		{
			Assert(name != NULL);	/* its key came before it */
			read_member(name, &value, request);
		}
	}
}
