/*-------------------------------------------------------------------------
 *
 * soap_template.c
 *		Filling SOAP templates.
 *
 * A template is parsed once; what stays is a tree of our own in a memory
 * context.  Writing walks that tree with libxml2's writer, which does the
 * escaping, so no value can ever become markup.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <libxml/xmlwriter.h>

#include "held.h"
#include "lib/stringinfo.h"
#include "soap.h"

#define XML_DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
#define SOAP_ENVELOPE_NAMESPACE "http://schemas.xmlsoap.org/soap/envelope/"

/* An attribute or the declaration of a namespace. */
typedef struct TemplateAttribute
{
	char	   *name;
	char	   *value;
} TemplateAttribute;

/* An element; all strings are UTF-8. */
typedef struct TemplateNode
{
	char	   *name;			/* with its prefix */
	List	   *attributes;		/* of TemplateAttribute * */
	char	   *placeholder;	/* or NULL */
	char	   *content;		/* constant text, or NULL */
	bool		keep;			/* write it also without children */
	List	   *children;		/* of TemplateNode * */
} TemplateNode;

struct SoapTemplate
{
	TemplateNode *root;
	char	   *operation;
	List	   *names;			/* placeholders */
};

static char *
copy(const xmlChar *str)
{
	return pstrdup((const char *) str);
}

static char *
qualified(const xmlNs *ns, const xmlChar *name)
{
	if (ns == NULL || ns->prefix == NULL)
		return copy(name);
	return psprintf("%s:%s", (const char *) ns->prefix, (const char *) name);
}

static bool
is_template_namespace(const xmlNs *ns)
{
	return ns && strcmp((const char *) ns->href,
						SOAP_TEMPLATE_NAMESPACE) == 0;
}

static void
add_attribute(TemplateNode *node, char *name, const char *value)
{
	TemplateAttribute *attribute = palloc(sizeof(TemplateAttribute));

	attribute->name = name;
	attribute->value = pstrdup(value);
	node->attributes = lappend(node->attributes, attribute);
}

/* Namespaces and attributes; false and the reason in *why if one is wrong. */
static bool
compile_attributes(TemplateNode *node, const xmlNode *element,
				   const char **why)
{
	for (const xmlNs *ns = element->nsDef; ns; ns = ns->next)
		if (!is_template_namespace(ns))
			add_attribute(node, ns->prefix ?
						  psprintf("xmlns:%s", (const char *) ns->prefix) :
						  pstrdup("xmlns"),
						  ns->href ? (const char *) ns->href : "");
	for (const xmlAttr *attr = element->properties; attr; attr = attr->next)
	{
		const char *value = attr->children && attr->children->content ?
		(const char *) attr->children->content : "";

		if (is_template_namespace(attr->ns))
			node->keep = strcmp(value, "true") == 0;
		else if (strstr(value, "${"))
		{
			*why = psprintf("a placeholder stands in the attribute \"%s\" of element \"%s\"",
							(const char *) attr->name, soap_name(element));
			return false;
		}
		else
			add_attribute(node, qualified(attr->ns, attr->name), value);
	}
	return true;
}

/* Takes the text of an element without children apart; false if wrong. */
static bool
compile_content(SoapTemplate *template, TemplateNode *node, const char *str,
				const char **why)
{
	Size		len = strlen(str);

	if (strstr(str, "${") == NULL)
		node->content = pstrdup(str);
	else if (strncmp(str, "${", 2) == 0 && strchr(str, '}') == str + len - 1)
	{
		node->placeholder = pnstrdup(str + 2, len - 3);
		template->names = lappend(template->names, node->placeholder);
	}
	else
	{
		*why = psprintf("the text of element \"%s\" is neither constant nor one placeholder",
						node->name);
		return false;
	}
	return true;
}

static TemplateNode *compile_element(SoapTemplate *template,
									 const xmlNode *element,
									 const char **why);

/* The children and the text in an element; false if they are wrong. */
static bool
compile_children(SoapTemplate *template, TemplateNode *node,
				 const xmlNode *element, const char **why)
{
	StringInfoData str;

	initStringInfo(&str);
	for (const xmlNode *child = element->children; child; child = child->next)
	{
		TemplateNode *compiled;

		if (child->type == XML_TEXT_NODE ||
			child->type == XML_CDATA_SECTION_NODE)
			appendStringInfoString(&str, (const char *) child->content);
		if (child->type != XML_ELEMENT_NODE)
			continue;
		compiled = compile_element(template, child, why);
		if (compiled == NULL)
			return false;
		node->children = lappend(node->children, compiled);
	}
	if (node->children == NIL)
		return str.len == 0 ||
			compile_content(template, node, str.data, why);
	if (strspn(str.data, " \t\r\n") == str.len)
		return true;
	*why = psprintf("element \"%s\" has both text and elements in it",
					node->name);
	return false;
}

static TemplateNode *
compile_element(SoapTemplate *template, const xmlNode *element,
				const char **why)
{
	TemplateNode *node = palloc0(sizeof(TemplateNode));

	node->name = qualified(element->ns, element->name);
	if (!compile_attributes(node, element, why) ||
		!compile_children(template, node, element, why))
		return NULL;
	return node;
}

