/*-------------------------------------------------------------------------
 *
 * tcp_frame.c
 *		The frames that come over a link: hello, answers, and the rest.
 *
 * What does not fit ends the link, since nothing that follows could be
 * trusted.  Answers to numbers that nobody waits for do no harm where they
 * are found by number, and are left alone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "tcp_line.h"

/* A frame that is nobody's: the first is worth a line in the log. */
static void
ignore(TcpLine *line, const char *what)
{
	TcpShared  *shared = line->shared;

	ereport(shared->ignored++ == 0 ? LOG : DEBUG1,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("provreq: link \"%s\" of provider \"%s\" sent %s, which was ignored",
					line->name, shared->settings->server_name, what)));
}

/* ------------------------------------------------------------------------
 * Hello
 * ------------------------------------------------------------------------
 */

/* Sends what comes next, up to where the other side has to speak. */
void
tcp_frame_hello(TcpLine *line, int64 now)
{
	TcpShared  *shared = line->shared;
	CasStamp	stamp = {line->name, 0, GetCurrentTimestamp()};

	while (line->step < shared->rules->hello_steps)
	{
		StringInfoData out;
		bool		wait;

		initStringInfo(&out);
		wait = shared->dialect->hello(shared->settings, line->step, &stamp,
									  &out);
		tcp_connection_append(&line->connection, out.data, out.len, now);
		pfree(out.data);
		if (wait)
			return;
		line->step++;
	}
	tcp_line_begin_checks(line, now);
}

static void
take_hello(TcpLine *line, const char *data, Size len, int64 now)
{
	TcpShared  *shared = line->shared;
	const char *failure = NULL;

	if (!shared->dialect->hello_answer(shared->settings, line->step, data,
									   len, &failure))
	{
		tcp_line_fail(line, failure ? failure : "refused", data, len);
		return;
	}
	line->step++;
	tcp_frame_hello(line, now);
}

/* ------------------------------------------------------------------------
 * Answers
 * ------------------------------------------------------------------------
 */
static void
take_check(TcpLine *line, TcpMessage *message, const char *data, Size len,
		   int64 now)
{
	TcpShared  *shared = line->shared;
	const char *failure = NULL;

	line->checking = false;
	tcp_messages_remove(&line->messages, message);
	if (!shared->dialect->check_answer(shared->settings, data, len, &failure))
	{
		tcp_line_fail(line, failure ? failure : "a check was refused", data,
					  len);
		return;
	}
	line->worked = true;
	if (line->state != TCP_LINE_CHECKS)
		return;
	line->step++;
	if (line->step < shared->rules->checks_at_start)
		tcp_line_check(line, line->start_numbers[line->step], now);
	else
		tcp_line_open(line, now);
}

/*
 * Whom an answer is for; NULL if nobody, or if the line had to go.  A message
 * that has not left as a whole has no answer.
 */
static TcpMessage *
addressee(TcpLine *line, uint64 number, const char *data, Size len)
{
	TcpMessage *message;

	if (line->shared->rules->by_order)
	{
		message = tcp_messages_waiting(&line->messages);
		if (message == NULL)
			tcp_line_fail(line, "an answer came that nobody waited for",
						  data, len);
		else if (message->number != number)
			tcp_line_fail(line, "the answer to another message came", data,
						  len);
		else
			return message;
		return NULL;
	}
	message = tcp_messages_find(&line->messages, number);
	if (message && message->state != TCP_QUEUED)
		return message;
	ignore(line, "an answer that nobody waits for");
	return NULL;
}

static void
take_answer(TcpLine *line, uint64 number, const char *data, Size len,
			int64 now)
{
	TcpMessage *message = addressee(line, number, data, len);

	if (message == NULL)
		return;
	if (message->check)
	{
		take_check(line, message, data, len, now);
		return;
	}
	line->worked = true;
	tcp_finish(line->shared, message, CAS_ANSWERED, NULL, data, len);
	tcp_messages_remove(&line->messages, message);
}

/*
 * A whole message of the CAS: after what cannot be trusted the line is given
 * up.
 */
static void
take_frame(TcpLine *line, const char *data, Size len, int64 now)
{
	TcpShared  *shared = line->shared;
	const char *failure = NULL;
	uint64		number = 0;

	if (line->state == TCP_LINE_HELLO)
	{
		take_hello(line, data, len, now);
		return;
	}
	switch (shared->dialect->read(shared->settings, data, len, &number,
								  &failure))
	{
		case CAS_FRAME_ANSWER:
			take_answer(line, number, data, len, now);
			break;
		case CAS_FRAME_OTHER:
			ignore(line, "a message that is no answer");
			break;
		case CAS_FRAME_BAD:
			tcp_line_fail(line, failure ? failure :
						  "the answer cannot be trusted", data, len);
			break;
	}
}

/* ------------------------------------------------------------------------
 * The stream
 * ------------------------------------------------------------------------
 */

/*
 * Length of the first frame if it is there as a whole; else 0, or -1 when it
 * can never be.
 */
static int64
whole_frame(TcpLine *line, const char *data, Size len, const char **failure)
{
	TcpShared  *shared = line->shared;
	Size		most = shared->rules->max_frame;
	int64		length;

	if (len == 0)
		return 0;
	length = shared->dialect->frame_length(shared->settings, data, len,
										   failure);
	if (length < 0)
		return -1;
	if (length > most || (length == 0 && len >= most))
	{
		*failure = psprintf("a message of more than %zu bytes came", most);
		return -1;
	}
	return length <= len ? length : 0;
}

/*
 * What callbacks of the dialect leave behind goes with the frame: of those
 * that are ignored there may be any number in a turn.
 */
void
tcp_frame_read(TcpLine *line, int64 now)
{
	MemoryContext old = MemoryContextSwitchTo(line->shared->frame);
	const char *failure = NULL;

	while (line->state > TCP_LINE_CONNECTING)
	{
		Size		len;
		const char *data = tcp_connection_data(&line->connection, &len);
		int64		length = whole_frame(line, data, len, &failure);

		if (length < 0)
			tcp_line_fail(line, failure ? failure : "what came is no message",
						  data, len);
		if (length <= 0)
			break;
		take_frame(line, data, length, now);
		if (line->state > TCP_LINE_CONNECTING)
			tcp_connection_consume(&line->connection, length);
		MemoryContextReset(line->shared->frame);
		failure = NULL;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(line->shared->frame);
}
