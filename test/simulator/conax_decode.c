/*-------------------------------------------------------------------------
 *
 * conax_decode.c
 *		From the bytes of a body to a message, checked against the schema.
 *
 * The schema is compiled once.  Each thread keeps a parser and a validation
 * context of its own, because making them costs more than using them.
 *
 *-------------------------------------------------------------------------
 */
#include <libxml/parser.h>
#include <libxml/xmlschemas.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "conax_message.h"

#define SOAP_NAMESPACE "http://schemas.xmlsoap.org/soap/envelope/"
#define NAMESPACE_PREFIX "http://www.conax.com/cas/xsd/"

typedef struct Decoder
{
	xmlParserCtxtPtr parser;
	xmlSchemaValidCtxtPtr validator;	/* NULL: no validation */
	Text	   *error;			/* where the validator's words go */
} Decoder;

static xmlSchemaPtr schema;
static pthread_key_t decoder_key;

static void
decoder_free(void *pointer)
{
	Decoder    *decoder = pointer;

	xmlFreeParserCtxt(decoder->parser);
	xmlSchemaFreeValidCtxt(decoder->validator);
	free(decoder);
}

/* Keeps the first error; it is what the peer has to put right. */
static void
decoder_note(void *user_data, const char *format,...)
{
	Decoder    *decoder = user_data;
	char		line[512];
	va_list		args;

	if (decoder->error == NULL || decoder->error->len > 0)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	line[strcspn(line, "\n")] = '\0';
	text_add(decoder->error, line);
}

/* This thread's decoder. */
static Decoder *
decoder_get(void)
{
	Decoder    *decoder = pthread_getspecific(decoder_key);

	if (decoder != NULL)
		return decoder;
	decoder = must_alloc(sizeof(Decoder));
	decoder->parser = xmlNewParserCtxt();
	if (schema != NULL)
	{
		decoder->validator = xmlSchemaNewValidCtxt(schema);
		xmlSchemaSetValidErrors(decoder->validator, decoder_note,
								decoder_note, decoder);
	}
	pthread_setspecific(decoder_key, decoder);
	return decoder;
}

bool
decode_start(const char *schema_path)
{
	xmlSchemaParserCtxtPtr parser;

	xmlInitParser();
	if (pthread_key_create(&decoder_key, decoder_free) != 0)
		return false;
	if (schema_path == NULL)
		return true;
	parser = xmlSchemaNewParserCtxt(schema_path);
	schema = parser ? xmlSchemaParse(parser) : NULL;
	xmlSchemaFreeParserCtxt(parser);
	return schema != NULL;
}

void
decode_stop(void)
{
	xmlSchemaFree(schema);
	xmlCleanupParser();
}

/* The first element among a node and its later siblings. */
static xmlNodePtr
element_from(xmlNodePtr node)
{
	while (node != NULL && node->type != XML_ELEMENT_NODE)
		node = node->next;
	return node;
}

static bool
element_is(xmlNodePtr node, const char *name)
{
	return node != NULL && strcmp((const char *) node->name, name) == 0;
}

static bool
element_is_soap(xmlNodePtr node, const char *name)
{
	return element_is(node, name) && node->ns != NULL &&
		strcmp((const char *) node->ns->href, SOAP_NAMESPACE) == 0;
}

/* The one element in the Body, or NULL. */
static xmlNodePtr
find_payload(xmlDocPtr document)
{
	xmlNodePtr	node = xmlDocGetRootElement(document);

	if (!element_is_soap(node, "Envelope"))
		return NULL;
	node = element_from(node->children);
	if (element_is_soap(node, "Header"))
		node = element_from(node->next);
	if (!element_is_soap(node, "Body"))
		return NULL;
	node = element_from(node->children);
	if (node == NULL || element_from(node->next) != NULL)
		return NULL;
	return node;
}

/*
 * Copies an element's text to where *room points, and moves that on.  Text is
 * never longer than the markup that it came from, so the room of a message is
 * that of its body.
 */
static const char *
copy_text(xmlNodePtr element, char **room)
{
	char	   *start = *room;
	xmlNodePtr	node;

	for (node = element->children; node != NULL; node = node->next)
	{
		size_t		len;

		if (node->type != XML_TEXT_NODE && node->type != XML_CDATA_SECTION_NODE)
			continue;
		len = strlen((const char *) node->content);
		memcpy(*room, node->content, len);
		*room += len;
	}
	*(*room)++ = '\0';
	return start;
}

