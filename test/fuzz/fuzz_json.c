/*-------------------------------------------------------------------------
 *
 * fuzz_json.c
 *		jsonb as profile.c sees it, outside of a server.
 *
 * A container keeps its values in an array instead of the server's packed
 * form; the words that macros of jsonb.h look at are where they look.  What
 * the server's jsonb_in refuses is refused here too: text that is not UTF-8,
 * zero characters, nesting without end.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "fuzz.h"
#include "mb/pg_wchar.h"

#define MAX_NESTING 500

/* Starts as a Jsonb does, and from header on as a JsonbContainer. */
typedef struct Container
{
	int32		vl_len;
	uint32		header;
	int			n;
	int			size;
	JsonbValue *keys;			/* of objects */
	JsonbValue *values;
}			Container;

typedef struct Parser
{
	const char *p;
	const char *end;
	int			depth;
}			Parser;

static bool parse_value(Parser * parser, JsonbValue *value);

static const Container *
container_of(const JsonbContainer *jc)
{
	return (const Container *) ((const char *) jc -
								offsetof(Container, header));
}

static void
skip_space(Parser * parser)
{
	while (parser->p < parser->end && strchr(" \t\r\n", *parser->p) &&
		   *parser->p != '\0')
		parser->p++;
}

/* Moves on behind a character if it is there, with space around it. */
static bool
take(Parser * parser, char c)
{
	skip_space(parser);
	if (parser->p == parser->end || *parser->p != c)
		return false;
	parser->p++;
	skip_space(parser);
	return true;
}

static bool
take_word(Parser * parser, const char *word)
{
	Size		len = strlen(word);

	if (parser->end - parser->p < len || memcmp(parser->p, word, len) != 0)
		return false;
	parser->p += len;
	return true;
}

/* ------------------------------------------------------------------------
 * Scalars
 * ------------------------------------------------------------------------
 */

/* The character after a backslash; -1 = none, and none above U+007F. */
static int
parse_escape(Parser * parser)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *found;
	int			code = 0;

	if (parser->p == parser->end)
		return -1;
	if (*parser->p != 'u')
	{
		found = *parser->p ? strchr(from, *parser->p++) : NULL;
		return found ? to[found - from] : -1;
	}
	parser->p++;
	for (int i = 0; i < 4; i++)
	{
		char		c = parser->p < parser->end ? *parser->p++ : 'x';

		if (c >= '0' && c <= '9')
			code = code * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			code = code * 16 + (c - 'a' + 10);
		else
			return -1;
	}
	return code > 0 && code < 0x80 ? code : -1;
}

/* Appends one character as it stands. */
static bool
parse_character(Parser * parser, StringInfo str)
{
	const unsigned char *p = (const unsigned char *) parser->p;
	int			width = pg_utf_mblen(p);

	if (*p < ' ' || width > parser->end - parser->p ||
		!pg_utf8_islegal(p, width))
		return false;
	appendBinaryStringInfo(str, parser->p, width);
	parser->p += width;
	return true;
}

static bool
parse_string(Parser * parser, JsonbValue *value)
{
	StringInfoData str;

	initStringInfo(&str);
	while (parser->p < parser->end && *parser->p != '"')
	{
		if (*parser->p == '\\')
		{
			int			c;

			parser->p++;
			c = parse_escape(parser);
			if (c < 0)
				return false;
			appendStringInfoChar(&str, (char) c);
		}
		else if (!parse_character(parser, &str))
			return false;
	}
	if (parser->p == parser->end)
		return false;
	parser->p++;
	value->type = jbvString;
	/* exactly as long: a terminator would hide reading beyond it */
	value->val.string.len = str.len;
	value->val.string.val = memcpy(palloc(Max(str.len, 1)), str.data,
								   str.len);
	return true;
}

/* Keeps the text: numeric_out below gives it back. */
static bool
parse_number(Parser * parser, JsonbValue *value)
{
	const char *start = parser->p;

	while (parser->p < parser->end && *parser->p != '\0' &&
		   strchr("-0123456789.", *parser->p))
		parser->p++;
	if (parser->p == start || parser->p - start > 1000)
		return false;
	value->type = jbvNumeric;
	value->val.numeric = (Numeric) pnstrdup(start, parser->p - start);
	return true;
}

static bool
parse_word(Parser * parser, JsonbValue *value)
{
	if (take_word(parser, "null"))
		value->type = jbvNull;
	else if (take_word(parser, "true") || take_word(parser, "false"))
	{
		value->type = jbvBool;
		value->val.boolean = parser->p[-1] == 'e' && parser->p[-2] == 'u';
	}
	else
		return false;
	return true;
}

/* ------------------------------------------------------------------------
 * Objects and arrays
 * ------------------------------------------------------------------------
 */

/* Shorter names come first, as in the server. */
static int
compare_keys(const JsonbValue *a, const JsonbValue *b)
{
	if (a->val.string.len != b->val.string.len)
		return a->val.string.len < b->val.string.len ? -1 : 1;
	return memcmp(a->val.string.val, b->val.string.val, a->val.string.len);
}

