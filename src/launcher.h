/*-------------------------------------------------------------------------
 *
 * launcher.h
 *		The static worker that finds databases.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_LAUNCHER_H
#define PROVREQ_LAUNCHER_H

/* From _PG_init while shared_preload_libraries are loaded. */
extern void launcher_register(void);

#endif							/* PROVREQ_LAUNCHER_H */
