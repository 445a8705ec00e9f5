/*-------------------------------------------------------------------------
 *
 * schedule_model.c
 *		The rules of schedule.h, worked out from scratch each time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "schedule_model.h"

Row *
model_add(Model *model, int64 number)
{
	int			at = model->count++;

	while (at > 0 && model->rows[at - 1].number > number)
	{
		model->rows[at] = model->rows[at - 1];
		at--;
	}
	memset(&model->rows[at], 0, sizeof(Row));
	model->rows[at].number = number;
	return &model->rows[at];
}

void
model_drop_closed(Model *model)
{
	int			kept = 0;
	int			i;

	for (i = 0; i < model->count; i++)
	{
		if (!model->rows[i].closed)
			model->rows[kept++] = model->rows[i];
	}
	model->count = kept;
}

Row *
model_find(Model *model, int64 number)
{
	int			i;

	for (i = 0; i < model->count; i++)
	{
		if (model->rows[i].number == number && !model->rows[i].closed)
			return &model->rows[i];
	}
	return NULL;
}

/* Does x stand in front of y in the queue of some key? */
static bool
in_front(const Row *x, const Row *y)
{
	if (x == y || x->closed || y->closed || !x->due || !y->due ||
		!x->seen || !y->seen || (x->keys & y->keys) == 0)
		return false;
	if (x->in_flight != y->in_flight)
		return x->in_flight;
	if (x->been_out != y->been_out)
		return x->been_out;
	return x->number < y->number;
}

/* Lifts until nothing changes. */
static void
lift(Model *model)
{
	bool		changed;
	int			i;
	int			j;

	do
	{
		changed = false;
		for (i = 0; i < model->count; i++)
		{
			Row		   *behind = &model->rows[i];

			if (behind->held || !behind->lifts || behind->effective == 2)
				continue;
			for (j = 0; j < model->count; j++)
			{
				Row		   *front = &model->rows[j];

				if (front->in_flight || !front->lifts ||
					front->effective <= behind->effective ||
					!in_front(front, behind))
					continue;
				front->effective = behind->effective;
				changed = true;
			}
		}
	} while (changed);
}

void
model_advance(Model *model, TimestampTz now)
{
	int			i;

	for (i = 0; i < model->count; i++)
	{
		Row		   *row = &model->rows[i];

		if (row->closed || !row->seen)
			continue;
		if (row->scheduled <= now && !row->due)
		{
			row->due = true;
			row->turn = model->turn;
		}
		if (row->due && !row->held && !row->in_flight &&
			row->not_before <= now)
			row->not_before = 0;
	}
	lift(model);
}

bool
model_is_ready(const Model *model, const Row *row)
{
	int			i;

	if (row->closed || !row->seen || !row->due || row->held ||
		row->in_flight || row->not_before != 0)
		return false;
	for (i = 0; i < model->count; i++)
	{
		if (in_front(&model->rows[i], row))
			return false;
	}
	return true;
}

void
model_find_stuck(Model *model)
{
	bool		changed;
	int			i;
	int			j;

	for (i = 0; i < model->count; i++)
		model->rows[i].stuck = model->rows[i].held ||
			model->rows[i].not_before != 0;
	do
	{
		changed = false;
		for (i = 0; i < model->count; i++)
		{
			for (j = 0; j < model->count && !model->rows[i].stuck; j++)
			{
				if (model->rows[j].stuck &&
					in_front(&model->rows[j], &model->rows[i]))
					model->rows[i].stuck = changed = true;
			}
		}
	} while (changed);
}

/* Is there a row behind in some queue, which may speak for this one? */
static bool
has_follower(const Model *model, const Row *row)
{
	int			i;

	for (i = 0; i < model->count; i++)
	{
		if (in_front(row, &model->rows[i]))
			return true;
	}
	return false;
}

bool
model_overtakes_unread(const Model *model, const Row *row, TimestampTz now)
{
	bool		may_wait = row->effective == 2 && !row->excused &&
		!has_follower(model, row);
	int			i;

	if (row->been_out)
		return false;
	for (i = 0; i < model->count; i++)
	{
		const Row  *other = &model->rows[i];

		if (other->closed || other->seen || other->step == 0 ||
			other->step > row->step || other->scheduled > now)
			continue;
		if ((other->keys & row->keys) != 0 && other->number < row->number)
			return true;
		if (may_wait && other->urgency < 2)
			return true;
	}
	return false;
}

bool
model_before(const Row *x, const Row *y)
{
	if (x->effective != y->effective)
		return x->effective < y->effective;
	if (x->scheduled != y->scheduled)
		return x->scheduled < y->scheduled;
	return x->number < y->number;
}

TimestampTz
model_next_time(const Model *model)
{
	TimestampTz result = 0;
	int			i;

	for (i = 0; i < model->count; i++)
	{
		const Row  *row = &model->rows[i];
		TimestampTz instant;

		if (row->closed || !row->seen ||
			(row->due && (row->held || row->in_flight)))
			continue;
		instant = row->due ? row->not_before : row->scheduled;
		if (instant != 0 && (result == 0 || instant < result))
			result = instant;
	}
	return result;
}
