/*-------------------------------------------------------------------------
 *
 * adapter_conax.c
 *		Conax Web Services: SOAP over HTTPS.
 *
 * What goes out and how it is shaped stands in the profile; this file checks
 * options, makes fields of a request's values, and fills the template of its
 * operation with them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <curl/curl.h>

#include "adapter_conax.h"
#include "held.h"
#include "http.h"
#include "wire_text.h"

/* How many characters a secret has is not shown. */
#define MASKED "****"

static void conax_check_options(const CasSettings *settings,
								CasOptionPlace place);
static void conax_validate(const CasSettings *settings,
						   const CasRequest *request);
static List *conax_encode(const CasSettings *settings,
						  const CasRequest *request, CasRendering rendering);
static bool conax_idempotent(const CasSettings *settings,
							 const CasOperation *operation);
static const char *conax_test_target(const CasSettings *settings);

static const CasOption conax_options[] = {
	{
		.name = "url",
		.kind = CAS_OPTION_TEXT,
		.place = CAS_ON_SERVER,
		.mandatory = true
	},
	{
		.name = "connections",
		.kind = CAS_OPTION_INTEGER,
		.place = CAS_ON_SERVER,
		.default_value = "16",
		.min = 1,
		.max = 256
	},
	{
		.name = "allow_plaintext",
		.kind = CAS_OPTION_BOOLEAN,
		.place = CAS_ON_SERVER,
		.default_value = "false"
	},
	{
		.name = "ca_file",
		.kind = CAS_OPTION_FILE,
		.place = CAS_ON_SERVER
	},
	{
		.name = "max_answer_size",
		.kind = CAS_OPTION_INTEGER,
		.place = CAS_ON_SERVER,
		.default_value = "1048576",
		.min = 1024,
		.max = 64 * 1024 * 1024
	},
	{
		.name = "idle_timeout",
		.kind = CAS_OPTION_DURATION,
		.place = CAS_ON_SERVER,
		.default_value = "4s",
		.min = 1000,
		.max = 60 * 60 * 1000
	},
	{
		.name = "username",
		.kind = CAS_OPTION_TEXT,
		.place = CAS_ON_USER_MAPPING
	},
	{
		.name = "password",
		.kind = CAS_OPTION_SECRET,
		.place = CAS_ON_USER_MAPPING
	},
	{
		.name = "client_cert",
		.kind = CAS_OPTION_FILE,
		.place = CAS_ON_USER_MAPPING
	},
	{
		.name = "client_key",
		.kind = CAS_OPTION_FILE,
		.place = CAS_ON_USER_MAPPING
	},
	{
		.name = "client_key_password",
		.kind = CAS_OPTION_SECRET,
		.place = CAS_ON_USER_MAPPING
	},
	{0}
};

const CasAdapter conax_adapter = {
	.kind = "conax_web_services",
	.prefix = "conax",
	.default_profile = "conax_ws",
	.operations = conax_operations,
	.options = conax_options,
	.transport = &http_transport,
	.check_options = conax_check_options,
	.compile_profile = conax_compile_profile,
	.validate = conax_validate,
	.encode = conax_encode,
	.decode = conax_decode,
	.idempotent = conax_idempotent,
	.test_target = conax_test_target
};

/* ------------------------------------------------------------------------
 * Options
 * ------------------------------------------------------------------------
 */

static void
release_url(void *handle)
{
	curl_url_cleanup(handle);
}

/* Raises when a URL has a part that it must not have. */
static void
refuse_url_part(CURLU *url, CURLUPart part, const char *called,
				const char *hint)
{
	char	   *value = NULL;

	if (curl_url_get(url, part, &value, 0) != CURLUE_OK)
		return;
	curl_free(value);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("option \"url\" must not have a %s", called),
			 errhint("%s", hint)));
}

