/*-------------------------------------------------------------------------
 *
 * unit.c
 *		Runs the unit tests of layouts inside of a server.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/mman.h>
#include <unistd.h>

#include "fmgr.h"
#include "unit.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(unit_layout);

#define GUARDED_SIZE (2 * 1024 * 1024)

const LayoutDigest *unit_digest = NULL;

/* ------------------------------------------------------------------------
 * Documents
 * ------------------------------------------------------------------------
 */
static const ProfileNode *
document_root(const char *document)
{
	char	   *json = pstrdup(document);
	Datum		jsonb;

	for (char *p = json; *p; p++)
		if (*p == '\'')
			*p = '"';
	jsonb = DirectFunctionCall1(jsonb_in, CStringGetDatum(json));
	return profile_root(DatumGetJsonbP(jsonb));
}

const LayoutFrame *
unit_frame(const char *document)
{
	return layout_compile_frame(document_root(document));
}

Layout *
unit_compile(const char *document)
{
	const ProfileNode *root = document_root(document);
	const ProfileNode *frame = profile_require(root, "frame");

	return layout_compile(profile_require(root, "fields"),
						  profile_member(root, "groups"),
						  layout_compile_frame(frame));
}

static void
compile_document(void *arg)
{
	(void) unit_compile(arg);
}

const char *
unit_compile_error(const char *document)
{
	ErrorData  *error = error_of(compile_document,
								 unconstify(char *, document));

	if (error == NULL)
		return "";
	return error->sqlerrcode == ERRCODE_INVALID_PARAMETER_VALUE ?
		error->message : psprintf("wrong SQLSTATE: %s", error->message);
}

/* ------------------------------------------------------------------------
 * Encoding
 * ------------------------------------------------------------------------
 */

/* "a=1;b=2" as values; "a" alone is one whose value is NULL. */
static LayoutValue *
parse_values(const char *str, int *nvalues)
{
	char	   *copy = pstrdup(str);
	LayoutValue *values = palloc(sizeof(LayoutValue) * (strlen(str) + 1));

	*nvalues = 0;
	while (*copy)
	{
		Size		len = strcspn(copy, ";");
		bool		last = copy[len] == '\0';
		char	   *equals;

		copy[len] = '\0';
		equals = strchr(copy, '=');
		if (equals)
			*equals = '\0';
		values[*nvalues].name = copy;
		values[*nvalues].value = equals ? equals + 1 : NULL;
		(*nvalues)++;
		copy += len + (last ? 0 : 1);
	}
	return values;
}

/* What is encoded, for error_of. */
typedef struct Encoding
{
	const Layout *layout;
	LayoutValue *values;
	int			nvalues;
}			Encoding;

static void
encode(void *arg)
{
	const		Encoding *encoding = arg;

	layout_encode(encoding->layout, unit_digest, encoding->values,
				  encoding->nvalues, makeStringInfo());
}

const char *
unit_encode_error(const Layout *layout, const char *values, int *sqlstate)
{
	Encoding	encoding = {layout};
	ErrorData  *error;

	encoding.values = parse_values(values, &encoding.nvalues);
	error = error_of(encode, &encoding);
	if (error == NULL)
		return "";
	if (sqlstate)
		*sqlstate = error->sqlerrcode;
	return error->message;
}

StringInfo
unit_encode(const Layout *layout, const char *values)
{
	int			nvalues;
	LayoutValue *parsed = parse_values(values, &nvalues);
	StringInfo	out = makeStringInfo();
	const char *error = unit_encode_error(layout, values, NULL);

	if (error[0] != '\0')
	{
		appendStringInfo(out, "ERROR %s", error);
		return out;
	}
	/* behind something else, which has to stay */
	appendStringInfoString(out, "before");
	layout_encode(layout, unit_digest, parsed, nvalues, out);
	if (strncmp(out->data, "before", 6) != 0 || out->data[out->len] != '\0')
		ok(false, "what stood there before stays");
	memmove(out->data, out->data + 6, out->len - 5);
	out->len -= 6;
	return out;
}

