/*-------------------------------------------------------------------------
 *
 * layout_compile_group.c
 *		Fields made of fields: groups, TLV and selects.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "layout_compile.h"

/* The value, or values side by side, for which a group is repeated. */
static void
compile_each(Compiler *com, FieldSpec *spec, const ProfileNode *each)
{
	List	   *names;
	ListCell   *lc;

	if (profile_is_string(each))
		names = list_make1((void *) each);
	else
		names = profile_elements(each);
	if (names == NIL)
		profile_error(each, NULL, "must not be empty");
	spec->each = palloc(sizeof(int) * list_length(names));
	foreach(lc, names)
	{
		int			slot = layout_add_slot(com->layout,
										   profile_string(lfirst(lc)));

		for (int i = 0; i < spec->neach; i++)
			if (spec->each[i] == slot)
				profile_error(lfirst(lc), NULL, "is named twice");
		spec->each[spec->neach++] = slot;
	}
}

void
layout_compile_group(Compiler *com, Scope *scope, FieldSpec *spec)
{
	const ProfileNode *count = profile_require(spec->node, "count");
	const ProfileNode *each = profile_member(spec->node, "each");

	if (profile_member(count, "field"))
		spec->count_field = layout_compile_reference(com, scope, count);
	else
		spec->count = layout_compile_integer(count, psprintf("%s.count",
															 spec->name));
	if (each)
		compile_each(com, spec, each);
	spec->max = profile_integer_of(spec->node, "max", 1,
								   LAYOUT_MAX_ELEMENTS, 1000);
	layout_compile_list(com, scope, profile_require(spec->node, "fields"),
						&spec->list);
	for (int i = 0; i < spec->list.nfields; i++)
		if (spec->list.fields[i]->open_ended)
			profile_error(spec->list.fields[i]->node, NULL,
						  "takes all that is left, which a group cannot hold");
}

/* The field of an item: it takes one value or is a constant. */
static FieldSpec *
compile_item_field(Compiler *com, const ProfileNode *node)
{
	FieldForm	form = layout_form_of(node);
	FieldSpec  *spec;

	if (form >= FORM_DIGEST)
		profile_error(profile_member(node, "form"), NULL,
					  "cannot stand in an item of TLV");
	if (profile_member(node, "compute"))
		profile_error(profile_member(node, "compute"), NULL,
					  "cannot stand in an item of TLV");
	spec = layout_compile_scalar(com->layout, node, form);
	if (spec->width_kind == WIDTH_FIELD)
		profile_error(profile_member(node, "width"), NULL,
					  "must be a number or \"rest\" in an item of TLV");
	com->layout->fields = lappend(com->layout->fields, spec);
	if (spec->name[0] != '\0')
		com->layout->names = lappend(com->layout->names,
									 (char *) spec->name);
	return spec;
}

/* A tag comes once, and only what is written for a value can be repeated. */
static void
compile_item(Compiler *com, FieldSpec *tlv, TlvItem *item,
			 const ProfileNode *node)
{
	static const char *const members[] = {"tag", "field", "repeat", NULL};
	const ProfileNode *tag;

	profile_check_members(node, members);
	tag = profile_require(node, "tag");
	item->tag = profile_integer(tag, 0, Min(layout_greatest_of(tlv->tag),
											(uint64) PG_INT64_MAX));
	for (int i = 0; i < tlv->nitems; i++)
		if (tlv->items[i].tag == item->tag)
			profile_error(tag, NULL, "is there twice");
	item->field = compile_item_field(com, profile_require(node, "field"));
	item->repeat = profile_boolean_of(node, "repeat", false);
	if (item->repeat && item->field->slot < 0)
		profile_error(profile_member(node, "repeat"), NULL,
					  "is not for constants");
}

