/*-------------------------------------------------------------------------
 *
 * unit_profile.c
 *		Compiling profiles, good and bad ones.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "adapter_conax.h"
#include "catalog/pg_type.h"
#include "unit.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"

/* A change to the shipped profile, and what is said about it. */
typedef struct BadProfile
{
	const char *path;			/* as jsonb_set wants it */
	const char *value;			/* NULL: the member is taken away */
	const char *message;
	const char *hint;
}			BadProfile;

static const BadProfile bad_profiles[] = {
	{"{kind}", "\"nds\"", "$.kind: invalid value", "conax_web_services"},
	{"{kind}", NULL, "$: member \"kind\" is missing", NULL},
	{"{extra}", "1", "$.extra: unknown member", "operations"},
	{"{path_prefix}", "\"no slash\"", "$.path_prefix: not the path", NULL},
	{"{path_prefix}", "\"ca/\"", "does not begin with a slash", NULL},
	{"{soap_action}", "\"on\"", "$.soap_action: invalid value \"on\"",
	"off, empty, template"},
	{"{soap_action}", "\"template\"", "\"soap_action_template\" is missing",
	NULL},
	{"{soap_action}", "[]", "$.soap_action: must be a string, not an array",
	NULL},
	{"{status,OK}", "\"fine\"", "$.status.OK: invalid value",
	"done, refused, retry, unknown, unreachable"},
	{"{status}", "[]", "$.status: must be an object, not an array", NULL},
	{"{faults,Server,max_attempts}", "0",
		"$.faults.Server.max_attempts: must be a whole number from 1 to 1000",
	NULL},
	{"{faults,Server,max_attempts}", "1.5", "not 1.5", NULL},
	{"{faults,Server,verdict}", "\"refused\"", "$.faults.Server: max_att",
	NULL},
	{"{faults,Server,verdict}", "\"unreachable\"", "$.faults.Server: max_att",
	NULL},
	{"{faults,Server,often}", "1", "$.faults.Server.often: unknown member",
	NULL},
	{"{http_status,50}", "\"retry\"", "$.http_status.50: not an HTTP status",
	"5xx"},
	{"{http_status,5x}", "\"retry\"", "not an HTTP status", NULL},
	{"{transforms,pin}", "\"none\"", "$.transforms.pin: unknown member",
	"smartcard_ca_id"},
	{"{transforms,smartcard_ca_id}", "\"twice\"", "invalid value",
	"none, drop_check_digit"},
	{"{pin_digits,max}", "3", "$.pin_digits.max: must be a whole number from 4",
	NULL},
	{"{answer,status_code}", "7", "$.answer.status_code: must be a string",
	NULL},
	{"{operations,ADD}", "{}", "$.operations.ADD: unknown member",
	"ADD_SUBSCRIPTIONS"},
	{"{operations,CREATE_PAIRING,idempotent}", "0",
		"$.operations.CREATE_PAIRING.idempotent: must be true or false, not a number",
	NULL},
	{"{operations,CREATE_PAIRING,body}", NULL,
	"$.operations.CREATE_PAIRING: member \"body\" is missing", NULL},
	{"{operations,CREATE_PAIRING,body,1}", "3",
	"$.operations.CREATE_PAIRING.body[1]: must be a string", NULL},
	{"{operations,CREATE_PAIRING,body}", "[\"<a>\"]",
	"$.operations.CREATE_PAIRING.body: line", "one XML element"},
	{"{operations,CREATE_PAIRING,body}", "[\"<a>${ca_pin}</a>\"]",
		"$.operations.CREATE_PAIRING.body: unknown placeholder \"ca_pin\"",
	"smartcard_ca_id, stb_ca_id, number"},
	{"{operations,CREATE_PAIRING,body}",
		"[\"<!DOCTYPE a [<!ENTITY b 'c'>]>\", \"<a>&b;</a>\"]",
	"document type declaration", NULL},
	{"{operations,CREATE_PAIRING,path}", "\"a?b\"",
	"$.operations.CREATE_PAIRING.path: not the path", NULL},
	{"{operations,GET_ACTIVE_SUBSCRIPTIONS,data,active_subscriptions,one}",
		"\"a\"",
		"$.operations.GET_ACTIVE_SUBSCRIPTIONS.data.active_subscriptions.one: unknown member",
	"each, members"},
};

