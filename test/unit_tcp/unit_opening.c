/*-------------------------------------------------------------------------
 *
 * unit_opening.c
 *		How a link comes to be open, or does not.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <poll.h>
#include <unistd.h>

#include "tcp_link.h"
#include "unit.h"
#include "utils/memutils.h"

static void
test_checks_at_start(void)
{
	Peer	   *peer = peer_start(PEER_ANSWERS, NULL, NULL);
	CasLinkRules *rules = unit_rules(peer->port);
	CasLink    *link;
	CasReply	replies[16];
	int			good = 0;

	rules->checks_at_start = 3;
	peer->ledger->checks_at_start = 3;
	link = unit_open(rules);
	for (int i = 1; i <= 16; i++)
		unit_submit(link, i, 0);
	ok(tcp_transport.capacity(link) == 0, "messages wait while it opens");
	while (good < 16 && unit_process(link, replies, 1) == 1)
		good += unit_answered(&replies[0], replies[0].tag) ? 1 : 0;
	ok(good == 16, "all of them go out then");
	ok(peer->ledger->checks == 3 && peer->ledger->early == 0,
	   "after the checks at the start");
	ok(peer->ledger->shrinking == 0, "which have lower numbers");
	peer_stop(peer);
}

/* A first message that cannot go, and for what reason. */
static void
fails(CasLinkRules *rules, const char *reason, const char *name)
{
	CasReply	reply = unit_exchange(unit_open(rules), 1);

	ok(reply.status == CAS_NOT_SENT && reply.tag == 1, "%s: not sent", name);
	has(reply.failure, reason, psprintf("%s: says why", name));
}

static void
test_refused(void)
{
	Peer	   *peer = peer_start(PEER_REFUSES, NULL, NULL);
	CasLinkRules *rules = unit_rules(peer->port);
	int			fd;

	fails(rules, "hello: refused: not you", "refused at the hello");
	peer->ledger->manner = PEER_CLOSES_AT_ONCE;
	fails(rules, "hello: ",
		  "closed before the hello");
	rules->connect_timeout = 300;
	peer->ledger->manner = PEER_HANGS_AT_HELLO;
	fails(rules, "hello: not done within 300 ms", "no answer to the hello");
	rules->connect_timeout = 5000;
	rules->checks_at_start = 2;
	peer->ledger->manner = PEER_ILL;
	fails(rules, "checks: it is ill", "a bad answer to a check");
	rules->timeout = 300;
	peer->ledger->manner = PEER_HANGS;
	fails(rules, "checks: no answer within 300 ms", "no answer to a check");
	peer->ledger->manner = PEER_NO_FRAME;
	ok(peer->ledger->messages == 0, "nothing but hellos and checks went out");
	peer_stop(peer);
	rules = unit_rules(peer_nowhere(&fd));
	fails(rules, "connect: ", "nobody listens");
	close(fd);
	rules->host = "nowhere.invalid";
	fails(rules, "resolve: ", "no such host");
}

static void
test_tls_refused(void)
{
	Peer	   *peer = peer_start(PEER_ANSWERS, unit_file("wrong.crt"),
								  unit_file("wrong.key"));
	Peer	   *plain = peer_start(PEER_ANSWERS, NULL, NULL);
	CasLinkRules *rules = unit_rules(peer->port);

	rules->tls = true;
	rules->ca_file = unit_file("wrong.crt");
	fails(rules, "TLS: ", "a certificate of another host");
	rules->host = "localhost";
	rules->ca_file = unit_file("server.crt");
	fails(rules, "TLS: ", "a certificate of nobody we trust");
	rules->ca_file = unit_file("no.crt");
	fails(rules, "TLS: ", "no file with authorities");
	ok(peer->ledger->hellos == 0, "nothing was said");
	rules->port = plain->port;
	rules->connect_timeout = 500;
	fails(rules, "TLS: ", "a peer without TLS");
	ok(plain->ledger->hellos == 0, "nothing was said to it either");
	peer_stop(peer);
	peer_stop(plain);
}

static void
open_it(void *arg)
{
	(void) unit_open(arg);
}

