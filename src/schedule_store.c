/*-------------------------------------------------------------------------
 *
 * schedule_store.c
 *		Memory, look-up tables and heaps of the schedule.
 *
 * Freed entries, keys and links are used again, and a key is freed with the
 * last entry in its queue, so memory stays at the greatest number of entries
 * that were held at one time, however long the schedule lives.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "schedule_private.h"
#include "utils/memutils.h"

#define CHUNK_ITEMS 1024		/* pool_item relies on it */

#ifdef SCHEDULE_TEST
uint64		schedule_steps = 0;
#endif

/* Zeroed memory that lives as long as the schedule, or until store_free. */
void *
store_alloc(Schedule *schedule, Size size)
{
	void	   *pointer = MemoryContextAllocZero(schedule->context, size);

	schedule->bytes += size;
	return pointer;
}

void
store_free(Schedule *schedule, void *pointer, Size size)
{
	if (pointer == NULL)
		return;
	schedule->bytes -= size;
	pfree(pointer);
}

/* A copy of an array with room for more; the new part is zero. */
static void *
enlarge(Schedule *schedule, void *old, Size old_size, Size new_size)
{
	void	   *result = store_alloc(schedule, new_size);

	if (old != NULL)
		memcpy(result, old, old_size);
	store_free(schedule, old, old_size);
	return result;
}

/* ------------------------------------------------------------------------
 * Pools
 * ------------------------------------------------------------------------
 */
static void
pool_add_chunk(Schedule *schedule, Pool *pool)
{
	if (pool->nchunks == pool->max_chunks)
	{
		uint32		max = Max(16, pool->max_chunks * 2);

		pool->chunks = enlarge(schedule, pool->chunks,
							   pool->max_chunks * sizeof(char *),
							   max * sizeof(char *));
		pool->max_chunks = max;
	}
	pool->chunks[pool->nchunks] = store_alloc(schedule,
											  CHUNK_ITEMS * pool->item_size);
	pool->nchunks++;
}

/* A zeroed item. */
static uint32
pool_get(Schedule *schedule, Pool *pool)
{
	uint32		item = pool->free;

	if (item != NONE)
	{
		memcpy(&pool->free, pool_item(pool, item), sizeof(uint32));
		memset(pool_item(pool, item), 0, pool->item_size);
		return item;
	}
	if (pool->used == pool->nchunks * CHUNK_ITEMS)
		pool_add_chunk(schedule, pool);
	return pool->used++;
}

static void
pool_put(Pool *pool, uint32 item)
{
	memcpy(pool_item(pool, item), &pool->free, sizeof(uint32));
	pool->free = item;
}

static void
pool_init(Schedule *schedule, Pool *pool, Size item_size)
{
	pool->item_size = item_size;
	pool_add_chunk(schedule, pool);
	pool->used = NONE + 1;
}

static void
pool_release(Schedule *schedule, Pool *pool)
{
	uint32		i;

	for (i = 0; i < pool->nchunks; i++)
		store_free(schedule, pool->chunks[i],
				   CHUNK_ITEMS * pool->item_size);
	store_free(schedule, pool->chunks, pool->max_chunks * sizeof(char *));
}

/* ------------------------------------------------------------------------
 * Look-up by number and by key
 * ------------------------------------------------------------------------
 */

/* Spreads a value over all 64 bits (a step of xorshift and two of mixing). */
uint64
store_mix(uint64 value)
{
	value ^= value >> 32;
	value *= UINT64CONST(0x9E3779B97F4A7C15);
	value ^= value >> 29;
	value *= UINT64CONST(0xD1B54A32D192ED03);
	value ^= value >> 32;
	return value;
}

static uint64
table_value(const Schedule *schedule, const Table *table, uint32 item)
{
	if (table->of_keys)
		return key_at(schedule, item)->key;
	return (uint64) entry_at(schedule, item)->number;
}

/* The slot that holds the value, or the empty one where it belongs. */
static uint32
table_slot(const Schedule *schedule, const Table *table, uint64 value)
{
	uint32		slot = store_mix(value) & (table->nslots - 1);

	while (table->slots[slot] != NONE &&
		   table_value(schedule, table, table->slots[slot]) != value)
		slot = (slot + 1) & (table->nslots - 1);
	return slot;
}

static uint32
table_find(const Schedule *schedule, const Table *table, uint64 value)
{
	return table->slots[table_slot(schedule, table, value)];
}

/*
 * Doubles a hash table.  Its entries stay where they are; slots only refer to
 * them.
 */
static void
table_grow(Schedule *schedule, Table *table)
{
	uint32	   *old = table->slots;
	uint32		nold = table->nslots;
	uint32		i;

	table->nslots = Max(64, nold * 2);
	table->slots = store_alloc(schedule, table->nslots * sizeof(uint32));
	for (i = 0; i < nold; i++)
	{
		uint64		value;

		if (old[i] == NONE)
			continue;
		value = table_value(schedule, table, old[i]);
		table->slots[table_slot(schedule, table, value)] = old[i];
	}
	store_free(schedule, old, nold * sizeof(uint32));
}

/* Adds an item whose value is not there yet; at most four fifths are full. */
static void
table_add(Schedule *schedule, Table *table, uint32 item)
{
	if ((uint64) (table->count + 1) * 5 > (uint64) table->nslots * 4)
		table_grow(schedule, table);
	table->slots[table_slot(schedule, table,
							table_value(schedule, table, item))] = item;
	table->count++;
}

