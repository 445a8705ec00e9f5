/*-------------------------------------------------------------------------
 *
 * api_making.h
 *		A request in the making, between api.c and api_values.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_API_MAKING_H
#define PROVREQ_API_MAKING_H

#include "adapter.h"
#include "directory.h"
#include "queue_create.h"

/* A parameter with what its identifiers were resolved to. */
typedef struct Resolved
{
	const CasParameter *parameter;
	List	   *texts;			/* of char *: as api_parameter_texts gave */
	List	   *rows;			/* of DirectoryItem * or DirectoryService * */
} Resolved;

/* A request in the making. */
typedef struct Making
{
	const CasAdapter *adapter;
	const CasSettings *settings;	/* once the provider is chosen */
	List	   *resolved;		/* of Resolved * */
	const DirectorySubscription *subscription;
	const char *item_subscription_id;	/* of the first item that has one */
	const char *item_provider;	/* named by an item */
	bool		unmapped;		/* a service has no CA ID */
	NewRequest	request;
} Making;

/*
 * Resolves the arguments, whose names and rules were checked, and checks the
 * request: what is left is to put it into the queue.  The adapter, the
 * operation and what is common to all operations are filled in; number 0 is
 * to be a new one.  provider: the server that is named, or NULL.  Raises an
 * error that names the parameter.
 */
extern void api_make(Making *making, List *arguments, const char *provider);

/* The directory's word for what a kind of parameter names; NULL: no item. */
extern const char *api_item_classification(CasParameterKind kind);

/* Notes what an item says of the whole request. */
extern void api_note_item(Making *making, const DirectoryItem *item);

/*
 * Turns all parameters into values and ordering keys, the provider being
 * chosen.  Raises an error that names the parameter.
 */
extern void api_add_values(Making *making);

#endif							/* PROVREQ_API_MAKING_H */
