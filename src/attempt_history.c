/*-------------------------------------------------------------------------
 *
 * attempt_history.c
 *		What request.attempt_log says of earlier attempts.
 *
 * The log is an array of objects: attempts, with a member "started", and acts
 * of persons, with a member "resubmitted".  Attempts that we broke off without
 * any failure have a member "interrupted" as well.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "attempt_history.h"
#include "instant.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

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

/* A whole number; 0 when it is none. */
static int64
integer_of(const JsonbValue *value)
{
	Datum		number;

	if (value->type != jbvNumeric)
		return 0;
	number = NumericGetDatum(value->val.numeric);
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, number));
}

/* One entry of the log. */
static void
note_entry(AttemptHistory *history, const JsonbValue *entry)
{
	JsonbValue	value;

	if (has_member(entry, "resubmitted", &value))
	{
		history->attempted = false;
		history->attempts = 0;
		history->first_started = 0;
		return;
	}
	if (!has_member(entry, "started", &value))
		return;
	history->attempted = true;
	history->last_started = instant_of(&value);
	if (has_member(entry, "sequence_number", &value))
		history->last_sequence = integer_of(&value);
	if (has_member(entry, "interrupted", &value))
		return;
	if (history->attempts++ == 0)
		history->first_started = history->last_started;
}

AttemptHistory
attempt_history(Jsonb *log)
{
	AttemptHistory history = {0};
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	entry;

	if (log == NULL || !JB_ROOT_IS_ARRAY(log) || JB_ROOT_IS_SCALAR(log))
		return history;
	it = JsonbIteratorInit(&log->root);
	while ((token = JsonbIteratorNext(&it, &entry, true)) != WJB_DONE)
		if (token == WJB_ELEM)
			note_entry(&history, &entry);
	return history;
}