static void
test_bad_host(void)
{
	CasLinkRules *rules = unit_rules(1);
	const char *hosts[] = {"a b", "host/path", "user@host", "", "a\nb", "[::1"};

	for (int i = 0; i < lengthof(hosts); i++)
	{
		ErrorData  *error;

		rules->host = hosts[i];
		error = error_of(open_it, rules);
		ok(error && error->sqlerrcode == ERRCODE_INVALID_PARAMETER_VALUE,
		   "\"%s\" is no host", i == 4 ? "a newline" : hosts[i]);
	}
	rules->host = "::1";
	ok(error_of(open_it, rules) == NULL, "a numeric address is a host");
}

/* Refuses for so many ms; how often was it tried? */
static int
tries_within(Peer * peer, CasLink *link, int duration)
{
	int64		end = unit_clock() + duration;
	int			before = peer->ledger->closed;
	int			wrong = 0;
	CasReply	reply;

	while (unit_clock() < end)
	{
		if (tcp_transport.capacity(link) != 0)
			unit_submit(link, 1, 0);
		while (tcp_transport.process(link, &reply, 1) == 1)
			wrong += reply.status != CAS_NOT_SENT ||
				strncmp(reply.failure, "hello: ", 7) != 0 ? 1 : 0;
		poll(NULL, 0, 2);
	}
	ok(wrong == 0, "each message is refused for the link's reason");
	return peer->ledger->closed - before;
}

static void
test_back_off(void)
{
	Peer	   *peer = peer_start(PEER_CLOSES_AT_ONCE, NULL, NULL);
	CasLink    *link = unit_open(unit_rules(peer->port));
	int			tries = tries_within(peer, link, 1500);
	CasReply	reply = {.status = CAS_NOT_SENT};
	char		state[200];
	int64		end = unit_clock() + PATIENCE;

	ok(tries >= 2 && tries <= 5, "ever fewer tries: %d in 1500 ms", tries);
	while (tcp_transport.capacity(link) != 1 && unit_clock() < end)
		(void) unit_exchange(link, 1);
	ok(tcp_transport.capacity(link) == 1, "one message may look how it is");
	tcp_transport.describe(link, state, sizeof(state));
	has(state, "0 of 1 links open, 0 unanswered; cas-a: hello: ",
		"the state says so");
	ok(tcp_transport.timeout(link) == -1, "no call is wanted meanwhile");
	peer->ledger->manner = PEER_ANSWERS;
	while (reply.status != CAS_ANSWERED && unit_clock() < end)
	{
		reply = unit_exchange(link, 2);
		poll(NULL, 0, 2);
	}
	ok(unit_answered(&reply, 2), "a message is tried again, and it works");
	tcp_transport.describe(link, state, sizeof(state));
	is(state, "1 of 1 links open, 0 unanswered", "the state says so");
	peer_stop(peer);
}

/* One that came to work is opened again at once. */
static void
test_reopened(void)
{
	Peer	   *peer = peer_start(PEER_CLOSES_IDLE, NULL, NULL);
	CasLink    *link = unit_open(unit_rules(peer->port));
	int			good = 0;
	int			other = 0;

	for (int i = 1; i <= 100; i++)
	{
		CasReply	reply = unit_exchange(link, i);
		int64		end = unit_clock() + PATIENCE;

		good += unit_answered(&reply, i) ? 1 : 0;
		other += reply.status != CAS_ANSWERED ? 1 : 0;
		while (peer->ledger->closed < i - other && unit_clock() < end)
			poll(NULL, 0, 1);
	}
	ok(good == 100, "a connection that ended between messages harms none: %d",
	   good);
	ok(peer->ledger->connections == 100, "each has a new one");
	peer_stop(peer);
}

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
	Peer	   *peer = peer_start(PEER_DEAF, NULL, NULL);
	int			before = open_descriptors();
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "link",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	CasLink    *link = unit_open(unit_rules(peer->port));

	for (int i = 1; i <= 10; i++)
		unit_submit(link, i, 0);
	unit_until(link, peer->ledger->messages == 10);
	ok(open_descriptors() > before, "a link has sockets");
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	ok(open_descriptors() == before, "they go with its memory context");
	context = AllocSetContextCreate(CurrentMemoryContext, "link",
									ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	link = unit_open(unit_rules(peer->port));
	unit_submit(link, 1, 0);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	ok(open_descriptors() == before, "also while it connects");
	peer_stop(peer);
}

void
test_opening(void)
{
	test_checks_at_start();
	test_refused();
	test_tls_refused();
	test_bad_host();
	test_back_off();
	test_reopened();
	test_reset();
}
