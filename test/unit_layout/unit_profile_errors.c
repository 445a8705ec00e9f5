/*-------------------------------------------------------------------------
 *
 * unit_profile_errors.c
 *		What is wrong in a profile, each with its path.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "unit.h"

typedef struct Wrong
{
	const char *piece;
	const char *message;		/* behind: wire profile: */
}			Wrong;

static const Wrong fields[] = {
	{"{}", "$.fields[0]: member \"form\" is missing"},
	{"7", "$.fields[0]: must be an object, not a number"},
	{"{'name': 'a', 'form': 'float'}",
	"$.fields[0].form: invalid value \"float\""},
	{"{'form': 'decimal', 'width': 1}",
	"$.fields[0]: member \"name\" is missing"},
	{"{'name': 'A b', 'form': 'decimal', 'width': 1}",
	"$.fields[0].name: must be 1 to 63 lower-case letters"},
	{"{'name': '', 'form': 'decimal', 'width': 1}",
	"$.fields[0].name: must be 1 to 63"},
	{"{'name': 'a', 'form': 'decimal'}",
	"$.fields[0]: member \"width\" is missing"},
	{"{'name': 'a', 'form': 'decimal', 'width': 19}",
	"$.fields[0].width: must be a whole number from 1 to 18, not 19"},
	{"{'name': 'a', 'form': 'decimal', 'width': 0}",
	"$.fields[0].width: must be a whole number from 1"},
	{"{'name': 'a', 'form': 'decimal', 'width': 'rest'}",
	"$.fields[0].width: only the forms \"text\" and \"hex_text\""},
	{"{'name': 'a', 'form': 'decimal', 'width': 1, 'pad': 'left'}",
	"$.fields[0].pad: unknown member"},
	{"{'name': 'a', 'form': 'hex', 'width': 17}",
	"$.fields[0].width: must be a whole number from 1 to 16"},
	{"{'name': 'a', 'form': 'uint', 'width': 3}",
	"$.fields[0].width: must be 1, 2, 4 or 8"},
	{"{'name': 'a', 'form': 'unix_time', 'width': 2}",
	"$.fields[0].width: must be 4 or 8"},
	{"{'name': 'a', 'form': 'hex_text', 'width': 3}",
	"$.fields[0].width: must be even"},
	{"{'name': 'a', 'form': 'text', 'width': 1048577}",
	"$.fields[0].width: must be a whole number from 1 to 1048576"},
	{"{'name': 'a', 'form': 'text', 'width': 'all'}",
	"$.fields[0].width: invalid value \"all\""},
	{"{'name': 'a', 'form': 'text', 'width': 1, 'fill': 'ab'}",
	"$.fields[0].fill: must be one printable ASCII character"},
	{"{'name': 'a', 'form': 'text', 'width': 1, 'fill': ''}",
	"$.fields[0].fill: must be one printable"},
	{"{'name': 'a', 'form': 'text', 'width': 1, 'pad': 'middle'}",
	"$.fields[0].pad: invalid value"},
	{"{'name': 'a', 'form': 'text', 'width': 1, 'charset': 'latin1'}",
	"$.fields[0].charset: invalid value"},
	{"{'name': 'a', 'form': 'text', 'width': 1, 'display': 'no'}",
	"$.fields[0].display: invalid value"},
	{"{'name': 'a', 'form': 'uint', 'width': 2, 'order': 'middle'}",
	"$.fields[0].order: invalid value"},
	{"{'name': 'a', 'form': 'hex', 'width': 2, 'letters': 'greek'}",
	"$.fields[0].letters: invalid value"},
	{"{'name': 'a', 'form': 'date'}",
	"$.fields[0]: member \"pattern\" is missing"},
	{"{'name': 'a', 'form': 'date', 'pattern': ''}",
	"$.fields[0].pattern: must not be empty"},
	{"{'name': 'a', 'form': 'date', 'pattern': 'yyyy'}",
	"$.fields[0].pattern: takes YYYY"},
	{"{'name': 'a', 'form': 'date', 'pattern': 'YYYYMMDDMM'}",
	"$.fields[0].pattern: holds MM twice"},
	{"{'name': 'a', 'form': 'date', 'pattern': 'YYYY', 'width': 3}",
	"$.fields[0].width: does not go with the pattern, which makes 4"},
	{"{'name': 'a', 'form': 'date', 'pattern': 'YYYY', 'add_days': 40000}",
	"$.fields[0].add_days: must be a whole number"},
	{"{'form': 'decimal', 'width': 2, 'const': '100'}",
	"$.fields[0].const: takes numbers up to 99"},
	{"{'form': 'decimal', 'width': 2, 'const': 'x'}",
	"$.fields[0].const: must be a whole number"},
	{"{'form': 'text', 'const': ''}",
	"$.fields[0].const: must not be empty"},
	{"{'form': 'date', 'pattern': 'YYYYMMDD', 'const': '20150229'}",
	"$.fields[0].const: must be an instant"},
	{"{'form': 'text', 'const': 'a', 'from': 'b'}",
	"$.fields[0].from: is not for constants"},
	{"{'form': 'text', 'const': 'a', 'width': 'rest'}",
	"$.fields[0].width: must be a number for constants"},
	{"{'form': 'text', 'const': 'a', 'const_hex': '00'}",
	"$.fields[0].const_hex: is not for fields with a \"const\""},
	{"{'form': 'text', 'const_hex': '0'}",
	"$.fields[0].const_hex: must be pairs of hex digits"},
	{"{'form': 'text', 'const_hex': '0x'}",
	"$.fields[0].const_hex: must be pairs of hex digits"},
	{"{'form': 'text', 'const_hex': ''}",
	"$.fields[0].const_hex: must be pairs of hex digits"},
	{"{'form': 'text', 'width': 2, 'const_hex': '00'}",
	"$.fields[0].const_hex: has 1 bytes instead of 2"},
	{"{'form': 'uint', 'const_hex': '000000'}",
	"$.fields[0].const_hex: must have 1, 2, 4 or 8 bytes"},
	{"{'name': 'a', 'form': 'text', 'width': 1, 'default': 'ab'}",
	"$.fields[0].default: takes at most 1 bytes, not 2"},
	{"{'name': 'a', 'form': 'text', 'width': 1, 'default': null}",
	"$.fields[0].default: must be a whole number, not null"},
	{"{'name': 'a', 'form': 'text', 'width': 1, 'from': ''}",
	"$.fields[0].from: must not be empty"},
	{"{'name': 'a', 'form': 'text', 'width': 1, 'map': {}}",
	"$.fields[0].map: must not be empty"},
	{"{'name': 'a', 'form': 'text', 'width': 1, 'map': {'x': 'yy'}}",
	"$.fields[0].map.x: takes at most 1 bytes, not 2"},
	{"{'name': 'a', 'form': 'text', 'width': 1, 'take': {}}",
	"$.fields[0].take: must have one of the members"},
	{"{'name': 'a', 'form': 'text', 'width': 1, 'take': {'first': 1, 'last': 1}}",
	"$.fields[0].take: must have one of the members"},
	{"{'name': 'a', 'form': 'text', 'width': 1, 'take': {'first': 0}}",
	"$.fields[0].take.first: must be a whole number"},
	{"{'name': 'a', 'form': 'text', 'width': 1}, {'name': 'a', 'form': 'text', 'width': 1}",
	"$.fields[1]: there is a field \"a\" already"},
	{"{'name': 'p', 'form': 'padding'}",
	"$.fields[0]: member \"block\" is missing"},
	{"{'form': 'padding', 'block': 1}",
	"$.fields[0].block: must be a whole number from 2"},
	{"{'form': 'padding', 'block': 8, 'fill': 'x'}",
	"$.fields[0].fill: must be two hex digits"},
	{"{'name': 'd', 'form': 'digest', 'algorithm': 'sha1'}",
	"$.fields[0].algorithm: invalid value"},
	{"{'name': 'd', 'form': 'digest', 'algorithm': 'md5', 'bytes': 17}",
	"$.fields[0].bytes: must be a whole number from 1 to 16"},
	{"{'name': 'd', 'form': 'digest', 'algorithm': 'md5'},"
		"{'name': 'a', 'form': 'text', 'width': 1}",
	"$.fields[0]: nothing can follow a digest"},
};

