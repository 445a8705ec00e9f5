/*-------------------------------------------------------------------------
 *
 * unit_answers.c
 *		Verdicts on answers, right, wrong and hostile ones.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "adapter_conax.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "unit.h"

#define UNREACHABLE 10			/* CAS_RETRY with unreachable */

static CasSettings *settings;

static CasOutcome *
decoded(const char *type, CasReplyStatus status, int code, const char *data,
		Size len)
{
	CasReply	reply = {.tag = 1,.status = status,.code = code,
	.data = data,.len = len};
	CasOutcome *outcome = palloc(sizeof(CasOutcome));

	if (status != CAS_ANSWERED)
		reply.failure = "it is gone";
	memset(outcome, 0x7F, sizeof(CasOutcome));
	conax_adapter.decode(settings, type ? unit_operation(type) : NULL,
						 &reply, outcome);
	return outcome;
}

static CasOutcome *
decoded_text(const char *type, int code, const char *data)
{
	return decoded(type, CAS_ANSWERED, code, data, strlen(data));
}

static int
verdict_of(const CasOutcome *outcome)
{
	return outcome->unreachable ? UNREACHABLE + outcome->verdict :
		outcome->verdict;
}

static char *
answer(const char *operation, const char *status, const char *rest)
{
	return unit_envelope(psprintf("<o:%sResponse xmlns:o=\"urn:o/v7\" xmlns:c=\"urn:c\">"
								  "<c:StatusCode>%s</c:StatusCode>"
								  "<c:Message>card 1234: none</c:Message>%s"
								  "</o:%sResponse>",
								  operation, status, rest, operation));
}

static void
test_codes(void)
{
	static const struct
	{
		const char *code;
		CasVerdict	verdict;
	}			codes[] = {
		{"OK", CAS_DONE},
		{"INPUT_VALIDATION_ERROR", CAS_REFUSED},
		{"FEATURE_NOT_AVAILABLE", CAS_REFUSED},
		{"CLIENT_NOT_FOUND", CAS_REFUSED},
		{"CLIENT_NOT_MANAGED_BY_SMS", CAS_REFUSED},
		{"SYSTEM_ERROR", CAS_RETRY},
		{"NEVER_HEARD_OF", CAS_REFUSED},
		{"*", CAS_REFUSED},
	};

	for (int i = 0; i < lengthof(codes); i++)
	{
		CasOutcome *outcome = decoded_text("ADD_SUBSCRIPTIONS", 200,
										   answer("AddSubscriptions",
												  codes[i].code,
												  "<ReferenceNumber> R-1 </ReferenceNumber>"));

		ok(outcome->verdict == codes[i].verdict && !outcome->unreachable,
		   "verdict on %s", codes[i].code);
		is(outcome->reference_number, "R-1", "with its reference number");
		if (codes[i].verdict == CAS_DONE)
		{
			ok(outcome->error_code == NULL &&
			   outcome->provider_error_code == NULL, "and no error");
			continue;
		}
		is(outcome->error_code, codes[i].code, "with its code");
		is(outcome->provider_error_code, codes[i].code, "as the CAS has it");
		is(outcome->provider_error_description, "card 1234: none",
		   "and its message");
	}
}

static void
test_http_status(void)
{
	static const struct
	{
		int			code;
		int			verdict;
	}			codes[] = {
		{401, UNREACHABLE + CAS_RETRY}, {403, UNREACHABLE + CAS_RETRY},
		{404, UNREACHABLE + CAS_RETRY}, {301, UNREACHABLE + CAS_RETRY},
		{307, UNREACHABLE + CAS_RETRY}, {408, CAS_RETRY}, {429, CAS_RETRY},
		{503, CAS_RETRY}, {502, CAS_UNKNOWN}, {504, CAS_UNKNOWN},
		{400, CAS_REFUSED}, {413, CAS_REFUSED}, {414, CAS_REFUSED},
		{415, CAS_REFUSED}, {500, CAS_UNKNOWN}, {418, CAS_UNKNOWN},
		{204, CAS_UNKNOWN}, {202, CAS_UNKNOWN},
	};

	for (int i = 0; i < lengthof(codes); i++)
	{
		CasOutcome *outcome = decoded_text("ADD_SUBSCRIPTIONS", codes[i].code,
										   answer("AddSubscriptions", "OK",
												  ""));

		ok(verdict_of(outcome) == codes[i].verdict, "verdict on HTTP %d",
		   codes[i].code);
		is(outcome->error_code, psprintf("HTTP_%d", codes[i].code),
		   "with its code");
		ok(outcome->response != NULL, "and what came");
	}
}

static CasOutcome *
fault(int http, const char *code)
{
	return decoded_text("ADD_SUBSCRIPTIONS", http,
						unit_envelope(psprintf("<s:Fault><faultcode>%s</faultcode>"
											   "<faultstring>broken</faultstring></s:Fault>",
											   code)));
}