void
layout_compile_tlv(Compiler *com, FieldSpec *spec)
{
	static const char *const unknown_words[] = {"refuse", "skip", NULL};
	const ProfileNode *total = profile_member(spec->node, "total");
	const ProfileNode *items = profile_require(spec->node, "items");
	List	   *elements = profile_elements(items);
	ListCell   *lc;

	spec->tag = layout_compile_integer(profile_require(spec->node, "tag"),
									   psprintf("%s.tag", spec->name));
	spec->length = layout_compile_integer(profile_require(spec->node,
														  "length"),
										  psprintf("%s.length", spec->name));
	if (total)
		spec->total = layout_compile_integer(total, psprintf("%s.total",
															 spec->name));
	spec->open_ended = total == NULL;
	spec->skip_unknown = profile_choice_of(spec->node, "unknown",
										   unknown_words, 0) == 1;
	com->nfields += list_length(elements);
	if (com->nfields > LAYOUT_MAX_FIELDS)
		profile_error(items, NULL, "makes a layout of more than %d fields",
					  LAYOUT_MAX_FIELDS);
	spec->items = palloc0(sizeof(TlvItem) * (list_length(elements) + 1));
	foreach(lc, elements)
	{
		compile_item(com, spec, &spec->items[spec->nitems], lfirst(lc));
		spec->nitems++;
	}
}

/* The earlier field that decides, by its own name or its value's. */
static FieldSpec *
find_decider(Compiler *com, Scope *scope, const char *name)
{
	for (; scope; scope = scope->outer)
	{
		FieldSpec  *found = layout_find_in_list(scope->fields, name);
		ListCell   *lc;

		if (found)
			return found;
		foreach(lc, scope->fields)
		{
			FieldSpec  *spec = lfirst(lc);

			if (spec->slot >= 0 &&
				strcmp(com->layout->slots[spec->slot], name) == 0)
				return spec;
		}
	}
	return NULL;
}

/* A case as its decider is read: 01 and 1 are the same number. */
static const char *
case_value(const FieldSpec *by, const ProfileNode *member)
{
	bool		number = by->form == FORM_DECIMAL || by->form == FORM_HEX ||
	by->form == FORM_UINT;
	uint64		value;
	char	   *digits;

	if (strcmp(member->name, "*") == 0)
		return NULL;
	if (!number || by->slot < 0 || by->nmap > 0 ||
		!layout_read_number(member->name, by->form == FORM_HEX, &value))
		return member->name;
	digits = palloc(21);
	layout_digits(value, digits);
	return digits;
}

static void
compile_case(Compiler *com, Scope *scope, FieldSpec *spec, SelectCase *c,
			 const ProfileNode *member)
{
	c->value = case_value(spec->by, member);
	for (SelectCase *other = spec->cases; c->value && other < c; other++)
		if (strcmp(other->value, c->value) == 0)
			profile_error(member, NULL, "is there twice");
	layout_compile_list(com, scope, member, &c->list);
	if (c->list.nfields > 0 &&
		c->list.fields[c->list.nfields - 1]->open_ended)
		spec->open_ended = true;
	for (int i = 0; i < c->list.nfields - 1; i++)
		if (c->list.fields[i]->open_ended)
			profile_error(c->list.fields[i]->node, NULL,
						  "takes all that is left, so nothing can follow");
}

void
layout_compile_select(Compiler *com, Scope *scope, FieldSpec *spec)
{
	const ProfileNode *by = profile_require(spec->node, "by");
	const ProfileNode *cases = profile_require(spec->node, "cases");
	List	   *members = profile_members(cases);
	int			last = list_length(members) - 1;
	int			n = 0;
	ListCell   *lc;

	if (last < 0)
		profile_error(cases, NULL, "must not be empty");
	spec->by = find_decider(com, scope, profile_string(by));
	if (spec->by == NULL || spec->by->form >= FORM_DIGEST ||
		spec->by->compute != COMPUTE_NOTHING)
		profile_error(by, NULL, "is no earlier field that holds a value");
	layout_need_mark(com->layout, spec->by);
	spec->cases = palloc0(sizeof(SelectCase) * (last + 1));
	foreach(lc, members)
	{
		const ProfileNode *member = lfirst(lc);
		bool		others = strcmp(member->name, "*") == 0;

		compile_case(com, scope, spec, &spec->cases[others ? last : n],
					 member);
		if (!others)
			n++;
	}
	spec->ncases = last + 1;
}
