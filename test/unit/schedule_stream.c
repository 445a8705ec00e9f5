/*-------------------------------------------------------------------------
 *
 * schedule_stream.c
 *		Random events, and the comparison of what is taken.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "schedule_stream.h"

static TimestampTz
some_retry(Stream *stream)
{
	return stream_random(stream, 3) == 0 ? 0 :
		stream->now + stream_random(stream, 25);
}

/* A random row that is open and of the wanted kind, or NULL. */
static Row *
pick(Stream *stream, bool in_flight)
{
	int			start;
	int			i;

	if (stream->model.count == 0)
		return NULL;
	start = stream_random(stream, stream->model.count);
	for (i = 0; i < stream->model.count; i++)
	{
		Row		   *row =
			&stream->model.rows[(start + i) % stream->model.count];

		if (!row->closed && row->in_flight == in_flight)
			return row;
	}
	return NULL;
}

/* What the model says would be taken, in order, and what might. */
static int
expected_take(Stream *stream, Row **expected)
{
	int			count = 0;
	int			i;
	int			at;

	for (i = 0; i < stream->model.count; i++)
	{
		Row		   *row = &stream->model.rows[i];

		if (!model_is_ready(&stream->model, row))
			continue;
		if (!schedule_knows(stream->schedule, row->number))
		{
			if (row->effective < 2 && stream->feeding_since == 0)
				stream_fail(stream, "urgent one is not in memory",
							row->number);
			continue;
		}
		for (at = count++; at > 0 && model_before(row, expected[at - 1]); at--)
			expected[at] = expected[at - 1];
		expected[at] = row;
	}
	return count;
}

static bool
take(Stream *stream, int max)
{
	static Row *expected[MODEL_ROWS];
	static int64 numbers[MODEL_ROWS];
	int			ready = expected_take(stream, expected);
	int			count = schedule_take(stream->schedule, stream->now, numbers,
									  max);
	bool		exact = stream->feeding_since == 0 || stream->window == 0;
	int			at = 0;
	int			i;

	for (i = 0; i < count; i++)
	{
		Row		   *row = model_find(&stream->model, numbers[i]);

		if (row == NULL || !model_is_ready(&stream->model, row))
			return stream_fail(stream, "taken and not ready", numbers[i]);
		if (model_overtakes_unread(&stream->model, row, stream->now))
			return stream_fail(stream, "overtakes an unread one", numbers[i]);
		if (!exact)
			continue;			/* what waits may lift what it must not yet */
		while (at < ready && expected[at] != row &&
			   owner_may_wait(stream, expected[at]))
			at++;
		if (at >= ready || expected[at++] != row)
			return stream_fail(stream, "taken out of order", numbers[i]);
	}
	for (i = 0; i < count; i++)
		model_find(&stream->model, numbers[i])->in_flight = true;
	for (at = 0; count < max && at < ready; at++)
	{
		if (!expected[at]->in_flight && !owner_may_wait(stream, expected[at]))
			return stream_fail(stream, "not taken", expected[at]->number);
	}
	stream->taken += count;
	stream->meanwhile += stream->feeding_since != 0 ? count : 0;
	return true;
}

/* An exchange ends. */
static bool
settle(Stream *stream)
{
	Row		   *row = pick(stream, true);
	uint32		how = stream_random(stream, 10);
	bool		done;

	if (row == NULL)
		return true;
	row->effective = row->urgency;
	row->excused = true;
	if (how < 5)
	{
		row->closed = true;
		return schedule_finish(stream->schedule, row->number) ||
			stream_fail(stream, "finish failed", row->number);
	}
	row->in_flight = false;
	if (how < 9)
		row->not_before = some_retry(stream);
	if (how < 7)
		done = schedule_return(stream->schedule, row->number, row->not_before);
	else if (how < 9)
		done = schedule_retry(stream->schedule, row->number, row->not_before);
	else
		done = schedule_hold(stream->schedule, row->number);
	row->been_out |= how >= 7;
	row->held = how >= 9;
	return done || stream_fail(stream, "not back", row->number);
}

static bool
hold_or_release(Stream *stream)
{
	Row		   *row = pick(stream, false);
	bool		known;

	if (row == NULL)
		return true;
	known = schedule_knows(stream->schedule, row->number);
	if (!row->held)
	{
		row->held = true;
		if (schedule_hold(stream->schedule, row->number) != known)
			return stream_fail(stream, "hold failed", row->number);
		return true;
	}
	row->held = false;
	row->not_before = 0;
	row->turn = stream->model.turn;
	if (schedule_release(stream->schedule, row->number) != known)
		return stream_fail(stream, "release failed", row->number);
	if (!known)
		owner_offer(stream, row, SCHEDULE_FEED);
	return true;
}

/* Releases those that were held for long, so that streams go on. */
static void
release_all(Stream *stream)
{
	int			i;

	for (i = 0; i < stream->model.count; i++)
	{
		Row		   *row = &stream->model.rows[i];

		if (row->closed || row->in_flight || !row->held)
			continue;
		row->held = false;
		row->not_before = 0;
		row->turn = stream->model.turn;
		if (!schedule_release(stream->schedule, row->number) && row->seen)
			owner_offer(stream, row, SCHEDULE_FEED);
	}
}

