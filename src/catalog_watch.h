/*-------------------------------------------------------------------------
 *
 * catalog_watch.h
 *		Has anything changed that is kept for the session?
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_CATALOG_WATCH_H
#define PROVREQ_CATALOG_WATCH_H

/*
 * A number that is another one when any relation, function, schema, role,
 * provider or wire profile may have changed, by this session or, once a lock
 * was waited for, by others.  What was made from the catalogs is good for as
 * long as the number that was asked for before it was made.
 */
extern uint64 catalog_watch(void);

#endif							/* PROVREQ_CATALOG_WATCH_H */
