/*-------------------------------------------------------------------------
 *
 * directory.c
 *		Identifiers to rows of the directory.
 *
 * An identifier is "field=value".  Each kind of thing has its own fields;
 * the table below knows them, and the query that each of them takes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "complaint.h"
#include "directory.h"
#include "directory_query.h"
#include "directory_source.h"
#include "settings.h"

typedef struct IdentifierField
{
	const char *name;			/* NULL ends the list */
	DirectoryQuery query;
} IdentifierField;

typedef struct IdentifierKind
{
	const char *noun;			/* for messages */
	const char *fields_hint;
	IdentifierField fields[4];
} IdentifierKind;

static const IdentifierKind subscription_kind = {
	.noun = "subscription",
	.fields_hint = "id, number",
	.fields = {
		{"id", SUBSCRIPTION_BY_ID},
		{"number", SUBSCRIPTION_BY_NUMBER},
	}
};

static const IdentifierKind product_kind = {
	.noun = "product",
	.fields_hint = "id, code, alternative_code",
	.fields = {
		{"id", PRODUCT_BY_ID},
		{"code", PRODUCT_BY_CODE},
		{"alternative_code", PRODUCT_BY_ALTERNATIVE_CODE},
	}
};

static const IdentifierKind item_kind = {
	.noun = "installed item",
	.fields_hint = "id, serial_number, alternative_code",
	.fields = {
		{"id", ITEM_BY_ID},
		{"serial_number", ITEM_BY_SERIAL_NUMBER},
		{"alternative_code", ITEM_BY_ALTERNATIVE_CODE},
	}
};

/* The field of a name; raises an error that lists the valid ones. */
static const IdentifierField *
find_field(const IdentifierKind *kind, const char *parameter,
		   const char *name)
{
	const IdentifierField *field;

	for (field = kind->fields; field->name != NULL; field++)
	{
		if (strcmp(field->name, name) == 0)
			return field;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("parameter \"%s\" has unknown field \"%s\"",
					parameter, complaint_text(name)),
			 errhint("Valid fields are %s.", kind->fields_hint)));
}

/* The field that the text before the first "=" names; raises an error. */
static const IdentifierField *
identifier_field(const IdentifierKind *kind, const char *parameter,
				 const char *identifier)
{
	const char *equals = strchr(identifier, '=');

	if (equals == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" must have the form field=value",
						parameter),
				 errhint("Valid fields are %s.", kind->fields_hint)));
	return find_field(kind, parameter,
					  pnstrdup(identifier, equals - identifier));
}

void
directory_check_field(CasParameterKind kind, const char *parameter,
					  const char *field)
{
	switch (kind)
	{
		case CAS_SUBSCRIPTION:
			(void) find_field(&subscription_kind, parameter, field);
			break;
		case CAS_SERVICE:
			(void) find_field(&product_kind, parameter, field);
			break;
		default:
			(void) find_field(&item_kind, parameter, field);
			break;
	}
}

/* Raises an error unless the value can be one of an identifier. */
static void
check_identifier_value(const char *parameter, const char *field,
					   const char *value)
{
	if (*value == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" has no value for field \"%s\"",
						parameter, field)));
	if (pg_mbstrlen(value) > DIRECTORY_MAX_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" is longer than %d characters",
						parameter, DIRECTORY_MAX_LENGTH)));
	if (complaint_has_control(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\" contains a control character",
						parameter)));
}

/* The columns of the one row that the identifier names; raises an error. */
static const char **
resolve(const IdentifierKind *kind, const char *parameter,
		const char *identifier)
{
	const IdentifierField *field;
	const DirectoryAnswer *answer;
	const char *value;

	field = identifier_field(kind, parameter, identifier);
	value = strchr(identifier, '=') + 1;
	check_identifier_value(parameter, field->name, value);

	answer = directory_query(field->query, value, NULL, NULL);
	if (answer->rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("parameter \"%s\": no %s has %s \"%s\"", parameter,
						kind->noun, field->name, complaint_text(value))));
	if (answer->rows > 1)
		ereport(ERROR,
				(errcode(ERRCODE_TOO_MANY_ROWS),
				 errmsg("parameter \"%s\": more than one %s has %s \"%s\"",
						parameter, kind->noun, field->name,
						complaint_text(value)),
				 errhint("Name it by its id.")));
	return answer->columns[0];
}

