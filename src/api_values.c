/*-------------------------------------------------------------------------
 *
 * api_values.c
 *		Parameters to the values that a request carries.
 *
 * What the directory knows of an item beyond its CA ID, such as the
 * distributor that links it with the provider, becomes a value beside it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api_making.h"
#include "complaint.h"

const char *
api_item_classification(CasParameterKind kind)
{
	switch (kind)
	{
		case CAS_SMARTCARD:
		case CAS_SMARTCARD_OR_CA_ID:
		case CAS_SMARTCARD_CA_ID:
		case CAS_SMARTCARD_CA_ID_SET:
			return DIRECTORY_SMARTCARD;
		case CAS_STB:
		case CAS_STB_CA_ID_SET:
			return DIRECTORY_STB;
		default:
			return NULL;
	}
}

void
api_note_item(Making *making, const DirectoryItem *item)
{
	if (making->item_subscription_id == NULL)
		making->item_subscription_id = item->subscription_id;
}

static void
add_value(Making *making, const CasParameter *parameter, const char *name,
		  const char *value)
{
	CasRequest *cas = &making->request.cas;
	CasValue   *added = palloc0(sizeof(CasValue));

	added->name = name;
	added->value = value;
	added->number = parameter->kind == CAS_INTEGER;
	added->boolean = parameter->kind == CAS_BOOLEAN;
	added->secret = parameter->kind == CAS_PIN;
	cas->values = lappend(cas->values, added);
}

static void
add_ordering_key(Making *making, const char *kind, const char *value)
{
	char	   *key = psprintf("%s:%s", kind, value);
	ListCell   *cell;

	foreach(cell, making->request.ordering_keys)
	{
		if (strcmp(lfirst(cell), key) == 0)
			return;
	}
	making->request.ordering_keys = lappend(making->request.ordering_keys,
											key);
}

/* Does the parameter name an STB, rather than a smartcard? */
static bool
is_stb(const CasParameter *parameter)
{
	const char *classification = api_item_classification(parameter->kind);

	Assert(classification != NULL);
	return strcmp(classification, DIRECTORY_STB) == 0;
}

/* The documented name of the distributor beside an item's CA ID. */
static const char *
distributor_name(const CasParameter *parameter)
{
	if (strcmp(cas_stored_name(parameter), "existing_smartcard_ca_id") == 0)
		return "existing_smartcard_sub_provisioning_distributor_id";
	if (is_stb(parameter))
		return "stb_sub_provisioning_distributor_id";
	return "smartcard_sub_provisioning_distribution_id";
}

/* Raises an error when a set names the same thing twice. */
static void
check_duplicate(const Making *making, const CasParameter *parameter,
				const char *value)
{
	const CasValue *other = cas_value(&making->request.cas,
									  cas_stored_name(parameter));

	for (; other != NULL;
		 other = cas_value_next(&making->request.cas, other))
	{
		if (strcmp(other->value, value) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("parameter \"%s\" has \"%s\" more than once",
							parameter->name, complaint_text(value))));
	}
}

/*
 * A smartcard or STB by its CA ID, with its ordering key; "item" is its row
 * in the directory, or NULL.  Raises when it belongs to somebody else.
 */
static void
add_item(Making *making, const CasParameter *parameter, const char *ca_id,
		 const DirectoryItem *item)
{
	const char *name = cas_stored_name(parameter);
	const char *distributor;

	check_duplicate(making, parameter, ca_id);
	add_value(making, parameter, name, ca_id);
	add_ordering_key(making, is_stb(parameter) ? "stb" : "smartcard",
					 making->adapter->identity ?
					 making->adapter->identity(making->settings,
											   making->request.cas.operation,
											   name, ca_id) : ca_id);
	if (item == NULL)
		return;
	directory_check_provider(parameter->name, item,
							 making->request.provider);
	if (making->subscription != NULL)
		directory_check_subscription(parameter->name, item,
									 making->subscription);
	distributor = directory_item_distributor(item->id,
											 making->request.provider);
	if (distributor != NULL)
		add_value(making, parameter, distributor_name(parameter),
				  distributor);
}

