/*-------------------------------------------------------------------------
 *
 * schedule_owner.c
 *		The owner of a schedule, as schedule.h wants it, with the model's
 *		array as its table; and what may come in between its steps.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "schedule_stream.h"

#define REFILL_LIMIT 5
#define LATER_AHEAD 40

uint32
stream_random(Stream *stream, uint32 below)
{
	stream->random ^= stream->random << 13;
	stream->random ^= stream->random >> 7;
	stream->random ^= stream->random << 17;
	return (uint32) (stream->random >> 24) % below;
}

/* Keeps the first failure; returns false. */
bool
stream_fail(Stream *stream, const char *what, int64 number)
{
	if (stream->failure[0] == '\0')
		snprintf(stream->failure, sizeof(stream->failure),
				 "%s, request %lld", what, (long long) number);
	return false;
}

static int64
new_number(Stream *stream)
{
	if (stream->ngaps > 0 && stream_random(stream, 5) == 0)
		return stream->gaps[--stream->ngaps];
	if (stream->ngaps < lengthof(stream->gaps) &&
		stream_random(stream, 4) == 0)
		stream->gaps[stream->ngaps++] = stream->next_number++;
	return stream->next_number++;
}

/* A request that its creator has committed, not yet offered. */
Row *
stream_new_row(Stream *stream)
{
	Row		   *row = model_add(&stream->model, new_number(stream));
	int			nkeys = stream_random(stream, 3) > 0 ? 1 :
		1 + stream_random(stream, 4);
	uint32		kind = stream_random(stream, 20);

	while (nkeys-- > 0)
		row->keys |= UINT64CONST(1) <<
			stream_random(stream, stream->key_space);
	row->urgency = kind == 0 ? 0 : kind < 4 ? 1 : 2;
	row->effective = row->urgency;
	row->scheduled = stream->now - stream_random(stream, 3);
	if (stream_random(stream, 6) == 0)
		row->scheduled = stream->now + stream_random(stream, 100);
	row->been_out = stream_random(stream, 40) == 0;
	if (row->been_out && stream_random(stream, 2) == 0)
		row->not_before = stream->now + stream_random(stream, 30);
	row->held = stream_random(stream, 60) == 0;
	return row;
}

static int
fill_keys(Stream *stream, const Row *row, uint64 *keys)
{
	int			count = 0;
	int			i;

	for (i = 0; i < MODEL_KEYS; i++)
	{
		if ((row->keys >> i & 1) == 0)
			continue;
		keys[count++] = stream->plain_keys ? (uint64) i :
			(uint64) (i + 1) * UINT64CONST(0x9E3779B97F4A7C15);
	}
	/* a key may be named twice */
	if (stream_random(stream, 4) == 0)
	{
		keys[count] = keys[0];
		count++;
	}
	return count;
}

/* Offers a row; in a schedule without limits the answer is known. */
ScheduleOffered
owner_offer(Stream *stream, Row *row, ScheduleSource source)
{
	uint64		keys[MODEL_KEYS + 1];
	ScheduleEntry entry = {0};
	bool		known = schedule_knows(stream->schedule, row->number);
	ScheduleOffered result;

	entry.number = row->number;
	entry.immediate = row->urgency == 0;
	entry.express = row->urgency == 1;
	entry.held = row->held;
	entry.been_out = row->been_out;
	entry.scheduled = row->scheduled;
	entry.not_before = row->not_before;
	entry.nkeys = fill_keys(stream, row, keys);
	entry.keys = keys;
	result = schedule_offer(stream->schedule, &entry, source, stream->now);
	stream->deferred += result == SCHEDULE_DEFERRED;
	if (result != SCHEDULE_FULL)
		row->seen = true;
	if (row->step == 0)
		row->step = stream->step;
	if (result == SCHEDULE_ADDED)
	{
		row->turn = stream->model.turn;
		row->waits = source == SCHEDULE_BITE;
	}
	else if (source == SCHEDULE_LOOKUP)
		row->waits = false;
	if (stream->window == 0 &&
		result != (known ? SCHEDULE_KNOWN : SCHEDULE_ADDED))
		stream_fail(stream, "offer answered wrongly", row->number);
	if ((result == SCHEDULE_ADDED || result == SCHEDULE_KNOWN) !=
		schedule_knows(stream->schedule, row->number) &&
		result != SCHEDULE_FULL)
		stream_fail(stream, "offer says what is not so", row->number);
	return result;
}

static bool
is_news(const Row *row)
{
	return !row->seen && !row->closed && !row->unread;
}

