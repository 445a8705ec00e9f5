/*-------------------------------------------------------------------------
 *
 * tcp_link.c
 *		The transport of framed messages over TCP, with or without TLS.
 *
 * A provider has one or more links ("lines" in here), each of them one
 * connection that is made when there is something to send.  As long as one is
 * open, messages go there, and another is opened when it is more than half
 * full.  While none is, messages wait for the one that is being opened; if
 * that fails they were not sent.  Only when there is nothing left to try is a
 * message refused at once, until a line may be tried again.
 *
 * Messages are put together in the output of their line and handed over when
 * process is called the next time, many at once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/epoll.h>

#include "utils/memutils.h"

#include "held.h"
#include "tcp_line.h"
#include "tcp_link.h"

/* Sockets that are looked at in one go. */
#define EVENTS 256

typedef struct TcpLink
{
	TcpShared	shared;
	int			epoll_fd;
	int			nlines;
	TcpLine    *lines;
} TcpLink;

static CasLink *tcp_open(const CasSettings *settings);
static int	tcp_capacity(CasLink *caslink);
static void tcp_submit(CasLink *caslink, CasMessage *message, uint64 tag);
static int	tcp_socket(CasLink *caslink);
static long tcp_timeout(CasLink *caslink);
static int	tcp_process(CasLink *caslink, CasReply *replies, int max);
static void tcp_describe(CasLink *caslink, char *text, Size size);
static const char *tcp_wants_numbers(CasLink *caslink, uint64 *first,
									 uint64 *last);
static void tcp_give_numbers(CasLink *caslink, const char *name,
							 uint64 first, uint64 last);

const CasTransport tcp_transport = {
	.open = tcp_open,
	.capacity = tcp_capacity,
	.submit = tcp_submit,
	.socket = tcp_socket,
	.timeout = tcp_timeout,
	.process = tcp_process,
	.describe = tcp_describe,
	.test = tcp_test,
	.wants_numbers = tcp_wants_numbers,
	.give_numbers = tcp_give_numbers
};

/* ------------------------------------------------------------------------
 * Which line
 * ------------------------------------------------------------------------
 */
static bool
is_opening(const TcpLine *line)
{
	return line->state != TCP_LINE_CLOSED && line->state != TCP_LINE_OPEN;
}

static bool
any_open(const TcpLink *link)
{
	for (int i = 0; i < link->nlines; i++)
		if (link->lines[i].state == TCP_LINE_OPEN)
			return true;
	return false;
}

/* The one with the most room, of those that are open, or being opened. */
static TcpLine *
roomiest(TcpLink *link, bool open)
{
	TcpLine    *best = NULL;
	int			most = 0;

	for (int i = 0; i < link->nlines; i++)
	{
		TcpLine    *line = &link->lines[i];
		int			room;

		if (open ? line->state != TCP_LINE_OPEN : !is_opening(line))
			continue;
		room = tcp_line_room(line);
		if (room > most)
		{
			best = line;
			most = room;
		}
	}
	return best;
}

/*
 * The line to open next, the one with the fewest failures, or NULL.  One
 * without numbers is chosen only for being given some.
 */
static TcpLine *
next_to_open(TcpLink *link, bool with_numbers, int64 now)
{
	TcpLine    *best = NULL;

	for (int i = 0; i < link->nlines; i++)
	{
		TcpLine    *line = &link->lines[i];

		if (line->state != TCP_LINE_CLOSED || line->next_try > now ||
			(with_numbers && tcp_line_room(line) == 0))
			continue;
		if (best == NULL || line->failures < best->failures)
			best = line;
	}
	return best;
}

/* Is it more than half full, or is there none? */
static bool
is_busy(const TcpLine *line)
{
	return line == NULL ||
		2 * tcp_messages_places(&line->messages) > line->window;
}

/* Opens another line, if there is one to open; returns it. */
static TcpLine *
open_another(TcpLink *link, int64 now)
{
	TcpLine    *line = next_to_open(link, true, now);

	if (line)
		tcp_line_start(line, now);
	return line && is_opening(line) ? line : NULL;
}

/*
 * Where a message goes: to the roomiest open line, else to the roomiest of
 * those being opened, else to one that begins to be; NULL if there is none.
 */
