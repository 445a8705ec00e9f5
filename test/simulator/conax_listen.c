/*-------------------------------------------------------------------------
 *
 * conax_listen.c
 *		Accepting connections, or refusing them.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conax_http.h"
#include "conax_listen.h"
#include "fault.h"
#include "port.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;	/* also of port.c */
static bool stopping;			/* lock */
static int	nudge = -1;			/* eventfd: something has changed */
static pthread_t acceptor;

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
	FaultSubject nobody = {.operation = ""};
	FaultVerdict verdict;

	fault_choose(FAULT_AT_CONNECT, &nobody, &verdict);
	if (verdict.fault.kind == FAULT_TLS_FAIL)
		break_handshake(fd);
	else
		http_serve(fd, peer, verdict.fault.kind == FAULT_TLS_WRONG_CERT);
}

/* Accepts one connection if there is one; never waits. */
static bool
accept_one(void)
{
	struct sockaddr_in peer;
	int			fd;

	pthread_mutex_lock(&lock);
	fd = port_accept(&peer);
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
	polled[1].fd = port_socket();
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
	port = port_open(address, port);
	nudge = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (port < 0 || nudge < 0)
		return -1;
	errno = pthread_create(&acceptor, NULL, listen_loop, NULL);
	return errno == 0 ? port : -1;
}

bool
listen_refuse(bool refuse)
{
	bool		done = true;

	pthread_mutex_lock(&lock);
	if (refuse)
		port_refuse();
	else
		done = port_listen();
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
	port_close();
	close(nudge);
}