/* Nothing listens on port 0, and libcurl takes it. */
static void
check_port(CURLU *url)
{
	char	   *value;
	bool		is_zero;

	if (curl_url_get(url, CURLUPART_PORT, &value, 0) != CURLUE_OK)
		return;					/* the scheme's own */
	is_zero = strcmp(value, "0") == 0;
	curl_free(value);
	if (is_zero)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"url\" must not have port 0"),
				 errhint("Give a URL such as https://cas.example.com:8443.")));
}

/* https, or http when that is allowed. */
static void
check_scheme(CURLU *url, bool allow_plaintext)
{
	char	   *value = NULL;
	bool		https;
	bool		http;

	if (curl_url_get(url, CURLUPART_SCHEME, &value, 0) != CURLUE_OK)
		elog(ERROR, "a URL was parsed without a scheme");
	https = pg_strcasecmp(value, "https") == 0;
	http = pg_strcasecmp(value, "http") == 0;
	curl_free(value);
	if (!https && !http)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"url\" must begin with https://"),
				 errhint("Give a URL such as https://cas.example.com:8443.")));
	if (http && !allow_plaintext)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"url\" must begin with https://"),
				 errhint("Use https, or set allow_plaintext 'true' where passwords and PINs may cross the network unprotected.")));
}

/*
 * The URL is not repeated in messages: somebody may have put a password into
 * it, which is one of the things refused here.
 */
static void
check_url(const char *text_url, bool allow_plaintext)
{
	Held	   *held = held_new(release_url);
	CURLU	   *url = held_keep(held, curl_url(), "URL parser");

	if (strpbrk(text_url, " \t\r\n") ||
		curl_url_set(url, CURLUPART_URL, text_url,
					 CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"url\" is not a URL"),
				 errhint("Give a URL such as https://cas.example.com:8443.")));
	check_port(url);
	refuse_url_part(url, CURLUPART_USER, "user name",
					"Set username and password in the user mapping.");
	refuse_url_part(url, CURLUPART_PASSWORD, "password",
					"Set username and password in the user mapping.");
	refuse_url_part(url, CURLUPART_QUERY, "query",
					"The profile appends the path of each service.");
	refuse_url_part(url, CURLUPART_FRAGMENT, "fragment",
					"The profile appends the path of each service.");
	check_scheme(url, allow_plaintext);
	held_release(held);
}

/* Raises when an option is set without another one that it needs. */
static void
check_needs(const CasSettings *settings, const char *name, const char *needs)
{
	if (cas_option(settings, name) && !cas_option(settings, needs))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("option \"%s\" needs option \"%s\"", name, needs),
				 errhint("Set both, or neither.")));
}

/* Values of the place that is not being changed are NULL: see adapter.h. */
static void
conax_check_options(const CasSettings *settings, CasOptionPlace place)
{
	const char *username;

	if (place == CAS_ON_SERVER)
	{
		check_url(cas_option(settings, "url"),
				  cas_option_bool(settings, "allow_plaintext"));
		return;
	}
	check_needs(settings, "username", "password");
	check_needs(settings, "password", "username");
	check_needs(settings, "client_cert", "client_key");
	check_needs(settings, "client_key", "client_cert");
	check_needs(settings, "client_key_password", "client_key");
	username = cas_option(settings, "username");
	if (username && strchr(username, ':'))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"username\" must not have a colon"),
				 errhint("HTTP Basic authentication ends the user name with one.")));
}

/* ------------------------------------------------------------------------
 * Requests
 * ------------------------------------------------------------------------
 */

/* What the creator of a request calls a value, for messages. */
static const char *
argument_name(const CasOperation *operation, const char *stored)
{
	const CasParameter *parameter = cas_stored_parameter(operation, stored);

	return parameter ? parameter->name : stored;
}

static bool
drops_check_digit(const ConaxProfile *profile, const char *name)
{
	ListCell   *lc;

	foreach(lc, profile->drop_check_digit)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

/* The first 11 digits of a card number that is printed with 12. */
static const char *
without_check_digit(const CasOperation *operation, const CasValue *value)
{
	if (strlen(value->value) != 12 ||
		strspn(value->value, "0123456789") != 12)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" has a card number that is not 12 digits: \"%s\"",
						argument_name(operation, value->name), value->value),
				 errhint("The profile drops the check digit, the last of 12; see \"transforms\" there.")));
	return pnstrdup(value->value, 11);
}

