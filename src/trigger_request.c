/*-------------------------------------------------------------------------
 *
 * trigger_request.c
 *		Requests for changes: which operation, and what goes together.
 *
 * Systems whose requests carry a list of services get one request for all
 * services of a card; one that can only be told to authorise a card anew gets
 * one for whatever has changed of the card.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "api.h"
#include "provider.h"
#include "statement_cache.h"
#include "trigger_key.h"
#include "trigger_request.h"

/* Services that one request can carry; what is more goes into another. */
#define MAX_SERVICES 500

/* What each kind of CAS is asked when a card gains or loses a service. */
typedef struct ChangeOperations
{
	const char *prefix;
	const char *add;
	const char *cancel;
} ChangeOperations;

static const ChangeOperations operations[] = {
	{"conax", "add_subscriptions", "cancel_subscriptions"},
	{"nagravision", "add_enhanced_list_of_products",
	"cancel_list_of_products"},
	{"nds", "reauthorise_all_services", "reauthorise_all_services"},
	{NULL}
};

/* One request that is being put together. */
typedef struct ChangeGroup
{
	const CasAdapter *adapter;
	const CasOperation *operation;
	const CasParameter *service;	/* what takes services; NULL: nothing */
	const TriggerRow *row;		/* the first of them */
	bool		express;
	List	   *services;		/* of char * */
} ChangeGroup;

typedef struct GroupEntry
{
	ChangeKey	key;			/* must be first */
	ChangeGroup *group;
} GroupEntry;

struct ChangeRequests
{
	const TriggerRules *rules;
	MemoryContext context;		/* owns everything */
	MemoryContext request;		/* for one request */
	HTAB	   *groups;
	List	   *order;			/* of ChangeGroup * */
	const char *provider;		/* looked up last */
	const CasAdapter *adapter;	/* its */
};

/* ------------------------------------------------------------------------
 * Operations
 * ------------------------------------------------------------------------
 */

static const CasAdapter *
adapter_of_provider(ChangeRequests *requests, const char *provider)
{
	if (requests->provider == NULL ||
		strcmp(requests->provider, provider) != 0)
	{
		requests->adapter = provider_by_name(provider)->adapter;
		requests->provider = provider;
	}
	return requests->adapter;
}

/*
 * The operation with which a system adds, or cancels, a service.  Raises an
 * error for a system that has none.
 */
static const CasOperation *
find_operation(const CasAdapter *adapter, int side)
{
	const CasOperation *operation = NULL;
	int			i;

	for (i = 0; operations[i].prefix != NULL; i++)
	{
		if (strcmp(operations[i].prefix, adapter->prefix) == 0)
			operation = adapter_operation(adapter, side == CHANGE_AFTER ?
										  operations[i].add :
										  operations[i].cancel);
	}
	if (operation == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("triggers cannot make requests for providers of kind "
						"%s", adapter->kind)));
	return operation;
}

/* The parameter that takes a service or a set of them, or NULL. */
static const CasParameter *
service_parameter(const CasOperation *operation)
{
	const CasParameter *parameter;

	for (parameter = operation->parameters; parameter->name; parameter++)
	{
		if (parameter->kind == CAS_SERVICE ||
			parameter->kind == CAS_SERVICE_SET)
			return parameter;
	}
	return NULL;
}

/*
 * Raises an error if the trigger has no column for what the operation must
 * have: the same for every row, so the arguments are named rather than a
 * value.
 */
static void
check_operation(const char *provider, const CasAdapter *adapter, int side,
				const char *subscription, const char *service)
{
	const CasOperation *operation = find_operation(adapter, side);
	const CasParameter *parameter;

	for (parameter = operation->parameters; parameter->name; parameter++)
	{
		const char *missing = NULL;

		if (!parameter->mandatory)
			continue;
		if (parameter->kind == CAS_SUBSCRIPTION && subscription == NULL)
			missing = "subscription";
		if ((parameter->kind == CAS_SERVICE ||
			 parameter->kind == CAS_SERVICE_SET) && service == NULL)
			missing = "service";
		if (missing != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("trigger argument \"%s\" is missing, which "
							"provider \"%s\" of kind %s needs", missing,
							provider, adapter->kind),
					 errhint("Name the column: '%s=column'.", missing)));
	}
}

void
change_check_provider(const char *provider, const char *subscription,
					  const char *service)
{
	const CasAdapter *adapter = provider_by_name(provider)->adapter;

	check_operation(provider, adapter, CHANGE_AFTER, subscription, service);
	check_operation(provider, adapter, CHANGE_BEFORE, subscription, service);
}

/* ------------------------------------------------------------------------
 * Requests
 * ------------------------------------------------------------------------
 */