static void
ids_add(Ids *ids, const char *id)
{
	if (ids->count % 8 == 0)
		ids->ids = must_resize(ids->ids,
							   (ids->count + 8) * sizeof(const char *));
	ids->ids[ids->count++] = id;
}

static void
read_ids(xmlNodePtr list, Ids *ids, char **room)
{
	xmlNodePtr	node = element_from(list->children);

	for (; node != NULL; node = element_from(node->next))
		ids_add(ids, copy_text(node, room));
}

/* Reads one parameter.  Those that the ledger and the state need not are
 * left to the schema. */
static void
read_parameter(xmlNodePtr node, Message *message, char **room)
{
	if (element_is(node, "CaClientIds"))
		read_ids(node, &message->cards, room);
	else if (element_is(node, "CaClientId") ||
			 element_is(node, "ExistingCaClientId"))
		ids_add(&message->cards, copy_text(node, room));
	else if (element_is(node, "ProductIds"))
		read_ids(node, &message->products, room);
	else if (element_is(node, "PairingModuleIds"))
		read_ids(node, &message->modules, room);
	else if (element_is(node, "PairingModuleId"))
		ids_add(&message->modules, copy_text(node, room));
	else if (element_is(node, "SequenceNumber"))
		message->sequence = copy_text(node, room);
	else if (element_is(node, "StartTime"))
		message->start_time = copy_text(node, room);
	else if (element_is(node, "NewPin"))
		message->pin = copy_text(node, room);
	else if (element_is(node, "Message"))
		message->text = copy_text(node, room);
}

/* Is it one of our operations, in the namespace that it belongs to? */
static const Operation *
find_operation(xmlNodePtr payload)
{
	const Operation *operation;
	char		name_space[128];

	operation = operation_by_name((const char *) payload->name);
	if (operation == NULL || payload->ns == NULL)
		return NULL;
	snprintf(name_space, sizeof(name_space), NAMESPACE_PREFIX "%s/v1",
			 operation->service);
	if (strcmp((const char *) payload->ns->href, name_space) != 0)
		return NULL;
	return operation;
}

static DecodeResult
read_payload(Decoder *decoder, xmlNodePtr payload, Message *message,
			 Text *error)
{
	xmlNodePtr	request = element_from(payload->children);
	xmlNodePtr	node;
	char	   *room = message->memory;

	message->operation = find_operation(payload);
	node = request ? element_from(request->children) : NULL;
	for (; node != NULL; node = element_from(node->next))
		read_parameter(node, message, &room);
	if (message->operation == NULL)
	{
		text_addf(error, "no operation \"%s\" in that namespace",
				  (const char *) payload->name);
		return DECODE_INVALID;
	}
	if (decoder->validator == NULL)
		return DECODE_OK;
	decoder->error = error;
	if (xmlSchemaValidateOneElement(decoder->validator, payload) == 0)
		return DECODE_OK;
	return DECODE_INVALID;
}

static DecodeResult
read_document(Decoder *decoder, xmlDocPtr document, Message *message,
			  Text *error)
{
	xmlNodePtr	payload;

	if (xmlGetIntSubset(document) != NULL)
	{
		text_add(error, "a document type declaration is not allowed");
		return DECODE_MALFORMED;
	}
	payload = find_payload(document);
	if (payload == NULL)
	{
		text_add(error, "not a SOAP 1.1 envelope with one element in its Body");
		return DECODE_NO_SOAP;
	}
	return read_payload(decoder, payload, message, error);
}

DecodeResult
decode(const char *body, size_t len, Message *message, Text *error)
{
	Decoder    *decoder = decoder_get();
	DecodeResult result;
	xmlDocPtr	document;

	memset(message, 0, sizeof(*message));
	document = xmlCtxtReadMemory(decoder->parser, body, (int) len, NULL,
								 "UTF-8", XML_PARSE_NONET |
								 XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (document == NULL)
	{
		text_add(error, "not well-formed XML");
		return DECODE_MALFORMED;
	}
	message->memory = must_alloc(len + 1);
	result = read_document(decoder, document, message, error);
	xmlFreeDoc(document);
	return result;
}

void
message_free(Message *message)
{
	free(message->cards.ids);
	free(message->products.ids);
	free(message->modules.ids);
	free(message->memory);
	memset(message, 0, sizeof(*message));
}
