/*-------------------------------------------------------------------------
 *
 * tcp_line.c
 *		One of a provider's links: a connection, again and again, and the
 *		messages that it carries.
 *
 * A message gets its number when it is taken, also while the line is being
 * opened, and then waits in the backlog.  The checks at the start go out
 * before, so their numbers are taken when the connection begins: on the wire,
 * numbers only grow.
 *
 * Who gets no answer in time is given up, but its number is remembered, as
 * its answer may come yet, even after a new connection was made.  Until then
 * it keeps its place in the window, for the other side may be at it.
 *
 * Numbers come round, soon where there are few.  One whose holder may still
 * be answered on this connection is passed over; as the window is at most a
 * quarter of all numbers, there are others.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "tcp_line.h"

/* Output is handed over at once when there is so much of it. */
#define OUTPUT_ENOUGH (64 * 1024)

/*
 * Bytes that are read from one connection in a turn; and when somebody's
 * time is over: more than the kernel keeps for us, and all of that is older
 * than the end of his time.
 */
#define READ_IN_TURN (256 * 1024)
#define READ_BEFORE_GIVING_UP (8 * 1024 * 1024)

void
tcp_share(TcpShared *shared, const CasSettings *settings,
		  const CasLinkRules *rules)
{
	shared->settings = settings;
	shared->dialect = settings->adapter->dialect;
	shared->rules = rules;
	shared->context = CurrentMemoryContext;
	shared->turn = AllocSetContextCreate(CurrentMemoryContext,
										 "provreq TCP replies",
										 ALLOCSET_DEFAULT_SIZES);
	shared->frame = AllocSetContextCreate(CurrentMemoryContext,
										  "provreq TCP frame",
										  ALLOCSET_DEFAULT_SIZES);
}

void
tcp_line_init(TcpLine *line, TcpShared *shared, const char *name,
			  const char *url, int epoll_fd, uint32 id)
{
	const CasLinkRules *rules = shared->rules;
	uint64		numbers = rules->last_number - rules->first_number;

	if (!rules->by_order)
		numbers /= 4;
	memset(line, 0, sizeof(TcpLine));
	line->shared = shared;
	line->name = name;
	line->window = (int) Min((uint64) rules->window, numbers);
	line->window = Max(line->window, 1);
	line->start_numbers = palloc(sizeof(uint64) *
								 (rules->checks_at_start + 1));
	initStringInfo(&line->backlog);
	tcp_messages_init(&line->messages);
	tcp_numbers_init(&line->numbers, rules);
	tcp_connection_init(&line->connection, rules, url, epoll_fd, id);
}

/* ------------------------------------------------------------------------
 * Opening
 * ------------------------------------------------------------------------
 */
bool
tcp_line_may_start(const TcpLine *line, int64 now)
{
	return line->state == TCP_LINE_CLOSED && now >= line->next_try &&
		tcp_line_room(line) > 0;
}

void
tcp_line_start(TcpLine *line, int64 now)
{
	const CasLinkRules *rules = line->shared->rules;

	line->state = TCP_LINE_CONNECTING;
	line->open_by = now + rules->connect_timeout;
	line->checking = line->check_wanted = line->worked = false;
	for (int i = 0; i < rules->checks_at_start; i++)
		line->start_numbers[i] = tcp_numbers_take(&line->numbers);
	if (!tcp_connection_start(&line->connection))
		tcp_line_fail(line, line->connection.failure, NULL, 0);
}

static void
connect_line(TcpLine *line, int64 now)
{
	if (line->state != TCP_LINE_CONNECTING)
		return;
	if (!tcp_connection_advance(&line->connection))
		tcp_line_fail(line, line->connection.failure, NULL, 0);
	else if (line->connection.stage == TCP_CONNECTED)
	{
		line->state = TCP_LINE_HELLO;
		line->step = 0;
		tcp_frame_hello(line, now);
	}
}

void
tcp_line_begin_checks(TcpLine *line, int64 now)
{
	line->state = TCP_LINE_CHECKS;
	line->step = 0;
	if (line->shared->rules->checks_at_start > 0)
		tcp_line_check(line, line->start_numbers[0], now);
	else
		tcp_line_open(line, now);
}

/* What waited may go out: its offsets are those of the connection now. */
void
tcp_line_open(TcpLine *line, int64 now)
{
	uint64		base = line->connection.appended;
	dlist_iter	iter;

	line->state = TCP_LINE_OPEN;
	line->failure[0] = '\0';
	line->last_sent = now;
	dlist_foreach(iter, &line->messages.queued)
	{
		TcpMessage *message = dlist_container(TcpMessage, node, iter.cur);

		message->begin += base;
		message->end += base;
	}
	tcp_connection_append(&line->connection, line->backlog.data,
						  line->backlog.len, now);
	resetStringInfo(&line->backlog);
}

