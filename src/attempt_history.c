/*-------------------------------------------------------------------------
 *
 * attempt_history.c
 *		What request.attempt_log says of earlier attempts.
 *
 * The log is an array of objects: attempts, with a member "started", and acts
 * of persons, with a member "resubmitted".
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "attempt_history.h"
#include "instant.h"

static bool
has_member(const JsonbValue *object, const char *name, JsonbValue *value)
{
	return object->type == jbvBinary &&
		JsonContainerIsObject(object->val.binary.data) &&
		getKeyJsonValueFromContainer(object->val.binary.data, name,
									 (int) strlen(name), value) != NULL;
}

/* A text member as an instant; 0 when it cannot be read as one. */
static TimestampTz
instant_of(const JsonbValue *value)
{
	TimestampTz instant;

	if (value->type != jbvString ||
		!instant_parse(pnstrdup(value->val.string.val, value->val.string.len),
					   &instant))
		return 0;
	return instant;
}

int
attempt_history(Jsonb *log, TimestampTz *first_started)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	entry;
	int			attempts = 0;

	*first_started = 0;
	if (log == NULL || !JB_ROOT_IS_ARRAY(log) || JB_ROOT_IS_SCALAR(log))
		return 0;
	it = JsonbIteratorInit(&log->root);
	while ((token = JsonbIteratorNext(&it, &entry, true)) != WJB_DONE)
	{
		JsonbValue	value;

		if (token != WJB_ELEM)
			continue;
		if (has_member(&entry, "resubmitted", &value))
		{
			attempts = 0;
			*first_started = 0;
		}
		else if (has_member(&entry, "started", &value) && attempts++ == 0)
			*first_started = instant_of(&value);
	}
	return attempts;
}
