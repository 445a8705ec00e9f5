/*-------------------------------------------------------------------------
 *
 * fuzz_soap.c
 *		Documents read as SOAP, and as answers of Conax Web Services.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fuzz.h"
#include "soap.h"

static CasSettings *settings;

void
fuzz_prepare(void)
{
	settings = fuzz_settings(&conax_adapter, "profiles/conax_ws.json");
}

static void
read_document(const char *data, Size len)
{
	static const char *const except[] = {"StatusCode", NULL};
	const char *why = NULL;
	SoapDocument *document = soap_read(data, len, &why);
	xmlNode    *body;

	FUZZ_HOLDS(document || why);
	if (document == NULL)
		return;
	body = soap_body(document);
	if (body)
	{
		List	   *found = soap_find_all(body, "CaClientId");

		FUZZ_HOLDS((found != NIL) == (soap_find(body, "CaClientId") != NULL));
		FUZZ_HOLDS(soap_value(body) != NULL);
	}
	soap_mask_digits(document, except);
	(void) soap_is_utf8(document);
	(void) soap_dump(document);
	soap_close(document);
}

/* The first byte says for which operation it is the answer. */
void
fuzz_try(const char *data, Size len)
{
	CasReply	reply = {.status = CAS_ANSWERED,.code = 200};
	CasOutcome	outcome;
	int			n = 0;

	if (len == 0)
		return;
	while (conax_adapter.operations[n].name)
		n++;
	n = (unsigned char) data[0] % n;
	read_document(data + 1, len - 1);
	reply.data = data + 1;
	reply.len = len - 1;
	conax_adapter.decode(settings, &conax_adapter.operations[n], &reply,
						 &outcome);
	FUZZ_HOLDS(outcome.verdict != CAS_DONE || outcome.response);
}