DirectorySubscription *
directory_subscription(const char *parameter, const char *identifier)
{
	const char **columns = resolve(&subscription_kind, parameter, identifier);
	DirectorySubscription *subscription;

	subscription = palloc(sizeof(DirectorySubscription));
	subscription->id = columns[0];
	subscription->number = columns[1];
	return subscription;
}

DirectoryService *
directory_service(const char *parameter, const char *identifier)
{
	const char **columns = resolve(&product_kind, parameter, identifier);
	DirectoryService *service;

	if (strcmp(columns[2], "SERVICE") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\": product \"%s\" is not a service",
						parameter, complaint_text(columns[1])),
				 errdetail("It is classified as %s.",
						   complaint_text(columns[2]))));
	service = palloc(sizeof(DirectoryService));
	service->id = columns[0];
	service->code = columns[1];
	return service;
}

/* Raises an error unless the item is what the operation wants. */
static void
check_item(const char *parameter, const char **columns,
		   const char *classification)
{
	if (strcmp(columns[5], classification) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"%s\": installed item \"%s\" is not %s",
						parameter, complaint_text(columns[1]),
						strcmp(classification, DIRECTORY_STB) == 0 ?
						"an STB" : "a smartcard"),
				 errdetail("It is classified as %s.",
						   complaint_text(columns[5]))));
	if (strcmp(columns[6], "EFFECTIVE") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("parameter \"%s\": installed item \"%s\" is not "
						"effective",
						parameter, complaint_text(columns[1]))));
	if (columns[2] == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("parameter \"%s\": installed item \"%s\" has no "
						"CA ID",
						parameter, complaint_text(columns[1])),
				 errhint("Set ca_id in %s.",
						 directory_source_name(KIND_INSTALLED_ITEM))));
}

static DirectoryItem *
make_item(const char **columns)
{
	DirectoryItem *item = palloc(sizeof(DirectoryItem));

	item->id = columns[0];
	item->serial_number = columns[1];
	item->ca_id = columns[2];
	item->subscription_id = columns[3];
	item->provider = columns[4];
	return item;
}

DirectoryItem *
directory_item(const char *parameter, const char *identifier,
			   const char *classification)
{
	const char **columns = resolve(&item_kind, parameter, identifier);

	check_item(parameter, columns, classification);
	return make_item(columns);
}

List *
directory_smartcards(const DirectorySubscription *subscription,
					 const CasAdapter *adapter)
{
	const DirectoryAnswer *answer;
	List	   *ids = NIL;
	char	   *save = NULL;

	answer = directory_query(SMARTCARDS_OF_SUBSCRIPTION, subscription->id,
							 adapter->kind, NULL);
	if (answer->rows == 0 || answer->columns[0][0] == NULL)
		return NIL;
	for (char *id = strtok_r(pstrdup(answer->columns[0][0]), " ", &save); id;
		 id = strtok_r(NULL, " ", &save))
		ids = lappend(ids, id);
	return ids;
}

DirectoryItem *
directory_item_by_ca_id(const char *parameter, const char *ca_id,
						const char *classification, const char *provider)
{
	const DirectoryAnswer *answer;

	answer = directory_query(ITEM_BY_CA_ID, ca_id, classification, provider);
	if (answer->rows == 0)
		return NULL;
	check_item(parameter, answer->columns[0], classification);
	return make_item(answer->columns[0]);
}

const char *
directory_provider_of_ca_id(const char *ca_id, const char *classification,
							const CasAdapter *adapter)
{
	const DirectoryAnswer *answer;

	answer = directory_query(PROVIDER_OF_CA_ID, ca_id, classification,
							 adapter->kind);
	return answer->rows == 1 ? answer->columns[0][0] : NULL;
}