static List *
add_argument(List *arguments, const char *name, const char *value)
{
	ApiArgument *argument;

	if (value == NULL)
		return arguments;
	argument = palloc0(sizeof(ApiArgument));
	argument->name = name;
	argument->count = 1;
	argument->texts = palloc(sizeof(char *));
	argument->texts[0] = value;
	return lappend(arguments, argument);
}

/* The services of a group as the operation takes them: one, or a set. */
static List *
add_services(List *arguments, const ChangeGroup *group)
{
	ApiArgument *argument;
	ListCell   *cell;

	if (group->service == NULL || group->services == NIL)
		return arguments;
	if (group->service->kind == CAS_SERVICE)
		return add_argument(arguments, group->service->name,
							linitial(group->services));
	argument = palloc0(sizeof(ApiArgument));
	argument->name = group->service->name;
	argument->set = true;
	argument->dimensions = 1;
	argument->texts = palloc(sizeof(char *) * list_length(group->services));
	foreach(cell, group->services)
		argument->texts[argument->count++] = lfirst(cell);
	return lappend(arguments, argument);
}

/*
 * Creates one request for a group of changes of a smartcard, as a call of the
 * operation's function would.
 */
static void
create_request(ChangeRequests *requests, const ChangeGroup *group)
{
	MemoryContext old = MemoryContextSwitchTo(requests->request);
	const TriggerRow *row = group->row;
	List	   *arguments = NIL;

	arguments = add_argument(arguments, "subscription_identifier",
							 row->subscription);
	arguments = add_services(arguments, group);
	arguments = add_argument(arguments, "smartcard_identifier",
							 row->smartcard);
	arguments = add_argument(arguments, "provider", row->provider);
	arguments = add_argument(arguments, "process_name",
							 requests->rules->process_name);
	arguments = add_argument(arguments, "priority",
							 group->express ? "EXPRESS" : "REGULAR");
	statement_cache_begin();
	(void) api_create_request(group->adapter, group->operation, arguments);
	MemoryContextSwitchTo(old);
	MemoryContextReset(requests->request);
}

static ChangeGroup *
make_group(ChangeRequests *requests, const TriggerRow *row,
		   const CasOperation *operation)
{
	ChangeGroup *group = palloc0(sizeof(ChangeGroup));

	group->adapter = requests->adapter;
	group->operation = operation;
	group->service = service_parameter(operation);
	group->row = row;
	requests->order = lappend(requests->order, group);
	return group;
}

/* The last group of the same card and operation, or a new one. */
static ChangeGroup *
find_group(ChangeRequests *requests, const TriggerRow *row,
		   const CasOperation *operation)
{
	bool		services = service_parameter(operation) != NULL;
	ChangeKey	key = change_key_make(operation->name, row->provider,
									  row->smartcard,
									  services ? row->subscription : NULL);
	GroupEntry *entry;
	bool		found;

	entry = hash_search(requests->groups, &key, HASH_ENTER, &found);
	if (!found || list_length(entry->group->services) >= MAX_SERVICES)
		entry->group = make_group(requests, row, operation);
	return entry->group;
}

/* A request of its own. */
static void
create_single(ChangeRequests *requests, const TriggerRow *row,
			  const CasOperation *operation, const CasParameter *service)
{
	ChangeGroup single = {0};

	single.adapter = requests->adapter;
	single.operation = operation;
	single.service = service;
	single.row = row;
	single.express = row->express;
	if (row->service != NULL)
		single.services = list_make1(unconstify(char *, row->service));
	create_request(requests, &single);
	list_free(single.services);
}

void
change_request(ChangeRequests *requests, const TriggerRow *row, int side)
{
	const CasAdapter *adapter = adapter_of_provider(requests, row->provider);
	const CasOperation *operation = find_operation(adapter, side);
	const CasParameter *service = service_parameter(operation);
	MemoryContext old = MemoryContextSwitchTo(requests->context);
	ChangeGroup *group;

	if (service != NULL && service->kind == CAS_SERVICE)
		create_single(requests, row, operation, service);
	else
	{
		group = find_group(requests, row, operation);
		group->express |= row->express;
		if (service != NULL && row->service != NULL)
			group->services = lappend(group->services,
									  unconstify(char *, row->service));
	}
	MemoryContextSwitchTo(old);
}

void
change_requests_finish(ChangeRequests *requests)
{
	ListCell   *cell;

	foreach(cell, requests->order)
	{
		CHECK_FOR_INTERRUPTS();
		create_request(requests, lfirst(cell));
	}
}

ChangeRequests *
change_requests_make(const TriggerRules *rules, MemoryContext context)
{
	ChangeRequests *requests;

	requests = MemoryContextAllocZero(context, sizeof(ChangeRequests));
	requests->rules = rules;
	requests->context = context;
	requests->request = AllocSetContextCreate(context, "provreq request",
											  ALLOCSET_DEFAULT_SIZES);
	requests->groups = change_table_make("provreq groups",
										 sizeof(GroupEntry), context);
	return requests;
}
