/*-------------------------------------------------------------------------
 *
 * caller.c
 *		Who calls, as the record names them.
 *
 * Who acts through a session is kept in two configuration variables that
 * nobody can set: they follow subtransactions that are rolled back, and end
 * with the transaction, by themselves.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "caller.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(provreq_caller);
PG_FUNCTION_INFO_V1(provreq_caller_unit);

static bool
is_set(const char *setting)
{
	return setting != NULL && setting[0] != '\0';
}

const char *
caller_user(void)
{
	if (is_set(provreq_acting_user))
		return provreq_acting_user;
	return GetUserNameFromId(GetOuterUserId(), false);
}

const char *
caller_unit(void)
{
	if (is_set(provreq_acting_user) && is_set(provreq_acting_unit))
		return provreq_acting_unit;
	return NULL;
}

static void
set(const char *name, const char *value, GucAction action)
{
	(void) set_config_option(name, value != NULL ? value : "",
							 PGC_INTERNAL, PGC_S_SESSION, action, true, 0,
							 false);
}

void
caller_set(const char *user, const char *unit)
{
	set("provreq.acting_user", user, GUC_ACTION_LOCAL);
	set("provreq.acting_unit", unit, GUC_ACTION_LOCAL);
}

void
caller_save(void)
{
	set("provreq.acting_user", provreq_acting_user, GUC_ACTION_SAVE);
	set("provreq.acting_unit", provreq_acting_unit, GUC_ACTION_SAVE);
}

Datum
provreq_caller(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(caller_user()));
}

Datum
provreq_caller_unit(PG_FUNCTION_ARGS)
{
	const char *unit = caller_unit();

	if (unit == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(unit));
}
