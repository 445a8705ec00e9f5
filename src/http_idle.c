/*-------------------------------------------------------------------------
 *
 * http_idle.c
 *		The sockets of connections that libcurl keeps and does not use.
 *
 * A kept connection that the peer has closed, or on which bytes came that
 * belong to no message, must not carry another one.  libcurl looks before it
 * uses a connection again, but newer versions do not when it was in use a
 * moment ago.  So we look ourselves, and have it close what it keeps when
 * there is a broken one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include "http_idle.h"

struct HttpIdle
{
	int			epoll_fd;
	fd_set		kept;
	int			highest;		/* of those that were ever kept */
};

/* Sockets beyond what an fd_set holds are left to libcurl. */
static bool
fits(int fd)
{
	return fd >= 0 && fd < FD_SETSIZE;
}

HttpIdle *
http_idle_new(int epoll_fd)
{
	HttpIdle   *idle = palloc0(sizeof(HttpIdle));

	idle->epoll_fd = epoll_fd;
	FD_ZERO(&idle->kept);
	return idle;
}

void
http_idle_kept(HttpIdle *idle, int fd)
{
	if (!fits(fd))
		return;
	FD_SET(fd, &idle->kept);
	idle->highest = Max(idle->highest, fd);
}

void
http_idle_gone(HttpIdle *idle, int fd)
{
	if (fits(fd))
		FD_CLR(fd, &idle->kept);
}

void
http_idle_break(HttpIdle *idle, int fd)
{
	char		rubbish[4096];

	(void) epoll_ctl(idle->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	(void) shutdown(fd, SHUT_RDWR);
	while (recv(fd, rubbish, sizeof(rubbish), MSG_DONTWAIT) > 0)
		;
	http_idle_gone(idle, fd);
}

/* Has something come, or the connection ended? */
static bool
is_broken(int fd)
{
	char		byte;

	errno = 0;
	if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0)
		return true;
	return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
}

bool
http_idle_check(HttpIdle *idle)
{
	bool		broken = false;

	for (int fd = 0; fd <= idle->highest; fd++)
	{
		if (!FD_ISSET(fd, &idle->kept) || !is_broken(fd))
			continue;
		if (errno == ENOTSOCK || errno == EBADF)
			http_idle_gone(idle, fd);	/* one that is no socket */
		else
		{
			http_idle_break(idle, fd);
			broken = true;
		}
	}
	return broken;
}
