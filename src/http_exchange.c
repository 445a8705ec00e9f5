/*-------------------------------------------------------------------------
 *
 * http_exchange.c
 *		One POST and its answer, on an easy handle that is used again.
 *
 * A message must not go out twice without anybody knowing.  When a kept
 * connection turns out to be dead, libcurl sends the request again on a new
 * one by itself.  It may do so as long as it has not asked for the body,
 * because then no server can have carried anything out.  After that it would
 * have to rewind the body, and it is not given any means to: there is a read
 * function and no seek function, so it gives up with CURLE_SEND_FAIL_REWIND,
 * and asking for the body a second time aborts the exchange.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "held.h"
#include "http_exchange.h"
#include "wire_text.h"

/* Room for an answer that is kept from one exchange to the next. */
#define USUAL_ROOM (16 * 1024)

void
http_start(void)
{
	static bool started = false;

	if (!started && curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not start libcurl")));
	started = true;
}

const char *
http_base(const CasSettings *settings)
{
	char	   *base = pstrdup(wire_text_to_utf8(cas_option(settings, "url")));
	int			len = strlen(base);

	while (len > 0 && base[len - 1] == '/')
		base[--len] = '\0';
	return base;
}

/* libcurl wants bytes of the body. */
static size_t
take_body(char *buffer, size_t size, size_t nitems, void *arg)
{
	HttpExchange *exchange = arg;
	Size		len = exchange->body_len - exchange->body_taken;

	if (len == 0)
		return CURL_READFUNC_ABORT;
	exchange->body_asked = true;
	if (len > size * nitems)
		len = size * nitems;
	memcpy(buffer, exchange->body + exchange->body_taken, len);
	exchange->body_taken += len;
	return len;
}

/* Makes a malloc'd buffer at least so big; false if out of memory. */
static bool
make_room(char **buffer, Size *room, Size needed)
{
	Size		size = Max(*room, 1024);
	char	   *grown;

	if (needed <= *room)
		return true;
	while (size < needed)
		size *= 2;
	grown = realloc(*buffer, size);
	if (grown == NULL)
		return false;
	*buffer = grown;
	*room = size;
	return true;
}

/* Bytes of the answer arrive; taking fewer than all ends the exchange. */
static size_t
keep_answer(char *data, size_t size, size_t nitems, void *arg)
{
	HttpExchange *exchange = arg;
	Size		len = size * nitems;

	if (len > exchange->answer_max - exchange->answer_len)
	{
		exchange->answer_too_big = true;
		return 0;
	}
	if (!make_room(&exchange->answer, &exchange->answer_room,
				   exchange->answer_len + len))
		return 0;
	memcpy(exchange->answer + exchange->answer_len, data, len);
	exchange->answer_len += len;
	return len;
}

static void
release_exchange(void *handle)
{
	HttpExchange *exchange = handle;

	curl_easy_cleanup(exchange->easy);
	curl_slist_free_all(exchange->headers);
	free(exchange->body);
	free(exchange->answer);
	free(exchange->target);
	free(exchange->headers_text);
}

/* An option that is a text; unset ones are left alone. */
static bool
set_text(CURL *easy, CURLoption option, const char *value)
{
	return value == NULL ||
		curl_easy_setopt(easy, option,
						 wire_text_to_utf8(value)) == CURLE_OK;
}

/* What guards the connection; false if this libcurl cannot. */
static bool
set_security(CURL *easy, const CasSettings *settings)
{
	bool		plaintext = cas_option_bool(settings, "allow_plaintext");
	bool		ok = true;

	ok &= set_text(easy, CURLOPT_PROTOCOLS_STR,
				   plaintext ? "http,https" : "https");
	ok &= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
	ok &= set_text(easy, CURLOPT_PROXY, "");
	ok &= curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL,
						   1L) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_SSLVERSION,
						   (long) CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
	ok &= set_text(easy, CURLOPT_CAINFO, cas_option(settings, "ca_file"));
	if (cas_option(settings, "ca_file"))	/* instead of the system's */
		ok &= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK;
	ok &= set_text(easy, CURLOPT_SSLCERT,
				   cas_option(settings, "client_cert"));
	ok &= set_text(easy, CURLOPT_SSLKEY, cas_option(settings, "client_key"));
	ok &= set_text(easy, CURLOPT_KEYPASSWD,
				   cas_option(settings, "client_key_password"));
	if (cas_option(settings, "username") == NULL)
		return ok;
	ok &= curl_easy_setopt(easy, CURLOPT_HTTPAUTH,
						   (long) CURLAUTH_BASIC) == CURLE_OK;
	ok &= set_text(easy, CURLOPT_USERNAME, cas_option(settings, "username"));
	ok &= set_text(easy, CURLOPT_PASSWORD, cas_option(settings, "password"));
	return ok;
}

