/*-------------------------------------------------------------------------
 *
 * queue_plan.h
 *		Statements that are planned once a process.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_QUEUE_PLAN_H
#define PROVREQ_QUEUE_PLAN_H

#include "executor/spi.h"

/*
 * Prepares a statement at the first call and keeps it in *plan, which the
 * caller declares static.  To be called between SPI_connect and SPI_finish.
 */
extern void queue_plan(SPIPlanPtr *plan, const char *sql, int nargs,
					   Oid *types);

#endif							/* PROVREQ_QUEUE_PLAN_H */
