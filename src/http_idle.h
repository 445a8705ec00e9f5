/*-------------------------------------------------------------------------
 *
 * http_idle.h
 *		The sockets of connections that libcurl keeps and does not use.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_HTTP_IDLE_H
#define PROVREQ_HTTP_IDLE_H

#include "c.h"

typedef struct HttpIdle HttpIdle;

/* Nothing idle yet; in the current memory context. */
extern HttpIdle *http_idle_new(int epoll_fd);

/* libcurl keeps it, or it uses it again or has closed it.  Never raise. */
extern void http_idle_kept(HttpIdle *idle, int fd);
extern void http_idle_gone(HttpIdle *idle, int fd);

/*
 * Something came on a kept connection: its end, or bytes that belong to no
 * message.  What is there is thrown away and the socket shut down.
 */
extern void http_idle_break(HttpIdle *idle, int fd);

/* Breaks every kept connection on which something came.  True if any was. */
extern bool http_idle_check(HttpIdle *idle);

#endif							/* PROVREQ_HTTP_IDLE_H */
