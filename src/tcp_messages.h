/*-------------------------------------------------------------------------
 *
 * tcp_messages.h
 *		The messages of a link that are not over, by number and by age.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_TCP_MESSAGES_H
#define PROVREQ_TCP_MESSAGES_H

#include "lib/ilist.h"

/* Numbers of messages given up that a link remembers; the oldest go. */
#define TCP_MOST_LATE 10000

/* Numbers follow each other, so that each has a bucket of its own mostly. */
#define TCP_BUCKETS 2048

typedef enum TcpMessageState
{
	TCP_QUEUED,					/* not all of it was handed over yet */
	TCP_WAITING,				/* for its answer */
	TCP_LATE					/* given up; an answer would be late */
} TcpMessageState;

typedef struct TcpMessage
{
	dlist_node	node;			/* in the list of its state, oldest first */
	struct TcpMessage *next;	/* in its bucket */
	TcpMessageState state;
	uint64		number;
	bool		check;			/* our own, to see if the link is alive */
	bool		holds_place;	/* late: of the window, until its answer or
								 * the end of the connection */
	uint64		tag;
	int64		request;
	int			part;
	uint64		begin;			/* of its bytes in the connection's stream */
	uint64		end;
	int64		deadline;		/* ms; of a waiting one */
} TcpMessage;

typedef struct TcpMessages
{
	MemoryContext context;
	TcpMessage *buckets[TCP_BUCKETS];	/* all of them, by number */
	dlist_head	queued;
	dlist_head	waiting;
	dlist_head	late;
	dlist_head	free;
	int			nqueued;
	int			nwaiting;
	int			nlate;
	int			nplaces;		/* late ones that hold a place */
} TcpMessages;

/* None yet; in the current memory context. */
extern void tcp_messages_init(TcpMessages *messages);

/*
 * A new one, queued behind all others, or a check before them.  Whatever else
 * had that number, which is long ago, is forgotten.
 */
extern TcpMessage *tcp_messages_add(TcpMessages *messages, uint64 number,
									bool before);

/* The one with that number, or NULL. */
extern TcpMessage *tcp_messages_find(TcpMessages *messages, uint64 number);

/* The oldest that is queued, or waits; NULL if there is none. */
extern TcpMessage *tcp_messages_queued(TcpMessages *messages);
extern TcpMessage *tcp_messages_waiting(TcpMessages *messages);

/* Places of the window that are taken. */
extern int	tcp_messages_places(const TcpMessages *messages);

/* A queued one has left, and waits. */
extern void tcp_messages_leave(TcpMessages *messages, TcpMessage *message,
							   int64 deadline);

/* One is given up, but remembered. */
extern void tcp_messages_give_up(TcpMessages *messages, TcpMessage *message,
								 bool holds_place);

/* One is over, or to be forgotten: the struct is used for another. */
extern void tcp_messages_remove(TcpMessages *messages, TcpMessage *message);

/* The connection ended: late ones give their places back. */
extern void tcp_messages_vacate(TcpMessages *messages);

#endif							/* PROVREQ_TCP_MESSAGES_H */
