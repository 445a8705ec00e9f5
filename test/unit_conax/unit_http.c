/*-------------------------------------------------------------------------
 *
 * unit_http.c
 *		The HTTP transport against a peer that misbehaves.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "http.h"
#include "unit.h"
#include "unit_http.h"
#include "unit_peer.h"
#include "utils/memutils.h"

int64
unit_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

CasSettings *
unit_http_settings(int port)
{
	CasSettings *settings = unit_settings(NULL);

	unit_set(settings, "url", psprintf("http://127.0.0.1:%d", port));
	unit_set(settings, "allow_plaintext", "true");
	unit_set(settings, "timeout", "5s");
	return settings;
}

void
unit_submit(CasLink *link, int serial)
{
	CasMessage	message = {0};

	message.data = psprintf("<a>serial=%d.</a>", serial);
	message.len = strlen(message.data);
	message.target = "/path";
	message.headers = "Content-Type: text/xml\nSOAPAction: \"\"\n";
	http_transport.submit(link, &message, serial);
}

int
unit_process(CasLink *link, CasReply *replies, int max)
{
	int64		end = unit_clock() + PATIENCE;
	int			n;

	while ((n = http_transport.process(link, replies, max)) == 0 &&
		   unit_clock() < end)
	{
		struct pollfd pollfd = {http_transport.socket(link), POLLIN, 0};
		long		timeout = http_transport.timeout(link);

		if (timeout < 0 || timeout > PATIENCE)
			timeout = PATIENCE;
		poll(&pollfd, 1, (int) timeout);
	}
	return n;
}

/* One message and its reply, which is valid until the next one. */
static CasReply
exchange(CasLink *link, int serial)
{
	CasReply	reply = {0};

	unit_submit(link, serial);
	if (unit_process(link, &reply, 1) != 1)
		reply.failure = "NO REPLY";
	return reply;
}

bool
unit_answered(const CasReply *reply)
{
	char	   *expected = psprintf("<a>serial=%d.</a>", (int) reply->tag);

	return reply->status == CAS_ANSWERED && reply->code == 200 &&
		reply->len == strlen(expected) &&
		memcmp(reply->data, expected, reply->len) == 0;
}

/* Did any message come whole more than once? */
static bool
doubled(const Peer * peer)
{
	for (int i = 0; i < PEER_MAX_SERIAL; i++)
		if (peer->ledger->seen[i] > 1)
			return true;
	return false;
}

static void
test_answers_and_reuse(void)
{
	Peer	   *peer = peer_start(PEER_ANSWERS);
	CasSettings *settings = unit_http_settings(peer->port);
	CasLink    *link;
	bool		good = true;
	const char *head;

	unit_set(settings, "username", "m\xC3\xBC" "ller");
	unit_set(settings, "password", "geheim");
	link = http_transport.open(settings);
	for (int i = 1; i <= 100; i++)
	{
		CasReply	reply = exchange(link, i);

		good = good && unit_answered(&reply) && reply.tag == i;
	}
	ok(good, "100 messages get their answers");
	ok(peer->ledger->connections == 1, "on one connection");
	head = (const char *) peer->ledger->head;
	has(head, "POST /path HTTP/1.1\r\n", "the request line is right");
	has(head, "SOAPAction: \"\"\r\n", "SOAPAction is there");
	has(head, "Content-Type: text/xml\r\n", "the content type is there");
	has(head, "Authorization: Basic bcO8bGxlcjpnZWhlaW0=\r\n",
		"credentials go out in UTF-8");
	ok(strstr(head, "Expect") == NULL, "Expect is not there");
	peer_stop(peer);
}

static void
test_many_at_once(void)
{
	Peer	   *peer = peer_start(PEER_ANSWERS);
	CasLink    *link = http_transport.open(unit_http_settings(peer->port));
	int			sent = 0;
	int			good = 0;
	int			most = 0;

	ok(http_transport.capacity(link) == 16, "16 messages fit in");
	while (good < 2000)
	{
		CasReply	replies[5];
		int			n;

		while (http_transport.capacity(link) > 0 && sent < 2000)
			unit_submit(link, ++sent);
		most = Max(most, sent - good);
		n = unit_process(link, replies, lengthof(replies));
		if (n == 0)
			break;
		for (int i = 0; i < n; i++)
			good += unit_answered(&replies[i]) ? 1 : 0;
	}
	ok(good == 2000 && !doubled(peer), "2000 messages, 16 at a time, once each");
	ok(most == 16, "never more at once");
	ok(peer->ledger->connections <= 16, "on at most 16 connections");
	ok(http_transport.capacity(link) == 16, "all room is given back");
	peer_stop(peer);
}

/*
 * The heart of it: a kept connection that dies when the next request is on
 * it.  The peer has read that request; it must not get it again.
 */
