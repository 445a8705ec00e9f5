/*-------------------------------------------------------------------------
 *
 * unit_forms.c
 *		Golden bytes of every form of field, both ways.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "unit.h"

static const UnitCase numbers[] = {
	{"decimal",
		FRAMED("{'name': 'a', 'form': 'decimal', 'width': 9},"
			   "{'name': 'b', 'form': 'decimal', 'width': 1}"),
	"a=42;b=9", "\\x00\\x0A0000000429", "a=42;b=9"},
	{"decimal of 18 digits, zeros in front of the value",
		FRAMED("{'name': 'a', 'form': 'decimal', 'width': 18}"),
		"a=000999999999999999999", "\\x00\\x12999999999999999999",
	"a=999999999999999999"},
	{"decimal zero",
		FRAMED("{'name': 'a', 'form': 'decimal', 'width': 3}"),
	"a=0", "\\x00\\x03000", "a=0"},
	{"hex",
		FRAMED("{'name': 'a', 'form': 'hex', 'width': 4},"
			   "{'name': 'b', 'form': 'hex', 'width': 4, 'letters': 'lower'},"
			   "{'name': 'c', 'form': 'hex', 'width': 16}"),
		"a=255;b=0xAbC;c=18446744073709551615",
		"\\x00\\x1800FF0abcFFFFFFFFFFFFFFFF",
	"a=255;b=2748;c=18446744073709551615"},
	{"uint, big first",
		FRAMED("{'name': 'a', 'form': 'uint', 'width': 1},"
			   "{'name': 'b', 'form': 'uint', 'width': 2},"
			   "{'name': 'c', 'form': 'uint', 'width': 4},"
			   "{'name': 'd', 'form': 'uint', 'width': 8}"),
		"a=255;b=258;c=16909060;d=18446744073709551614",
		"\\x00\\x0F\\xFF\\x01\\x02\\x01\\x02\\x03\\x04"
		"\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFE",
	"a=255;b=258;c=16909060;d=18446744073709551614"},
	{"uint, little first",
		FRAMED("{'name': 'b', 'form': 'uint', 'width': 2, 'order': 'little'},"
			   "{'name': 'c', 'form': 'uint', 'width': 4, 'order': 'little'}"),
		"b=258;c=16909060", "\\x00\\x06\\x02\\x01\\x04\\x03\\x02\\x01",
	"b=258;c=16909060"},
	{"constants",
		FRAMED("{'form': 'decimal', 'width': 4, 'const': '7'},"
			   "{'form': 'hex', 'width': 2, 'const': 26},"
			   "{'form': 'uint', 'width': 2, 'const': '513'},"
			   "{'form': 'uint', 'const_hex': '0aFF'},"
			   "{'name': 'k', 'form': 'text', 'const': 'OK'},"
			   "{'form': 'text', 'width': 4, 'const': 'X'},"
			   "{'form': 'text', 'const_hex': '02'},"
			   "{'form': 'hex_text', 'const': 'ab'},"
			   "{'form': 'date', 'pattern': 'YYYYMMDD', 'const': '20991231'}"),
		"", "\\x00\\x1D00071A\\x02\\x01\\x0A\\xFFOKX   \\x02616220991231",
	"=7;=26;=513;=0aFF;k=OK;=X;=02;=ab;=20991231"},
};

static const UnitCase texts[] = {
	{"text, filled up behind",
		FRAMED("{'name': 'a', 'form': 'text', 'width': 6}"),
	"a=ab ", "\\x00\\x06ab    ", "a=ab"},
	{"text, filled up in front",
		FRAMED("{'name': 'a', 'form': 'text', 'width': 6, 'pad': 'left', 'fill': '0'}"),
	"a=120", "\\x00\\x06000120", "a=120"},
	{"text, full and empty",
		FRAMED("{'name': 'a', 'form': 'text', 'width': 3},"
			   "{'name': 'b', 'form': 'text', 'width': 2}"),
	"a=x|~;b=", "\\x00\\x05x|~  ", "a=x|~;b="},
	{"text in UTF-8",
		FRAMED("{'name': 'a', 'form': 'text', 'width': 4, 'charset': 'utf8'}"),
	"a=\xC3\xBC!", "\\x00\\x04\\xC3\\xBC! ", "a=\xC3\xBC!"},
	{"text that is the rest",
		FRAMED("{'name': 'a', 'form': 'text', 'width': 1},"
			   "{'name': 'b', 'form': 'text', 'width': 'rest'}"),
	"a=x;b= y ", "\\x00\\x04x y ", "a=x;b= y "},
	{"text after its length",
		FRAMED("{'name': 'n', 'form': 'hex', 'width': 2, 'compute': 'length', 'of': 't'},"
			   "{'name': 't', 'form': 'text', 'width': {'field': 'n'}},"
			   "{'name': 'z', 'form': 'decimal', 'width': 1}"),
	"t=abcdefghijk;z=1", "\\x00\\x0E0Babcdefghijk1", "n=11;t=abcdefghijk;z=1"},
	{"hex text",
		FRAMED("{'name': 'a', 'form': 'hex_text', 'width': 8},"
			   "{'name': 'b', 'form': 'hex_text', 'width': 6, 'pad': 'left',"
			   " 'fill': '0', 'letters': 'lower'},"
			   "{'name': 'c', 'form': 'hex_text', 'width': 'rest'}"),
		"a=\xC3\xBC*;b=|;c=Oo", "\\x00\\x12C3BC2A2030307c4F6F",
	"a=\xC3\xBC*;b=|;c=Oo"},
	{"hex text after its length in bytes",
		FRAMED("{'name': 'n', 'form': 'uint', 'width': 1, 'compute': 'length', 'of': 't'},"
			   "{'name': 't', 'form': 'hex_text', 'width': {'field': 'n'}}"),
	"t=JK", "\\x00\\x05\\x044A4B", "n=4;t=JK"},
};

static const UnitCase times[] = {
	{"date",
		FRAMED("{'name': 'a', 'form': 'date', 'pattern': 'YYYYMMDD'}"),
	"a=2015-09-07T15:23:15Z", "\\x00\\x0820150907", "a=2015-09-07T00:00:00Z"},
	{"date and time",
		FRAMED("{'name': 'a', 'form': 'date', 'pattern': 'DD.MM.YYYY HH24:MI:SS'}"),
		"a=2015-09-07T23:59:59.9+02", "\\x00\\x1307.09.2015 21:59:59",
	"a=2015-09-07T21:59:59Z"},
	{"date with T and Z",
		FRAMED("{'name': 'a', 'form': 'date', 'width': 16,"
			   " 'pattern': 'YYYYMMDDTHH24MISSZ'}"),
		"a=2016-02-29T00:00:00Z", "\\x00\\x1020160229T000000Z",
	"a=2016-02-29T00:00:00Z"},
	{"days later, and read back",
		FRAMED("{'name': 'a', 'form': 'date', 'pattern': 'YYYYMMDD', 'add_days': 30},"
			   "{'name': 'b', 'from': 'a', 'form': 'date', 'pattern': 'YYYYMMDD',"
			   " 'add_days': -1}"),
		"a=2016-02-01T10:00:00Z", "\\x00\\x102016030220160131",
	"a=2016-02-01T00:00:00Z;b=2016-02-01T00:00:00Z"},
	{"first and last day",
		FRAMED("{'name': 'a', 'form': 'date', 'pattern': 'YYYYMMDD'},"
			   "{'name': 'b', 'form': 'date', 'pattern': 'YYYYMMDD'}"),
		"a=0001-01-01T00:00:00Z;b=9999-12-31T23:59:59Z",
		"\\x00\\x100001010199991231",
	"a=0001-01-01T00:00:00Z;b=9999-12-31T00:00:00Z"},
	{"time of day alone",
		FRAMED("{'name': 'a', 'form': 'date', 'pattern': 'HH24MI'}"),
	"a=2015-09-07T15:23:15Z", "\\x00\\x041523", "a=1523"},
	{"default in the pattern's form",
		FRAMED("{'name': 'a', 'form': 'date', 'pattern': 'YYYYMMDD', 'default': '20991231'}"),
	"", "\\x00\\x0820991231", "a=2099-12-31T00:00:00Z"},
	{"unix time",
		FRAMED("{'name': 'a', 'form': 'unix_time', 'width': 4},"
			   "{'name': 'b', 'form': 'unix_time', 'width': 4, 'order': 'little'},"
			   "{'name': 'c', 'form': 'unix_time', 'width': 8}"),
		"a=1970-01-01T00:00:00Z;b=2106-02-07T06:28:15Z;c=9999-12-31T23:59:59Z",
		"\\x00\\x10\\x00\\x00\\x00\\x00\\xFF\\xFF\\xFF\\xFF"
		"\\x00\\x00\\x00:\\xFF\\xF4A\\x7F",
	"a=1970-01-01T00:00:00Z;b=2106-02-07T06:28:15Z;c=9999-12-31T23:59:59Z"},
};

static const UnitCase sources[] = {
	{"value of another name",
		FRAMED("{'name': 'a', 'from': 'card', 'form': 'decimal', 'width': 3}"),
	"card=17", "\\x00\\x03017", "a=17"},
	{"defaults, as text and as a number",
		FRAMED("{'name': 'a', 'form': 'decimal', 'width': 3, 'default': '5'},"
			   "{'name': 'b', 'form': 'uint', 'width': 1, 'default': 65}"),
	"", "\\x00\\x04005A", "a=5;b=65"},
	{"a value instead of the default",
		FRAMED("{'name': 'a', 'form': 'decimal', 'width': 3, 'default': '5'}"),
	"a=6", "\\x00\\x03006", "a=6"},
	{"first and last characters",
		FRAMED("{'name': 'a', 'from': 'c', 'form': 'text', 'width': 4, 'take': {'first': 3}},"
			   "{'name': 'b', 'from': 'c', 'form': 'text', 'width': 4, 'take': {'last': 3}},"
			   "{'name': 'd', 'from': 'e', 'form': 'text', 'width': 4, 'take': {'last': 3}}"),
	"c=12345;e=ab", "\\x00\\x0C123 345 ab  ", "a=123;b=345;d=ab"},
	{"first digits of a number",
		FRAMED("{'name': 'a', 'form': 'decimal', 'width': 10, 'take': {'first': 10}}"),
	"a=012345678901", "\\x00\\x0A0123456789", "a=123456789"},
	{"characters, not bytes, are taken",
		FRAMED("{'name': 'a', 'form': 'text', 'charset': 'utf8', 'width': 'rest',"
			   " 'take': {'last': 2}}"),
		"a=x\xC3\xBC\xC3\xBC", "\\x00\\x04\\xC3\\xBC\\xC3\\xBC",
	"a=\xC3\xBC\xC3\xBC"},
	{"map, and back where it is one value alone",
		FRAMED("{'name': 'p', 'form': 'text', 'width': 1,"
			   " 'map': {'IMMEDIATE': 'I', 'REGULAR': 'R', '*': 'R'}},"
			   "{'name': 'q', 'from': 'p', 'form': 'text', 'width': 1,"
			   " 'map': {'EXPRESS': 'E', 'LATER': 'E'}}"),
	"p=EXPRESS", "\\x00\\x02RE", "p=REGULAR;q=E"},
	{"map of numbers",
		FRAMED("{'name': 'p', 'form': 'decimal', 'width': 3,"
			   " 'map': {'true': '01', 'false': 0}}"),
	"p=true", "\\x00\\x03001", "p=true"},
	{"map, and what it does not name",
		FRAMED("{'name': 'd', 'form': 'date', 'pattern': 'YYYYMMDD',"
			   " 'map': {'never': '20991231'}},"
			   "{'name': 'e', 'form': 'date', 'pattern': 'YYYYMMDD',"
			   " 'map': {'never': '20991231'}}"),
		"d=never;e=2020-01-02T00:00:00Z", "\\x00\\x102099123120200102",
	"d=never;e=2020-01-02T00:00:00Z"},
	{"a default goes through the map",
		FRAMED("{'name': 'p', 'form': 'text', 'width': 1, 'default': 'REGULAR',"
			   " 'map': {'REGULAR': 'R'}}"),
	"", "\\x00\\x01R", "p=REGULAR"},
	{"values that no field takes",
		FRAMED("{'name': 'a', 'form': 'decimal', 'width': 1}"),
	"z=1;a=2;y=3;y=4", "\\x00\\x012", "a=2"},
};

static void
test_names(void)
{
	Layout	   *layout = unit_compile(FRAMED(
											 "{'name': 'a', 'from': 'card', 'form': 'decimal', 'width': 18},"
											 "{'name': 'h', 'form': 'hex', 'width': 8},"
											 "{'name': 'u', 'form': 'uint', 'width': 2},"
											 "{'name': 'w', 'form': 'uint', 'width': 8},"
											 "{'name': 'd', 'form': 'date', 'pattern': 'YYYY'},"
											 "{'name': 'again', 'from': 'u', 'form': 'decimal', 'width': 4},"
											 "{'name': 'c', 'form': 'text', 'const': 'x'},"
											 "{'name': 'g', 'form': 'group', 'count': {'form': 'uint', 'width': 1},"
											 " 'each': 's', 'fields': [{'name': 'in', 'from': 's', 'form': 'decimal', 'width': 1}]},"
											 "{'name': 'o', 'form': 'tlv', 'tag': {'form': 'uint', 'width': 1},"
											 " 'length': {'form': 'uint', 'width': 1}, 'items': ["
											 " {'tag': 1, 'field': {'name': 'item', 'form': 'uint', 'width': 1}}]}"));

	ok(layout_takes(layout, "card") && layout_takes(layout, "s") &&
	   layout_takes(layout, "item"), "layout_takes: values of all depths");
	ok(!layout_takes(layout, "a") && !layout_takes(layout, "c") &&
	   !layout_takes(layout, "in") && !layout_takes(layout, ""),
	   "layout_takes: not what fields are called or is constant");
	ok(layout_has(layout, "a") && layout_has(layout, "c") &&
	   layout_has(layout, "in") && layout_has(layout, "item"),
	   "layout_has: fields of all depths");
	ok(!layout_has(layout, "card") && !layout_has(layout, ""),
	   "layout_has: not values");
	ok(layout_greatest(layout, "card") == UINT64CONST(999999999999999999),
	   "layout_greatest: decimal");
	ok(layout_greatest(layout, "h") == 0xFFFFFFFF, "layout_greatest: hex");
	ok(layout_greatest(layout, "u") == 9999,
	   "layout_greatest: the least of all fields of the value");
	ok(layout_greatest(layout, "w") == PG_UINT64_MAX,
	   "layout_greatest: 8 bytes");
	ok(layout_greatest(layout, "d") == 0 && layout_greatest(layout, "q") == 0,
	   "layout_greatest: 0 where there is none");
}

void
test_forms(void)
{
	unit_cases(numbers, lengthof(numbers));
	unit_cases(texts, lengthof(texts));
	unit_cases(times, lengthof(times));
	unit_cases(sources, lengthof(sources));
	test_names();
}
