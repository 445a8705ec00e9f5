/*-------------------------------------------------------------------------
 *
 * unit_peer.h
 *		A gateway of the tests' own protocol, as bad as a test wants it.
 *
 * A frame is a length of two bytes, big-endian and exclusive, and a text:
 *
 *		H;link				hello; answered W;1 and W;2, or N;reason
 *		C7;					check number 7; answered A7;alive
 *		M8;serial=3.text	message number 8; answered A8;serial=3.text
 *
 *-------------------------------------------------------------------------
 */
#ifndef UNIT_PEER_H
#define UNIT_PEER_H

#include <sys/types.h>

typedef enum PeerManner
{
	PEER_ANSWERS,
	PEER_REVERSES,				/* answers what came in one read last first */
	PEER_HOLDS,					/* answers when told to, to "release" */
	PEER_HANGS,					/* reads and says nothing, checks included */
	PEER_DEAF,					/* answers checks, no messages */
	PEER_READS_NOT,				/* after the hello */
	PEER_BYTEWISE,				/* an answer is many writes */
	PEER_TWICE,					/* answers everything twice */
	PEER_OLD_NUMBER,			/* answers old_number, with serial 1, before */
	PEER_OTHER_NUMBER,			/* answers with a number of nobody */
	PEER_CHATTERS,				/* a message of its own before each answer */
	PEER_FLOODS,				/* messages of its own without end */
	PEER_UNASKED,				/* after an answer, one to nothing */
	PEER_BAD_FRAME,				/* a frame that is no answer */
	PEER_NO_FRAME,				/* bytes that are no frame */
	PEER_TOO_LONG,				/* a frame of 60000 bytes */
	PEER_HALF_CLOSES,			/* at the first message: says no more */
	PEER_RESETS,				/* in the middle of an answer */
	PEER_CLOSES_IDLE,			/* after each answer */
	PEER_CLOSES_AT_ONCE,		/* before the hello */
	PEER_REFUSES,				/* at the hello */
	PEER_REFUSES_SOME,			/* links whose name begins with "bad" */
	PEER_HANGS_AT_HELLO,
	PEER_ILL					/* answers checks badly */
}			PeerManner;

#define PEER_MAX_SERIAL 8192

/* What the peer saw, and words to it; shared memory. */
typedef struct PeerLedger
{
	int			manner;			/* a PeerManner; may change at any time */
	int			release;		/* PEER_HOLDS: serials up to that are answered */
	int			cut_read;		/* a connection ends when so many bytes were */
	int			cut_written;	/* read, or written; 0 = never */

	int			connections;
	int			closed;
	int			hellos;
	int			checks;
	int			messages;
	int			answers;		/* to messages: written, or held back no more */
	int			unanswered_most;	/* messages and checks of a connection */
	int			shrinking;		/* numbers that were not above the one before
								 * on their link */
	int			gaps;			/* numbers that were not one above */
	int			early;			/* messages before so many checks as at start */
	int			checks_at_start;
	int			old_number;
	bool		closing;		/* closes after each answer */
	int			by_number_first;	/* numbers of a connection: the first */
	int			read;			/* bytes of the latest connection */
	int			written;
	int			seen[PEER_MAX_SERIAL];	/* by the serial in the text */
	uint64		last_number[16];	/* by the last letter of the link's name */
}			PeerLedger;

typedef struct Peer
{
	pid_t		pid;
	int			port;
	volatile	PeerLedger *ledger;
}			Peer;

/* With a certificate and its key, it speaks TLS. */
extern Peer * peer_start(PeerManner manner, const char *certificate,
						 const char *key);
extern void peer_stop(Peer * peer);

/* A port that refuses connections and is nobody's, until *fd is closed. */
extern int	peer_nowhere(int *fd);

#endif							/* UNIT_PEER_H */
