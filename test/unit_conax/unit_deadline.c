/*-------------------------------------------------------------------------
 *
 * unit_deadline.c
 *		The time that an HTTP exchange may take, also when nobody looks.
 *
 * A stall of the sender is made by not calling process: the peer answers
 * when it is told to, and the test goes on when the answers have arrived and
 * the time is over.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http.h"
#include "unit.h"
#include "unit_http.h"
#include "unit_peer.h"

#define MANY 128

/* Messages that the peer has read and holds its answers to back. */
typedef struct Stall
{
	Peer	   *peer;
	CasLink    *link;
	int			timeout;
	int64		end;			/* when the last of them is overdue */
}			Stall;

/* How many sockets the transport is told of at a time. */
static int	most_events = PG_INT32_MAX;

/* What src/http.c calls for epoll_wait here: see the Makefile. */
int
unit_epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
	return epoll_wait(fd, events, Min(max, most_events), timeout);
}

/* libcurl's own timers are far away. */
static CasLink *
link_with_timeout(Peer * peer, int connections, int timeout)
{
	CasSettings *settings = unit_http_settings(peer->port);

	unit_set(settings, "connections", psprintf("%d", connections));
	unit_set(settings, "timeout", psprintf("%dms", timeout));
	unit_set(settings, "connect_timeout", psprintf("%dms", 2 * PATIENCE));
	return http_transport.open(settings);
}

/*
 * False if time was over before the peer had read all.  Goes on for more than
 * 200 ms: libcurl has timers from connecting, and reads when they run out.
 */
static bool
try_to_bring(Stall * stall, int n)
{
	CasReply	reply;
	int64		quiet = unit_clock() + stall->timeout / 2;

	for (int i = 1; i <= n; i++)
		unit_submit(stall->link, i);
	stall->end = unit_clock() + stall->timeout + 2;
	while (stall->peer->ledger->complete < n || unit_clock() < quiet)
	{
		if (http_transport.process(stall->link, &reply, 1) > 0)
			return false;
		poll(NULL, 0, 1);
	}
	return true;
}

/* Messages 1 to n at the peer; a busy machine gets all the time it needs. */
static Stall
bring(int n)
{
	Stall		stall = {0};

	for (stall.timeout = 500; stall.timeout < PATIENCE; stall.timeout *= 2)
	{
		stall.peer = peer_start(PEER_WAITS);
		stall.link = link_with_timeout(stall.peer, MANY, stall.timeout);
		if (try_to_bring(&stall, n))
			break;
		peer_stop(stall.peer);
	}
	return stall;
}

/* Answers to 1 to n arrive, then time is over, and process is not called. */
static void
stall_until_overdue(Stall * stall, int n)
{
	int64		patience = unit_clock() + 2 * PATIENCE;

	stall->peer->ledger->word = n;
	while ((stall->peer->ledger->answers < n || unit_clock() <= stall->end) &&
		   unit_clock() < patience)
		poll(NULL, 0, 1);
}

static bool
answered_at_length(const CasReply *reply)
{
	char	   *expected = psprintf("<a>serial=%d.</a> ", (int) reply->tag);

	return reply->status == CAS_ANSWERED && reply->code == 200 &&
		reply->len == PEER_LONG_ANSWER &&
		memcmp(reply->data, expected, strlen(expected)) == 0;
}

/* One socket at a time stands for all that needs more than one look. */
static void
test_answers_that_waited(int events)
{
	Stall		stall = bring(MANY);
	CasReply	replies[MANY];
	int			good = 0;
	int			n;

	stall_until_overdue(&stall, MANY);
	most_events = events;
	n = http_transport.process(stall.link, replies, MANY);
	most_events = PG_INT32_MAX;
	for (int i = 0; i < n; i++)
		good += answered_at_length(&replies[i]) ? 1 : 0;
	ok(n == MANY && good == MANY,
	   "answers that came while nobody looked are answers (%d of %d), %s",
	   good, n, events == 1 ? "read one by one" : "read in one go");
	peer_stop(stall.peer);
}

/* Half have their answers; the other half's come when time is over. */
static void
test_half_answered(void)
{
	Stall		stall = bring(MANY);
	CasReply	replies[MANY];
	int			good = 0;
	int			expired = 0;
	int			wrong = 0;
	char	   *failure = psprintf("no answer within %d ms", stall.timeout);
	int			n;

	stall_until_overdue(&stall, MANY / 2);
	n = http_transport.process(stall.link, replies, MANY);
	for (int i = 0; i < n; i++)
		if (replies[i].tag <= MANY / 2)
			good += answered_at_length(&replies[i]) ? 1 : 0;
		else if (replies[i].status == CAS_NO_ANSWER)
			expired += strcmp(replies[i].failure, failure) == 0 ? 1 : 0;
	ok(good == MANY / 2 && expired == MANY / 2,
	   "of many, those without an answer expire (%d, %d)", good, expired);
	ok(http_transport.capacity(stall.link) == MANY, "all room is given back");
	stall_until_overdue(&stall, MANY);
	for (int i = 1; i <= MANY; i++)
		unit_submit(stall.link, i);
	for (int done = 0; done < MANY; done += n)
	{
		n = unit_process(stall.link, replies, MANY);
		if (n == 0)
			break;
		for (int i = 0; i < n; i++)
			if (replies[i].status == CAS_ANSWERED &&
				!answered_at_length(&replies[i]))
				wrong++;
	}
	ok(n > 0 && wrong == 0, "late answers are nobody's, of many (%d)", wrong);
	peer_stop(stall.peer);
}

