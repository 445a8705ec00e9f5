/*-------------------------------------------------------------------------
 *
 * web_api_members.c
 *		Parameters of a call, and their values in JSON.
 *
 * What a member holds is in no message here: it may be a secret.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <errno.h>

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "complaint.h"
#include "web_api_private.h"

const JsonbValue *
web_member(List *members, const char *name)
{
	ListCell   *cell;

	foreach(cell, members)
	{
		const WebMember *member = lfirst(cell);

		if (strcmp(member->name, name) == 0)
			return &member->value;
	}
	return NULL;
}

static List *
add_member(List *members, const char *name, const JsonbValue *value)
{
	WebMember  *member = palloc(sizeof(WebMember));

	if (web_member(members, name) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" is given more than once",
						complaint_text(name))));
	member->name = name;
	member->value = *value;
	return lappend(members, member);
}

/* ------------------------------------------------------------------------
 * The query string
 * ------------------------------------------------------------------------
 */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Percent signs and plus signs to what they stand for, in place. */
static void
decode(char *string)
{
	const char *from = string;
	char	   *to = string;

	while (*from != '\0')
	{
		char		c = *from++;

		if (c == '+')
			c = ' ';
		else if (c == '%')
		{
			int			high = hex_digit(from[0]);
			int			low = high < 0 ? -1 : hex_digit(from[1]);

			if (low < 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("parameter \"path\" has a percent sign "
								"without two hexadecimal digits")));
			if (high + low == 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("parameter \"path\" has %%00, which is not "
								"a character of any value")));
			c = (char) (high * 16 + low);
			from += 2;
		}
		*to++ = c;
	}
	*to = '\0';
}

/* UTF-8, which it may turn out not to be, in the server's encoding. */
static char *
to_server(char *string)
{
	int			len = (int) strlen(string);
	int			encoding = GetDatabaseEncoding();
	char	   *converted;
	Size		size = ((Size) len + 2) * MAX_CONVERSION_GROWTH;

	if (!pg_verify_mbstr(PG_UTF8, string, len, true))
		ereport(ERROR,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("parameter \"path\" has percent-encoded bytes that "
						"are not UTF-8")));
	if (len == 0 || encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return string;
	converted = palloc(size);
	if (pg_do_encoding_conversion_buf(FindDefaultConversionProc(PG_UTF8,
																encoding),
									  PG_UTF8, encoding,
									  (unsigned char *) string, len,
									  (unsigned char *) converted,
									  (int) size,
									  true) != len)
		ereport(ERROR,
				(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
				 errmsg("parameter \"path\" has a percent-encoded character "
						"that encoding \"%s\" of the database does not have",
						GetDatabaseEncodingName())));
	return converted;
}

/*
 * One name or value of the query string, the rest of which is UTF-8, too, so
 * that characters that are encoded and others go together.
 */
static char *
decode_part(const char *part)
{
	char	   *string = pstrdup(part);

	if (GetDatabaseEncoding() != PG_SQL_ASCII)
		string = pg_server_to_any(string, (int) strlen(string), PG_UTF8);
	decode(string);
	return to_server(string);
}

/* The members of "name=value&name=value". */
static List *
read_query(const char *query)
{
	char	   *rest = pstrdup(query);
	List	   *members = NIL;

	while (rest != NULL && *rest != '\0')
	{
		char	   *name = rest;
		char	   *value = strpbrk(rest, "=&");
		JsonbValue	string;

		rest = strchr(rest, '&');
		if (rest != NULL)
			*rest++ = '\0';
		if (value == NULL || *value != '=')
			value = name + strlen(name);
		else
			*value++ = '\0';
		if (*name == '\0' && *value == '\0')
			continue;
		name = decode_part(name);
		value = decode_part(value);
		string.type = jbvString;
		string.val.string.val = value;
		string.val.string.len = (int) strlen(value);
		members = add_member(members, name, &string);
	}
	return members;
}

/* ------------------------------------------------------------------------
 * The body
 * ------------------------------------------------------------------------
 */

static char *
string_of(const JsonbValue *value)
{
	return pnstrdup(value->val.string.val, value->val.string.len);
}