/* A value as it goes out. */
static const char *
field_value(const ConaxProfile *profile, const CasOperation *operation,
			const CasValue *value, CasRendering rendering)
{
	const char *utf8;

	if (value->secret && rendering == CAS_MASKED)
		return MASKED;
	if (drops_check_digit(profile, value->name))
		return without_check_digit(operation, value);
	utf8 = wire_text_to_utf8(value->value);
	if (!wire_text_fits_xml(utf8))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" has a character that XML cannot carry",
						argument_name(operation, value->name)),
				 errhint("Leave control characters out.")));
	return utf8;
}

static const ConaxOperation *
profile_operation(const CasSettings *settings, const CasOperation *operation)
{
	const ConaxProfile *profile = settings->profile;

	return &profile->operations[operation - conax_operations];
}

/* The same for a request, raising when the profile cannot carry it. */
static const ConaxOperation *
carried_operation(const CasSettings *settings, const CasOperation *operation)
{
	const ConaxOperation *carried = profile_operation(settings, operation);

	if (carried->body == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("provider \"%s\" does not carry requests of type %s",
						settings->server_name, operation->type),
				 errhint("Its wire profile has no such operation.")));
	return carried;
}

/* The fields of a message, allocated; their number goes into *n. */
static SoapField *
request_fields(const ConaxProfile *profile, const CasRequest *request,
			   CasRendering rendering, int *n)
{
	SoapField  *fields = palloc(sizeof(SoapField) *
								(list_length(request->values) + 1));
	ListCell   *lc;

	fields[0].name = "number";
	fields[0].value = psprintf(INT64_FORMAT, request->number);
	*n = 1;
	foreach(lc, request->values)
	{
		const CasValue *value = lfirst(lc);

		fields[*n].name = value->name;
		fields[*n].value = field_value(profile, request->operation, value,
									   rendering);
		(*n)++;
	}
	return fields;
}

/* No set has more members than the profile lets a message have. */
static void
check_sets(const ConaxProfile *profile, const CasRequest *request)
{
	for (const CasParameter *p = request->operation->parameters; p->name; p++)
	{
		const char *name = cas_stored_name(p);
		int			n = 0;
		ListCell   *lc;

		foreach(lc, request->values)
		{
			const CasValue *value = lfirst(lc);

			if (name && strcmp(value->name, name) == 0)
				n++;
		}
		if (n > profile->max_set)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("parameter \"%s\" has %d elements, more than %d",
							p->name, n, profile->max_set),
					 errhint("Make several requests of it.")));
	}
}

static void
conax_validate(const CasSettings *settings, const CasRequest *request)
{
	const ConaxProfile *profile = settings->profile;
	int			n;

	(void) carried_operation(settings, request->operation);
	pin_check(&profile->pin, request);
	check_sets(profile, request);
	(void) request_fields(profile, request, CAS_WIRE, &n);
}

static List *
conax_encode(const CasSettings *settings, const CasRequest *request,
			 CasRendering rendering)
{
	const ConaxOperation *operation = carried_operation(settings,
														request->operation);
	CasMessage *message = palloc0(sizeof(CasMessage));
	SoapField  *fields;
	int			n;

	fields = request_fields(settings->profile, request, rendering, &n);
	message->data = soap_write(operation->body, fields, n, &message->len);
	message->target = operation->target;
	message->headers = operation->headers;
	return list_make1(message);
}

static bool
conax_idempotent(const CasSettings *settings, const CasOperation *operation)
{
	return profile_operation(settings, operation)->idempotent;
}

/* The path of the first service that the profile has. */
static const char *
conax_test_target(const CasSettings *settings)
{
	const ConaxProfile *profile = settings->profile;

	for (int i = 0; conax_operations[i].name; i++)
		if (profile->operations[i].body != NULL)
			return profile->operations[i].target;
	return "/";
}