static TcpLine *
choose_line(TcpLink *link, int64 now)
{
	bool		open = any_open(link);
	TcpLine    *line = roomiest(link, open);
	TcpLine    *another;

	if (open || !is_busy(line))
		return line;
	another = open_another(link, now);
	return another ? another : line;
}

/*
 * Sees to it that there is a line for what comes next: when all that are open
 * are busy, another is opened, if none is being opened already.  The next one
 * to be opened must have numbers, for somebody else has to get them.
 */
static void
look_ahead(TcpLink *link, int64 now)
{
	bool		open = any_open(link);
	TcpLine    *next;

	if ((open && !is_busy(roomiest(link, true))) || roomiest(link, false))
		return;
	next = next_to_open(link, false, now);
	if (next)
		next->wanted = true;
	if (open)
		(void) open_another(link, now);
}

/* ------------------------------------------------------------------------
 * Open
 * ------------------------------------------------------------------------
 */

/*
 * What a memory context holds is released last first: the connections, then
 * the epoll set that these leave.
 */
static CasLink *
tcp_open(const CasSettings *settings)
{
	TcpLink    *link = palloc0(sizeof(TcpLink));
	Held	   *held_epoll = held_new_descriptor();
	const char *url;

	tcp_start_libcurl();
	tcp_share(&link->shared, settings,
			  settings->adapter->dialect->rules(settings));
	url = tcp_url(link->shared.rules);
	link->epoll_fd = held_keep_descriptor(held_epoll,
										  epoll_create1(EPOLL_CLOEXEC),
										  "epoll set");
	while (link->shared.rules->links[link->nlines])
		link->nlines++;
	link->lines = palloc0(sizeof(TcpLine) * link->nlines);
	for (int i = 0; i < link->nlines; i++)
		tcp_line_init(&link->lines[i], &link->shared,
					  link->shared.rules->links[i], url, link->epoll_fd, i);
	look_ahead(link, tcp_now());
	return (CasLink *) link;
}

/* ------------------------------------------------------------------------
 * Numbers
 * ------------------------------------------------------------------------
 */
static const char *
tcp_wants_numbers(CasLink *caslink, uint64 *first, uint64 *last)
{
	TcpLink    *link = (TcpLink *) caslink;
	const CasLinkRules *rules = link->shared.rules;

	for (int i = 0; i < link->nlines; i++)
	{
		TcpLine    *line = &link->lines[i];

		if (!line->wanted ||
			!tcp_numbers_short(&line->numbers))
			continue;
		*first = rules->first_number;
		*last = rules->last_number;
		return line->name;
	}
	return NULL;
}

static void
tcp_give_numbers(CasLink *caslink, const char *name, uint64 first,
				 uint64 last)
{
	TcpLink    *link = (TcpLink *) caslink;

	for (int i = 0; i < link->nlines; i++)
		if (strcmp(link->lines[i].name, name) == 0)
			tcp_numbers_give(&link->lines[i].numbers, first, last);
}

/* ------------------------------------------------------------------------
 * Work
 * ------------------------------------------------------------------------
 */

/*
 * While everything backs off, one message at a time is taken, to be refused:
 * so the sender learns how things stand.
 */
static int
tcp_capacity(CasLink *caslink)
{
	TcpLink    *link = (TcpLink *) caslink;
	int64		now = tcp_now();
	int			open = 0;
	int			others = 0;
	bool		backing_off = true;

	for (int i = 0; i < link->nlines; i++)
	{
		TcpLine    *line = &link->lines[i];

		if (line->state == TCP_LINE_OPEN)
			open += tcp_line_room(line);
		else if (is_opening(line) || tcp_line_may_start(line, now))
			others += tcp_line_room(line);
		if (line->state != TCP_LINE_CLOSED || line->next_try <= now)
			backing_off = false;
	}
	if (any_open(link))
		return open;
	return backing_off ? 1 : others;
}

/* No line takes it: the reason is that of the last one that failed. */
static void
refuse(TcpLink *link, const CasMessage *message, uint64 tag)
{
	TcpMessage	refused = {0};
	const char *why = "no link can take it";

	for (int i = 0; i < link->nlines; i++)
		if (link->lines[i].failure[0])
			why = link->lines[i].failure;
	refused.tag = tag;
	refused.request = message->request;
	refused.part = message->part;
	tcp_finish(&link->shared, &refused, CAS_NOT_SENT,
			   MemoryContextStrdup(link->shared.turn, why), NULL, 0);
}

