/*-------------------------------------------------------------------------
 *
 * unit_adapter.c
 *		Options and requests of the Conax adapter.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "adapter_conax.h"
#include "unit.h"

/* ------------------------------------------------------------------------
 * Options
 * ------------------------------------------------------------------------
 */
typedef struct BadOptions
{
	CasOptionPlace place;
	const char *options[7];		/* names and values, ends with NULL */
	const char *message;		/* NULL: they are good */
	const char *hint;
}			BadOptions;

static const BadOptions options_cases[] = {
	{CAS_ON_SERVER, {"url", "https://cas.example.com:8443"}, NULL, NULL},
	{CAS_ON_SERVER, {"url", "https://[::1]:8443/base/"}, NULL, NULL},
	{CAS_ON_SERVER, {"url", "HTTPS://cas.example.com"}, NULL, NULL},
	{CAS_ON_SERVER, {"url", "http://cas.example.com"}, "https://",
	"allow_plaintext"},
	{CAS_ON_SERVER, {"url", "http://cas.example.com", "allow_plaintext",
	"true"}, NULL, NULL},
	{CAS_ON_SERVER, {"url", "http://cas.example.com", "allow_plaintext",
	"false"}, "https://", "allow_plaintext"},
	{CAS_ON_SERVER, {"url", "ftp://cas.example.com", "allow_plaintext",
	"true"}, "https://", "cas.example.com"},
	{CAS_ON_SERVER, {"url", "cas.example.com"}, "is not a URL", "https://"},
	{CAS_ON_SERVER, {"url", "https://"}, "is not a URL", "https://"},
	{CAS_ON_SERVER, {"url", "https://a b/"}, "is not a URL", NULL},
	{CAS_ON_SERVER, {"url", "https://me:geheim@cas.example.com"},
	"must not have a user name", "user mapping"},
	{CAS_ON_SERVER, {"url", "https://cas.example.com/?a=b"},
	"must not have a query", "profile"},
	{CAS_ON_SERVER, {"url", "https://cas.example.com/#a"},
	"must not have a fragment", "profile"},
	{CAS_ON_USER_MAPPING, {NULL}, NULL, NULL},
	{CAS_ON_USER_MAPPING, {"username", "a", "password", "b"}, NULL, NULL},
	{CAS_ON_USER_MAPPING, {"password", "b"},
	"\"password\" needs option \"username\"", "both"},
	{CAS_ON_USER_MAPPING, {"username", "a"},
	"\"username\" needs option \"password\"", "both"},
	{CAS_ON_USER_MAPPING, {"username", "a:b", "password", "c"}, "colon",
	"Basic"},
	{CAS_ON_USER_MAPPING, {"client_cert", "/a", "client_key", "/b",
	"client_key_password", "c"}, NULL, NULL},
	{CAS_ON_USER_MAPPING, {"client_key", "/b"},
	"\"client_key\" needs option \"client_cert\"", NULL},
	{CAS_ON_USER_MAPPING, {"client_cert", "/b"},
	"\"client_cert\" needs option \"client_key\"", NULL},
	{CAS_ON_USER_MAPPING, {"client_key_password", "c"},
	"needs option \"client_key\"", NULL},
};

static void
check_options_case(void *arg)
{
	const		BadOptions *bad = arg;
	CasSettings *settings = unit_settings(NULL);

	/* DDL is checked without defaults */
	for (int i = 0; settings->options[i].name; i++)
		settings->values[i] = NULL;
	for (int i = 0; bad->options[i]; i += 2)
		unit_set(settings, bad->options[i], bad->options[i + 1]);
	conax_adapter.check_options(settings, bad->place);
}

static void
test_options(void)
{
	for (int i = 0; i < lengthof(options_cases); i++)
	{
		const		BadOptions *bad = &options_cases[i];
		ErrorData  *error = error_of(check_options_case, (void *) bad);
		const char *shown = bad->options[0] ? bad->options[1] : "nothing";

		if (bad->message == NULL)
		{
			ok(error == NULL, "options with %s are good", shown);
			continue;
		}
		if (error == NULL)
		{
			ok(false, "options with %s are refused", shown);
			continue;
		}
		has(error->message, bad->message,
			psprintf("options with %s are refused", shown));
		has(error->hint, bad->hint ? bad->hint : "", "with a hint");
		ok(strstr(error->message, "geheim") == NULL,
		   "and without a password");
	}
}

