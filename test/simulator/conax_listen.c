/*-------------------------------------------------------------------------
 *
 * conax_listen.c
 *		The port: accepting connections, or refusing them.
 *
 * Two sockets are bound to the port.  One only holds it, so that nobody else
 * gets it while connections are refused; the other listens, and is closed to
 * refuse.
 *
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conax_http.h"
#include "conax_listen.h"
#include "fault.h"

#define BACKLOG 1024

static struct sockaddr_in where;
static int	holder = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int	listener = -1;		/* lock; -1 while refusing */
static bool stopping;			/* lock */
static int	nudge = -1;			/* eventfd: the above has changed */
static pthread_t acceptor;

/* A socket bound to "where", or -1. */
static int
bind_socket(void)
{
	int			fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
							0);
	int			one = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *) &where, sizeof(where)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The lock is held. */
static bool
open_listener(void)
{
	listener = bind_socket();
	if (listener >= 0 && listen(listener, BACKLOG) == 0)
		return true;
	if (listener >= 0)
		close(listener);
	listener = -1;
	return false;
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
take_connection(int fd, const struct sockaddr_in *peer)
{
	FaultSubject nobody = {"", NULL, 0};
	FaultVerdict verdict;
	int			one = 1;

	fault_choose(FAULT_AT_CONNECT, &nobody, &verdict);
	if (verdict.fault.kind == FAULT_TLS_FAIL)
	{
		break_handshake(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	http_serve(fd, peer, verdict.fault.kind == FAULT_TLS_WRONG_CERT);
}

/* Accepts one connection if there is one; never waits. */
static bool
accept_one(void)
{
	struct sockaddr_in peer;
	socklen_t	len = sizeof(peer);
	int			fd = -1;

	pthread_mutex_lock(&lock);
	if (listener >= 0)
		fd = accept4(listener, (struct sockaddr *) &peer, &len,
					 SOCK_CLOEXEC | SOCK_NONBLOCK);
	pthread_mutex_unlock(&lock);
	if (fd < 0)
		return false;
	take_connection(fd, &peer);
	return true;
}

/* Waits for a connection or a change; false: the end. */
static bool
wait_for_work(void)
{
	struct pollfd polled[2] = {{.fd = nudge,.events = POLLIN},
	{.events = POLLIN}};
	eventfd_t	counter;
	bool		go_on;

	pthread_mutex_lock(&lock);
	polled[1].fd = listener;
	go_on = !stopping;
	pthread_mutex_unlock(&lock);
	if (go_on && poll(polled, 2, -1) > 0 && polled[0].revents != 0)
		eventfd_read(nudge, &counter);
	return go_on;
}

static void *
listen_loop(void *unused)
{
	(void) unused;
	while (wait_for_work())
	{
		while (accept_one())
			continue;
	}
	return NULL;
}

int
listen_start(const char *address, int port)
{
	socklen_t	len = sizeof(where);

	where.sin_family = AF_INET;
	where.sin_port = htons((uint16_t) port);
	if (inet_pton(AF_INET, address, &where.sin_addr) != 1 ||
		(ntohl(where.sin_addr.s_addr) >> 24) != 127)
	{
		errno = EADDRNOTAVAIL;
		return -1;
	}
	holder = bind_socket();
	if (holder < 0 ||
		getsockname(holder, (struct sockaddr *) &where, &len) != 0)
		return -1;
	nudge = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (nudge < 0 || !open_listener())
		return -1;
	errno = pthread_create(&acceptor, NULL, listen_loop, NULL);
	return errno == 0 ? ntohs(where.sin_port) : -1;
}

bool
listen_refuse(bool refuse)
{
	bool		done = true;

	pthread_mutex_lock(&lock);
	if (refuse && listener >= 0)
	{
		/* The acceptor may be polling it: closing alone would not wake it. */
		shutdown(listener, SHUT_RDWR);
		close(listener);
		listener = -1;
	}
	else if (!refuse && listener < 0)
		done = open_listener();
	pthread_mutex_unlock(&lock);
	eventfd_write(nudge, 1);
	return done;
}

void
listen_stop(void)
{
	if (nudge < 0)
		return;
	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_mutex_unlock(&lock);
	eventfd_write(nudge, 1);
	pthread_join(acceptor, NULL);
	listen_refuse(true);
	close(holder);
	close(nudge);
}