void
directory_check_subscription(const char *parameter, const DirectoryItem *item,
							 const DirectorySubscription *wanted)
{
	if (item->subscription_id == NULL ||
		strcmp(item->subscription_id, wanted->id) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("parameter \"%s\": installed item \"%s\" belongs to "
					"another subscription than \"%s\"",
					parameter, complaint_text(item->serial_number),
					complaint_text(wanted->number))));
}

void
directory_check_provider(const char *parameter, const DirectoryItem *item,
						 const char *provider)
{
	if (item->provider == NULL || strcmp(item->provider, provider) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("parameter \"%s\": installed item \"%s\" belongs to "
					"provider \"%s\", not \"%s\"",
					parameter, complaint_text(item->serial_number),
					item->provider, provider)));
}

const char *
directory_service_ca_id(const char *parameter,
						const DirectoryService *service, const char *provider)
{
	const DirectoryAnswer *answer;

	answer = directory_query(SERVICE_CA_ID, service->id, provider, NULL);
	if (answer->rows > 0)
		return answer->columns[0][0];
	if (provreq_allow_unmapped_service)
		return NULL;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("parameter \"%s\": service \"%s\" has no CA ID at "
					"provider \"%s\"",
					parameter, complaint_text(service->code), provider),
			 errhint("Add the service and the provider to %s.",
					 directory_source_name(KIND_SERVICE_MAPPING))));
}

/* Is it a service, and does the provider know it by that CA ID? */
static bool
is_service_of_ca_id(const char *id, const char *ca_id, const char *provider)
{
	const DirectoryAnswer *answer;

	answer = directory_query(PRODUCT_BY_ID, id, NULL, NULL);
	if (answer->rows == 0 || strcmp(answer->columns[0][2], "SERVICE") != 0)
		return false;
	answer = directory_query(SERVICE_CA_ID, id, provider, NULL);
	return answer->rows > 0 && strcmp(answer->columns[0][0], ca_id) == 0;
}

/* None of those that have it will do; "id" is the last, or empty. */
static void
refuse_ca_id(const char *parameter, const char *ca_id, const char *provider,
			 const char *id)
{
	if (*id != '\0')			/* raises if it is no service */
		(void) directory_service(parameter, psprintf("id=%s", id));
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("parameter \"%s\": no service has CA ID \"%s\" at "
					"provider \"%s\"",
					parameter, complaint_text(ca_id), provider)));
}

/*
 * Several may have the CA ID for all providers, and some of these another one
 * at this provider, or be no services any more.
 */
DirectoryService *
directory_service_by_ca_id(const char *parameter, const char *ca_id,
						   const char *provider)
{
	const DirectoryAnswer *answer;
	const char *id = "";

	do
	{
		answer = directory_query(SERVICE_OF_CA_ID, ca_id, provider, id);
		if (answer->rows == 0)
			refuse_ca_id(parameter, ca_id, provider, id);
		id = answer->columns[0][0];
	} while (!is_service_of_ca_id(id, ca_id, provider));
	return directory_service(parameter, psprintf("id=%s", id));
}

/*
 * Most directories have no distributors at all: asking once a statement
 * whether there are any spares two look-ups a request.
 */
static const char *
distributor(DirectoryQuery query, const char *id, const char *provider)
{
	const DirectoryAnswer *answer;

	answer = directory_query(DISTRIBUTORS_EXIST, NULL, NULL, NULL);
	if (answer->rows == 0)
		return NULL;
	answer = directory_query(query, id, provider, NULL);
	return answer->rows > 0 ? answer->columns[0][0] : NULL;
}

const char *
directory_subscription_distributor(const char *id, const char *provider)
{
	return distributor(DISTRIBUTOR_OF_SUBSCRIPTION, id, provider);
}

const char *
directory_item_distributor(const char *item_id, const char *provider)
{
	return distributor(DISTRIBUTOR_OF_ITEM, item_id, provider);
}