char *
unit_printed(const char *data, Size len)
{
	StringInfoData str;

	initStringInfo(&str);
	for (Size i = 0; i < len; i++)
	{
		if (data[i] >= ' ' && data[i] <= '~')
			appendStringInfoChar(&str, data[i]);
		else
			appendStringInfo(&str, "\\x%02X", (unsigned char) data[i]);
	}
	return str.data;
}

StringInfo
unit_bytes(const char *printed)
{
	StringInfo	bytes = makeStringInfo();
	unsigned int byte;

	while (*printed)
	{
		if (printed[0] == '\\' && printed[1] == 'x' &&
			sscanf(printed + 2, "%2x", &byte) == 1)
		{
			appendStringInfoChar(bytes, (char) byte);
			printed += 4;
		}
		else
			appendStringInfoChar(bytes, *printed++);
	}
	return bytes;
}

/* ------------------------------------------------------------------------
 * Decoding
 * ------------------------------------------------------------------------
 */

/* The data at the end of pages behind which there is nothing. */
static char *
guarded(const char *data, Size len)
{
	static char *area = NULL;

	if (area == NULL)
	{
		Size		page = sysconf(_SC_PAGESIZE);

		area = mmap(NULL, GUARDED_SIZE + page, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (area == MAP_FAILED || mprotect(area + GUARDED_SIZE, page,
										   PROT_NONE) != 0)
			elog(ERROR, "could not make a guarded area: %m");
	}
	return memcpy(area + GUARDED_SIZE - len, data, len);
}

/* Do the fields stand in the frame as they say? */
static bool
fields_are_sound(const List *fields, Size len)
{
	ListCell   *lc;
	Size		end = 0;

	foreach(lc, fields)
	{
		const LayoutField *field = lfirst(lc);

		if (field->offset < end || field->offset + field->len > len ||
			!field->name || !field->value || !field->raw || !field->shown)
			return false;
		end = field->offset + field->len;
	}
	return true;
}

const char *
unit_decode(const Layout *layout, const char *data, Size len)
{
	List	   *fields;
	const char *failure = NULL;
	StringInfoData str;
	ListCell   *lc;

	if (!layout_decode(layout, unit_digest, guarded(data, len), len, &fields,
					   &failure))
		return fields == NIL && failure ? psprintf("FAILURE %s", failure) :
			"no failure, or fields with one";
	initStringInfo(&str);
	foreach(lc, fields)
	{
		const LayoutField *field = lfirst(lc);

		appendStringInfo(&str, "%s%s=%s", str.len ? ";" : "", field->name,
						 field->value);
	}
	return fields_are_sound(fields, len) ? str.data : "fields are not sound";
}

static void
unit_case(const UnitCase * test)
{
	Layout	   *layout = unit_compile(test->document);
	StringInfo	frame = unit_encode(layout, test->values);

	is(unit_printed(frame->data, frame->len), test->frame,
	   psprintf("%s: written", test->name));
	frame = unit_bytes(test->frame);
	is(unit_decode(layout, frame->data, frame->len), test->decoded,
	   psprintf("%s: read", test->name));
	for (Size len = 0; len < frame->len; len++)
		if (strncmp(unit_decode(layout, frame->data, len), "FAILURE", 7) != 0)
			ok(false, "%s: refused when cut after %zu bytes", test->name, len);
	appendStringInfoChar(frame, '0');
	has(unit_decode(layout, frame->data, frame->len), "FAILURE",
		psprintf("%s: one byte too many is refused", test->name));
}

void
unit_cases(const UnitCase * cases, int ncases)
{
	for (int i = 0; i < ncases; i++)
		unit_case(&cases[i]);
}

Datum
unit_layout(PG_FUNCTION_ARGS)
{
	tap_open(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	test_forms();
	test_frames();
	test_groups();
	test_digests();
	test_encode_errors();
	test_compile_errors();
	test_hostile();
	tap_close();
	PG_RETURN_VOID();
}
