/*-------------------------------------------------------------------------
 *
 * nagra_decode.c
 *		What the Nagravision simulator takes for a right message.
 *
 * What is wrong with the frame or the root header ends the link, for nothing
 * can be answered to a message whose number is in doubt.  What is wrong
 * behind the root header is refused with code 0003.
 *
 *-------------------------------------------------------------------------
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cards.h"
#include "field.h"
#include "link_answer.h"
#include "link_loop.h"
#include "nagra.h"
#include "table.h"

#define CODE_UNKNOWN_CARD "0001"
#define CODE_UNKNOWN_PRODUCT "0002"
#define CODE_FORMAT "0003"

#define HEADER_LEN 32
#define ADDRESS_LEN 28			/* mode, start, end, type, address */
#define STB_LEN 14
#define PIN_LEN 8
#define PRODUCT_LEN 12

/* Numbers may start again from 1 close to the greatest. */
#define NUMBER_HIGH 900000000ul
#define NUMBER_LOW 100000000ul

typedef struct NagraSource
{
	char		id[5];
	Link	   *link;			/* that it is on, or NULL */
	unsigned long last_number;	/* of all its links so far */
} NagraSource;

static NagraSettings settings;
static Table sources;

void
nagra_start(const NagraSettings *given)
{
	settings = *given;
}

void
nagra_stop(void)
{
	size_t		i;

	for (i = 0; i < sources.size; i++)
		free(sources.entries[i].value);
	free(sources.entries);
}

void
nagra_on_close(Link *link)
{
	NagraLink  *own = link->own;

	if (own->source != NULL && own->source->link == link)
		own->source->link = NULL;
}

/* ------------------------------------------------------------------------
 * The hello
 * ------------------------------------------------------------------------
 */

/*
 * Is a client still there on another link?  That it has hung up may wait in
 * the kernel behind bytes of that link; they came before those of any later
 * link.
 */
static bool
is_in_use(Link *link)
{
	struct pollfd polled;

	if (link == NULL ||
		(link->state != LINK_OPEN && link->state != LINK_HANGING))
		return false;
	polled.fd = link->fd;
	polled.events = POLLRDHUP;
	if (poll(&polled, 1, 0) <= 0 || polled.revents == 0)
		return true;
	while (link->state == LINK_OPEN)
		loop_serve(link);
	link_close(link, false);
	return false;
}

/* Has each known source a link already? */
static bool
are_all_linked(const Link *newcomer)
{
	unsigned	count = 0;
	Link	   *link;
	Link	   *next;

	if (settings.source_count == 0)
		return false;
	for (link = link_first(); link != NULL; link = next)
	{
		const NagraLink *own = link->own;

		next = link->next;
		if (link != newcomer && own->is_greeted && is_in_use(link))
			count++;
	}
	return count >= settings.source_count;
}

/* Op mode 0, the length of the name, the name. */
static const char *
decode_hello(Link *link, const char *body, size_t len, Message *message)
{
	NagraLink  *own = link->own;

	strcpy(message->operation, "Hello");
	message->is_hello = message->is_housekeeping = true;
	message->hello[0] = 6;
	if (len < 3 || body[0] != 0 || (unsigned char) body[1] != len - 2)
		return "hello";
	if (len - 2 != strlen(settings.object_name) ||
		memcmp(body + 2, settings.object_name, len - 2) != 0 ||
		are_all_linked(link))
	{
		message->hello[1] = 3;
		strcpy(message->code, "6/3");
		message->ends_link = true;
		return NULL;
	}
	strcpy(message->things, settings.object_name);
	strcpy(message->code, CODE_OK);
	own->is_greeted = true;
	return NULL;
}

/* ------------------------------------------------------------------------
 * The root header
 * ------------------------------------------------------------------------
 */
static bool
is_known_source(const char *id)
{
	unsigned	i;

	for (i = 0; i < settings.source_count; i++)
	{
		if (memcmp(settings.sources[i], id, 4) == 0)
			return true;
	}
	return settings.source_count == 0;
}

static NagraSource *
get_source(const char *id)
{
	NagraSource *source;
	char		key[5];

	field_copy(key, id, 4);
	source = table_find(&sources, key);
	if (source == NULL)
	{
		source = must_alloc(sizeof(NagraSource));
		strcpy(source->id, key);
		table_add(&sources, source->id, source);
	}
	return source;
}

