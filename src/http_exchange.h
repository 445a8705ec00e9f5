/*-------------------------------------------------------------------------
 *
 * http_exchange.h
 *		One POST and its answer, on an easy handle that is used again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_HTTP_EXCHANGE_H
#define PROVREQ_HTTP_EXCHANGE_H

#include <curl/curl.h>

#include "lib/ilist.h"
#include "transport.h"

/*
 * What libcurl is given and gives back.  Memory is malloc'd: it grows inside
 * of callbacks, where nothing may be raised.
 */
typedef struct HttpExchange
{
	struct HttpExchange *next;	/* in whichever list it is */
	dlist_node	waiting;		/* while libcurl has it, oldest first */
	int64		deadline;		/* ms; when waiting for the answer ends */
	CURL	   *easy;
	uint64		tag;
	char	   *body;
	Size		body_len;
	Size		body_room;
	Size		body_taken;		/* so much was handed to libcurl */
	bool		body_asked;		/* libcurl asked for it: it may have left */
	char	   *answer;
	Size		answer_len;
	Size		answer_room;
	Size		answer_max;		/* bigger ones are refused */
	bool		answer_too_big;
	CURLcode	result;
	char	   *target;			/* what CURLOPT_URL was made with */
	char	   *headers_text;	/* what headers was made from */
	struct curl_slist *headers;
	char		error[CURL_ERROR_SIZE];
} HttpExchange;

/* Starts libcurl, once in a process.  Raises. */
extern void http_start(void);

/* What all URLs of a provider begin with, without a slash at its end. */
extern const char *http_base(const CasSettings *settings);

/*
 * An exchange with all that does not change set from the settings, owned by
 * the current memory context.  Raises.
 */
extern HttpExchange *http_exchange_new(const CasSettings *settings);

/*
 * Loads a message; base is the URL that its target is appended to.  False if
 * that cannot be done, with the reason in exchange->error.
 */
extern bool http_exchange_load(HttpExchange *exchange, const char *base,
							   const CasMessage *message);

/*
 * Ends an exchange that was taken from libcurl because nothing, or nothing
 * whole, came within so many milliseconds.
 */
extern void http_exchange_expire(HttpExchange *exchange, int timeout);

/* The reply of an exchange that libcurl has finished or never began. */
extern void http_exchange_reply(HttpExchange *exchange, CasReply *reply);

/*
 * Makes an exchange that is over, and its reply no longer looked at, ready
 * for the next message.  libcurl must not have it.
 */
extern void http_exchange_recycle(HttpExchange *exchange);

/* CasTransport.test, in http_test.c. */
extern List *http_test(const CasSettings *settings);

#endif							/* PROVREQ_HTTP_EXCHANGE_H */
