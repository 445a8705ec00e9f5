/*-------------------------------------------------------------------------
 *
 * trigger_change.h
 *		What a statement has changed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_TRIGGER_CHANGE_H
#define PROVREQ_TRIGGER_CHANGE_H

#include "trigger_request.h"

typedef struct ChangeSet ChangeSet;
typedef struct ChangeMemory ChangeMemory;

/* An empty set in a memory context of its own below the current one. */
extern ChangeSet *change_set_make(void);
extern void change_set_free(ChangeSet *set);

/* Do two rows say the same of the CAS?  Two that are not active do. */
extern bool change_same(const TriggerRow *a, const TriggerRow *b);

/* Notes an active row of one side, CHANGE_BEFORE or CHANGE_AFTER. */
extern void change_note(ChangeSet *set, const TriggerRow *row, int side);

/* A row that is on both sides: what was noted of it is no change. */
extern void change_unchanged(ChangeSet *set, const TriggerRow *row);

extern bool change_set_is_empty(const ChangeSet *set);

/* Does it take more than work_mem? */
extern bool change_set_is_full(const ChangeSet *set);

/*
 * Makes the requests: first a cancel for all that is on the side before
 * only, then an add for all that is on the side after only, each in the order
 * in which they were noted.  "memory", unless NULL, has what former sets of
 * the same statement have added: that is neither cancelled any more nor added
 * again, and what this set adds goes there.
 */
extern void change_set_carry_out(ChangeSet *set, const TriggerRules *rules,
								 ChangeMemory *memory);

/* An empty one for the above, in a memory context. */
extern ChangeMemory *change_memory_make(MemoryContext context);

#endif							/* PROVREQ_TRIGGER_CHANGE_H */
