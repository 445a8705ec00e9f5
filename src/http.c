/*-------------------------------------------------------------------------
 *
 * http.c
 *		The HTTP transport: POSTs over libcurl, many at once.
 *
 * libcurl's multi interface tells us which sockets it wants watched and when
 * it wants to be called.  The sockets go into an epoll set of the link's
 * own, and that set's descriptor is what the sender waits for.
 *
 * Sockets of kept connections stay in the set: nobody asked for what arrives
 * there, and libcurl would take it for the answer to the next message.  Such
 * a connection is broken before anything else goes out on it.
 *
 * The time that an answer may take is ours to watch.  libcurl would look at
 * the clock before it reads: after any stall of this process, every answer
 * that came meanwhile would count as missing, and its request as in doubt.
 * Here the sockets are read first, and who has no answer then has none.
 *
 * An exchange goes from the free list to libcurl, from there to the finished
 * ones, and when it was returned by process it stays untouched until process
 * is called again.  There are twice as many as connections, so that those
 * that were just returned do not keep others from being submitted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "held.h"
#include "http.h"
#include "http_exchange.h"
#include "http_idle.h"
#include "libpq/pqsignal.h"

/* Sockets that are looked at in one go: busy and kept ones at their most. */
#define EVENTS 512

/*
 * An answer is read in pieces, which may be as small as this on average, and
 * a head in so many.
 */
#define LEAST_PIECE 1024
#define HEAD_PIECES 100

/* In an event's data, beside the socket: its connection is kept, unused. */
#define IDLE (UINT64CONST(1) << 32)

typedef struct HttpLink
{
	CURLM	   *multi;
	int			epoll_fd;
	HttpIdle   *idle;
	const char *base;			/* of all URLs, without a slash at its end */
	int			connections;
	int			nbusy;			/* submitted and not yet returned */
	int			timeout;		/* ms, for one exchange */
	int			pieces;			/* of an answer at its most */
	int64		timer;			/* ms; when libcurl wants a call; -1 never */
	dlist_head	waiting;		/* what libcurl has, by deadline */
	HttpExchange *free;
	HttpExchange *returned;
	HttpExchange *finished;		/* first in, first out */
	HttpExchange **finished_end;
} HttpLink;

static CasLink *http_open(const CasSettings *settings);
static int	http_capacity(CasLink *caslink);
static void http_submit(CasLink *caslink, CasMessage *message,
						uint64 tag);
static int	http_socket(CasLink *caslink);
static long http_timeout(CasLink *caslink);
static int	http_process(CasLink *caslink, CasReply *replies, int max);
static void http_describe(CasLink *caslink, char *line, Size size);

const CasTransport http_transport = {
	.open = http_open,
	.capacity = http_capacity,
	.submit = http_submit,
	.socket = http_socket,
	.timeout = http_timeout,
	.process = http_process,
	.describe = http_describe,
	.test = http_test
};

/* Milliseconds of a clock that nobody sets. */
static int64
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------------
 * Callbacks of libcurl
 * ------------------------------------------------------------------------
 */

/*
 * For libcurl: which sockets to wait for.  Kept ones stay in the set, so that
 * their end is seen.
 */
static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	HttpLink   *link = arg;
	struct epoll_event event = {0};

	event.data.u64 = (uint32) fd;
	if (what == CURL_POLL_REMOVE)
	{
		/* closing it takes it out of the set by itself */
		http_idle_kept(link->idle, fd);
		event.data.u64 |= IDLE;
		event.events = EPOLLIN | EPOLLRDHUP;
		(void) epoll_ctl(link->epoll_fd, EPOLL_CTL_MOD, fd, &event);
		return 0;
	}
	http_idle_gone(link->idle, fd);
	if (what != CURL_POLL_OUT)
		event.events |= EPOLLIN;
	if (what != CURL_POLL_IN)
		event.events |= EPOLLOUT;
	if (epoll_ctl(link->epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0 &&
		epoll_ctl(link->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		return -1;
	return 0;
}

static int
close_socket(void *arg, curl_socket_t fd)
{
	HttpLink   *link = arg;

	http_idle_gone(link->idle, fd);
	return close(fd);
}

static int
set_timer(CURLM *multi, long timeout_ms, void *arg)
{
	HttpLink   *link = arg;

	link->timer = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
	return 0;
}

/* ------------------------------------------------------------------------
 * Open
 * ------------------------------------------------------------------------
 */

static void
release_multi(void *handle)
{
	(void) curl_multi_cleanup(handle);
}

/*
 * The handle that drives all exchanges of a link, owned by the current memory
 * context.
 */
static CURLM *
multi_new(HttpLink *link)
{
	Held	   *held = held_new(release_multi);
	CURLM	   *multi = held_keep(held, curl_multi_init(), "HTTP link");

	if (curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION,
						  watch_socket) != CURLM_OK ||
		curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, link) != CURLM_OK ||
		curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION,
						  set_timer) != CURLM_OK ||
		curl_multi_setopt(multi, CURLMOPT_TIMERDATA, link) != CURLM_OK ||
		curl_multi_setopt(multi, CURLMOPT_PIPELINING,
						  (long) CURLPIPE_NOTHING) != CURLM_OK ||
		curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS,
						  (long) link->connections) != CURLM_OK)
		elog(ERROR, "libcurl refuses the settings of a link");
	return multi;
}

