/*-------------------------------------------------------------------------
 *
 * link_loop.h
 *		The thread that serves all links.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_LINK_LOOP_H
#define SIMULATOR_LINK_LOOP_H

#include <stdbool.h>

#include "link.h"

/* Listens and starts the thread.  The port; -1, with errno, if it cannot. */
extern int	loop_start(const char *address, int port);
extern void loop_stop(void);

/* Links and everything about them belong to who is in between. */
extern void loop_lock(void);
extern void loop_unlock(void);

/* The following need the lock. */
extern bool loop_refuse(bool refuse);

/* Closes the links without unanswered messages, or all. */
extern void loop_drop(bool all);

/*
 * Reads what a link has, answers it, and closes it if that was the end: what
 * the loop does when a socket is ready.
 */
extern void loop_serve(Link *link);

#endif							/* SIMULATOR_LINK_LOOP_H */
