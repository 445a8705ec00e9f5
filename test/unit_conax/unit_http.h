/*-------------------------------------------------------------------------
 *
 * unit_http.h
 *		What the tests of the HTTP transport share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UNIT_HTTP_H
#define UNIT_HTTP_H

#include "adapter.h"

/* Longer than any test takes that does not hang, in ms. */
#define PATIENCE 20000

/* Milliseconds of a clock that nobody sets. */
extern int64 unit_clock(void);

/* Settings for a peer at that port; its timeout is 5 s. */
extern CasSettings *unit_http_settings(int port);

/* Submits a message with that number in it and as its tag. */
extern void unit_submit(CasLink *link, int serial);

/* Waits for replies, as a sender does; 0 when patience ends. */
extern int	unit_process(CasLink *link, CasReply *replies, int max);

/* Is the reply an answer that is equal to the message? */
extern bool unit_answered(const CasReply *reply);

struct epoll_event;

/* Stands between the transport and epoll_wait. */
extern int	unit_epoll_wait(int fd, struct epoll_event *events, int max,
							int timeout);

#endif							/* UNIT_HTTP_H */
