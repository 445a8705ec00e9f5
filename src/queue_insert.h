/*-------------------------------------------------------------------------
 *
 * queue_insert.h
 *		One row into the pending part, without a statement for it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_QUEUE_INSERT_H
#define PROVREQ_QUEUE_INSERT_H

/*
 * Inserts a row into provreq.request_pending and gives it as a
 * provreq.request composite datum in the current memory context.  Columns
 * that are not among the named ones have their defaults.  The names must be
 * the same at each call.
 *
 * Returns false, having done nothing, when it must be done by an INSERT
 * statement: see the head of queue_insert.c.  Raises what INSERT would.
 */
extern bool queue_insert(const char *const *names, const Datum *values,
						 const bool *nulls, int count, Datum *row);

#endif							/* PROVREQ_QUEUE_INSERT_H */