/* ------------------------------------------------------------------------
 * Messages
 * ------------------------------------------------------------------------
 */

/* All that an operation can be given, for its golden message. */
static CasRequest *
full_request(const CasOperation *operation)
{
	static const char *const values[][2] = {
		{"smartcard_ca_id", "01234567890"},
		{"service_ca_id", "SPORT"},
		{"stb_ca_id", "THMOD001-10002"},
		{"existing_smartcard_ca_id", "01234567891"},
		{"start_date", "2015-09-07T15:23:15Z"},
		{"ca_pin", "4321"},
		{"message", "F\xC3\xBCr <Sie> & \"alle\""},
		{"display_duration", "20"},
		{"star_indication_date_time", "2015-09-07T16:00:00Z"},
		{"repetition_count", "3"},
		{"repetition_interval", "2550"},
		{"display_date_time", "2015-09-07T16:30:00Z"},
		{"position_x", "10"},
		{"position_y", "0"},
		{"height", "12"},
		{"fingerprint_slot", "1"},
	};
	CasRequest *request = unit_request(operation->type);

	for (const CasParameter *p = operation->parameters; p->name; p++)
	{
		const char *name = cas_stored_name(p);

		for (int i = 0; name && i < lengthof(values); i++)
			if (strcmp(values[i][0], name) == 0)
				unit_value(request, name, values[i][1]);
		if (p->kind == CAS_SMARTCARD_CA_ID_SET)
			unit_value(request, name, "01234567892");
	}
	return request;
}

/* Only what is mandatory or has a default. */
static CasRequest *
bare_request(const CasOperation *operation)
{
	CasRequest *request = full_request(operation);

	for (const CasParameter *p = operation->parameters; p->name; p++)
	{
		List	   *kept = NIL;
		ListCell   *lc;

		if (p->mandatory || p->default_value)
			continue;
		foreach(lc, request->values)
		{
			CasValue   *value = lfirst(lc);

			if (cas_stored_name(p) == NULL ||
				strcmp(value->name, cas_stored_name(p)) != 0)
				kept = lappend(kept, value);
		}
		request->values = kept;
	}
	return request;
}

static void
write_message(const CasSettings *settings, const CasRequest *request,
			  CasRendering rendering, const char *file)
{
	CasMessage *message = linitial(conax_adapter.encode(settings, request,
														rendering));
	FILE	   *out = fopen(file, "w");

	if (out == NULL)
		elog(ERROR, "could not open \"%s\": %m", file);
	fwrite(message->data, 1, message->len, out);
	fputc('\n', out);
	fclose(out);
}

static void
write_messages(const CasSettings *settings, const char *directory)
{
	for (const CasOperation *op = conax_operations; op->name; op++)
	{
		CasRequest *full = full_request(op);
		CasRequest *bare = bare_request(op);

		conax_adapter.validate(settings, full);
		write_message(settings, full, CAS_WIRE,
					  psprintf("%s/%s.xml", directory, op->type));
		if (list_length(bare->values) < list_length(full->values))
			write_message(settings, bare, CAS_WIRE,
						  psprintf("%s/%s_bare.xml", directory, op->type));
	}
	write_message(settings,
				  full_request(unit_operation("UPDATE_CA_PIN_TO_GIVEN_VALUE")),
				  CAS_MASKED, psprintf("%s/masked_pin.xml", directory));
}

/* A request with one value that is wrong. */
typedef struct BadValue
{
	const CasSettings *settings;
	const char *type;
	const char *name;
	const char *value;
}			BadValue;

static void
validate_bad(void *arg)
{
	const		BadValue *bad = arg;
	CasRequest *request = unit_request(bad->type);

	unit_value(request, bad->name, bad->value);
	conax_adapter.validate(bad->settings, request);
}

static void
encode_bad(void *arg)
{
	const		BadValue *bad = arg;
	CasRequest *request = unit_request(bad->type);

	unit_value(request, bad->name, bad->value);
	(void) conax_adapter.encode(bad->settings, request, CAS_WIRE);
}

