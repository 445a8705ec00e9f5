/*-------------------------------------------------------------------------
 *
 * http_test.c
 *		Can a provider be reached over HTTP, and does it take our credentials?
 *
 * One HEAD of the path of a service, with everything that a message would
 * have: name, addresses, certificates, user and password.  No server carries
 * anything out for that.  libcurl tells afterwards how far it came, and when.
 *
 * Unlike a sender's link this runs in a backend that somebody may cancel, so
 * it waits for its own latch and for libcurl's sockets together.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "compat.h"
#include "held.h"
#include "http_exchange.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

/* Sockets that are looked at in one go; there is hardly more than one. */
#define EVENTS 16

typedef struct HttpTest
{
	CURLM	   *multi;
	int			epoll_fd;
	TimestampTz timer;			/* when libcurl wants a call; 0 = never */
	TimestampTz started;
	TimestampTz connected;		/* libcurl began to read; 0 = it never did */
	HttpExchange *exchange;
	bool		tls;
} HttpTest;

/* ------------------------------------------------------------------------
 * Callbacks of libcurl
 * ------------------------------------------------------------------------
 */

/*
 * For libcurl: which sockets to wait for.  The first that is to be read from
 * has connected.
 */
static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	HttpTest   *test = arg;
	struct epoll_event event = {0};

	if ((what & CURL_POLL_IN) && test->connected == 0)
		test->connected = GetCurrentTimestamp();
	event.data.fd = fd;
	if (what == CURL_POLL_REMOVE)
		(void) epoll_ctl(test->epoll_fd, EPOLL_CTL_DEL, fd, &event);
	if (what != CURL_POLL_OUT)
		event.events |= EPOLLIN;
	if (what != CURL_POLL_IN)
		event.events |= EPOLLOUT;
	if (what != CURL_POLL_REMOVE &&
		epoll_ctl(test->epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0 &&
		epoll_ctl(test->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		return -1;
	return 0;
}

static int
set_timer(CURLM *multi, long timeout_ms, void *arg)
{
	HttpTest   *test = arg;

	test->timer = timeout_ms < 0 ? 0 :
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout_ms);
	return 0;
}

/* ------------------------------------------------------------------------
 * Running
 * ------------------------------------------------------------------------
 */
static void
release_multi(void *handle)
{
	(void) curl_multi_cleanup(handle);
}

/*
 * A test that is ready to go, owned by the current memory context, which
 * releases last what is made first.
 */
static HttpTest *
test_new(const CasSettings *settings, const char *url)
{
	HttpTest   *test = palloc0(sizeof(HttpTest));
	Held	   *held_epoll = held_new_descriptor();
	Held	   *held_multi = held_new(release_multi);
	CURL	   *easy;

	http_start();
	test->tls = pg_strncasecmp(url, "https:", 6) == 0;
	test->epoll_fd = held_keep_descriptor(held_epoll,
										  epoll_create1(EPOLL_CLOEXEC),
										  "epoll set");
	test->multi = held_keep(held_multi, curl_multi_init(), "HTTP test");
	test->exchange = http_exchange_new(settings);
	easy = test->exchange->easy;
	if (curl_multi_setopt(test->multi, CURLMOPT_SOCKETFUNCTION,
						  watch_socket) != CURLM_OK ||
		curl_multi_setopt(test->multi, CURLMOPT_SOCKETDATA,
						  test) != CURLM_OK ||
		curl_multi_setopt(test->multi, CURLMOPT_TIMERFUNCTION,
						  set_timer) != CURLM_OK ||
		curl_multi_setopt(test->multi, CURLMOPT_TIMERDATA,
						  test) != CURLM_OK ||
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L) != CURLE_OK ||
		curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK ||
		curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
						 (long) cas_option_int(settings, "timeout")) != CURLE_OK)
		elog(ERROR, "libcurl refuses the settings of a test");
	return test;
}

