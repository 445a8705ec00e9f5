/*-------------------------------------------------------------------------
 *
 * layout_compile_field.c
 *		One field of a profile, as far as it refers to no other.
 *
 * See layout_compile_value.c for where its bytes come from.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "layout_private.h"

#define MEMBERS_OF_VALUES \
	"form", "name", "display", "const", "from", "default", "map", "take"

/* Valid members by form; FieldForm is the index. */
static const char *const form_members[][20] = {
	[FORM_DECIMAL] = {MEMBERS_OF_VALUES, "width", "compute", "of"},
	[FORM_HEX] = {MEMBERS_OF_VALUES, "width", "letters", "compute", "of"},
	[FORM_TEXT] = {MEMBERS_OF_VALUES, "width", "const_hex", "pad", "fill",
	"charset"},
	[FORM_DATE] = {MEMBERS_OF_VALUES, "width", "pattern", "add_days"},
	[FORM_HEX_TEXT] = {MEMBERS_OF_VALUES, "width", "pad", "fill", "letters"},
	[FORM_UINT] = {MEMBERS_OF_VALUES, "width", "order", "const_hex",
	"compute", "of"},
	[FORM_UNIX_TIME] = {MEMBERS_OF_VALUES, "width", "order"},
	[FORM_DIGEST] = {"form", "name", "display", "algorithm", "bytes", "as",
	"letters"},
	[FORM_PADDING] = {"form", "name", "block", "fill"},
	[FORM_GROUP] = {"form", "name", "count", "each", "max", "fields"},
	[FORM_TLV] = {"form", "name", "tag", "length", "total", "items",
	"unknown"},
	[FORM_SELECT] = {"form", "by", "cases"},
	[FORM_USE] = {"form", "group"},
};

static const char *const form_names[] = {
	"decimal", "hex", "text", "date", "hex_text", "uint", "unix_time",
	"digest", "padding", "group", "tlv", "select", "use", NULL
};

static const char *const integer_forms[] = {
	"decimal", "hex", "uint", NULL
};

static const char *const displays[] = {"shown", "secret", NULL};
static const char *const pads[] = {"right", "left", NULL};
static const char *const letter_cases[] = {"upper", "lower", NULL};
static const char *const orders[] = {"big", "little", NULL};
static const char *const charsets[] = {"ascii", "utf8", NULL};
static const char *const digest_forms[] = {"hex", "binary", NULL};

/* DigestKind is the index. */
static const char *const algorithms[] = {
	"option", "none", "hmac-md5", "hmac-sha256", "md5", "sha256", NULL
};

FieldForm
layout_form_of(const ProfileNode *node)
{
	FieldForm	form = profile_choice(profile_require(node, "form"),
									  form_names);

	profile_check_members(node, form_members[form]);
	return form;
}

/* A name that can be a part of a path and of a message for people. */
static const char *
name_of(const ProfileNode *node, bool needed)
{
	const ProfileNode *member = needed ? profile_require(node, "name") :
	profile_member(node, "name");
	const char *name = member ? profile_string(member) : "";

	if (member && (name[0] == '\0' || strlen(name) > LAYOUT_MAX_NAME ||
				   name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
							   "0123456789_")] != '\0'))
		profile_error(member, NULL,
					  "must be 1 to %d lower-case letters, digits and underscores",
					  LAYOUT_MAX_NAME);
	return name;
}

/* ------------------------------------------------------------------------
 * Widths
 * ------------------------------------------------------------------------
 */
static int
greatest_width(FieldForm form)
{
	switch (form)
	{
		case FORM_DECIMAL:
			return 18;
		case FORM_HEX:
			return 16;
		case FORM_UINT:
		case FORM_UNIX_TIME:
			return 8;
		default:
			return LAYOUT_MAX_FRAME;
	}
}

static bool
is_width(FieldForm form, int width)
{
	switch (form)
	{
		case FORM_UINT:
			return width == 1 || width == 2 || width == 4 || width == 8;
		case FORM_UNIX_TIME:
			return width == 4 || width == 8;
		case FORM_HEX_TEXT:
			return width % 2 == 0;
		default:
			return true;
	}
}

/* A number of bytes, "rest", or the name of the field that has the number. */
static void
compile_width(FieldSpec *spec, const ProfileNode *width)
{
	if (profile_is_string(width))
	{
		static const char *const words[] = {"rest", NULL};

		(void) profile_choice(width, words);
		spec->width_kind = WIDTH_REST;
	}
	else if (profile_is_object(width))
		spec->width_kind = WIDTH_FIELD;
	else
		spec->width = profile_integer(width, 1, greatest_width(spec->form));
	if (spec->width_kind != WIDTH_FIXED &&
		spec->form != FORM_TEXT && spec->form != FORM_HEX_TEXT)
		profile_error(width, NULL,
					  "only the forms \"text\" and \"hex_text\" have no fixed width");
	spec->open_ended = spec->width_kind == WIDTH_REST;
	if (spec->width_kind == WIDTH_FIXED && !is_width(spec->form, spec->width))
		profile_error(width, NULL, spec->form == FORM_UINT ?
					  "must be 1, 2, 4 or 8" :
					  spec->form == FORM_UNIX_TIME ? "must be 4 or 8" :
					  "must be even");
}

static void
compile_pattern(FieldSpec *spec, const ProfileNode *node,
				const ProfileNode *width)
{
	const ProfileNode *pattern = profile_require(node, "pattern");
	const char *reason = NULL;

	spec->width = layout_compile_pattern(profile_string(pattern),
										 &spec->pattern, &reason);
	if (spec->width < 0)
		profile_error(pattern, NULL, "%s", reason);
	if (spec->width == 0)
		profile_error(pattern, NULL, "must not be empty");
	if (width && profile_integer(width, 1, 1000) != spec->width)
		profile_error(width, NULL, "does not go with the pattern, which makes %d",
					  spec->width);
}

