/*-------------------------------------------------------------------------
 *
 * unit_refusals.c
 *		Values that do not fit, each with the name of its field.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "unit.h"

#define INVALID ERRCODE_INVALID_PARAMETER_VALUE
#define TOO_LONG ERRCODE_STRING_DATA_RIGHT_TRUNCATION

typedef struct Refusal
{
	const char *field;
	const char *values;
	int			sqlstate;
	const char *message;		/* behind: message field "a" */
}			Refusal;

static const Refusal refusals[] = {
	{"'form': 'decimal', 'width': 3", "", INVALID, "has no value"},
	{"'form': 'decimal', 'width': 3", "a", INVALID, "has no value"},
	{"'form': 'decimal', 'width': 3", "a=1;a=2", INVALID,
	"takes one value, not several"},
	{"'form': 'decimal', 'width': 3", "a=", INVALID,
	"must be a whole number in decimal digits"},
	{"'form': 'decimal', 'width': 3", "a=-1", INVALID, "must be a whole"},
	{"'form': 'decimal', 'width': 3", "a=+1", INVALID, "must be a whole"},
	{"'form': 'decimal', 'width': 3", "a= 1", INVALID, "must be a whole"},
	{"'form': 'decimal', 'width': 3", "a=1.0", INVALID, "must be a whole"},
	{"'form': 'decimal', 'width': 3", "a=0x1", INVALID, "must be a whole"},
	{"'form': 'decimal', 'width': 3", "a=12a", INVALID, "must be a whole"},
	{"'form': 'decimal', 'width': 3", "a=99999999999999999999", INVALID,
	"must be a whole"},
	{"'form': 'decimal', 'width': 3", "a=1000", TOO_LONG,
	"takes numbers up to 999"},
	{"'form': 'decimal', 'width': 18", "a=1000000000000000000", TOO_LONG,
	"takes numbers up to 999999999999999999"},
	{"'form': 'hex', 'width': 2", "a=256", TOO_LONG, "takes numbers up to 255"},
	{"'form': 'hex', 'width': 2", "a=FF", INVALID,
	"must be a whole number, in decimal or as 0x"},
	{"'form': 'hex', 'width': 2", "a=0x", INVALID, "must be a whole number"},
	{"'form': 'hex', 'width': 16", "a=0x10000000000000000", INVALID,
	"must be a whole number"},
	{"'form': 'uint', 'width': 1", "a=256", TOO_LONG,
	"takes numbers up to 255"},
	{"'form': 'uint', 'width': 2", "a=65536", TOO_LONG,
	"takes numbers up to 65535"},
	{"'form': 'uint', 'width': 4", "a=4294967296", TOO_LONG,
	"takes numbers up to 4294967295"},
	{"'form': 'uint', 'width': 8", "a=18446744073709551616", INVALID,
	"must be a whole number"},
	{"'form': 'text', 'width': 3", "a=abcd", TOO_LONG,
	"takes at most 3 bytes, not 4"},
	{"'form': 'text', 'width': 3", "a=a\tb", INVALID,
	"takes printable ASCII characters only"},
	{"'form': 'text', 'width': 3", "a=\x7F", INVALID, "takes printable"},
	{"'form': 'text', 'width': 3", "a=\xC3\xBC", INVALID, "takes printable"},
	{"'form': 'text', 'width': 3, 'charset': 'utf8'", "a=\xC3\xBC\xC3\xBC",
	TOO_LONG, "takes at most 3 bytes, not 4"},
	{"'form': 'text', 'width': 3, 'charset': 'utf8'", "a=\n", INVALID,
	"must not hold control characters"},
	{"'form': 'hex_text', 'width': 4", "a=abc", TOO_LONG,
	"takes at most 2 bytes, not 3"},
	{"'form': 'hex_text', 'width': 4", "a=\x1F", INVALID,
	"must not hold control characters"},
	{"'form': 'text', 'width': 3, 'default': 'x'", "a=abcd", TOO_LONG,
	"takes at most 3 bytes, not 4"},
	{"'form': 'date', 'pattern': 'YYYYMMDD'", "a=20150907", INVALID,
	"must be an instant such as 2015-09-07T15:23:15Z"},
	{"'form': 'date', 'pattern': 'YYYYMMDD'", "a=2015-02-29T00:00:00Z",
	INVALID, "must be an instant"},
	{"'form': 'date', 'pattern': 'YYYYMMDD'", "a=infinity", INVALID,
	"must be an instant"},
	{"'form': 'date', 'pattern': 'YYYYMMDD'", "a=10000-01-01T00:00:00Z",
	INVALID, "must be an instant"},
	{"'form': 'date', 'pattern': 'YYYYMMDD', 'add_days': 1",
	"a=9999-12-31T00:00:00Z", INVALID, "takes dates of the years 1 to 9999"},
	{"'form': 'date', 'pattern': 'YYYYMMDD', 'add_days': -1",
	"a=0001-01-01T00:00:00Z", INVALID, "takes dates of the years 1 to 9999"},
	{"'form': 'date', 'pattern': 'YYYYMMDD'", "a=9999-12-31T23:00:00-02",
	INVALID, "takes dates of the years 1 to 9999"},
	{"'form': 'unix_time', 'width': 4", "a=1969-12-31T23:59:59Z", INVALID,
	"takes times from 1970 on"},
	{"'form': 'unix_time', 'width': 4", "a=2106-02-07T06:28:16Z", TOO_LONG,
	"takes times before 2106-02-07"},
	{"'form': 'unix_time', 'width': 4", "a=0", INVALID, "must be an instant"},
};

