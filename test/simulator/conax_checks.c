/*-------------------------------------------------------------------------
 *
 * conax_checks.c
 *		What a message has to fulfil beside the schema.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>
#include <strings.h>

#include "conax_checks.h"

static CheckSettings settings;
static Text credentials;		/* the Authorization header wanted */

static void
add_base64(Text *text, const unsigned char *bytes, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t		i;

	for (i = 0; i < len; i += 3)
	{
		unsigned	group = (unsigned) bytes[i] << 16;
		char		four[4];

		if (i + 1 < len)
			group |= (unsigned) bytes[i + 1] << 8;
		if (i + 2 < len)
			group |= bytes[i + 2];
		four[0] = digits[group >> 18];
		four[1] = digits[group >> 12 & 63];
		four[2] = i + 1 < len ? digits[group >> 6 & 63] : '=';
		four[3] = i + 2 < len ? digits[group & 63] : '=';
		text_add_bytes(text, four, 4);
	}
}

void
check_settings(const CheckSettings *given)
{
	Text		pair = {0};

	settings = *given;
	if (settings.user == NULL)
		return;
	text_addf(&pair, "%s:%s", settings.user,
			  settings.password ? settings.password : "");
	add_base64(&credentials, (const unsigned char *) pair.data, pair.len);
	text_free(&pair);
}

static const char *
get_header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static bool
is_authorized(struct MHD_Connection *connection)
{
	const char *header = get_header(connection, "Authorization");

	if (settings.user == NULL)
		return true;
	return header != NULL && strncasecmp(header, "Basic ", 6) == 0 &&
		strcmp(header + 6, credentials.data) == 0;
}

/* text/xml, and UTF-8 if a character set is given. */
static bool
is_xml(const char *type)
{
	if (type == NULL || strncasecmp(type, "text/xml", 8) != 0)
		return false;
	type += 8;
	type += strspn(type, " ");
	if (*type == '\0')
		return true;
	if (*type != ';')
		return false;
	type++;
	type += strspn(type, " ");
	return strcasecmp(type, "charset=utf-8") == 0 ||
		strcasecmp(type, "charset=\"utf-8\"") == 0;
}

bool
check_headers(struct MHD_Connection *connection, const char *url,
			  const char *method, Reply *reply)
{
	unsigned	status = 0;

	if (!is_authorized(connection))
		status = MHD_HTTP_UNAUTHORIZED;
	else if (strncmp(url, URL_PREFIX, strlen(URL_PREFIX)) != 0 ||
			 !operation_path_known(url + strlen(URL_PREFIX)))
		status = MHD_HTTP_NOT_FOUND;
	else if (strcmp(method, "POST") != 0)
		status = MHD_HTTP_METHOD_NOT_ALLOWED;
	else if (!is_xml(get_header(connection, "Content-Type")))
		status = MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
	if (status != 0)
		reply_with_status(status, reply);
	return status == 0;
}

/* Is it the template, with or without quotes around it? */
static bool
is_action(const char *header, const char *template, const char *operation)
{
	const char *hole = strstr(template, "{operation}");
	Text		wanted = {0};
	size_t		len = strlen(header);
	bool		same;

	if (len >= 2 && header[0] == '"' && header[len - 1] == '"')
	{
		header++;
		len -= 2;
	}
	if (hole == NULL)
		text_add(&wanted, template);
	else
		text_addf(&wanted, "%.*s%s%s", (int) (hole - template), template,
				  operation, hole + strlen("{operation}"));
	same = len == wanted.len && memcmp(header, wanted.data, len) == 0;
	text_free(&wanted);
	return same;
}

static bool
is_action_allowed(const char *header, const char *operation)
{
	const char *rule = settings.soap_action;

	if (strcmp(rule, "ignored") == 0)
		return true;
	if (strcmp(rule, "absent") == 0)
		return header == NULL;
	if (header == NULL)
		return false;
	if (strcmp(rule, "present") == 0)
		return true;
	return is_action(header, strcmp(rule, "empty") == 0 ? "" : rule,
					 operation);
}

bool
check_message(struct MHD_Connection *connection, const char *url,
			  const Text *body, Message *message, Reply *reply)
{
	Text		error = {0};

	if (decode(body->data ? body->data : "", body->len, message,
			   &error) != DECODE_OK)
		reply_with_fault("Client", error.len ? error.data : "invalid", reply);
	else if (!is_action_allowed(get_header(connection, "SOAPAction"),
								message->operation->name))
		reply_with_fault("Client", "SOAPAction is not as it has to be", reply);
	else if (strcmp(url + strlen(URL_PREFIX), message->operation->path) != 0)
		reply_with_fault("Client", "the operation belongs to another path",
						 reply);
	text_free(&error);
	return reply->status == 0;
}