/* Offers what has not been offered yet, in order of number. */
void
owner_feed(Stream *stream)
{
	int			i;

	stream->step++;
	for (i = 0; i < stream->model.count; i++)
	{
		if (is_news(&stream->model.rows[i]))
			owner_offer(stream, &stream->model.rows[i], SCHEDULE_FEED);
	}
}

/* Leaves what has not been offered yet to be read in parts. */
static void
begin_parts(Stream *stream)
{
	int			i;

	stream->step++;
	for (i = 0; i < stream->model.count; i++)
	{
		Row		   *row = &stream->model.rows[i];

		if (!is_news(row))
			continue;
		row->unread = true;
		if (row->step == 0)
			row->step = stream->step;
	}
	if (stream->feeding_since == 0)
		stream->feeding_since = stream->model.turn;
	schedule_feed_begin(stream->schedule);
}

/* Of what is unread, the next: by the feed that saw it, and number. */
static Row *
next_unread(Stream *stream)
{
	Row		   *next = NULL;
	int			i;

	for (i = 0; i < stream->model.count; i++)
	{
		Row		   *row = &stream->model.rows[i];

		if (row->unread && !row->closed &&
			(next == NULL || row->step < next->step))
			next = row;
	}
	return next;
}

/* A row whose time has come in the meantime may have been looked up. */
static void
bite(Stream *stream)
{
	int			count = 1 + stream_random(stream, 3);
	Row		   *row;

	while (count-- > 0 && (row = next_unread(stream)) != NULL)
	{
		row->unread = false;
		if (!row->in_flight)
		{
			row->effective = row->urgency;
			row->due = false;
		}
		owner_offer(stream, row, SCHEDULE_BITE);
		stream->bites++;
	}
}

/* One feed, whole or in parts. */
static void
feed(Stream *stream)
{
	int			news = 0;
	int			i;

	bite(stream);
	for (i = 0; i < stream->model.count; i++)
		news += is_news(&stream->model.rows[i]);
	if (stream->parts && news > 1 + stream_random(stream, 4))
		begin_parts(stream);
	else
		owner_feed(stream);
	if (stream->feeding_since == 0 || next_unread(stream) != NULL)
		return;
	stream->feeding_since = 0;
	schedule_feed_end(stream->schedule);
}

/* May the schedule make it wait for the end of a feed in parts? */
bool
owner_may_wait(const Stream *stream, const Row *row)
{
	return stream->feeding_since != 0 && !row->been_out &&
		row->turn >= stream->feeding_since &&
		((stream->window == 0 ? row->effective : row->urgency) == 2 ||
		 row->waits);
}

/* Moves the later limit, and offers what is now within it. */
static void
read_later(Stream *stream)
{
	TimestampTz old = stream->limit;
	int			i;

	if (stream->window == 0)
		return;
	stream->limit = stream->now + LATER_AHEAD;
	schedule_set_later_limit(stream->schedule, stream->limit);
	for (i = 0; i < stream->model.count; i++)
	{
		Row		   *row = &stream->model.rows[i];

		if (!row->closed && row->seen && row->scheduled > old &&
			row->scheduled <= stream->limit &&
			!schedule_knows(stream->schedule, row->number))
			owner_offer(stream, row, SCHEDULE_FEED);
	}
}

/* What other sessions and time do while the owner reads. */
static void
interfere(Stream *stream)
{
	switch (stream_random(stream, 6))
	{
		case 0:
			stream->now += stream_random(stream, 4);
			break;
		case 1:
			if (stream->model.count < stream->max_rows)
			{
				stream_new_row(stream);
				owner_feed(stream);
			}
			break;
		case 2:
			if (stream->model.count < stream->max_rows)
				stream_new_row(stream);
			break;
	}
}

/* One refill, of the rows that are due when it reads. */
static void
refill(Stream *stream)
{
	int64		after = schedule_refill_begin(stream->schedule);
	int64		numbers[REFILL_LIMIT];
	ScheduleCounts counts;
	int			count = 0;
	int			i;

	for (i = 0; i < stream->model.count && count < REFILL_LIMIT; i++)
	{
		const Row  *row = &stream->model.rows[i];

		if (!row->closed && row->number > after &&
			row->scheduled <= stream->now)
			numbers[count++] = row->number;
	}
	stream->refills++;
	interfere(stream);
	for (i = 0; i < count; i++)
	{
		if (owner_offer(stream, model_find(&stream->model, numbers[i]),
						SCHEDULE_REFILL) == SCHEDULE_FULL)
			return;
	}
	if (count < REFILL_LIMIT)
		schedule_refill_complete(stream->schedule);
	schedule_counts(stream->schedule, &counts);
	if (count > 0 && counts.overflowing &&
		schedule_refill_begin(stream->schedule) != numbers[count - 1])
		stream_fail(stream, "wrong horizon", numbers[count - 1]);
}

