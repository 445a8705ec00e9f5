/*-------------------------------------------------------------------------
 *
 * tcp_connection.h
 *		One TCP connection, with or without TLS, and its buffers.
 *
 * Knows no frame and no message: bytes in, bytes out.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_TCP_CONNECTION_H
#define PROVREQ_TCP_CONNECTION_H

#include <curl/curl.h>

#include "transport.h"

/* The most that libcurl hands over in one read, in bytes. */
#define TCP_PIECE (16 * 1024)

typedef enum TcpStage
{
	TCP_CLOSED,
	TCP_CONNECTING,
	TCP_CONNECTED
} TcpStage;

typedef struct TcpConnection
{
	const CasLinkRules *rules;
	const char *url;
	int			epoll_fd;		/* watches all our sockets */
	uint32		id;				/* in the upper half of an event's data, with
								 * the socket in the lower */
	TcpStage	stage;
	CURLM	   *multi;			/* of this connection alone */
	CURL	   *easy;
	int64		timer;			/* ms; when libcurl wants a call; -1 never */
	bool		readable;		/* there may be something to read, until an
								 * attempt says otherwise */
	bool		writable;		/* there may be room to write, likewise */
	bool		hangup;			/* the other side sends no more */
	char	   *in;				/* what came and is not consumed */
	Size		in_room;
	Size		in_begin;
	Size		in_end;
	StringInfoData filling;		/* to be sent after "sending" */
	StringInfoData sending;
	int			sending_from;	/* what is before that was handed over */
	uint64		appended;		/* bytes put in since the connection began */
	uint64		sent;			/* of these, handed over to the kernel */
	uint64		touched;		/* of these, may have left in part: TLS holds
								 * on to what it was offered */
	int64		progress;		/* ms; when bytes were last handed over, or
								 * there were none */
	char		address[64];	/* of the other side, once connected */
	int64		resolved;		/* microseconds since the start: when that */
	int64		connected;		/* step was over, or 0 */
	int64		secured;
	char		error[CURL_ERROR_SIZE]; /* libcurl's */
	char		failure[CURL_ERROR_SIZE];	/* why it is of no use */
	const char *failed_step;	/* of connecting, if libcurl said which */
} TcpConnection;

/* Milliseconds of a clock that nobody sets. */
extern int64 tcp_now(void);

/* Once in a process is enough, more often does no harm.  Raises. */
extern void tcp_start_libcurl(void);

/* "http://host:port" for libcurl, or https; raises when there is no such. */
extern const char *tcp_url(const CasLinkRules *rules);

/*
 * A closed one, in the current memory context, with which it is closed at
 * the latest.
 */
extern void tcp_connection_init(TcpConnection *connection,
								const CasLinkRules *rules, const char *url,
								int epoll_fd, uint32 id);

/*
 * Begins to connect; false if that cannot be, and failure says why.  Nothing
 * below raises anything but "out of memory".
 */
extern bool tcp_connection_start(TcpConnection *connection);
extern void tcp_connection_close(TcpConnection *connection);

/* Something happened to a socket. */
extern void tcp_connection_event(TcpConnection *connection, int fd,
								 uint32 events);

/*
 * Goes on connecting; false when that has failed.  The stage says whether
 * it is done.
 */
extern bool tcp_connection_advance(TcpConnection *connection);

/* "resolve", "connect" or "TLS": what connecting is at, or failed at. */
extern const char *tcp_connection_step(TcpConnection *connection);

/*
 * Notes why it is of no use, in printable ASCII; libcurl may know more than
 * its code says.
 */
extern void tcp_connection_note_failure(TcpConnection *connection,
										CURLcode result);

/* What is not handed over yet. */
extern uint64 tcp_connection_pending(const TcpConnection *connection);

/* Appends to what is to be sent. */
extern void tcp_connection_append(TcpConnection *connection,
								  const char *data, Size len, int64 now);

/* Hands over what can be; false when the connection is broken. */
extern bool tcp_connection_flush(TcpConnection *connection, int64 now);

/*
 * Reads once, and as much as there is room; says how much came.  False when
 * the connection has ended.
 */
extern bool tcp_connection_read(TcpConnection *connection, size_t *len);

/* What came and was not consumed. */
extern const char *tcp_connection_data(const TcpConnection *connection,
									   Size *len);
extern void tcp_connection_consume(TcpConnection *connection, Size len);

#endif							/* PROVREQ_TCP_CONNECTION_H */
