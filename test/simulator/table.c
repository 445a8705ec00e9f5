/*-------------------------------------------------------------------------
 *
 * table.c
 *		String -> pointer: open addressing, linear probing, at most half full.
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"
#include "text.h"

static size_t
table_hash(const char *key)
{
	uint64_t	hash = 14695981039346656037u;	/* FNV-1a */

	for (; *key != '\0'; key++)
		hash = (hash ^ (unsigned char) *key) * 1099511628211u;
	return (size_t) (hash ^ (hash >> 32));
}

/* The entry of the key, or the free one where it belongs. */
static TableEntry *
table_slot(const Table *table, const char *key)
{
	size_t		slot = table_hash(key) & (table->size - 1);

	while (table->entries[slot].key != NULL &&
		   strcmp(table->entries[slot].key, key) != 0)
		slot = (slot + 1) & (table->size - 1);
	return &table->entries[slot];
}

void *
table_find(const Table *table, const char *key)
{
	return table->size == 0 ? NULL : table_slot(table, key)->value;
}

static void
table_grow(Table *table)
{
	Table		bigger = {0};
	size_t		i;

	bigger.size = table->size == 0 ? 1024 : table->size * 2;
	bigger.count = table->count;
	bigger.entries = must_alloc(bigger.size * sizeof(TableEntry));
	for (i = 0; i < table->size; i++)
	{
		if (table->entries[i].key != NULL)
			*table_slot(&bigger, table->entries[i].key) = table->entries[i];
	}
	free(table->entries);
	*table = bigger;
}

void
table_add(Table *table, const char *key, void *value)
{
	TableEntry *entry;

	if (table->count * 2 >= table->size)
		table_grow(table);
	entry = table_slot(table, key);
	entry->key = key;
	entry->value = value;
	table->count++;
}