/* Gives the link its source.  NULL, or what is wrong. */
static const char *
take_source(Link *link, const char *id)
{
	NagraLink  *own = link->own;
	NagraSource *source;

	if (own->source != NULL)
		return strncmp(own->source->id, id, 4) == 0 ? NULL : "source-change";
	if (!is_known_source(id))
		return "source-unknown";
	source = get_source(id);
	if (is_in_use(source->link))
	{
		/* Call status 3, as in the answer to a hello. */
		link_append(link, "\0\1\3", 3);
		return "source-in-use";
	}
	source->link = link;
	own->source = source;
	strcpy(link->source, source->id);
	answers_for_source(link);
	return NULL;
}

/* Numbers grow, over all links of a source, until they start again. */
static bool
take_number(NagraSource *source, unsigned long number)
{
	if (number == 0)
		return false;
	if (number <= source->last_number &&
		(source->last_number < NUMBER_HIGH || number > NUMBER_LOW))
		return false;
	source->last_number = number;
	return true;
}

/* A field that is the same in all messages of a link. */
static bool
is_constant(const char *field, size_t len, const char *wanted, char *kept)
{
	if (kept[0] == '\0')
	{
		memcpy(kept, field, len);
		kept[len] = '\0';
	}
	return memcmp(kept, field, len) == 0 &&
		(wanted == NULL || strncmp(wanted, field, len) == 0);
}

/* NULL, or what is wrong. */
static const char *
decode_header(Link *link, const char *body, size_t len, Message *message)
{
	NagraLink  *own = link->own;
	const char *error;

	if (len < HEADER_LEN || !field_is_digits(body, HEADER_LEN))
		return "header";
	field_copy(message->sequence, body, 9);
	if (!is_constant(body + 15, 4, settings.dest_id, own->dest_id))
		return "dest-id";
	if (!is_constant(body + 19, 5, settings.mop_ppid, own->mop_ppid))
		return "mop-ppid";
	if (!field_is_date(body + 24) || !field_is_today(body + 24))
		return "creation-date";
	error = take_source(link, body + 11);
	if (error != NULL)
		return error;
	message->transaction = field_number(body, 9);
	if (!take_number(own->source, message->transaction))
		return "transaction";
	return NULL;
}

/* ------------------------------------------------------------------------
 * Commands
 * ------------------------------------------------------------------------
 */
static void
refuse(Message *message, const char *code, const char *text)
{
	strcpy(message->code, code);
	snprintf(message->text, sizeof(message->text), "%s", text);
}

static bool
refuse_format(Message *message, const char *field)
{
	refuse(message, CODE_FORMAT, field);
	return false;
}

static bool
decode_add(const char *body, Message *message)
{
	strcpy(message->operation, "AddProduct");
	if (!field_is_digits(body, PRODUCT_LEN))
		return refuse_format(message, "product");
	if (!field_is_date(body + 12))
		return refuse_format(message, "begin");
	if (!field_is_date(body + 20) || memcmp(body + 12, body + 20, 8) > 0)
		return refuse_format(message, "end");
	snprintf(message->things, sizeof(message->things), "%.12s,%.8s,%.8s", body,
			 body + 12, body + 20);
	return true;
}

static bool
decode_cancel(const char *body, Message *message)
{
	strcpy(message->operation, "CancelProduct");
	if (!field_is_digits(body, PRODUCT_LEN))
		return refuse_format(message, "product");
	field_copy(message->things, body, PRODUCT_LEN);
	return true;
}

static bool
decode_pair(const char *body, Message *message)
{
	if (field_is_zeros(body, STB_LEN))
	{
		strcpy(message->operation, "Unpair");
		return true;
	}
	strcpy(message->operation, "Pair");
	if (!field_is_padded(body, STB_LEN))
		return refuse_format(message, "stb");
	field_copy(message->things, body, STB_LEN);
	return true;
}

static bool
decode_pin(const char *body, Message *message)
{
	char		pin[PIN_LEN + 1];
	char		mark[PIN_MARK];

	strcpy(message->operation, body[0] == 'D' ? "PinDefault" :
		   body[0] == 'N' ? "PinNew" : "PinClear");
	if (body[0] != 'D' && body[0] != 'N' && body[0] != 'C')
		return refuse_format(message, "action");
	if (body[0] != 'N')
		return field_is_spaces(body + 1, PIN_LEN) ? true :
			refuse_format(message, "pin");
	field_copy(pin, body + 1, PIN_LEN);
	if (!field_is_padded(body + 1, PIN_LEN) ||
		!field_is_digits(pin, strlen(pin)))
		return refuse_format(message, "pin");
	pin_mark(pin, mark);
	snprintf(message->things, sizeof(message->things), "pin=%s", mark);
	return true;
}

