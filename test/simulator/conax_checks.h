/*-------------------------------------------------------------------------
 *
 * conax_checks.h
 *		What a message has to fulfil beside the schema.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONAX_CHECKS_H
#define CONAX_CHECKS_H

#include <microhttpd.h>
#include <stdbool.h>

#include "conax_reply.h"

typedef struct CheckSettings
{
	const char *user;			/* NULL: no authentication */
	const char *password;

	/*
	 * empty, present, absent, ignored, or the value itself, in which
	 * {operation} stands for the operation's name
	 */
	const char *soap_action;
} CheckSettings;

extern void check_settings(const CheckSettings *settings);

/* Request line and headers.  False: the reply says what is wrong. */
extern bool check_headers(struct MHD_Connection *connection, const char *url,
						  const char *method, Reply *reply);

/* Decodes the body and compares it with the headers.  False: as above. */
extern bool check_message(struct MHD_Connection *connection, const char *url,
						  const Text *body, Message *message, Reply *reply);

#endif							/* CONAX_CHECKS_H */
