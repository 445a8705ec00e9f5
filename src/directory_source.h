/*-------------------------------------------------------------------------
 *
 * directory_source.h
 *		Relations that stand for tables of the directory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_DIRECTORY_SOURCE_H
#define PROVREQ_DIRECTORY_SOURCE_H

#include "utils/jsonb.h"

/* What the directory has; each is a table of schema provreq, too. */
typedef enum DirectoryKind
{
	KIND_SUBSCRIPTION,
	KIND_PRODUCT,
	KIND_INSTALLED_ITEM,
	KIND_SERVICE_MAPPING,
	KIND_SUBSCRIPTION_DISTRIBUTOR,
	KIND_ENTITLEMENT
} DirectoryKind;

#define DIRECTORY_KINDS (KIND_ENTITLEMENT + 1)

/* What somebody has decided: a row of provreq.directory_source. */
typedef struct DirectoryChoice
{
	const char *schema;
	const char *relation;
	Jsonb	   *columns;		/* our name -> theirs, or null */
	const char *role;			/* whose rights it is read with */
} DirectoryChoice;

/* The decision in force, checked. */
typedef struct DirectorySource
{
	DirectoryKind kind;
	uint64		generation;		/* another one when anything differs */
	Oid			relid;
	Oid			role;
	const char *role_name;
	const char *relation;		/* with its schema, quoted */
	const char *query;			/* a SELECT of all our columns, as text */
} DirectorySource;

/* The kind of a name; raises an error that lists the valid ones. */
extern DirectoryKind directory_kind(const char *name);

/* Its name, which is that of the table. */
extern const char *directory_kind_name(DirectoryKind kind);

/* Raises an error unless the kind has a column of that name. */
extern void directory_kind_check_column(DirectoryKind kind,
										const char *parameter,
										const char *name);

/*
 * Checks a choice against the catalogs: relation, columns, their types, role
 * and its rights.  Raises an error that names what is at fault.  The result
 * is in the current memory context.
 */
extern DirectorySource *directory_source_make(DirectoryKind kind,
											  const DirectoryChoice *choice);

/*
 * What stands for the table now, or NULL where it stands for itself.  The
 * relation is locked as by a SELECT.  Raises an error when it can no longer
 * be used.  Good until the next call.
 */
extern const DirectorySource *directory_source(DirectoryKind kind);

/* The relation that is read, for messages. */
extern const char *directory_source_name(DirectoryKind kind);

/*
 * The query with the relation in the place of "provreq.table", wherever it
 * stands; in the current memory context.
 */
extern char *directory_source_sql(const DirectorySource *source,
								  const char *sql);

/*
 * What lies between these two is done with the rights of the source's role
 * and no others, with a safe search_path.  An error restores everything, too.
 */
typedef struct DirectoryRights
{
	Oid			user;
	int			security;
	int			nest_level;
	ErrorContextCallback context;
} DirectoryRights;

extern void directory_source_enter(const DirectorySource *source,
								   DirectoryRights *saved);
extern void directory_source_leave(DirectoryRights *saved);

/*
 * A value as our own tables would have it: an empty text is NULL.  Raises an
 * error when it is NULL and must not be, is too long, or has control
 * characters.  Columns that we do not know are let through.
 */
extern const char *directory_source_value(const DirectorySource *source,
										  const char *column,
										  const char *value);

#endif							/* PROVREQ_DIRECTORY_SOURCE_H */