List *
web_members_read(const char *query, Jsonb *body)
{
	List	   *members = query != NULL ? read_query(query) : NIL;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	const char *name = "";		/* a key goes before each value */

	if (body == NULL)
		return members;
	if (!JB_ROOT_IS_OBJECT(body))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"body\" must be a JSON object")));
	iterator = JsonbIteratorInit(&body->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = string_of(&value);
		else if (token == WJB_VALUE && value.type != jbvNull)
			members = add_member(members, name, &value);
	}
	return members;
}

/* ------------------------------------------------------------------------
 * Values
 * ------------------------------------------------------------------------
 */

char *
web_string(const char *name, const JsonbValue *value)
{
	if (value->type != jbvString)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" must be a JSON string", name)));
	return string_of(value);
}

/* The text of a string, or of a number; NULL for anything else. */
static char *
scalar_text(const JsonbValue *value)
{
	Datum		number;

	if (value->type == jbvString)
		return string_of(value);
	if (value->type != jbvNumeric)
		return NULL;
	number = NumericGetDatum(value->val.numeric);
	return DatumGetCString(DirectFunctionCall1(numeric_out, number));
}

/* Query strings have no booleans, and answers print them as 0 and 1. */
bool
web_boolean(const char *name, const JsonbValue *value)
{
	char	   *string;

	if (value->type == jbvBool)
		return value->val.boolean;
	string = scalar_text(value);
	if (string != NULL &&
		(strcmp(string, "true") == 0 || strcmp(string, "1") == 0))
		return true;
	if (string != NULL &&
		(strcmp(string, "false") == 0 || strcmp(string, "0") == 0))
		return false;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("parameter \"%s\" must be true or false", name)));
}

int64
web_integer(const char *name, const JsonbValue *value)
{
	char	   *string = scalar_text(value);
	char	   *end;
	int64		number;

	errno = 0;
	number = string != NULL ? strtoi64(string, &end, 10) : 0;
	if (string == NULL || end == string || *end != '\0' || errno != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" must be an integer", name)));
	return number;
}

/* ------------------------------------------------------------------------
 * Identifiers and sets
 * ------------------------------------------------------------------------
 */

static bool
is_object(const JsonbValue *value)
{
	return value->type == jbvBinary &&
		JsonContainerIsObject(value->val.binary.data);
}

/* The one member of an object that is not null; raises an error. */
static WebMember *
only_member(const char *name, const JsonbValue *value)
{
	Jsonb	   *object;
	List	   *members;

	if (!is_object(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" must be a JSON object with one "
						"member", name)));
	object = JsonbValueToJsonb(unconstify(JsonbValue *, value));
	members = web_members_read(NULL, object);
	if (list_length(members) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("parameter \"%s\" has no member", name),
				 errhint("Give exactly one.")));
	if (list_length(members) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" has more than one member", name),
				 errhint("Give exactly one.")));
	return linitial(members);
}

/* A field that has the character would be read as another one. */
static void
check_field(const char *name, const char *field)
{
	if (strchr(field, '=') != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" has unknown field \"%s\"", name,
						complaint_text(field))));
}

char *
web_identifier(const char *name, const JsonbValue *value)
{
	const WebMember *member = only_member(name, value);

	check_field(name, member->name);
	return psprintf("%s=%s", member->name,
					web_string(name, &member->value));
}

/* One element of a set. */
static char *
element_text(const char *name, const JsonbValue *element, const char *field,
			 bool identifier)
{
	const WebMember *member;

	if (!is_object(element))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" must have JSON objects as members",
						name)));
	member = only_member(name, element);
	if (strcmp(member->name, field) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" has unknown field \"%s\"", name,
						complaint_text(member->name)),
				 errhint("The members of the set are objects with the "
						 "field %s.", field)));
	if (identifier)
		return web_identifier(field, &member->value);
	return psprintf("%s=%s", field, web_string(field, &member->value));
}

List *
web_set(const char *name, const JsonbValue *value, const char *field,
		bool identifier)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	element;
	List	   *texts = NIL;

	if (value->type != jbvBinary ||
		!JsonContainerIsArray(value->val.binary.data) ||
		JsonContainerIsScalar(value->val.binary.data))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" must be a JSON array", name)));
	iterator = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&iterator, &element, true)) != WJB_DONE)
	{
		if (token == WJB_ELEM)
			texts = lappend(texts, element_text(name, &element, field,
												identifier));
	}
	return texts;
}