static const Wrong references[] = {
	{"{'name': 'n', 'form': 'uint', 'width': 1, 'compute': 'sum', 'of': 't'}",
	"$.fields[0].compute: invalid value"},
	{"{'name': 'n', 'form': 'uint', 'width': 1, 'of': 't'}",
	"$.fields[0].of: is for computed fields"},
	{"{'name': 'n', 'form': 'uint', 'width': 1, 'compute': 'length', 'of': 't'}",
	"$.fields[0].of: is no other field of the same list"},
	{"{'name': 'n', 'form': 'uint', 'width': 1, 'compute': 'length', 'of': 'n'}",
	"$.fields[0].of: is no other field"},
	{"{'name': 'n', 'form': 'uint', 'width': 1, 'compute': 'count'}",
	"$.fields[0]: member \"of\" is missing"},
	{"{'name': 'n', 'form': 'uint', 'width': 1, 'compute': 'count', 'of': 't'},"
		"{'name': 't', 'form': 'text', 'width': 1}",
	"$.fields[0].of: is no group"},
	{"{'name': 'n', 'form': 'uint', 'width': 1, 'compute': 'length', 'of': 'd'},"
		"{'name': 'd', 'form': 'digest', 'algorithm': 'md5'}",
	"$.fields[0].of: cannot be a digest"},
	{"{'name': 'n', 'form': 'uint', 'width': 1, 'compute': 'length', 'default': '1'}",
	"$.fields[0].default: is not for computed fields"},
	{"{'name': 'n', 'form': 'uint', 'width': 1, 'compute': 'length', 'const': '1'}",
	"$.fields[0].compute: is not for constants"},
	{"{'name': 't', 'form': 'text', 'width': {'field': 'n'}}",
	"$.fields[0].width.field: is no earlier field of the same list"},
	{"{'name': 't', 'form': 'text', 'width': {'of': 'n'}}",
	"$.fields[0].width.of: unknown member"},
	{"{'name': 'n', 'form': 'uint', 'width': 1},"
		"{'name': 't', 'form': 'text', 'width': {'field': 'n'}}",
	"$.fields[1].width.field: is no computed field"},
	{"{'name': 'n', 'form': 'uint', 'width': 1, 'compute': 'length', 'of': 'u'},"
		"{'name': 't', 'form': 'text', 'width': {'field': 'n'}},"
		"{'name': 'u', 'form': 'text', 'width': 1}",
	"$.fields[1]: the field \"n\" does not compute the length of \"t\""},
	{"{'name': 'r', 'form': 'text', 'width': 'rest'}, {'name': 't', 'form': 'text', 'width': 1}",
	"$.fields[0]: takes all that is left, so nothing but a digest"},
	{"{'form': 'use', 'group': 'nobody'}",
	"$.fields[0].group: there is no group \"nobody\""},
	{"{'form': 'use', 'group': 'self'}",
	"$.groups.self[0].group: the group \"self\" holds itself"},
	{"{'form': 'use', 'group': 'ring'}",
	"$.groups.gnir[0].group: the group \"ring\" holds itself"},
	{"{'form': 'use', 'group': 'wide'}, {'form': 'use', 'group': 'wide'}",
	"$.groups.wide[0]: there is a field \"w\" already"},
	{"{'form': 'use', 'group': 'wide', 'name': 'x'}",
	"$.fields[0].name: unknown member"},
};