/* CA IDs need not be in the directory, but what it says of them holds. */
static void
add_ca_ids(Making *making, const Resolved *resolved)
{
	const CasParameter *parameter = resolved->parameter;
	const char *classification = api_item_classification(parameter->kind);
	ListCell   *cell;

	foreach(cell, resolved->texts)
	{
		const char *ca_id = lfirst(cell);
		DirectoryItem *item;

		item = directory_item_by_ca_id(parameter->name, ca_id, classification,
									   making->request.provider);
		if (item != NULL)
			api_note_item(making, item);
		add_item(making, parameter, ca_id, item);
	}
}

/*
 * A service that has no CA ID goes out as nothing: alone that shows, but in a
 * list the others would hide it.
 */
static void
refuse_unmapped_member(const Making *making, const CasParameter *parameter,
					   const DirectoryService *service)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("parameter \"%s\" has service \"%s\", which has no CA ID at provider \"%s\"",
					parameter->name, complaint_text(service->code),
					making->request.provider),
			 errhint("Insert one into provreq.service_mapping; provreq.allow_unmapped_service is not for lists.")));
}

/*
 * The CA IDs of services.  One without a CA ID is left out, and noted, where
 * the settings allow that.
 */
static void
add_services(Making *making, const Resolved *resolved)
{
	const CasParameter *parameter = resolved->parameter;
	const char *name = cas_stored_name(parameter);
	ListCell   *cell;

	foreach(cell, resolved->rows)
	{
		const char *ca_id;

		ca_id = directory_service_ca_id(parameter->name, lfirst(cell),
										making->request.provider);
		if (ca_id == NULL)
		{
			if (parameter->kind == CAS_SERVICE_SET)
				refuse_unmapped_member(making, parameter, lfirst(cell));
			making->unmapped = true;
			making->request.null_names =
				list_append_unique_ptr(making->request.null_names,
									   unconstify(char *, name));
			continue;
		}
		check_duplicate(making, parameter, ca_id);
		add_value(making, parameter, name, ca_id);
	}
}

static void
add_subscription(Making *making, const CasParameter *parameter)
{
	const DirectorySubscription *subscription = making->subscription;
	const char *distributor;

	if (subscription == NULL)
		return;
	distributor =
		directory_subscription_distributor(subscription->id,
										   making->request.provider);
	if (distributor != NULL)
		add_value(making, parameter, "sub_provisioning_distribution_id",
				  distributor);
}

/* All members of a set have one name, which is stored as an array. */
static void
note_set(Making *making, const CasParameter *parameter)
{
	List	  **names = &making->request.set_names;

	*names = lappend(*names, unconstify(char *, cas_stored_name(parameter)));
	if (api_item_classification(parameter->kind) != NULL)
		*names = lappend(*names,
						 unconstify(char *, distributor_name(parameter)));
}

/* Adds what one parameter means to the request: values and ordering keys. */
static void
add_parameter(Making *making, const Resolved *resolved)
{
	const CasParameter *parameter = resolved->parameter;

	switch (parameter->kind)
	{
		case CAS_SUBSCRIPTION:
			add_subscription(making, parameter);
			break;
		case CAS_SERVICE_SET:
			note_set(making, parameter);
			add_services(making, resolved);
			break;
		case CAS_SERVICE:
			add_services(making, resolved);
			break;
		case CAS_SMARTCARD:
		case CAS_SMARTCARD_OR_CA_ID:
		case CAS_STB:
			if (resolved->rows != NIL)
			{
				DirectoryItem *item = linitial(resolved->rows);

				add_item(making, parameter, item->ca_id, item);
			}
			else
				add_ca_ids(making, resolved);
			break;
		case CAS_SMARTCARD_CA_ID_SET:
		case CAS_STB_CA_ID_SET:
			note_set(making, parameter);
			add_ca_ids(making, resolved);
			break;
		case CAS_SMARTCARD_CA_ID:
			add_ca_ids(making, resolved);
			break;
		default:
			if (resolved->texts != NIL)
				add_value(making, parameter, cas_stored_name(parameter),
						  linitial(resolved->texts));
			break;
	}
}

void
api_add_values(Making *making)
{
	NewRequest *request = &making->request;
	ListCell   *cell;

	foreach(cell, making->resolved)
		add_parameter(making, lfirst(cell));
	request->subscription_id = making->subscription != NULL ?
		making->subscription->id : making->item_subscription_id;
	if (request->ordering_keys == NIL && request->subscription_id != NULL)
		add_ordering_key(making, "subscription", request->subscription_id);
	if (request->ordering_keys == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("operation \"%s\" needs a smartcard, an STB or a "
						"subscription", request->cas.operation->name)));
}
