/*-------------------------------------------------------------------------
 *
 * layout.c
 *		Looking at the fields of a message.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "layout_private.h"

static const char asterisks[] = "****";

const char *
layout_label(const FieldSpec *spec)
{
	if (spec->name[0] != '\0')
		return spec->name;
	switch (spec->form)
	{
		case FORM_DIGEST:
			return "digest";
		case FORM_PADDING:
			return "padding";
		case FORM_SELECT:
			return layout_label(spec->by);
		default:
			return spec->constant ? spec->constant : "";
	}
}

/* The last part of a name: "product" of "products[1].product". */
static const char *
last_part(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

const char *
layout_value(const List *fields, const char *name)
{
	bool		whole = strchr(name, '.') != NULL;
	ListCell   *lc;

	foreach(lc, fields)
	{
		const LayoutField *field = lfirst(lc);

		if (strcmp(whole ? field->name : last_part(field->name), name) == 0)
			return field->value;
	}
	return NULL;
}

/* Adds a text, which may have come from outside, on one line. */
static void
add_shown(StringInfo str, const char *shown)
{
	for (; *shown; shown++)
	{
		bool		control = (unsigned char) *shown < ' ';

		appendStringInfoChar(str, control ? ' ' : *shown);
	}
}

char *
layout_explain(const List *fields, bool secrets)
{
	StringInfoData str;
	ListCell   *lc;

	initStringInfo(&str);
	foreach(lc, fields)
	{
		const LayoutField *field = lfirst(lc);

		if (str.len > 0)
			appendStringInfoString(&str, " | ");
		if (field->name[0] != '\0')
			appendStringInfo(&str, "%s ", field->name);
		if (field->display == LAYOUT_SECRET && !secrets)
			appendStringInfoString(&str, asterisks);
		else if (field->shown[0] == '\0')
			appendStringInfoString(&str, "\"\"");
		else
			add_shown(&str, field->shown);
	}
	return str.data;
}

void
layout_mask(const List *fields, char *data)
{
	ListCell   *lc;

	foreach(lc, fields)
	{
		const LayoutField *field = lfirst(lc);

		if (field->display == LAYOUT_SECRET)
			memset(data + field->offset, '*', field->len);
	}
}