/* Tells the lines what happened to their sockets. */
static void
look_at_sockets(TcpLink *link)
{
	struct epoll_event events[EVENTS];
	int			n = epoll_wait(link->epoll_fd, events, EVENTS, 0);

	for (int i = 0; i < n; i++)
	{
		uint32		id = (uint32) (events[i].data.u64 >> 32);
		int			fd = (int) (uint32) events[i].data.u64;

		tcp_connection_event(&link->lines[id].connection, fd,
							 events[i].events);
	}
}

/*
 * A line on which nothing was under way may have ended since we looked: it
 * must not cost the next message anything.
 */
static TcpLine *
choose_living_line(TcpLink *link, int64 now)
{
	TcpLine    *line = choose_line(link, now);

	if (line == NULL || line->state != TCP_LINE_OPEN ||
		tcp_messages_places(&line->messages) > 0)
		return line;
	look_at_sockets(link);
	tcp_line_serve(line, now);
	return line->state == TCP_LINE_OPEN ? line : choose_line(link, now);
}

static void
tcp_submit(CasLink *caslink, CasMessage *message, uint64 tag)
{
	TcpLink    *link = (TcpLink *) caslink;
	int64		now = tcp_now();
	TcpLine    *line = choose_living_line(link, now);

	if (line)
		tcp_line_take(line, message, tag, now);
	else
		refuse(link, message, tag);
}

static int
tcp_socket(CasLink *caslink)
{
	return ((TcpLink *) caslink)->epoll_fd;
}

static long
tcp_timeout(CasLink *caslink)
{
	TcpLink    *link = (TcpLink *) caslink;
	int64		wake = PG_INT64_MAX;

	if (link->shared.nreplies > 0)
		return 0;
	for (int i = 0; i < link->nlines && wake > 0; i++)
		wake = Min(wake, tcp_line_wake(&link->lines[i]));
	if (wake == PG_INT64_MAX || wake == 0)
		return wake == 0 ? 0 : -1;
	return (long) Max(wake - tcp_now(), 0);
}

/* The first replies, whose number is returned, go out of the list. */
static int
take_replies(TcpShared *shared, CasReply *replies, int max)
{
	int			n = Min(max, shared->nreplies);

	if (n == 0)
		return 0;
	memcpy(replies, &shared->replies[shared->first_reply],
		   sizeof(CasReply) * n);
	shared->first_reply += n;
	shared->nreplies -= n;
	if (shared->nreplies == 0)
		shared->first_reply = 0;
	return n;
}

/* Nothing is read as long as there are replies that nobody has seen. */
static int
tcp_process(CasLink *caslink, CasReply *replies, int max)
{
	TcpLink    *link = (TcpLink *) caslink;
	int64		now = tcp_now();

	if (link->shared.nreplies == 0)
	{
		MemoryContextReset(link->shared.turn);
		look_at_sockets(link);
		for (int i = 0; i < link->nlines; i++)
			tcp_line_serve(&link->lines[i], now);
		look_ahead(link, now);
	}
	return take_replies(&link->shared, replies, max);
}

/* ------------------------------------------------------------------------
 * For people
 * ------------------------------------------------------------------------
 */

/* "; cas-b: refused, next try in 4 s" */
static void
describe_trouble(const TcpLine *line, char *out, Size size, int64 now)
{
	Size		len = strlen(out);

	if (line->state == TCP_LINE_OPEN || line->failure[0] == '\0')
		return;
	if (line->next_try <= now)
		snprintf(out + len, size - len, "; %s: %s", line->name,
				 line->failure);
	else
		snprintf(out + len, size - len, "; %s: %s, next try in %d s",
				 line->name, line->failure,
				 (int) ((line->next_try - now + 999) / 1000));
}

static void
tcp_describe(CasLink *caslink, char *out, Size size)
{
	TcpLink    *link = (TcpLink *) caslink;
	int			open = 0;
	int			unanswered = 0;

	for (int i = 0; i < link->nlines; i++)
	{
		open += link->lines[i].state == TCP_LINE_OPEN ? 1 : 0;
		unanswered += link->lines[i].messages.nwaiting;
	}
	snprintf(out, size, "%d of %d links open, %d unanswered", open,
			 link->nlines, unanswered);
	for (int i = 0; i < link->nlines; i++)
		describe_trouble(&link->lines[i], out, size, tcp_now());
}