/*
 * What a memory context holds is released last first: exchanges, then the
 * multi handle with its connections, then the epoll set that these leave.
 */
static CasLink *
http_open(const CasSettings *settings)
{
	HttpLink   *link = palloc0(sizeof(HttpLink));
	Held	   *held_epoll = held_new_descriptor();

	http_start();
	link->base = http_base(settings);
	link->connections = cas_option_int(settings, "connections");
	link->timeout = cas_option_int(settings, "timeout");
	link->pieces = HEAD_PIECES +
		cas_option_int(settings, "max_answer_size") / LEAST_PIECE;
	link->timer = -1;
	dlist_init(&link->waiting);
	link->finished_end = &link->finished;
	link->epoll_fd = held_keep_descriptor(held_epoll,
										  epoll_create1(EPOLL_CLOEXEC),
										  "epoll set");
	link->idle = http_idle_new(link->epoll_fd);
	link->multi = multi_new(link);
	for (int i = 0; i < 2 * link->connections; i++)
	{
		HttpExchange *exchange = http_exchange_new(settings);

		CURL	   *easy = exchange->easy;

		(void) curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION,
								close_socket);
		(void) curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, link);
		exchange->next = link->free;
		link->free = exchange;
	}
	return (CasLink *) link;
}

/* ------------------------------------------------------------------------
 * Work
 * ------------------------------------------------------------------------
 */

static int
http_capacity(CasLink *caslink)
{
	HttpLink   *link = (HttpLink *) caslink;

	return link->connections - link->nbusy;
}

static void
finish(HttpLink *link, HttpExchange *exchange)
{
	exchange->next = NULL;
	*link->finished_end = exchange;
	link->finished_end = &exchange->next;
}

/*
 * Makes libcurl close the connections that it keeps, broken ones among them.
 * Versions before 8.16 cannot be told to, and need not be: they look at a
 * connection when they would use it again.
 */
static void
drop_kept(HttpLink *link)
{
#ifdef CURLMNWC_CLEAR_CONNS
	(void) curl_multi_setopt(link->multi, CURLMOPT_NETWORK_CHANGED,
							 (long) CURLMNWC_CLEAR_CONNS);
#endif
}

/* An exchange that cannot begin is finished at once: process returns it. */
static void
http_submit(CasLink *caslink, CasMessage *message, uint64 tag)
{
	HttpLink   *link = (HttpLink *) caslink;
	HttpExchange *exchange = link->free;

	if (http_capacity(caslink) <= 0 || exchange == NULL)
		elog(ERROR, "HTTP link is full");
	link->free = exchange->next;
	link->nbusy++;
	exchange->tag = tag;
	if (http_idle_check(link->idle))
		drop_kept(link);
	if (!http_exchange_load(exchange, link->base, message) ||
		curl_multi_add_handle(link->multi, exchange->easy) != CURLM_OK)
	{
		finish(link, exchange); /* its result says why */
		return;
	}
	/* now_ms cuts off what is below a millisecond: never too early */
	exchange->deadline = now_ms() + link->timeout + 1;
	dlist_push_tail(&link->waiting, &exchange->waiting);
}

static int
http_socket(CasLink *caslink)
{
	return ((HttpLink *) caslink)->epoll_fd;
}

/* The exchange whose deadline is the nearest, or NULL. */
static HttpExchange *
oldest(HttpLink *link)
{
	if (dlist_is_empty(&link->waiting))
		return NULL;
	return dlist_head_element(HttpExchange, waiting, &link->waiting);
}

static long
http_timeout(CasLink *caslink)
{
	HttpLink   *link = (HttpLink *) caslink;
	HttpExchange *exchange = oldest(link);
	int64		end = link->timer;

	if (link->finished)
		return 0;
	if (exchange && (end < 0 || exchange->deadline < end))
		end = exchange->deadline;
	return end < 0 ? -1 : (long) Max(end - now_ms(), 0);
}