/* ------------------------------------------------------------------------
 * Sending
 * ------------------------------------------------------------------------
 */

/* The next number that no answer under way can be for. */
static uint64
free_number(TcpLine *line)
{
	for (;;)
	{
		uint64		number = tcp_numbers_take(&line->numbers);
		const TcpMessage *holder = tcp_messages_find(&line->messages, number);

		if (holder == NULL ||
			(holder->state == TCP_LATE && !holder->holds_place))
			return number;
	}
}

void
tcp_line_check(TcpLine *line, uint64 number, int64 now)
{
	TcpShared  *shared = line->shared;
	CasStamp	stamp = {line->name, number, GetCurrentTimestamp()};
	TcpMessage *message;
	StringInfoData out;

	initStringInfo(&out);
	shared->dialect->check(shared->settings, &stamp, &out);
	message = tcp_messages_add(&line->messages, number,
							   line->state != TCP_LINE_OPEN);
	message->check = true;
	message->begin = line->connection.appended;
	message->end = message->begin + out.len;
	tcp_connection_append(&line->connection, out.data, out.len, now);
	pfree(out.data);
	line->checking = true;
	line->check_wanted = false;
	line->last_sent = now;
}

/* Those that left as a whole wait for their answers from now on. */
static void
note_left(TcpLine *line, int64 now)
{
	TcpMessage *message;

	while ((message = tcp_messages_queued(&line->messages)) != NULL &&
		   (line->state == TCP_LINE_OPEN || message->check) &&
		   message->end <= line->connection.sent)
		/* milliseconds are cut off: never too early */
		tcp_messages_leave(&line->messages, message,
						   now + line->shared->rules->timeout + 1);
}

static void
flush_line(TcpLine *line)
{
	int64		now;
	bool		ok;

	if (line->connection.stage != TCP_CONNECTED ||
		tcp_connection_pending(&line->connection) == 0)
		return;
	now = tcp_now();
	ok = tcp_connection_flush(&line->connection, now);
	note_left(line, now);
	if (!ok)
		tcp_line_fail(line, line->connection.failure, NULL, 0);
	else if (tcp_connection_pending(&line->connection) > 0 &&
			 now - line->connection.progress > line->shared->rules->timeout)
		tcp_line_fail(line, "the other side takes nothing any more", NULL, 0);
}

int
tcp_line_room(const TcpLine *line)
{
	uint64		stock = tcp_numbers_stock(&line->numbers);
	uint64		reserved = 0;
	int			places = tcp_messages_places(&line->messages);
	int			room = line->window - places;

	if (line->state == TCP_LINE_CLOSED)
		reserved = line->shared->rules->checks_at_start;
	else if (!line->numbers.per_connection && !line->numbers.by_order)
		reserved = places;		/* numbers that may have to be passed over */
	if (room <= 0 || stock <= reserved)
		return 0;
	return (int) Min((uint64) room, stock - reserved);
}

void
tcp_line_take(TcpLine *line, CasMessage *message, uint64 tag, int64 now)
{
	TcpShared  *shared = line->shared;
	CasStamp	stamp = {line->name, free_number(line),
	GetCurrentTimestamp()};
	bool		open = line->state == TCP_LINE_OPEN;
	TcpMessage *taken;

	shared->dialect->stamp(shared->settings, message, &stamp);
	taken = tcp_messages_add(&line->messages, stamp.transaction, false);
	taken->tag = tag;
	taken->request = message->request;
	taken->part = message->part;
	taken->begin = open ? line->connection.appended : line->backlog.len;
	taken->end = taken->begin + message->len;
	line->last_sent = now;
	if (!open)
		appendBinaryStringInfo(&line->backlog, message->data,
							   (int) message->len);
	else
		tcp_connection_append(&line->connection, message->data, message->len,
							  now);
	if (tcp_connection_pending(&line->connection) >= OUTPUT_ENOUGH)
		flush_line(line);
}

/* ------------------------------------------------------------------------
 * Time
 * ------------------------------------------------------------------------
 */

/* Reads and answers until there is nothing more, or so many bytes came. */
static void
read_line(TcpLine *line, Size most, int64 now)
{
	Size		got = 0;

	while (line->connection.stage == TCP_CONNECTED &&
		   line->connection.readable && got < most)
	{
		const char *data;
		size_t		len;

		if (tcp_connection_read(&line->connection, &len))
		{
			got += len;
			tcp_frame_read(line, now);
			continue;
		}
		data = tcp_connection_data(&line->connection, &len);
		tcp_line_fail(line, line->connection.failure, data, len);
	}
}

