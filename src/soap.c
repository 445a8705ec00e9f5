/*-------------------------------------------------------------------------
 *
 * soap.c
 *		Reading SOAP answers with libxml2.
 *
 * Answers are matched by local names: the namespaces of a service change
 * with its version, and what its elements are called does not.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <libxml/parser.h>
#include <libxml/xmlerror.h>

#include "held.h"
#include "lib/stringinfo.h"
#include "soap.h"
#include "wire_text.h"

struct SoapDocument
{
	Held	   *held;
	xmlDoc	   *doc;
};

/* What our handlers notice while libxml2 parses. */
typedef struct ParseState
{
	bool		doctype;		/* saw a document type declaration */
	char		message[200];	/* of the first error */
} ParseState;

static void
release_parser(void *handle)
{
	xmlFreeParserCtxt(handle);
}

static void
release_doc(void *handle)
{
	xmlFreeDoc(handle);
}

/* libxml2 read a document type declaration: that is all it will read. */
static void
refuse_doctype(void *ctx, const xmlChar *name, const xmlChar *external,
			   const xmlChar *system)
{
	xmlParserCtxt *parser = ctx;

	((ParseState *) parser->_private)->doctype = true;
	xmlStopParser(parser);
}

/* What libxml2 hands to error handlers, which changed in 2.12. */
#if LIBXML_VERSION >= 21200
typedef const xmlError *ErrorArgument;
#else
typedef xmlErrorPtr ErrorArgument;
#endif

/*
 * libxml2 has something to say.  Installed in the parser's own handler
 * table, so that no global handler is called or changed.
 */
static void
note_error(void *ctx, ErrorArgument error)
{
	xmlParserCtxt *parser = ctx;
	ParseState *state = parser->_private;

	if (error->level < XML_ERR_ERROR || state->message[0] != '\0')
		return;
	snprintf(state->message, sizeof(state->message), "line %d: %s",
			 error->line, error->message ? error->message : "unknown error");
}

static bool
too_deep(const xmlNode *node, int depth)
{
	for (; node; node = node->next)
		if (node->type == XML_ELEMENT_NODE &&
			(depth > SOAP_MAX_DEPTH || too_deep(node->children, depth + 1)))
			return true;
	return false;
}

/* Why a document was refused, as text that can be stored. */
static const char *
parse_failure(const ParseState *state)
{
	char	   *message;
	int			len;

	if (state->doctype)
		return "it has a document type declaration";
	if (state->message[0] == '\0')
		return "it is not well-formed XML";
	message = wire_text_from_utf8(state->message, strlen(state->message));
	len = strlen(message);
	while (len > 0 && strchr(" \r\n", message[len - 1]))
		message[--len] = '\0';
	return message;
}

/* Runs the parser; a document that is not well-formed is not kept. */
static xmlDoc *
parse(xmlParserCtxt *parser, ParseState *state, const char *data, Size len)
{
	xmlDoc	   *doc;

	parser->_private = state;
	parser->sax->internalSubset = refuse_doctype;
	parser->sax->serror = note_error;
	doc = xmlCtxtReadMemory(parser, data, (int) len, NULL, NULL,
							XML_PARSE_NONET | XML_PARSE_NODICT);
	if (doc && (state->doctype || !parser->wellFormed ||
				too_deep(doc->children, 1)))
	{
		if (parser->wellFormed && !state->doctype)
			strlcpy(state->message, "its elements are nested too deep",
					sizeof(state->message));
		xmlFreeDoc(doc);
		doc = NULL;
	}
	return doc;
}

SoapDocument *
soap_read(const char *data, Size len, const char **why)
{
	SoapDocument *document = palloc0(sizeof(SoapDocument));
	Held	   *held_parser = held_new(release_parser);
	xmlParserCtxt *parser;
	ParseState	state = {0};

	*why = NULL;
	if (len > INT_MAX / 2)
	{
		*why = "it is too big";
		return NULL;
	}
	document->held = held_new(release_doc);
	parser = held_keep(held_parser, xmlNewParserCtxt(), "XML parser");
	document->doc = parse(parser, &state, data, len);
	if (document->doc)
		held_keep(document->held, document->doc, "XML document");
	parser->_private = NULL;
	held_release(held_parser);
	if (document->doc == NULL)
	{
		*why = parse_failure(&state);
		return NULL;
	}
	return document;
}

void
soap_close(SoapDocument *document)
{
	document->doc = NULL;
	held_release(document->held);
}

xmlNode *
soap_root(const SoapDocument *document)
{
	return xmlDocGetRootElement(document->doc);
}

const char *
soap_name(const xmlNode *element)
{
	return (const char *) element->name;
}

bool
soap_is(const xmlNode *element, const char *name)
{
	return element->type == XML_ELEMENT_NODE &&
		strcmp(soap_name(element), name) == 0;
}

