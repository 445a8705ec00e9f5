/*-------------------------------------------------------------------------
 *
 * unit_soap.c
 *		Reading documents and filling templates.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <libxml/xmlerror.h>

#include "held.h"
#include "lib/stringinfo.h"
#include "soap.h"
#include "unit.h"
#include "utils/memutils.h"
#include "wire_text.h"

static int	nreleased;

static void
count_release(void *handle)
{
	nreleased = nreleased * 10 + *(int *) handle;
}

static void
test_held(void)
{
	static int	one = 1;
	static int	two = 2;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "held",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Held	   *first = held_new(count_release);
	Held	   *second = held_new(count_release);
	Held	   *empty = held_new(count_release);

	held_keep(first, &one, "one");
	held_keep(second, &two, "two");
	MemoryContextSwitchTo(old);
	MemoryContextReset(context);
	ok(nreleased == 21, "handles are released last first, once");
	nreleased = 0;
	MemoryContextSwitchTo(context);
	first = held_new(count_release);
	held_keep(first, &one, "one");
	held_release(first);
	ok(nreleased == 1, "a handle is released when asked for");
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	ok(nreleased == 1 && empty != NULL, "and then not again");
}

static void
test_wire_text(void)
{
	is(wire_text_from_utf8("a\0b\x01\x7F\tc\r\n", 9), "ab\tc\r\n",
	   "control characters go");
	is(wire_text_from_utf8("\xC3\xBC\xFF\xC3", 4), "\xC3\xBC??",
	   "what is not UTF-8 becomes question marks");
	is(wire_text_from_utf8("\xED\xA0\x80\xC0\x80", 5), "?????",
	   "surrogates and overlong forms are not UTF-8");
	ok(wire_text_fits_xml("a\t\xC3\xBC\r\n"), "XML carries line ends");
	ok(!wire_text_fits_xml("a\x02") && !wire_text_fits_xml("\xEF\xBF\xBE"),
	   "XML does not carry control characters and U+FFFE");
}

static SoapDocument *
read_text(const char *xml, const char **why)
{
	return soap_read(xml, strlen(xml), why);
}

static char *
nested(int depth)
{
	StringInfoData xml;

	initStringInfo(&xml);
	for (int i = 0; i < depth; i++)
		appendStringInfoString(&xml, "<a>");
	for (int i = 0; i < depth; i++)
		appendStringInfoString(&xml, "</a>");
	return xml.data;
}

static int	global_errors;

static void
global_handler(void *context, const char *format,...)
{
	global_errors++;
}

static void
test_refusals(void)
{
	const char *why;

	ok(read_text("", &why) == NULL && why, "nothing is no document");
	ok(read_text("<a><b></a>", &why) == NULL, "tags that cross are refused");
	has(why, "line 1: ", "with the line and the reason");
	ok(read_text("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", &why) == NULL,
	   "a DOCTYPE is refused");
	has(why, "document type", "and named");
	ok(read_text("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", &why) == NULL,
	   "an external DOCTYPE is refused");
	ok(read_text("<a>&b;</a>", &why) == NULL,
	   "unknown entities are refused");
	ok(read_text(nested(SOAP_MAX_DEPTH), &why) != NULL,
	   "the depth limit can be reached");
	ok(read_text(nested(SOAP_MAX_DEPTH + 1), &why) == NULL,
	   "and not exceeded");
	has(why, "deep", "which is named");
	ok(read_text(nested(100000), &why) == NULL, "100000 levels are refused");
	ok(read_text("<a>\xFF</a>", &why) == NULL, "invalid UTF-8 is refused");
	ok(soap_read("<a>\0</a>", 8, &why) == NULL, "a zero byte is refused");
}

static void
test_reading(void)
{
	const char *why;
	SoapDocument *document;
	xmlNode    *body;

	document = read_text(unit_envelope("<x:R xmlns:x=\"urn:a\"><x:D><x:C>no</x:C></x:D>"
									   "<x:C> a&lt;<![CDATA[&b]]>&#x43; </x:C></x:R>"),
						 &why);
	body = soap_body(document);
	is(soap_name(body), "R", "the body is found");
	is(soap_value(soap_find(body, "C")), "a<&bC",
	   "the least deep element is found, and read whole");
	ok(list_length(soap_find_all(body, "C")) == 2, "all elements are found");
	ok(soap_find(body, "E") == NULL, "what is not there is not found");
	soap_close(document);
	document = read_text("<a>no</a>", &why);
	ok(soap_body(document) == NULL, "not every document is an envelope");
	document = read_text("<?xml version='1.0' encoding='ISO-8859-1'?><a>\xFC</a>",
						 &why);
	is(soap_value(soap_root(document)), "\xC3\xBC",
	   "other encodings are read");
	ok(!soap_is_utf8(document), "and noticed");
	has(soap_dump(document), "\xC3\xBC", "and written as UTF-8");
	document = read_text("<a b='12'>123<c>45</c><d>6</d><!--7--></a>", &why);
	{
		const char *const except[] = {"c", NULL};

		soap_mask_digits(document, except);
	}
	has(soap_dump(document), "<a b=\"**\">***<c>45</c><d>*</d><!--*--></a>",
		"digits are masked but for some elements");
}

/* What a template makes of fields. */
static char *
filled(const char *xml, const SoapField *fields, int n)
{
	const char *why;
	SoapTemplate *template = soap_template(xml, &why);
	Size		len;
	char	   *message = soap_write(template, fields, n, &len);
	char	   *body = strstr(message, "<soap:Body>") + strlen("<soap:Body>");

	*strstr(body, "</soap:Body>") = '\0';
	return body;
}