static void
test_death_after_reuse(PeerManner manner, const char *called)
{
	Peer	   *peer = peer_start(manner);
	CasLink    *link = http_transport.open(unit_http_settings(peer->port));
	CasReply	reply = exchange(link, 1);

	ok(unit_answered(&reply), "%s: the first message is answered",
	   called);
	reply = exchange(link, 2);
	ok(reply.status == CAS_NO_ANSWER, "%s: the second is in doubt", called);
	ok(reply.failure && strcmp(reply.failure, "NO REPLY") != 0,
	   "%s: for a reason: %s", called, reply.failure);
	ok(peer->ledger->seen[2] <= 1 && !doubled(peer),
	   "%s: and was not sent twice", called);
	reply = exchange(link, 3);
	ok(unit_answered(&reply) && reply.tag == 3,
	   "%s: the next goes out on a new connection", called);
	peer_stop(peer);
}

/* Many in flight while each second request on a connection dies. */
static void
test_death_at_speed(PeerManner manner, const char *called)
{
	Peer	   *peer = peer_start(manner);
	CasLink    *link = http_transport.open(unit_http_settings(peer->port));
	int			sent = 0;
	int			done = 0;
	int			answered = 0;
	int			unsent_but_seen = 0;

	while (done < 1000)
	{
		CasReply	replies[8];
		int			n;

		while (http_transport.capacity(link) > 0 && sent < 1000)
			unit_submit(link, ++sent);
		n = unit_process(link, replies, lengthof(replies));
		if (n == 0)
			break;
		for (int i = 0; i < n; i++)
		{
			if (unit_answered(&replies[i]))
				answered++;
			if (replies[i].status == CAS_NOT_SENT &&
				peer->ledger->seen[replies[i].tag] > 0)
				unsent_but_seen++;
		}
		done += n;
	}
	ok(done == 1000 && answered >= 400, "%s: 1000 messages have replies, %d answers",
	   called, answered);
	ok(!doubled(peer), "%s: none was sent twice", called);
	ok(unsent_but_seen == 0, "%s: none that came was called not sent",
	   called);
	peer_stop(peer);
}

/* A connection that was closed while nothing was on it costs nothing. */
static void
test_idle_close(void)
{
	Peer	   *peer = peer_start(PEER_CLOSES_IDLE);
	CasLink    *link = http_transport.open(unit_http_settings(peer->port));
	int			good = 0;
	int			doubtful = 0;

	for (int i = 1; i <= 200; i++)
	{
		CasReply	reply = exchange(link, i);

		good += unit_answered(&reply) ? 1 : 0;
		doubtful += reply.status == CAS_NO_ANSWER ? 1 : 0;
	}
	ok(good + doubtful == 200 && good >= 100,
	   "connections closed between messages: %d answers, %d in doubt",
	   good, doubtful);
	ok(!doubled(peer), "and none was sent twice");
	peer_stop(peer);
}

static CasReply
single(PeerManner manner, CasSettings *settings, Peer * *peer)
{
	CasLink    *link;

	*peer = peer_start(manner);
	unit_set(settings, "url", psprintf("http://127.0.0.1:%d", (*peer)->port));
	link = http_transport.open(settings);
	return exchange(link, 1);
}

static void
test_bad_answers(void)
{
	CasSettings *settings = unit_http_settings(0);
	Peer	   *peer;
	CasReply	reply = single(PEER_HALF, settings, &peer);

	ok(reply.status == CAS_NO_ANSWER && reply.len == 4 &&
	   memcmp(reply.data, "half", 4) == 0, "half an answer is none, but kept");
	peer_stop(peer);
	reply = single(PEER_OVERSIZED, settings, &peer);
	ok(reply.status == CAS_NO_ANSWER && reply.len <= 1048576,
	   "an oversized answer is none");
	is(reply.failure, "the answer is bigger than 1048576 bytes",
	   "for that reason");
	peer_stop(peer);
	reply = single(PEER_CLOSES_AFTER_FIRST, settings, &peer);
	ok(reply.status == CAS_NO_ANSWER, "a closed connection is no answer");
	ok(peer->ledger->complete == 1, "and the message went out once");
	peer_stop(peer);
	reply = single(PEER_REDIRECTS, settings, &peer);
	ok(reply.status == CAS_ANSWERED && reply.code == 307 &&
	   peer->ledger->elsewhere == 0, "a redirect is not followed");
	peer_stop(peer);
	reply = single(PEER_EARLY, settings, &peer);
	ok((reply.status == CAS_ANSWERED && reply.code == 401) ||
	   reply.status == CAS_NO_ANSWER, "an answer may come early");
	peer_stop(peer);
	reply = single(PEER_CHUNKED, settings, &peer);
	ok(unit_answered(&reply), "a chunked answer is whole");
	peer_stop(peer);
}

