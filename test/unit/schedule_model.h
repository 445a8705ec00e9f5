/*-------------------------------------------------------------------------
 *
 * schedule_model.h
 *		The rules of schedule.h once more, over a plain array, each worked out
 *		from scratch: what the schedule is compared with.
 *
 * The array is the table: it holds every request, whether the schedule has
 * it in memory or not.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHEDULE_MODEL_H
#define SCHEDULE_MODEL_H

#include "schedule.h"

#define MODEL_ROWS 4000
#define MODEL_KEYS 64

typedef struct Row
{
	int64		number;
	int			urgency;		/* 0 immediate, 1 express, 2 regular */
	int			effective;
	TimestampTz scheduled;
	TimestampTz not_before;
	uint64		keys;			/* a set of bits */
	bool		held;
	bool		been_out;
	bool		in_flight;
	bool		due;
	bool		seen;			/* has been offered at least once */
	bool		closed;
	int			step;			/* of the feed that was the first to see it; 0
								 * = none has */
	bool		unread;			/* that feed is read in parts, and has not come
								 * to it */
	int			turn;			/* of the owner, in which it came into the
								 * queues, or was released */
	bool		waits;			/* it came in such a part, and was not looked
								 * up since */
	bool		lifts;			/* takes part in lifting: it is in memory, or
								 * no feed is read in parts */
	bool		excused;		/* may be ready though it came while a feed was
								 * read in parts */
	bool		stuck;			/* held, waiting, or behind one that is; as of
								 * the last model_find_stuck */
} Row;

typedef struct Model
{
	Row			rows[MODEL_ROWS];	/* by number, closed ones dropped */
	int			count;
	int			turn;			/* of the owner; grows when it ends */
} Model;

/* A row of that number, which must not exist yet. */
extern Row *model_add(Model *model, int64 number);
extern void model_drop_closed(Model *model);
extern Row *model_find(Model *model, int64 number);

/* What time and the last event change. */
extern void model_advance(Model *model, TimestampTz now);

/* First in all of its queues, due, and free to go? */
extern bool model_is_ready(const Model *model, const Row *row);

/* Sets stuck in all rows. */
extern void model_find_stuck(Model *model);

/* Has a feed seen a due row that is unread and must go before that one? */
extern bool model_overtakes_unread(const Model *model, const Row *row,
								   TimestampTz now);

/* Does x go before y when both are ready? */
extern bool model_before(const Row *x, const Row *y);

/* Min of what is scheduled or waited for; 0 = none. */
extern TimestampTz model_next_time(const Model *model);

#endif							/* SCHEDULE_MODEL_H */