static xmlNode *
first_element(xmlNode *node)
{
	while (node && node->type != XML_ELEMENT_NODE)
		node = node->next;
	return node;
}

xmlNode *
soap_body(const SoapDocument *document)
{
	xmlNode    *envelope = soap_root(document);

	if (envelope == NULL || !soap_is(envelope, "Envelope"))
		return NULL;
	for (xmlNode *node = envelope->children; node; node = node->next)
		if (soap_is(node, "Body"))
			return first_element(node->children);
	return NULL;
}

/* An element of that name exactly so many levels down; *deeper: go on. */
static xmlNode *
find_at(const xmlNode *under, const char *name, int depth, bool *deeper)
{
	for (xmlNode *node = under->children; node; node = node->next)
	{
		xmlNode    *found;

		if (node->type != XML_ELEMENT_NODE)
			continue;
		if (depth > 1)
		{
			if ((found = find_at(node, name, depth - 1, deeper)) != NULL)
				return found;
			continue;
		}
		*deeper = true;
		if (soap_is(node, name))
			return node;
	}
	return NULL;
}

xmlNode *
soap_find(const xmlNode *under, const char *name)
{
	bool		deeper = true;

	for (int depth = 1; deeper; depth++)
	{
		xmlNode    *found;

		deeper = false;
		found = find_at(under, name, depth, &deeper);
		if (found)
			return found;
	}
	return NULL;
}

List *
soap_find_all(const xmlNode *under, const char *name)
{
	List	   *found = NIL;

	for (xmlNode *node = under->children; node; node = node->next)
	{
		if (soap_is(node, name))
			found = lappend(found, node);
		else if (node->type == XML_ELEMENT_NODE)
			found = list_concat(found, soap_find_all(node, name));
	}
	return found;
}

static bool
is_text(const xmlNode *node)
{
	return (node->type == XML_TEXT_NODE ||
			node->type == XML_CDATA_SECTION_NODE) && node->content;
}

/* The texts in an element joined; the usual one is a single text. */
static char *
joined_texts(const xmlNode *element)
{
	const xmlNode *first = element->children;
	StringInfoData str;

	if (first == NULL)
		return pstrdup("");
	if (first->next == NULL && is_text(first))
		return wire_text_from_utf8((const char *) first->content,
								   strlen((const char *) first->content));
	initStringInfo(&str);
	for (const xmlNode *node = first; node; node = node->next)
		if (is_text(node))
			appendStringInfoString(&str, (const char *) node->content);
	return wire_text_from_utf8(str.data, str.len);
}

char *
soap_value(const xmlNode *element)
{
	char	   *value = joined_texts(element);
	int			len;

	value += strspn(value, " \t\r\n");
	len = strlen(value);
	while (len > 0 && strchr(" \t\r\n", value[len - 1]))
		value[--len] = '\0';
	return value;
}

/*
 * The digits of everything in an element.  Changing texts in place is right
 * because XML_PARSE_NODICT gives every text memory of its own.
 */
static void
mask_element(xmlNode *element, const char *const *except)
{
	for (int i = 0; except[i]; i++)
		if (soap_is(element, except[i]))
			return;
	for (xmlAttr *attr = element->properties; attr; attr = attr->next)
		for (xmlNode *node = attr->children; node; node = node->next)
			if (is_text(node))
				wire_text_mask_digits((char *) node->content);
	for (xmlNode *node = element->children; node; node = node->next)
	{
		if (node->type == XML_ELEMENT_NODE)
			mask_element(node, except);
		else if (node->content && node->type != XML_ENTITY_REF_NODE)
			wire_text_mask_digits((char *) node->content);
	}
}

void
soap_mask_digits(SoapDocument *document, const char *const *except)
{
	for (xmlNode *node = document->doc->children; node; node = node->next)
	{
		if (node->type == XML_ELEMENT_NODE)
			mask_element(node, except);
		else if (node->type == XML_COMMENT_NODE && node->content)
			wire_text_mask_digits((char *) node->content);
	}
}

static void
release_text(void *handle)
{
	xmlFree(handle);
}

char *
soap_dump(const SoapDocument *document)
{
	Held	   *held = held_new(release_text);
	xmlChar    *dumped = NULL;
	int			len = 0;
	char	   *result;

	xmlDocDumpMemoryEnc(document->doc, &dumped, &len, "UTF-8");
	if (dumped == NULL)
		return NULL;
	held_keep(held, dumped, "XML text");
	result = wire_text_from_utf8((const char *) dumped, len);
	held_release(held);
	return result;
}

bool
soap_is_utf8(const SoapDocument *document)
{
	const xmlChar *encoding = document->doc->encoding;

	return encoding == NULL ||
		pg_strcasecmp((const char *) encoding, "UTF-8") == 0;
}
