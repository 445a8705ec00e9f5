/*-------------------------------------------------------------------------
 *
 * layout_compile.c
 *		Lists of fields, and fields that refer to others.
 *
 * A field refers to others of its own list, which is what makes them belong
 * to the same element of a group; only a select may look outwards.  What is
 * "use"d is unfolded in place.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "layout_compile.h"

static const char *const compute_words[] = {"length", "count", NULL};

FieldSpec *
layout_find_in_list(List *fields, const char *name)
{
	ListCell   *lc;

	foreach(lc, fields)
	{
		FieldSpec  *spec = lfirst(lc);

		if (spec->name[0] != '\0' && strcmp(spec->name, name) == 0)
			return spec;
	}
	return NULL;
}

void
layout_need_mark(Layout *layout, FieldSpec *spec)
{
	if (spec->mark < 0)
		spec->mark = layout->nmarks++;
}

/* The earlier field that {"field": name} names. */
FieldSpec *
layout_compile_reference(Compiler *com, Scope *scope, const ProfileNode *node)
{
	static const char *const members[] = {"field", NULL};
	const ProfileNode *field;
	FieldSpec  *found;

	profile_check_members(node, members);
	field = profile_require(node, "field");
	found = layout_find_in_list(scope->fields, profile_string(field));
	if (found == NULL)
		profile_error(field, NULL, "is no earlier field of the same list");
	if (found->compute == COMPUTE_NOTHING)
		profile_error(field, NULL, "is no computed field");
	layout_need_mark(com->layout, found);
	return found;
}

/* ------------------------------------------------------------------------
 * Computed fields
 * ------------------------------------------------------------------------
 */

/* What a field computes; about which field is seen when all are there. */
static void
compile_compute(FieldSpec *spec, bool outermost)
{
	const ProfileNode *compute = spec->form <= FORM_UNIX_TIME ?
	profile_member(spec->node, "compute") : NULL;
	const ProfileNode *of = spec->form <= FORM_UNIX_TIME ?
	profile_member(spec->node, "of") : NULL;
	bool		length;

	if (compute == NULL && of)
		profile_error(of, NULL, "is for computed fields");
	if (compute == NULL)
		return;
	length = profile_choice(compute, compute_words) == 0;
	if (!length)
		of = profile_require(spec->node, "of");
	if (length && (of == NULL || strcmp(profile_string(of), "message") == 0))
		spec->compute = COMPUTE_MESSAGE;
	else
		spec->compute = length ? COMPUTE_LENGTH : COMPUTE_COUNT;
	if (spec->compute == COMPUTE_MESSAGE && !outermost)
		profile_error(compute, NULL,
					  "the length of the message stands in the outermost list");
}

/* Finds the field that a computed one is about. */
static void
resolve_compute(Compiler *com, List *fields, int place)
{
	FieldSpec  *spec = list_nth(fields, place);
	const ProfileNode *node;
	FieldSpec  *of;

	if (spec->compute == COMPUTE_NOTHING)
		return;
	layout_need_mark(com->layout, spec);
	if (spec->compute == COMPUTE_MESSAGE)
		return;
	node = profile_member(spec->node, "of");
	of = layout_find_in_list(fields, profile_string(node));
	if (of == NULL || of->compute != COMPUTE_NOTHING)
		profile_error(node, NULL, "is no other field of the same list");
	if (of->form == FORM_DIGEST)
		profile_error(node, NULL, "cannot be a digest");
	if (spec->compute == COMPUTE_COUNT && of->form != FORM_GROUP)
		profile_error(node, NULL, "is no group");
	layout_need_mark(com->layout, of);
	spec->of = of;
	spec->after = list_member_ptr(list_copy_head(fields, place), of);
	if (spec->after)
		return;
	of->measurers = of->measurers ?
		repalloc(of->measurers, sizeof(FieldSpec *) * (of->nmeasurers + 1)) :
		palloc(sizeof(FieldSpec *));
	of->measurers[of->nmeasurers++] = spec;
}

/* What says a width or a count has to compute it. */
static void
check_references(const FieldSpec *spec)
{
	const FieldSpec *width = spec->width_field;
	const FieldSpec *count = spec->count_field;

	if (width && (width->compute != COMPUTE_LENGTH || width->of != spec))
		profile_error(spec->node, NULL,
					  "the field \"%s\" does not compute the length of \"%s\"",
					  width->name, spec->name);
	if (count && (count->compute != COMPUTE_COUNT || count->of != spec))
		profile_error(spec->node, NULL,
					  "the field \"%s\" does not compute the count of \"%s\"",
					  count->name, spec->name);
}

/* ------------------------------------------------------------------------
 * Lists
 * ------------------------------------------------------------------------
 */
static void
add_field(Compiler *com, Scope *scope, FieldSpec *spec)
{
	Layout	   *layout = com->layout;

	if (spec->name[0] != '\0' &&
		layout_find_in_list(scope->fields, spec->name))
		profile_error(spec->node, NULL, "there is a field \"%s\" already",
					  spec->name);
	scope->fields = lappend(scope->fields, spec);
	layout->fields = lappend(layout->fields, spec);
	if (spec->name[0] != '\0' && spec->form != FORM_GROUP &&
		spec->form != FORM_TLV)
		layout->names = lappend(layout->names, (char *) spec->name);
}

static void compile_elements(Compiler *com, Scope *scope,
							 const ProfileNode *array);

