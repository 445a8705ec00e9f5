/*-------------------------------------------------------------------------
 *
 * nds_answer.c
 *		What the NDS simulator says.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nds.h"

#define ENVELOPE_LEN 53
#define LENGTH_AT 4
#define MOST_LEN 0xFFFF

/* The envelope: what the client calls to is from.  The length comes later. */
static void
add_envelope(const NdsLink *own, const char *sequence, const char *command,
			 Text *text)
{
	time_t		now = time(NULL);
	struct tm	parts;
	char		date[15];

	strftime(date, sizeof(date), "%Y%m%d%H%M%S", gmtime_r(&now, &parts));
	text_addf(text, "00010000%.4s%.4s%.8s%s%c%s%.12s", own->to_id,
			  own->from_id, sequence, date, own->priority, command,
			  own->card);
}

/* References are unique; a ping has none. */
static void
add_ok(const Message *message, Text *text)
{
	static unsigned long references;
	char		reference[17];

	snprintf(reference, sizeof(reference), "NDS%lu", ++references);
	text_addf(text, "%-16s", message->is_housekeeping ? "" : reference);
}

static void
add_error(const Message *message, const char *code, Text *text)
{
	const char *words = message->text[0] != '\0' ? message->text : "refused";

	text_addf(text, "%s%02zX%s", code, strlen(words), words);
}

/* Writes the length into the text and puts the digest behind it. */
static void
seal(Text *text, FaultKind twist)
{
	char		hex[NDS_DIGEST_LEN + 1];
	char		length[5];
	size_t		told = text->len + nds_digest_len();

	if (twist == FAULT_WRONG_LENGTH)
		told -= 3;
	snprintf(length, sizeof(length), "%04zX", told & MOST_LEN);
	memcpy(text->data + LENGTH_AT, length, 4);
	if (nds_digest_len() == 0)
		return;
	nds_digest(text->data, text->len, hex);
	if (twist == FAULT_WRONG_DIGEST)
		hex[0] = hex[0] == '0' ? '1' : '0';
	text_add(text, hex);
}

/* A sequence that is not that of the message. */
static void
strange_sequence(const Message *message, char sequence[9])
{
	unsigned long number = strtoul(message->sequence, NULL, 16);

	snprintf(sequence, 9, "%08lX", (number + 0x80000000ul) & 0xFFFFFFFFul);
}

void
nds_answer(Link *link, const Message *message, const char *code,
		   FaultKind twist, size_t size, Text *bytes)
{
	bool		accepted = strcmp(code, CODE_OK) == 0;
	char		sequence[9];
	Text		text = {0};

	snprintf(sequence, sizeof(sequence), "%.8s", message->sequence);
	if (twist == FAULT_OTHER_ANSWER || twist == FAULT_UNSOLICITED ||
		twist == FAULT_WRONG_SEQUENCE)
		strange_sequence(message, sequence);
	add_envelope(link->own, sequence, accepted ? "OK" : "ER", &text);
	if (twist == FAULT_NONSENSE)
		memset(text.data + 8, '#', ENVELOPE_LEN - 8);
	if (accepted)
		add_ok(message, &text);
	else
		add_error(message, code, &text);
	while (twist == FAULT_OVERSIZED && text.len + nds_digest_len() < size)
		text_add(&text, "x");
	seal(&text, twist);
	text_add_bytes(bytes, text.data, text.len);
	text_free(&text);
}

void
nds_disturb(Link *link, Text *bytes)
{
	const NdsLink *own = link->own;
	Message		message = {.sequence = "7FFFFFFF"};

	if (own->is_known)
		nds_answer(link, &message, CODE_OK, FAULT_NONE, 0, bytes);
}
