/*-------------------------------------------------------------------------
 *
 * saved_plan.c
 *		SQL that is planned once a session.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/parsenodes.h"
#include "utils/guc.h"
#include "utils/plancache.h"
#include "utils/resowner.h"

#include "saved_plan.h"

/* Plans a kept statement while scans of whole tables are discouraged. */
static void
plan_for_any_size(SPIPlanPtr plan)
{
	int			nest_level = NewGUCNestLevel();

	(void) set_config_option("enable_seqscan", "off",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);

	/* What is discouraged looks as dear as what is worth compiling. */
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	ReleaseCachedPlan(SPI_plan_get_cached_plan(plan), CurrentResourceOwner);
	AtEOXact_GUC(true, nest_level);
}

SPIPlanPtr
saved_plan_make(const char *sql, int nargs, Oid *types)
{
	SPIPlanPtr	plan;

	plan = SPI_prepare_cursor(sql, nargs, types, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare_cursor failed: %s",
			 SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	plan_for_any_size(plan);
	return plan;
}

void
saved_plan_get(SPIPlanPtr *plan, const char *sql, int nargs, Oid *types)
{
	if (*plan == NULL)
		*plan = saved_plan_make(sql, nargs, types);
}