/* Puts an element at its place; the last one of a name counts. */
static void
add_element(Container * container, const JsonbValue *key,
			const JsonbValue *value)
{
	int			place = container->n;

	if (container->n == container->size)
	{
		container->size = container->size * 2 + 4;
		container->keys = repalloc(container->keys, sizeof(JsonbValue) *
								   container->size);
		container->values = repalloc(container->values, sizeof(JsonbValue) *
									 container->size);
	}
	while (key && place > 0 &&
		   compare_keys(&container->keys[place - 1], key) > 0)
		place--;
	if (key && place > 0 &&
		compare_keys(&container->keys[place - 1], key) == 0)
	{
		container->values[place - 1] = *value;
		return;
	}
	for (int i = container->n; i > place; i--)
	{
		container->keys[i] = container->keys[i - 1];
		container->values[i] = container->values[i - 1];
	}
	if (key)
		container->keys[place] = *key;
	container->values[place] = *value;
	container->n++;
}

static bool
parse_elements(Parser * parser, Container * container, bool object)
{
	char		end = object ? '}' : ']';

	if (take(parser, end))
		return true;
	do
	{
		JsonbValue	key;
		JsonbValue	value;

		if (object && (!take_word(parser, "\"") ||
					   !parse_string(parser, &key) || !take(parser, ':')))
			return false;
		if (!parse_value(parser, &value))
			return false;
		add_element(container, object ? &key : NULL, &value);
	} while (take(parser, ','));
	return take(parser, end);
}

static bool
parse_container(Parser * parser, JsonbValue *value, bool object)
{
	Container  *container = palloc0(sizeof(Container));

	if (++parser->depth > MAX_NESTING)
		return false;
	container->keys = palloc(sizeof(JsonbValue));
	container->values = palloc(sizeof(JsonbValue));
	if (!parse_elements(parser, container, object))
		return false;
	parser->depth--;
	container->header = container->n | (object ? JB_FOBJECT : JB_FARRAY);
	value->type = jbvBinary;
	value->val.binary.data = (JsonbContainer *) &container->header;
	value->val.binary.len = sizeof(Container);
	return true;
}

static bool
parse_value(Parser * parser, JsonbValue *value)
{
	if (take(parser, '{'))
		return parse_container(parser, value, true);
	if (take(parser, '['))
		return parse_container(parser, value, false);
	if (take_word(parser, "\""))
		return parse_string(parser, value);
	return parse_word(parser, value) || parse_number(parser, value);
}

Jsonb *
fuzz_jsonb(const char *json, Size len)
{
	Parser		parser = {json, json + len, 0};
	JsonbValue	value;

	skip_space(&parser);
	if (!parse_value(&parser, &value))
		return NULL;
	skip_space(&parser);
	if (parser.p != parser.end || value.type != jbvBinary)
		return NULL;
	return (Jsonb *) container_of(value.val.binary.data);
}

/* ------------------------------------------------------------------------
 * What profile.c calls
 * ------------------------------------------------------------------------
 */
JsonbValue *
getKeyJsonValueFromContainer(JsonbContainer *jc, const char *name, int len,
							 JsonbValue *result)
{
	const		Container *container = container_of(jc);

	for (int i = 0; i < container->n; i++)
	{
		if (container->keys[i].val.string.len != len ||
			memcmp(container->keys[i].val.string.val, name, len) != 0)
			continue;
		if (result == NULL)
			result = palloc(sizeof(JsonbValue));
		*result = container->values[i];
		return result;
	}
	return NULL;
}

JsonbValue *
getIthJsonbValueFromContainer(JsonbContainer *jc, uint32 i)
{
	const		Container *container = container_of(jc);
	JsonbValue *result = palloc(sizeof(JsonbValue));

	FUZZ_HOLDS(i < container->n);
	*result = container->values[i];
	return result;
}

JsonbIterator *
JsonbIteratorInit(JsonbContainer *jc)
{
	JsonbIterator *it = palloc0(sizeof(JsonbIterator));

	it->container = jc;
	it->state = JBI_OBJECT_START;
	FUZZ_HOLDS(JsonContainerIsObject(jc));
	return it;
}

/* Of objects alone, not into what they hold. */
JsonbIteratorToken
JsonbIteratorNext(JsonbIterator **iterator, JsonbValue *val, bool skip)
{
	JsonbIterator *it = *iterator;
	const		Container *container = container_of(it->container);

	FUZZ_HOLDS(skip);
	if (it->state == JBI_OBJECT_START)
	{
		it->state = JBI_OBJECT_KEY;
		return WJB_BEGIN_OBJECT;
	}
	if (it->state == JBI_OBJECT_VALUE)
	{
		it->state = JBI_OBJECT_KEY;
		*val = container->values[it->curIndex++];
		return WJB_VALUE;
	}
	if (it->curIndex > container->n)
		return WJB_DONE;
	if (it->curIndex == container->n)
	{
		it->curIndex++;
		return WJB_END_OBJECT;
	}
	it->state = JBI_OBJECT_VALUE;
	*val = container->keys[it->curIndex];
	return WJB_KEY;
}

extern Datum numeric_out(PG_FUNCTION_ARGS);

Datum
numeric_out(PG_FUNCTION_ARGS)
{
	return CStringGetDatum(pstrdup(DatumGetCString(PG_GETARG_DATUM(0))));
}

Datum
DirectFunctionCall1Coll(PGFunction func, Oid collation, Datum arg1)
{
	LOCAL_FCINFO(fcinfo, 1);

	InitFunctionCallInfoData(*fcinfo, NULL, 1, collation, NULL, NULL);
	fcinfo->args[0].value = arg1;
	fcinfo->args[0].isnull = false;
	return func(fcinfo);
}
