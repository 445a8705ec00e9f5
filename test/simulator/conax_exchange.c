/*-------------------------------------------------------------------------
 *
 * conax_exchange.c
 *		One message, from its headers to its answer.
 *
 * libmicrohttpd calls exchange_handle when the headers are there, for each
 * piece of the body, when the body is whole, and again after each time that
 * the connection was parked.
 *
 *-------------------------------------------------------------------------
 */
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "conax_checks.h"
#include "conax_exchange.h"
#include "conax_http.h"
#include "conax_reply.h"
#include "ledger.h"
#include "park.h"

#define MAX_BODY (1024 * 1024)
#define TOO_LARGE 413			/* its name differs between releases */

typedef struct Exchange
{
	Parked		parked;
	Connection *connection;
	long long	received;
	Text		body;
	bool		decided;		/* the reply is there, perhaps not given yet */
	bool		recorded;		/* it is in the ledger */
	bool		hanging;		/* there will be no answer */
	FaultVerdict verdict;
	Message		message;
	Reply		reply;
} Exchange;

/* ------------------------------------------------------------------------
 * The ledger
 * ------------------------------------------------------------------------
 */
static void
join_ids(Text *text, const Ids *ids)
{
	size_t		i;

	for (i = 0; i < ids->count; i++)
		text_addf(text, "%s%s", i ? "," : "", ids->ids[i]);
}

static void
name_faults(const FaultVerdict *verdict, Text *names)
{
	if (verdict->delayed)
		text_add(names, fault_name(FAULT_DELAY));
	if (verdict->fault.kind != FAULT_NONE)
		text_addf(names, "%s%s", names->len ? "+" : "",
				  fault_name(verdict->fault.kind));
}

/* Tabs and line ends would break the ledger; a valid message has none. */
static void
defuse(Text *text)
{
	size_t		i;

	for (i = 0; i < text->len; i++)
	{
		if ((unsigned char) text->data[i] < ' ')
			text->data[i] = '?';
	}
}

/* Writes the exchange's line, once. */
static void
record(Exchange *exchange, bool answered)
{
	const Message *message = &exchange->message;
	Text		sequence = {0};
	Text		cards = {0};
	Text		things = {0};
	Text		faults = {0};
	LedgerLine	line = {0};

	if (exchange->recorded)
		return;
	exchange->recorded = true;
	text_add(&sequence, message->sequence ? message->sequence : "");
	join_ids(&cards, &message->cards);
	join_ids(&things, message->modules.count ? &message->modules :
			 &message->products);
	if (message->pin != NULL)
		text_add(&things, "pin=****");
	name_faults(&exchange->verdict, &faults);
	defuse(&sequence);
	defuse(&cards);
	defuse(&things);
	line.received = exchange->received;
	line.answered = answered ? now_us() : 0;
	line.connection = exchange->connection->id;
	line.sequence = sequence.data;
	line.operation = message->operation ? message->operation->name : NULL;
	line.cards = cards.data;
	line.things = things.data;
	line.fault = faults.data;
	line.outcome = answered ? exchange->reply.outcome : NULL;
	line.carried_out = exchange->reply.carried_out;
	ledger_write(&line);
	text_free(&sequence);
	text_free(&cards);
	text_free(&things);
	text_free(&faults);
}

/* ------------------------------------------------------------------------
 * Answering
 * ------------------------------------------------------------------------
 */

/* Gives out the first half of a body, then breaks off. */
static ssize_t
read_half(void *body, uint64_t position, char *buffer, size_t max)
{
	const Text *text = body;
	size_t		rest = text->len / 2;

	if (position >= rest)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	rest -= (size_t) position;
	if (rest > max)
		rest = max;
	memcpy(buffer, text->data + position, rest);
	return (ssize_t) rest;
}

/* The body goes over to the response, unless it will be needed again. */
static struct MHD_Response *
make_response(Reply *reply)
{
	size_t		len = reply->body.len;

	switch (reply->ending)
	{
		case REPLY_HALF:
			return MHD_create_response_from_callback(len, 4096, read_half,
													 &reply->body, NULL);
		case REPLY_TWICE:
			return MHD_create_response_from_buffer(len, reply->body.data,
												   MHD_RESPMEM_PERSISTENT);
		default:
			return MHD_create_response_from_buffer(len,
												   text_take(&reply->body),
												   MHD_RESPMEM_MUST_FREE);
	}
}

static void
add_headers(struct MHD_Response *response, const Reply *reply)
{
	bool		xml = strncmp(reply->outcome, "http:", 5) != 0 ||
		reply->status == MHD_HTTP_OK;

	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
							xml ? "text/xml; charset=utf-8" :
							"text/plain; charset=utf-8");
	if (reply->status == MHD_HTTP_UNAUTHORIZED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
								"Basic realm=\"ca-server\"");
	if (reply->location[0] != '\0')
		MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION,
								reply->location);
	if (fault_is_on(FAULT_REFUSE))
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
}