typedef struct Command
{
	char		id[5];
	char		type[3];		/* command_type that it goes with */
	size_t		len;			/* behind the id */
	bool		(*decode) (const char *body, Message *message);
} Command;

static const Command commands[] = {
	{"0002", "01", 28, decode_add},
	{"0006", "01", 12, decode_cancel},
	{"0052", "01", 14, decode_pair},
	{"0069", "02", 9, decode_pin}
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const Command *
find_command(const char *id)
{
	size_t		i;

	for (i = 0; i < COMMAND_COUNT; i++)
	{
		if (memcmp(commands[i].id, id, 4) == 0)
			return &commands[i];
	}
	return NULL;
}

/* Broadcast mode, start, end, address type, address. */
static bool
decode_address(const char *body, Message *message)
{
	if (body[0] != 'N' && body[0] != 'B')
		return refuse_format(message, "broadcast_mode");
	if (!field_is_date(body + 1))
		return refuse_format(message, "start_date");
	if (!field_is_date(body + 9) || memcmp(body + 1, body + 9, 8) > 0)
		return refuse_format(message, "end_date");
	if (body[17] != 'U' && body[17] != 'G')
		return refuse_format(message, "address_type");
	if (!field_is_digits(body + 18, 10))
		return refuse_format(message, "address");
	field_copy(message->card, body + 18, 10);
	snprintf(message->more, sizeof(message->more), "%c,%.8s,%.8s,%c", body[0],
			 body + 1, body + 9, body[17]);
	return true;
}

static bool
is_product_command(const Message *message)
{
	return strstr(message->operation, "Product") != NULL;
}

/* An EMM or control message, behind its header. */
static void
decode_command(const char *header, const char *body, size_t len,
			   Message *message)
{
	const Command *command;
	char		product[PRODUCT_LEN + 1];

	if (len < ADDRESS_LEN + 4)
	{
		refuse_format(message, "length");
		return;
	}
	if (!decode_address(body, message))
		return;
	body += ADDRESS_LEN;
	len -= ADDRESS_LEN;
	command = find_command(body);
	if (command == NULL)
		refuse_format(message, "command_id");
	else if (memcmp(command->type, header + 9, 2) != 0)
		refuse_format(message, "command_type");
	else if (command->len != len - 4)
		refuse_format(message, "length");
	else if (!command->decode(body + 4, message))
		return;
	else if (!card_is_known(message->card))
		refuse(message, CODE_UNKNOWN_CARD, "unknown card");
	else
	{
		snprintf(product, sizeof(product), "%.12s", message->things);
		if (is_product_command(message) && !product_is_known(product))
			refuse(message, CODE_UNKNOWN_PRODUCT, "unknown product");
	}
}

const char *
nagra_decode(Link *link, const char *bytes, size_t len, Message *message)
{
	NagraLink  *own = link->own;
	const char *body = bytes + 2;
	const char *error;

	len -= 2;
	if (!own->is_greeted)
		return decode_hello(link, body, len, message);
	error = decode_header(link, body, len, message);
	if (error != NULL)
		return error;
	strcpy(message->code, CODE_OK);
	if (memcmp(body + 9, "05", 2) == 0)
	{
		if (len != HEADER_LEN + 4 || memcmp(body + HEADER_LEN, "1002", 4) != 0)
			return "operation";
		strcpy(message->operation, "Heartbeat");
		message->is_housekeeping = true;
	}
	else if (memcmp(body + 9, "01", 2) == 0 || memcmp(body + 9, "02", 2) == 0)
		decode_command(body, body + HEADER_LEN, len - HEADER_LEN, message);
	else
		return "command-type";
	return NULL;
}

void
nagra_carry_out(const Message *message)
{
	char		word[MESSAGE_THINGS];

	snprintf(word, sizeof(word), "%s", message->things);
	if (strcmp(message->operation, "AddProduct") == 0)
	{
		word[12] = word[21] = '\0';
		card_add_product(message->card, word, word + 13, word + 22);
	}
	else if (strcmp(message->operation, "CancelProduct") == 0)
		card_cancel_product(message->card, word);
	else if (strcmp(message->operation, "Pair") == 0 ||
			 strcmp(message->operation, "Unpair") == 0)
		card_pair(message->card, word);
	else if (strcmp(message->operation, "PinNew") == 0)
		card_set_pin(message->card, word + strlen("pin="));
	else
		card_set_pin(message->card,
					 strcmp(message->operation, "PinDefault") == 0 ?
					 "default" : "none");
}