static void
test_bad_values(const CasSettings *settings)
{
	BadValue	pin = {settings, "UPDATE_CA_PIN_TO_GIVEN_VALUE", "ca_pin", "12345"};
	BadValue	message = {settings, "SEND_MAIL_MESSAGE_TO_CLIENT", "message",
	"a\x02" "b"};
	ErrorData  *error = error_of(validate_bad, &pin);

	throws(validate_bad, &pin, ERRCODE_INVALID_PARAMETER_VALUE,
		   "parameter \"pin\" must have 4 digits", NULL,
		   "a PIN of 5 digits is refused");
	ok(error && strstr(error->message, "12345") == NULL,
	   "without repeating it");
	pin.value = "12a4";
	throws(validate_bad, &pin, ERRCODE_INVALID_PARAMETER_VALUE,
		   "parameter \"pin\"", NULL, "a PIN of letters is refused");
	throws(validate_bad, &message, ERRCODE_INVALID_PARAMETER_VALUE,
		   "parameter \"message\"", "control characters",
		   "a control character is refused");
	throws(encode_bad, &message, ERRCODE_INVALID_PARAMETER_VALUE,
		   "parameter \"message\"", NULL, "also when a message is made of it");
}

static void
validate_request(void *arg)
{
	void	  **both = arg;

	conax_adapter.validate(both[0], both[1]);
}

static void
test_sets(const CasSettings *settings)
{
	CasRequest *request = unit_request("CREATE_PAIRING");
	void	   *both[2] = {(void *) settings, request};

	for (int i = 0; i < 500; i++)
		unit_value(request, "smartcard_ca_id", psprintf("%d", i));
	ok(error_of(validate_request, both) == NULL, "500 cards are good");
	unit_value(request, "smartcard_ca_id", "500");
	throws(validate_request, both, ERRCODE_INVALID_PARAMETER_VALUE,
		   "parameter \"smartcard_set\" has 501 elements", "several",
		   "501 cards are refused");
}

static void
test_check_digit(void *profile)
{
	ConaxProfile dropping = *(ConaxProfile *) profile;
	CasSettings *settings = unit_settings(&dropping);
	CasRequest *request = unit_request("GET_ACTIVE_SUBSCRIPTIONS");
	BadValue	bad = {settings, "GET_ACTIVE_SUBSCRIPTIONS", "smartcard_ca_id",
	"01234567890"};
	CasMessage *message;

	dropping.drop_check_digit = list_make1("smartcard_ca_id");
	unit_value(request, "smartcard_ca_id", "012345678905");
	message = linitial(conax_adapter.encode(settings, request, CAS_WIRE));
	has(message->data, "<CaClientId>01234567890</CaClientId>",
		"the check digit is dropped when the profile says so");
	throws(validate_bad, &bad, ERRCODE_INVALID_PARAMETER_VALUE,
		   "parameter \"smartcard_identifier\" has a card number that is not 12 digits",
		   "check digit", "a number without one is then refused");
}

static void
test_missing_operation(void *profile)
{
	ConaxProfile lacking = *(ConaxProfile *) profile;
	CasSettings *settings = unit_settings(&lacking);
	BadValue	bad = {settings, "ADD_SUBSCRIPTIONS", "smartcard_ca_id", "1"};

	lacking.operations = palloc0(sizeof(ConaxOperation) * 13);
	throws(validate_bad, &bad, ERRCODE_FEATURE_NOT_SUPPORTED,
		   "provider \"unit\" does not carry requests of type ADD_SUBSCRIPTIONS",
		   "profile", "an operation that the profile lacks is refused");
}

static void
test_idempotence(const CasSettings *settings)
{
	for (const CasOperation *op = conax_operations; op->name; op++)
	{
		bool		shown = strncmp(op->type, "SEND_", 5) == 0 ||
		strcmp(op->type, "DISPLAY_FINGERPRINT") == 0;

		ok(conax_adapter.idempotent(settings, op) == !shown,
		   "%s is %sidempotent", op->type, shown ? "not " : "");
	}
}

void
test_adapter(void *profile, const char *directory)
{
	CasSettings *settings = unit_settings(profile);
	CasMessage *message;

	test_options();
	write_messages(settings, directory);
	message = linitial(conax_adapter.encode(settings,
											full_request(unit_operation("SEND_BARK_MESSAGE_TO_CLIENT")),
											CAS_WIRE));
	is(message->target, "/ca-server/webservices/caclient/user-text-messaging",
	   "a message has its path");
	ok(message->len == strlen(message->data), "and its length");
	test_bad_values(settings);
	test_sets(settings);
	test_check_digit(profile);
	test_missing_operation(profile);
	test_idempotence(settings);
}
