/*-------------------------------------------------------------------------
 *
 * port.h
 *		The port that a simulator listens on, or refuses connections on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_PORT_H
#define SIMULATOR_PORT_H

#include <netinet/in.h>
#include <stdbool.h>

/*
 * Takes a port of a loopback address, 0 being any free one, and listens.
 * Returns the port; -1, with errno, if it cannot.  The caller sees to it that
 * only one thread is in here.
 */
extern int port_open(const char *address, int port);

/* Listens again, or refuses while the port stays ours.  False: it cannot. */
extern bool port_listen(void);
extern void port_refuse(void);

/* The listening socket; -1 while refusing. */
extern int port_socket(void);

/* A new connection, which does not block; -1: there is none. */
extern int port_accept(struct sockaddr_in *peer);

extern void port_close(void);

#endif							/* SIMULATOR_PORT_H */
