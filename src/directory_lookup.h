/*-------------------------------------------------------------------------
 *
 * directory_lookup.h
 *		A row of the directory by a unique column, without a statement for it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_DIRECTORY_LOOKUP_H
#define PROVREQ_DIRECTORY_LOOKUP_H

#define LOOKUP_COLUMNS 7

/* A table of schema provreq, its unique column, and the columns to read. */
typedef struct DirectoryLookup
{
	const char *table;
	const char *key;
	const char *columns[LOOKUP_COLUMNS];	/* NULL ends the list */

	/* Filled in by directory_lookup and good for as long as the catalogs */
	uint64		made;			/* catalog_watch before it was made */
	Oid			relid;
	Oid			index;			/* InvalidOid: to be read by a statement */
	Oid			collation;
	int			key_attribute;
	int			attributes[LOOKUP_COLUMNS];
} DirectoryLookup;

/*
 * Finds the row through the active snapshot and sets *columns to its values,
 * allocated in "context", NULL members being SQL NULLs; or to NULL when there
 * is none.
 *
 * Returns false, having done nothing, when it must be done by a statement:
 * there is no such index, the table is not an ordinary one, it has policies
 * or children, the user may not read it, or a module wants to be asked.
 */
extern bool directory_lookup(DirectoryLookup *lookup, const char *value,
							 MemoryContext context, const char ***columns);

#endif							/* PROVREQ_DIRECTORY_LOOKUP_H */
