/*-------------------------------------------------------------------------
 *
 * web_api_call.c
 *		Method, path and body of a call: what is asked for.
 *
 * The documents write paths in several ways, and all of them are understood:
 * with a slash in front or not, with provisioning_requests, with
 * provisioning_request, or with neither between the kind and the operation.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "complaint.h"
#include "web_api_private.h"

/* The parts of a path. */
typedef struct WebPath
{
	char	   *kind;
	char	   *operation;
	char	   *query;			/* NULL: there is none */
} WebPath;

/* Without what is behind a question mark, which may be a token. */
static void
path_missing(const char *path)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_FUNCTION),
			 errmsg("parameter \"path\": there is no \"%s\"",
					complaint_text(pnstrdup(path, strcspn(path, "?")))),
			 errhint("Paths have the form "
					 "conax_web_services/provisioning_requests/show.")));
}

/* Cuts off what is behind the first "separator", which goes; NULL if none. */
static char *
cut(char *string, char separator)
{
	char	   *found = strchr(string, separator);

	if (found == NULL)
		return NULL;
	*found = '\0';
	return found + 1;
}

static WebPath
read_path(const char *path)
{
	WebPath		parts;
	char	   *behind;
	size_t		len;

	parts.kind = pstrdup(path + (*path == '/' ? 1 : 0));
	parts.query = cut(parts.kind, '?');
	len = strlen(parts.kind);
	if (len > 0 && parts.kind[len - 1] == '/')
		parts.kind[len - 1] = '\0';
	parts.operation = cut(parts.kind, '/');
	if (parts.operation == NULL)
		path_missing(path);
	behind = strchr(parts.operation, '/');
	if (behind == NULL)
		return parts;
	*behind = '\0';
	if (strcmp(parts.operation, "provisioning_requests") != 0 &&
		strcmp(parts.operation, "provisioning_request") != 0)
		path_missing(path);
	parts.operation = behind + 1;
	return parts;
}

/* True for POST; raises an error unless it is that or GET. */
static bool
is_post(const char *method)
{
	if (pg_strcasecmp(method, "POST") == 0)
		return true;
	if (pg_strcasecmp(method, "GET") == 0)
		return false;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("parameter \"method\" cannot be \"%s\"",
					complaint_text(method)),
			 errhint("Valid values are GET, POST.")));
}

/* The names of an adapter's operations, for a hint. */
static char *
operation_names(const CasAdapter *adapter)
{
	const CasOperation *operation;
	List	   *names = NIL;

	for (operation = adapter->operations; operation->name; operation++)
		names = lappend(names, unconstify(char *, operation->name));
	return complaint_list(names);
}

/* Is the operation there for the method? */
static bool
has_operation(const WebCall *call)
{
	if (call->post)
		return call->adapter != NULL &&
			adapter_operation(call->adapter, call->operation) != NULL;
	if (strcmp(call->operation, "list") == 0)
		return call->adapter != NULL;
	return strcmp(call->operation, "show") == 0;
}

static void
check_operation(const WebCall *call, const char *kind)
{
	if (has_operation(call))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_FUNCTION),
			 errmsg("parameter \"path\": %s has no %s \"%s\"", kind,
					call->post ? "POST" : "GET",
					complaint_text(call->operation)),
			 call->adapter == NULL ?
			 errhint("Valid is GET show.") :
			 errhint("Valid are GET show and list, and POST %s.",
					 operation_names(call->adapter))));
}

static void
check_given(const char *name, const char *value)
{
	if (value == NULL || *value == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("parameter \"%s\" is mandatory", name)));
}

/* Takes the token out of the members. */
static void
take_token(WebCall *call)
{
	ListCell   *cell;

	foreach(cell, call->members)
	{
		const WebMember *member = lfirst(cell);

		if (strcmp(member->name, "token") != 0)
			continue;
		call->token = web_string("token", &member->value);
		call->members = foreach_delete_current(call->members, cell);
	}
}

WebCall *
web_call_read(const char *method, const char *path, Jsonb *body)
{
	WebCall    *call = palloc0(sizeof(WebCall));
	WebPath		parts;

	check_given("method", method);
	check_given("path", path);
	call->post = is_post(method);
	parts = read_path(path);
	call->adapter = adapter_by_kind(parts.kind);
	if (call->adapter == NULL && strcmp(parts.kind, WEB_NEUTRAL_KIND) != 0)
		path_missing(path);
	call->operation = parts.operation;
	check_operation(call, parts.kind);
	if (call->post && parts.query != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"path\" has a query string although "
						"the method is POST"),
				 errhint("Give the parameters in the body.")));
	call->members = web_members_read(parts.query, body);
	take_token(call);
	return call;
}

/* ------------------------------------------------------------------------
 * Secrets
 * ------------------------------------------------------------------------
 */

/* Is a member of that name in the body, or in the query string? */
static bool
names_member(const char *query, Jsonb *body, const char *name)
{
	JsonbValue	key;

	if (query != NULL && strstr(query, name) != NULL)
		return true;
	if (body == NULL || !JB_ROOT_IS_OBJECT(body))
		return false;
	key.type = jbvString;
	key.val.string.val = unconstify(char *, name);
	key.val.string.len = (int) strlen(name);
	return findJsonbValueFromContainer(&body->root, JB_FOBJECT,
									   &key) != NULL;
}

bool
web_call_is_secret(const char *path, Jsonb *body)
{
	const char *query = path != NULL ? strchr(path, '?') : NULL;
	const CasAdapter *adapter = NULL;

	/* behind a percent sign, a name can be any */
	if (query != NULL && strchr(query, '%') != NULL)
		return true;
	if (names_member(query, body, "token"))
		return true;
	while ((adapter = adapter_next(adapter)) != NULL)
	{
		const CasOperation *operation;
		const CasParameter *parameter;

		for (operation = adapter->operations; operation->name; operation++)
		{
			for (parameter = operation->parameters; parameter->name;
				 parameter++)
			{
				if (parameter->kind == CAS_PIN &&
					names_member(query, body, parameter->name))
					return true;
			}
		}
	}
	return false;
}
