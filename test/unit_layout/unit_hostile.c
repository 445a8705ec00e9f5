/*-------------------------------------------------------------------------
 *
 * unit_hostile.c
 *		Frames that were made to do harm.
 *
 * All of them are read in front of a page that cannot be read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "unit.h"
#include "utils/memutils.h"

#define COUNTED(form, width) \
	FRAMED("{'name': 'g', 'form': 'group', 'count': {'form': '" form "'," \
		   " 'width': " width "}, 'max': 65535, 'fields': [" \
		   "{'name': 'h', 'form': 'group', 'count': {'form': '" form "'," \
		   " 'width': " width "}, 'max': 65535, 'fields': []}]}")

static void
refused(const char *document, const char *frame, const char *failure)
{
	Layout	   *layout = unit_compile(document);
	StringInfo	bytes = unit_bytes(frame);
	char	   *name = psprintf("%s: %s", frame, failure);

	has(unit_decode(layout, bytes->data, bytes->len), failure, name);
}

static void
test_huge_numbers(void)
{
	refused(COUNTED("uint", "4"), "\\x00\\x04\\xFF\\xFF\\xFF\\xFF",
			"has too many elements");
	refused(COUNTED("uint", "8"),
			"\\x00\\x08\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF",
			"has too many elements");
	refused(COUNTED("hex", "8"), "\\x00\\x08" "FFFFFFFF",
			"has too many elements");
	refused(COUNTED("decimal", "9"), "\\x00\\x09" "999999999",
			"has too many elements");
	refused(FRAMED("{'name': 'n', 'form': 'uint', 'width': 8, 'compute': 'length', 'of': 't'},"
				   "{'name': 't', 'form': 'text', 'width': {'field': 'n'}}"),
			"\\x00\\x09\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFFx",
			"field \"t\" at byte 10 is cut off");
	refused(FRAMED("{'name': 'o', 'form': 'tlv', 'tag': {'form': 'uint', 'width': 8},"
				   " 'length': {'form': 'uint', 'width': 8}, 'unknown': 'skip', 'items': []}"),
			"\\x00\\x11" "aaaaaaaa\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFFx",
			"field \"o\" at byte 18 is cut off");
	refused(FRAMED("{'name': 'o', 'form': 'tlv', 'tag': {'form': 'uint', 'width': 1},"
				   " 'length': {'form': 'uint', 'width': 1},"
				   " 'total': {'form': 'uint', 'width': 8}, 'items': []}"),
			"\\x00\\x08\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF",
			"field \"o\" at byte 10 is cut off");
	refused(FRAMED("{'name': 't', 'form': 'unix_time', 'width': 8}"),
			"\\x00\\x08\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF",
			"is a time after the year 9999");
	refused(FRAMED("{'name': 't', 'form': 'date', 'pattern': 'YYYYMMDD', 'add_days': 1}"),
			"\\x00\\x08" "00010101", "is no date");
	refused(FRAMED("{'name': 't', 'form': 'date', 'pattern': 'YYYYMMDD'}"),
			"\\x00\\x08" "20150229", "is no date");
	refused(FRAMED("{'name': 't', 'form': 'text', 'width': 2}"),
			"\\x00\\x02" "a\\x00", "printable ASCII");
	refused(FRAMED("{'name': 't', 'form': 'hex_text', 'width': 'rest'}"),
			"\\x00\\x03" "414", "is no text in hex");
	refused(FRAMED("{'name': 't', 'form': 'hex', 'width': 2}"),
			"\\x00\\x02" "-1", "is no hex number");
}

/* Elements without a byte: the budget ends them. */
static void
test_budget(void)
{
	Layout	   *layout = unit_compile(COUNTED("uint", "2"));
	StringInfo	frame = makeStringInfo();
	const char *result;

	appendStringInfoString(frame, "  ");
	appendStringInfoChar(frame, 0);
	appendStringInfoChar(frame, 20);
	for (int i = 0; i < 20; i++)
		appendBinaryStringInfo(frame, "\xFF\xFF", 2);
	frame->data[0] = (frame->len - 2) >> 8;
	frame->data[1] = (frame->len - 2) & 255;
	result = unit_decode(layout, frame->data, frame->len);
	has(result, "has too many elements", "a million empty elements");
}

/* What comes from outside becomes text that can be stored and shown. */
static void
test_dirty_text(void)
{
	Layout	   *layout = unit_compile(FRAMED("{'name': 't', 'form': 'text',"
											 " 'width': 'rest', 'charset': 'utf8'}"));
	const char	frame[] = "\0\007a\0\n\xFF\xC3\xBC\x1B";
	List	   *fields;
	const char *failure;

	ok(layout_decode(layout, NULL, frame, 9, &fields, &failure),
	   "dirty UTF-8 is read");
	is(layout_value(fields, "t"), "a\n?\xC3\xBC", "and cleaned");
	is(layout_explain(fields, true), "t a ?\xC3\xBC", "and shown on one line");
	is(((LayoutField *) linitial(fields))->raw, "61000AFFC3BC1B",
	   "the bytes are kept in hex");
}

