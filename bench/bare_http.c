/*-------------------------------------------------------------------------
 *
 * bare_http.c
 *		The least that it takes to post the same bodies: libcurl, and nothing
 *		is chosen, ordered, checked or stored.
 *
 * What bench/drain holds provreq against.  The bodies are read before the
 * clock starts; each of the connections is one easy handle that gets the next
 * body as soon as its answer is there; libcurl is driven by its sockets, in
 * an epoll set, which is the fastest way that it has.
 *
 *-------------------------------------------------------------------------
 */
#include <curl/curl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#define EVENTS 64

typedef struct Body
{
	char	   *data;
	size_t		len;
} Body;

typedef struct Options
{
	const char *url;
	const char *bodies;			/* a file */
	const char *user;			/* NULL: no authentication */
	const char *password;
	const char *ca_file;		/* NULL: that of the system */
	int			connections;
} Options;

typedef struct Bench
{
	CURLM	   *multi;
	int			epoll_fd;
	long		timeout_ms;		/* as libcurl wants it; -1 = never */
	struct curl_slist *headers;
	Body	   *bodies;
	size_t		nbodies;
	size_t		next;			/* the body to be posted next */
	size_t		answered;
	size_t		answer_bytes;
} Bench;

static void
die(const char *what, const char *detail)
{
	fprintf(stderr, "bare_http: %s: %s\n", what, detail);
	exit(1);
}

static void *
must(void *allocated)
{
	if (allocated == NULL)
		die("failed", "out of memory");
	return allocated;
}

static double
clock_seconds(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* ------------------------------------------------------------------------
 * Bodies
 * ------------------------------------------------------------------------
 */

/* Undoes what COPY TO does to a text, in place; returns the new length. */
static size_t
unescape(char *line, size_t len)
{
	char	   *to = line;

	for (size_t i = 0; i < len; i++)
	{
		char		c = line[i];

		if (c == '\\' && i + 1 < len)
		{
			c = line[++i];
			c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
		}
		*to++ = c;
	}
	*to = '\0';
	return (size_t) (to - line);
}

/* One body a line, as COPY TO writes them. */
static void
read_bodies(Bench *bench, const char *path)
{
	FILE	   *file = fopen(path, "r");
	char	   *line = NULL;
	size_t		room = 0;
	size_t		most = 0;
	ssize_t		len;

	if (file == NULL)
		die("could not open", path);
	while ((len = getline(&line, &room, file)) > 0)
	{
		Body	   *body;

		if (bench->nbodies == most)
		{
			most = most ? most * 2 : 1024;
			bench->bodies = must(realloc(bench->bodies, most * sizeof(Body)));
		}
		if (line[len - 1] == '\n')
			len--;
		body = &bench->bodies[bench->nbodies++];
		body->len = unescape(line, (size_t) len);
		body->data = must(strdup(line));
	}
	free(line);
	fclose(file);
	if (bench->nbodies == 0)
		die("no bodies in", path);
}

/* ------------------------------------------------------------------------
 * libcurl
 * ------------------------------------------------------------------------
 */
static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	Bench	   *bench = arg;
	struct epoll_event event = {0};

	(void) easy;
	if (what == CURL_POLL_REMOVE)
	{
		(void) epoll_ctl(bench->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	event.data.fd = fd;
	if (what != CURL_POLL_OUT)
		event.events |= EPOLLIN;
	if (what != CURL_POLL_IN)
		event.events |= EPOLLOUT;
	if (known == NULL)
		curl_multi_assign(bench->multi, fd, bench);
	return epoll_ctl(bench->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
					 fd, &event);
}

static int
set_timer(CURLM *multi, long timeout_ms, void *arg)
{
	(void) multi;
	((Bench *) arg)->timeout_ms = timeout_ms;
	return 0;
}

static size_t
count_answer(char *data, size_t size, size_t nitems, void *arg)
{
	(void) data;
	((Bench *) arg)->answer_bytes += size * nitems;
	return size * nitems;
}

static CURL *
new_handle(Bench *bench, const Options *options)
{
	CURL	   *easy = must(curl_easy_init());

	curl_easy_setopt(easy, CURLOPT_URL, options->url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, bench->headers);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
					 (long) CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, count_answer);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, bench);
	if (options->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file);
	if (options->user)
	{
		curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long) CURLAUTH_BASIC);
		curl_easy_setopt(easy, CURLOPT_USERNAME, options->user);
		curl_easy_setopt(easy, CURLOPT_PASSWORD, options->password);
	}
	return easy;
}

