/*-------------------------------------------------------------------------
 *
 * adapter_conax_decode.c
 *		What an answer of Conax Web Services means.
 *
 * The doubt is on our side: only what the profile's tables list, in an
 * answer to the operation that was asked for, settles a request.  Everything
 * that cannot be read leaves it in doubt.
 *
 * The answer to a message with a PIN may repeat it, so digits in such an
 * answer are shown as asterisks but for the fields that cannot hold it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "adapter_conax.h"
#include "utils/json.h"
#include "verdict.h"
#include "wire_text.h"

/* One answer while it is read. */
typedef struct Decoding
{
	const ConaxProfile *profile;
	const ConaxOperation *operation;	/* NULL: not known */
	const CasReply *reply;
	CasOutcome *outcome;
	SoapDocument *document;		/* NULL: not XML */
	const char *why;			/* if it is not XML: why not */
} Decoding;

/* Could what was sent have held a PIN?  Yes, if it is not known. */
static bool
is_secret(const Decoding *decoding)
{
	return decoding->operation == NULL || decoding->operation->secret;
}

/* Free text of the CAS as a description; NULL if there is none. */
static const char *
description(const Decoding *decoding, const xmlNode *element)
{
	char	   *str = element ? soap_value(element) : NULL;

	if (str == NULL)
		return NULL;
	if (is_secret(decoding))
		wire_text_mask_digits(str);
	return verdict_limited(str, DESCRIPTION_LIMIT);
}

/* The text of an element as a code; NULL if there is none. */
static const char *
code_of(const xmlNode *element)
{
	char	   *str = element ? soap_value(element) : NULL;

	return str ? verdict_limited(str, CODE_LIMIT) : NULL;
}

/*
 * Records a code of the CAS, as ours also when ours is NULL, and what it says
 * of it; NULL: what the profile does.
 */
static void
complain(CasOutcome *outcome, const VerdictCode *meaning, const char *ours,
		 const char *theirs, const char *why)
{
	outcome->error_code = ours ? ours : theirs;
	outcome->error_description = why ? why : meaning->text;
	outcome->provider_error_code = theirs;
	outcome->provider_error_description = why;
}

/* ------------------------------------------------------------------------
 * response and response_data
 * ------------------------------------------------------------------------
 */

/* The answer as text, with the digits of a possible PIN masked. */
static const char *
response_text(Decoding *decoding)
{
	const CasReply *reply = decoding->reply;
	const char *const shown[] = {
		decoding->profile->status_code,
		decoding->profile->reference_number,
		NULL
	};
	char	   *str = NULL;

	if (reply->data == NULL || reply->len == 0)
		return NULL;
	if (decoding->document && is_secret(decoding))
		soap_mask_digits(decoding->document, shown);
	if (decoding->document &&
		(is_secret(decoding) || !soap_is_utf8(decoding->document)))
		str = soap_dump(decoding->document);
	if (str == NULL)
	{
		str = wire_text_from_utf8(reply->data, reply->len);
		if (is_secret(decoding))
			wire_text_mask_digits(str);
	}
	return str;
}

static void append_members(StringInfo json, const List *data,
						   const xmlNode *under);

/* One piece of the answer's data as a JSON value. */
static void
append_datum(StringInfo json, const ConaxDatum *datum, const xmlNode *under)
{
	const char *comma = "";
	ListCell   *lc;

	if (!datum->each)
	{
		const xmlNode *element = soap_find(under, datum->element);

		if (element)
			escape_json(json, soap_value(element));
		else
			appendStringInfoString(json, "null");
		return;
	}
	appendStringInfoChar(json, '[');
	foreach(lc, soap_find_all(under, datum->element))
	{
		appendStringInfoString(json, comma);
		if (datum->members)
			append_members(json, datum->members, lfirst(lc));
		else
			escape_json(json, soap_value(lfirst(lc)));
		comma = ", ";
	}
	appendStringInfoChar(json, ']');
}

/* The pieces of data that stand under an element, as a JSON object. */
static void
append_members(StringInfo json, const List *data, const xmlNode *under)
{
	const char *comma = "";
	ListCell   *lc;

	appendStringInfoChar(json, '{');
	foreach(lc, data)
	{
		const ConaxDatum *datum = lfirst(lc);

		appendStringInfoString(json, comma);
		escape_json(json, datum->name);
		appendStringInfoString(json, ": ");
		append_datum(json, datum, under);
		comma = ", ";
	}
	appendStringInfoChar(json, '}');
}

static const char *
response_data(const Decoding *decoding, const xmlNode *body)
{
	StringInfoData json;

	if (decoding->operation == NULL || decoding->operation->data == NIL)
		return NULL;
	initStringInfo(&json);
	append_members(&json, decoding->operation->data, body);
	return json.data;
}

/* ------------------------------------------------------------------------
 * Kinds of answers
 * ------------------------------------------------------------------------
 */

/* "soap:Client.Authentication" is looked up whole and then as "Client". */
static const VerdictCode *
fault_code(const Decoding *decoding, const char *code)
{
	const List *faults = decoding->profile->faults;
	char	   *first = pstrdup(code);

	first[strcspn(first, ".")] = '\0';
	return verdict_find(faults,
						verdict_is_listed(faults, code) ? code : first);
}

