/*-------------------------------------------------------------------------
 *
 * schedule_order.c
 *		The queues of the keys: who stands where, and what follows from it.
 *
 * All queues are sorted by the same order, so nothing ever waits in a circle.
 * Three things are kept up to date without walking the queues:
 *
 * blocked: in how many queues an entry is not the first.
 *
 * effective urgency: from the head of a queue to its tail it never gets more
 * urgent, held entries left aside; so a lift may stop at the first entry that
 * is already as urgent, and an entry that is put in the middle learns all
 * from the next one behind it.
 *
 * stuck: in every queue the stuck entries are its last ones.  Marking is
 * complete, so that what counts as sendable is; unmarking is done for a
 * number of followers at once, and for the rest when they get to the front,
 * so that a head with 100,000 followers may be retried for ever at no cost.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "schedule_private.h"

#define UNMARK_AT_ONCE 64

/* What stands further in front, the smaller the number. */
static int
order_class(const Entry *e)
{
	return e->in_flight ? 0 : e->been_out ? 1 : 2;
}

static bool
precedes(const Entry *x, const Entry *y)
{
	int			class_x = order_class(x);
	int			class_y = order_class(y);

	return class_x != class_y ? class_x < class_y : x->number < y->number;
}

/* ------------------------------------------------------------------------
 * Flags that count
 * ------------------------------------------------------------------------
 */
static bool
is_sendable(const Entry *e)
{
	return e->due && !e->stuck && !e->in_flight;
}

static void
set_stuck(Schedule *schedule, Entry *e, bool stuck)
{
	schedule->sendable -= is_sendable(e);
	e->stuck = stuck;
	schedule->sendable += is_sendable(e);
}

static void
set_due(Schedule *schedule, Entry *e, bool due)
{
	schedule->sendable -= is_sendable(e);
	e->due = due;
	schedule->sendable += is_sendable(e);
}

void
order_set_in_flight(Schedule *schedule, uint32 entry, bool in_flight)
{
	Entry	   *e = entry_at(schedule, entry);

	schedule->sendable -= is_sendable(e);
	schedule->in_flight -= e->in_flight;
	e->in_flight = in_flight;
	schedule->in_flight += e->in_flight;
	schedule->sendable += is_sendable(e);
}

void
order_set_held(Schedule *schedule, uint32 entry, bool held)
{
	Entry	   *e = entry_at(schedule, entry);

	schedule->held -= e->held;
	e->held = held;
	schedule->held += e->held;
}

/* Puts an entry into the heap where its state wants it. */
void
order_settle(Schedule *schedule, uint32 entry)
{
	Entry	   *e = entry_at(schedule, entry);
	HeapKind	kind = HEAP_NO;

	if (!e->due)
		kind = HEAP_LATER;
	else if (e->in_flight || e->held)
		kind = HEAP_NO;
	else if (e->unchecked && !e->been_out)
		kind = e->waits ? HEAP_NO : HEAP_UNCHECKED;
	else if (e->not_before != 0)
		kind = HEAP_RETRY;
	else if (e->blocked == 0)
		kind = HEAP_READY;
	heap_put(schedule, entry, kind);
}

/* ------------------------------------------------------------------------
 * Stuck
 * ------------------------------------------------------------------------
 */
static bool
is_stuck_itself(const Entry *e)
{
	return e->held || e->not_before != 0;
}

static bool
is_behind_stuck(const Schedule *schedule, const Entry *e)
{
	uint32		i;

	for (i = e->links; i != NONE; i = link_at(schedule, i)->sibling)
	{
		uint32		prev = link_at(schedule, i)->prev;

		if (prev != NONE && link_entry(schedule, prev)->stuck)
			return true;
	}
	return false;
}

/*
 * Marks an entry as stuck if it is, and all behind it, transitively.  Each
 * entry is marked once, and only unmarking lets that happen again.
 */
