/*-------------------------------------------------------------------------
 *
 * wake_private.h
 *		The roster in shared memory, for the files that keep it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_WAKE_PRIVATE_H
#define PROVREQ_WAKE_PRIVATE_H

#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "wake.h"

/* A child is not kept waiting for longer than this, in ms. */
#define RESTART_DELAY_MAX 60000

typedef struct WakeSlot
{
	WorkerKind	kind;
	WorkerState state;
	Oid			dbid;
	Oid			serverid;		/* of senders */
	uint32		generation;		/* grows with every start */
	int			procno;			/* -1 unless running */
	TimestampTz not_before;		/* wanted: not to be started earlier */
	TimestampTz started;		/* starting, running: since when */
	int			failures;		/* starts that ended soon, in a row */
	pg_atomic_uint32 bits;		/* WAKE_* */
} WakeSlot;

typedef struct WakeShared
{
	LWLock	   *lock;
	int			nslots;
	WakeSlot	slots[FLEXIBLE_ARRAY_MEMBER];	/* [0] is the launcher */
} WakeShared;

/* NULL unless provreq was preloaded. */
extern WakeShared *wake_shared;

/* Sets bits and the latch of a slot's process.  Caller holds the lock. */
extern void wake_slot_wake(WakeSlot *slot, uint32 bits);

/* The slot of a child, or NULL.  Caller holds the lock. */
extern WakeSlot *wake_slot_find(WorkerKind kind, Oid dbid, Oid serverid);

/*
 * Reserves a slot, or returns the one that is there; NULL when the roster is
 * full.  Caller holds the lock exclusively.
 */
extern WakeSlot *wake_slot_want(WorkerKind kind, Oid dbid, Oid serverid);

#endif							/* PROVREQ_WAKE_PRIVATE_H */
