/*-------------------------------------------------------------------------
 *
 * layout_compile_value.c
 *		Where the bytes of a field come from.
 *
 * Whatever can be tried is tried here: constants, defaults and the texts of
 * maps are formatted once, so that a profile that is accepted fails later
 * only for the values of a request.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "layout_private.h"

/* A value in a profile: text, or a number for convenience. */
static const char *
value_of(const ProfileNode *node)
{
	if (profile_is_string(node))
		return profile_string(node);
	return psprintf(INT64_FORMAT, profile_integer(node, 0, PG_INT64_MAX));
}

/* Formats a value of the profile, as a trial or to keep the bytes. */
static StringInfo
formatted(const FieldSpec *spec, const ProfileNode *node, const char *value)
{
	StringInfo	bytes = makeStringInfo();
	const char *reason = NULL;

	if (layout_format(spec, value, true, bytes, &reason) != FAULT_NONE)
		profile_error(node, NULL, "%s", reason);
	return bytes;
}

static void
compile_constant(FieldSpec *spec, const ProfileNode *node)
{
	StringInfo	bytes;

	spec->constant = value_of(node);
	bytes = formatted(spec, node, spec->constant);
	if (bytes->len == 0)
		profile_error(node, NULL, "must not be empty");
	spec->constant_bytes = bytes->data;
	spec->width = bytes->len;
	spec->width_kind = WIDTH_FIXED;
	spec->open_ended = false;
}

/* Bytes in hex, in the order in which they stand in the message. */
static void
compile_raw_constant(FieldSpec *spec, const ProfileNode *node,
					 bool has_width)
{
	const char *hex = profile_string(node);
	Size		len = strlen(hex);
	char	   *bytes = palloc(len / 2 + 1);

	for (Size i = 0; i < len; i++)
	{
		uint64		digit;
		const char	str[] = {'0', 'x', hex[i], '\0'};

		if (!layout_read_number(str, true, &digit))
			profile_error(node, NULL, "must be pairs of hex digits");
		if (i % 2 == 0)
			bytes[i / 2] = (char) (digit << 4);
		else
			bytes[i / 2] |= (char) digit;
	}
	if (len == 0 || len % 2 == 1)
		profile_error(node, NULL, "must be pairs of hex digits");
	if (has_width && spec->width != len / 2)
		profile_error(node, NULL, "has %zu bytes instead of %d", len / 2,
					  spec->width);
	spec->width = len / 2;
	spec->constant = hex;
	spec->constant_bytes = bytes;
}

/* One member of "map": both sides as they are when they are compared. */
static void
compile_mapping(FieldSpec *spec, FieldMapping *entry,
				const ProfileNode *member)
{
	uint64		number;
	char	   *digits;

	entry->value = strcmp(member->name, "*") == 0 ? NULL : member->name;
	entry->text = value_of(member);
	(void) formatted(spec, member, entry->text);
	if (spec->form != FORM_DECIMAL && spec->form != FORM_HEX &&
		spec->form != FORM_UINT)
		return;
	/* in the one form that reading knows, without zeros in front */
	if (spec->take == 0 &&
		layout_read_number(entry->text, spec->form == FORM_HEX, &number))
	{
		digits = palloc(21);
		layout_digits(number, digits);
		entry->text = digits;
	}
}

/* The entry for all others comes last. */
static void
compile_map(FieldSpec *spec, const ProfileNode *node)
{
	List	   *members = profile_members(node);
	int			last = list_length(members) - 1;
	int			n = 0;
	ListCell   *lc;

	if (last < 0)
		profile_error(node, NULL, "must not be empty");
	spec->map = palloc0(sizeof(FieldMapping) * (last + 1));
	foreach(lc, members)
	{
		const ProfileNode *member = lfirst(lc);
		bool		others = strcmp(member->name, "*") == 0;

		compile_mapping(spec, &spec->map[others ? last : n], member);
		if (!others)
			n++;
	}
	spec->nmap = last + 1;
}

static void
refuse_member(const ProfileNode *node, const char *name, const char *why)
{
	const ProfileNode *member = profile_member(node, name);

	if (member)
		profile_error(member, NULL, "is not for %s", why);
}

/* Constants and computed fields take no value. */
static void
refuse_value_members(const ProfileNode *node, const char *why)
{
	refuse_member(node, "from", why);
	refuse_member(node, "default", why);
	refuse_member(node, "map", why);
	refuse_member(node, "take", why);
}

static void
compile_take(FieldSpec *spec, const ProfileNode *take)
{
	static const char *const members[] = {"first", "last", NULL};
	int			first;
	int			last;

	profile_check_members(take, members);
	first = profile_integer_of(take, "first", 1, LAYOUT_MAX_FRAME, 0);
	last = profile_integer_of(take, "last", 1, LAYOUT_MAX_FRAME, 0);
	if ((first == 0) == (last == 0))
		profile_error(take, NULL,
					  "must have one of the members \"first\" and \"last\"");
	spec->take = first ? first : -last;
}

/* Where the bytes come from: a constant, a computation, or a value. */
void
layout_compile_source(Layout *layout, FieldSpec *spec,
					  const ProfileNode *node, bool has_width)
{
	const ProfileNode *constant = profile_member(node, "const");
	const ProfileNode *raw = profile_member(node, "const_hex");
	const ProfileNode *computed = profile_member(node, "compute");
	const ProfileNode *member;
	const char *from;

	if ((constant || raw) && computed)
		profile_error(computed, NULL, "is not for constants");
	if (constant && raw)
		profile_error(raw, NULL, "is not for fields with a \"const\"");
	if (constant || raw || computed)
	{
		refuse_value_members(node, computed ? "computed fields" : "constants");
		if (constant)
			compile_constant(spec, constant);
		else if (raw)
			compile_raw_constant(spec, raw, has_width);
		return;
	}
	from = profile_string_of(node, "from", spec->name);
	if (from[0] == '\0')
		profile_error(profile_member(node, "from"), NULL,
					  "must not be empty");
	spec->from = from;
	spec->slot = layout_add_slot(layout, from);
	if ((member = profile_member(node, "take")) != NULL)
		compile_take(spec, member);
	if ((member = profile_member(node, "map")) != NULL)
		compile_map(spec, member);
	if ((member = profile_member(node, "default")) != NULL)
	{
		const char *value = spec->default_value = value_of(member);

		(void) layout_map(spec, &value);
		(void) formatted(spec, member, value);
	}
}
