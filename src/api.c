/*-------------------------------------------------------------------------
 *
 * api.c
 *		Creating requests from named arguments.
 *
 * What identifiers stand for depends on the provider, and the provider may
 * depend on the smartcard: items are looked up first, then the provider is
 * chosen, then everything becomes values in the order of the operation's
 * parameters.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "api.h"
#include "api_making.h"
#include "caller.h"
#include "complaint.h"

/* The longest process_id and name, in characters. */
#define MAX_NAME 255

static const char *const process_names[] = {
	"PROVISIONING_REQUEST_PROCESSING", "PROVISIONING_REQUEST_PROCESSING_RUN",
	"MAIL_BARK_MESSAGE_UTILITY", "PAIRING_UTILITY",
	"FIINGERPRINTING_UTILITY", "RESET_PIN", "MANUAL", NULL
};

static const char *const priorities[] = {"REGULAR", "EXPRESS", NULL};

/* ------------------------------------------------------------------------
 * Arguments that every operation has
 * ------------------------------------------------------------------------
 */

/* The one of the words that the value is; raises an error. */
static const char *
find_word(const char *name, const char *value, const char *const *words)
{
	List	   *valid = NIL;
	int			i;

	for (i = 0; words[i] != NULL; i++)
	{
		if (strcmp(words[i], value) == 0)
			return words[i];
		valid = lappend(valid, unconstify(char *, words[i]));
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("parameter \"%s\" cannot be \"%s\"", name,
					complaint_text(value)),
			 errhint("Valid values are %s.", complaint_list(valid))));
}

/* One of the words, the given default when absent; raises an error. */
static const char *
read_word(List *arguments, const char *name, const char *const *words,
		  const char *otherwise)
{
	const char *value = api_text(arguments, name, 0);

	return value == NULL ? otherwise : find_word(name, value, words);
}

void
api_check_word(const char *name, const char *value)
{
	if (strcmp(name, "priority") == 0)
		(void) find_word(name, value, priorities);
	else
		(void) find_word(name, value, process_names);
}

static void
read_schedule(List *arguments, NewRequest *request)
{
	CasRequest *cas = &request->cas;

	cas->process_immediately = api_boolean(arguments, "process_immediately");
	request->scheduled = api_instant(arguments, "scheduled_date",
									 &cas->scheduled);
	if (!request->scheduled)
		cas->scheduled = GetCurrentTransactionStartTimestamp();
	if (cas->process_immediately &&
		cas->scheduled > GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"scheduled_date\" is in the future "
						"although \"process_immediately\" is true"),
				 errhint("Give one of the two.")));
}

static void
read_common(List *arguments, NewRequest *request)
{
	const char *priority;

	read_schedule(arguments, request);
	priority = read_word(arguments, "priority", priorities, "REGULAR");
	request->cas.express = strcmp(priority, "EXPRESS") == 0;
	request->process_name = read_word(arguments, "process_name",
									  process_names, "MANUAL");
	request->process_id = api_text(arguments, "process_id", MAX_NAME);
	request->name = api_text(arguments, "name", MAX_NAME);
	request->created_by_user = caller_user();
	request->created_by_unit = caller_unit();
	api_read_udf(arguments, request);
}

/* ------------------------------------------------------------------------
 * Identifiers, before the provider is known
 * ------------------------------------------------------------------------
 */

static DirectoryItem *
resolve_item(Making *making, const CasParameter *parameter,
			 const char *identifier)
{
	DirectoryItem *item;

	item = directory_item(parameter->name, identifier,
						  api_item_classification(parameter->kind));
	api_note_item(making, item);
	if (making->item_provider == NULL)
		making->item_provider = item->provider;
	return item;
}

