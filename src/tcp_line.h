/*-------------------------------------------------------------------------
 *
 * tcp_line.h
 *		One of a provider's links: a connection, again and again, and the
 *		messages that it carries.
 *
 * "Line" stands here for what users know as a link, to tell it from the
 * CasLink that has them all.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_TCP_LINE_H
#define PROVREQ_TCP_LINE_H

#include "tcp_connection.h"
#include "tcp_messages.h"
#include "tcp_numbers.h"

/* What the lines of a provider have in common. */
typedef struct TcpShared
{
	const CasSettings *settings;
	const CasDialect *dialect;
	const CasLinkRules *rules;
	MemoryContext context;		/* of all of it */
	MemoryContext turn;			/* what replies point to; reset when there are
								 * none */
	MemoryContext frame;		/* reset after each frame that came */
	CasReply   *replies;		/* finished exchanges, first in, first out */
	int			first_reply;
	int			nreplies;
	int			room_for_replies;
	uint64		ignored;		/* frames that were nobody's */
} TcpShared;

typedef enum TcpLineState
{
	TCP_LINE_CLOSED,
	TCP_LINE_CONNECTING,
	TCP_LINE_HELLO,
	TCP_LINE_CHECKS,			/* at the start */
	TCP_LINE_OPEN
} TcpLineState;

typedef struct TcpLine
{
	TcpShared  *shared;
	const char *name;
	TcpConnection connection;
	TcpLineState state;
	int			window;
	int			step;			/* of the hello, or of the checks */
	uint64	   *start_numbers;	/* of those checks */
	int64		open_by;		/* ms; until connecting and hello are over */
	TcpMessages messages;
	StringInfoData backlog;		/* messages that wait for the line to open */
	TcpNumbers	numbers;
	bool		wanted;			/* to be given numbers */
	bool		checking;		/* a check is unanswered */
	bool		check_wanted;	/* without waiting for the heartbeat's time */
	bool		worked;			/* something was answered since it opened */
	int64		last_sent;		/* ms; when something was put into it */
	int			failures;		/* to come to work, in a row */
	int64		next_try;		/* ms; while closed: not to connect before */
	int64		next_log;		/* ms; the log is quiet until then */
	const char *failed_step;	/* at which it could not be opened, or NULL */
	char		failure[400];	/* why it is closed, the step included */
} TcpLine;

/* Fills in what does not change; all of it in the current memory context. */
extern void tcp_share(TcpShared *shared, const CasSettings *settings,
					  const CasLinkRules *rules);

/* A closed line, in the current memory context. */
extern void tcp_line_init(TcpLine *line, TcpShared *shared, const char *name,
						  const char *url, int epoll_fd, uint32 id);

/* May it begin to connect now? */
extern bool tcp_line_may_start(const TcpLine *line, int64 now);

/* Begins to connect.  If that fails at once it is closed again. */
extern void tcp_line_start(TcpLine *line, int64 now);

/*
 * Messages that it takes now, or would take if it were started.
 */
extern int	tcp_line_room(const TcpLine *line);

/*
 * Takes a message, for which there must be room, and stamps it in the current
 * memory context.  It goes out when the line is served and open.
 */
extern void tcp_line_take(TcpLine *line, CasMessage *message, uint64 tag,
						  int64 now);

/*
 * Connects, reads, writes, and lets time pass: "now" was before the last look
 * at the sockets.
 */
extern void tcp_line_serve(TcpLine *line, int64 now);

/* When to serve it without an event, ms; PG_INT64_MAX = never. */
extern int64 tcp_line_wake(TcpLine *line);

/*
 * The line is broken, or could not be opened: ends all its messages.  "data"
 * is what the oldest of them got for an answer.
 */
extern void tcp_line_fail(TcpLine *line, const char *failure,
						  const char *data, Size len);

/* Ends the connection, on which nothing is under way. */
extern void tcp_line_close(TcpLine *line);

/* The connection and the hello are there; the checks are through. */
extern void tcp_line_begin_checks(TcpLine *line, int64 now);
extern void tcp_line_open(TcpLine *line, int64 now);

/* Puts a check with that number into the output. */
extern void tcp_line_check(TcpLine *line, uint64 number, int64 now);

/* tcp_frame.c: goes on with the hello; reads the frames that came. */
extern void tcp_frame_hello(TcpLine *line, int64 now);
extern void tcp_frame_read(TcpLine *line, int64 now);

/*
 * The end of an exchange, or a late answer; copies data.  "failure" must be
 * in shared->turn, or be a constant.
 */
extern void tcp_finish(TcpShared *shared, const TcpMessage *message,
					   CasReplyStatus status, const char *failure,
					   const char *data, Size len);

#endif							/* PROVREQ_TCP_LINE_H */
