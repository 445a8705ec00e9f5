/*-------------------------------------------------------------------------
 *
 * conax_listen.h
 *		The port: accepting connections, or refusing them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONAX_LISTEN_H
#define CONAX_LISTEN_H

#include <stdbool.h>

/*
 * Listens on a loopback address; port 0 is any free one.  Returns the port,
 * or -1 with errno.
 */
extern int	listen_start(const char *address, int port);

/*
 * Stops listening, so that connecting is refused, or listens again.  The port
 * stays ours.  False if it cannot.
 */
extern bool listen_refuse(bool refuse);
extern void listen_stop(void);

#endif							/* CONAX_LISTEN_H */