/* The time for the whole exchange is not libcurl's to watch: see http.c. */
static bool
set_timing(CURL *easy, const CasSettings *settings)
{
	bool		ok = true;

	ok &= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
						   (long) cas_option_int(settings,
												 "connect_timeout")) == CURLE_OK;
	/* libcurl counts in seconds */
	ok &= curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN,
						   (long) (cas_option_int(settings, "idle_timeout") /
								   1000)) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK;
	return ok;
}

/* The settings that all exchanges of a link have in common. */
static bool
set_request(HttpExchange *exchange)
{
	CURL	   *easy = exchange->easy;
	bool		ok = true;

	ok &= curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER,
						   exchange->error) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
						   (long) CURL_HTTP_VERSION_1_1) == CURLE_OK;
	ok &= set_text(easy, CURLOPT_USERAGENT, "provreq");
	ok &= curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_READFUNCTION,
						   take_body) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_READDATA, exchange) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION,
						   keep_answer) == CURLE_OK;
	ok &= curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange) == CURLE_OK;
	/* the least that libcurl takes: each handle has such buffers */
	ok &= curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE,
						   16384L) == CURLE_OK;
	return ok;
}

HttpExchange *
http_exchange_new(const CasSettings *settings)
{
	HttpExchange *exchange = palloc0(sizeof(HttpExchange));
	Held	   *held = held_new(release_exchange);

	exchange->answer_max = cas_option_int(settings, "max_answer_size");
	held_keep(held, exchange, "HTTP exchange");
	exchange->easy = curl_easy_init();
	if (exchange->easy == NULL ||
		!make_room(&exchange->answer, &exchange->answer_room, USUAL_ROOM))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not create an HTTP handle")));
	if (!set_security(exchange->easy, settings) ||
		!set_timing(exchange->easy, settings) ||
		!set_request(exchange))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("libcurl refuses the settings of provider \"%s\"",
						settings->server_name),
				 errdetail("It is %s.", curl_version())));
	return exchange;
}

/* Replaces a malloc'd text; false if out of memory. */
static bool
replace_text(char **old, const char *new)
{
	free(*old);
	*old = strdup(new);
	return *old != NULL;
}

static bool
load_url(HttpExchange *exchange, const char *base, const char *target)
{
	char		url[2048];

	if (exchange->target && strcmp(exchange->target, target) == 0)
		return true;
	if (snprintf(url, sizeof(url), "%s%s", base, target) >= sizeof(url))
	{
		strlcpy(exchange->error, "the URL is too long",
				sizeof(exchange->error));
		return false;
	}
	return replace_text(&exchange->target, target) &&
		curl_easy_setopt(exchange->easy, CURLOPT_URL, url) == CURLE_OK;
}

/* Appends one header line; the old list stays valid if that fails. */
static bool
append_header(HttpExchange *exchange, const char *line)
{
	struct curl_slist *list = curl_slist_append(exchange->headers, line);

	if (list == NULL)
		return false;
	exchange->headers = list;
	return true;
}

/* Lines end with \n; libcurl wants them one by one, and no Expect from it. */
static bool
load_headers(HttpExchange *exchange, const char *lines)
{
	char	   *save = NULL;
	char	   *copy;
	bool		ok;

	if (exchange->headers_text && strcmp(exchange->headers_text, lines) == 0)
		return true;
	copy = strdup(lines);
	if (copy == NULL || !replace_text(&exchange->headers_text, lines))
	{
		free(copy);
		return false;
	}
	curl_slist_free_all(exchange->headers);
	exchange->headers = NULL;
	ok = append_header(exchange, "Expect:");
	for (char *line = strtok_r(copy, "\n", &save); ok && line;
		 line = strtok_r(NULL, "\n", &save))
		ok = append_header(exchange, line);
	free(copy);
	if (!ok)
		exchange->headers_text[0] = '\0';	/* not what the list holds */
	return curl_easy_setopt(exchange->easy, CURLOPT_HTTPHEADER,
							exchange->headers) == CURLE_OK && ok;
}

/* Forgets the exchange before, so that nothing of it can be taken for new. */
static void
forget(HttpExchange *exchange)
{
	exchange->body_len = 0;
	exchange->body_taken = 0;
	exchange->body_asked = false;
	exchange->answer_len = 0;
	exchange->answer_too_big = false;
	exchange->error[0] = '\0';
}