/* ------------------------------------------------------------------------
 * What a value looks like
 * ------------------------------------------------------------------------
 */
static void
compile_fill(FieldSpec *spec, const ProfileNode *node)
{
	const char *fill = profile_string_of(node, "fill", " ");

	if (strlen(fill) != 1 || fill[0] < ' ' || fill[0] > '~')
		profile_error(profile_member(node, "fill"), NULL,
					  "must be one printable ASCII character");
	spec->fill = fill[0];
}

/* How the bytes are written, less the width. */
static void
compile_looks(FieldSpec *spec, const ProfileNode *node)
{
	const char *const *members = form_members[spec->form];

	for (; *members; members++)
	{
		if (strcmp(*members, "pad") == 0)
			spec->pad_left = profile_choice_of(node, "pad", pads, 0) == 1;
		else if (strcmp(*members, "fill") == 0)
			compile_fill(spec, node);
		else if (strcmp(*members, "letters") == 0)
			spec->lower = profile_choice_of(node, "letters", letter_cases,
											0) == 1;
		else if (strcmp(*members, "order") == 0)
			spec->little = profile_choice_of(node, "order", orders, 0) == 1;
		else if (strcmp(*members, "charset") == 0)
			spec->utf8 = profile_choice_of(node, "charset", charsets, 0) == 1;
		else if (strcmp(*members, "add_days") == 0)
			spec->add_days = profile_integer_of(node, "add_days", -36500,
												36500, 0);
	}
}

/* ------------------------------------------------------------------------
 * Whole fields
 * ------------------------------------------------------------------------
 */

/* A field that holds a value: its width, and where the value comes from. */
static void
compile_value_field(Layout *layout, FieldSpec *spec, const ProfileNode *node)
{
	const ProfileNode *width = profile_member(node, "width");
	const ProfileNode *constant = profile_member(node, "const");
	bool		raw = profile_member(node, "const_hex") != NULL;

	compile_looks(spec, node);
	if (spec->form == FORM_DATE)
		compile_pattern(spec, node, width);
	else if (width)
		compile_width(spec, width);
	else if (raw || (constant && (spec->form == FORM_TEXT ||
								  spec->form == FORM_HEX_TEXT)))
		spec->width_kind = WIDTH_REST;	/* as wide as the constant */
	else
		(void) profile_require(node, "width");
	if ((raw || constant) && width && spec->width_kind != WIDTH_FIXED)
		profile_error(width, NULL, "must be a number for constants");
	layout_compile_source(layout, spec, node,
						  spec->width_kind == WIDTH_FIXED && width);
	if (raw)
		spec->width_kind = WIDTH_FIXED;
	if (raw && !is_width(spec->form, spec->width))
		profile_error(profile_member(node, "const_hex"), NULL,
					  "must have 1, 2, 4 or 8 bytes");
}

static void
compile_digest(FieldSpec *spec, const ProfileNode *node)
{
	static const int sizes[] = {32, 32, 16, 32, 16, 32};

	spec->digest = profile_choice(profile_require(node, "algorithm"),
								  algorithms);
	spec->digest_bytes = profile_integer_of(node, "bytes", 1,
											sizes[spec->digest], 0);
	spec->as_hex = profile_choice_of(node, "as", digest_forms, 0) == 0;
	spec->lower = profile_choice_of(node, "letters", letter_cases, 0) == 1;
}

static void
compile_padding(FieldSpec *spec, const ProfileNode *node)
{
	const char *fill = profile_string_of(node, "fill", "00");
	char	   *hex = psprintf("0x%s", fill);
	uint64		byte;

	spec->block = profile_integer(profile_require(node, "block"), 2, 4096);
	if (strlen(fill) != 2 || !layout_read_number(hex, true, &byte))
		profile_error(profile_member(node, "fill"), NULL,
					  "must be two hex digits");
	spec->fill = (char) byte;
}

FieldSpec *
layout_compile_scalar(Layout *layout, const ProfileNode *node, FieldForm form)
{
	FieldSpec  *spec = palloc0(sizeof(FieldSpec));
	bool		needs_name = form != FORM_PADDING && form != FORM_SELECT &&
	profile_member(node, "const") == NULL &&
	profile_member(node, "const_hex") == NULL;

	spec->node = node;
	spec->form = form;
	spec->slot = spec->mark = -1;
	spec->name = form == FORM_SELECT ? "" : name_of(node, needs_name);
	spec->secret = profile_choice_of(node, "display", displays, 0) == 1;
	if (form == FORM_DIGEST)
		compile_digest(spec, node);
	else if (form == FORM_PADDING)
		compile_padding(spec, node);
	else if (form < FORM_DIGEST)
		compile_value_field(layout, spec, node);
	return spec;
}

/* A number that belongs to a group or to TLV, such as a count. */
FieldSpec *
layout_compile_integer(const ProfileNode *node, const char *name)
{
	static const char *const members[] = {"form", "width", "order", NULL};
	static const FieldForm forms[] = {FORM_DECIMAL, FORM_HEX, FORM_UINT};
	FieldSpec  *spec = palloc0(sizeof(FieldSpec));
	const ProfileNode *order;

	profile_check_members(node, members);
	spec->node = node;
	spec->name = name;
	spec->slot = spec->mark = -1;
	spec->form = forms[profile_choice(profile_require(node, "form"),
									  integer_forms)];
	compile_width(spec, profile_require(node, "width"));
	order = profile_member(node, "order");
	if (order && spec->form != FORM_UINT)
		profile_error(order, NULL, "only the form \"uint\" has an order");
	spec->little = order && profile_choice(order, orders) == 1;
	return spec;
}
