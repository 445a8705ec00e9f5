/*-------------------------------------------------------------------------
 *
 * unit_dialect.c
 *		The protocol of unit_peer.h, as a dialect.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "tcp_link.h"
#include "unit.h"
#include "utils/memutils.h"

int			unit_effort = 0;
int			unit_frames = 0;
Size		unit_frame_memory = 0;

/* The settings of these tests are their rules. */
static CasLinkRules *
dialect_rules(const CasSettings *settings)
{
	CasLinkRules *rules = palloc(sizeof(CasLinkRules));

	*rules = *(CasLinkRules *) settings->profile;
	return rules;
}

static int64
dialect_frame_length(const CasSettings *settings, const char *data, Size len,
					 const char **failure)
{
	int			length;

	if (len < 2)
		return 0;
	length = ((unsigned char) data[0] << 8) | (unsigned char) data[1];
	if (length == 0xFFFF)
	{
		*failure = "garbage came";
		return -1;
	}
	return length + 2;
}

static void
append_frame(StringInfo out, const char *body)
{
	int			len = strlen(body);

	appendStringInfoChar(out, (char) (len >> 8));
	appendStringInfoChar(out, (char) len);
	appendBinaryStringInfo(out, body, len);
}

static bool
dialect_hello(const CasSettings *settings, int step, const CasStamp *stamp,
			  StringInfo out)
{
	if (step == 0)
		append_frame(out, psprintf("H;%s", stamp->link));
	return true;
}

static bool
dialect_hello_answer(const CasSettings *settings, int step, const char *data,
					 Size len, const char **failure)
{
	const char *expected = step == 0 ? "\0\3W;1" : "\0\3W;2";

	if (len == 5 && memcmp(data, expected, 5) == 0)
		return true;
	if (len > 4 && data[2] == 'N')
		*failure = psprintf("refused: %.*s", (int) len - 4, data + 4);
	return false;
}

static void
dialect_check(const CasSettings *settings, const CasStamp *stamp,
			  StringInfo out)
{
	append_frame(out, psprintf("C" UINT64_FORMAT ";", stamp->transaction));
}

static bool
dialect_check_answer(const CasSettings *settings, const char *data, Size len,
					 const char **failure)
{
	if (len > 5 && memcmp(data + len - 5, "alive", 5) == 0)
		return true;
	*failure = "it is ill";
	return false;
}

static int64
clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000000000 + now.tv_nsec;
}

static CasFrameKind
dialect_read(const CasSettings *settings, const char *data, Size len,
			 uint64 *transaction, const char **failure)
{
	char	   *body = pnstrdup(data + 2, len - 2);

	unit_frames++;
	unit_frame_memory =
		Max(unit_frame_memory,
			MemoryContextMemAllocated(CurrentMemoryContext, false));
	if (body[0] == 'A')
	{
		*transaction = strtoull(body + 1, NULL, 10);
		return CAS_FRAME_ANSWER;
	}
	for (int64 start = clock_ns(); clock_ns() - start < unit_effort;)
		;
	if (body[0] == 'O')
		return CAS_FRAME_OTHER;
	*failure = psprintf("a frame of kind %c came", body[0]);
	return CAS_FRAME_BAD;
}

static void
dialect_stamp(const CasSettings *settings, CasMessage *message,
			  const CasStamp *stamp)
{
	StringInfoData out;

	initStringInfo(&out);
	append_frame(&out, psprintf("M" UINT64_FORMAT ";%s", stamp->transaction,
								(char *) message->detail));
	message->data = out.data;
	message->len = out.len;
	message->stamp = palloc(sizeof(CasStamp));
	*message->stamp = *stamp;
}

static const CasDialect dialect = {
	.rules = dialect_rules,
	.frame_length = dialect_frame_length,
	.hello = dialect_hello,
	.hello_answer = dialect_hello_answer,
	.check = dialect_check,
	.check_answer = dialect_check_answer,
	.read = dialect_read,
	.stamp = dialect_stamp
};

static const CasAdapter adapter = {
	.kind = "unit",
	.prefix = "unit",
	.transport = &tcp_transport,
	.dialect = &dialect
};

CasLinkRules *
unit_rules(int port)
{
	CasLinkRules *rules = palloc0(sizeof(CasLinkRules));

	rules->links = palloc0(sizeof(char *) * 2);
	rules->links[0] = "cas-a";
	rules->window = 16;
	rules->first_number = 1;
	rules->last_number = 999999999;
	rules->max_frame = 8192;
	rules->hello_steps = 2;
	rules->host = "127.0.0.1";
	rules->port = port;
	rules->timeout = 5000;
	rules->connect_timeout = 5000;
	return rules;
}

CasSettings *
unit_settings(CasLinkRules *rules)
{
	CasSettings *settings = palloc0(sizeof(CasSettings));

	settings->server_name = "unit";
	settings->adapter = &adapter;
	settings->profile = rules;
	return settings;
}

CasLink    *
unit_open(CasLinkRules *rules)
{
	CasLink    *link = tcp_transport.open(unit_settings(rules));

	unit_give_numbers(link, 1000);
	return link;
}
