/*-------------------------------------------------------------------------
 *
 * trigger_change.c
 *		What a statement has changed.
 *
 * What a CAS is told is "this card, that service"; rows that say the same of
 * these are the same here, whatever else they hold.  A statement changes the
 * set of them, and the difference of before and after is what has to be
 * requested.  Rows need not be paired for that, and two rows that swap their
 * cards come out right.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "trigger_change.h"
#include "trigger_key.h"

typedef struct Change
{
	ChangeKey	key;			/* must be first */
	TriggerRow	row;
	int			sides;
} Change;

/* What a change in memory takes, with its key and its texts, about. */
#define CHANGE_BYTES 256

struct ChangeMemory
{
	HTAB	   *added;			/* of ChangeDigest */
};

struct ChangeSet
{
	MemoryContext context;		/* owns everything */
	HTAB	   *changes;
	List	   *order;			/* of Change * */
};

static ChangeKey
row_key(const TriggerRow *row)
{
	return change_key_make(row->provider, row->smartcard, row->service, NULL);
}

ChangeMemory *
change_memory_make(MemoryContext context)
{
	ChangeMemory *memory = MemoryContextAlloc(context, sizeof(ChangeMemory));

	memory->added = change_digests_make("provreq added by statement",
										context);
	return memory;
}

ChangeSet *
change_set_make(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "provreq changes",
												  ALLOCSET_DEFAULT_SIZES);
	ChangeSet  *set = MemoryContextAllocZero(context, sizeof(ChangeSet));

	set->context = context;
	set->changes = change_table_make("provreq changes", sizeof(Change),
									 context);
	return set;
}

void
change_set_free(ChangeSet *set)
{
	MemoryContextDelete(set->context);
}

static bool
same_text(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

bool
change_same(const TriggerRow *a, const TriggerRow *b)
{
	if (!a->active || !b->active)
		return a->active == b->active;
	return same_text(a->provider, b->provider) &&
		same_text(a->smartcard, b->smartcard) &&
		same_text(a->service, b->service);
}

static const char *
copy_text(const char *string)
{
	return string != NULL ? pstrdup(string) : NULL;
}

static void
copy_row(TriggerRow *to, const TriggerRow *from)
{
	*to = *from;
	to->provider = copy_text(from->provider);
	to->subscription = copy_text(from->subscription);
	to->service = copy_text(from->service);
	to->smartcard = copy_text(from->smartcard);
}

void
change_note(ChangeSet *set, const TriggerRow *row, int side)
{
	ChangeKey	key;
	Change	   *change;
	MemoryContext old;
	bool		found;

	if (!row->active)
		return;
	key = row_key(row);
	change = hash_search(set->changes, &key, HASH_FIND, NULL);
	if (change == NULL)
	{
		key = change_key_copy(&key, set->context);
		change = hash_search(set->changes, &key, HASH_ENTER, &found);
		old = MemoryContextSwitchTo(set->context);
		copy_row(&change->row, row);
		change->sides = 0;
		set->order = lappend(set->order, change);
		MemoryContextSwitchTo(old);
	}
	change->sides |= side;
}

void
change_unchanged(ChangeSet *set, const TriggerRow *row)
{
	ChangeKey	key;
	Change	   *change;

	if (!row->active)
		return;
	key = row_key(row);
	change = hash_search(set->changes, &key, HASH_FIND, NULL);
	if (change != NULL)
		change->sides = CHANGE_BEFORE | CHANGE_AFTER;
}

bool
change_set_is_empty(const ChangeSet *set)
{
	return set->order == NIL;
}

bool
change_set_is_full(const ChangeSet *set)
{
	return (Size) list_length(set->order) * CHANGE_BYTES >
		(Size) work_mem * 1024;
}

/* What this statement has added stays, whatever row had it before. */
static bool
is_added(const ChangeMemory *memory, const Change *change)
{
	ChangeDigest digest;

	if (memory == NULL || hash_get_num_entries(memory->added) == 0)
		return false;
	digest = change_key_digest(&change->key);
	return hash_search(memory->added, &digest, HASH_FIND, NULL) != NULL;
}

/* False when it was added before. */
static bool
remember_added(ChangeMemory *memory, const Change *change)
{
	ChangeDigest digest;
	bool		found;

	if (memory == NULL)
		return true;
	digest = change_key_digest(&change->key);
	(void) hash_search(memory->added, &digest, HASH_ENTER, &found);
	return !found;
}

void
change_set_carry_out(ChangeSet *set, const TriggerRules *rules,
					 ChangeMemory *memory)
{
	ChangeRequests *requests = change_requests_make(rules, set->context);
	ListCell   *cell;

	foreach(cell, set->order)
	{
		const Change *change = lfirst(cell);

		CHECK_FOR_INTERRUPTS();
		if (change->sides == CHANGE_BEFORE && !is_added(memory, change))
			change_request(requests, &change->row, CHANGE_BEFORE);
	}
	foreach(cell, set->order)
	{
		const Change *change = lfirst(cell);

		CHECK_FOR_INTERRUPTS();
		if (change->sides == CHANGE_AFTER && remember_added(memory, change))
			change_request(requests, &change->row, CHANGE_AFTER);
	}
	change_requests_finish(requests);
}
