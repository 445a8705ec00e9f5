/*-------------------------------------------------------------------------
 *
 * tcp_connect.c
 *		How a TCP connection comes to be.
 *
 * libcurl makes it (CONNECT_ONLY): it resolves the name, tries all addresses,
 * and does TLS.  Each connection has a multi handle of its own, so that none
 * is looked after, or closed as too old, for the sake of another.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>
#include <sys/epoll.h>
#include <time.h>

#include "libpq/pqsignal.h"

#include "held.h"
#include "tcp_connection.h"
#include "wire_text.h"

/* Least room for what came. */
#define INPUT_ROOM (64 * 1024)

int64
tcp_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------------
 * Set-up
 * ------------------------------------------------------------------------
 */
void
tcp_start_libcurl(void)
{
	static bool started = false;

	if (!started && curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not start libcurl")));
	started = true;
}

static void
release_url(void *handle)
{
	curl_url_cleanup(handle);
}

/* Numeric IPv6 addresses stand in brackets there. */
static const char *
url_host(const char *host)
{
	const char *utf8 = wire_text_to_utf8(host);

	if (strchr(utf8, ':') && utf8[0] != '[')
		return psprintf("[%s]", utf8);
	return utf8;
}

const char *
tcp_url(const CasLinkRules *rules)
{
	Held	   *held = held_new(release_url);
	CURLU	   *url = held_keep(held, curl_url(), "URL");
	char	   *made = NULL;
	const char *copy;

	if (curl_url_set(url, CURLUPART_SCHEME, rules->tls ? "https" : "http",
					 0) != CURLUE_OK ||
		curl_url_set(url, CURLUPART_HOST, url_host(rules->host),
					 0) != CURLUE_OK ||
		curl_url_set(url, CURLUPART_PORT, psprintf("%d", rules->port),
					 0) != CURLUE_OK ||
		curl_url_get(url, CURLUPART_URL, &made, 0) != CURLUE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid host \"%s\"", rules->host),
				 errhint("Give a name or a numeric address.")));
	copy = pstrdup(made);
	curl_free(made);
	held_release(held);
	return copy;
}

static void
release_connection(void *handle)
{
	tcp_connection_close(handle);
}

void
tcp_connection_init(TcpConnection *connection, const CasLinkRules *rules,
					const char *url, int epoll_fd, uint32 id)
{
	Held	   *held = held_new(release_connection);

	memset(connection, 0, sizeof(TcpConnection));
	connection->rules = rules;
	connection->url = url;
	connection->epoll_fd = epoll_fd;
	connection->id = id;
	connection->timer = -1;
	connection->in_room = Max(INPUT_ROOM, rules->max_frame);
	connection->in = palloc(connection->in_room);
	initStringInfo(&connection->filling);
	initStringInfo(&connection->sending);
	held_keep(held, connection, "TCP connection");
}

/* ------------------------------------------------------------------------
 * Connecting
 * ------------------------------------------------------------------------
 */
static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	TcpConnection *connection = arg;
	struct epoll_event event = {0};

	event.data.u64 = ((uint64) connection->id << 32) | (uint32) fd;
	if (what == CURL_POLL_REMOVE)
	{
		(void) epoll_ctl(connection->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	if (what != CURL_POLL_OUT)
		event.events |= EPOLLIN;
	if (what != CURL_POLL_IN)
		event.events |= EPOLLOUT;
	if (epoll_ctl(connection->epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0 &&
		epoll_ctl(connection->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		return -1;
	return 0;
}

static int
set_timer(CURLM *multi, long timeout_ms, void *arg)
{
	TcpConnection *connection = arg;

	connection->timer = timeout_ms < 0 ? -1 : tcp_now() + timeout_ms;
	return 0;
}

static bool
set_multi(TcpConnection *connection)
{
	CURLM	   *multi = connection->multi;

	return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION,
							 watch_socket) == CURLM_OK &&
		curl_multi_setopt(multi, CURLMOPT_SOCKETDATA,
						  connection) == CURLM_OK &&
		curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION,
						  set_timer) == CURLM_OK &&
		curl_multi_setopt(multi, CURLMOPT_TIMERDATA, connection) == CURLM_OK;
}

/* Who we trust: the given authorities alone, or the system's. */
static bool
set_security(CURL *easy, const CasLinkRules *rules)
{
	bool		ok = true;

	ok &= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
						   rules->tls ? "https" : "http") == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_SSLVERSION,
						   (long) CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L) == CURLE_OK;
	if (rules->ca_file == NULL)
		return ok;
	ok &= curl_easy_setopt(easy, CURLOPT_CAINFO, rules->ca_file) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK;
	return ok;
}

/*
 * QUICK_EXIT: a name server that does not answer must not hold us up when we
 * have lost patience.
 */
static bool
set_easy(TcpConnection *connection)
{
	CURL	   *easy = connection->easy;
	const CasLinkRules *rules = connection->rules;
	bool		ok = set_security(easy, rules);

	ok &= curl_easy_setopt(easy, CURLOPT_URL, connection->url) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
						   (long) rules->connect_timeout) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_BUFFERSIZE,
						   (long) TCP_PIECE) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER,
						   connection->error) == CURLE_OK;
	return ok;
}

