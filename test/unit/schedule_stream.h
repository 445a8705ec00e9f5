/*-------------------------------------------------------------------------
 *
 * schedule_stream.h
 *		Random life of a provider, schedule and model side by side.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHEDULE_STREAM_H
#define SCHEDULE_STREAM_H

#include "schedule_model.h"

typedef struct Stream
{
	Schedule   *schedule;
	Model		model;
	uint64		random;
	TimestampTz now;
	TimestampTz limit;			/* later limit as last set */
	uint32		window;			/* 0: greater than any stream */
	int			max_rows;
	bool		few_rows;		/* few enough for the schedule to know at once
								 * what is no longer stuck */
	int			key_space;
	bool		plain_keys;		/* key n is n, not a hash of it */
	int64		next_number;
	int64		gaps[8];		/* numbers for late arrivals */
	int			ngaps;
	int			taken;			/* how many were sent */
	int			deferred;		/* how often the schedule deferred one */
	int			step;			/* of the last feed */
	bool		parts;			/* feeds may be read in parts */
	int			feeding_since;	/* turn in which one such began; 0 = none is
								 * being read */
	int			bites;
	int			meanwhile;		/* how many were sent between bites */
	int			lookups;
	int			refills;
	char		failure[200];	/* what was found wrong; "" = nothing */
} Stream;

extern void stream_start(Stream *stream, uint64 seed, bool windowed,
						 bool long_one, bool parts);

/* One event and the turn of the owner after it; false when wrong. */
extern bool stream_step(Stream *stream);

/* Lets everything go out; false when something does not. */
extern bool stream_drain(Stream *stream);
extern void stream_end(Stream *stream);

/* schedule_owner.c: what the owner of a schedule does each turn */
extern uint32 stream_random(Stream *stream, uint32 below);
extern bool stream_fail(Stream *stream, const char *what, int64 number);
extern Row *stream_new_row(Stream *stream);
extern ScheduleOffered owner_offer(Stream *stream, Row *row,
								   ScheduleSource source);
extern void owner_feed(Stream *stream);
extern bool owner_may_wait(const Stream *stream, const Row *row);
extern bool owner_turn(Stream *stream);

#endif							/* SCHEDULE_STREAM_H */