static void
open_multi(Bench *bench, int connections)
{
	bench->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	bench->timeout_ms = -1;
	bench->multi = must(curl_multi_init());
	curl_multi_setopt(bench->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(bench->multi, CURLMOPT_SOCKETDATA, bench);
	curl_multi_setopt(bench->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(bench->multi, CURLMOPT_TIMERDATA, bench);
	curl_multi_setopt(bench->multi, CURLMOPT_MAXCONNECTS, (long) connections);
	bench->headers = curl_slist_append(NULL,
									   "Content-Type: text/xml; charset=utf-8");
	bench->headers = curl_slist_append(bench->headers, "SOAPAction: \"\"");
	bench->headers = must(curl_slist_append(bench->headers, "Expect:"));
}

/* Gives a handle the next body; false when there is none. */
static bool
post_next(Bench *bench, CURL *easy)
{
	Body	   *body = &bench->bodies[bench->next];

	if (bench->next == bench->nbodies)
		return false;
	bench->next++;
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body->data);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long) body->len);
	if (curl_multi_add_handle(bench->multi, easy) != CURLM_OK)
		die("could not post", "libcurl refuses a handle");
	return true;
}

/* Whatever is not a good answer ends the run: it would not be comparable. */
static void
check_answer(CURL *easy, CURLcode result)
{
	long		status = 0;

	if (result != CURLE_OK)
		die("could not post", curl_easy_strerror(result));
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		die("bad answer", "the HTTP status is not 200");
}

/* Those that libcurl has done with get the next body. */
static void
collect(Bench *bench)
{
	CURLMsg    *msg;
	int			left;

	while ((msg = curl_multi_info_read(bench->multi, &left)) != NULL)
	{
		CURL	   *easy = msg->easy_handle;
		CURLcode	result = msg->data.result;

		curl_multi_remove_handle(bench->multi, easy);
		check_answer(easy, result);
		bench->answered++;
		if (!post_next(bench, easy))
			curl_easy_cleanup(easy);
	}
}

static int
curl_events(unsigned events)
{
	return (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
		(events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		(events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
}

static void
drive(Bench *bench)
{
	struct epoll_event events[EVENTS];
	int			running;
	int			n = epoll_wait(bench->epoll_fd, events, EVENTS,
							   (int) bench->timeout_ms);

	for (int i = 0; i < n; i++)
		curl_multi_socket_action(bench->multi, events[i].data.fd,
								 curl_events(events[i].events), &running);
	if (n <= 0 || bench->timeout_ms == 0)
		curl_multi_socket_action(bench->multi, CURL_SOCKET_TIMEOUT, 0,
								 &running);
}

/* Posts all bodies and returns the seconds that it took. */
static double
run(Bench *bench, const Options *options)
{
	double		start = clock_seconds(CLOCK_MONOTONIC);

	for (int i = 0; i < options->connections; i++)
	{
		CURL	   *easy = new_handle(bench, options);

		if (!post_next(bench, easy))
			curl_easy_cleanup(easy);
	}
	while (bench->answered < bench->nbodies)
	{
		drive(bench);
		collect(bench);
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
	fputs("bare_http: posts bodies with libcurl alone\n"
		  "\n"
		  "  --url URL           where to\n"
		  "  --bodies FILE       one a line, as COPY TO writes them\n"
		  "  --connections N     default 16\n"
		  "  --user NAME, --password WORD\n"
		  "                      HTTP Basic authentication\n"
		  "  --ca-file FILE      certificates to trust\n"
		  "\n"
		  "Prints the number of answers, seconds, answers a second, and\n"
		  "microseconds of processor time an answer.\n", out);
	exit(status);
}

static const struct option long_options[] = {
	{"url", required_argument, NULL, 'u'},
	{"bodies", required_argument, NULL, 'b'},
	{"connections", required_argument, NULL, 'c'},
	{"user", required_argument, NULL, 'n'},
	{"password", required_argument, NULL, 'p'},
	{"ca-file", required_argument, NULL, 'a'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0}
};

static void
read_option(Options *options, int c)
{
	switch (c)
	{
		case 'u':
			options->url = optarg;
			break;
		case 'b':
			options->bodies = optarg;
			break;
		case 'c':
			options->connections = atoi(optarg);
			break;
		case 'n':
			options->user = optarg;
			break;
		case 'p':
			options->password = optarg;
			break;
		case 'a':
			options->ca_file = optarg;
			break;
		case 'h':
			usage(stdout, 0);
			break;
		default:
			usage(stderr, 2);
	}
}

int
main(int argc, char **argv)
{
	Options		options = {.connections = 16};
	Bench		bench = {0};
	double		seconds;
	double		cpu;
	int			c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		read_option(&options, c);
	if (optind < argc || options.url == NULL || options.bodies == NULL ||
		options.connections < 1)
		usage(stderr, 2);
	if (curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK)
		die("failed", "libcurl does not start");
	read_bodies(&bench, options.bodies);
	open_multi(&bench, options.connections);
	cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
	seconds = run(&bench, &options);
	cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("%zu %.6f %.1f %.1f\n", bench.answered, seconds,
		   (double) bench.answered / seconds,
		   cpu * 1e6 / (double) bench.answered);
	curl_multi_cleanup(bench.multi);
	return 0;
}