/* The line is in the ledger before the first byte of the answer leaves. */
static enum MHD_Result
answer(Exchange *exchange, struct MHD_Connection *connection)
{
	Reply	   *reply = &exchange->reply;
	struct MHD_Response *response;
	enum MHD_Result result;

	record(exchange, reply->outcome[0] != '\0');
	response = make_response(reply);
	add_headers(response, reply);
	result = MHD_queue_response(connection, reply->status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result
hang(Exchange *exchange, struct MHD_Connection *connection)
{
	record(exchange, false);
	exchange->hanging = true;
	park(&exchange->parked, connection, PARK_FOREVER);
	return MHD_YES;
}

/* Does what was decided, its time having come. */
static enum MHD_Result
finish(Exchange *exchange, struct MHD_Connection *connection)
{
	if (exchange->reply.ending == REPLY_HANG)
		return hang(exchange, connection);
	if (exchange->reply.ending == REPLY_CLOSE ||
		exchange->parked.state == PARK_GONE)
	{
		record(exchange, false);
		return MHD_NO;
	}
	return answer(exchange, connection);
}

/* ------------------------------------------------------------------------
 * Receiving
 * ------------------------------------------------------------------------
 */

/* The headers are there. */
static enum MHD_Result
begin(struct MHD_Connection *connection, void **context)
{
	Exchange   *exchange = must_alloc(sizeof(Exchange));
	FaultSubject nobody = {.operation = ""};

	*context = exchange;
	exchange->connection = http_connection(connection);
	exchange->received = now_us();
	http_set_busy(exchange->connection, true);
	fault_choose(FAULT_AT_HEADERS, &nobody, &exchange->verdict);
	if (exchange->verdict.fault.kind == FAULT_HANG_BEFORE_BODY)
		return hang(exchange, connection);
	if (exchange->verdict.fault.kind == FAULT_CLOSE_BEFORE_BODY)
	{
		record(exchange, false);
		return MHD_NO;
	}
	return MHD_YES;
}

/* The body is whole: checks it, carries it out, and settles the reply. */
static void
decide(Exchange *exchange, struct MHD_Connection *connection,
	   const char *url, const char *method)
{
	Reply	   *reply = &exchange->reply;
	Message    *message = &exchange->message;
	FaultSubject subject = {0};

	exchange->received = now_us();
	exchange->decided = true;
	if (exchange->body.len > MAX_BODY)
		reply_with_status(TOO_LARGE, reply);
	else if (check_headers(connection, url, method, reply) &&
			 check_message(connection, url, &exchange->body, message, reply))
	{
		subject.operation = message->operation->name;
		subject.cards = message->cards.ids;
		subject.card_count = message->cards.count;
		fault_choose(FAULT_AT_BODY, &subject, &exchange->verdict);
		reply_to_message(message, &exchange->verdict.fault, reply);
	}
}

enum MHD_Result
exchange_handle(void *unused, struct MHD_Connection *connection,
				const char *url, const char *method, const char *version,
				const char *upload_data, size_t *upload_data_size,
				void **context)
{
	Exchange   *exchange = *context;

	(void) unused;
	(void) version;
	if (exchange == NULL)
		return begin(connection, context);
	if (exchange->hanging)
		return MHD_NO;
	if (*upload_data_size > 0)
	{
		if (exchange->body.len <= MAX_BODY)
			text_add_bytes(&exchange->body, upload_data, *upload_data_size);
		*upload_data_size = 0;
		return MHD_YES;
	}
	if (!exchange->decided)
	{
		decide(exchange, connection, url, method);
		if (exchange->verdict.delay > 0)
		{
			park(&exchange->parked, connection,
				 exchange->received + exchange->verdict.delay);
			return MHD_YES;
		}
	}
	return finish(exchange, connection);
}

/* ------------------------------------------------------------------------
 * The end
 * ------------------------------------------------------------------------
 */

/* Sends one more answer, past libmicrohttpd. */
static void
answer_again(struct MHD_Connection *connection, const Reply *reply, int fd)
{
	const union MHD_ConnectionInfo *info;
	Text		bytes = {0};

	text_addf(&bytes, "HTTP/1.1 200 OK\r\n"
			  "Content-Type: text/xml; charset=utf-8\r\n"
			  "Content-Length: %zu\r\n\r\n", reply->body.len);
	text_add_bytes(&bytes, reply->body.data, reply->body.len);
	info = MHD_get_connection_info(connection,
								   MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (info != NULL && info->tls_session != NULL)
		gnutls_record_send(info->tls_session, bytes.data, bytes.len);
	else
		send(fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	text_free(&bytes);
}

void
exchange_end(void *unused, struct MHD_Connection *connection, void **context,
			 enum MHD_RequestTerminationCode why)
{
	Exchange   *exchange = *context;

	(void) unused;
	if (exchange == NULL)
		return;
	if (exchange->decided)
		record(exchange, false);
	if (why == MHD_REQUEST_TERMINATED_COMPLETED_OK &&
		exchange->reply.ending == REPLY_TWICE)
		answer_again(connection, &exchange->reply, exchange->connection->fd);
	http_set_busy(exchange->connection, false);
	text_free(&exchange->body);
	text_free(&exchange->reply.body);
	message_free(&exchange->message);
	free(exchange);
	*context = NULL;
}
