/*-------------------------------------------------------------------------
 *
 * provider.h
 *		A provider is a foreign server of one of our wrappers, with a user
 *		mapping for provreq_worker.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_PROVIDER_H
#define PROVREQ_PROVIDER_H

#include "adapter.h"

typedef struct Provider
{
	Oid			serverid;
	char	   *name;
	const CasAdapter *adapter;
	bool		effective;
} Provider;

/* All providers of this database, a list of Provider *. */
extern List *provider_list(void);

/* A provider by its server's Oid, or NULL when there is none. */
extern Provider *provider_find(Oid serverid);

/* The provider of that name; raises UNDEFINED_OBJECT with the valid names. */
extern Provider *provider_by_name(const char *name);

/*
 * The provider that a new request of this adapter goes to: the named one, or
 * the one that the smartcard's directory row names, or the only effective
 * one.  Both names may be NULL.  Raises an error that lists the candidates,
 * also when the provider is of another kind or not effective.
 */
extern Provider *provider_choose(const CasAdapter *adapter,
								 const char *named,
								 const char *named_by_smartcard);

/*
 * Options of the server and of provreq_worker's user mapping (or PUBLIC's),
 * with the compiled profile, in the current memory context.  Raises.
 */
extern CasSettings *provider_settings(Oid serverid);

/*
 * Raises DUPLICATE_OBJECT if a server, as the current command leaves it, is
 * an effective provider and clashes with another one.
 */
extern void provider_refuse_clash(Oid serverid);

/* Copies the options of a server or a mapping over the settings. */
extern void settings_apply(CasSettings *settings, List *defs);

/* Gives the options that are not set their defaults. */
extern void settings_defaults(CasSettings *settings);

/* Settings of one adapter with no option set, for checks. */
extern CasSettings *settings_empty(const CasAdapter *adapter,
								   const char *server_name);

#endif							/* PROVREQ_PROVIDER_H */
