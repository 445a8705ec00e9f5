/*-------------------------------------------------------------------------
 *
 * watch.h
 *		Notices DDL that our processes must follow.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_WATCH_H
#define PROVREQ_WATCH_H

/* From _PG_init while shared_preload_libraries are loaded. */
extern void watch_install_hook(void);

#endif							/* PROVREQ_WATCH_H */
