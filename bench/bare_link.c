/*-------------------------------------------------------------------------
 *
 * bare_link.c
 *		What the bare senders of framed messages share.
 *
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bare_link.h"

#define EVENTS 64

static const BareProtocol *protocol;
static size_t next_message;
static size_t answered;

void
bare_die(const char *what, const char *detail)
{
	fprintf(stderr, "%s: %s: %s\n", protocol->name, what, detail);
	exit(1);
}

static double
clock_seconds(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

char *
bare_room(BareLink *link, size_t len)
{
	char	   *room = link->out + link->out_len;

	if (link->out_len + len > BARE_BUFFER)
		bare_die("failed", "the output is full");
	link->out_len += len;
	return room;
}

/* ------------------------------------------------------------------------
 * Connections
 * ------------------------------------------------------------------------
 */
static void
connect_link(BareLink *link, const BareOptions *options)
{
	struct sockaddr_in where = {.sin_family = AF_INET};
	int			one = 1;

	where.sin_port = htons((uint16_t) options->port);
	where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	link->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (link->fd < 0 ||
		connect(link->fd, (struct sockaddr *) &where, sizeof(where)) != 0)
		bare_die("could not connect", strerror(errno));
	setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	link->number = options->first - 1;
	if (protocol->greet)
		protocol->greet(link);
}

/* Sends what can be sent at once. */
static void
flush_link(BareLink *link)
{
	while (link->out_done < link->out_len)
	{
		ssize_t		sent = send(link->fd, link->out + link->out_done,
								link->out_len - link->out_done,
								MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0)
			bare_die("could not send", strerror(errno));
		link->out_done += (size_t) sent;
	}
	link->out_len = link->out_done = 0;
}

/* Fills the window and sends. */
static void
fill_window(BareLink *link, const BareOptions *options)
{
	while (link->unanswered < options->window &&
		   next_message < options->messages)
	{
		link->number++;
		protocol->add(link, options, next_message++);
		link->unanswered++;
	}
	flush_link(link);
}

/* Reads answers; each makes room in the window. */
static void
read_link(BareLink *link)
{
	ssize_t		len = recv(link->fd, link->in + link->in_len,
						   BARE_BUFFER - link->in_len, MSG_DONTWAIT);
	size_t		used;

	if (len < 0 && errno == EAGAIN)
		return;
	if (len <= 0)
		bare_die("could not receive", len == 0 ? "closed" : strerror(errno));
	link->in_len += (size_t) len;
	while ((used = protocol->take(link)) > 0)
	{
		link->in_len -= used;
		memmove(link->in, link->in + used, link->in_len);
		link->unanswered--;
		answered++;
	}
}

/* Sends all messages and returns the seconds that it took. */
static double
run(BareLink *links, const BareOptions *options)
{
	int			epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	double		start = clock_seconds(CLOCK_MONOTONIC);

	for (int i = 0; i < options->links; i++)
	{
		struct epoll_event event = {.events = EPOLLIN};

		event.data.ptr = &links[i];
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, links[i].fd, &event) != 0)
			bare_die("failed", strerror(errno));
		fill_window(&links[i], options);
	}
	while (answered < options->messages)
	{
		struct epoll_event events[EVENTS];
		int			n = epoll_wait(epoll_fd, events, EVENTS, 10000);

		if (n == 0)
			bare_die("failed", "no answer for 10 seconds");
		for (int i = 0; i < n; i++)
		{
			read_link(events[i].data.ptr);
			fill_window(events[i].data.ptr, options);
		}
	}
	return clock_seconds(CLOCK_MONOTONIC) - start;
}

/* ------------------------------------------------------------------------
 * The command line
 * ------------------------------------------------------------------------
 */
static void
usage(FILE *out, int status)
{
	fprintf(out, "%s: sends messages and nothing else, to 127.0.0.1\n\n"
			"  --port N\n"
			"  --messages N        default 20000\n"
			"  --cards N           that they are for, default 5000\n"
			"  --links N           connections, default 1\n"
			"%s\n"
			"Prints the number of answers, seconds, answers a second, and\n"
			"microseconds of processor time an answer.\n",
			protocol->name, protocol->help);
	exit(status);
}

static const struct option long_options[] = {
	{"port", required_argument, NULL, 'p'},
	{"messages", required_argument, NULL, 'm'},
	{"cards", required_argument, NULL, 'c'},
	{"links", required_argument, NULL, 'l'},
	{"window", required_argument, NULL, 'w'},
	{"first", required_argument, NULL, 'f'},
	{"key", required_argument, NULL, 'k'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0}
};

static void
read_option(BareOptions *options, int c)
{
	switch (c)
	{
		case 'p':
			options->port = atoi(optarg);
			break;
		case 'm':
			options->messages = strtoul(optarg, NULL, 10);
			break;
		case 'c':
			options->cards = strtoul(optarg, NULL, 10);
			break;
		case 'l':
			options->links = atoi(optarg);
			break;
		case 'w':
			options->window = strtoul(optarg, NULL, 10);
			break;
		case 'f':
			options->first = strtoul(optarg, NULL, 10);
			break;
		case 'k':
			options->key = optarg;
			break;
		case 'h':
			usage(stdout, 0);
			break;
		default:
			usage(stderr, 2);
	}
}

int
bare_main(int argc, char **argv, const BareProtocol *spoken,
		  BareOptions *options)
{
	BareLink   *links;
	double		seconds;
	double		cpu;
	int			c;

	protocol = spoken;
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		read_option(options, c);
	if (optind < argc || options->port < 1 || options->messages < 1 ||
		options->cards < 1 || options->links < 1 || options->window < 1 ||
		options->first < 1)
		usage(stderr, 2);
	links = calloc((size_t) options->links, sizeof(BareLink));
	if (links == NULL)
		bare_die("failed", "out of memory");
	for (int i = 0; i < options->links; i++)
	{
		links[i].index = i;
		connect_link(&links[i], options);
	}
	cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
	seconds = run(links, options);
	cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("%zu %.6f %.1f %.1f\n", answered, seconds,
		   (double) answered / seconds, cpu * 1e6 / (double) answered);
	return 0;
}
