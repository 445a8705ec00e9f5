/*-------------------------------------------------------------------------
 *
 * layout_frame.c
 *		Where a message ends in a stream of bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "layout_private.h"

static const char *const frame_members[] = {
	"length", "size", "max", NULL
};

static const char *const length_members[] = {
	"form", "width", "order", "at", "outer", "from", "digest",
	"digest_width", NULL
};

static const char *const length_forms[] = {
	"uint", "decimal", "hex", "none", NULL
};

static const char *const length_froms[] = {
	"message", "length", "after", NULL
};

static const char *const orders[] = {"big", "little", NULL};

/* Width and order of a length that is a number in one of the forms. */
static void
compile_length_field(FieldSpec *spec, const ProfileNode *node,
					 LengthForm form)
{
	const ProfileNode *width = profile_require(node, "width");

	spec->name = "length";
	spec->form = form == LENGTH_UINT ? FORM_UINT :
		form == LENGTH_DECIMAL ? FORM_DECIMAL : FORM_HEX;
	spec->width = profile_integer(width, 1, form == LENGTH_UINT ? 4 : 9);
	if (form == LENGTH_UINT && spec->width == 3)
		profile_error(width, NULL, "must be 1, 2 or 4");
	spec->little = profile_choice_of(node, "order", orders, 0) == 1;
	if (spec->little && form != LENGTH_UINT)
		profile_error(profile_member(node, "order"), NULL,
					  "only the form \"uint\" has an order");
}

/* The member "length" of a frame: where it stands and what it counts. */
static void
compile_length(LayoutFrame *frame, const ProfileNode *node)
{
	LengthForm	form;
	bool		counted;

	profile_check_members(node, length_members);
	form = profile_choice(profile_require(node, "form"), length_forms);
	if (form == LENGTH_NONE)
		return;
	frame->has_length = true;
	compile_length_field(&frame->length, node, form);
	frame->at = profile_integer_of(node, "at", 0, 65535, 0);
	frame->outer = profile_boolean(profile_require(node, "outer"));
	if (frame->outer && frame->at != 0)
		profile_error(profile_member(node, "at"), NULL,
					  "an outer length is at 0");
	frame->from = profile_choice(profile_require(node, "from"),
								 length_froms);
	counted = profile_boolean_of(node, "digest", true);
	if (!counted)
		frame->digest_width =
			profile_integer(profile_require(node, "digest_width"), 1, 64);
	else if (profile_member(node, "digest_width"))
		profile_error(profile_member(node, "digest_width"), NULL,
					  "is for a digest that is not counted");
}

LayoutFrame *
layout_compile_frame(const ProfileNode *node)
{
	LayoutFrame *frame = palloc0(sizeof(LayoutFrame));
	const ProfileNode *size;

	profile_check_members(node, frame_members);
	compile_length(frame, profile_require(node, "length"));
	frame->max = profile_integer_of(node, "max", 1, LAYOUT_MAX_FRAME,
									LAYOUT_MAX_FRAME / 8);
	size = profile_member(node, "size");
	if (frame->has_length && size)
		profile_error(size, NULL, "is for frames without a length");
	if (!frame->has_length)
		frame->size = profile_integer(profile_require(node, "size"), 1,
									  frame->max);
	return frame;
}

Size
layout_frame_max(const LayoutFrame *frame)
{
	return frame->max;
}

/* What the length does not count. */
static int64
uncounted(const LayoutFrame *frame)
{
	int64		before = 0;

	if (frame->from == FROM_LENGTH)
		before = frame->at;
	else if (frame->from == FROM_AFTER)
		before = frame->at + frame->length.width;
	return before + frame->digest_width;
}

uint64
layout_stated_length(const LayoutFrame *frame, Size body)
{
	int64		total = body + (frame->outer ? frame->length.width : 0);

	return Max(total - uncounted(frame), 0);
}

int64
layout_frame_length(const LayoutFrame *frame, const char *data, Size len,
					const char **failure)
{
	Size		head = frame->at + frame->length.width;
	uint64		stated;
	int64		total;

	if (!frame->has_length)
		return frame->size;
	if (len < head)
		return 0;
	if (!layout_get_number(&frame->length, data + frame->at, &stated))
	{
		*failure = "the length of the frame is no number";
		return -1;
	}
	/* an unsigned number of 4 bytes or 9 digits: no overflow */
	total = (int64) stated + uncounted(frame);
	if (total < (int64) head || total > frame->max)
	{
		*failure = psprintf("the frame claims to have " INT64_FORMAT
							" bytes, which is %s", total,
							total > frame->max ? "too long" : "too short");
		return -1;
	}
	return total;
}

const char *
layout_frame_body(const LayoutFrame *frame, const char *data, Size len,
				  Size *body_len)
{
	Size		outer = frame->outer ? frame->length.width : 0;

	outer = Min(outer, len);
	*body_len = len - outer;
	return data + outer;
}
