/*-------------------------------------------------------------------------
 *
 * unit.c
 *		Runs the unit tests of the TCP transport inside of a server.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <poll.h>
#include <time.h>

#include "fmgr.h"
#include "tcp_link.h"
#include "unit.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(unit_tcp);

const char *unit_directory;
bool		unit_generous = true;

char *
unit_file(const char *name)
{
	return psprintf("%s/%s", unit_directory, name);
}

int64
unit_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------------
 * Messages and replies
 * ------------------------------------------------------------------------
 */
int
unit_submit(CasLink *link, int serial, int size)
{
	CasMessage	message = {0};
	char	   *body = psprintf("serial=%d.", serial);

	if (size > 0)
	{
		message.detail = palloc0(size + 64);
		memset(message.detail, 'x', size);
		memcpy(message.detail, body, strlen(body));
	}
	else
		message.detail = body;
	message.request = 1000 + serial;
	message.part = serial % 7;
	tcp_transport.submit(link, &message, serial);
	if (message.stamp)
		pfree(message.stamp);
	return (int) message.len;
}

void
unit_give_numbers(CasLink *link, int block)
{
	static uint64 next = 1;
	const char *name;
	uint64		first;
	uint64		last;

	while (unit_generous &&
		   (name = tcp_transport.wants_numbers(link, &first, &last)) != NULL)
	{
		tcp_transport.give_numbers(link, name, next, next + block - 1);
		next += block;
	}
}

/* Waits for the link, no longer than a moment. */
static void
wait_for_link(CasLink *link)
{
	struct pollfd pollfd = {tcp_transport.socket(link), POLLIN, 0};
	long		timeout = tcp_transport.timeout(link);

	if (timeout < 0 || timeout > 5)
		timeout = 5;
	poll(&pollfd, 1, (int) timeout);
}

void
unit_turn(CasLink *link)
{
	CasReply	reply;

	if (tcp_transport.process(link, &reply, 1) > 0)
		ok(false, "no reply is expected: tag %d", (int) reply.tag);
	unit_give_numbers(link, 1000);
	wait_for_link(link);
}

int
unit_process(CasLink *link, CasReply *replies, int max)
{
	int64		end = unit_clock() + PATIENCE;
	int			n;

	unit_give_numbers(link, 1000);
	while ((n = tcp_transport.process(link, replies, max)) == 0 &&
		   unit_clock() < end)
	{
		unit_give_numbers(link, 1000);
		wait_for_link(link);
	}
	return n;
}

CasReply
unit_exchange(CasLink *link, int serial)
{
	CasReply	reply = {0};

	unit_submit(link, serial, 0);
	if (unit_process(link, &reply, 1) != 1)
		reply.failure = "NO REPLY";
	return reply;
}

bool
unit_answered(const CasReply *reply, int serial)
{
	char	   *text_end = psprintf(";serial=%d.", serial);
	char	   *got = reply->len > 2 ? pnstrdup(reply->data + 2,
												reply->len - 2) : "";

	return reply->status == CAS_ANSWERED && got[0] == 'A' &&
		strstr(got, text_end) != NULL;
}

/* With its own memory, which holds all links of the tests. */
static void
run(void (*test) (void))
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "tests",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	test();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

Datum
unit_tcp(PG_FUNCTION_ARGS)
{
	tap_open(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	unit_directory = text_to_cstring(PG_GETARG_TEXT_PP(1));
	run(test_answers);
	run(test_opening);
	run(test_lines);
	run(test_time);
	run(test_memory);
	run(test_faults);
	run(test_bytes);
	run(test_connection_tests);
	run(test_cancelled_connection_test);
	tap_close();
	PG_RETURN_VOID();
}
