/*-------------------------------------------------------------------------
 *
 * unit_groups.c
 *		Fields made of fields: groups, TLV, selects, padding, use.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "unit.h"

#define PRODUCTS \
	"{'name': 'products', 'form': 'group', 'count': {'form': 'decimal'," \
	" 'width': 2}, 'each': 'service', 'max': 3, 'fields': [" \
	"{'name': 'product', 'from': 'service', 'form': 'decimal', 'width': 3}," \
	"{'name': 'card', 'form': 'text', 'width': 1}]}"

#define TLV(more) \
	"{'name': 'o', 'form': 'tlv', 'tag': {'form': 'uint', 'width': 1}," \
	" 'length': {'form': 'uint', 'width': 1}, 'items': [" \
	"{'tag': 16, 'field': {'name': 'a', 'form': 'text', 'width': 'rest'}}," \
	"{'tag': 17, 'field': {'name': 'b', 'form': 'uint', 'width': 2}}," \
	"{'tag': 18, 'repeat': true, 'field': {'name': 's', 'form': 'decimal', 'width': 2}}" \
	"]" more "}"

#define SELECT \
	"{'name': 'type', 'form': 'text', 'width': 1, 'from': 'kind'," \
	" 'map': {'UNIQUE': 'U', 'GLOBAL': 'G'}}," \
	"{'form': 'select', 'by': 'kind', 'cases': {" \
	"'*': [{'name': 'other', 'form': 'decimal', 'width': 1}]," \
	"'UNIQUE': [{'name': 'card', 'form': 'decimal', 'width': 4}]," \
	"'GLOBAL': []}}"

static const UnitCase groups[] = {
	{"group", FRAMED(PRODUCTS ",{'name': 'z', 'form': 'decimal', 'width': 1}"),
		"service=7;card=c;service=8;z=9", "\\x00\\x0B02007c008c9",
		"products.count=2;products[1].product=7;products[1].card=c;"
	"products[2].product=8;products[2].card=c;z=9"},
	{"group of nothing", FRAMED(PRODUCTS), "card=c", "\\x00\\x0200",
	"products.count=0"},
	{"group of all that it may hold", FRAMED(PRODUCTS),
		"card=c;service=1;service=2;service=3", "\\x00\\x0E03001c002c003c",
		"products.count=3;products[1].product=1;products[1].card=c;"
		"products[2].product=2;products[2].card=c;"
	"products[3].product=3;products[3].card=c"},
	{"groups in groups, and sets side by side",
		FRAMED("{'name': 'o', 'form': 'group', 'count': {'form': 'uint', 'width': 1},"
			   "'each': ['x', 'y'], 'fields': ["
			   "{'name': 'x', 'form': 'text', 'width': 1},"
			   "{'name': 'i', 'form': 'group', 'count': {'form': 'hex', 'width': 1},"
			   " 'each': 'k', 'fields': [{'name': 'k', 'form': 'text', 'width': 1},"
			   "{'name': 'y', 'form': 'text', 'width': 1}]}]}"),
		"x=A;x=B;y=a;y=b;k=1;k=2", "\\x00\\x0D\\x02A21a2aB21b2b",
		"o.count=2;o[1].x=A;o[1].i.count=2;o[1].i[1].k=1;o[1].i[1].y=a;"
		"o[1].i[2].k=2;o[1].i[2].y=a;o[2].x=B;o[2].i.count=2;o[2].i[1].k=1;"
	"o[2].i[1].y=b;o[2].i[2].k=2;o[2].i[2].y=b"},
	{"count and length of a group before it, and after it",
		FRAMED("{'name': 'n', 'form': 'uint', 'width': 1, 'compute': 'count', 'of': 'g'},"
			   "{'name': 'l', 'form': 'uint', 'width': 1, 'compute': 'length', 'of': 'g'},"
			   "{'name': 'g', 'form': 'group', 'count': {'field': 'n'}, 'each': 's',"
			   " 'fields': [{'name': 's', 'form': 'text', 'width': 3}]},"
			   "{'name': 'm', 'form': 'uint', 'width': 1, 'compute': 'count', 'of': 'g'},"
			   "{'name': 'k', 'form': 'uint', 'width': 1, 'compute': 'length', 'of': 'g'}"),
		"s=abc;s=def", "\\x00\\x0A\\x02\\x06abcdef\\x02\\x06",
	"n=2;l=6;g[1].s=abc;g[2].s=def;m=2;k=6"},
	{"lengths in the elements of a group",
		FRAMED("{'name': 'g', 'form': 'group', 'count': {'form': 'uint', 'width': 1},"
			   " 'each': 's', 'fields': [{'name': 'n', 'form': 'decimal', 'width': 1,"
			   " 'compute': 'length', 'of': 's'},"
			   "{'name': 's', 'form': 'text', 'width': {'field': 'n'}}]}"),
		"s=;s=abc;s=d", "\\x00\\x08\\x0303abc1d",
	"g.count=3;g[1].n=0;g[1].s=;g[2].n=3;g[2].s=abc;g[3].n=1;g[3].s=d"},
	{"used groups",
		"{'frame': {'length': {'form': 'uint', 'width': 1, 'outer': true, 'from': 'after'}},"
		" 'groups': {'root': [{'form': 'use', 'group': 'head'},"
		" {'name': 'b', 'form': 'decimal', 'width': 1}],"
		" 'head': [{'name': 'a', 'form': 'decimal', 'width': 1}]},"
		" 'fields': [{'form': 'use', 'group': 'root'},"
		" {'name': 'c', 'form': 'decimal', 'width': 1}]}",
	"a=1;b=2;c=3", "\\x03123", "a=1;b=2;c=3"},
	{"padding",
		FRAMED("{'name': 'a', 'form': 'text', 'width': 3},"
			   "{'name': 'p', 'form': 'padding', 'block': 4, 'fill': 'fF'},"
			   "{'form': 'padding', 'block': 2},"
			   "{'name': 'b', 'form': 'text', 'width': 1},"
			   "{'form': 'padding', 'block': 4}"),
		"a=abc;b=d", "\\x00\\x08abc\\xFFd\\x00\\x00\\x00",
	"a=abc;p=FF;=;b=d;=000000"},
};

static const UnitCase tlvs[] = {
	{"TLV", FRAMED(TLV("")), "a=xyz;b=258;s=1;s=2",
		"\\x00\\x11\\x10\\x03xyz\\x11\\x02\\x01\\x02\\x12\\x0201\\x12\\x0202",
	"o.a=xyz;o.b=258;o[1].s=1;o[2].s=2"},
	{"TLV of nothing", FRAMED(TLV("")), "", "\\x00\\x00", ""},
	{"TLV with an empty item", FRAMED(TLV("")), "a=",
	"\\x00\\x02\\x10\\x00", "o.a="},
	{"TLV of so many bytes",
		FRAMED(TLV(", 'total': {'form': 'hex', 'width': 2}")
			   ", {'name': 'z', 'form': 'text', 'width': 1}"),
	"b=1;z=!", "\\x00\\x0704\\x11\\x02\\x00\\x01!", "o.b=1;z=!"},
	{"TLV before a digest",
		FRAMED(TLV("") ",{'name': 'd', 'form': 'digest', 'algorithm': 'md5',"
			   " 'bytes': 1, 'as': 'binary'}"),
	"b=1", "\\x00\\x05\\x11\\x02\\x00\\x01\\xE3", "o.b=1;d=E3"},
	{"TLV with a constant item and ASCII tags",
		FRAMED("{'name': 'o', 'form': 'tlv', 'tag': {'form': 'decimal', 'width': 2},"
			   " 'length': {'form': 'hex', 'width': 2}, 'items': ["
			   "{'tag': 7, 'field': {'form': 'text', 'const': 'OK'}}]}"),
	"", "\\x00\\x060702OK", "o=OK"},
};

static const UnitCase selects[] = {
	{"select, one case", FRAMED(SELECT), "kind=UNIQUE;card=17",
	"\\x00\\x05U0017", "type=UNIQUE;card=17"},
	{"select, an empty case", FRAMED(SELECT), "kind=GLOBAL;card=17",
	"\\x00\\x01G", "type=GLOBAL"},
	{"select, all others", FRAMED(SELECT), "kind=X;other=3",
	"\\x00\\x02X3", "type=X;other=3"},
	{"select by a constant and by a default",
		FRAMED("{'name': 'c', 'form': 'decimal', 'width': 2, 'const': '6'},"
			   "{'form': 'select', 'by': 'c', 'cases': {'6':"
			   " [{'name': 'a', 'form': 'text', 'width': 1}], '7': []}},"
			   "{'name': 'd', 'form': 'text', 'width': 1, 'default': 'x'},"
			   "{'form': 'select', 'by': 'd', 'cases': {'x':"
			   " [{'name': 'b', 'form': 'text', 'width': 'rest'}]}}"),
	"a=!;b=???", "\\x00\\x0706!x???", "c=6;a=!;d=x;b=???"},
	{"select from inside of a group by a field outside",
		FRAMED("{'name': 't', 'form': 'text', 'width': 1},"
			   "{'name': 'g', 'form': 'group', 'count': {'form': 'uint', 'width': 1},"
			   " 'each': 's', 'fields': [{'form': 'select', 'by': 't', 'cases': {"
			   "'a': [{'name': 's', 'form': 'decimal', 'width': 1}],"
			   "'b': [{'name': 's', 'form': 'decimal', 'width': 2}]}}]}"),
	"t=b;s=1;s=2", "\\x00\\x06b\\x020102", "t=b;g.count=2;g[1].s=1;g[2].s=2"},
	{"select by a number, however it is written",
		FRAMED("{'name': 'c', 'form': 'decimal', 'width': 2},"
			   "{'name': 'h', 'form': 'hex', 'width': 2},"
			   "{'form': 'select', 'by': 'c', 'cases': {'02':"
			   " [{'name': 'a', 'form': 'text', 'width': 1}], '*': []}},"
			   "{'form': 'select', 'by': 'h', 'cases': {'0x1F':"
			   " [{'name': 'b', 'form': 'text', 'width': 1}], '*': []}}"),
	"c=002;h=31;a=x;b=y", "\\x00\\x06021Fxy", "c=2;h=31;a=x;b=y"},
	{"select by what is left of a value, and by a date of a pattern",
		FRAMED("{'name': 'c', 'form': 'text', 'width': 1, 'take': {'first': 1}},"
			   "{'name': 'd', 'form': 'date', 'pattern': 'YYYY'},"
			   "{'form': 'select', 'by': 'c', 'cases': {'4':"
			   " [{'name': 'a', 'form': 'text', 'width': 1}], '*': []}},"
			   "{'form': 'select', 'by': 'd', 'cases': {'2030':"
			   " [{'name': 'b', 'form': 'text', 'width': 1}], '*': []}}"),
		"c=4711;d=2030-01-02T03:04:05Z;a=x;b=y", "\\x00\\x0742030xy",
	"c=4;d=2030;a=x;b=y"},
};

static void
refused(const char *fields, const char *frame, const char *failure)
{
	Layout	   *layout = unit_compile(fields);
	StringInfo	bytes = unit_bytes(frame);

	has(unit_decode(layout, bytes->data, bytes->len), failure,
		psprintf("refused: %s", failure));
}

static void
test_refused(void)
{
	refused(FRAMED(PRODUCTS), "\\x00\\x1204001c002c003c004c",
			"field \"products\" at byte 4 has too many elements");
	refused(FRAMED(PRODUCTS), "\\x00\\x0602001c",
			"field \"products[2].product\" at byte 8 is cut off");
	refused(FRAMED(PRODUCTS), "\\x00\\x0A02001c0x2c",
			"field \"products[2].product\" at byte 8 is no decimal number");
	refused(FRAMED(TLV("")), "\\x00\\x05\\x11\\x03\\x00\\x01\\x00",
			"field \"o.b\" at byte 6 ends before the item that it stands in");
	refused(FRAMED(TLV("")), "\\x00\\x03\\x11\\x01\\x00",
			"field \"o.b\" at byte 4 is cut off");
	refused(FRAMED(TLV("")), "\\x00\\x08\\x11\\x02\\x00\\x01\\x11\\x02\\x00\\x01",
			"field \"o\" at byte 8 holds an item twice");
	refused(FRAMED(TLV("")), "\\x00\\x03\\x13\\x01x",
			"field \"o\" at byte 4 holds an item of unknown tag");
	refused(FRAMED(TLV("")), "\\x00\\x03\\x10\\x02x",
			"field \"o\" at byte 4 is cut off");
	refused(FRAMED(TLV(", 'unknown': 'skip'")), "\\x00\\x03\\x13\\x02x",
			"field \"o\" at byte 4 is cut off");
	refused(FRAMED(TLV("")), "\\x00\\x01\\x10",
			"field \"o.length\" at byte 3 is cut off");
	refused(FRAMED(TLV(", 'total': {'form': 'uint', 'width': 1}")),
			"\\x00\\x03\\x03\\x10\\x00", "field \"o\" at byte 3 is cut off");
	refused(FRAMED(TLV(", 'total': {'form': 'uint', 'width': 1}")),
			"\\x00\\x03\\x01\\x10\\x00",
			"field \"o.length\" at byte 4 is cut off");
	refused(selects[3].document, "\\x00\\x0706!y???",
			"field \"d\" at byte 6 is none of the cases");
	refused(groups[4].document, "\\x00\\x0A\\x02\\x05" "abcdef\\x02\\x06",
			"field \"l\" at byte 10 does not say what its message holds");
	refused(groups[4].document, "\\x00\\x0A\\x02\\x06" "abcdef\\x01\\x06",
			"field \"m\" at byte 11 does not say");
	refused(groups[7].document, "\\x00\\x08" "abc\\xFE" "d\\x00\\x00\\x00",
			"field \"p\" at byte 5 is not made of its filling");
}

static void
test_skip(void)
{
	Layout	   *layout = unit_compile(FRAMED(TLV(", 'unknown': 'skip'")));

	is(unit_decode(layout, "\0\012\023\004xxxx\021\002\0\1", 12), "o.b=1",
	   "unknown items are skipped where the profile says so");
}

static void
test_looking(void)
{
	Layout	   *layout = unit_compile(FRAMED(PRODUCTS "," TLV("")));
	StringInfo	frame = unit_encode(layout, "service=7;service=8;card=c;a=xyz");
	List	   *fields;
	const char *failure;

	ok(layout_decode(layout, NULL, frame->data, frame->len, &fields,
					 &failure), "a frame is read");
	is(layout_value(fields, "product"), "7", "layout_value: the first one");
	is(layout_value(fields, "products[2].product"), "8",
	   "layout_value: a whole name");
	is(layout_value(fields, "a"), "xyz", "layout_value: in TLV");
	is(layout_value(fields, "nobody"), NULL, "layout_value: none");
	is(layout_value(NIL, "a"), NULL, "layout_value: of nothing");
	is(layout_explain(fields, false),
	   "products.count 2 | products[1].product 007 | products[1].card c | "
	   "products[2].product 008 | products[2].card c | o.a xyz",
	   "layout_explain");
	layout = unit_compile(FRAMED("{'name': 'a', 'form': 'text', 'width': 4, 'pad': 'left', 'fill': '0'},"
								 "{'name': 'b', 'form': 'text', 'width': 4},"
								 "{'name': 'c', 'form': 'text', 'width': 2},"
								 "{'name': 'u', 'form': 'uint', 'width': 2},"
								 "{'form': 'text', 'const': 'end'}"));
	frame = unit_encode(layout, "a=2;b=x;c=;u=258");
	(void) layout_decode(layout, NULL, frame->data, frame->len, &fields,
						 &failure);
	is(layout_explain(fields, false),
	   "a 0002 | b x | c \"\" | u 258 | end",
	   "layout_explain: filled up, empty, binary, without a name");
}

void
test_groups(void)
{
	unit_cases(groups, lengthof(groups));
	unit_cases(tlvs, lengthof(tlvs));
	unit_cases(selects, lengthof(selects));
	test_refused();
	test_skip();
	test_looking();
}
