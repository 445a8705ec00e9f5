/*-------------------------------------------------------------------------
 *
 * link.h
 *		A connection of a client: bytes in, bytes out, and how it ends.
 *
 * Everything here and in the files above it belongs to whoever holds the lock
 * of link_loop.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_LINK_H
#define SIMULATOR_LINK_H

#include <gnutls/gnutls.h>
#include <stdbool.h>

#include "text.h"

typedef enum LinkState
{
	LINK_HANDSHAKE,				/* TLS */
	LINK_OPEN,
	LINK_HANGING,				/* neither read nor written any more */
	LINK_ENDING,				/* not read; closed when all is written */
	LINK_LINGERING,				/* our half is closed, what comes is
								 * discarded */
	LINK_CLOSED					/* freed at the end of the turn */
} LinkState;

#define LINK_SOURCE 8
#define NO_CUT (-1LL)

typedef struct Link
{
	struct Link *previous;
	struct Link *next;
	int			fd;
	gnutls_session_t tls;		/* NULL: plain */
	bool		is_sending;		/* GnuTLS has bytes that had to wait */
	LinkState	state;
	unsigned	interest;		/* what epoll watches it for */
	unsigned long long number;	/* 1, 2, ... in the order of connecting */
	char		source[LINK_SOURCE];	/* who it is, once that is known */

	Text		in;				/* received and not used yet */
	size_t		in_used;		/* of "in" */
	Text		out;			/* to be sent */
	size_t		out_done;		/* of "out" */
	long long	received;		/* bytes, all in all */
	long long	sent;
	long long	cut_received;	/* it is closed after so many bytes; NO_CUT */
	long long	cut_sent;

	long long	slow_until;		/* up to here, byte by byte */
	long long	slow_gap;		/* microseconds between two */
	long long	due;			/* when to go on sending, or to stop
								 * lingering; 0: not waiting */

	unsigned	unanswered;		/* messages */
	unsigned	queued;			/* answers that keep their order */
	long long	last_due;		/* of those */
	struct Answer **held;		/* to be sent together */
	size_t		held_count;
	size_t		held_batch;
	bool		held_reversed;
	void	   *own;			/* the protocol's, zeroed at first */
} Link;

/* A link over a connection; tls may be NULL.  It is watched at once. */
extern Link *link_new(int fd, gnutls_session_t tls, size_t own_size);

/* Of all that are not closed, in no order; NULL at the end. */
extern Link *link_first(void);
extern size_t link_count(void);

/*
 * Reads what has come, up to where it is cut.  False: nothing more will, the
 * peer has closed or reset it.
 */
extern bool link_read(Link *link);

/* The bytes not used yet, and saying that some are. */
extern const char *link_bytes(const Link *link, size_t *len);
extern void link_use(Link *link, size_t len);

/* Was the last byte that was used the last that may come? */
extern bool link_is_cut(const Link *link);

/* Puts bytes after what is to be sent; they leave with link_flush. */
extern void link_append(Link *link, const void *bytes, size_t len);

/* The same, one byte each time, with microseconds between two. */
extern void link_append_slowly(Link *link, const void *bytes, size_t len,
							   long long gap);

/* Would so many bytes more all leave before it is cut? */
extern bool link_will_send(const Link *link, size_t len);
extern void link_flush(Link *link);

/* Sends what is to be sent and closes it so that the peer gets it all. */
extern void link_end(Link *link);

/* Closes it now, with a reset when "reset". */
extern void link_close(Link *link, bool reset);
extern void link_hang(Link *link);

/* Something is due on a link, or its socket is ready: see link_loop.c. */
extern void link_tick(Link *link, long long now);
extern void link_watch(Link *link);

/* Discards what comes; false: the peer has closed too. */
extern bool link_discard(Link *link);

/* Frees those that are closed. */
extern void link_sweep(void);

/* Called once for each link that closes, before it is freed. */
extern void (*link_on_close) (Link *link);

/* The epoll set that links are watched in. */
extern int	link_epoll;

#endif							/* SIMULATOR_LINK_H */