/* The document changed at one place. */
static Jsonb *
changed(Jsonb *document, const BadProfile * bad)
{
	Datum		path = OidFunctionCall3(F_ARRAY_IN, CStringGetDatum(bad->path),
										ObjectIdGetDatum(TEXTOID),
										Int32GetDatum(-1));
	Datum		value;

	if (bad->value == NULL)
		return DatumGetJsonbP(DirectFunctionCall2(jsonb_delete_path,
												  JsonbPGetDatum(document),
												  path));
	value = DirectFunctionCall1(jsonb_in, CStringGetDatum(bad->value));
	return DatumGetJsonbP(DirectFunctionCall4(jsonb_set,
											  JsonbPGetDatum(document), path,
											  value, BoolGetDatum(true)));
}

static void
compile(void *arg)
{
	(void) conax_adapter.compile_profile(arg);
}

static ConaxProfile *
compiled(Jsonb *document, const char *path, const char *value)
{
	BadProfile	change = {path, value, NULL, NULL};

	return conax_adapter.compile_profile(changed(document, &change));
}

static void
test_soap_action(Jsonb *document)
{
	ConaxProfile *profile = conax_adapter.compile_profile(document);

	is(profile->operations[0].headers,
	   "Content-Type: text/xml; charset=utf-8\nSOAPAction: \"\"\n",
	   "SOAPAction is empty as shipped");
	profile = compiled(document, "{soap_action}", "\"off\"");
	is(profile->operations[0].headers,
	   "Content-Type: text/xml; charset=utf-8\n", "it can be left out");
	profile = compiled(DatumGetJsonbP(DirectFunctionCall2(jsonb_concat,
														  JsonbPGetDatum(document),
														  DirectFunctionCall1(jsonb_in,
																			  CStringGetDatum("{\"soap_action_template\": \"urn:${operation}#${path}\"}")))),
					   "{soap_action}", "\"template\"");
	is(profile->operations[0].headers,
	   "Content-Type: text/xml; charset=utf-8\n"
	   "SOAPAction: \"urn:AddSubscriptions#/ca-server/webservices/client/authorization\"\n",
	   "or made of a template");
}

/* The profile's words for a code, of an answer that has none. */
static void
test_words(Jsonb *document)
{
	const char *answer = unit_envelope("<o:AddSubscriptionsResponse xmlns:o=\"urn:o\">"
									   "<StatusCode>BLOCKED</StatusCode>"
									   "</o:AddSubscriptionsResponse>");
	ConaxProfile *profile = compiled(document, "{status,BLOCKED}",
									 "{\"verdict\": \"refused\", \"text\": \"the card is blocked\"}");
	CasReply	reply = {.status = CAS_ANSWERED,.code = 200,.data = answer,
	.len = strlen(answer)};
	CasOutcome	outcome;

	conax_adapter.decode(unit_settings(profile),
						 unit_operation("ADD_SUBSCRIPTIONS"), &reply, &outcome);
	is(outcome.error_description, "the card is blocked",
	   "a code has the profile's words where the answer has none");
	ok(outcome.provider_error_description == NULL,
	   "which are not the provider's");
}

void
test_profile(Jsonb *document)
{
	Jsonb	   *array = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
														   CStringGetDatum("[]")));

	ok(error_of(compile, document) == NULL, "the shipped profile compiles");
	throws(compile, array, ERRCODE_INVALID_PARAMETER_VALUE,
		   "wire profile: $: must be an object", NULL, "an array is none");
	for (int i = 0; i < lengthof(bad_profiles); i++)
	{
		const		BadProfile *bad = &bad_profiles[i];

		throws(compile, changed(document, bad),
			   ERRCODE_INVALID_PARAMETER_VALUE, bad->message, bad->hint,
			   psprintf("%s = %s is refused", bad->path,
						bad->value ? bad->value : "(nothing)"));
	}
	test_soap_action(document);
	test_words(document);
}
