/*-------------------------------------------------------------------------
 *
 * provider_status.c
 *		Providers as SQL sees them: do they exist, and how do they do?
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "provider.h"
#include "stats.h"

PG_FUNCTION_INFO_V1(provreq_is_effective);
PG_FUNCTION_INFO_V1(provreq_sender_statistics);

/* True when the provider sends; raises when there is none of that name. */
Datum
provreq_is_effective(PG_FUNCTION_ARGS)
{
	Provider   *provider;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("parameter \"provider\" must not be null")));
	provider = provider_by_name(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_BOOL(provider->effective);
}

/* The columns of provreq.sender_statistics, in order. */
enum
{
	COLUMN_SERVER,
	COLUMN_PID,
	COLUMN_STARTED,
	COLUMN_INCARNATION,
	COLUMN_STATE,
	COLUMN_LINK,
	COLUMN_NEXT_PROBE,
	COLUMN_IN_MEMORY,
	COLUMN_IN_FLIGHT,
	COLUMN_ATTEMPTS,
	COLUMN_COMPLETED,
	COLUMN_REJECTED,
	COLUMN_RETRIED,
	COLUMN_HELD,
	COLUMN_RETURNED,
	COLUMN_LAST_SUCCESS,
	COLUMN_LAST_ERROR,
	COLUMN_LAST_ERROR_TEXT,
	COLUMN_P50,
	COLUMN_P90,
	COLUMN_P99,
	COLUMN_MAX,
	COLUMNS
};

typedef struct StatusRow
{
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
} StatusRow;

static void
set_datum(StatusRow *row, int column, Datum value)
{
	row->values[column] = value;
	row->nulls[column] = false;
}

static void
set_count(StatusRow *row, int column, int64 value)
{
	set_datum(row, column, Int64GetDatum(value));
}

/* Texts that are empty and instants that are 0 are null. */
static void
set_text(StatusRow *row, int column, const char *value)
{
	if (value[0] != '\0')
		set_datum(row, column, CStringGetTextDatum(value));
}

static void
set_instant(StatusRow *row, int column, TimestampTz value)
{
	if (value != 0)
		set_datum(row, column, TimestampTzGetDatum(value));
}

/* Milliseconds of so many microseconds; null if that is negative. */
static void
set_latency(StatusRow *row, int column, double microseconds)
{
	if (microseconds >= 0)
		set_datum(row, column, Float8GetDatum(microseconds / 1000.0));
}

static const char *
state_name(SenderState state)
{
	switch (state)
	{
		case SENDER_WORKING:
			return "working";
		case SENDER_PAUSED:
			return "paused";
		case SENDER_OUT_OF_REACH:
			return "out of reach";
		case SENDER_MISCONFIGURED:
			return "misconfigured";
		case SENDER_STOPPING:
			return "stopping";
	}
	return "";
}

/* What is true of a sender while it runs. */
static void
fill_in_sender(StatusRow *row, const StatsReading *reading)
{
	const SenderStats *stats = &reading->stats;

	set_datum(row, COLUMN_PID, Int32GetDatum(reading->pid));
	set_instant(row, COLUMN_STARTED, reading->started);
	set_count(row, COLUMN_INCARNATION, stats->incarnation);
	set_text(row, COLUMN_STATE, state_name(stats->state));
	set_text(row, COLUMN_LINK, stats->link);
	set_instant(row, COLUMN_NEXT_PROBE, stats->next_probe);
	set_count(row, COLUMN_IN_MEMORY, stats->in_memory);
	set_count(row, COLUMN_IN_FLIGHT, stats->in_flight);
}

/* What stays when it ends. */
static void
fill_in_figures(StatusRow *row, const SenderStats *stats)
{
	set_count(row, COLUMN_ATTEMPTS, stats->attempts);
	set_count(row, COLUMN_COMPLETED, stats->completed);
	set_count(row, COLUMN_REJECTED, stats->rejected);
	set_count(row, COLUMN_RETRIED, stats->retried);
	set_count(row, COLUMN_HELD, stats->held);
	set_count(row, COLUMN_RETURNED, stats->returned);
	set_instant(row, COLUMN_LAST_SUCCESS, stats->last_success);
	set_instant(row, COLUMN_LAST_ERROR, stats->last_error);
	set_text(row, COLUMN_LAST_ERROR_TEXT, stats->last_error_text);
	set_latency(row, COLUMN_P50, stats_percentile(stats, 0.5));
	set_latency(row, COLUMN_P90, stats_percentile(stats, 0.9));
	set_latency(row, COLUMN_P99, stats_percentile(stats, 0.99));
	if (stats->latency_max > 0)
		set_latency(row, COLUMN_MAX, stats->latency_max);
}

Datum
provreq_sender_statistics(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, stats_read())
	{
		const StatsReading *reading = lfirst(lc);
		StatusRow	row;

		memset(row.nulls, true, sizeof(row.nulls));
		set_datum(&row, COLUMN_SERVER, ObjectIdGetDatum(reading->serverid));
		if (reading->pid != 0)
			fill_in_sender(&row, reading);
		fill_in_figures(&row, &reading->stats);
		tuplestore_putvalues(result->setResult, result->setDesc, row.values,
							 row.nulls);
	}
	PG_RETURN_NULL();
}
