/*-------------------------------------------------------------------------
 *
 * schedule_heap.c
 *		The heaps of the schedule: binary, and every entry knows its place.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "schedule_private.h"

static bool
instant_less(TimestampTz a, TimestampTz b, const Entry *x, const Entry *y)
{
	return a != b ? a < b : x->number < y->number;
}

/* Does x come before y in a heap of that kind? */
static bool
heap_less(HeapKind kind, const Entry *x, const Entry *y)
{
	switch (kind)
	{
		case HEAP_LATER:
			return instant_less(x->scheduled, y->scheduled, x, y);
		case HEAP_RETRY:
			return instant_less(x->not_before, y->not_before, x, y);
		case HEAP_READY:
			if (x->effective != y->effective)
				return x->effective < y->effective;
			return instant_less(x->scheduled, y->scheduled, x, y);
		case HEAP_UNCHECKED:
			if (x->effective != y->effective)
				return x->effective < y->effective;
			return x->number < y->number;
		default:
			return x->number < y->number;
	}
}

static void
heap_store(Schedule *schedule, Heap *heap, uint32 at, uint32 entry)
{
	SCHEDULE_STEP();
	heap->items[at] = entry;
	entry_at(schedule, entry)->heap_at = at;
}

static void
heap_up(Schedule *schedule, HeapKind kind, uint32 at)
{
	Heap	   *heap = &schedule->heaps[kind];
	uint32		entry = heap->items[at];

	while (at > 0)
	{
		uint32		parent = (at - 1) / 2;

		if (!heap_less(kind, entry_at(schedule, entry),
					   entry_at(schedule, heap->items[parent])))
			break;
		heap_store(schedule, heap, at, heap->items[parent]);
		at = parent;
	}
	heap_store(schedule, heap, at, entry);
}

/*
 * Moves an item towards the leaves until none below it is to come before it.
 */
static void
heap_down(Schedule *schedule, HeapKind kind, uint32 at)
{
	Heap	   *heap = &schedule->heaps[kind];
	uint32		entry = heap->items[at];
	uint32		child;

	while ((child = 2 * at + 1) < heap->count)
	{
		if (child + 1 < heap->count &&
			heap_less(kind, entry_at(schedule, heap->items[child + 1]),
					  entry_at(schedule, heap->items[child])))
			child++;
		if (!heap_less(kind, entry_at(schedule, heap->items[child]),
					   entry_at(schedule, entry)))
			break;
		heap_store(schedule, heap, at, heap->items[child]);
		at = child;
	}
	heap_store(schedule, heap, at, entry);
}

static void
heap_remove(Schedule *schedule, HeapKind kind, uint32 at)
{
	Heap	   *heap = &schedule->heaps[kind];
	uint32		last = heap->items[--heap->count];

	if (at == heap->count)
		return;
	heap_store(schedule, heap, at, last);
	heap_up(schedule, kind, at);
	heap_down(schedule, kind, entry_at(schedule, last)->heap_at);
}

static void
heap_add(Schedule *schedule, HeapKind kind, uint32 entry)
{
	Heap	   *heap = &schedule->heaps[kind];

	if (heap->count == heap->size)
	{
		uint32		size = Max(64, heap->size * 2);
		uint32	   *items = store_alloc(schedule, size * sizeof(uint32));

		if (heap->items != NULL)
			memcpy(items, heap->items, heap->count * sizeof(uint32));
		store_free(schedule, heap->items, heap->size * sizeof(uint32));
		heap->items = items;
		heap->size = size;
	}
	heap->items[heap->count++] = entry;
	heap_up(schedule, kind, heap->count - 1);
}

/*
 * Moves an entry out of the heap that it is in and into that one, or into
 * none.  What a heap is ordered by must not change while an entry is in it,
 * but for heap_raised.
 */
void
heap_put(Schedule *schedule, uint32 entry, HeapKind kind)
{
	Entry	   *e = entry_at(schedule, entry);

	if (e->heap == kind)
		return;
	if (e->heap != HEAP_NO)
		heap_remove(schedule, e->heap, e->heap_at);
	e->heap = kind;
	if (kind != HEAP_NO)
		heap_add(schedule, kind, entry);
}

/* An entry has become more urgent. */
void
heap_raised(Schedule *schedule, uint32 entry)
{
	Entry	   *e = entry_at(schedule, entry);

	if (e->heap == HEAP_READY || e->heap == HEAP_UNCHECKED)
		heap_up(schedule, e->heap, e->heap_at);
}

/* The first entry of a heap, or NONE. */
uint32
heap_top(const Schedule *schedule, HeapKind kind)
{
	const Heap *heap = &schedule->heaps[kind];

	return heap->count > 0 ? heap->items[0] : NONE;
}
