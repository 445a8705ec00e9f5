/*-------------------------------------------------------------------------
 *
 * saved_plan.h
 *		SQL that is planned once a session.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_SAVED_PLAN_H
#define PROVREQ_SAVED_PLAN_H

#include "executor/spi.h"

/*
 * A kept generic plan of the statement, connected to SPI by the caller.
 * Planned for tables of any size: what is tiny now, and would be scanned
 * whole, may hold millions of rows before the session ends.
 */
extern SPIPlanPtr saved_plan_make(const char *sql, int nargs, Oid *types);

/* Makes it at the first call; *plan is static in the caller, NULL before. */
extern void saved_plan_get(SPIPlanPtr *plan, const char *sql, int nargs,
						   Oid *types);

#endif							/* PROVREQ_SAVED_PLAN_H */