static void
test_faults(void)
{
	CasOutcome *outcome = fault(500, "s:Client");

	ok(outcome->verdict == CAS_REFUSED, "a Client fault is refused");
	is(outcome->error_code, "SOAP_FAULT", "as a fault");
	is(outcome->provider_error_code, "Client", "with its code");
	is(outcome->error_description, "broken", "and its text");
	outcome = fault(500, "s:Server");
	ok(outcome->verdict == CAS_RETRY && outcome->max_attempts == 3 &&
	   !outcome->unreachable, "a Server fault is tried again, few times");
	ok(fault(200, "Server.Busy")->verdict == CAS_RETRY,
	   "a more exact code counts as its first part");
	ok(fault(500, "MustUnderstand")->verdict == CAS_UNKNOWN,
	   "other faults leave doubt");
	ok(fault(500, "")->verdict == CAS_UNKNOWN, "as does one without a code");
	outcome = decoded_text("ADD_SUBSCRIPTIONS", 500,
						   unit_envelope("<s:Fault><s:Code><s:Value>s:Server</s:Value></s:Code>"
										 "<s:Reason><s:Text>broken</s:Text></s:Reason></s:Fault>"));
	is(outcome->error_description, "broken", "SOAP 1.2 faults are read");
}

static void
test_failures(void)
{
	CasOutcome *outcome = decoded("ADD_SUBSCRIPTIONS", CAS_NOT_SENT, 0, NULL,
								  0);

	ok(verdict_of(outcome) == UNREACHABLE + CAS_RETRY,
	   "what was not sent is tried again and the provider's fault");
	is(outcome->error_description, "it is gone", "with the reason");
	outcome = decoded("ADD_SUBSCRIPTIONS", CAS_NO_ANSWER, 200,
					  "<a\0\xFF>", 5);
	ok(verdict_of(outcome) == CAS_UNKNOWN, "no answer leaves doubt");
	is(outcome->response, "<a?>", "what came of it can be stored");
	is(outcome->error_code, "NO_ANSWER", "with a code");
}

static void
test_other_answers(void)
{
	CasOutcome *outcome;

	outcome = decoded_text("ADD_SUBSCRIPTIONS", 200,
						   answer("CancelSubscriptions", "OK", ""));
	ok(outcome->verdict == CAS_UNKNOWN,
	   "the answer to another operation leaves doubt");
	has(outcome->error_description, "CancelSubscriptionsResponse",
		"and is named");
	ok(decoded_text("ADD_SUBSCRIPTIONS", 200,
					answer("CancelSubscriptions", "CLIENT_NOT_FOUND", ""))->verdict ==
	   CAS_UNKNOWN, "also when it is a refusal");
	outcome = decoded_text(NULL, 0, answer("CancelSubscriptions", "OK", ""));
	ok(outcome->verdict == CAS_DONE,
	   "without an operation, the answer says which one it is");
	ok(decoded_text(NULL, 0, answer("Nothing", "OK", ""))->verdict ==
	   CAS_UNKNOWN, "which has to be one of the profile");
	ok(decoded_text("ADD_SUBSCRIPTIONS", 200,
					unit_envelope("<AddSubscriptionsResponse/>"))->verdict ==
	   CAS_UNKNOWN, "no status leaves doubt");
	ok(decoded_text("ADD_SUBSCRIPTIONS", 200, unit_envelope(""))->verdict ==
	   CAS_UNKNOWN, "so does an empty body");
	ok(decoded_text("ADD_SUBSCRIPTIONS", 200, "")->verdict == CAS_UNKNOWN,
	   "or an empty answer");
}

/* Each beginning of an answer leaves doubt, or is the whole of it. */
static void
test_cut_answers(void)
{
	const char *whole = answer("AddSubscriptions", "OK", "");
	int			len = strlen(whole);
	int			settled = 0;

	for (int i = 0; i < len; i++)
		if (decoded("ADD_SUBSCRIPTIONS", CAS_ANSWERED, 200, whole,
					i)->verdict != CAS_UNKNOWN)
			settled++;
	ok(settled == 0, "an answer cut after any of %d bytes leaves doubt", len);
	ok(decoded_text("ADD_SUBSCRIPTIONS", 200, whole)->verdict == CAS_DONE,
	   "the whole one does not");
}

/* One byte changed anywhere: nothing but verdicts and texts may come of it. */
static void
test_damaged_answers(void)
{
	const char *whole = answer("AddSubscriptions", "OK",
							   "<ReferenceNumber>1</ReferenceNumber>");
	int			len = strlen(whole);
	int			invalid = 0;

	for (int i = 0; i < len; i++)
		for (int byte = 0; byte < 256; byte += 15)
		{
			char	   *damaged = pstrdup(whole);
			CasOutcome *outcome;

			damaged[i] = byte;
			outcome = decoded("ADD_SUBSCRIPTIONS", CAS_ANSWERED, 200,
							  damaged, len);
			if (!pg_verifymbstr(outcome->response,
								strlen(outcome->response), true))
				invalid++;
			pfree(damaged);
		}
	ok(invalid == 0, "any damaged byte gives a text that can be stored");
}