/* CA IDs become rows later, but may tell where the request goes. */
static void
look_for_provider(Making *making, const Resolved *resolved)
{
	const char *classification;
	ListCell   *cell;

	classification = api_item_classification(resolved->parameter->kind);
	foreach(cell, resolved->texts)
	{
		if (making->item_provider != NULL)
			return;
		making->item_provider = directory_provider_of_ca_id(lfirst(cell),
															classification,
															making->adapter);
	}
}

/* Looks up what the identifiers of one parameter name. */
static void
resolve_parameter(Making *making, Resolved *resolved)
{
	const CasParameter *parameter = resolved->parameter;
	ListCell   *cell;

	foreach(cell, resolved->texts)
	{
		const char *value = lfirst(cell);

		switch (parameter->kind)
		{
			case CAS_SUBSCRIPTION:
				making->subscription =
					directory_subscription(parameter->name, value);
				break;
			case CAS_SERVICE:
			case CAS_SERVICE_SET:
				resolved->rows =
					lappend(resolved->rows,
							directory_service(parameter->name, value));
				break;
			case CAS_SMARTCARD_OR_CA_ID:
				if (strchr(value, '=') == NULL)
					break;
				/* FALLTHROUGH */
			case CAS_SMARTCARD:
			case CAS_STB:
				resolved->rows =
					lappend(resolved->rows,
							resolve_item(making, parameter, value));
				break;
			default:
				break;
		}
	}
}

/* First all texts, so that what is missing is said before anything else. */
static void
resolve_parameters(Making *making, List *arguments)
{
	const CasParameter *parameter;
	ListCell   *cell;

	for (parameter = making->request.cas.operation->parameters;
		 parameter->name; parameter++)
	{
		Resolved   *resolved = palloc0(sizeof(Resolved));

		resolved->parameter = parameter;
		resolved->texts = api_parameter_texts(parameter, arguments);
		making->resolved = lappend(making->resolved, resolved);
	}
	foreach(cell, making->resolved)
		resolve_parameter(making, lfirst(cell));
}

static void
choose_provider(Making *making, const char *named)
{
	ListCell   *cell;

	foreach(cell, making->resolved)
	{
		const Resolved *resolved = lfirst(cell);

		if (resolved->rows == NIL &&
			api_item_classification(resolved->parameter->kind) != NULL)
			look_for_provider(making, resolved);
	}
	making->settings = api_provider(making->adapter, named,
									making->item_provider);
	making->request.provider = making->settings->server_name;
}

/*
 * Refuses what the CAS cannot carry and what does not fit into its messages.
 * A service that was let through without a CA ID is the sender's to refuse.
 */
static void
check_carriable(const Making *making)
{
	const CasRequest *cas = &making->request.cas;

	if (making->unmapped)
		return;
	making->adapter->validate(making->settings, cas);
	api_try_encoding(making->settings, cas);
}

void
api_make(Making *making, List *arguments, const char *provider)
{
	CasRequest *cas = &making->request.cas;

	cas->attempt = 1;
	cas->id = "00000000000000000000000000000000";
	resolve_parameters(making, arguments);
	choose_provider(making, provider);
	api_add_values(making);
	if (cas->number == 0)
		cas->number = queue_next_number();
	check_carriable(making);
}

Datum
api_create_request(const CasAdapter *adapter, const CasOperation *operation,
				   List *arguments)
{
	Making		making = {0};

	making.adapter = adapter;
	making.request.cas.operation = operation;
	api_check_names(operation, arguments);
	api_check_rules(operation, arguments);
	read_common(arguments, &making.request);
	api_make(&making, arguments, api_text(arguments, "provider", 0));
	return queue_create(&making.request);
}

List *
api_create_requests(const CasAdapter *adapter, const CasOperation *operation,
					List *arguments)
{
	List	   *rows = NIL;
	ListCell   *lc;

	foreach(lc, api_split(adapter, operation, arguments))
		rows = lappend(rows,
					   DatumGetPointer(api_create_request(adapter, operation,
														  lfirst(lc))));
	return rows;
}