/* The fields of a group of the profile stand here. */
static void
compile_use(Compiler *com, Scope *scope, const ProfileNode *node)
{
	const ProfileNode *group = profile_require(node, "group");
	const char *name = profile_string(group);
	const ProfileNode *fields = com->groups ?
	profile_member(com->groups, name) : NULL;
	ListCell   *lc;

	if (fields == NULL)
		profile_error(group, NULL, "there is no group \"%s\"", name);
	foreach(lc, com->using)
	{
		if (strcmp(lfirst(lc), name) == 0)
			profile_error(group, NULL, "the group \"%s\" holds itself",
						  name);
	}
	com->using = lappend(com->using, (char *) name);
	com->depth++;
	compile_elements(com, scope, fields);
	com->depth--;
	com->using = list_delete_last(com->using);
}

/* One field, or those that "use" stands for, at the end of a list. */
static void
compile_field(Compiler *com, Scope *scope, const ProfileNode *node)
{
	FieldForm	form = layout_form_of(node);
	FieldSpec  *spec;

	if (++com->nfields > LAYOUT_MAX_FIELDS)
		profile_error(node, NULL, "a layout has at most %d fields",
					  LAYOUT_MAX_FIELDS);
	if (form == FORM_USE)
	{
		compile_use(com, scope, node);
		return;
	}
	spec = layout_compile_scalar(com->layout, node, form);
	compile_compute(spec, scope->outer == NULL);
	if (spec->width_kind == WIDTH_FIELD)
		spec->width_field = layout_compile_reference(com, scope,
													 profile_member(node, "width"));
	if (form == FORM_GROUP)
		layout_compile_group(com, scope, spec);
	else if (form == FORM_TLV)
		layout_compile_tlv(com, spec);
	else if (form == FORM_SELECT)
		layout_compile_select(com, scope, spec);
	add_field(com, scope, spec);
}

static void
compile_elements(Compiler *com, Scope *scope, const ProfileNode *array)
{
	ListCell   *lc;

	if (com->depth > LAYOUT_MAX_DEPTH)
		profile_error(array, NULL, "fields are nested at most %d deep",
					  LAYOUT_MAX_DEPTH);
	foreach(lc, profile_elements(array))
		compile_field(com, scope, lfirst(lc));
}

void
layout_compile_list(Compiler *com, Scope *outer, const ProfileNode *array,
					FieldList *list)
{
	Scope		scope = {NIL, outer};
	ListCell   *lc;

	com->depth++;
	compile_elements(com, &scope, array);
	com->depth--;
	list->nfields = list_length(scope.fields);
	list->fields = palloc(sizeof(FieldSpec *) * (list->nfields + 1));
	for (int i = 0; i < list->nfields; i++)
		resolve_compute(com, scope.fields, i);
	foreach(lc, scope.fields)
	{
		FieldSpec  *spec = lfirst(lc);

		check_references(spec);
		if (spec->form == FORM_DIGEST && outer)
			profile_error(spec->node, NULL,
						  "a digest stands in the outermost list");
		list->fields[foreach_current_index(lc)] = spec;
	}
}

/* Nothing follows a digest, and but a digest what takes all that is left. */
static void
check_order(Layout *layout)
{
	const FieldList *list = &layout->list;

	for (int i = 0; i < list->nfields; i++)
	{
		FieldSpec  *spec = list->fields[i];
		bool		last = i == list->nfields - 1;
		bool		before_digest = i == list->nfields - 2 &&
		list->fields[i + 1]->form == FORM_DIGEST;

		if (spec->form == FORM_DIGEST && !last)
			profile_error(spec->node, NULL,
						  "nothing can follow a digest");
		if (spec->open_ended && !last && !before_digest)
			profile_error(spec->node, NULL,
						  "takes all that is left, so nothing but a digest can follow");
		if (spec->form == FORM_DIGEST)
			layout->digest = spec;
	}
}

/* Is this the field in which the frame's own length stands? */
static bool
is_frame_length(const LayoutFrame *frame, const FieldSpec *spec)
{
	return spec->compute == COMPUTE_MESSAGE &&
		spec->form == frame->length.form &&
		spec->width == frame->length.width &&
		spec->little == frame->length.little;
}

/* A length that is inside of the message is a field that computes it. */
static void
check_frame_length(const Layout *layout, const ProfileNode *fields)
{
	const LayoutFrame *frame = layout->frame;
	int			at = 0;

	if (!frame->has_length || frame->outer)
		return;
	for (int i = 0; i < layout->list.nfields && at <= frame->at; i++)
	{
		const FieldSpec *spec = layout->list.fields[i];

		if (at == frame->at && is_frame_length(frame, spec))
			return;
		if (spec->form >= FORM_DIGEST || spec->width_kind != WIDTH_FIXED)
			break;
		at += spec->width;
	}
	profile_error(fields, "Add a field with \"compute\": \"length\", of the form, width and order that the frame has.",
				  "the length of the frame is missing at byte %d", frame->at);
}

Layout *
layout_compile(const ProfileNode *fields, const ProfileNode *groups,
			   const LayoutFrame *frame)
{
	Layout	   *layout = palloc0(sizeof(Layout));
	Compiler	com = {0};

	layout->frame = frame;
	com.layout = layout;
	com.groups = groups;
	layout_compile_list(&com, NULL, fields, &layout->list);
	check_order(layout);
	check_frame_length(layout, fields);
	layout_hash_slots(layout);
	return layout;
}
