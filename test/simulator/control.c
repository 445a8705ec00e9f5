/*-------------------------------------------------------------------------
 *
 * control.c
 *		The control socket: a line in, a line out.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"

#define MAX_CLIENTS 32
#define MAX_LINE 4096

/* polled[0] is the end, polled[1] the socket, the others are clients. */
#define FIRST_CLIENT 2

static struct pollfd polled[FIRST_CLIENT + MAX_CLIENTS];
static Text lines[FIRST_CLIENT + MAX_CLIENTS];	/* what came, not whole yet */
static nfds_t polled_count;		/* the thread's own once it runs */
static bool running;
static struct sockaddr_un address;
static ControlCommand run_command;
static pthread_t controller;

static void
drop_client(nfds_t i)
{
	close(polled[i].fd);
	text_free(&lines[i]);
	polled_count--;
	polled[i] = polled[polled_count];
	lines[i] = lines[polled_count];
	lines[polled_count] = (Text) {0};
}

static void
accept_client(void)
{
	int			fd = accept4(polled[1].fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (polled_count == FIRST_CLIENT + MAX_CLIENTS)
	{
		close(fd);
		return;
	}
	polled[polled_count].fd = fd;
	polled[polled_count].events = POLLIN;
	polled[polled_count].revents = 0;
	polled_count++;
}

static bool
answer_line(int fd, char *line)
{
	Text		reply = {0};
	bool		sent;

	line[strcspn(line, "\r")] = '\0';
	run_command(line, &reply);
	text_add(&reply, "\n");
	sent = send(fd, reply.data, reply.len, MSG_NOSIGNAL) == (ssize_t) reply.len;
	text_free(&reply);
	return sent;
}

/* Answers each whole line that has come.  False: the client is to go. */
static bool
answer_lines(int fd, Text *text)
{
	char	   *end;

	while (text->len > 0 && (end = memchr(text->data, '\n', text->len)) != NULL)
	{
		size_t		used = (size_t) (end - text->data) + 1;

		*end = '\0';
		if (!answer_line(fd, text->data))
			return false;
		text->len -= used;
		memmove(text->data, text->data + used, text->len);
	}
	return text->len < MAX_LINE;
}

static void
serve_client(nfds_t i)
{
	char		buffer[1024];
	ssize_t		len = recv(polled[i].fd, buffer, sizeof(buffer), 0);

	if (len <= 0)
	{
		drop_client(i);
		return;
	}
	text_add_bytes(&lines[i], buffer, (size_t) len);
	if (!answer_lines(polled[i].fd, &lines[i]))
		drop_client(i);
}

static void *
control_loop(void *unused)
{
	(void) unused;
	for (;;)
	{
		nfds_t		i;

		if (poll(polled, polled_count, -1) < 0)
			continue;
		if (polled[0].revents != 0)
			break;
		for (i = polled_count; i-- > FIRST_CLIENT;)
		{
			if (polled[i].revents != 0)
				serve_client(i);
		}
		if (polled[1].revents != 0)
			accept_client();
	}
	while (polled_count > FIRST_CLIENT)
		drop_client(polled_count - 1);
	return NULL;
}

/* A simulator that was killed leaves its socket behind. */
static void
remove_dead_socket(void)
{
	int			fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (connect(fd, (struct sockaddr *) &address, sizeof(address)) != 0 &&
		errno == ECONNREFUSED)
		unlink(address.sun_path);
	close(fd);
}

bool
control_start(const char *path, ControlCommand command)
{
	int			fd;

	address.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(address.sun_path))
	{
		errno = ENAMETOOLONG;
		return false;
	}
	strcpy(address.sun_path, path);
	remove_dead_socket();
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
		bind(fd, (struct sockaddr *) &address, sizeof(address)) != 0 ||
		listen(fd, MAX_CLIENTS) != 0)
		return false;
	run_command = command;
	polled[0].fd = eventfd(0, EFD_CLOEXEC);
	polled[1].fd = fd;
	polled[0].events = polled[1].events = POLLIN;
	polled_count = FIRST_CLIENT;
	errno = pthread_create(&controller, NULL, control_loop, NULL);
	running = errno == 0;
	return running;
}

void
control_stop(void)
{
	if (!running)
		return;
	eventfd_write(polled[0].fd, 1);
	pthread_join(controller, NULL);
	close(polled[0].fd);
	close(polled[1].fd);
	unlink(address.sun_path);
}