#define COUNT "'count': {'form': 'uint', 'width': 1}"

static const Wrong compounds[] = {
	{"{'name': 'g', 'form': 'group', 'fields': []}",
	"$.fields[0]: member \"count\" is missing"},
	{"{'name': 'g', 'form': 'group', " COUNT "}",
	"$.fields[0]: member \"fields\" is missing"},
	{"{'name': 'g', 'form': 'group', 'count': {'form': 'text', 'width': 1}, 'fields': []}",
	"$.fields[0].count.form: invalid value"},
	{"{'name': 'g', 'form': 'group', 'count': {'form': 'uint', 'width': 3}, 'fields': []}",
	"$.fields[0].count.width: must be 1, 2, 4 or 8"},
	{"{'name': 'g', 'form': 'group', 'count': {'form': 'uint', 'width': 1, 'at': 1}, 'fields': []}",
	"$.fields[0].count.at: unknown member"},
	{"{'name': 'g', 'form': 'group', 'count': {'form': 'decimal', 'width': 1, 'order': 'big'}, 'fields': []}",
	"$.fields[0].count.order: only the form \"uint\""},
	{"{'name': 'g', 'form': 'group', 'count': {'field': 'n'}, 'fields': []}",
	"$.fields[0].count.field: is no earlier field"},
	{"{'name': 'n', 'form': 'uint', 'width': 1, 'compute': 'length', 'of': 'g'},"
		"{'name': 'g', 'form': 'group', 'count': {'field': 'n'}, 'fields': []}",
	"$.fields[1]: the field \"n\" does not compute the count of \"g\""},
	{"{'name': 'g', 'form': 'group', " COUNT ", 'max': 65536, 'fields': []}",
	"$.fields[0].max: must be a whole number from 1 to 65535"},
	{"{'name': 'g', 'form': 'group', " COUNT ", 'each': [], 'fields': []}",
	"$.fields[0].each: must not be empty"},
	{"{'name': 'g', 'form': 'group', " COUNT ", 'each': ['a', 'a'], 'fields': []}",
	"$.fields[0].each[1]: is named twice"},
	{"{'name': 'g', 'form': 'group', " COUNT ", 'fields': ["
		"{'name': 'r', 'form': 'text', 'width': 'rest'}]}",
	"$.fields[0].fields[0]: takes all that is left, which a group cannot hold"},
	{"{'name': 'g', 'form': 'group', " COUNT ", 'fields': ["
		"{'name': 'd', 'form': 'digest', 'algorithm': 'md5'}]}",
	"$.fields[0].fields[0]: a digest stands in the outermost list"},
	{"{'name': 'g', 'form': 'group', " COUNT ", 'fields': ["
		"{'name': 'n', 'form': 'uint', 'width': 1, 'compute': 'length'}]}",
	"$.fields[0].fields[0].compute: the length of the message stands in"},
	{"{'name': 'o', 'form': 'tlv', 'tag': {'form': 'uint', 'width': 1},"
		" 'length': {'form': 'uint', 'width': 1}}",
	"$.fields[0]: member \"items\" is missing"},
	{"{'name': 'o', 'form': 'tlv', 'tag': {'form': 'uint', 'width': 1},"
		" 'length': {'form': 'uint', 'width': 1}, 'items': [{'tag': 256}]}",
	"$.fields[0].items[0].tag: must be a whole number from 0 to 255"},
	{"{'name': 'o', 'form': 'tlv', 'tag': {'form': 'uint', 'width': 1},"
		" 'length': {'form': 'uint', 'width': 1}, 'items': ["
		"{'tag': 1, 'field': {'name': 'a', 'form': 'uint', 'width': 1}},"
		"{'tag': 1, 'field': {'name': 'b', 'form': 'uint', 'width': 1}}]}",
	"$.fields[0].items[1].tag: is there twice"},
	{"{'name': 'o', 'form': 'tlv', 'tag': {'form': 'uint', 'width': 1},"
		" 'length': {'form': 'uint', 'width': 1}, 'items': ["
		"{'tag': 1, 'field': {'form': 'use', 'group': 'a'}}]}",
	"$.fields[0].items[0].field.form: cannot stand in an item of TLV"},
	{"{'name': 'o', 'form': 'tlv', 'tag': {'form': 'uint', 'width': 1},"
		" 'length': {'form': 'uint', 'width': 1}, 'items': ["
		"{'tag': 1, 'field': {'name': 't', 'form': 'text', 'width': {'field': 'n'}}}]}",
	"$.fields[0].items[0].field.width: must be a number or \"rest\""},
	{"{'name': 'o', 'form': 'tlv', 'tag': {'form': 'uint', 'width': 1},"
		" 'length': {'form': 'uint', 'width': 1}, 'items': [{'tag': 1,"
		" 'repeat': true, 'field': {'form': 'text', 'const': 'x'}}]}",
	"$.fields[0].items[0].repeat: is not for constants"},
	{"{'form': 'select', 'by': 'a', 'cases': {'x': []}}",
	"$.fields[0].by: is no earlier field that holds a value"},
	{"{'name': 'a', 'form': 'decimal', 'width': 2}, {'form': 'select', 'by': 'a',"
		" 'cases': {'1': [], '01': []}}",
	"$.fields[1].cases.01: is there twice"},
	{"{'name': 'a', 'form': 'text', 'width': 1}, {'form': 'select', 'by': 'a', 'cases': {}}",
	"$.fields[1].cases: must not be empty"},
	{"{'name': 'a', 'form': 'text', 'width': 1}, {'form': 'select', 'by': 'a',"
		" 'cases': {'x': [{'name': 'r', 'form': 'text', 'width': 'rest'}]}},"
		"{'name': 'z', 'form': 'text', 'width': 1}",
	"$.fields[1]: takes all that is left, so nothing but a digest"},
	{"{'name': 'a', 'form': 'text', 'width': 1}, {'form': 'select', 'by': 'a',"
		" 'cases': {'x': [{'name': 'r', 'form': 'text', 'width': 'rest'},"
		"{'name': 'z', 'form': 'text', 'width': 1}]}}",
	"$.fields[1].cases.x[0]: takes all that is left, so nothing can follow"},
};

