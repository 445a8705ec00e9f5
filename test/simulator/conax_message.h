/*-------------------------------------------------------------------------
 *
 * conax_message.h
 *		The operations of the CAS, and a request for one of them, decoded.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONAX_MESSAGE_H
#define CONAX_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

typedef enum Action
{
	ADD_SUBSCRIPTIONS,
	CANCEL_SUBSCRIPTIONS,
	GET_ACTIVE_SUBSCRIPTIONS,
	CREATE_PAIRING,
	ADD_TO_EXISTING_PAIRING,
	GET_PAIRING_STATUS_FOR_CARD,
	GET_PAIRING_STATUS_FOR_PAIRING_MODULE,
	DISPLAY_FINGERPRINT,
	UPDATE_CA_PIN_TO_DEFAULT_VALUE,
	UPDATE_CA_PIN_TO_GIVEN_VALUE,
	SEND_MAIL_MESSAGE_TO_CLIENTS,
	SEND_BARK_MESSAGE_TO_CLIENTS,
	SEND_REPEATING_BARK_MESSAGE_TO_CLIENTS
} Action;

typedef struct Operation
{
	const char *name;			/* "AddSubscriptions" */
	const char *service;		/* in the namespace: "authorization" */
	const char *path;			/* of the URL, after /ca-server/webservices/ */
	Action		action;
} Operation;

/* By the name of the element in the SOAP Body; NULL if there is none. */
extern const Operation *operation_by_name(const char *name);

/* The operation after another one of the table, the first after the last. */
extern const Operation *operation_next(const Operation *operation);

#define URL_PREFIX "/ca-server/webservices/"

/* Is it the path of some operation? */
extern bool operation_path_known(const char *path);

typedef struct Ids
{
	const char **ids;
	size_t		count;
} Ids;

/*
 * A request, decoded.  What was not in it is NULL or empty.  All strings
 * live in "memory".
 */
typedef struct Message
{
	const Operation *operation; /* NULL: not known */
	const char *sequence;
	Ids			cards;			/* ExistingCaClientId is the first of them */
	Ids			products;
	Ids			modules;
	const char *start_time;		/* as written */
	const char *pin;
	const char *text;
	char	   *memory;
} Message;

/* How reading a body went. */
typedef enum DecodeResult
{
	DECODE_OK,
	DECODE_MALFORMED,			/* not XML, or with a DOCTYPE */
	DECODE_NO_SOAP,				/* no SOAP 1.1 envelope with one body element */
	DECODE_INVALID				/* the schema says no */
} DecodeResult;

/*
 * Loads and compiles the schema.  With a NULL path nothing is validated.
 * False if it cannot be loaded; the reason is on stderr.
 */
extern bool decode_start(const char *schema_path);
extern void decode_stop(void);

/*
 * Reads a request.  The message is filled in as far as it can be understood,
 * also when the result is DECODE_INVALID; error says what is wrong.
 */
extern DecodeResult decode(const char *body, size_t len, Message *message,
						   Text *error);
extern void message_free(Message *message);

#endif							/* CONAX_MESSAGE_H */
