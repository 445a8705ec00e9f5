/*-------------------------------------------------------------------------
 *
 * adapter_conax_profile.c
 *		Compiles a wire profile of Conax Web Services.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "adapter_conax.h"
#include "profile.h"
#include "verdict.h"
#include "wire_text.h"

/* How SOAPAction is sent. */
typedef enum SoapAction
{
	SOAP_ACTION_OFF,
	SOAP_ACTION_EMPTY,
	SOAP_ACTION_TEMPLATE
} SoapAction;

static const char *const soap_actions[] = {
	"off", "empty", "template", NULL
};

static const char *const transforms[] = {"none", "drop_check_digit", NULL};

/* ------------------------------------------------------------------------
 * HTTP
 * ------------------------------------------------------------------------
 */

/* Keys are "*", three digits, or one digit and "xx". */
static List *
compile_http_status(const ProfileNode *root)
{
	const ProfileNode *table = profile_require(root, "http_status");
	ListCell   *lc;

	foreach(lc, profile_members(table))
	{
		const ProfileNode *member = lfirst(lc);
		const char *key = member->name;
		Size		digits = strspn(key, "0123456789");

		if (strcmp(key, "*") != 0 &&
			!(strlen(key) == 3 &&
			  (digits == 3 || (digits == 1 && strcmp(key + 1, "xx") == 0))))
			profile_error(member,
						  "Use a status such as \"503\", a class such as \"5xx\", or \"*\".",
						  "not an HTTP status");
	}
	return verdict_compile_codes(table, CAS_UNKNOWN);
}

/* ------------------------------------------------------------------------
 * Operations
 * ------------------------------------------------------------------------
 */

/* The names of parameters that a body may use, and what else it may. */
static const char **
placeholder_names(const CasOperation *operation)
{
	static const char *const also[] = {
		"number", "sub_provisioning_distribution_id",
		"smartcard_sub_provisioning_distribution_id",
		"stb_sub_provisioning_distributor_id",
		"existing_smartcard_sub_provisioning_distributor_id", NULL
	};
	const CasParameter *parameter = operation->parameters;
	const char **names;
	int			n = 0;

	while (parameter->name)
		parameter++;
	names = palloc0(sizeof(char *) * (parameter - operation->parameters +
									  lengthof(also)));
	for (parameter = operation->parameters; parameter->name; parameter++)
		if (cas_stored_name(parameter))
			names[n++] = cas_stored_name(parameter);
	for (int i = 0; also[i]; i++)
		names[n++] = also[i];
	return names;
}

/* A body takes what its operation has and nothing else. */
static void
check_placeholders(const ProfileNode *node, const SoapTemplate *template,
				   const CasOperation *operation)
{
	const char **names = placeholder_names(operation);
	ListCell   *lc;

	foreach(lc, soap_template_names(template))
	{
		const char *name = lfirst(lc);
		int			i = 0;

		while (names[i] && strcmp(names[i], name) != 0)
			i++;
		if (names[i] == NULL)
			profile_error(node, psprintf("%s has: %s.", operation->type,
										 profile_words(names)),
						  "unknown placeholder \"%s\"",
						  wire_text_from_utf8(name, strlen(name)));
	}
}

/* The lines of a body are one XML document. */
static SoapTemplate *
compile_body(const ProfileNode *node, const CasOperation *operation)
{
	StringInfoData lines;
	SoapTemplate *template;
	const char *why;
	ListCell   *lc;

	initStringInfo(&lines);
	foreach(lc, profile_elements(node))
	{
		appendStringInfoString(&lines, profile_string(lfirst(lc)));
		appendStringInfoChar(&lines, '\n');
	}
	template = soap_template(wire_text_to_utf8(lines.data), &why);
	if (template == NULL)
		profile_error(node,
					  "The lines together are one XML element, as it goes into the SOAP Body.",
					  "%s", why);
	check_placeholders(node, template, operation);
	return template;
}

