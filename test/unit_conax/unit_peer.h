/*-------------------------------------------------------------------------
 *
 * unit_peer.h
 *		A small HTTP server that behaves as a test wants.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UNIT_PEER_H
#define UNIT_PEER_H

#include <sys/types.h>

typedef enum PeerManner
{
	PEER_ANSWERS,				/* and keeps the connection */
	PEER_CLOSES_IDLE,			/* answers once, then closes unannounced */
	PEER_CLOSES_AFTER_SECOND,	/* reads a second request whole, then closes */
	PEER_RESETS_AFTER_SECOND,	/* the same with a reset */
	PEER_CLOSES_AFTER_HEAD,		/* reads the head of a second one only */
	PEER_CLOSES_AFTER_FIRST,	/* reads the first request whole, then closes */
	PEER_HALF,					/* half an answer, then closes */
	PEER_OVERSIZED,				/* an answer of 5 MB */
	PEER_HANGS,					/* reads and says nothing */
	PEER_REDIRECTS,				/* to itself, at /elsewhere */
	PEER_TWO_ANSWERS,			/* in one piece */
	PEER_LATE_SECOND_ANSWER,	/* the second a moment after the first */
	PEER_EARLY,					/* 401 before it reads the body */
	PEER_CHUNKED,				/* a chunked answer, byte by byte */
	PEER_WAITS					/* answers when ledger->word has come to the
								 * number in the body, at length */
}			PeerManner;

#define PEER_MAX_SERIAL 4096

/* The answers of PEER_WAITS are filled up with blanks to so many bytes. */
#define PEER_LONG_ANSWER 50000

/* What the peer saw, and a word to it; shared memory. */
typedef struct PeerLedger
{
	int			connections;
	int			heads;			/* requests whose headers came */
	int			complete;		/* requests that came whole */
	int			answers;		/* sent as a whole; PEER_WAITS: and received
								 * by the kernel of the other side */
	int			word;			/* set by the test */
	int			elsewhere;		/* requests for /elsewhere */
	int			seen[PEER_MAX_SERIAL];	/* by the number in the body */
	char		head[2048];		/* of the last request */
}			PeerLedger;

typedef struct Peer
{
	pid_t		pid;
	int			port;
	volatile	PeerLedger *ledger;
}			Peer;

extern Peer * peer_start(PeerManner manner);
extern void peer_stop(Peer * peer);

/* A port that refuses connections and is nobody's, until *fd is closed. */
extern int	peer_nowhere(int *fd);

#endif							/* UNIT_PEER_H */