SoapTemplate *
soap_template(const char *xml, const char **why)
{
	SoapTemplate *template = palloc0(sizeof(SoapTemplate));
	SoapDocument *document = soap_read(xml, strlen(xml), why);

	if (document == NULL)
		return NULL;
	template->operation = pstrdup(soap_name(soap_root(document)));
	template->root = compile_element(template, soap_root(document), why);
	soap_close(document);
	return template->root ? template : NULL;
}

List *
soap_template_names(const SoapTemplate *template)
{
	return template->names;
}

const char *
soap_template_operation(const SoapTemplate *template)
{
	return template->operation;
}

/* ------------------------------------------------------------------------
 * Writing
 * ------------------------------------------------------------------------
 */

/* The writer, the fields, and whether any of its functions has failed. */
typedef struct Writing
{
	xmlTextWriter *writer;
	const SoapField *fields;
	int			nfields;
	bool		failed;
} Writing;

static const xmlChar *
xml(const char *str)
{
	return (const xmlChar *) str;
}

/* Most calls of the writer are checked by this. */
static void
check(Writing *writing, int result)
{
	if (result < 0)
		writing->failed = true;
}

/* Is there anything to be written for this element? */
static bool
is_present(const Writing *writing, const TemplateNode *node)
{
	ListCell   *lc;

	if (node->placeholder)
	{
		for (int i = 0; i < writing->nfields; i++)
			if (strcmp(writing->fields[i].name, node->placeholder) == 0)
				return true;
		return node->keep;
	}
	if (node->children == NIL || node->keep)
		return true;
	foreach(lc, node->children)
	{
		if (is_present(writing, lfirst(lc)))
			return true;
	}
	return false;
}

static void
start_element(Writing *writing, const TemplateNode *node)
{
	ListCell   *lc;

	check(writing, xmlTextWriterStartElement(writing->writer,
											 xml(node->name)));
	foreach(lc, node->attributes)
	{
		const TemplateAttribute *attribute = lfirst(lc);

		check(writing, xmlTextWriterWriteAttribute(writing->writer,
												   xml(attribute->name),
												   xml(attribute->value)));
	}
}

/* Escapes what has to be. */
static void
write_string(Writing *writing, const char *str)
{
	check(writing, xmlTextWriterWriteString(writing->writer, xml(str)));
}

static void
end_element(Writing *writing)
{
	check(writing, xmlTextWriterEndElement(writing->writer));
}

/* One element for each field of the placeholder's name. */
static void
write_placeholder(Writing *writing, const TemplateNode *node)
{
	bool		written = false;

	for (int i = 0; i < writing->nfields; i++)
	{
		if (strcmp(writing->fields[i].name, node->placeholder) != 0)
			continue;
		start_element(writing, node);
		write_string(writing, writing->fields[i].value);
		end_element(writing);
		written = true;
	}
	if (!written)
	{
		start_element(writing, node);
		end_element(writing);
	}
}

/* An element with what is in it, less the parts whose values are missing. */
static void
write_node(Writing *writing, const TemplateNode *node)
{
	ListCell   *lc;

	if (node->placeholder)
	{
		write_placeholder(writing, node);
		return;
	}
	start_element(writing, node);
	if (node->content)
		write_string(writing, node->content);
	foreach(lc, node->children)
	{
		if (is_present(writing, lfirst(lc)))
			write_node(writing, lfirst(lc));
	}
	end_element(writing);
}

static void
write_envelope(Writing *writing, const SoapTemplate *template)
{
	xmlTextWriter *writer = writing->writer;

	check(writing, xmlTextWriterWriteRaw(writer, xml(XML_DECLARATION)));
	check(writing, xmlTextWriterStartElement(writer, xml("soap:Envelope")));
	check(writing, xmlTextWriterWriteAttribute(writer, xml("xmlns:soap"),
											   xml(SOAP_ENVELOPE_NAMESPACE)));
	check(writing, xmlTextWriterStartElement(writer, xml("soap:Body")));
	write_node(writing, template->root);
	check(writing, xmlTextWriterEndDocument(writer));
}

static void
release_writer(void *handle)
{
	xmlFreeTextWriter(handle);
}

static void
release_buffer(void *handle)
{
	xmlBufferFree(handle);
}

char *
soap_write(const SoapTemplate *template, const SoapField *fields,
		   int nfields, Size *len)
{
	Held	   *held_buffer = held_new(release_buffer);
	Held	   *held_writer = held_new(release_writer);
	Writing		writing = {NULL, fields, nfields, false};
	xmlBuffer  *buffer;
	char	   *message;

	buffer = held_keep(held_buffer, xmlBufferCreate(), "XML buffer");
	writing.writer = held_keep(held_writer,
							   xmlNewTextWriterMemory(buffer, 0),
							   "XML writer");
	write_envelope(&writing, template);
	held_release(held_writer);	/* flushes */
	if (writing.failed)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not write XML")));
	*len = xmlBufferLength(buffer);
	message = pnstrdup((const char *) xmlBufferContent(buffer), *len);
	held_release(held_buffer);
	return message;
}
