/*-------------------------------------------------------------------------
 *
 * nagra_answer.c
 *		What the Nagravision simulator says.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "nagra.h"

#define NUMBERS 1000000000ul	/* 9 digits; 0 is none of them */

static void
add_frame(Text *bytes, const char *body, size_t len, size_t told)
{
	unsigned char prefix[2] = {(unsigned char) (told >> 8),
	(unsigned char) told};

	text_add_bytes(bytes, prefix, 2);
	text_add_bytes(bytes, body, len);
}

/* The call status follows when the connection status is success. */
static void
answer_hello(const Message *message, Text *bytes)
{
	char		status[2];

	status[0] = (char) message->hello[0];
	status[1] = (char) message->hello[1];
	add_frame(bytes, status, 1, 1);
	if (status[0] == 6)
		add_frame(bytes, status + 1, 1, 1);
}

/* A root header of the gateway's: source and dest are swapped. */
static void
add_header(Link *link, Text *body)
{
	NagraLink  *own = link->own;
	time_t		now = time(NULL);
	struct tm	parts;
	char		date[9];

	strftime(date, sizeof(date), "%Y%m%d", gmtime_r(&now, &parts));
	own->answers = own->answers % (NUMBERS - 1) + 1;
	text_addf(body, "%09lu05%s%s%s%s", own->answers, own->dest_id,
			  link->source, own->mop_ppid, date);
}

static void
add_acknowledge(Link *link, unsigned long number, Text *body)
{
	add_header(link, body);
	text_addf(body, "1000%09lu", number);
}

static void
add_refuse(Link *link, const Message *message, const char *code, Text *body)
{
	const char *text = message->text[0] != '\0' ? message->text : "refused";

	add_header(link, body);
	text_addf(body, "1001%09lu1%s0000%03zu%s", message->transaction, code,
			  strlen(text), text);
}

/* Another number than that of the message, none that was ever used. */
static unsigned long
strange_number(const Message *message)
{
	return (message->transaction + NUMBERS / 2) % NUMBERS;
}

void
nagra_answer(Link *link, const Message *message, const char *code,
			 FaultKind twist, size_t size, Text *bytes)
{
	Text		body = {0};
	size_t		told;

	if (message->is_hello && twist == FAULT_NONE)
	{
		answer_hello(message, bytes);
		return;
	}
	if (twist == FAULT_NONSENSE)
		text_add(&body, "this is no answer to anything at all, I am afraid");
	else if (twist == FAULT_OTHER_ANSWER || twist == FAULT_UNSOLICITED)
		add_acknowledge(link, strange_number(message), &body);
	else if (strcmp(code, CODE_OK) == 0)
		add_acknowledge(link, message->transaction, &body);
	else
		add_refuse(link, message, code, &body);
	while (twist == FAULT_OVERSIZED && body.len < size)
		text_add(&body, "x");
	told = twist == FAULT_WRONG_LENGTH ? body.len - 3 : body.len;
	add_frame(bytes, body.data, body.len, told);
	text_free(&body);
}

void
nagra_disturb(Link *link, Text *bytes)
{
	NagraLink  *own = link->own;
	Text		body = {0};

	if (own->source == NULL)
		return;
	add_acknowledge(link, NUMBERS - 1, &body);
	add_frame(bytes, body.data, body.len, body.len);
	text_free(&body);
}