static void
test_hostile_answers(void)
{
	StringInfoData bomb;
	StringInfoData deep;
	StringInfoData huge;

	initStringInfo(&bomb);
	appendStringInfoString(&bomb, "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY a0 \"aaaaaaaaaa\">");
	for (int i = 1; i < 10; i++)
		appendStringInfo(&bomb, "<!ENTITY a%d \"&a%d;&a%d;&a%d;&a%d;&a%d;&a%d;&a%d;&a%d;&a%d;&a%d;\">",
						 i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1,
						 i - 1, i - 1, i - 1);
	appendStringInfo(&bomb, "]>%s", strchr(answer("AddSubscriptions", "&a9;", ""), '>') + 1);
	ok(decoded_text("ADD_SUBSCRIPTIONS", 200, bomb.data)->verdict ==
	   CAS_UNKNOWN, "an entity bomb leaves doubt");

	initStringInfo(&deep);
	for (int i = 0; i < 200000; i++)
		appendStringInfoString(&deep, "<a>");
	ok(decoded_text("ADD_SUBSCRIPTIONS", 200,
					unit_envelope(deep.data))->verdict == CAS_UNKNOWN,
	   "deep nesting leaves doubt");

	initStringInfo(&huge);
	for (int i = 0; i < 100000; i++)
		appendStringInfoString(&huge, "0123456789");
	ok(strlen(decoded_text("ADD_SUBSCRIPTIONS", 200,
						   answer("AddSubscriptions", huge.data,
								  ""))->error_code) == 100,
	   "a huge code is cut");
	ok(decoded("ADD_SUBSCRIPTIONS", CAS_ANSWERED, 200, "\0\0\0\0",
			   4)->verdict == CAS_UNKNOWN, "zero bytes leave doubt");
}

static void
test_data(void)
{
	CasOutcome *outcome;

	outcome = decoded_text("GET_ACTIVE_SUBSCRIPTIONS", 200,
						   answer("GetActiveSubscriptions", "OK",
								  "<ActiveSubscriptions>"
								  "<ActiveSubscription><ProductId>A\"1\"</ProductId><StartTime>2015-09-07T15:23:15Z</StartTime></ActiveSubscription>"
								  "<ActiveSubscription><ProductId>B</ProductId></ActiveSubscription>"
								  "</ActiveSubscriptions>"));
	is(outcome->response_data,
	   "{\"active_subscriptions\": [{\"start_date\": \"2015-09-07T15:23:15Z\", \"service_ca_id\": \"A\\\"1\\\"\"}, "
	   "{\"start_date\": null, \"service_ca_id\": \"B\"}]}",
	   "active subscriptions become JSON");
	outcome = decoded_text("GET_ACTIVE_SUBSCRIPTIONS", 200,
						   answer("GetActiveSubscriptions", "OK", ""));
	is(outcome->response_data, "{\"active_subscriptions\": []}",
	   "none are an empty array");
	outcome = decoded_text("GET_PAIRING_STATUS_FOR_CARD", 200,
						   answer("GetPairingStatusForCard", "OK",
								  "<Pairings><Pairing><CaClientIds><CaClientId>1</CaClientId><CaClientId>2</CaClientId></CaClientIds>"
								  "<PairingModuleIds><PairingModuleId>m</PairingModuleId></PairingModuleIds></Pairing></Pairings>"));
	is(outcome->response_data,
	   "{\"pairings\": [{\"stb_ca_ids\": [\"m\"], \"smartcard_ca_ids\": [\"1\", \"2\"]}]}",
	   "pairings become JSON");
	ok(decoded_text("ADD_SUBSCRIPTIONS", 200,
					answer("AddSubscriptions", "OK", ""))->response_data == NULL,
	   "other operations have no data");
}

static void
test_secrets(void)
{
	const char *whole = answer("UpdateCaPinToGivenValue", "REJECTED_2",
							   "<ReferenceNumber>R1</ReferenceNumber><NewPin a=\"1234\">1234</NewPin>");
	CasOutcome *outcome = decoded_text("UPDATE_CA_PIN_TO_GIVEN_VALUE", 200,
									   whole);

	ok(strstr(outcome->response, "1234") == NULL, "a PIN is masked in an answer");
	has(outcome->response, "REJECTED_2", "its status is not");
	is(outcome->error_description, "card ****: none", "nor does its message tell");
	is(outcome->reference_number, "R1", "the reference number is whole");
	outcome = decoded("UPDATE_CA_PIN_TO_GIVEN_VALUE", CAS_NO_ANSWER, 200,
					  whole, strlen(whole) - 9);
	ok(strstr(outcome->response, "1234") == NULL, "also in half an answer");
	outcome = decoded_text("ADD_SUBSCRIPTIONS", 200,
						   answer("AddSubscriptions", "OK", ""));
	has(outcome->response, "card 1234", "answers without secrets stay as they are");
}

void
test_answers(void *profile)
{
	settings = unit_settings(profile);
	test_codes();
	test_http_status();
	test_faults();
	test_failures();
	test_other_answers();
	test_cut_answers();
	test_damaged_answers();
	test_hostile_answers();
	test_data();
	test_secrets();
}
