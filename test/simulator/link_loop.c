/*-------------------------------------------------------------------------
 *
 * link_loop.c
 *		The thread that serves all links.
 *
 * One thread and one lock: it is held except while the thread waits for the
 * sockets, so commands of the control socket see whole messages only.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fault.h"
#include "link.h"
#include "link_answer.h"
#include "link_exchange.h"
#include "link_loop.h"
#include "link_protocol.h"
#include "link_stream.h"
#include "port.h"

#define EVENTS 256

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool stopping;			/* lock */
static int	nudge = -1;			/* eventfd: something has changed */
static pthread_t server;

/* Only their addresses count: what epoll tells of beside links. */
static char listener_mark;
static char nudge_mark;

void
loop_lock(void)
{
	pthread_mutex_lock(&lock);
}

void
loop_unlock(void)
{
	pthread_mutex_unlock(&lock);
	eventfd_write(nudge, 1);
}

static bool
watch(int fd, void *mark)
{
	struct epoll_event event = {.events = EPOLLIN,.data.ptr = mark};

	return epoll_ctl(link_epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool
loop_refuse(bool refuse)
{
	if (refuse)
	{
		/* Closing takes it out of the epoll set. */
		port_refuse();
		return true;
	}
	if (port_socket() >= 0)
		return true;
	return port_listen() && watch(port_socket(), &listener_mark);
}

void
loop_drop(bool all)
{
	Link	   *link;
	Link	   *next;

	for (link = link_first(); link != NULL; link = next)
	{
		next = link->next;
		if (all || link->unanswered == 0)
			link_close(link, all);
	}
}

/* What a client gets that wants to shake hands. */
static void
break_handshake(int fd)
{
	static const char words[] = "this is no TLS record\r\n";

	if (send(fd, words, sizeof(words) - 1, MSG_NOSIGNAL) >= 0)
		shutdown(fd, SHUT_WR);
	close(fd);
}

static void
take_connection(int fd)
{
	FaultSubject nobody = {.operation = ""};
	FaultVerdict verdict;
	bool		is_wrong;
	Link	   *link;

	fault_choose(FAULT_AT_CONNECT, &nobody, &verdict);
	if (verdict.fault.kind == FAULT_TLS_FAIL)
	{
		break_handshake(fd);
		return;
	}
	is_wrong = verdict.fault.kind == FAULT_TLS_WRONG_CERT;
	link = link_new(fd, stream_session(fd, is_wrong), protocol->own_size);
	if (verdict.fault.kind == FAULT_CUT_RECEIVED)
		link->cut_received = verdict.fault.after;
	if (verdict.fault.kind == FAULT_CUT_SENT)
		link->cut_sent = verdict.fault.after;
	if (link->cut_received == 0)
		link_end(link);
}

static void
accept_all(void)
{
	struct sockaddr_in peer;
	int			fd;

	while ((fd = port_accept(&peer)) >= 0)
		take_connection(fd);
}

void
loop_serve(Link *link)
{
	bool		more = link_read(link);

	exchange_consume(link);
	link_flush(link);
	if (link->state != LINK_OPEN)
		return;
	if (link->received == link->cut_received)
		link_end(link);
	else if (!more)
		link_close(link, false);
}

static void
shake_hands(Link *link)
{
	int			done = stream_handshake(link);

	if (done < 0)
		link_close(link, false);
	else if (done > 0)
	{
		link->state = LINK_OPEN;
		loop_serve(link);
	}
	link_watch(link);
}

/* The socket of a link is ready. */
static void
serve(Link *link, unsigned events)
{
	switch (link->state)
	{
		case LINK_HANDSHAKE:
			shake_hands(link);
			break;
		case LINK_OPEN:
			if (events & ~(unsigned) EPOLLOUT)
				loop_serve(link);
			else
				link_flush(link);
			break;
		case LINK_ENDING:
			if (events & (EPOLLERR | EPOLLHUP))
				link_close(link, false);
			else
				link_flush(link);
			break;
		case LINK_HANGING:
			link_close(link, false);
			break;
		case LINK_LINGERING:
			if (!link_discard(link))
				link_close(link, false);
			break;
		case LINK_CLOSED:
			break;
	}
}

/* Does what is due, and says for how many milliseconds there is nothing. */
static int
tick(void)
{
	long long	now = now_us();
	long long	soonest = answers_tick(now);
	Link	   *link;
	Link	   *next;

	for (link = link_first(); link != NULL; link = next)
	{
		next = link->next;
		if (link->due == 0)
			continue;
		link_tick(link, now);
		if (link->due != 0 && (soonest < 0 || link->due < soonest))
			soonest = link->due;
	}
	if (soonest < 0)
		return -1;
	return soonest <= now ? 0 : (int) ((soonest - now + 999) / 1000);
}

static void
turn(const struct epoll_event *events, int count)
{
	eventfd_t	counter;
	int			i;

	for (i = 0; i < count; i++)
	{
		if (events[i].data.ptr == &nudge_mark)
			eventfd_read(nudge, &counter);
		else if (events[i].data.ptr == &listener_mark)
			accept_all();
		else
			serve(events[i].data.ptr, events[i].events);
	}
}

static void *
loop(void *unused)
{
	struct epoll_event events[EVENTS];

	(void) unused;
	pthread_mutex_lock(&lock);
	while (!stopping)
	{
		int			timeout = tick();
		int			count;

		link_sweep();
		pthread_mutex_unlock(&lock);
		count = epoll_wait(link_epoll, events, EVENTS, timeout);
		pthread_mutex_lock(&lock);
		turn(events, count);
	}
	loop_drop(true);
	answers_drop_all();
	link_sweep();
	pthread_mutex_unlock(&lock);
	return NULL;
}

int
loop_start(const char *address, int port)
{
	link_on_close = exchange_link_closed;
	link_epoll = epoll_create1(EPOLL_CLOEXEC);
	nudge = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	port = port_open(address, port);
	if (link_epoll < 0 || nudge < 0 || port < 0 ||
		!watch(nudge, &nudge_mark) || !watch(port_socket(), &listener_mark))
		return -1;
	errno = pthread_create(&server, NULL, loop, NULL);
	if (errno == 0)
		return port;
	close(nudge);
	nudge = -1;
	return -1;
}

void
loop_stop(void)
{
	if (nudge < 0)
		return;
	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_mutex_unlock(&lock);
	eventfd_write(nudge, 1);
	pthread_join(server, NULL);
	port_close();
	close(link_epoll);
	close(nudge);
}
