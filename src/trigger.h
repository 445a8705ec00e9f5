/*-------------------------------------------------------------------------
 *
 * trigger.h
 *		The trigger function for subscription tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_TRIGGER_H
#define PROVREQ_TRIGGER_H

/* Called once, from _PG_init: CREATE TRIGGER checks the arguments. */
extern void trigger_install_hook(void);

#endif							/* PROVREQ_TRIGGER_H */
