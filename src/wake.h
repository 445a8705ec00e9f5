/*-------------------------------------------------------------------------
 *
 * wake.h
 *		The roster of our processes in shared memory, and how to wake them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_WAKE_H
#define PROVREQ_WAKE_H

#include "nodes/pg_list.h"

/* What a process is woken for: bits that stay set until wake_take. */
#define WAKE_WORK		0x01	/* requests were created or changed */
#define WAKE_RELOAD		0x02	/* providers, mappings, profiles changed */
#define WAKE_STOP		0x04	/* leave, deliberately */
#define WAKE_PREPARED	0x08	/* a prepared transaction may hold requests */
#define WAKE_WITHDRAWN	0x10	/* requests may have left the pending part */

typedef enum WorkerKind
{
	WORKER_LAUNCHER,
	WORKER_SUPERVISOR,
	WORKER_SENDER,
	WORKER_RUNNER
} WorkerKind;

/* A slot of the roster as its parent sees it. */
typedef enum WorkerState
{
	WORKER_FREE,
	WORKER_WANTED,				/* to be started by its parent */
	WORKER_STARTING,			/* registered, not yet heard of */
	WORKER_RUNNING
} WorkerState;

/* What a child is told by its parent, in bgw_extra. */
typedef struct WakeChild
{
	Oid			dbid;
	Oid			serverid;		/* of senders */
	uint32		generation;		/* of the slot, for wake_attach */
} WakeChild;

/* From _PG_init while shared_preload_libraries are loaded. */
extern void wake_install_hooks(void);

/*
 * At the end of the current transaction, if it commits, set bits for one
 * sender of this database, for all of them, or for this database's
 * supervisor (which is started when there is none).
 */
extern void wake_sender_at_commit(Oid serverid, uint32 bits);
extern void wake_all_senders_at_commit(uint32 bits);
extern void wake_supervisor_at_commit(void);
extern void wake_launcher_at_commit(void);

/* The same for this database's runner, if there is one. */
extern void wake_runner_at_commit(void);

/* ---- For the processes of the roster ---- */

/*
 * Enters the calling process into the slot that its parent reserved; false
 * when the parent has given it up meanwhile.  Sets the exit callback.
 */
extern bool wake_attach(int slot, uint32 generation);
extern void wake_attach_launcher(void);

/* This process leaves on purpose: its slot becomes free instead of wanted. */
extern void wake_leave(void);

/* The bits set for this process since the last call. */
extern uint32 wake_take(void);

/* ---- For parents ---- */

/*
 * Makes sure that a slot exists for a child, without starting it.  False
 * when the roster is full.
 */
extern bool wake_want(WorkerKind kind, Oid dbid, Oid serverid);

/* Tells a running child to leave; drops the slot of one that does not run. */
extern void wake_stop(WorkerKind kind, Oid dbid, Oid serverid);

/*
 * Starts what is wanted of one kind in one database (any database for
 * supervisors: dbid InvalidOid).  Returns the milliseconds after which to
 * call again, -1 when nothing is outstanding.
 */
extern long wake_start_wanted(WorkerKind kind, Oid dbid);

/* Serverids (Oids) of the sender slots of a database, in any state. */
extern List *wake_sender_oids(Oid dbid);

/* True when the runner of a database has a slot, in any state. */
extern bool wake_runner_exists(Oid dbid);

/* Database Oids of the supervisor slots in any state. */
extern List *wake_supervisor_databases(void);

#endif							/* PROVREQ_WAKE_H */
