/*-------------------------------------------------------------------------
 *
 * port.c
 *		The port that a simulator listens on, or refuses connections on.
 *
 * Two sockets are bound to the port.  One only holds it, so that nobody else
 * gets it while connections are refused; the other listens, and is closed to
 * refuse.
 *
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port.h"
#include "program.h"

#define BACKLOG 1024

static struct sockaddr_in where;
static int	holder = -1;
static int	listener = -1;		/* -1 while refusing */

/* A socket bound to "where", or -1. */
static int
bind_socket(void)
{
	int			kind = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
	int			fd = socket(AF_INET, kind, 0);
	int			one = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *) &where, sizeof(where)) == 0)
		return fd;
	close(fd);
	return -1;
}

bool
port_listen(void)
{
	if (listener >= 0)
		return true;
	listener = bind_socket();
	if (listener >= 0 && listen(listener, BACKLOG) == 0)
		return true;
	if (listener >= 0)
		close(listener);
	listener = -1;
	return false;
}

void
port_refuse(void)
{
	if (listener < 0)
		return;

	/* Somebody may be polling it: closing alone would not wake him. */
	shutdown(listener, SHUT_RDWR);
	close(listener);
	listener = -1;
}

int
port_socket(void)
{
	return listener;
}

int
port_open(const char *address, int port)
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
		getsockname(holder, (struct sockaddr *) &where, &len) != 0 ||
		!port_listen())
		return -1;
	return ntohs(where.sin_port);
}

int
port_accept(struct sockaddr_in *peer)
{
	socklen_t	len = sizeof(*peer);
	int			one = 1;
	int			fd;

	if (listener < 0)
		return -1;
	fd = accept4(listener, (struct sockaddr *) peer, &len,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	else if (errno == EMFILE || errno == ENFILE)
		fail("could not accept a connection", strerror(errno));
	return fd;
}

void
port_close(void)
{
	port_refuse();
	if (holder >= 0)
		close(holder);
	holder = -1;
}
