/*-------------------------------------------------------------------------
 *
 * nds_decode.c
 *		What the NDS simulator takes for a right message.
 *
 * Without a right version and length it is not known where a message ends, so
 * nothing can be answered.  A wrong digest or sequence is answered, and then
 * the link is closed; what is wrong behind that is refused with E002.
 *
 *-------------------------------------------------------------------------
 */
#include <ctype.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cards.h"
#include "field.h"
#include "link_answer.h"
#include "nds.h"

#define CODE_UNKNOWN_CARD "E001"
#define CODE_FORMAT "E002"
#define CODE_DIGEST "E003"
#define CODE_SEQUENCE "E004"

/* Where the fields are. */
#define AT_LENGTH 4
#define AT_FROM 8
#define AT_TO 12
#define AT_SEQUENCE 16
#define AT_TIME 24
#define AT_PRIORITY 38
#define AT_COMMAND 39
#define AT_CARD 41
#define ENVELOPE_LEN 53

#define UP_LEN 9				/* action, pin */
#define PIN_LEN 8
#define MESSAGE_MAX 256

static NdsSettings settings;

/* ------------------------------------------------------------------------
 * Sequences
 * ------------------------------------------------------------------------
 */

/* The sequences of one link, from first to last, which may have wrapped. */
typedef struct NdsRange
{
	char		from_id[5];
	unsigned long first;
	unsigned long count;
	struct NdsRange *next;
} NdsRange;

static NdsRange *ranges;

void
nds_start(const NdsSettings *given)
{
	settings = *given;
}

void
nds_stop(void)
{
	while (ranges != NULL)
	{
		NdsRange   *range = ranges;

		ranges = range->next;
		free(range);
	}
}

/* Had another link of that client the sequence? */
static bool
is_used(const NdsLink *own, unsigned long sequence)
{
	const NdsRange *range;

	for (range = ranges; range != NULL; range = range->next)
	{
		if (range != own->range &&
			strcmp(range->from_id, own->from_id) == 0 &&
			((sequence - range->first) & 0xFFFFFFFFul) < range->count)
			return true;
	}
	return false;
}

bool
nds_take_sequence(NdsLink *own, unsigned long sequence)
{
	NdsRange   *range = own->range;

	if (range != NULL &&
		sequence != ((range->first + range->count) & 0xFFFFFFFFul))
		return false;
	if (settings.is_once && is_used(own, sequence))
		return false;
	if (range == NULL)
	{
		range = own->range = must_alloc(sizeof(NdsRange));
		strcpy(range->from_id, own->from_id);
		range->first = sequence;
		range->next = ranges;
		ranges = range;
	}
	range->count++;
	return true;
}

/* ------------------------------------------------------------------------
 * Messages
 * ------------------------------------------------------------------------
 */
size_t
nds_digest_len(void)
{
	return settings.digest == NDS_DIGEST_NONE ? 0 : NDS_DIGEST_LEN;
}

void
nds_digest(const char *text, size_t len, char hex[NDS_DIGEST_LEN + 1])
{
	unsigned char digest[64] = {0};
	gnutls_mac_algorithm_t algorithm = settings.digest == NDS_DIGEST_MD5 ?
		GNUTLS_MAC_MD5 : GNUTLS_MAC_SHA256;
	size_t		i;

	gnutls_hmac_fast(algorithm, settings.key, strlen(settings.key), text, len,
					 digest);
	for (i = 0; i < NDS_DIGEST_LEN / 2; i++)
		snprintf(hex + 2 * i, 3, "%02X", digest[i]);
}

size_t
nds_measure(const Link *link, const char *bytes, size_t len,
			const char **error)
{
	size_t		told;

	(void) link;
	if (memcmp(bytes, "0001", len < AT_LENGTH ? len : AT_LENGTH) != 0)
		*error = "version";
	if (*error != NULL || len < AT_FROM)
		return 0;
	if (!field_is_hex(bytes + AT_LENGTH, 4))
	{
		*error = "length";
		return 0;
	}
	told = field_hex(bytes + AT_LENGTH, 4);
	if (told < ENVELOPE_LEN + nds_digest_len() || told > MESSAGE_MAX)
		*error = "length";
	return told;
}

static bool
refuse(Message *message, const char *code, const char *text)
{
	strcpy(message->code, code);
	snprintf(message->text, sizeof(message->text), "%s", text);
	message->ends_link = strcmp(code, CODE_DIGEST) == 0 ||
		strcmp(code, CODE_SEQUENCE) == 0;
	return false;
}

/* Digest and sequence: is it to be believed at all? */
static bool
check_trust(NdsLink *own, const char *bytes, size_t len, Message *message)
{
	char		hex[NDS_DIGEST_LEN + 1];
	size_t		covered = len - nds_digest_len();
	unsigned long sequence;

	if (covered < len)
	{
		nds_digest(bytes, covered, hex);
		if (strncasecmp(hex, bytes + covered, NDS_DIGEST_LEN) != 0)
			return refuse(message, CODE_DIGEST, "digest");
	}
	if (!field_is_hex(bytes + AT_SEQUENCE, 8))
		return refuse(message, CODE_SEQUENCE, "sequence");
	sequence = field_hex(bytes + AT_SEQUENCE, 8);
	return nds_take_sequence(own, sequence) ? true :
		refuse(message, CODE_SEQUENCE, "sequence");
}

