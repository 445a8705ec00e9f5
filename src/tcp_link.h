/*-------------------------------------------------------------------------
 *
 * tcp_link.h
 *		The transport of framed messages over TCP, with or without TLS.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_TCP_LINK_H
#define PROVREQ_TCP_LINK_H

#include "transport.h"

/* Wants an adapter with a dialect, whose rules say all the rest. */
extern const CasTransport tcp_transport;

/* tcp_test.c: for tcp_transport. */
extern List *tcp_test(const CasSettings *settings);

#endif							/* PROVREQ_TCP_LINK_H */