static const Wrong frames[] = {
	{"{}", "$.frame: member \"length\" is missing"},
	{"{'length': {}}", "$.frame.length: member \"form\" is missing"},
	{"{'length': {'form': 'bcd'}}", "$.frame.length.form: invalid value"},
	{"{'length': {'form': 'none'}}", "$.frame: member \"size\" is missing"},
	{"{'length': {'form': 'none'}, 'size': 0}",
	"$.frame.size: must be a whole number from 1"},
	{"{'length': {'form': 'none'}, 'size': 5, 'max': 4}",
	"$.frame.size: must be a whole number from 1 to 4"},
	{"{'length': {'form': 'none'}, 'size': 5, 'big': 1}",
	"$.frame.big: unknown member"},
	{"{'length': {'form': 'uint', 'outer': true, 'from': 'after'}}",
	"$.frame.length: member \"width\" is missing"},
	{"{'length': {'form': 'uint', 'width': 3, 'outer': true, 'from': 'after'}}",
	"$.frame.length.width: must be 1, 2 or 4"},
	{"{'length': {'form': 'hex', 'width': 10, 'outer': true, 'from': 'after'}}",
	"$.frame.length.width: must be a whole number from 1 to 9"},
	{"{'length': {'form': 'uint', 'width': 2, 'from': 'after'}}",
	"$.frame.length: member \"outer\" is missing"},
	{"{'length': {'form': 'uint', 'width': 2, 'outer': true}}",
	"$.frame.length: member \"from\" is missing"},
	{"{'length': {'form': 'uint', 'width': 2, 'outer': true, 'from': 'end'}}",
	"$.frame.length.from: invalid value"},
	{"{'length': {'form': 'uint', 'width': 2, 'outer': true, 'at': 1, 'from': 'after'}}",
	"$.frame.length.at: an outer length is at 0"},
	{"{'length': {'form': 'hex', 'width': 2, 'order': 'little', 'outer': true, 'from': 'after'}}",
	"$.frame.length.order: only the form \"uint\" has an order"},
	{"{'length': {'form': 'uint', 'width': 2, 'outer': true, 'from': 'after', 'digest': false}}",
	"$.frame.length: member \"digest_width\" is missing"},
	{"{'length': {'form': 'uint', 'width': 2, 'outer': true, 'from': 'after', 'digest_width': 4}}",
	"$.frame.length.digest_width: is for a digest that is not counted"},
	{"{'length': {'form': 'uint', 'width': 2, 'outer': true, 'from': 'after'}, 'size': 4}",
	"$.frame.size: is for frames without a length"},
	{"{'length': {'form': 'uint', 'width': 2, 'outer': true, 'from': 'after'}, 'max': 1048577}",
	"$.frame.max: must be a whole number from 1 to 1048576"},
	{"{'length': {'form': 'uint', 'width': 2, 'outer': false, 'from': 'after'}}",
	"$.fields: the length of the frame is missing at byte 0"},
	{"{'length': {'form': 'uint', 'width': 2, 'outer': false, 'at': 1, 'from': 'after'}}",
	"$.fields: the length of the frame is missing at byte 1"},
};