/* Nobody answered the oldest message in time. */
static void
give_up(TcpLine *line, TcpMessage *message)
{
	char		failure[64];

	snprintf(failure, sizeof(failure), "%sno answer within %d ms",
			 message->check && line->state == TCP_LINE_OPEN ?
			 "a check had " : "", line->shared->rules->timeout);
	if (message->check || line->shared->rules->by_order)
	{
		tcp_line_fail(line, failure, NULL, 0);
		return;
	}
	tcp_finish(line->shared, message, CAS_NO_ANSWER,
			   MemoryContextStrdup(line->shared->turn, failure), NULL, 0);
	tcp_messages_give_up(&line->messages, message, true);
	line->check_wanted = true;
	if (2 * line->messages.nplaces >= line->window)
		tcp_line_fail(line, "too many messages had no answer", NULL, 0);
}

/* What is overdue has no answer if none is to be found now. */
static void
expire(TcpLine *line, int64 now)
{
	TcpMessage *message = tcp_messages_waiting(&line->messages);

	if (message == NULL || message->deadline > now)
		return;
	line->connection.readable = true;
	read_line(line, READ_BEFORE_GIVING_UP, now);
	while ((message = tcp_messages_waiting(&line->messages)) != NULL &&
		   message->deadline <= now)
		give_up(line, message);
}

static void
expire_opening(TcpLine *line, int64 now)
{
	char		failure[64];

	if ((line->state != TCP_LINE_CONNECTING &&
		 line->state != TCP_LINE_HELLO) || now < line->open_by)
		return;
	snprintf(failure, sizeof(failure), "not done within %d ms",
			 line->shared->rules->connect_timeout);
	tcp_line_fail(line, failure, NULL, 0);
}

/* Can a check be sent? */
static bool
may_check(const TcpLine *line)
{
	return line->state == TCP_LINE_OPEN && !line->checking &&
		tcp_line_room(line) > 0;
}

/* When a check is due, if one can be sent. */
static int64
next_check(const TcpLine *line)
{
	int			heartbeat = line->shared->rules->heartbeat;

	if (!may_check(line))
		return PG_INT64_MAX;
	if (line->check_wanted)
		return 0;
	return heartbeat > 0 ? line->last_sent + heartbeat : PG_INT64_MAX;
}

/* Numbers that do not follow on are for another connection. */
static void
renew_if_broken(TcpLine *line)
{
	if (line->state == TCP_LINE_OPEN &&
		tcp_messages_places(&line->messages) == 0 &&
		tcp_numbers_stock(&line->numbers) == 0 &&
		tcp_numbers_total(&line->numbers) > 0)
		tcp_line_close(line);
}

void
tcp_line_serve(TcpLine *line, int64 now)
{
	MemoryContext old = MemoryContextSwitchTo(line->shared->turn);

	connect_line(line, now);
	read_line(line, READ_IN_TURN, now);
	expire_opening(line, now);
	expire(line, now);
	renew_if_broken(line);
	if (next_check(line) <= now)
		tcp_line_check(line, free_number(line), now);
	flush_line(line);
	MemoryContextSwitchTo(old);
}

/* When a connected line wants to be served. */
static int64
wake_connected(TcpLine *line)
{
	const TcpConnection *connection = &line->connection;
	TcpMessage *oldest = tcp_messages_waiting(&line->messages);
	int64		wake = next_check(line);

	if (connection->readable)
		return 0;
	if (tcp_connection_pending(connection) > 0)
	{
		if (connection->writable)
			return 0;
		wake = Min(wake, connection->progress +
				   line->shared->rules->timeout + 1);
	}
	if (oldest)
		wake = Min(wake, oldest->deadline);
	return wake;
}

int64
tcp_line_wake(TcpLine *line)
{
	int64		wake = PG_INT64_MAX;

	switch (line->state)
	{
		case TCP_LINE_CLOSED:
			break;
		case TCP_LINE_CONNECTING:
			wake = line->open_by;
			if (line->connection.timer >= 0)
				wake = Min(wake, line->connection.timer);
			break;
		case TCP_LINE_HELLO:
			wake = Min(wake_connected(line), line->open_by);
			break;
		case TCP_LINE_CHECKS:
		case TCP_LINE_OPEN:
			wake = wake_connected(line);
			break;
	}
	return wake;
}
