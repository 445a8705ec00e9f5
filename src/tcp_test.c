/*-------------------------------------------------------------------------
 *
 * tcp_test.c
 *		A test of a provider with framed messages: how far do we come?
 *
 * A link of its own is opened up to the end of the hello.  No checks: they
 * need numbers, and those are the sender's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <curl/curl.h>
#include <sys/epoll.h>

#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"

#include "compat.h"
#include "held.h"
#include "tcp_line.h"
#include "tcp_link.h"

/* One step, which ended so many microseconds after the start. */
static List *
add_step(List *steps, const char *name, bool ok, const char *detail,
		 int64 ended, int64 *before)
{
	CasStep    *step = palloc0(sizeof(CasStep));

	step->name = name;
	step->ok = ok;
	step->detail = detail;
	step->microseconds = Max(ended - *before, 0);
	*before = Max(ended, *before);
	return lappend(steps, step);
}

/* Opens the line, or fails to. */
static void
try_line(TcpLine *line, int epoll_fd)
{
	tcp_line_start(line, tcp_now());
	while (line->state != TCP_LINE_CLOSED && line->state != TCP_LINE_OPEN)
	{
		int64		now;
		int64		wake = tcp_line_wake(line);
		struct epoll_event events[16];
		int			n;

		(void) WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE |
								 WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, epoll_fd,
								 (long) Max(wake - tcp_now(), 0),
								 compat_wait_event("ProvreqConnectionTest"));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		now = tcp_now();
		n = epoll_wait(epoll_fd, events, lengthof(events), 0);
		for (int i = 0; i < n; i++)
			tcp_connection_event(&line->connection,
								 (int) (uint32) events[i].data.u64,
								 events[i].events);
		tcp_line_serve(line, now);
	}
}

/*
 * The steps that were taken, in order, and how each ended, under the names
 * that they have for HTTP.  Where TLS fails libcurl keeps the address.
 */
static List *
account(TcpLine *line, int64 total)
{
	const CasLinkRules *rules = line->shared->rules;
	const TcpConnection *connection = &line->connection;
	const char *failed = line->state == TCP_LINE_OPEN ? "" :
	line->failed_step;
	const char *names[] = {"resolve", "connect", "TLS", "hello"};
	const char *details[] = {rules->host,
		psprintf("%s port %d", connection->address[0] ?
				 connection->address : rules->host, rules->port),
	"the certificate is valid", psprintf("link \"%s\"", line->name)};
	int64		ends[] = {connection->resolved, connection->connected,
	connection->secured, total};
	int64		before = 0;
	List	   *steps = NIL;

	for (int i = 0; i < lengthof(names); i++)
	{
		bool		ok = failed && strcmp(names[i], failed) != 0;
		const char *detail = details[i];

		if ((i == 2 && !rules->tls) || (i == 3 && rules->hello_steps == 0))
			continue;
		if (!ok)
			detail = line->failure + strlen(names[i]) + strlen(": ");
		if (!ok && i == 3)
			detail = psprintf("%s (link \"%s\"; some gateways take only one connection for each link, and the sender may have it)",
							  detail, line->name);
		steps = add_step(steps, i == 2 ? "tls" : names[i], ok, detail,
						 ok ? ends[i] : total, &before);
		if (!ok)
			break;
	}
	return steps;
}

/*
 * The settings' own memory context lives on after us, so the link has one
 * that does not.  All of the link lies there: it is closed with the context,
 * after an error when this function is long left.
 */
List *
tcp_test(const CasSettings *settings)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "provreq TCP test",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TcpShared  *shared = palloc0(sizeof(TcpShared));
	TcpLine    *line = palloc(sizeof(TcpLine));
	CasLinkRules *rules;
	List	   *steps;
	int			epoll_fd;
	Held	   *held_epoll = held_new_descriptor();
	int64		start = tcp_now();

	tcp_start_libcurl();
	rules = settings->adapter->dialect->rules(settings);
	rules->checks_at_start = 0;
	tcp_share(shared, settings, rules);
	epoll_fd = held_keep_descriptor(held_epoll, epoll_create1(EPOLL_CLOEXEC),
									"epoll set");
	tcp_line_init(line, shared, rules->links[0], tcp_url(rules), epoll_fd, 0);
	line->next_log = PG_INT64_MAX;
	try_line(line, epoll_fd);
	MemoryContextSwitchTo(old);
	steps = account(line, (tcp_now() - start) * 1000);
	for (int i = 0; i < list_length(steps); i++)
	{
		CasStep    *step = list_nth(steps, i);

		step->detail = pstrdup(step->detail);
	}
	MemoryContextDelete(context);
	return steps;
}
