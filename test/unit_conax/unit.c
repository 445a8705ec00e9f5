/*-------------------------------------------------------------------------
 *
 * unit.c
 *		Runs the unit tests of the Conax adapter inside of a server.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "adapter_conax.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "unit.h"
#include "utils/builtins.h"
#include "wire_text.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(unit_conax);
PG_FUNCTION_INFO_V1(unit_latin);

static int
count_options(const CasOption *options)
{
	int			n = 0;

	while (options[n].name)
		n++;
	return n;
}

CasSettings *
unit_settings(void *profile)
{
	CasSettings *settings = palloc0(sizeof(CasSettings));
	int			common = count_options(adapter_common_options);
	int			own = count_options(conax_adapter.options);
	CasOption  *options = palloc0(sizeof(CasOption) * (common + own + 1));

	memcpy(options, adapter_common_options, sizeof(CasOption) * common);
	memcpy(options + common, conax_adapter.options, sizeof(CasOption) * own);
	settings->server_name = "unit";
	settings->adapter = &conax_adapter;
	settings->options = options;
	settings->values = palloc0(sizeof(char *) * (common + own));
	for (int i = 0; i < common + own; i++)
		settings->values[i] = options[i].default_value;
	settings->profile = profile;
	return settings;
}

void
unit_set(CasSettings *settings, const char *name, const char *value)
{
	for (int i = 0; settings->options[i].name; i++)
		if (strcmp(settings->options[i].name, name) == 0)
			settings->values[i] = value;
}

const CasOperation *
unit_operation(const char *type)
{
	return adapter_operation_by_type(&conax_adapter, type);
}

CasRequest *
unit_request(const char *type)
{
	CasRequest *request = palloc0(sizeof(CasRequest));

	request->number = 18572;
	request->id = "DAA117D8CF7A4BE5A69A356A9050748C";
	request->operation = unit_operation(type);
	request->attempt = 1;
	return request;
}

void
unit_value(CasRequest *request, const char *name, const char *value)
{
	CasValue   *new = palloc0(sizeof(CasValue));

	new->name = name;
	new->value = value;
	new->secret = strcmp(name, "ca_pin") == 0;
	request->values = lappend(request->values, new);
}

char	   *
unit_envelope(const char *body)
{
	return psprintf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
					"<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">"
					"<s:Header/><s:Body>%s</s:Body></s:Envelope>", body);
}

static void
test_options_table(void)
{
	CasSettings *settings = unit_settings(NULL);

	ok(cas_option_int(settings, "timeout") == 10000, "timeout is 10 s");
	ok(cas_option_int(settings, "retry_window") == 24 * 60 * 60 * 1000,
	   "retry_window is 24 h");
	ok(cas_option_int(settings, "connections") == 16,
	   "connections are 16");
	ok(!cas_option_bool(settings, "allow_plaintext"),
	   "plaintext is not allowed");
	is(cas_option(settings, "state"), "effective", "state is effective");
	for (int i = 0; settings->options[i].name; i++)
	{
		const CasOption *option = &settings->options[i];

		if (option->default_value == NULL || option->max == 0)
			continue;
		ok(cas_option_int(settings, option->name) >= option->min &&
		   cas_option_int(settings, option->name) <= option->max,
		   "default of %s is within its limits", option->name);
	}
	ok(adapter_by_kind("conax_web_services") == &conax_adapter &&
	   adapter_by_prefix("conax") == &conax_adapter &&
	   adapter_by_kind("conax") == NULL && adapter_next(NULL) != NULL,
	   "adapters are found");
	ok(adapter_operation(&conax_adapter, "add_subscriptions") ==
	   unit_operation("ADD_SUBSCRIPTIONS") &&
	   unit_operation("ADD") == NULL, "operations are found");
}

Datum
unit_conax(PG_FUNCTION_ARGS)
{
	Jsonb	   *document = PG_GETARG_JSONB_P(0);
	void	   *profile;

	tap_open(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	test_options_table();
	test_soap();
	test_profile(document);
	profile = conax_adapter.compile_profile(document);
	test_adapter(profile, text_to_cstring(PG_GETARG_TEXT_PP(2)));
	test_answers(profile);
	test_http();
	test_deadlines();
	tap_close();
	PG_RETURN_VOID();
}

static void
convert_backslash_256(void *arg)
{
	(void) wire_text_to_utf8(arg);
}

/* In a database whose encoding is LATIN1. */
Datum
unit_latin(PG_FUNCTION_ARGS)
{
	tap_open(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	is(wire_text_to_utf8("gr\xFC\xDF"), "gr\xC3\xBC\xC3\x9F",
	   "a text of a LATIN1 database goes out as UTF-8");
	ok(error_of(convert_backslash_256, "plain") == NULL,
	   "ASCII needs no conversion");
	is(wire_text_from_utf8("gr\xC3\xBC\xC3\x9F", 6), "gr\xFC\xDF",
	   "UTF-8 is stored in LATIN1");
	is(wire_text_from_utf8("\xE2\x82\xAC 5 \xC3\xBC", 8), "??? 5 ??",
	   "what LATIN1 lacks is stored as question marks");
	tap_close();
	PG_RETURN_VOID();
}