/* Uneven messages expire, then their answers come, then even ones go out. */
static void
test_late_answers(void)
{
	Peer	   *peer = peer_start(PEER_WAITS);
	CasLink    *link = link_with_timeout(peer, 1, 200);
	int64		end = unit_clock() + PATIENCE;
	int			good = 0;
	int			wrong = 0;

	for (int serial = 1; good < 5 && unit_clock() < end; serial += 2)
	{
		CasReply	reply = {0};
		int			complete = peer->ledger->complete;

		unit_submit(link, serial);
		if (unit_process(link, &reply, 1) != 1 ||
			reply.status == CAS_ANSWERED)
			wrong++;
		peer->ledger->word = serial + 1;
		while (peer->ledger->answers < peer->ledger->complete &&
			   unit_clock() < end)
			poll(NULL, 0, 1);
		unit_submit(link, serial + 1);
		if (unit_process(link, &reply, 1) != 1 ||
			reply.tag != serial + 1 ||
			(reply.status == CAS_ANSWERED && !answered_at_length(&reply)))
			wrong++;
		else if (reply.status == CAS_ANSWERED &&
				 peer->ledger->complete == complete + 2)
			good++;
	}
	ok(good == 5 && wrong == 0,
	   "a late answer is never taken for the next one's (%d, %d)", good,
	   wrong);
	peer_stop(peer);
}

/*
 * Submits two messages, the second when a fifth of the first one's time is
 * over.  False if all of it was over before the peer had read both.
 */
static bool
two_in_turn(CasLink *link, Peer * peer, int timeout, int64 *submitted)
{
	CasReply	reply;
	int64		second = unit_clock() + timeout / 5;

	submitted[0] = unit_clock();
	unit_submit(link, 0);
	while (peer->ledger->complete < 1 || unit_clock() < second)
	{
		if (http_transport.process(link, &reply, 1) > 0)
			return false;
		poll(NULL, 0, 1);
	}
	submitted[1] = unit_clock();
	unit_submit(link, 1);
	while (peer->ledger->complete < 2)
	{
		if (http_transport.process(link, &reply, 1) > 0)
			return false;
		poll(NULL, 0, 1);
	}
	return true;
}

static void
test_each_at_its_time(void)
{
	int64		submitted[2];

	for (int timeout = 300; timeout < PATIENCE; timeout *= 2)
	{
		Peer	   *peer = peer_start(PEER_HANGS);
		CasLink    *link = link_with_timeout(peer, 2, timeout);
		bool		brought = two_in_turn(link, peer, timeout, submitted);

		for (int i = 0; brought && i < 2; i++)
		{
			CasReply	reply = {0};

			ok(http_transport.timeout(link) >= 0 &&
			   http_transport.timeout(link) <= timeout + 1,
			   "number %d: the next call is wanted in time", i);
			ok(unit_process(link, &reply, 1) == 1 && reply.tag == i &&
			   reply.status == CAS_NO_ANSWER &&
			   unit_clock() >= submitted[i] + timeout &&
			   unit_clock() < submitted[i] + PATIENCE,
			   "number %d expires at its own time", i);
		}
		peer_stop(peer);
		if (brought)
			return;
	}
	ok(false, "two messages come to the peer");
}

/*
 * A port where connections are neither taken nor refused: nobody accepts, and
 * the queue is full when as many as are tried here came first.
 */
static int
full_port(int *fds, int nfds)
{
	struct sockaddr_in address = {0};
	int			port = peer_nowhere(&fds[0]);

	if (listen(fds[0], 0) != 0)
		elog(ERROR, "could not listen: %m");
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons(port);
	for (int i = 1; i < nfds; i++)
	{
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void) connect(fds[i], (struct sockaddr *) &address,
					   sizeof(address));
	}
	return port;
}

static void
test_no_connection_in_time(void)
{
	int			fds[8];
	Peer		peer = {.port = full_port(fds, lengthof(fds))};
	CasLink    *link = link_with_timeout(&peer, 1, 300);
	CasReply	reply = {0};

	unit_submit(link, 1);
	ok(unit_process(link, &reply, 1) == 1 && reply.status == CAS_NOT_SENT,
	   "without a connection in time, nothing is sent");
	is(reply.failure, "nothing could be sent within 300 ms",
	   "for that reason");
	for (int i = 0; i < lengthof(fds); i++)
		close(fds[i]);
}

/* What nobody had time to send would be in doubt when it left now. */
static void
test_nothing_leaves_late(bool connected)
{
	Peer	   *peer = peer_start(PEER_ANSWERS);
	CasLink    *link = link_with_timeout(peer, 1, 1000);
	const char *called = connected ? "connected" : "not connected";
	CasReply	reply = {0};
	int64		end;

	while (connected && reply.status != CAS_ANSWERED)
	{
		unit_submit(link, 1);
		if (unit_process(link, &reply, 1) != 1)
			break;
	}
	unit_submit(link, 2);
	end = unit_clock() + 1002;
	while (unit_clock() < end)
		poll(NULL, 0, (int) (end - unit_clock()));
	ok(http_transport.process(link, &reply, 1) == 1 && reply.tag == 2 &&
	   reply.status == CAS_NOT_SENT,
	   "%s: what could not leave in time is not sent", called);
	unit_submit(link, 3);
	ok(unit_process(link, &reply, 1) == 1 && reply.tag == 3 &&
	   peer->ledger->seen[2] == 0, "%s: nor does it leave later", called);
	peer_stop(peer);
}

void
test_deadlines(void)
{
	test_answers_that_waited(PG_INT32_MAX);
	test_answers_that_waited(1);
	test_half_answered();
	test_late_answers();
	test_each_at_its_time();
	test_no_connection_in_time();
	test_nothing_leaves_late(false);
	test_nothing_leaves_late(true);
}
