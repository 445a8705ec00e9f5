/*-------------------------------------------------------------------------
 *
 * web_api_private.h
 *		One call of provreq.web_api, between its files.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_WEB_API_PRIVATE_H
#define PROVREQ_WEB_API_PRIVATE_H

#include "adapter.h"

/* The word in the place of a kind for requests of all kinds. */
#define WEB_NEUTRAL_KIND "provisioning"

/* One parameter of a call: of the query string or of the body. */
typedef struct WebMember
{
	const char *name;
	JsonbValue	value;			/* never jbvNull */
} WebMember;

typedef struct WebCall
{
	bool		post;
	const CasAdapter *adapter;	/* NULL: WEB_NEUTRAL_KIND */
	const char *operation;		/* "show", "add_subscriptions" */
	const char *token;			/* NULL: none was given */
	List	   *members;		/* of WebMember *, less the token */
} WebCall;

/* ---- web_api_call.c ---- */

/* Reads path and body; raises an error that names what is wrong. */
extern WebCall *web_call_read(const char *method, const char *path,
							  Jsonb *body);

/* Is there a token, a PIN or the like in the path or the body? */
extern bool web_call_is_secret(const char *path, Jsonb *body);

/* ---- web_api_members.c ---- */

/* The member of that name; NULL when it is absent. */
extern const JsonbValue *web_member(List *members, const char *name);

/* The members of a query string, less the question mark, and of a body. */
extern List *web_members_read(const char *query, Jsonb *body);

/* A member's value as text; each raises an error that names the member. */
extern char *web_string(const char *name, const JsonbValue *value);
extern bool web_boolean(const char *name, const JsonbValue *value);
extern int64 web_integer(const char *name, const JsonbValue *value);

/* {"number": "S60507"} as "number=S60507". */
extern char *web_identifier(const char *name, const JsonbValue *value);

/*
 * The members of a set, a list of char *: [{"stb_ca_id": "x"}] as
 * "stb_ca_id=x" for the field "stb_ca_id"; with identifier true, of
 * [{"service_identifier": {"code": "Gold"}}], as "code=Gold".
 */
extern List *web_set(const char *name, const JsonbValue *value,
					 const char *field, bool identifier);

/* ---- web_api_create.c, web_api_read.c ---- */

/*
 * Makes the request, or reads what is asked for: the data of the answer, in
 * the current memory context.  The caller's rights are all that it has.
 */
extern Jsonb *web_create(const WebCall *call);
extern Jsonb *web_show(const WebCall *call);
extern Jsonb *web_list(const WebCall *call);

#endif							/* PROVREQ_WEB_API_PRIVATE_H */