static void
test_wrong(const char *document, const Wrong * wrong)
{
	const char *got = unit_compile_error(document);
	char	   *expected = psprintf("wire profile: %s", wrong->message);

	if (!ok(strncmp(got, expected, strlen(expected)) == 0, "%s",
			wrong->message))
		note("got: %s", got);
}

static void
test_all(const char *format, const Wrong * wrong, int n)
{
	for (int i = 0; i < n; i++)
	{
		StringInfoData document;

		initStringInfo(&document);
		for (const char *p = format; *p; p++)
		{
			if (*p == '@')
				appendStringInfoString(&document, wrong[i].piece);
			else
				appendStringInfoChar(&document, *p);
		}
		test_wrong(document.data, &wrong[i]);
	}
}

/* A length inside that is there, but not as the frame has it. */
static void
test_other_length(void)
{
	static const char *const lengths[] = {
		"'form': 'hex', 'width': 2", "'form': 'decimal', 'width': 4",
		"'form': 'uint', 'width': 4"
	};

	for (int i = 0; i < lengthof(lengths); i++)
		has(unit_compile_error(psprintf("{'frame': {'length': {'form': 'hex',"
										" 'width': 4, 'outer': false, 'from': 'message'}}, 'fields': ["
										"{'name': 'n', %s, 'compute': 'length'}]}", lengths[i])),
			"$.fields: the length of the frame is missing at byte 0",
			psprintf("a length of {%s} is not the frame's", lengths[i]));
	is(unit_compile_error("{'frame': {'length': {'form': 'hex', 'width': 4,"
						  " 'outer': false, 'from': 'message'}}, 'groups': {'r': [{'name': 'n',"
						  " 'form': 'hex', 'width': 4, 'compute': 'length'}]},"
						  " 'fields': [{'form': 'use', 'group': 'r'}]}"), "",
	   "the frame's length may come from a group");
}

