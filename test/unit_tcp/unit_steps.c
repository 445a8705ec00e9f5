/*-------------------------------------------------------------------------
 *
 * unit_steps.c
 *		The test of a provider, step by step.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "miscadmin.h"
#include "tcp_link.h"
#include "unit.h"
#include "utils/memutils.h"

/* "resolve ok, connect failed" */
static char *
summary(List *steps)
{
	StringInfoData str;
	ListCell   *lc;

	initStringInfo(&str);
	foreach(lc, steps)
	{
		CasStep    *step = lfirst(lc);

		appendStringInfo(&str, "%s%s %s", str.len ? ", " : "", step->name,
						 step->ok ? "ok" : "failed");
		if (step->microseconds < 0 || step->detail == NULL ||
			step->detail[0] == '\0')
			appendStringInfoString(&str, " (bad)");
	}
	return str.data;
}

static const char *
last_detail(List *steps)
{
	return ((CasStep *) llast(steps))->detail;
}

void
test_connection_tests(void)
{
	Peer	   *peer = peer_start(PEER_ANSWERS, NULL, NULL);
	Peer	   *secure = peer_start(PEER_ANSWERS, unit_file("server.crt"),
									unit_file("server.key"));
	CasLinkRules *rules = unit_rules(peer->port);
	List	   *steps;
	int			fd;

	rules->checks_at_start = 3;
	steps = tcp_transport.test(unit_settings(rules));
	is(summary(steps), "resolve ok, connect ok, hello ok", "all is well");
	has(((CasStep *) lsecond(steps))->detail,
		psprintf("127.0.0.1 port %d", peer->port), "it says where it got to");
	ok(peer->ledger->checks == 0 && peer->ledger->messages == 0,
	   "nothing but the hello was said");
	peer->ledger->manner = PEER_REFUSES;
	steps = tcp_transport.test(unit_settings(rules));
	is(summary(steps), "resolve ok, connect ok, hello failed", "refused");
	has(last_detail(steps), "refused: not you (link \"cas-a\"; some gateways",
		"it says by what the other side said");
	rules->hello_steps = 0;
	is(summary(tcp_transport.test(unit_settings(rules))),
	   "resolve ok, connect ok", "without a hello");
	rules->hello_steps = 2;
	rules->connect_timeout = 300;
	peer->ledger->manner = PEER_HANGS_AT_HELLO;
	steps = tcp_transport.test(unit_settings(rules));
	is(summary(steps), "resolve ok, connect ok, hello failed", "no answer");
	has(last_detail(steps), "not done within 300 ms", "it says so");
	ok(((CasStep *) llast(steps))->microseconds >= 290000,
	   "and how long it took");
	rules->connect_timeout = 5000;
	rules->port = peer_nowhere(&fd);
	steps = tcp_transport.test(unit_settings(rules));
	is(summary(steps), "resolve ok, connect failed", "nobody listens");
	close(fd);
	rules->host = "nowhere.invalid";
	steps = tcp_transport.test(unit_settings(rules));
	is(summary(steps), "resolve failed", "no such host");
	rules->host = "localhost";
	rules->port = secure->port;
	rules->tls = true;
	rules->ca_file = unit_file("server.crt");
	is(summary(tcp_transport.test(unit_settings(rules))),
	   "resolve ok, connect ok, tls ok, hello ok", "TLS");
	rules->ca_file = unit_file("wrong.crt");
	steps = tcp_transport.test(unit_settings(rules));
	is(summary(steps), "resolve ok, connect ok, tls failed",
	   "a certificate of nobody");
	is(((CasStep *) lsecond(steps))->detail,
	   psprintf("localhost port %d", secure->port),
	   "where it got to is said by name then");
	peer_stop(peer);
	peer_stop(secure);
}

/* Writes over what functions that are left had on the stack. */
static pg_noinline void
overwrite_stack(void)
{
	volatile char room[64 * 1024];

	for (int i = 0; i < lengthof(room); i++)
		room[i] = 0x55;
}

/* Runs a test that is cancelled; the error leaves it. */
static pg_noinline void
cancel_test(const CasSettings *settings)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool cancelled = false;

	PG_TRY();
	{
		QueryCancelPending = InterruptPending = true;
		(void) tcp_transport.test(settings);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
		cancelled = true;
	}
	PG_END_TRY();
	QueryCancelPending = InterruptPending = false;
	ok(cancelled, "a test can be cancelled");
}

/* The descriptor that would be opened next. */
static int
next_descriptor(void)
{
	int			fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

/* The connection is closed with the memory of who asked for the test. */
void
test_cancelled_connection_test(void)
{
	Peer	   *peer = peer_start(PEER_ANSWERS, NULL, NULL);
	CasSettings *settings = unit_settings(unit_rules(peer->port));
	MemoryContext context;
	MemoryContext old;
	int			before;

	is(summary(tcp_transport.test(settings)),
	   "resolve ok, connect ok, hello ok", "the peer is up");
	before = next_descriptor();
	peer->ledger->manner = PEER_HANGS_AT_HELLO;
	context = AllocSetContextCreate(CurrentMemoryContext, "cancelled test",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	cancel_test(settings);
	MemoryContextSwitchTo(old);
	ok(next_descriptor() > before, "the connection is there");
	overwrite_stack();
	MemoryContextDelete(context);
	ok(next_descriptor() == before, "and goes with the caller's memory");
	peer_stop(peer);
}
