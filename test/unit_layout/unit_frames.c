/*-------------------------------------------------------------------------
 *
 * unit_frames.c
 *		Lengths of frames, in every form and from every place on.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "unit.h"

#define OUTER(length) \
	"{'frame': {'length': {" length ", 'outer': true}, 'max': 200}," \
	" 'fields': [{'name': 'a', 'form': 'text', 'width': 'rest'}]}"

#define INNER(length, field) \
	"{'frame': {'length': {" length ", 'at': 2, 'outer': false}}," \
	" 'fields': [{'form': 'text', 'const': 'AB'}, {'name': 'len'," field \
	", 'compute': 'length'}, {'name': 'a', 'form': 'text', 'width': 'rest'}]}"

#define DIGEST ", {'name': 'd', 'form': 'digest', 'algorithm': 'md5', 'bytes': 2}"

static const UnitCase outer_cases[] = {
	{"1 byte", OUTER("'form': 'uint', 'width': 1, 'from': 'after'"),
	"a=xyz", "\\x03xyz", "a=xyz"},
	{"2 bytes, big", OUTER("'form': 'uint', 'width': 2, 'from': 'message'"),
	"a=xyz", "\\x00\\x05xyz", "a=xyz"},
	{"2 bytes, little",
		OUTER("'form': 'uint', 'width': 2, 'order': 'little', 'from': 'length'"),
	"a=xyz", "\\x05\\x00xyz", "a=xyz"},
	{"4 bytes", OUTER("'form': 'uint', 'width': 4, 'from': 'after'"),
	"a=xyz", "\\x00\\x00\\x00\\x03xyz", "a=xyz"},
	{"4 bytes, little",
		OUTER("'form': 'uint', 'width': 4, 'order': 'little', 'from': 'after'"),
	"a=xyz", "\\x03\\x00\\x00\\x00xyz", "a=xyz"},
	{"decimal", OUTER("'form': 'decimal', 'width': 5, 'from': 'after'"),
	"a=xyz", "00003xyz", "a=xyz"},
	{"hex, itself included",
		OUTER("'form': 'hex', 'width': 4, 'from': 'message'"),
	"a=xyzxyzxyz", "000Dxyzxyzxyz", "a=xyzxyzxyz"},
};

static const UnitCase inner_cases[] = {
	{"inside, of the message",
		INNER("'form': 'hex', 'width': 4, 'from': 'message'",
			  "'form': 'hex', 'width': 4"),
	"a=xyz", "AB0009xyz", "=AB;len=9;a=xyz"},
	{"inside, from the length on",
		INNER("'form': 'decimal', 'width': 3, 'from': 'length'",
			  "'form': 'decimal', 'width': 3"),
	"a=xyz", "AB006xyz", "=AB;len=6;a=xyz"},
	{"inside, of what follows",
		INNER("'form': 'uint', 'width': 2, 'from': 'after', 'order': 'little'",
			  "'form': 'uint', 'width': 2, 'order': 'little'"),
	"a=xyz", "AB\\x03\\x00xyz", "=AB;len=3;a=xyz"},
	{"no length at all",
		"{'frame': {'length': {'form': 'none'}, 'size': 5}, 'fields': ["
		"{'name': 'a', 'form': 'text', 'width': 3}, {'name': 'n',"
		" 'form': 'decimal', 'width': 2, 'compute': 'length', 'of': 'message'}]}",
	"a=xy", "xy 05", "a=xy;n=5"},
	{"a second length inside",
		FRAMED("{'name': 'n', 'form': 'decimal', 'width': 2, 'compute': 'length'},"
			   "{'name': 'a', 'form': 'text', 'width': 'rest'}"),
	"a=xyz", "\\x00\\x0505xyz", "n=5;a=xyz"},
	{"a digest that is counted",
		"{'frame': {'length': {'form': 'uint', 'width': 2, 'outer': true,"
		" 'from': 'after'}}, 'fields': [{'name': 'a', 'form': 'text', 'width': 2}"
		DIGEST "]}",
	"a=xy", "\\x00\\x06xy3E44", "a=xy;d=3E44"},
	{"a digest that is not counted",
		"{'frame': {'length': {'form': 'uint', 'width': 2, 'outer': true,"
		" 'from': 'after', 'digest': false, 'digest_width': 4}},"
		" 'fields': [{'name': 'a', 'form': 'text', 'width': 2}" DIGEST "]}",
	"a=xy", "\\x00\\x02xy3E44", "a=xy;d=3E44"},
	{"a digest behind the rest, over a length inside",
		"{'frame': {'length': {'form': 'decimal', 'width': 2, 'outer': false,"
		" 'from': 'message'}}, 'fields': [{'name': 'n', 'form': 'decimal',"
		" 'width': 2, 'compute': 'length'}, {'name': 'a', 'form': 'text',"
		" 'width': 'rest'}" DIGEST "]}",
	"a=xyz", "09xyz90E2", "n=9;a=xyz;d=90E2"},
};

static void
length_is(const LayoutFrame *frame, const char *printed, int64 expected,
		  const char *name)
{
	StringInfo	bytes = unit_bytes(printed);
	const char *failure = NULL;
	int64		length = layout_frame_length(frame, bytes->data, bytes->len,
											 &failure);

	if (!ok(length == expected && (length >= 0 || failure), "%s", name))
		note("got " INT64_FORMAT ", failure %s", length,
			 failure ? failure : "NULL");
}

static void
test_lengths(void)
{
	const LayoutFrame *frame;
	Size		len;
	const char *body;

	frame = unit_frame("{'length': {'form': 'uint', 'width': 4, 'outer': true,"
					   " 'from': 'after'}, 'max': 1000}");
	length_is(frame, "", 0, "nothing: more bytes are needed");
	length_is(frame, "\\x00\\x00\\x00", 0, "half a length");
	length_is(frame, "\\x00\\x00\\x00\\x00", 4, "an empty message");
	length_is(frame, "\\x00\\x00\\x03\\xE4", 1000, "the greatest frame");
	length_is(frame, "\\x00\\x00\\x03\\xE5", -1, "one more is refused");
	length_is(frame, "\\xFF\\xFF\\xFF\\xFF", -1, "as is 0xFFFFFFFF");
	length_is(frame, "\\x00\\x00\\x00\\x08more follows", 12,
			  "what follows does not matter");
	body = layout_frame_body(frame, "\0\0\0\2ab", 6, &len);
	ok(len == 2 && memcmp(body, "ab", 2) == 0, "the body of a frame");
	(void) layout_frame_body(frame, "\0", 1, &len);
	ok(len == 0, "the body of half a length is empty");

	frame = unit_frame("{'length': {'form': 'hex', 'width': 4, 'outer': false,"
					   " 'at': 4, 'from': 'message'}}");
	length_is(frame, "0001005", 0, "a length that is not there yet");
	length_is(frame, "00010050", 80, "a length inside");
	length_is(frame, "0001005g", -1, "a length that is no number");
	length_is(frame, "0001 050", -1, "nor with spaces");
	length_is(frame, "00010007", -1, "a length that ends before itself");
	length_is(frame, "00010008", 8, "a length with nothing behind it");
	length_is(frame, "0001ffff", 65535, "small letters");
	body = layout_frame_body(frame, "0001000A12", 10, &len);
	ok(len == 10 && body[0] == '0', "the body is the whole frame");

	frame = unit_frame("{'length': {'form': 'none'}, 'size': 7}");
	length_is(frame, "", 7, "frames of one size");

	frame = unit_frame("{'length': {'form': 'decimal', 'width': 9,"
					   " 'outer': true, 'from': 'after', 'digest': false,"
					   " 'digest_width': 64}}");
	length_is(frame, "999999999", -1, "nine digits");
	length_is(frame, "000000001", 74, "with a digest that is not counted");
}

/* Bytes of frames that do not agree with themselves. */
static void
test_wrong_lengths(void)
{
	static const struct
	{
		const char *name;
		const char *frame;
		const char *failure;
	}			wrong[] = {
		{"too long a length", "AB0010xyz", "9 bytes instead of 16"},
		{"too short a length", "AB0008xyz", "9 bytes instead of 8"},
		{"no length", "AB", "the frame ends before its length is told"},
		{"another constant", "AC0009xyz", "field \"AB\" at byte 0"},
		{"no number", "AB00x9xyz", "no number"},
	};
	Layout	   *layout = unit_compile(inner_cases[0].document);

	for (int i = 0; i < lengthof(wrong); i++)
		has(unit_decode(layout, wrong[i].frame, strlen(wrong[i].frame)),
			wrong[i].failure, psprintf("refused: %s", wrong[i].name));
	layout = unit_compile(inner_cases[4].document);
	has(unit_decode(layout, "\0\005" "04xyz", 7), "how long the message is",
		"refused: a second length that is wrong");
}

/* What a link takes for a frame is what its layouts can make. */
static void
test_longest(void)
{
	ok(layout_frame_max(unit_frame("{'length': {'form': 'none'}, 'size': 9}")) ==
	   131072, "the longest frame has 131072 bytes");
	ok(layout_frame_max(unit_frame("{'length': {'form': 'none'}, 'size': 9, 'max': 10}")) ==
	   10, "or what the profile says");
}

void
test_frames(void)
{
	test_longest();
	unit_cases(outer_cases, lengthof(outer_cases));
	unit_cases(inner_cases, lengthof(inner_cases));
	test_lengths();
	test_wrong_lengths();
}
