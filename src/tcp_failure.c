/*-------------------------------------------------------------------------
 *
 * tcp_failure.c
 *		How exchanges end, and what becomes of a link that failed.
 *
 * Whether a byte of a message left decides how it ends with its connection:
 * the offsets of its bytes are compared with what was handed over.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "utils/memutils.h"

#include "tcp_line.h"

/* Back-off after failures in a row, ms: the first time, and at its most. */
#define FIRST_DELAY 200
#define LAST_DELAY 30000

/* A line's troubles are logged once in so many ms. */
#define LOG_DELAY 60000

/* ------------------------------------------------------------------------
 * Replies
 * ------------------------------------------------------------------------
 */

/* A reply to be filled in. */
static CasReply *
add_reply(TcpShared *shared)
{
	int			end = shared->first_reply + shared->nreplies;
	CasReply   *reply;

	if (end == shared->room_for_replies)
	{
		shared->room_for_replies = Max(64, 2 * end);
		if (shared->replies == NULL)
			shared->replies = MemoryContextAlloc(shared->context,
												 sizeof(CasReply) *
												 shared->room_for_replies);
		else
			shared->replies = repalloc(shared->replies, sizeof(CasReply) *
									   shared->room_for_replies);
	}
	reply = &shared->replies[end];
	memset(reply, 0, sizeof(CasReply));
	shared->nreplies++;
	return reply;
}

void
tcp_finish(TcpShared *shared, const TcpMessage *message,
		   CasReplyStatus status, const char *failure, const char *data,
		   Size len)
{
	CasReply   *reply = add_reply(shared);

	reply->late = message->state == TCP_LATE;
	reply->tag = reply->late ? 0 : message->tag;
	reply->request = message->request;
	reply->part = message->part;
	reply->status = status;
	reply->failure = failure;
	reply->len = len;
	if (len > 0)
	{
		char	   *copy = MemoryContextAlloc(shared->turn, len);

		memcpy(copy, data, len);
		reply->data = copy;
	}
}

/* ------------------------------------------------------------------------
 * The end of a connection
 * ------------------------------------------------------------------------
 */

/* Can an answer come on another connection? */
static bool
outlives_connection(const TcpLine *line)
{
	return !line->shared->rules->by_order &&
		!line->shared->rules->per_connection;
}

static void
end_message(TcpLine *line, TcpMessage *message, CasReplyStatus status,
			const char *failure, const char *data, Size len)
{
	if (!message->check)
		tcp_finish(line->shared, message, status, failure, data, len);
	if (!message->check && status == CAS_NO_ANSWER &&
		outlives_connection(line))
		tcp_messages_give_up(&line->messages, message, false);
	else
		tcp_messages_remove(&line->messages, message);
}

/* What came last is shown with the oldest message. */
static void
end_messages(TcpLine *line, const char *failure, const char *data, Size len)
{
	TcpMessage *message;
	bool		open = line->state == TCP_LINE_OPEN;

	len = Min(len, line->shared->rules->max_frame);
	while ((message = tcp_messages_waiting(&line->messages)) != NULL)
	{
		Size		shown = message->check ? 0 : len;

		end_message(line, message, CAS_NO_ANSWER, failure, data, shown);
		len -= shown;
	}
	while ((message = tcp_messages_queued(&line->messages)) != NULL)
		end_message(line, message,
					open && message->begin < line->connection.touched ?
					CAS_NO_ANSWER : CAS_NOT_SENT, failure, NULL, 0);
	tcp_messages_vacate(&line->messages);
	while (!outlives_connection(line) && line->messages.nlate > 0)
		tcp_messages_remove(&line->messages,
							dlist_head_element(TcpMessage, node,
											   &line->messages.late));
}

/*
 * One that came to work may try again at once.  Jitter: from three to five
 * quarters of the delay.
 */
static void
back_off(TcpLine *line, int64 now)
{
	double		delay = FIRST_DELAY;

	line->next_try = 0;
	line->failures = line->worked ? 0 : line->failures + 1;
	if (line->failures == 0)
		return;
	for (int i = 1; i < line->failures && delay < LAST_DELAY; i++)
		delay *= 2;
	delay = Min(delay, LAST_DELAY);
	delay *= 0.75 + 0.5 * pg_prng_double(&pg_global_prng_state);
	line->next_try = now + (int64) delay;
}

static void
report_failure(TcpLine *line, int64 now)
{
	if (now < line->next_log)
		return;
	line->next_log = now + LOG_DELAY;
	ereport(LOG,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("provreq: link \"%s\" of provider \"%s\" %s: %s",
					line->name, line->shared->settings->server_name,
					line->state == TCP_LINE_OPEN ? "was lost" :
					"could not be opened", line->failure)));
}

/* The step of opening that it is at, or NULL. */
static const char *
current_step(TcpLine *line)
{
	switch (line->state)
	{
		case TCP_LINE_CONNECTING:
			return tcp_connection_step(&line->connection);
		case TCP_LINE_HELLO:
			return "hello";
		case TCP_LINE_CHECKS:
			return "checks";
		default:
			return NULL;
	}
}

void
tcp_line_fail(TcpLine *line, const char *failure, const char *data, Size len)
{
	int64		now = tcp_now();
	const char *step = current_step(line);
	char	   *kept;

	line->failed_step = step;
	snprintf(line->failure, sizeof(line->failure), "%s%s%s", step ? step : "",
			 step ? ": " : "", failure);
	kept = MemoryContextStrdup(line->shared->turn, line->failure);
	report_failure(line, now);
	end_messages(line, kept, data, len);
	back_off(line, now);
	tcp_line_close(line);
}

void
tcp_line_close(TcpLine *line)
{
	tcp_connection_close(&line->connection);
	resetStringInfo(&line->backlog);
	tcp_numbers_restart(&line->numbers);
	line->state = TCP_LINE_CLOSED;
}
