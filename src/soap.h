/*-------------------------------------------------------------------------
 *
 * soap.h
 *		SOAP messages: filling templates, reading answers.  No sockets.
 *
 * libxml2 does all escaping and all parsing.  It never opens a file or a
 * connection, and a document type declaration ends the parsing at once, so
 * there are no entities to expand.  Its global error handlers and allocators
 * are left alone: the server's own XML functions use the same library.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_SOAP_H
#define PROVREQ_SOAP_H

#include <libxml/tree.h>

#include "nodes/pg_list.h"

/* Elements may be nested so deep, in templates as in answers. */
#define SOAP_MAX_DEPTH 48

/* ------------------------------------------------------------------------
 * Answers
 * ------------------------------------------------------------------------
 */
typedef struct SoapDocument SoapDocument;

/*
 * Parses an XML document, owned by the current memory context.  NULL, and
 * the reason in *why, when it is not well-formed, nested too deep, or has a
 * document type declaration.
 */
extern SoapDocument *soap_read(const char *data, Size len, const char **why);

/* Gives the document back before its memory context does. */
extern void soap_close(SoapDocument *document);

/* The root element. */
extern xmlNode *soap_root(const SoapDocument *document);

/* The one element in the Body of a SOAP envelope; NULL when it is none. */
extern xmlNode *soap_body(const SoapDocument *document);

/* An element's name without its prefix. */
extern const char *soap_name(const xmlNode *element);
extern bool soap_is(const xmlNode *element, const char *name);

/* The least deep element of that name under another one, or NULL. */
extern xmlNode *soap_find(const xmlNode *under, const char *name);

/* All elements of that name under another one, not looking into them. */
extern List *soap_find_all(const xmlNode *under, const char *name);

/* The text in an element, without white space around it, to be stored. */
extern char *soap_value(const xmlNode *element);

/*
 * Replaces the digits in all texts and attributes by asterisks, but for
 * elements of the given names (ends with NULL): what answers to a message
 * with a PIN may repeat.
 */
extern void soap_mask_digits(SoapDocument *document,
							 const char *const *except);

/* The document written out again, to be stored; NULL if out of memory. */
extern char *soap_dump(const SoapDocument *document);

/* Does a document that is not in UTF-8 have to be written out again? */
extern bool soap_is_utf8(const SoapDocument *document);

/* ------------------------------------------------------------------------
 * Templates
 *
 * A template is the XML of the Body.  An element whose whole text is ${name}
 * is written once for each field of that name, and left out if there is
 * none; a parent whose children are all left out is left out as well, unless
 * it has the attribute keep of the namespace SOAP_TEMPLATE_NAMESPACE.
 * ------------------------------------------------------------------------
 */
#define SOAP_TEMPLATE_NAMESPACE "urn:provreq:template"

typedef struct SoapTemplate SoapTemplate;

/* UTF-8 that wire_text_fits_xml. */
typedef struct SoapField
{
	const char *name;
	const char *value;
} SoapField;

/*
 * Compiles a template in the current memory context; NULL and the reason in
 * *why if it is wrong.
 */
extern SoapTemplate *soap_template(const char *xml, const char **why);

/* The names of all placeholders, a list of char *. */
extern List *soap_template_names(const SoapTemplate *template);

/* The local name of the outermost element. */
extern const char *soap_template_operation(const SoapTemplate *template);

/*
 * The envelope with the filled template; raises only when out of memory.
 * The result ends with a zero byte that is not counted.
 */
extern char *soap_write(const SoapTemplate *template,
						const SoapField *fields, int nfields, Size *len);

#endif							/* PROVREQ_SOAP_H */