void
order_mark(Schedule *schedule, uint32 entry)
{
	Entry	   *e = entry_at(schedule, entry);
	uint32		depth = 0;
	uint32		i;

	if (e->stuck || !(is_stuck_itself(e) || is_behind_stuck(schedule, e)))
		return;
	set_stuck(schedule, e, true);
	store_push(schedule, depth++, entry);
	while (depth > 0)
	{
		e = entry_at(schedule, schedule->stack[--depth]);
		for (i = e->links; i != NONE; i = link_at(schedule, i)->sibling)
		{
			uint32		next = link_at(schedule, i)->next;

			SCHEDULE_STEP();
			if (next == NONE || link_entry(schedule, next)->stuck)
				continue;
			set_stuck(schedule, link_entry(schedule, next), true);
			store_push(schedule, depth++, link_at(schedule, next)->entry);
		}
	}
}

/*
 * Takes the mark from an entry if nothing makes it stuck any more, and from
 * some of those behind it.
 */
void
order_unmark(Schedule *schedule, uint32 entry)
{
	uint32		depth = 0;
	int			budget = UNMARK_AT_ONCE;
	uint32		i;

	store_push(schedule, depth++, entry);
	while (depth > 0 && budget-- > 0)
	{
		Entry	   *e = entry_at(schedule, schedule->stack[--depth]);

		SCHEDULE_STEP();
		if (!e->stuck || is_stuck_itself(e) || is_behind_stuck(schedule, e))
			continue;
		set_stuck(schedule, e, false);
		for (i = e->links; i != NONE; i = link_at(schedule, i)->sibling)
		{
			uint32		next = link_at(schedule, i)->next;

			if (next != NONE)
				store_push(schedule, depth++, link_at(schedule, next)->entry);
		}
	}
}

/* ------------------------------------------------------------------------
 * Lifting
 * ------------------------------------------------------------------------
 */

/* The effective urgency of the next entry behind that is not held. */
static Urgency
urgency_behind(const Schedule *schedule, const Link *link)
{
	uint32		i;

	for (i = link->next; i != NONE; i = link_at(schedule, i)->next)
	{
		SCHEDULE_STEP();
		if (!link_entry(schedule, i)->held)
			return link_entry(schedule, i)->effective;
	}
	return URGENCY_REGULAR;
}

/*
 * Lifts those in front of a link to the urgency.  Stops at the first one
 * that is not held, which lifts those in front of it: returns that one when
 * its urgency has changed, else NONE.
 */
static uint32
lift_in_front(Schedule *schedule, const Link *link, Urgency urgency)
{
	uint32		i;

	for (i = link->prev; i != NONE; i = link_at(schedule, i)->prev)
	{
		Entry	   *e = link_entry(schedule, i);
		bool		raised = e->effective > urgency;

		SCHEDULE_STEP();
		if (e->in_flight)
			return NONE;
		if (raised)
		{
			e->effective = urgency;
			heap_raised(schedule, link_at(schedule, i)->entry);
		}
		if (!e->held)
			return raised ? link_at(schedule, i)->entry : NONE;
	}
	return NONE;
}

/* Lifts an entry by those behind it, and those in front by it. */
void
order_lift(Schedule *schedule, uint32 entry)
{
	Entry	   *e = entry_at(schedule, entry);
	uint32		depth = 0;
	uint32		i;

	for (i = e->links; i != NONE; i = link_at(schedule, i)->sibling)
		e->effective = Min(e->effective,
						   urgency_behind(schedule, link_at(schedule, i)));
	heap_raised(schedule, entry);
	if (e->held)
		return;
	store_push(schedule, depth++, entry);
	while (depth > 0)
	{
		e = entry_at(schedule, schedule->stack[--depth]);
		for (i = e->links; i != NONE; i = link_at(schedule, i)->sibling)
		{
			uint32		lifted = lift_in_front(schedule,
											   link_at(schedule, i),
											   e->effective);

			if (lifted != NONE)
				store_push(schedule, depth++, lifted);
		}
	}
}

/* ------------------------------------------------------------------------
 * Places
 * ------------------------------------------------------------------------
 */

/*
 * The link in front of which an entry belongs, NONE for the end.  Searches
 * from both ends: what is new belongs to the tail, what was scheduled for
 * later or comes back to the head.
 */