static void
test_refusal(const Refusal * refusal)
{
	char	   *document = psprintf(FRAMED("{'name': 'a', %s}"), refusal->field);
	char	   *expected = psprintf("message field \"a\" %s", refusal->message);
	Layout	   *layout = unit_compile(document);
	int			sqlstate = 0;
	const char *message = unit_encode_error(layout, refusal->values,
											&sqlstate);

	if (!ok(strncmp(message, expected, strlen(expected)) == 0 &&
			sqlstate == refusal->sqlstate, "refused: {%s} %s", refusal->field,
			unit_printed(refusal->values, strlen(refusal->values))))
		note("got: %s", message);
}

/* Refusals of whole messages: a document, values, the message. */
static const struct
{
	const char *document;
	const char *values;
	const char *message;
}			others[] = {

	{FRAMED("{'name': 'n', 'form': 'decimal', 'width': 1, 'compute': 'length', 'of': 't'},"
			"{'name': 't', 'form': 'text', 'width': {'field': 'n'}}"),
	"t=0123456789", "message field \"n\" takes numbers up to 9, not 10"},
	{"{'frame': {'length': {'form': 'uint', 'width': 1, 'outer': true,"
		" 'from': 'after'}}, 'fields': [{'name': 't', 'form': 'text', 'width': 256}]}",
	"t=", "message field \"length\" takes numbers up to 255, not 256"},
	{"{'frame': {'length': {'form': 'uint', 'width': 2, 'outer': true,"
		" 'from': 'after'}, 'max': 10}, 'fields': ["
		"{'name': 't', 'form': 'text', 'width': 'rest'}]}",
	"t=012345678", "message field \"t\" makes the message longer than 10 bytes"},
	{"{'frame': {'length': {'form': 'uint', 'width': 2, 'outer': true,"
		" 'from': 'after'}, 'max': 10}, 'fields': ["
		"{'name': 't', 'form': 'text', 'width': 8}, {'form': 'padding', 'block': 16}]}",
	"t=0", "message field \"padding\" makes the message longer than 10 bytes"},
	{"{'frame': {'length': {'form': 'none'}, 'size': 5}, 'fields': ["
		"{'name': 't', 'form': 'text', 'width': 'rest'}]}",
	"t=0123", "message has 4 bytes instead of 5"},
	{FRAMED("{'name': 'g', 'form': 'group', 'count': {'form': 'decimal', 'width': 1},"
			" 'each': ['a', 'b'], 'fields': []}"),
	"a=1;a=2;b=1", "message field \"g\" is repeated for sets of different length"},
	{FRAMED("{'name': 'g', 'form': 'group', 'count': {'form': 'decimal', 'width': 1},"
			" 'each': 'a', 'max': 2, 'fields': []}"),
	"a=1;a=2;a=3", "message field \"g\" is repeated at most 2 times, not 3"},
	{FRAMED("{'name': 'g', 'form': 'group', 'count': {'form': 'decimal', 'width': 1},"
			" 'each': 'a', 'fields': []}"),
		"a=1;a=2;a=3;a=1;a=2;a=3;a=1;a=2;a=3;a=0",
	"message field \"g.count\" takes numbers up to 9, not 10"},
	{FRAMED("{'name': 'g', 'form': 'group', 'count': {'form': 'decimal', 'width': 1},"
			" 'fields': []}"),
	"", "message field \"g\" has no \"each\" in the wire profile"},
	{FRAMED("{'name': 'g', 'form': 'group', 'count': {'form': 'decimal', 'width': 1},"
			" 'each': 'a', 'fields': [{'name': 'b', 'form': 'text', 'width': 1}]}"),
	"a=1;b=1;b=2", "message field \"b\" takes one value, not several"},
	{FRAMED("{'name': 'o', 'form': 'tlv', 'tag': {'form': 'uint', 'width': 1},"
			" 'length': {'form': 'decimal', 'width': 1}, 'items': [{'tag': 1,"
			" 'field': {'name': 't', 'form': 'text', 'width': 'rest'}}]}"),
	"t=0123456789", "message field \"o.length\" takes numbers up to 9, not 10"},
	{FRAMED("{'name': 'o', 'form': 'tlv', 'tag': {'form': 'uint', 'width': 1},"
			" 'length': {'form': 'decimal', 'width': 1}, 'items': [{'tag': 1,"
			" 'field': {'name': 't', 'form': 'text', 'width': 'rest'}}]}"),
	"t=0;t=1", "message field \"t\" takes one value, not several"},
	{FRAMED("{'name': 't', 'form': 'text', 'width': 1}, {'form': 'select',"
			" 'by': 't', 'cases': {'a': []}}"),
	"t=b", "message field \"t\" is none of the cases of its message"},
	{FRAMED("{'name': 't', 'form': 'text', 'width': 1,"
			" 'map': {'a': 'X', 'b': 'X', 'c': 'Y'}}, {'form': 'select',"
			" 'by': 't', 'cases': {'a': [], 'b': [], 'c': []}}"),
	"t=b", "message field \"t\" cannot say which fields follow"},
};

