/*-------------------------------------------------------------------------
 *
 * caller.c
 *		Who calls, as the record names them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(provreq_caller);

/* The role in force when the first SECURITY DEFINER function was called. */
Datum
provreq_caller(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(GetUserNameFromId(GetOuterUserId(),
													   false)));
}
