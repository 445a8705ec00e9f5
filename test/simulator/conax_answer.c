/*-------------------------------------------------------------------------
 *
 * conax_answer.c
 *		The texts that the CAS answers with, right and wrong ones.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "conax_answer.h"

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define ENVELOPE \
	"<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\">" \
	"<soap:Body>"
#define ENVELOPE_END "</soap:Body></soap:Envelope>\n"
#define NAMESPACE_PREFIX "http://www.conax.com/cas/xsd/"

static void
write_start(const Operation *operation, const CasAnswer *answer, Text *body)
{
	text_addf(body, HEAD ENVELOPE "<o:%sResponse xmlns:o=\""
			  NAMESPACE_PREFIX "%s/v1\" xmlns:c=\""
			  NAMESPACE_PREFIX "common-types/v1\"><c:StatusCode>%s"
			  "</c:StatusCode><c:Message>",
			  operation->name, operation->service, answer->code);
	text_add_xml(body, answer->explanation);
}

static void
write_end(const Operation *operation, const CasAnswer *answer, Text *body)
{
	text_add(body, "</c:Message>");
	if (answer->reference[0] != '\0')
		text_addf(body, "<c:ReferenceNumber>%s</c:ReferenceNumber>",
				  answer->reference);
	if (answer->data.len > 0)
		text_add(body, answer->data.data);
	text_addf(body, "</o:%sResponse>" ENVELOPE_END, operation->name);
}

void
answer_write(const Operation *operation, const CasAnswer *answer, Text *body)
{
	write_start(operation, answer, body);
	write_end(operation, answer, body);
}

void
answer_write_fault(const char *code, const char *reason, Text *body)
{
	text_addf(body, HEAD ENVELOPE "<soap:Fault><faultcode>soap:%s</faultcode>"
			  "<faultstring>", code);
	text_add_xml(body, reason);
	text_add(body, "</faultstring></soap:Fault>" ENVELOPE_END);
}

void
answer_write_garbage(Text *body)
{
	unsigned	i;

	for (i = 0; i < 512; i++)
	{
		unsigned char byte = (unsigned char) (i * 167 + 129);

		text_add_bytes(body, &byte, 1);
	}
}

void
answer_write_bomb(Text *body)
{
	int			i;

	text_add(body, HEAD "<!DOCTYPE bomb [\n<!ENTITY e0 \"boom\">\n");
	for (i = 1; i < 12; i++)
		text_addf(body, "<!ENTITY e%d \"&e%d;&e%d;&e%d;&e%d;&e%d;&e%d;&e%d;"
				  "&e%d;\">\n", i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1,
				  i - 1, i - 1);
	text_add(body, "]>\n" ENVELOPE "<bomb>&e11;</bomb>" ENVELOPE_END);
}

void
answer_write_oversized(const Operation *operation, const CasAnswer *answer,
					   size_t size, Text *body)
{
	Text		tail = {0};
	char		filler[1024];

	memset(filler, 'x', sizeof(filler));
	write_end(operation, answer, &tail);
	write_start(operation, answer, body);
	while (body->len + tail.len < size)
	{
		size_t		missing = size - body->len - tail.len;

		text_add_bytes(body, filler,
					   missing < sizeof(filler) ? missing : sizeof(filler));
	}
	text_add(body, tail.data);
	text_free(&tail);
}
