/*-------------------------------------------------------------------------
 *
 * waiters.h
 *		Who waits for the outcome of which request.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_WAITERS_H
#define PROVREQ_WAITERS_H

/* From _PG_init while shared_preload_libraries are loaded. */
extern void waiters_install_hooks(void);

/*
 * From waiters_enter to waiters_leave this process is woken by its latch
 * whenever the request of this number in this database may have got an
 * outcome.  Enter before looking for one.
 */
extern void waiters_enter(int64 number);
extern void waiters_leave(void);

/* Was this process woken since the last call, or since it entered? */
extern bool waiters_take(void);

/*
 * When the current transaction has committed, or was prepared, wake those who
 * wait for the request of this number, or all who wait in this database.
 */
extern void waiters_wake_at_commit(int64 number);
extern void waiters_wake_all_at_commit(void);

#endif							/* PROVREQ_WAITERS_H */
