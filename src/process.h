/*-------------------------------------------------------------------------
 *
 * process.h
 *		What the launcher, the supervisors and the senders have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_PROCESS_H
#define PROVREQ_PROCESS_H

#include "compat.h"

/*
 * Start of a supervisor or sender: signals, its slot of the roster, the
 * connection to its database; as_worker: from then on with the rights of
 * provreq_worker.  Returns the server of a sender.  Leaves the process when
 * it is not wanted any more.
 */
extern Oid	process_start(Datum main_arg, bool as_worker);

/* Signals of the launcher. */
extern void process_signals(void);

/* Reads the configuration again if the server was told to. */
extern void process_follow_configuration(void);

/* A transaction with a snapshot, and its end; errors fly. */
extern void process_begin(void);
extern void process_commit(void);

/*
 * The same, with caches that hold nothing older than the transaction.  We
 * are woken by a commit just before its invalidation messages are sent, so
 * the messages may come too late for what we read.
 */
extern void process_begin_afresh(void);

/* Ends the transaction after an error, which was reported already. */
extern void process_abort(void);

/* Shows kind and name in pg_stat_activity.application_name. */
extern void process_name(const char *kind, const char *name);

/* Shows what the process does in pg_stat_activity, when that changed. */
extern void process_report(bool active, const char *state);

/* Latch, postmaster death, and a descriptor to read unless it is invalid. */
extern WaitEventSet *process_wait_set(pgsocket fd);

#endif							/* PROVREQ_PROCESS_H */