static int
curl_events(uint32 events)
{
	return (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
		(events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		(events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
}

/*
 * Lets libcurl work.  It may start a thread that resolves a name, which
 * inherits our signal mask: signals of the server are for the main thread.
 */
static void
drive(HttpTest *test)
{
	struct epoll_event events[EVENTS];
	sigset_t	mask;
	int			running;
	int			n;

	sigprocmask(SIG_BLOCK, &BlockSig, &mask);
	n = epoll_wait(test->epoll_fd, events, EVENTS, 0);
	for (int i = 0; i < n; i++)
		(void) curl_multi_socket_action(test->multi, events[i].data.fd,
										curl_events(events[i].events),
										&running);
	if (test->timer != 0 && test->timer <= GetCurrentTimestamp())
	{
		test->timer = 0;
		(void) curl_multi_socket_action(test->multi, CURL_SOCKET_TIMEOUT, 0,
										&running);
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* Has libcurl done with it?  Keeps its result. */
static bool
is_over(HttpTest *test)
{
	CURLMsg    *msg;
	int			left;

	while ((msg = curl_multi_info_read(test->multi, &left)) != NULL)
	{
		if (msg->msg != CURLMSG_DONE)
			continue;
		test->exchange->result = msg->data.result;
		(void) curl_multi_remove_handle(test->multi, test->exchange->easy);
		return true;
	}
	return false;
}

/* Waits on the latch and the sockets until the test is over. */
static void
run(HttpTest *test)
{
	static uint32 event_name = 0;

	if (event_name == 0)
		event_name = compat_wait_event("ProvreqTestConnection");
	test->started = GetCurrentTimestamp();
	if (curl_multi_add_handle(test->multi, test->exchange->easy) != CURLM_OK)
		elog(ERROR, "libcurl refuses a test");
	for (;;)
	{
		long		timeout = -1;
		int			events = WL_LATCH_SET | WL_SOCKET_READABLE |
		WL_EXIT_ON_PM_DEATH;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		drive(test);
		if (is_over(test))
			return;
		if (test->timer != 0)
		{
			timeout = TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
													  test->timer);
			events |= WL_TIMEOUT;
		}
		(void) WaitLatchOrSocket(MyLatch, events, test->epoll_fd, timeout,
								 event_name);
	}
}

/* ------------------------------------------------------------------------
 * What it showed
 * ------------------------------------------------------------------------
 */
static int64
time_of(const HttpTest *test, CURLINFO info)
{
	curl_off_t	microseconds = 0;

	(void) curl_easy_getinfo(test->exchange->easy, info, &microseconds);
	return microseconds;
}

static List *
add_step(List *steps, const char *name, bool ok, const char *detail,
		 int64 microseconds)
{
	CasStep    *step = palloc(sizeof(CasStep));

	step->name = name;
	step->ok = ok;
	step->detail = pstrdup(detail);
	step->microseconds = Max(microseconds, 0);
	return lappend(steps, step);
}

/* The peer's address, for a connection that was made. */
static const char *
peer(const HttpTest *test)
{
	char	   *address = NULL;
	long		port = 0;

	(void) curl_easy_getinfo(test->exchange->easy, CURLINFO_PRIMARY_IP,
							 &address);
	(void) curl_easy_getinfo(test->exchange->easy, CURLINFO_PRIMARY_PORT,
							 &port);
	return psprintf("%s port %ld", address ? address : "?", port);
}

static List *
add_login(List *steps, const HttpTest *test, const CasReply *reply,
		  const char *username, int64 microseconds)
{
	bool		answered = reply->status == CAS_ANSWERED;
	bool		refused = reply->code == 401 || reply->code == 403;
	const char *detail = reply->failure;

	if (answered && refused)
		detail = psprintf("HTTP %d: %s", reply->code, username ?
						  "user name and password are not accepted" :
						  "a user name and password are needed");
	else if (answered)
		detail = psprintf("HTTP %d%s", reply->code, username ?
						  ": reached with user name and password" :
						  ": reached without a user name");
	return add_step(steps, "login", answered && !refused,
					detail ? detail : "no answer", microseconds);
}

/* Is it TLS that failed? */
static bool
is_tls_failure(CURLcode result)
{
	static const CURLcode failures[] = {
		CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION,
		CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_ENGINE_NOTFOUND,
		CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_ENGINE_INITFAILED,
		CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CRL_BADFILE,
		CURLE_SSL_ISSUER_ERROR, CURLE_SSL_PINNEDPUBKEYNOTMATCH,
		CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CLIENTCERT
	};

	for (int i = 0; i < lengthof(failures); i++)
		if (failures[i] == result)
			return true;
	return false;
}

/*
 * When the connection was there, in microseconds; 0 = never.  Of one on which
 * TLS failed libcurl does not tell.
 */
static int64
connect_time(const HttpTest *test)
{
	int64		connected = time_of(test, CURLINFO_CONNECT_TIME_T);

	if (connected == 0 && test->tls &&
		(test->connected != 0 || is_tls_failure(test->exchange->result)))
		connected = Max(test->connected - test->started, 1);
	return connected;
}

/* The steps, up to the first one that failed. */
static List *
steps_of(const HttpTest *test, const CasReply *reply, const char *username)
{
	int64		total = time_of(test, CURLINFO_TOTAL_TIME_T);
	int64		resolved = time_of(test, CURLINFO_NAMELOOKUP_TIME_T);
	int64		connected = connect_time(test);
	int64		secured = time_of(test, CURLINFO_APPCONNECT_TIME_T);
	const char *failure = reply->failure ? reply->failure : "no answer";
	List	   *steps = NIL;

	if (resolved == 0 && connected == 0)
		return add_step(steps, "resolve", false, failure, total);
	steps = add_step(steps, "resolve", true, "the name has an address",
					 resolved);
	if (connected == 0)
		return add_step(steps, "connect", false, failure, total - resolved);
	steps = add_step(steps, "connect", true, peer(test),
					 connected - resolved);
	if (test->tls && secured == 0)
		return add_step(steps, "tls", false, failure, total - connected);
	if (test->tls)
		steps = add_step(steps, "tls", true, "the certificate is good",
						 secured - connected);
	return add_login(steps, test, reply, username,
					 total - Max(connected, secured));
}

List *
http_test(const CasSettings *settings)
{
	const CasAdapter *adapter = settings->adapter;
	const char *target = adapter->test_target ?
	adapter->test_target(settings) : "/";
	HttpTest   *test = test_new(settings,
								psprintf("%s%s", http_base(settings), target));
	CasReply	reply = {0};

	run(test);
	http_exchange_reply(test->exchange, &reply);
	return steps_of(test, &reply, cas_option(settings, "username"));
}