static void
test_others(void)
{
	for (int i = 0; i < lengthof(others); i++)
		has(unit_encode_error(unit_compile(others[i].document),
							  others[i].values, NULL),
			others[i].message, others[i].message);
}

/* A megabyte for each form, and a million values. */
static void
test_big_values(void)
{
	static const char *const fields[] = {
		"'form': 'decimal', 'width': 3", "'form': 'hex', 'width': 3",
		"'form': 'uint', 'width': 8", "'form': 'text', 'width': 3",
		"'form': 'text', 'width': 'rest'", "'form': 'hex_text', 'width': 'rest'",
		"'form': 'date', 'pattern': 'YYYY'", "'form': 'unix_time', 'width': 4"
	};
	int			size = 1024 * 1024 + 1;
	char	   *values = palloc(size + 3);

	memset(values, '7', size + 2);
	values[0] = 'a';
	values[1] = '=';
	values[size + 2] = '\0';
	for (int i = 0; i < lengthof(fields); i++)
	{
		char	   *document = psprintf(FRAMED("{'name': 'a', %s}"), fields[i]);
		const char *message = unit_encode_error(unit_compile(document),
												values, NULL);

		ok(strncmp(message, "message field \"a\" ", 18) == 0 &&
		   strlen(message) < 100, "a megabyte is refused: {%s}", fields[i]);
	}
}

/* Nested groups of elements without a byte do not go on for ever. */
static void
test_steps(void)
{
	Layout	   *layout = unit_compile(FRAMED(
											 "{'name': 't', 'form': 'text', 'const': 'x'},"
											 "{'name': 'g', 'form': 'group', 'count': {'form': 'decimal', 'width': 4},"
											 " 'each': 'a', 'fields': ["
											 "{'name': 'g', 'form': 'group', 'count': {'form': 'decimal', 'width': 4},"
											 " 'each': 'a', 'fields': ["
											 "{'form': 'select', 'by': 't', 'cases': {'x': []}}]}]}"));
	StringInfoData values;

	initStringInfo(&values);
	for (int i = 0; i < 999; i++)
		appendStringInfoString(&values, "a=1;");
	has(unit_encode_error(layout, values.data, NULL),
		"message field \"t\" is one field too many",
		"a million elements without a byte have an end");
}

/* The detail names the value where the message cannot. */
static void
test_detail(void)
{
	Layout	   *layout = unit_compile(FRAMED("{'name': 'address', 'from': 'smartcard_ca_id',"
											 " 'form': 'decimal', 'width': 3}"));
	const LayoutValue value = {"smartcard_ca_id", "1000"};
	MemoryContext context = CurrentMemoryContext;
	const char *volatile detail = NULL;

	PG_TRY();
	{
		layout_encode(layout, NULL, &value, 1, makeStringInfo());
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		detail = CopyErrorData()->detail;
		FlushErrorState();
	}
	PG_END_TRY();
	is(detail, "The field takes the value of \"smartcard_ca_id\".",
	   "the detail names the value that does not fit");
}

void
test_encode_errors(void)
{
	test_detail();
	for (int i = 0; i < lengthof(refusals); i++)
		test_refusal(&refusals[i]);
	test_others();
	test_big_values();
	test_steps();
}