/* Forgets the connection before. */
static void
forget(TcpConnection *connection)
{
	connection->timer = -1;
	connection->readable = connection->writable = connection->hangup = false;
	connection->in_begin = connection->in_end = 0;
	resetStringInfo(&connection->filling);
	resetStringInfo(&connection->sending);
	connection->sending_from = 0;
	connection->appended = connection->sent = connection->touched = 0;
	connection->error[0] = connection->failure[0] = '\0';
	connection->address[0] = '\0';
	connection->resolved = connection->connected = connection->secured = 0;
	connection->failed_step = NULL;
}

bool
tcp_connection_start(TcpConnection *connection)
{
	tcp_connection_close(connection);
	forget(connection);
	connection->multi = curl_multi_init();
	connection->easy = curl_easy_init();
	if (connection->multi == NULL || connection->easy == NULL ||
		!set_multi(connection) || !set_easy(connection) ||
		curl_multi_add_handle(connection->multi,
							  connection->easy) != CURLM_OK)
	{
		tcp_connection_close(connection);
		tcp_connection_note_failure(connection, CURLE_FAILED_INIT);
		return false;
	}
	connection->stage = TCP_CONNECTING;
	return true;
}

void
tcp_connection_close(TcpConnection *connection)
{
	connection->stage = TCP_CLOSED;
	if (connection->multi && connection->easy)
		(void) curl_multi_remove_handle(connection->multi, connection->easy);
	curl_easy_cleanup(connection->easy);
	if (connection->multi)
		(void) curl_multi_cleanup(connection->multi);
	connection->easy = NULL;
	connection->multi = NULL;
	connection->timer = -1;
}

/*
 * libcurl may start a thread that resolves a name, which inherits our signal
 * mask: signals of the server are for the main thread.
 */
static void
drive(TcpConnection *connection, curl_socket_t fd, int mask)
{
	sigset_t	signals;
	int			running;

	sigprocmask(SIG_BLOCK, &BlockSig, &signals);
	(void) curl_multi_socket_action(connection->multi, fd, mask, &running);
	sigprocmask(SIG_SETMASK, &signals, NULL);
}

void
tcp_connection_event(TcpConnection *connection, int fd, uint32 events)
{
	int			mask = 0;

	if (connection->stage == TCP_CONNECTED)
	{
		connection->readable = connection->writable = true;
		if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			connection->hangup = true;
		return;
	}
	if (connection->stage != TCP_CONNECTING)
		return;
	if (events & EPOLLIN)
		mask |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		mask |= CURL_CSELECT_ERR;
	drive(connection, fd, mask);
}

/* How long each step took, as far as it came. */
static void
note_times(TcpConnection *connection)
{
	curl_off_t	times[3] = {0, 0, 0};

	(void) curl_easy_getinfo(connection->easy, CURLINFO_NAMELOOKUP_TIME_T,
							 &times[0]);
	(void) curl_easy_getinfo(connection->easy, CURLINFO_CONNECT_TIME_T,
							 &times[1]);
	(void) curl_easy_getinfo(connection->easy, CURLINFO_APPCONNECT_TIME_T,
							 &times[2]);
	connection->resolved = times[0];
	connection->connected = times[1];
	connection->secured = times[2];
}

const char *
tcp_connection_step(TcpConnection *connection)
{
	if (connection->failed_step)
		return connection->failed_step;
	if (connection->easy)
		note_times(connection);
	if (connection->resolved == 0)
		return "resolve";
	return connection->connected == 0 ? "connect" : "TLS";
}

/* What libcurl's code says of the step, which is more than its times do. */
static const char *
step_of(CURLcode result)
{
	switch (result)
	{
		case CURLE_COULDNT_RESOLVE_HOST:
			return "resolve";
		case CURLE_COULDNT_CONNECT:
			return "connect";
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CIPHER:
			return "TLS";
		default:
			return NULL;
	}
}

/* libcurl has done its part: from now on we watch the socket. */
static bool
take_over(TcpConnection *connection)
{
	struct epoll_event event = {0};
	curl_socket_t fd = CURL_SOCKET_BAD;
	char	   *address = NULL;

	if (curl_easy_getinfo(connection->easy, CURLINFO_ACTIVESOCKET,
						  &fd) != CURLE_OK || fd == CURL_SOCKET_BAD)
		return false;
	(void) curl_easy_getinfo(connection->easy, CURLINFO_PRIMARY_IP, &address);
	strlcpy(connection->address, address ? address : "",
			sizeof(connection->address));
	event.data.u64 = ((uint64) connection->id << 32) | (uint32) fd;
	event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
	if (epoll_ctl(connection->epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0 &&
		epoll_ctl(connection->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		return false;
	connection->stage = TCP_CONNECTED;
	connection->readable = connection->writable = true;
	connection->timer = -1;
	return true;
}

bool
tcp_connection_advance(TcpConnection *connection)
{
	CURLMsg    *msg;
	CURLcode	result = CURLE_FAILED_INIT;
	int			left;

	if (connection->timer >= 0 && connection->timer <= tcp_now())
	{
		connection->timer = -1;
		drive(connection, CURL_SOCKET_TIMEOUT, 0);
	}
	msg = curl_multi_info_read(connection->multi, &left);
	if (msg == NULL || msg->msg != CURLMSG_DONE)
		return true;
	result = msg->data.result;
	note_times(connection);
	if (result == CURLE_OK && take_over(connection))
		return true;
	tcp_connection_note_failure(connection, result);
	connection->failed_step = step_of(result);
	return false;
}