/* A SOAP Fault, of version 1.1 or 1.2. */
static void
decode_fault(Decoding *decoding, const xmlNode *fault)
{
	const xmlNode *code = soap_find(fault, "faultcode");
	const xmlNode *message = soap_find(fault, "faultstring");
	const VerdictCode *meaning;
	const char *name;

	if (code == NULL)
		code = soap_find(fault, "Value");
	if (message == NULL)
		message = soap_find(fault, "Text");
	name = code_of(code);
	if (name == NULL)
	{
		verdict_not_understood(decoding->outcome,
							   "the SOAP fault has no code");
		return;
	}
	if (strchr(name, ':'))
		name = strchr(name, ':') + 1;
	meaning = fault_code(decoding, name);
	verdict_settle(decoding->outcome, meaning);
	complain(decoding->outcome, meaning, "SOAP_FAULT", name,
			 description(decoding, message));
}

/* The answer of the operation itself. */
static void
decode_status(Decoding *decoding, const xmlNode *body)
{
	const ConaxProfile *profile = decoding->profile;
	CasOutcome *outcome = decoding->outcome;
	const char *code = code_of(soap_find(body, profile->status_code));
	const VerdictCode *meaning;

	if (code == NULL)
	{
		verdict_not_understood(outcome, psprintf("it has no %s",
												 profile->status_code));
		return;
	}
	meaning = verdict_find(profile->status, code);
	verdict_settle(outcome, meaning);
	outcome->reference_number = code_of(soap_find(body,
												  profile->reference_number));
	if (outcome->verdict == CAS_DONE)
		outcome->response_data = response_data(decoding, body);
	else
		complain(outcome, meaning, NULL, code,
				 description(decoding, soap_find(body, profile->message)));
}

/* The operation that an answer is to, by its element; NULL if none. */
static const ConaxOperation *
operation_of_answer(const ConaxProfile *profile, const xmlNode *body)
{
	for (int i = 0; conax_operations[i].name; i++)
		if (profile->operations[i].body &&
			soap_is(body, profile->operations[i].answer))
			return &profile->operations[i];
	return NULL;
}

/* A whole XML document that came with HTTP status 200. */
static void
decode_soap(Decoding *decoding, const xmlNode *body)
{
	if (soap_is(body, "Fault"))
	{
		decode_fault(decoding, body);
		return;
	}
	if (decoding->operation == NULL)
		decoding->operation = operation_of_answer(decoding->profile, body);
	if (decoding->operation == NULL ||
		!soap_is(body, decoding->operation->answer))
	{
		const char *utf8 = soap_name(body);
		char	   *name = wire_text_from_utf8(utf8, strlen(utf8));

		verdict_not_understood(decoding->outcome,
							   psprintf("element \"%s\" answers another operation",
										verdict_limited(name, CODE_LIMIT)));
		return;
	}
	decode_status(decoding, body);
}

/* An HTTP status that says enough: "404", or its class "4xx". */
static void
decode_http_status(Decoding *decoding)
{
	const List *codes = decoding->profile->http_status;
	char	   *code = psprintf("%d", decoding->reply->code);
	char	   *class = psprintf("%cxx", code[0]);
	const VerdictCode *meaning =
	verdict_find(codes, verdict_is_listed(codes, code) ? code : class);

	verdict_settle(decoding->outcome, meaning);
	complain(decoding->outcome, meaning, psprintf("HTTP_%s", code), code,
			 meaning->text ? meaning->text :
			 psprintf("the provider answered with HTTP status %s", code));
}

/* Chooses by what came; code 0 is an answer without HTTP around it. */
static void
decode_answer(Decoding *decoding)
{
	int			code = decoding->reply->code;
	const xmlNode *body = NULL;

	if (decoding->document)
		body = soap_body(decoding->document);
	if (code == 0 || code == 200)
	{
		if (body)
			decode_soap(decoding, body);
		else
			verdict_not_understood(decoding->outcome, decoding->document ?
								   "it is not a SOAP envelope with a body" :
								   decoding->why);
	}
	else if (code == 500 && body && soap_is(body, "Fault"))
		decode_fault(decoding, body);
	else
		decode_http_status(decoding);
}

void
conax_decode(const CasSettings *settings, const CasOperation *operation,
			 const CasReply *reply, CasOutcome *outcome)
{
	const ConaxProfile *profile = settings->profile;
	Decoding	decoding = {profile, NULL, reply, outcome, NULL, NULL};

	memset(outcome, 0, sizeof(CasOutcome));
	if (operation)
		decoding.operation =
			&profile->operations[operation - conax_operations];
	if (reply->status == CAS_ANSWERED && reply->data && reply->len > 0)
		decoding.document = soap_read(reply->data, reply->len,
									  &decoding.why);
	else
		decoding.why = "it is empty";
	if (reply->status == CAS_ANSWERED)
		decode_answer(&decoding);
	else
		verdict_no_answer(outcome, reply);
	outcome->response = response_text(&decoding);
	if (decoding.document)
		soap_close(decoding.document);
}
