/*-------------------------------------------------------------------------
 *
 * directory.h
 *		What identifiers resolve to: subscriptions, services, installed
 *		items, CA IDs of services and distributors.
 *
 * Everything is read through the snapshot that is active in the caller, and
 * is valid until the next statement_cache_begin.  Parameters named
 * "parameter" are what error messages call the argument.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_DIRECTORY_H
#define PROVREQ_DIRECTORY_H

#include "adapter.h"

/* The classifications of installed items that a CAS knows. */
#define DIRECTORY_SMARTCARD "SMARTCARD"
#define DIRECTORY_STB "STB"

/* The longest identifier and CA ID, in characters. */
#define DIRECTORY_MAX_LENGTH 255

typedef struct DirectorySubscription
{
	const char *id;
	const char *number;
} DirectorySubscription;

typedef struct DirectoryService
{
	const char *id;
	const char *code;
} DirectoryService;

typedef struct DirectoryItem
{
	const char *id;
	const char *serial_number;
	const char *ca_id;			/* never NULL */
	const char *subscription_id;	/* NULL: of none */
	const char *provider;		/* NULL: any of its kind */
} DirectoryItem;

/*
 * The row that an identifier "field=value" names.  Raises an error when it is
 * malformed, finds nothing or more than one, and when the row may not be
 * used: a product that is not a service, an item of another classification,
 * one that is not effective or has no CA ID.
 */
extern DirectorySubscription *directory_subscription(const char *parameter,
													 const char *identifier);
extern DirectoryService *directory_service(const char *parameter,
										   const char *identifier);
extern DirectoryItem *directory_item(const char *parameter,
									 const char *identifier,
									 const char *classification);

/*
 * Raises an error unless identifiers of a subscription, service or item may
 * have the field.
 */
extern void directory_check_field(CasParameterKind kind,
								  const char *parameter, const char *field);

/*
 * The ids of the effective smartcards that a subscription has at providers of
 * an adapter's kind, a list of char *, in order of serial numbers.
 */
extern List *directory_smartcards(const DirectorySubscription *subscription,
								  const CasAdapter *adapter);

/*
 * The item that has a CA ID at a provider, or NULL: CA IDs are accepted also
 * where the directory does not hold them.  Raises an error when the item is
 * not effective.
 */
extern DirectoryItem *directory_item_by_ca_id(const char *parameter,
											  const char *ca_id,
											  const char *classification,
											  const char *provider);

/*
 * The one provider of an adapter's kind at which the directory knows a CA ID;
 * NULL when there is none, or more than one.
 */
extern const char *directory_provider_of_ca_id(const char *ca_id,
											   const char *classification,
											   const CasAdapter *adapter);

/* Raises an error unless the item may be used with the subscription. */
extern void directory_check_subscription(const char *parameter,
										 const DirectoryItem *item,
										 const DirectorySubscription *wanted);

/* Raises an error when the item belongs to another provider. */
extern void directory_check_provider(const char *parameter,
									 const DirectoryItem *item,
									 const char *provider);

/*
 * What a provider calls a service.  Without a mapping an error, or NULL where
 * provreq.allow_unmapped_service is on.
 */
extern const char *directory_service_ca_id(const char *parameter,
										   const DirectoryService *service,
										   const char *provider);

/*
 * A service that a provider knows by a CA ID, the first by id if there are
 * several.  Raises an error when there is none.
 */
extern DirectoryService *directory_service_by_ca_id(const char *parameter,
													const char *ca_id,
													const char *provider);

/* The distributor that links something with a provider, or NULL. */
extern const char *directory_subscription_distributor(const char *id,
													  const char *provider);
extern const char *directory_item_distributor(const char *item_id,
											  const char *provider);

#endif							/* PROVREQ_DIRECTORY_H */
