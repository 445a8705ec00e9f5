/*-------------------------------------------------------------------------
 *
 * profile.c
 *		Reading a wire profile, which is a JSON document.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "profile.h"

#include "utils/builtins.h"
#include "utils/numeric.h"

void
profile_error(const ProfileNode *node, const char *hint,
			  const char *message,...)
{
	StringInfoData str;
	int			more;

	initStringInfo(&str);
	for (;;)
	{
		va_list		args;

		va_start(args, message);
		more = appendStringInfoVA(&str, message, args);
		va_end(args);
		if (more == 0)
			break;
		enlargeStringInfo(&str, more);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("wire profile: %s: %s", node->path, str.data),
			 hint ? errhint("%s", hint) : 0));
}

char *
profile_words(const char *const *words)
{
	StringInfoData str;

	initStringInfo(&str);
	for (int i = 0; words[i]; i++)
		appendStringInfo(&str, "%s%s", i ? ", " : "", words[i]);
	return str.data;
}

/* What a JSON value is, for people. */
static const char *
kind_of(const ProfileNode *node)
{
	switch (node->value.type)
	{
		case jbvNull:
			return "null";
		case jbvString:
			return "a string";
		case jbvNumeric:
			return "a number";
		case jbvBool:
			return "a boolean";
		case jbvBinary:
			return JsonContainerIsObject(node->value.val.binary.data) ?
				"an object" : "an array";
		default:
			return "something else";
	}
}

static void
wrong_kind(const ProfileNode *node, const char *wanted)
{
	profile_error(node, NULL, "must be %s, not %s", wanted, kind_of(node));
}

bool
profile_is_object(const ProfileNode *node)
{
	return node->value.type == jbvBinary &&
		JsonContainerIsObject(node->value.val.binary.data);
}

bool
profile_is_string(const ProfileNode *node)
{
	return node->value.type == jbvString;
}

const ProfileNode *
profile_root(Jsonb *document)
{
	ProfileNode *root = palloc0(sizeof(ProfileNode));

	root->path = "$";
	root->name = "";
	root->value.type = jbvBinary;
	root->value.val.binary.data = &document->root;
	root->value.val.binary.len = VARSIZE_ANY_EXHDR(document);
	if (JsonContainerIsScalar(&document->root) || !profile_is_object(root))
		profile_error(root, NULL, "must be an object");
	return root;
}

static JsonbContainer *
object_of(const ProfileNode *object)
{
	if (!profile_is_object(object))
		wrong_kind(object, "an object");
	return object->value.val.binary.data;
}

/* A child of a node; takes the value over as it is. */
static ProfileNode *
child_node(const ProfileNode *parent, const char *name,
		   const JsonbValue *value)
{
	ProfileNode *node = palloc(sizeof(ProfileNode));

	node->path = psprintf("%s.%s", parent->path, name);
	node->name = pstrdup(name);
	node->value = *value;
	return node;
}

const ProfileNode *
profile_member(const ProfileNode *object, const char *name)
{
	JsonbValue *value = getKeyJsonValueFromContainer(object_of(object), name,
													 strlen(name), NULL);

	return value ? child_node(object, name, value) : NULL;
}

const ProfileNode *
profile_require(const ProfileNode *object, const char *name)
{
	const ProfileNode *node = profile_member(object, name);

	if (node == NULL)
		profile_error(object, NULL, "member \"%s\" is missing", name);
	return node;
}

List *
profile_members(const ProfileNode *object)
{
	JsonbIterator *it = JsonbIteratorInit(object_of(object));
	JsonbValue	value;
	JsonbIteratorToken token;
	List	   *members = NIL;
	char	   *name = NULL;

	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = pnstrdup(value.val.string.val, value.val.string.len);
		else if (token == WJB_VALUE)
			members = lappend(members, child_node(object, name, &value));
	}
	return members;
}

List *
profile_elements(const ProfileNode *array)
{
	List	   *elements = NIL;
	JsonbContainer *container;

	if (array->value.type != jbvBinary ||
		!JsonContainerIsArray(array->value.val.binary.data))
		wrong_kind(array, "an array");
	container = array->value.val.binary.data;
	for (int i = 0; i < JsonContainerSize(container); i++)
	{
		ProfileNode *node = palloc(sizeof(ProfileNode));

		node->path = psprintf("%s[%d]", array->path, i);
		node->name = "";
		node->value = *getIthJsonbValueFromContainer(container, i);
		elements = lappend(elements, node);
	}
	return elements;
}

void
profile_check_members(const ProfileNode *object, const char *const *names)
{
	ListCell   *lc;

	foreach(lc, profile_members(object))
	{
		const ProfileNode *member = lfirst(lc);
		int			i = 0;

		while (names[i] && strcmp(names[i], member->name) != 0)
			i++;
		if (names[i] == NULL)
			profile_error(member,
						  psprintf("Valid members are: %s.",
								   profile_words(names)),
						  "unknown member");
	}
}

const char *
profile_string(const ProfileNode *node)
{
	if (node->value.type != jbvString)
		wrong_kind(node, "a string");
	return pnstrdup(node->value.val.string.val, node->value.val.string.len);
}

bool
profile_boolean(const ProfileNode *node)
{
	if (node->value.type != jbvBool)
		wrong_kind(node, "true or false");
	return node->value.val.boolean;
}

int64
profile_integer(const ProfileNode *node, int64 min, int64 max)
{
	Datum		datum;
	char	   *digits;
	char	   *end;
	int64		number;

	if (node->value.type != jbvNumeric)
		wrong_kind(node, "a whole number");
	datum = NumericGetDatum(node->value.val.numeric);
	digits = DatumGetCString(DirectFunctionCall1(numeric_out, datum));
	errno = 0;
	number = strtoll(digits, &end, 10);
	if (errno != 0 || *end != '\0' || number < min || number > max)
		profile_error(node, NULL,
					  "must be a whole number from " INT64_FORMAT " to "
					  INT64_FORMAT ", not %s", min, max, digits);
	return number;
}

int
profile_choice(const ProfileNode *node, const char *const *words)
{
	const char *word = profile_string(node);

	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	profile_error(node, psprintf("Valid values are: %s.",
								 profile_words(words)),
				  "invalid value \"%s\"", word);
}

const char *
profile_string_of(const ProfileNode *object, const char *name,
				  const char *missing)
{
	const ProfileNode *node = profile_member(object, name);

	return node ? profile_string(node) : missing;
}

bool
profile_boolean_of(const ProfileNode *object, const char *name, bool missing)
{
	const ProfileNode *node = profile_member(object, name);

	return node ? profile_boolean(node) : missing;
}

int64
profile_integer_of(const ProfileNode *object, const char *name,
				   int64 min, int64 max, int64 missing)
{
	const ProfileNode *node = profile_member(object, name);

	return node ? profile_integer(node, min, max) : missing;
}

int
profile_choice_of(const ProfileNode *object, const char *name,
				  const char *const *words, int missing)
{
	const ProfileNode *node = profile_member(object, name);

	return node ? profile_choice(node, words) : missing;
}