/* Offers what may have to go before that request, as the table has it. */
static void
look_up(Stream *stream, int64 number)
{
	uint64		keys = model_find(&stream->model, number)->keys;
	static int64 numbers[MODEL_ROWS];
	int			count = 0;
	int			i;

	for (i = 0; i < stream->model.count; i++)
	{
		const Row  *other = &stream->model.rows[i];

		if (!other->closed && other->number < number &&
			(other->keys & keys) != 0 && other->scheduled <= stream->now)
			numbers[count++] = other->number;
	}
	interfere(stream);
	for (i = 0; i < count; i++)
		owner_offer(stream, model_find(&stream->model, numbers[i]),
					SCHEDULE_LOOKUP);
	schedule_lookup_done(stream->schedule, number);
	stream->lookups++;
}

static int
count_sendable(Stream *stream)
{
	int			count = 0;
	int			i;

	model_find_stuck(&stream->model);
	for (i = 0; i < stream->model.count; i++)
	{
		const Row  *row = &stream->model.rows[i];

		count += !row->closed && row->seen && row->due && !row->stuck &&
			!row->in_flight && schedule_knows(stream->schedule, row->number);
	}
	return count;
}

static bool
check_counts(Stream *stream, bool refilled)
{
	ScheduleCounts counts;
	int			sendable = count_sendable(stream);
	uint32		in_flight = 0;
	uint32		held = 0;
	uint32		known = 0;
	uint32		later = 0;
	uint32		may_wait = 0;
	int			i;

	for (i = 0; i < stream->model.count; i++)
	{
		const Row  *row = &stream->model.rows[i];

		in_flight += row->in_flight;
		if (row->closed || !schedule_knows(stream->schedule, row->number))
			continue;
		known++;
		may_wait += owner_may_wait(stream, row);
		held += row->held;
		later += !row->due;
	}
	schedule_counts(stream->schedule, &counts);
	if (counts.in_flight != in_flight)
		return stream_fail(stream, "wrong count of in flight", in_flight);
	if (counts.held != held)
		return stream_fail(stream, "wrong count of held", held);
	if (counts.in_memory != known)
		return stream_fail(stream, "wrong count in memory", known);
	if (counts.later != later)
		return stream_fail(stream, "wrong count of later", later);
	if (counts.unchecked > may_wait)
		return stream_fail(stream, "look-up left over", counts.unchecked);
	if (counts.sendable > sendable + may_wait)
		return stream_fail(stream, "too much seems sendable", sendable);
	if (counts.sendable < sendable && stream->few_rows)
		return stream_fail(stream, "too little seems sendable", sendable);
	if (refilled && stream->feeding_since == 0 && stream->window != 0 &&
		counts.overflowing &&
		sendable < (stream->window + 1) / 2 &&
		known + stream->window / 2 <= stream->window * SCHEDULE_CAP_FACTOR)
		return stream_fail(stream, "window ran dry", sendable);
	return true;
}

/* What the owner does each turn, up to taking. */
bool
owner_turn(Stream *stream)
{
	bool		refilled = false;
	int64		number;
	int			guard;

	read_later(stream);
	if (stream->feeding_since != 0 || stream_random(stream, 4) > 0)
		feed(stream);
	for (guard = 0; !refilled && guard < 1000; guard++)
	{
		refilled = !schedule_wants_refill(stream->schedule, stream->now);
		if (!refilled)
			refill(stream);
		if (stream_random(stream, 5) == 0)
			break;
	}
	read_later(stream);
	for (guard = 0;
		 schedule_next_lookup(stream->schedule, stream->now, &number);
		 guard++)
	{
		if (guard > 1000)
			return stream_fail(stream, "look-ups without end", number);
		look_up(stream, number);
	}
	for (guard = 0; guard < stream->model.count; guard++)
	{
		Row		   *row = &stream->model.rows[guard];

		row->lifts = stream->feeding_since == 0 ||
			schedule_knows(stream->schedule, row->number);
	}
	model_advance(&stream->model, stream->now);
	refilled = refilled &&
		!schedule_wants_refill(stream->schedule, stream->now);
	stream->model.turn++;
	return check_counts(stream, refilled) && stream->failure[0] == '\0';
}