static int
curl_events(uint32 events)
{
	int			mask = 0;

	if (events & EPOLLIN)
		mask |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		mask |= CURL_CSELECT_ERR;
	return mask;
}

/*
 * Lets libcurl work, after kept connections that must not be used again were
 * broken: any call of it may start what was submitted.  It may also start a
 * thread that resolves a name, which inherits our signal mask: signals of the
 * server are for the main thread.  False if there was nothing to do.
 */
static bool
drive(HttpLink *link)
{
	struct epoll_event events[EVENTS];
	sigset_t	mask;
	bool		timer_due;
	int			running;
	int			n;

	sigprocmask(SIG_BLOCK, &BlockSig, &mask);
	n = epoll_wait(link->epoll_fd, events, EVENTS, 0);
	for (int i = 0; i < n; i++)
		if (events[i].data.u64 & IDLE)
		{
			http_idle_break(link->idle, (int) (uint32) events[i].data.u64);
			drop_kept(link);
		}
	for (int i = 0; i < n; i++)
		if ((events[i].data.u64 & IDLE) == 0)
			(void) curl_multi_socket_action(link->multi,
											(int) events[i].data.u64,
											curl_events(events[i].events),
											&running);
	timer_due = link->timer >= 0 && link->timer <= now_ms();
	if (timer_due)
	{
		link->timer = -1;
		(void) curl_multi_socket_action(link->multi, CURL_SOCKET_TIMEOUT, 0,
										&running);
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return n > 0 || timer_due;
}

/* What libcurl has done with. */
static void
collect(HttpLink *link)
{
	CURLMsg    *msg;
	int			left;

	while ((msg = curl_multi_info_read(link->multi, &left)) != NULL)
	{
		HttpExchange *exchange = NULL;
		CURL	   *easy = msg->easy_handle;
		CURLcode	result = msg->data.result;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &exchange);
		(void) curl_multi_remove_handle(link->multi, easy);
		dlist_delete(&exchange->waiting);
		exchange->result = result;
		finish(link, exchange);
	}
}

/*
 * Takes those that are overdue from libcurl, which closes the connection of
 * an exchange that is not over: an answer that comes yet meets nobody.
 */
static void
expire(HttpLink *link, int64 now, bool also_sent)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &link->waiting)
	{
		HttpExchange *exchange = dlist_container(HttpExchange, waiting,
												 iter.cur);

		if (exchange->deadline > now)
			break;
		if (exchange->body_asked && !also_sent)
			continue;
		(void) curl_multi_remove_handle(link->multi, exchange->easy);
		dlist_delete(&exchange->waiting);
		http_exchange_expire(exchange, link->timeout);
		finish(link, exchange);
	}
}

static bool
is_overdue(HttpLink *link, int64 now)
{
	HttpExchange *exchange = oldest(link);

	return exchange && exchange->deadline <= now;
}

/*
 * What has not left by its deadline does not leave any more: it would be in
 * doubt at once.  For what has left, all that came before "now" is read, as
 * long as somebody overdue waits for it, before anybody is given up.  A peer
 * that sends faster than we read does not hold us up for ever.
 */
static void
serve(HttpLink *link)
{
	int64		now = now_ms();
	int			pieces = link->pieces;
	bool		busy;

	expire(link, now, false);
	do
	{
		busy = drive(link);
		collect(link);
	} while (busy && is_overdue(link, now) && --pieces > 0);
	expire(link, now, true);
}

/* The caller is done with the replies of the last time. */
static void
recycle(HttpLink *link)
{
	while (link->returned)
	{
		HttpExchange *exchange = link->returned;

		link->returned = exchange->next;
		http_exchange_recycle(exchange);
		exchange->next = link->free;
		link->free = exchange;
	}
}

/* The replies of the last call are valid until this one. */
static int
http_process(CasLink *caslink, CasReply *replies, int max)
{
	HttpLink   *link = (HttpLink *) caslink;
	int			n = 0;

	recycle(link);
	serve(link);
	while (n < max && link->finished)
	{
		HttpExchange *exchange = link->finished;

		link->finished = exchange->next;
		if (link->finished == NULL)
			link->finished_end = &link->finished;
		http_exchange_reply(exchange, &replies[n++]);
		exchange->next = link->returned;
		link->returned = exchange;
		link->nbusy--;
	}
	return n;
}

static void
http_describe(CasLink *caslink, char *line, Size size)
{
	HttpLink   *link = (HttpLink *) caslink;

	snprintf(line, size, "%d of %d connections busy", link->nbusy,
			 link->connections);
}