/*
 * {"name": "Element"}: a text; {"name": {"each": "Element"}}: an array of
 * texts; with "members" as well: an array of objects.
 */
static List *
compile_data(const ProfileNode *object)
{
	static const char *const names[] = {"each", "members", NULL};
	List	   *data = NIL;
	ListCell   *lc;

	foreach(lc, profile_members(object))
	{
		const ProfileNode *node = lfirst(lc);
		ConaxDatum *datum = palloc0(sizeof(ConaxDatum));
		const ProfileNode *members;

		datum->name = node->name;
		data = lappend(data, datum);
		if (profile_is_string(node))
		{
			datum->element = wire_text_to_utf8(profile_string(node));
			continue;
		}
		profile_check_members(node, names);
		datum->each = true;
		datum->element =
			wire_text_to_utf8(profile_string(profile_require(node, "each")));
		members = profile_member(node, "members");
		if (members)
			datum->members = compile_data(members);
	}
	return data;
}

/* A path that can go into a URL and into the first line of a request. */
static const char *
compile_path(const ProfileNode *node)
{
	const char *path = profile_string(node);

	if (strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			   "0123456789-._~/%:@!$&'()*+,;=") != strlen(path))
		profile_error(node, NULL, "not the path of a URL");
	return path;
}

/* Replaces ${operation} and ${path}; other text stays as it is. */
static const char *
fill_soap_action(const ProfileNode *node, const char *operation,
				 const char *path)
{
	const char *format = profile_string(node);
	StringInfoData filled;

	initStringInfo(&filled);
	while (*format)
	{
		if (strncmp(format, "${operation}", 12) == 0)
		{
			appendStringInfoString(&filled, operation);
			format += 12;
		}
		else if (strncmp(format, "${path}", 7) == 0)
		{
			appendStringInfoString(&filled, path);
			format += 7;
		}
		else if (*format <= ' ' || *format >= 0x7F || *format == '"' ||
				 strncmp(format, "${", 2) == 0)
			profile_error(node,
						  "Use printable ASCII, ${operation} and ${path}.",
						  "not a SOAPAction");
		else
			appendStringInfoChar(&filled, *format++);
	}
	return filled.data;
}

/* The header lines of a message: type and SOAPAction. */
static const char *
compile_headers(const ProfileNode *root, const char *operation,
				const char *path)
{
	const char *type = "Content-Type: text/xml; charset=utf-8\n";

	switch ((SoapAction) profile_choice_of(root, "soap_action", soap_actions,
										   SOAP_ACTION_EMPTY))
	{
		case SOAP_ACTION_OFF:
			return type;
		case SOAP_ACTION_TEMPLATE:
			return psprintf("%sSOAPAction: \"%s\"\n", type,
							fill_soap_action(profile_require(root,
															 "soap_action_template"),
											 operation, path));
		case SOAP_ACTION_EMPTY:
			break;
	}
	return psprintf("%sSOAPAction: \"\"\n", type);
}

/* Fills *compiled with the member "node" of "operations". */
static void
compile_operation(const ProfileNode *root, const ProfileNode *node,
				  const CasOperation *operation, ConaxOperation *compiled)
{
	static const char *const names[] = {
		"path", "idempotent", "body", "answer", "data", NULL
	};
	const char *prefix = "";
	const ProfileNode *member;
	const char *name;

	profile_check_members(node, names);
	if ((member = profile_member(root, "path_prefix")) != NULL)
		prefix = compile_path(member);
	compiled->target = psprintf("%s%s", prefix,
								compile_path(profile_require(node, "path")));
	if (compiled->target[0] != '/')
		profile_error(node,
					  "Path_prefix and path together are the path of the URL.",
					  "path \"%s\" does not begin with a slash",
					  compiled->target);
	compiled->idempotent = profile_boolean(profile_require(node,
														   "idempotent"));
	compiled->body = compile_body(profile_require(node, "body"), operation);
	name = soap_template_operation(compiled->body);
	compiled->headers = compile_headers(root, name, compiled->target);
	if ((member = profile_member(node, "answer")) != NULL)
		compiled->answer = wire_text_to_utf8(profile_string(member));
	else
		compiled->answer = psprintf("%sResponse", name);
	compiled->secret = pin_goes_with(operation);
	if ((member = profile_member(node, "data")) != NULL)
		compiled->data = compile_data(member);
}

