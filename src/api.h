/*-------------------------------------------------------------------------
 *
 * api.h
 *		Creating requests from named arguments.
 *
 * The SQL functions, and whatever else offers the operations to the outside,
 * give their arguments in one form: a list of named texts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_API_H
#define PROVREQ_API_H

#include "adapter.h"
#include "queue_create.h"

/*
 * One argument.  Numbers are decimal, booleans "true" or "false", instants
 * as instant_parse reads them.  An argument that is left out of the list and
 * one that is NULL mean the same.
 */
typedef struct ApiArgument
{
	const char *name;
	bool		isnull;
	bool		set;			/* given as an array */
	int			dimensions;		/* of the array; 0 = empty */
	int			count;			/* 1, or the members of the set */
	const char **texts;			/* NULL members are NULLs */
	Jsonb	   *object;			/* of udf, which has no texts */
} ApiArgument;

/*
 * Makes the one request of a call, or all of them, as api_split says: a list
 * of composite Datums, as pointers.
 */
extern List *api_create_requests(const CasAdapter *adapter,
								 const CasOperation *operation,
								 List *arguments);

/*
 * Checks the arguments (a list of ApiArgument *) against the operation,
 * resolves identifiers, and puts the request into the queue.  Returns the row
 * as a provreq.request composite in the current memory context.  Raises an
 * error that names the parameter.
 */
extern Datum api_create_request(const CasAdapter *adapter,
								const CasOperation *operation,
								List *arguments);

/* Raises an error unless "priority" or "process_name" may have the value. */
extern void api_check_word(const char *name, const char *value);

/* ---- api_arguments.c ---- */

/* The argument of that name, or NULL where it is absent or NULL. */
extern const ApiArgument *api_argument(List *arguments, const char *name);

/* Raises an error on an argument that the operation does not have. */
extern void api_check_names(const CasOperation *operation, List *arguments);

/*
 * The value of an argument that is not a set, checked; NULL or the default
 * when it is absent.  Each raises an error that names the argument.
 */
extern const char *api_text(List *arguments, const char *name, int max);
extern bool api_boolean(List *arguments, const char *name);
extern bool api_instant(List *arguments, const char *name,
						TimestampTz *instant);

/*
 * The texts of a parameter, in a form that depends on its kind, checked
 * against its rules: a list of char *, NIL when it is absent.
 */
extern List *api_parameter_texts(const CasParameter *parameter,
								 List *arguments);

/* ---- api_rules.c ---- */

/* Raises an error unless the operation's rules on several parameters hold. */
extern void api_check_rules(const CasOperation *operation, List *arguments);

/*
 * The calls that one call stands for: a list of lists of arguments.  It is
 * one, except where a subscription means each of its smartcards.
 */
extern List *api_split(const CasAdapter *adapter,
					   const CasOperation *operation, List *arguments);

/* ---- api_udf.c ---- */

/* Reads the user-defined fields; raises an error that names the field. */
extern void api_read_udf(List *arguments, NewRequest *request);

/* ---- api_provider.c ---- */

/*
 * The settings of the provider that the request goes to, read once a
 * statement.
 */
extern const CasSettings *api_provider(const CasAdapter *adapter,
									   const char *named,
									   const char *named_by_smartcard);

/* ---- api_trial.c ---- */

/*
 * Encodes a request that was found valid, to see that it can be: once a
 * statement for all requests that have values of the same names.
 */
extern void api_try_encoding(const CasSettings *settings,
							 const CasRequest *request);

#endif							/* PROVREQ_API_H */
