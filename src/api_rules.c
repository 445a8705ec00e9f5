/*-------------------------------------------------------------------------
 *
 * api_rules.c
 *		Rules that span several parameters of an operation.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api.h"
#include "complaint.h"
#include "directory.h"

/* Is the parameter given?  A boolean is if it is true. */
static bool
is_given(const CasOperation *operation, List *arguments, const char *name)
{
	const ApiArgument *argument = api_argument(arguments, name);

	if (argument == NULL)
		return false;
	for (const CasParameter *p = operation->parameters; p->name; p++)
		if (p->kind == CAS_BOOLEAN && strcmp(p->name, name) == 0)
			return api_boolean(arguments, name);
	return true;
}

/* "pin, new_pin" */
static char *
rule_names(const CasRule *rule)
{
	List	   *names = NIL;

	for (int i = 0; i < lengthof(rule->names) && rule->names[i]; i++)
		names = lappend(names, unconstify(char *, rule->names[i]));
	return complaint_list(names);
}

/* Raises unless as many of the rule's parameters are given as it wants. */
static void
check_rule(const CasOperation *operation, const CasRule *rule,
		   List *arguments)
{
	int			given = 0;

	for (int i = 0; i < lengthof(rule->names) && rule->names[i]; i++)
		if (is_given(operation, arguments, rule->names[i]))
			given++;
	if (given == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 rule->kind == CAS_EXACTLY_ONE ?
				 errmsg("operation \"%s\" needs one of the parameters %s",
						operation->name, rule_names(rule)) :
				 errmsg("operation \"%s\" needs at least one of the parameters %s",
						operation->name, rule_names(rule))));
	if (given > 1 && rule->kind == CAS_EXACTLY_ONE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("operation \"%s\" takes only one of the parameters %s",
						operation->name, rule_names(rule))));
}

void
api_check_rules(const CasOperation *operation, List *arguments)
{
	if (operation->rules == NULL)
		return;
	for (const CasRule *rule = operation->rules; rule->names[0]; rule++)
		check_rule(operation, rule, arguments);
}

/* ------------------------------------------------------------------------
 * One request for each smartcard
 * ------------------------------------------------------------------------
 */

/* The first parameter that can name a smartcard, or a subscription. */
static const CasParameter *
parameter_of_kind(const CasOperation *operation, CasParameterKind kind)
{
	for (const CasParameter *p = operation->parameters; p->name; p++)
		if (p->kind == kind)
			return p;
	elog(ERROR, "operation \"%s\" has no parameter of kind %d",
		 operation->name, (int) kind);
}

/* The arguments with a smartcard's identifier among them. */
static List *
with_smartcard(List *arguments, const CasParameter *parameter, const char *id)
{
	ApiArgument *argument = palloc0(sizeof(ApiArgument));

	argument->name = parameter->name;
	argument->count = 1;
	argument->texts = palloc(sizeof(char *));
	argument->texts[0] = psprintf("id=%s", id);
	return lappend(list_copy(arguments), argument);
}

List *
api_split(const CasAdapter *adapter, const CasOperation *operation,
		  List *arguments)
{
	const CasParameter *smartcard;
	const CasParameter *subscription;
	const char *identifier;
	List	   *calls = NIL;
	List	   *ids;
	ListCell   *lc;

	if (!operation->each_smartcard)
		return list_make1(arguments);
	smartcard = parameter_of_kind(operation, CAS_SMARTCARD_OR_CA_ID);
	if (api_argument(arguments, smartcard->name) != NULL)
		return list_make1(arguments);
	api_check_names(operation, arguments);
	api_check_rules(operation, arguments);
	subscription = parameter_of_kind(operation, CAS_SUBSCRIPTION);
	identifier = linitial(api_parameter_texts(subscription, arguments));
	ids = directory_smartcards(directory_subscription(subscription->name,
													  identifier), adapter);
	if (ids == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("parameter \"%s\" names a subscription without an effective smartcard",
						subscription->name),
				 errhint("Name a smartcard in parameter \"%s\".",
						 smartcard->name)));
	foreach(lc, ids)
		calls = lappend(calls, with_smartcard(arguments, smartcard,
											  lfirst(lc)));
	return calls;
}
