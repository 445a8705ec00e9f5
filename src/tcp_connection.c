/*-------------------------------------------------------------------------
 *
 * tcp_connection.c
 *		The bytes of one TCP connection, with or without TLS.
 *
 * They go through libcurl, which made the connection.  Its socket is watched
 * edge-triggered, in both directions at once: TLS may want to read before it
 * can write, or the other way round, and does not say so.  Hence "readable"
 * and "writable": true after any event, until an attempt shows that there is
 * nothing more.
 *
 * There are two output buffers, as TLS wants what it did not take offered
 * again in the same place: one grows while the other stays where it is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "tcp_connection.h"

/* Most that is offered to TLS at a time: a record. */
#define TLS_RECORD (16 * 1024)

/* Output buffers bigger than this are given back when they are empty. */
#define OUTPUT_KEPT (256 * 1024)

void
tcp_connection_note_failure(TcpConnection *connection, CURLcode result)
{
	strlcpy(connection->failure, connection->error[0] ? connection->error :
			curl_easy_strerror(result), sizeof(connection->failure));
	connection->error[0] = '\0';
	for (char *p = connection->failure; *p; p++)
		if (*p < ' ' || *p >= 0x7F)
			*p = '?';
}

uint64
tcp_connection_pending(const TcpConnection *connection)
{
	return connection->appended - connection->sent;
}

void
tcp_connection_append(TcpConnection *connection, const char *data, Size len,
					  int64 now)
{
	if (tcp_connection_pending(connection) == 0)
		connection->progress = now;
	appendBinaryStringInfo(&connection->filling, data, (int) len);
	connection->appended += len;
}

/* Empties a buffer; an unusually big one is made anew. */
static void
empty(StringInfo buffer)
{
	if (buffer->maxlen > OUTPUT_KEPT)
	{
		buffer->data = repalloc(buffer->data, OUTPUT_KEPT);
		buffer->maxlen = OUTPUT_KEPT;
	}
	resetStringInfo(buffer);
}

/* What has come together is next, all before it being handed over. */
static void
swap_output(TcpConnection *connection)
{
	StringInfoData done = connection->sending;

	connection->sending = connection->filling;
	connection->filling = done;
	connection->sending_from = 0;
	empty(&connection->filling);
}

/* Offers bytes to the connection; so many were taken, or it is broken. */
static bool
offer(TcpConnection *connection, size_t *taken)
{
	size_t		len = connection->sending.len - connection->sending_from;
	CURLcode	result;

	*taken = 0;
	if (connection->rules->tls)
	{
		/* should it not be taken, the beginning may yet be on its way */
		len = Min(len, TLS_RECORD);
		connection->touched = Max(connection->touched,
								  connection->sent + len);
	}
	result = curl_easy_send(connection->easy,
							connection->sending.data +
							connection->sending_from, len, taken);
	connection->writable = result == CURLE_OK && *taken > 0;
	if (result == CURLE_OK || result == CURLE_AGAIN)
		return true;
	tcp_connection_note_failure(connection, result);
	return false;
}

bool
tcp_connection_flush(TcpConnection *connection, int64 now)
{
	while (connection->writable && tcp_connection_pending(connection) > 0)
	{
		size_t		taken;

		if (connection->sending_from == connection->sending.len)
			swap_output(connection);
		if (!offer(connection, &taken))
			return false;
		connection->sending_from += (int) taken;
		connection->sent += taken;
		connection->touched = Max(connection->touched, connection->sent);
		if (taken > 0)
			connection->progress = now;
	}
	return true;
}

/* Moves what is left to the beginning, before the room runs out. */
static void
make_room(TcpConnection *connection)
{
	Size		len = connection->in_end - connection->in_begin;

	if (len > 0 &&
		connection->in_room - connection->in_end >= connection->in_room / 4)
		return;
	memmove(connection->in, connection->in + connection->in_begin, len);
	connection->in_begin = 0;
	connection->in_end = len;
}

/*
 * A short read has taken all there was, unless the end comes next, or TLS
 * has more in store.  libcurl reads no more than a piece at a time.
 */
bool
tcp_connection_read(TcpConnection *connection, size_t *len)
{
	CURLcode	result;
	size_t		room;

	*len = 0;
	make_room(connection);
	room = connection->in_room - connection->in_end;
	result = curl_easy_recv(connection->easy,
							connection->in + connection->in_end, room, len);
	if (result == CURLE_AGAIN)
	{
		connection->readable = false;
		return true;
	}
	if (result == CURLE_OK && *len > 0)
	{
		connection->in_end += *len;
		if (*len < Min(room, TCP_PIECE) && !connection->rules->tls &&
			!connection->hangup)
			connection->readable = false;
		return true;
	}
	if (result == CURLE_OK)
		strlcpy(connection->failure, "the other side closed the connection",
				sizeof(connection->failure));
	else
		tcp_connection_note_failure(connection, result);
	return false;
}

const char *
tcp_connection_data(const TcpConnection *connection, Size *len)
{
	*len = connection->in_end - connection->in_begin;
	return connection->in + connection->in_begin;
}

void
tcp_connection_consume(TcpConnection *connection, Size len)
{
	connection->in_begin += len;
}
