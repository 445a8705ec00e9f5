/*-------------------------------------------------------------------------
 *
 * sender_stats.c
 *		What a sender tells of itself: counted where it becomes certain, that
 *		is after the commit, and shown once a turn.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/timestamp.h"

#include "sender_private.h"

/* The answer said yes or no; otherwise there was none, or not a clear one. */
static bool
was_answered(const QueueOutcome *outcome)
{
	return outcome->started != 0 &&
		(outcome->cas.verdict == CAS_DONE ||
		 outcome->cas.verdict == CAS_REFUSED);
}

/*
 * Counts what became of an attempt; a note is of one that was counted before.
 */
static void
count_step(SenderStats *stats, QueueStep step)
{
	switch (step)
	{
		case QUEUE_COMPLETED:
			stats->completed++;
			break;
		case QUEUE_REJECTED:
			stats->rejected++;
			break;
		case QUEUE_RETRY:
			stats->retried++;
			break;
		case QUEUE_HOLD:
			stats->held++;
			break;
		case QUEUE_RETURN:
			stats->returned++;
			break;
		case QUEUE_NOTE:
			break;
	}
}

/* Keeps as much of the error as there is room for whole characters. */
static void
note_error(SenderStats *stats, const QueueOutcome *outcome)
{
	const char *code = outcome->cas.error_code;
	const char *words = outcome->cas.error_description;
	int			room = sizeof(stats->last_error_text) - 1;
	char	   *whole;
	int			len;

	if (code == NULL && words == NULL)
		return;
	whole = psprintf("%s%s%s", code ? code : "", code && words ? ": " : "",
					 words ? words : "");
	len = pg_mbcliplen(whole, strlen(whole), room);
	memcpy(stats->last_error_text, whole, len);
	stats->last_error_text[len] = '\0';
	stats->last_error = outcome->ended ? outcome->ended :
		GetCurrentTimestamp();
	pfree(whole);
}

void
sender_count_outcome(Sender *sender, const QueueOutcome *outcome)
{
	SenderStats *stats = sender->stats;

	if (stats == NULL || outcome->step == QUEUE_NOTE)
		return;
	count_step(stats, outcome->step);
	if (was_answered(outcome))
		stats_count_latency(stats, outcome->ended - outcome->started);
	if (outcome->step == QUEUE_COMPLETED)
		stats->last_success = outcome->ended;
	else
		note_error(stats, outcome);
}

void
sender_count_attempts(Sender *sender, int n)
{
	if (sender->stats)
		sender->stats->attempts += n;
}

static SenderState
state_of(const Sender *sender)
{
	if (sender->stopping)
		return SENDER_STOPPING;
	if (sender->paused)
		return SENDER_PAUSED;
	if (sender->settings == NULL)
		return SENDER_MISCONFIGURED;
	if (sender->breaker.open)
		return SENDER_OUT_OF_REACH;
	return SENDER_WORKING;
}

void
sender_publish(Sender *sender)
{
	SenderStats *stats = sender->stats;
	ScheduleCounts counts;

	if (stats == NULL)
		return;
	schedule_counts(sender->schedule, &counts);
	stats->state = state_of(sender);
	stats->incarnation = sender->queue->incarnation;
	stats->next_probe = sender->breaker.open ? sender->breaker.next_probe : 0;
	stats->in_memory = counts.in_memory;
	stats->in_flight = counts.in_flight;
	stats->link[0] = '\0';
	if (sender->link && sender->settings->adapter->transport->describe)
		sender->settings->adapter->transport->describe(sender->link,
													   stats->link,
													   sizeof(stats->link));
	stats_publish();
}