static void
test_hang(void)
{
	CasSettings *settings = unit_http_settings(0);
	int64		start = unit_clock();
	Peer	   *peer;
	CasReply	reply;

	unit_set(settings, "timeout", "300ms");
	reply = single(PEER_HANGS, settings, &peer);
	ok(reply.status == CAS_NO_ANSWER && unit_clock() - start >= 300 &&
	   unit_clock() - start < PATIENCE,
	   "a hanging peer is left after the timeout");
	is(reply.failure, "no answer within 300 ms", "for that reason");
	peer_stop(peer);
}

/* Bytes that nobody asked for must not become the answer to the next one. */
static void
test_second_answers(PeerManner manner, const char *called)
{
	Peer	   *peer = peer_start(manner);
	CasLink    *link = http_transport.open(unit_http_settings(peer->port));
	int			wrong = 0;

	for (int i = 1; i <= 20; i++)
	{
		CasReply	reply = exchange(link, i);
		int64		end = unit_clock() + PATIENCE;

		if (reply.status == CAS_ANSWERED && !unit_answered(&reply))
			wrong++;
		while (peer->ledger->answers < 2 * peer->ledger->complete &&
			   unit_clock() < end)
			poll(NULL, 0, 1);
	}
	ok(wrong == 0, "%s: never taken for the answer to another message (%d)",
	   called, wrong);
	peer_stop(peer);
}

static void
test_not_sent(void)
{
	Peer	   *peer = peer_start(PEER_ANSWERS);
	CasSettings *settings = unit_http_settings(peer->port);
	CasReply	reply;
	int			fd;

	unit_set(settings, "url", psprintf("https://127.0.0.1:%d", peer->port));
	unit_set(settings, "connect_timeout", "300ms");
	reply = exchange(http_transport.open(settings), 1);
	ok(reply.status == CAS_NOT_SENT && peer->ledger->complete == 0,
	   "no TLS, nothing sent: %s", reply.failure);
	unit_set(settings, "allow_plaintext", "false");
	unit_set(settings, "url", psprintf("http://127.0.0.1:%d", peer->port));
	reply = exchange(http_transport.open(settings), 1);
	ok(reply.status == CAS_NOT_SENT && peer->ledger->heads == 0,
	   "plaintext is not used unless allowed: %s", reply.failure);
	peer_stop(peer);
	settings = unit_http_settings(peer_nowhere(&fd));
	reply = exchange(http_transport.open(settings), 1);
	ok(reply.status == CAS_NOT_SENT && reply.code == 0,
	   "a refused connection, nothing sent: %s", reply.failure);
	close(fd);
}

/* Sockets and epoll sets: the server opens and closes files of its own. */
static int
open_descriptors(void)
{
	DIR		   *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int			n = 0;

	while ((entry = readdir(dir)) != NULL)
	{
		char		target[64] = "";

		if (readlinkat(dirfd(dir), entry->d_name, target,
					   sizeof(target) - 1) > 0 &&
			(strncmp(target, "socket:", 7) == 0 ||
			 strcmp(target, "anon_inode:[eventpoll]") == 0))
			n++;
	}
	closedir(dir);
	return n;
}

/* A link goes with its memory context, also with messages on their way. */
static void
test_reset(void)
{
	Peer	   *peer = peer_start(PEER_HANGS);
	int			before = open_descriptors();
	int			after;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "link",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	CasLink    *link = http_transport.open(unit_http_settings(peer->port));
	CasReply	reply;
	int64		end = unit_clock() + PATIENCE;

	for (int i = 1; i <= 10; i++)
		unit_submit(link, i);
	while (peer->ledger->complete < 10 && unit_clock() < end)
	{
		(void) http_transport.process(link, &reply, 1);
		poll(NULL, 0, 1);
	}
	ok(open_descriptors() >= before + 11, "ten connections and an epoll set");
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	after = open_descriptors();
	ok(after == before, "are closed with their memory context (%d, %d)",
	   before, after);
	peer_stop(peer);
}

void
test_http(void)
{
	test_answers_and_reuse();
	test_many_at_once();
	test_death_after_reuse(PEER_CLOSES_AFTER_SECOND, "closed");
	test_death_after_reuse(PEER_RESETS_AFTER_SECOND, "reset");
	test_death_at_speed(PEER_CLOSES_AFTER_SECOND, "closed at speed");
	test_death_at_speed(PEER_RESETS_AFTER_SECOND, "reset at speed");
	test_death_at_speed(PEER_CLOSES_AFTER_HEAD, "head only at speed");
	test_idle_close();
	test_bad_answers();
	test_hang();
	test_second_answers(PEER_TWO_ANSWERS, "two answers");
	test_second_answers(PEER_LATE_SECOND_ANSWER, "a late second answer");
	test_not_sent();
	test_reset();
}