/* Removes an item and moves up those that had to step over it. */
static void
table_delete(Schedule *schedule, Table *table, uint32 item)
{
	uint32		mask = table->nslots - 1;
	uint32		hole = table_slot(schedule, table,
								  table_value(schedule, table, item));
	uint32		slot = hole;

	for (;;)
	{
		uint32		home;

		slot = (slot + 1) & mask;
		if (table->slots[slot] == NONE)
			break;
		home = store_mix(table_value(schedule, table,
									 table->slots[slot])) & mask;
		if (((slot - home) & mask) >= ((slot - hole) & mask))
		{
			table->slots[hole] = table->slots[slot];
			hole = slot;
		}
	}
	table->slots[hole] = NONE;
	table->count--;
}

/* ------------------------------------------------------------------------
 * Entries and their links
 * ------------------------------------------------------------------------
 */
void
store_init(Schedule *schedule)
{
	pool_init(schedule, &schedule->entries, sizeof(Entry));
	pool_init(schedule, &schedule->keys, sizeof(Key));
	pool_init(schedule, &schedule->links, sizeof(Link));
	schedule->by_key.of_keys = true;
	table_grow(schedule, &schedule->by_number);
	table_grow(schedule, &schedule->by_key);
}

void
store_release(Schedule *schedule)
{
	int			kind;

	pool_release(schedule, &schedule->entries);
	pool_release(schedule, &schedule->keys);
	pool_release(schedule, &schedule->links);
	store_free(schedule, schedule->by_number.slots,
			   schedule->by_number.nslots * sizeof(uint32));
	store_free(schedule, schedule->by_key.slots,
			   schedule->by_key.nslots * sizeof(uint32));
	for (kind = 0; kind < HEAP_KINDS; kind++)
		store_free(schedule, schedule->heaps[kind].items,
				   schedule->heaps[kind].size * sizeof(uint32));
	store_free(schedule, schedule->stack,
			   schedule->stack_size * sizeof(uint32));
}

uint32
store_find(const Schedule *schedule, int64 number)
{
	return table_find(schedule, &schedule->by_number, (uint64) number);
}

/* The key of a link, whether its entry is due or not. */
uint64
store_link_key(const Schedule *schedule, const Link *link)
{
	if (link->key != NONE)
		return key_at(schedule, link->key)->key;
	return ((uint64) link->prev << 32) | link->next;
}

/* Gives an entry a link for the key unless it has one. */
static void
add_link(Schedule *schedule, uint32 entry, uint64 key)
{
	uint32		i;
	Link	   *link;

	for (i = entry_at(schedule, entry)->links; i != NONE; i = link->sibling)
	{
		link = link_at(schedule, i);
		if (store_link_key(schedule, link) == key)
			return;
	}
	i = pool_get(schedule, &schedule->links);
	link = link_at(schedule, i);
	link->entry = entry;
	link->prev = (uint32) (key >> 32);
	link->next = (uint32) key;
	link->sibling = entry_at(schedule, entry)->links;
	entry_at(schedule, entry)->links = i;
}

/* Stores an entry whose number is new, neither due nor in a heap. */
uint32
store_add(Schedule *schedule, const ScheduleEntry *offered)
{
	uint32		result = pool_get(schedule, &schedule->entries);
	int			i;

	entry_at(schedule, result)->number = offered->number;
	for (i = 0; i < offered->nkeys; i++)
		add_link(schedule, result, offered->keys[i]);
	table_add(schedule, &schedule->by_number, result);
	return result;
}

/* Forgets an entry that has left the queues. */
void
store_delete(Schedule *schedule, uint32 entry)
{
	uint32		link;

	heap_put(schedule, entry, HEAP_NO);
	table_delete(schedule, &schedule->by_number, entry);
	link = entry_at(schedule, entry)->links;
	while (link != NONE)
	{
		uint32		sibling = link_at(schedule, link)->sibling;

		pool_put(&schedule->links, link);
		link = sibling;
	}
	pool_put(&schedule->entries, entry);
}

uint32
store_find_key(const Schedule *schedule, uint64 key)
{
	return table_find(schedule, &schedule->by_key, key);
}

/* Points a link at its key, which is made if this is its first entry. */
void
store_attach_key(Schedule *schedule, Link *link)
{
	uint64		value = store_link_key(schedule, link);
	uint32		key = store_find_key(schedule, value);

	if (key == NONE)
	{
		key = pool_get(schedule, &schedule->keys);
		key_at(schedule, key)->key = value;
		table_add(schedule, &schedule->by_key, key);
	}
	link->key = key;
	link->prev = NONE;
	link->next = NONE;
}

/* The reverse, for a link that is out of the queue. */
void
store_detach_key(Schedule *schedule, Link *link)
{
	uint32		key = link->key;
	uint64		value = store_link_key(schedule, link);

	link->key = NONE;
	link->prev = (uint32) (value >> 32);
	link->next = (uint32) value;
	if (key_at(schedule, key)->head == NONE)
	{
		table_delete(schedule, &schedule->by_key, key);
		pool_put(&schedule->keys, key);
	}
}

/* stack[depth] = entry */
void
store_push(Schedule *schedule, uint32 depth, uint32 entry)
{
	if (depth >= schedule->stack_size)
	{
		uint32		size = Max(64, schedule->stack_size * 2);

		schedule->stack = enlarge(schedule, schedule->stack,
								  schedule->stack_size * sizeof(uint32),
								  size * sizeof(uint32));
		schedule->stack_size = size;
	}
	schedule->stack[depth] = entry;
}