static uint32
find_place(const Schedule *schedule, const Key *key, const Entry *e)
{
	uint32		front = key->head;
	uint32		back = key->tail;

	while (back != NONE)
	{
		SCHEDULE_STEP();
		if (precedes(link_entry(schedule, back), e))
			return link_at(schedule, back)->next;
		if (precedes(e, link_entry(schedule, front)))
			return front;
		back = link_at(schedule, back)->prev;
		front = link_at(schedule, front)->next;
	}
	return key->head;
}

/* Puts a link, already attached to its key, into the queue. */
static void
insert_link(Schedule *schedule, uint32 this)
{
	Link	   *link = link_at(schedule, this);
	Key		   *key = key_at(schedule, link->key);
	Entry	   *e = entry_at(schedule, link->entry);
	uint32		next = find_place(schedule, key, e);

	link->next = next;
	link->prev = next == NONE ? key->tail : link_at(schedule, next)->prev;
	if (next == NONE)
		key->tail = this;
	else
		link_at(schedule, next)->prev = this;
	if (link->prev != NONE)
	{
		link_at(schedule, link->prev)->next = this;
		e->blocked++;
		return;
	}
	key->head = this;
	if (next != NONE)
	{
		link_entry(schedule, next)->blocked++;
		order_settle(schedule, link_at(schedule, next)->entry);
	}
}

/* Takes a link out of the queue; the next one may come to the front. */
static void
remove_link(Schedule *schedule, uint32 this)
{
	Link	   *link = link_at(schedule, this);
	Key		   *key = key_at(schedule, link->key);
	uint32		prev = link->prev;
	uint32		next = link->next;

	link->prev = NONE;
	link->next = NONE;
	if (prev == NONE)
		key->head = next;
	else
	{
		link_at(schedule, prev)->next = next;
		entry_at(schedule, link->entry)->blocked--;
	}
	if (next == NONE)
	{
		key->tail = prev;
		return;
	}
	link_at(schedule, next)->prev = prev;
	if (prev == NONE)
		link_entry(schedule, next)->blocked--;
	order_unmark(schedule, link_at(schedule, next)->entry);
	order_settle(schedule, link_at(schedule, next)->entry);
}

/*
 * Puts an entry into the queues of its keys, its fields being set.  The
 * caller still has to settle it.
 */
void
order_enter(Schedule *schedule, uint32 entry)
{
	Entry	   *e = entry_at(schedule, entry);
	uint32		i;

	set_due(schedule, e, true);
	for (i = e->links; i != NONE; i = link_at(schedule, i)->sibling)
	{
		store_attach_key(schedule, link_at(schedule, i));
		insert_link(schedule, i);
	}
	order_mark(schedule, entry);
	order_lift(schedule, entry);
}

/*
 * Takes an entry out of the queues, as if it had not come due, and out of
 * its heap.  It is not in flight and not stuck afterwards.
 */
void
order_leave(Schedule *schedule, uint32 entry)
{
	Entry	   *e = entry_at(schedule, entry);
	uint32		i;

	heap_put(schedule, entry, HEAP_NO);
	if (!e->due)
		return;
	order_set_in_flight(schedule, entry, false);
	for (i = e->links; i != NONE; i = link_at(schedule, i)->sibling)
	{
		remove_link(schedule, i);
		store_detach_key(schedule, link_at(schedule, i));
	}
	set_due(schedule, e, false);
	set_stuck(schedule, e, false);
	e->effective = e->urgency;
}

/*
 * Gives an entry that has been in flight the place and the urgency that are
 * now its own, and settles it.
 */
void
order_reseat(Schedule *schedule, uint32 entry)
{
	Entry	   *e = entry_at(schedule, entry);
	uint32		i;

	e->effective = e->urgency;
	for (i = e->links; i != NONE; i = link_at(schedule, i)->sibling)
	{
		uint32		next = link_at(schedule, i)->next;

		if (next == NONE || precedes(e, link_entry(schedule, next)))
			continue;
		remove_link(schedule, i);
		insert_link(schedule, i);
	}
	order_mark(schedule, entry);
	order_lift(schedule, entry);
	order_settle(schedule, entry);
}
