/*-------------------------------------------------------------------------
 *
 * values.c
 *		Parameter values as they are stored: JSON object -> CasValue list.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "adapter.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "values.h"

static bool
values_have(List *values, const char *name)
{
	ListCell   *lc;

	foreach(lc, values)
		if (strcmp(((CasValue *) lfirst(lc))->name, name) == 0)
		return true;
	return false;
}

/* Appends one scalar; nulls are nothing. */
static List *
values_append(List *values, const char *name, const JsonbValue *scalar,
			  bool secret)
{
	CasValue   *value;
	Datum		number;

	if (scalar->type == jbvNull)
		return values;
	value = palloc0(sizeof(CasValue));
	value->name = name;
	value->secret = secret;
	value->number = scalar->type == jbvNumeric;
	value->boolean = scalar->type == jbvBool;
	switch (scalar->type)
	{
		case jbvNumeric:
			number = NumericGetDatum(scalar->val.numeric);
			value->value =
				DatumGetCString(DirectFunctionCall1(numeric_out, number));
			break;
		case jbvBool:
			value->value = scalar->val.boolean ? "true" : "false";
			break;
		case jbvString:
			value->value = pnstrdup(scalar->val.string.val,
									scalar->val.string.len);
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("parameter \"%s\" is neither a scalar nor an array of scalars",
							name)));
	}
	return lappend(values, value);
}

/*
 * Appends all members of an object: scalars and arrays of scalars.  Names
 * that "known" has already are passed over.
 */
static List *
values_append_object(List *values, Jsonb *object, List *known, bool secret)
{
	JsonbIterator *it = JsonbIteratorInit(&object->root);
	JsonbIteratorToken token;
	JsonbValue	item;
	char	   *name = NULL;

	while ((token = JsonbIteratorNext(&it, &item, false)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = pnstrdup(item.val.string.val, item.val.string.len);
		else if ((token == WJB_VALUE || token == WJB_ELEM) && name != NULL &&
				 !values_have(known, name))
			values = values_append(values, name, &item, secret);
	}
	return values;
}

List *
values_from_jsonb(Jsonb *parameters, Jsonb *secrets)
{
	List	   *hidden = NIL;

	if (secrets)
		hidden = values_append_object(NIL, secrets, NIL, true);
	return values_append_object(list_copy(hidden), parameters, hidden, false);
}
