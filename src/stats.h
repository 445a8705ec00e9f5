/*-------------------------------------------------------------------------
 *
 * stats.h
 *		What each sender tells of itself, in shared memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_STATS_H
#define PROVREQ_STATS_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

/* Classes of latency: eight for each power of two of microseconds. */
#define STATS_CLASSES 248

typedef enum SenderState
{
	SENDER_WORKING,
	SENDER_PAUSED,
	SENDER_OUT_OF_REACH,		/* the breaker is open */
	SENDER_MISCONFIGURED,		/* settings cannot be loaded, see the log */
	SENDER_STOPPING
} SenderState;

/*
 * Figures of one provider.  Counters go on when its sender is started again,
 * and begin at zero with the server.
 */
typedef struct SenderStats
{
	SenderState state;
	int64		incarnation;
	char		link[128];		/* state of the link, for people */
	TimestampTz next_probe;		/* out of reach; else 0 */
	uint32		in_memory;		/* due requests that it knows of */
	uint32		in_flight;		/* of those */
	int64		attempts;
	int64		completed;
	int64		rejected;
	int64		retried;		/* attempts that will be repeated */
	int64		held;			/* attempts that ended in doubt, and held */
	int64		returned;		/* attempts taken back: nothing was sent */
	TimestampTz last_success;	/* 0 = none */
	TimestampTz last_error;		/* 0 = none */
	char		last_error_text[256];
	int64		latency_max;	/* microseconds */
	int64		latency[STATS_CLASSES]; /* answers by time since attempt */
} SenderStats;

/* One provider's, as a reader gets them. */
typedef struct StatsReading
{
	Oid			serverid;
	int			pid;			/* 0: no sender runs */
	TimestampTz started;		/* of the sender */
	SenderStats stats;
} StatsReading;

/* From _PG_init while shared_preload_libraries are loaded. */
extern void stats_install_hooks(void);

/* ---- For senders ---- */

/*
 * Makes this process the one that writes the figures of a provider until it
 * ends.  Returns its own copy, with the counters so far, or NULL when there
 * is no room; it is shown to others by stats_publish.
 */
extern SenderStats *stats_attach(Oid serverid);
extern void stats_publish(void);

/* Counts an answer that came so many microseconds after the attempt. */
extern void stats_count_latency(SenderStats *stats, int64 microseconds);

/* ---- For readers ---- */

/* A list of StatsReading * of this database, in the current context. */
extern List *stats_read(void);

/*
 * The latency, in microseconds, below which this part (0 to 1) of the answers
 * stayed, to within a sixteenth; -1 without any answer.
 */
extern double stats_percentile(const SenderStats *stats, double part);

#endif							/* PROVREQ_STATS_H */