/* The types of all operations, for hints and checks. */
static const char **
operation_types(void)
{
	const char **types;
	int			n = 0;

	while (conax_operations[n].name)
		n++;
	types = palloc0(sizeof(char *) * (n + 1));
	while (n-- > 0)
		types[n] = conax_operations[n].type;
	return types;
}

/* As many as conax_operations has; what the profile lacks stays empty. */
static ConaxOperation *
compile_operations(const ProfileNode *root)
{
	const ProfileNode *node = profile_require(root, "operations");
	const char **types = operation_types();
	ConaxOperation *operations;
	int			n = 0;

	profile_check_members(node, types);
	while (types[n])
		n++;
	operations = palloc0(sizeof(ConaxOperation) * n);
	for (int i = 0; i < n; i++)
	{
		const ProfileNode *member = profile_member(node, types[i]);

		if (member)
			compile_operation(root, member, &conax_operations[i],
							  &operations[i]);
	}
	return operations;
}

/* ------------------------------------------------------------------------
 * The rest
 * ------------------------------------------------------------------------
 */

/* {"smartcard_ca_id": "drop_check_digit"} */
static List *
compile_transforms(const ProfileNode *root)
{
	static const char *const names[] = {
		"smartcard_ca_id", "existing_smartcard_ca_id", NULL
	};
	const ProfileNode *node = profile_member(root, "transforms");
	List	   *dropped = NIL;

	if (node == NULL)
		return NIL;
	profile_check_members(node, names);
	for (int i = 0; names[i]; i++)
		if (profile_choice_of(node, names[i], transforms, 0) > 0)
			dropped = lappend(dropped, pstrdup(names[i]));
	return dropped;
}

static void
compile_answer(const ProfileNode *root, ConaxProfile *profile)
{
	static const char *const names[] = {
		"status_code", "message", "reference_number", NULL
	};
	const ProfileNode *node = profile_require(root, "answer");

	profile_check_members(node, names);
	profile->status_code =
		wire_text_to_utf8(profile_string(profile_require(node,
														 "status_code")));
	profile->message =
		wire_text_to_utf8(profile_string_of(node, "message", ""));
	profile->reference_number =
		wire_text_to_utf8(profile_string_of(node, "reference_number", ""));
}

void *
conax_compile_profile(Jsonb *document)
{
	static const char *const names[] = {
		"kind", "path_prefix", "soap_action", "soap_action_template",
		"transforms", "pin_digits", "max_set", "answer", "status", "faults",
		"http_status", "operations", NULL
	};
	const char *const kinds[] = {conax_adapter.kind, NULL};
	ConaxProfile *profile = palloc0(sizeof(ConaxProfile));
	const ProfileNode *root = profile_root(document);

	profile_check_members(root, names);
	(void) profile_choice(profile_require(root, "kind"), kinds);
	profile->status =
		verdict_compile_codes(profile_require(root, "status"), CAS_REFUSED);
	profile->faults =
		verdict_compile_codes(profile_require(root, "faults"), CAS_UNKNOWN);
	profile->http_status = compile_http_status(root);
	compile_answer(root, profile);
	profile->drop_check_digit = compile_transforms(root);
	profile->pin = pin_compile(root);
	profile->max_set = profile_integer_of(root, "max_set", 1, 100000, 500);
	profile->operations = compile_operations(root);
	return profile;
}