static void
test_templates(void)
{
	const SoapField fields[] = {
		{"a", "1"}, {"b", "<&\">]]>"}, {"a", "2"}
	};
	const char *why;

	is(filled("<x><y><z>${a}</z></y><b>${b}</b>\n</x>", fields, 3),
	   "<x><y><z>1</z><z>2</z></y><b>&lt;&amp;&quot;&gt;]]&gt;</b></x>",
	   "placeholders are repeated and escaped");
	is(filled("<x><y><z>${c}</z></y><b>${b}</b></x>", fields, 1), "<x/>",
	   "what is missing is left out, with its parents");
	is(filled("<x xmlns:k='urn:provreq:template'><y k:keep='true'>"
			  "<z>${c}</z></y><w k:keep='true'>${c}</w></x>", fields, 1),
	   "<x><y/><w/></x>", "unless they are kept");
	is(filled("<p:x xmlns:p='urn:p' xmlns='urn:q' p:a='1&amp;'><y/><z>c</z></p:x>",
			  fields, 1),
	   "<p:x xmlns:p=\"urn:p\" xmlns=\"urn:q\" p:a=\"1&amp;\"><y/><z>c</z></p:x>",
	   "namespaces, attributes and constants stay");
	ok(soap_template("<a>x ${b}</a>", &why) == NULL, "half a text is no placeholder");
	has(why, "\"a\"", "and the element is named");
	ok(soap_template("<a b='${c}'/>", &why) == NULL, "nor is an attribute");
	ok(soap_template("<a>x<b/></a>", &why) == NULL, "mixed content is refused");
	ok(soap_template("<a>", &why) == NULL, "as is what is not XML");
	ok(soap_template("<a>${b}${c}</a>", &why) == NULL, "and two in one text");
}

void
test_soap(void)
{
	xmlGenericErrorFunc before = xmlGenericError;

	test_held();
	test_wire_text();
	xmlSetGenericErrorFunc(NULL, global_handler);
	test_refusals();
	ok(global_errors == 0, "the global error handler is not called");
	xmlSetGenericErrorFunc(NULL, before);
	test_reading();
	test_templates();
}