/*
 * Random frames for all that a layout can hold; those that are taken must
 * give the same frame again.
 */
static void
test_random(void)
{
	Layout	   *layout = unit_compile(FRAMED(
											 "{'name': 'k', 'form': 'uint', 'width': 1},"
											 "{'name': 'n', 'form': 'uint', 'width': 1, 'compute': 'length', 'of': 't'},"
											 "{'name': 't', 'form': 'text', 'width': {'field': 'n'}, 'charset': 'utf8'},"
											 "{'form': 'select', 'by': 'k', 'cases': {"
											 "'0': [{'name': 'a', 'form': 'hex_text', 'width': 4}],"
											 "'1': [{'name': 'g', 'form': 'group', 'count': {'form': 'uint', 'width': 1},"
											 " 'fields': [{'name': 'u', 'form': 'uint', 'width': 1}]}],"
											 "'*': [{'name': 'o', 'form': 'tlv', 'tag': {'form': 'uint', 'width': 1},"
											 " 'length': {'form': 'uint', 'width': 1}, 'unknown': 'skip', 'items': ["
											 " {'tag': 1, 'repeat': true, 'field': {'name': 'v', 'form': 'unix_time', 'width': 4}}]}]}}"));
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "random",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(context);
	unsigned int seed = 20151109;
	int			taken = 0;

	for (int i = 0; i < 50000; i++)
	{
		char		frame[34];
		Size		len = 4 + rand_r(&seed) % 30;

		for (int j = 2; j < len; j++)
			frame[j] = rand_r(&seed) % (i % 2 ? 256 : 4);
		frame[0] = 0;
		frame[1] = len - 2;
		if (strncmp(unit_decode(layout, frame, len), "FAILURE", 7) != 0)
			taken++;
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(context);
	ok(taken > 100, "%d of 50000 random frames are taken, none does harm",
	   taken);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

/* Not a test: how long a message of about a hundred bytes takes. */
static void
measure(void)
{
	Layout	   *layout = unit_compile(FRAMED(
											 "{'name': 'transaction_number', 'form': 'decimal', 'width': 9},"
											 "{'form': 'decimal', 'width': 2, 'const': '1'},"
											 "{'name': 'source_id', 'form': 'decimal', 'width': 4},"
											 "{'name': 'dest_id', 'form': 'decimal', 'width': 4},"
											 "{'name': 'mop_ppid', 'form': 'decimal', 'width': 5},"
											 "{'name': 'creation_date', 'form': 'date', 'pattern': 'YYYYMMDD'},"
											 "{'name': 'mode', 'form': 'text', 'const': 'N'},"
											 "{'name': 'start', 'from': 'creation_date', 'form': 'date', 'pattern': 'YYYYMMDD'},"
											 "{'name': 'end', 'from': 'creation_date', 'form': 'date', 'pattern': 'YYYYMMDD', 'add_days': 30},"
											 "{'name': 'type', 'form': 'text', 'const': 'U'},"
											 "{'name': 'address', 'from': 'card', 'form': 'decimal', 'width': 10, 'take': {'first': 10}},"
											 "{'form': 'decimal', 'width': 4, 'const': '2'},"
											 "{'name': 'product', 'form': 'decimal', 'width': 12},"
											 "{'name': 'begin', 'from': 'creation_date', 'form': 'date', 'pattern': 'YYYYMMDD'},"
											 "{'name': 'last', 'form': 'date', 'pattern': 'YYYYMMDD', 'default': '20991231'}"));
	const LayoutValue values[] = {
		{"transaction_number", "42"}, {"source_id", "1"}, {"dest_id", "2"},
		{"mop_ppid", "3"}, {"creation_date", "2026-11-21T22:00:00Z"},
		{"card", "000000000017"}, {"product", "1001"}
	};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "measure",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(context);
	StringInfoData frame;
	double		start;
	double		encode;
	double		decode;

	initStringInfo(&frame);
	start = now();
	for (int i = 0; i < 100000; i++)
	{
		resetStringInfo(&frame);
		layout_encode(layout, NULL, values, lengthof(values), &frame);
	}
	encode = (now() - start) / 100000;
	start = now();
	for (int i = 0; i < 100000; i++)
	{
		MemoryContext each = AllocSetContextCreate(context, "each",
												   ALLOCSET_DEFAULT_SIZES);
		List	   *fields;
		const char *failure;

		MemoryContextSwitchTo(each);
		(void) layout_decode(layout, NULL, frame.data, frame.len, &fields,
							 &failure);
		MemoryContextSwitchTo(context);
		MemoryContextDelete(each);
	}
	decode = (now() - start) / 100000;
	note("%d bytes: encode %.2f us, decode %.2f us", frame.len, encode,
		 decode);
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(context);
}

void
test_hostile(void)
{
	test_huge_numbers();
	test_budget();
	test_dirty_text();
	test_random();
	measure();
}
