/*-------------------------------------------------------------------------
 *
 * table.h
 *		String -> pointer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_TABLE_H
#define SIMULATOR_TABLE_H

#include <stddef.h>

typedef struct TableEntry
{
	const char *key;			/* NULL: free; belongs to the value */
	void	   *value;
} TableEntry;

/* Starts as {0}.  Nothing is ever removed.  The caller locks. */
typedef struct Table
{
	TableEntry *entries;
	size_t		size;			/* 0 or a power of two */
	size_t		count;
} Table;

/* The value of a key, or NULL. */
extern void *table_find(const Table *table, const char *key);

/* Adds a key that is not there; it has to live as long as the table. */
extern void table_add(Table *table, const char *key, void *value);

#endif							/* SIMULATOR_TABLE_H */
