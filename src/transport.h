/*-------------------------------------------------------------------------
 *
 * transport.h
 *		What moves the bytes of an adapter's messages, and what it has to be
 *		told about them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_TRANSPORT_H
#define PROVREQ_TRANSPORT_H

#include "adapter.h"
#include "lib/stringinfo.h"

/* ------------------------------------------------------------------------
 * Transport: moves bytes, knows no message
 *
 * All functions are called by one process outside of any transaction, and
 * none of them blocks.  Only open may raise an error; what goes wrong later
 * is a reply.
 * ------------------------------------------------------------------------
 */
typedef struct CasLink CasLink;

/* One step of a test of a provider, such as "resolve" or "login". */
typedef struct CasStep
{
	const char *name;
	bool		ok;
	const char *detail;			/* what was found or failed: no secrets */
	int64		microseconds;	/* that the step took */
} CasStep;

typedef struct CasTransport
{
	/*
	 * Makes a link (which may be many connections) for a provider, owned by
	 * the current memory context: resetting the context closes everything.
	 * Connects lazily.  Called again after every change of the settings.
	 */
	CasLink    *(*open) (const CasSettings *settings);

	/* How many more messages submit will take right now; 0 when full. */
	int			(*capacity) (CasLink *link);

	/*
	 * Takes over one message: it copies what it needs.  Every submit is
	 * followed by exactly one reply with the same tag, whatever happens, and
	 * by late ones besides.  May stamp the message, in the current memory
	 * context.
	 */
	void		(*submit) (CasLink *link, CasMessage *message, uint64 tag);

	/* A descriptor that is readable whenever process has work. */
	int			(*socket) (CasLink *link);

	/* Milliseconds until process wants to be called anyway; -1 = never. */
	long		(*timeout) (CasLink *link);

	/*
	 * Moves bytes and stores up to max finished exchanges in replies; what
	 * they point to is valid until the next call of process.  Returns their
	 * number; called again at once when it equals max.
	 */
	int			(*process) (CasLink *link, CasReply *replies, int max);

	/*
	 * One line about the state of the link for people, such as "3 of 16
	 * connections open", without secrets; called now and then by the process
	 * that opened it.  NULL: there is nothing to say.
	 */
	void		(*describe) (CasLink *link, char *line, Size size);

	/*
	 * Tries to reach the provider and to log in, apart from any link, and
	 * sends no request.  Returns a list of CasStep * in the current memory
	 * context, in order, that ends with the first step that failed.  Called
	 * by a backend in a transaction: it waits on the latch and can be
	 * interrupted, and gives up after the provider's own time limits.  May
	 * raise errors.  NULL: not supported.
	 */
	List	   *(*test) (const CasSettings *settings);

	/*
	 * Of a transport whose links number their messages over restarts, else
	 * NULL: the name of a link that is short of numbers, with the least and
	 * the greatest number; NULL when none is.  The sender reserves a block of
	 * them for good and hands it over; until then the link has no capacity.
	 */
	const char *(*wants_numbers) (CasLink *link, uint64 *first,
								  uint64 *last);
	void		(*give_numbers) (CasLink *link, const char *name,
								 uint64 first, uint64 last);
} CasTransport;

/* ------------------------------------------------------------------------
 * Dialect: what a transport of framed messages must know about them
 *
 * A transport sees a stream of bytes; the dialect tells it where a frame
 * ends, how a link begins, how it is kept alive, and which message an answer
 * is for.  All callbacks are pure, like the adapter's, and none but rules
 * raises.  A "failure" is fit for the table and the log: no secrets.
 * ------------------------------------------------------------------------
 */
typedef struct CasLinkRules
{
	const char **links;			/* names of the links, one connection each;
								 * ends with NULL, never empty */
	int			window;			/* messages that may be unanswered on a
								 * connection, checks included */
	bool		by_order;		/* each answer is for the oldest unanswered
								 * message and has its number; else answers
								 * are found by number, in any order */
	bool		per_connection; /* numbers begin anew with each connection;
								 * else they go on over restarts */
	uint64		first_number;	/* the least; follows last_number */
	uint64		last_number;
	Size		max_frame;		/* a longer one is an error, in bytes */
	int			hello_steps;	/* of the conversation that begins a link */
	int			checks_at_start;	/* to be answered before any message */
	int			heartbeat;		/* ms without anything sent until a check; 0 =
								 * never */
	const char *host;
	int			port;
	bool		tls;
	const char *ca_file;		/* NULL: the system's */
	int			timeout;		/* ms, for one answer */
	int			connect_timeout;	/* ms, for connection, TLS and hello */
} CasLinkRules;

typedef enum CasFrameKind
{
	CAS_FRAME_ANSWER,			/* to the message of *transaction */
	CAS_FRAME_OTHER,			/* sound, but answers nothing: ignored */
	CAS_FRAME_BAD				/* not to be trusted: the link must go */
} CasFrameKind;

typedef struct CasDialect
{
	/* Read once for a link, in the current memory context. */
	CasLinkRules *(*rules) (const CasSettings *settings);

	/*
	 * Length of the whole frame that data begins with, which may be more than
	 * len; 0 when that needs more bytes to be told; -1 when this is no frame.
	 */
	int64		(*frame_length) (const CasSettings *settings,
								 const char *data, Size len,
								 const char **failure);

	/*
	 * Step of the hello, from 0: appends what is to be sent, if anything.
	 * Returns whether a frame has to come before the next step.
	 */
	bool		(*hello) (const CasSettings *settings, int step,
						  const CasStamp *stamp, StringInfo out);

	/* The frame that came; false when the other side does not want us. */
	bool		(*hello_answer) (const CasSettings *settings, int step,
								 const char *data, Size len,
								 const char **failure);

	/* Appends a message that only asks whether the link is alive. */
	void		(*check) (const CasSettings *settings, const CasStamp *stamp,
						  StringInfo out);

	/* Is this answer to a check a good one? */
	bool		(*check_answer) (const CasSettings *settings,
								 const char *data, Size len,
								 const char **failure);

	/* What a whole frame is, after the hello. */
	CasFrameKind (*read) (const CasSettings *settings, const char *data,
						  Size len, uint64 *transaction,
						  const char **failure);

	/*
	 * Makes the message what it is on this link, now: sets its data, len and
	 * stamp (a copy), in the current memory context.
	 */
	void		(*stamp) (const CasSettings *settings, CasMessage *message,
						  const CasStamp *stamp);
} CasDialect;

#endif							/* PROVREQ_TRANSPORT_H */