bool
http_exchange_load(HttpExchange *exchange, const char *base,
				   const CasMessage *message)
{
	forget(exchange);
	exchange->result = CURLE_OUT_OF_MEMORY;
	if (!make_room(&exchange->body, &exchange->body_room, message->len) ||
		!load_url(exchange, base, message->target ? message->target : "/") ||
		!load_headers(exchange, message->headers ? message->headers : ""))
		return false;
	memcpy(exchange->body, message->data, message->len);
	exchange->body_len = message->len;
	return curl_easy_setopt(exchange->easy, CURLOPT_POSTFIELDSIZE_LARGE,
							(curl_off_t) message->len) == CURLE_OK;
}

/* Why there is no answer; printable ASCII, in the exchange's own buffer. */
static const char *
failure_text(HttpExchange *exchange)
{
	if (exchange->answer_too_big)
		snprintf(exchange->error, sizeof(exchange->error),
				 "the answer is bigger than %zu bytes",
				 exchange->answer_max);
	else if (exchange->result == CURLE_SEND_FAIL_REWIND ||
			 exchange->result == CURLE_ABORTED_BY_CALLBACK)
		strlcpy(exchange->error,
				"the connection was closed before an answer came",
				sizeof(exchange->error));
	else if (exchange->error[0] == '\0')
		strlcpy(exchange->error, curl_easy_strerror(exchange->result),
				sizeof(exchange->error));
	for (char *p = exchange->error; *p; p++)
		if (*p < ' ' || *p >= 0x7F)
			*p = '?';
	return exchange->error;
}

void
http_exchange_expire(HttpExchange *exchange, int timeout)
{
	exchange->result = CURLE_OPERATION_TIMEDOUT;
	snprintf(exchange->error, sizeof(exchange->error),
			 exchange->body_asked ? "no answer within %d ms" :
			 "nothing could be sent within %d ms", timeout);
}

/*
 * Did the server refuse our client certificate?  Under TLS 1.3 it says so
 * only after we have sent the first bytes, which it then cannot have read:
 * the handshake was not over for it.  libcurl knows no more than a receive
 * error, but prints OpenSSL's number for it, whose last digits are 1000 plus
 * the alert (RFC 8446, 6.2).  On a kept connection the handshake was over
 * long ago.
 */
static bool
certificate_refused(const HttpExchange *exchange)
{
	static const uint8 alerts[] = {40, 42, 43, 44, 45, 46, 48, 49, 116};
	const char *number = strstr(exchange->error, "error:");
	unsigned long reason;
	long		connects = 0;

	if (exchange->result != CURLE_RECV_ERROR || number == NULL ||
		exchange->answer_len > 0 ||
		curl_easy_getinfo(exchange->easy, CURLINFO_NUM_CONNECTS,
						  &connects) != CURLE_OK || connects == 0)
		return false;
	reason = strtoul(number + strlen("error:"), NULL, 16) & 0x7FFFFF;
	for (int i = 0; i < lengthof(alerts); i++)
		if (reason == 1000 + alerts[i])
			return true;
	return false;
}

void
http_exchange_reply(HttpExchange *exchange, CasReply *reply)
{
	long		code = 0;

	if (exchange->body_asked || exchange->result == CURLE_OK)
		curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &code);
	memset(reply, 0, sizeof(CasReply));
	reply->tag = exchange->tag;
	reply->data = exchange->answer;
	reply->len = exchange->answer_len;
	reply->code = (int) code;
	if (exchange->result == CURLE_OK)
		reply->status = CAS_ANSWERED;
	else
	{
		bool		unread = certificate_refused(exchange);

		reply->status = exchange->body_asked && !unread ?
			CAS_NO_ANSWER : CAS_NOT_SENT;
		reply->failure = failure_text(exchange);
	}
}

/* Gives back what an unusually big answer made it hold. */
static void
shrink(HttpExchange *exchange)
{
	char	   *smaller;

	if (exchange->answer_room <= USUAL_ROOM)
		return;
	smaller = realloc(exchange->answer, USUAL_ROOM);
	if (smaller == NULL)
		return;
	exchange->answer = smaller;
	exchange->answer_room = USUAL_ROOM;
}

/*
 * A handle that failed is not trusted: libcurl 8.14, once unable to rewind a
 * body, wants to rewind those of all later messages and sends none of them.
 */
static void
renew(HttpExchange *exchange)
{
	CURL	   *fresh = curl_easy_duphandle(exchange->easy);

	if (fresh == NULL)
		return;
	curl_easy_cleanup(exchange->easy);
	exchange->easy = fresh;
}

void
http_exchange_recycle(HttpExchange *exchange)
{
	if (exchange->result != CURLE_OK)
		renew(exchange);
	shrink(exchange);
}