/* A field that is the same in all messages of a link, and as was told. */
static bool
is_constant(const char *field, const char *wanted, const char *kept,
			bool is_known)
{
	return field_is_hex(field, 4) &&
		(wanted == NULL || strncasecmp(wanted, field, 4) == 0) &&
		(!is_known || strncasecmp(kept, field, 4) == 0);
}

/* From, to, time and priority.  False: refused. */
static bool
decode_envelope(Link *link, const char *bytes, Message *message)
{
	NdsLink    *own = link->own;
	bool		is_new = !own->is_known;

	if (!is_constant(bytes + AT_FROM, settings.from_id, own->from_id,
					 own->is_known))
		return refuse(message, CODE_FORMAT, "from_id");
	if (!is_constant(bytes + AT_TO, settings.to_id, own->to_id,
					 own->is_known))
		return refuse(message, CODE_FORMAT, "to_id");
	if (!field_is_now(bytes + AT_TIME))
		return refuse(message, CODE_FORMAT, "time");
	if (strchr("IER", own->priority) == NULL || own->priority == '\0')
		return refuse(message, CODE_FORMAT, "priority");
	own->is_known = true;
	if (is_new)
		answers_for_source(link);
	return true;
}

static bool
decode_up(const char *fields, Message *message)
{
	char		pin[PIN_LEN + 1];
	char		mark[PIN_MARK];

	strcpy(message->operation, fields[0] == 'D' ? "PinDefault" : "PinNew");
	if (fields[0] == 'D')
		return field_is_spaces(fields + 1, PIN_LEN) ? true :
			refuse(message, CODE_FORMAT, "pin");
	if (fields[0] != 'N')
		return refuse(message, CODE_FORMAT, "action");
	field_copy(pin, fields + 1, PIN_LEN);
	if (!field_is_padded(fields + 1, PIN_LEN) ||
		!field_is_digits(pin, strlen(pin)))
		return refuse(message, CODE_FORMAT, "pin");
	pin_mark(pin, mark);
	snprintf(message->things, sizeof(message->things), "pin=%s", mark);
	return true;
}

/* The command, its card and its fields.  False: refused. */
static bool
decode_command(const char *bytes, size_t len, Message *message)
{
	const char *command = bytes + AT_COMMAND;
	size_t		fields = len - nds_digest_len() - ENVELOPE_LEN;

	if (!field_is_digits(bytes + AT_CARD, 12))
		return refuse(message, CODE_FORMAT, "card");
	if (memcmp(command, "PG", 2) == 0)
	{
		strcpy(message->operation, "Ping");
		message->is_housekeeping = true;
		if (fields != 0)
			return refuse(message, CODE_FORMAT, "length");
		return field_is_zeros(bytes + AT_CARD, 12) ? true :
			refuse(message, CODE_FORMAT, "card");
	}
	field_copy(message->card, bytes + AT_CARD, 12);
	if (memcmp(command, "RA", 2) == 0)
	{
		strcpy(message->operation, "Reauthorise");
		return fields == 0 ? true : refuse(message, CODE_FORMAT, "length");
	}
	if (memcmp(command, "UP", 2) != 0)
		return refuse(message, CODE_FORMAT, "command");
	if (fields != UP_LEN)
		return refuse(message, CODE_FORMAT, "length");
	return decode_up(bytes + ENVELOPE_LEN, message);
}

/* What the answer repeats, whatever is wrong with it. */
static void
note_envelope(Link *link, const char *bytes, Message *message)
{
	NdsLink    *own = link->own;

	field_copy(message->sequence, bytes + AT_SEQUENCE, 8);
	own->priority = bytes[AT_PRIORITY];
	snprintf(message->more, sizeof(message->more), "%c", own->priority);
	memcpy(own->card, bytes + AT_CARD, 12);
	if (own->is_known)
		return;
	field_copy(own->from_id, bytes + AT_FROM, 4);
	field_copy(own->to_id, bytes + AT_TO, 4);
	strcpy(link->source, own->from_id);
}

/* Control characters, which would tear the ledger's line, are not text. */
static bool
is_text(const char *bytes, size_t len)
{
	size_t		i;

	for (i = 0; i < len; i++)
	{
		if (!isprint((unsigned char) bytes[i]))
			return false;
	}
	return true;
}

const char *
nds_decode(Link *link, const char *bytes, size_t len, Message *message)
{
	if (!is_text(bytes, len))
		return "not-ascii";
	strcpy(message->code, CODE_OK);
	note_envelope(link, bytes, message);
	if (check_trust(link->own, bytes, len, message) &&
		decode_envelope(link, bytes, message) &&
		decode_command(bytes, len, message) &&
		!message->is_housekeeping && !card_is_known(message->card))
		refuse(message, CODE_UNKNOWN_CARD, "unknown card");
	return NULL;
}

void
nds_carry_out(const Message *message)
{
	if (strcmp(message->operation, "PinDefault") == 0)
		card_set_pin(message->card, "default");
	else if (strcmp(message->operation, "PinNew") == 0)
		card_set_pin(message->card, message->things + strlen("pin="));
	else
		card_reauthorise(message->card);
}