/* Documents that are big or deep. */
static void
test_limits(void)
{
	StringInfoData document;

	initStringInfo(&document);
	appendStringInfoString(&document, "{'form': 'text', 'const': 'x'}");
	for (int i = 1; i < 1000; i++)
		appendStringInfoString(&document, ",{'form': 'text', 'const': 'x'}");
	is(unit_compile_error(psprintf(FRAMED("%s"), document.data)), "",
	   "a thousand fields are taken");
	has(unit_compile_error(psprintf(FRAMED("%s,{'form': 'text', 'const': 'x'}"),
									document.data)),
		"$.fields[1000]: a layout has at most 1000 fields",
		"and one more is refused");
	resetStringInfo(&document);
	for (int i = 0; i < 100; i++)
		appendStringInfoString(&document, "{'name': 'g', 'form': 'group', "
							   COUNT ", 'fields': [");
	for (int i = 0; i < 100; i++)
		appendStringInfoString(&document, "]}");
	has(unit_compile_error(psprintf(FRAMED("%s"), document.data)),
		"fields are nested at most 8 deep", "a hundred groups in one another");
}

void
test_compile_errors(void)
{
	const char *groups = "'groups': {'self': [{'form': 'use', 'group': 'self'}],"
	" 'ring': [{'form': 'use', 'group': 'gnir'}],"
	" 'gnir': [{'form': 'use', 'group': 'ring'}],"
	" 'wide': [{'name': 'w', 'form': 'decimal', 'width': 1}]}";
	char	   *format = psprintf("{'frame': {'length': {'form': 'uint', 'width': 1,"
								  " 'outer': true, 'from': 'after'}}, %s, 'fields': [@]}", groups);

	test_all(format, fields, lengthof(fields));
	test_all(format, references, lengthof(references));
	test_all(format, compounds, lengthof(compounds));
	test_all("{'frame': @, 'fields': []}", frames, lengthof(frames));
	test_other_length();
	test_limits();
}