static bool
cancel(Stream *stream)
{
	Row		   *row = pick(stream, stream_random(stream, 3) == 0);
	bool		removable;

	if (row == NULL)
		return true;
	removable = !row->in_flight &&
		schedule_knows(stream->schedule, row->number);
	if (schedule_remove(stream->schedule, row->number) != removable)
		return stream_fail(stream, "remove answered wrongly", row->number);
	if (!row->in_flight)
		row->closed = true;
	return true;
}

/* Somebody changes a request in the table. */
static void
change(Stream *stream)
{
	Row		   *row = pick(stream, stream_random(stream, 4) == 0);

	if (row == NULL)
		return;
	row->unread = false;		/* it is news of another transaction now */
	if (!row->seen)
		return;
	row->excused = true;
	if (row->in_flight)
	{
		owner_offer(stream, row, SCHEDULE_FEED);
		return;
	}
	if (stream_random(stream, 2) == 0)
		row->urgency = stream_random(stream, 3);
	if (stream_random(stream, 3) == 0)
		row->scheduled = stream->now + (int) stream_random(stream, 80) - 20;
	if (stream_random(stream, 3) == 0)
		row->held = stream_random(stream, 2) == 0;
	if (stream_random(stream, 4) == 0)
		row->not_before = some_retry(stream);
	if (stream_random(stream, 12) == 0)
		row->been_out = true;
	row->effective = row->urgency;
	row->due = false;
	owner_offer(stream, row, SCHEDULE_FEED);
}

static void
create(Stream *stream)
{
	int			count = 1 + stream_random(stream, 4);

	while (count-- > 0 && stream->model.count < stream->max_rows)
		stream_new_row(stream);
}

static void
move_clock(Stream *stream)
{
	if (stream->window == 0 && stream_random(stream, 6) == 0)
		stream->now -= stream_random(stream, 10);
	else
		stream->now += stream_random(stream, 12);
}

bool
stream_step(Stream *stream)
{
	TimestampTz next;
	bool		right = true;
	uint32		event = stream_random(stream, 100);

	if (event < 30)
		create(stream);
	else if (event < 55)
		right = take(stream, 1 + stream_random(stream, 6));
	else if (event < 80)
		right = settle(stream);
	else if (event < 84)
		right = hold_or_release(stream);
	else if (event < 86)
		release_all(stream);
	else if (event < 89)
		right = cancel(stream);
	else if (event < 93)
		change(stream);
	else
		move_clock(stream);
	model_drop_closed(&stream->model);
	if (!right || !owner_turn(stream))
		return false;
	next = schedule_next_time(stream->schedule, stream->now);
	if (stream->window == 0 && stream->feeding_since == 0 && next != model_next_time(&stream->model))
		return stream_fail(stream, "wrong next time", next);
	return true;
}

bool
stream_drain(Stream *stream)
{
	ScheduleCounts counts;
	int			turns;

	for (turns = 0; stream->model.count > 0 || turns == 0; turns++)
	{
		int			i;

		if (turns > 5000)
			return stream_fail(stream, "never goes out",
							   stream->model.rows[0].number);
		stream->now += 1 + turns;
		stream->max_rows = 0;
		release_all(stream);
		if (!owner_turn(stream) || !take(stream, 4))
			return false;
		for (i = 0; i < stream->model.count; i++)
		{
			Row		   *row = &stream->model.rows[i];

			if (!row->in_flight)
				continue;
			row->closed = true;
			schedule_finish(stream->schedule, row->number);
		}
		model_drop_closed(&stream->model);
	}
	schedule_counts(stream->schedule, &counts);
	return counts.in_memory == 0 || stream_fail(stream, "not empty", 0);
}

void
stream_start(Stream *stream, uint64 seed, bool windowed, bool long_one,
			 bool parts)
{
	static const int spaces[] = {1, 3, 8, 20, MODEL_KEYS};
	uint32		filter_keys;
	int			i;

	memset(stream, 0, sizeof(*stream));
	stream->random = (seed + 1) * UINT64CONST(0x9E3779B97F4A7C15);
	for (i = 0; i < 4; i++)
		stream_random(stream, 2);
	stream->now = 1000;
	stream->limit = stream->now;
	stream->next_number = 1 + stream_random(stream, 3);
	stream->key_space = spaces[stream_random(stream, lengthof(spaces))];
	stream->plain_keys = stream_random(stream, 2) == 0;
	stream->max_rows = long_one ? 120 : 5 + stream_random(stream, 35);
	stream->few_rows = stream->max_rows <= 15;
	stream->parts = parts;
	stream->model.turn = 1;
	if (windowed)
		stream->window = 1 + stream_random(stream, 8);
	filter_keys = stream_random(stream, 2) == 0 ? 1 : 100;
	stream->schedule =
		schedule_create(windowed ? stream->window : 1000000, filter_keys);
	if (windowed)
		schedule_set_later_limit(stream->schedule, stream->limit);
}

void
stream_end(Stream *stream)
{
	schedule_free(stream->schedule);
}
