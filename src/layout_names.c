/*-------------------------------------------------------------------------
 *
 * layout_names.c
 *		The names of the values that a layout takes.
 *
 * Each name has a slot, a small number, so that encoding finds the values of
 * all fields with one look-up for each value and none for each field.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "layout_private.h"

static uint32
hash_name(const char *name)
{
	uint32		hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char) *name) * 16777619u;
	return hash;
}

/* The slot of a name while the table of hashes is not there yet. */
int
layout_add_slot(Layout *layout, const char *name)
{
	for (int i = 0; i < layout->nslots; i++)
		if (strcmp(layout->slots[i], name) == 0)
			return i;
	if (layout->nslots == layout->slots_size)
	{
		layout->slots_size = Max(16, layout->slots_size * 2);
		layout->slots = layout->slots ?
			repalloc(layout->slots, layout->slots_size * sizeof(char *)) :
			palloc(layout->slots_size * sizeof(char *));
	}
	layout->slots[layout->nslots] = name;
	return layout->nslots++;
}

void
layout_hash_slots(Layout *layout)
{
	uint32		size = 4;

	while (size < layout->nslots * 2)
		size *= 2;
	layout->hash = palloc(size * sizeof(int16));
	memset(layout->hash, -1, size * sizeof(int16));
	layout->hash_mask = size - 1;
	for (int i = 0; i < layout->nslots; i++)
	{
		uint32		place = hash_name(layout->slots[i]);

		while (layout->hash[place & layout->hash_mask] >= 0)
			place++;
		layout->hash[place & layout->hash_mask] = i;
	}
}

/* The slot of a value's name; -1 when no field takes it. */
int
layout_slot(const Layout *layout, const char *name)
{
	uint32		place = hash_name(name);
	int			slot;

	while ((slot = layout->hash[place & layout->hash_mask]) >= 0 &&
		   strcmp(layout->slots[slot], name) != 0)
		place++;
	return slot;
}

bool
layout_takes(const Layout *layout, const char *name)
{
	return layout_slot(layout, name) >= 0;
}

bool
layout_has(const Layout *layout, const char *name)
{
	ListCell   *lc;

	foreach(lc, layout->names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

bool
layout_shows(const Layout *layout, const char *name)
{
	int			slot = layout_slot(layout, name);
	ListCell   *lc;

	foreach(lc, layout->fields)
	{
		const FieldSpec *spec = lfirst(lc);

		if (slot >= 0 && spec->slot == slot && !spec->secret)
			return true;
	}
	return false;
}

uint64
layout_greatest(const Layout *layout, const char *name)
{
	int			slot = layout_slot(layout, name);
	uint64		least = 0;
	ListCell   *lc;

	foreach(lc, layout->fields)
	{
		const FieldSpec *spec = lfirst(lc);
		uint64		greatest;

		if (slot < 0 || spec->slot != slot)
			continue;
		greatest = layout_greatest_of(spec);
		if (greatest > 0 && (least == 0 || greatest < least))
			least = greatest;
	}
	return least;
}
