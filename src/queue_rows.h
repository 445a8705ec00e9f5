/*-------------------------------------------------------------------------
 *
 * queue_rows.h
 *		Rows of the request table as entries of the schedule: what the files
 *		share that read them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_QUEUE_ROWS_H
#define PROVREQ_QUEUE_ROWS_H

#include "queue.h"

/*
 * What ScheduleEntry is made of; every query whose rows are shown selects
 * this, and has the name of the provider as $1.
 */
#define QUEUE_ENTRY_COLUMNS \
	"number, process_immediately, priority = 'EXPRESS', " \
	"hold_reason IS NOT NULL, attempts > 0, scheduled_date, retry_date, " \
	"ordering_keys, scheduled_date > created_date, created_xid, " \
	"provider = $1"

/* Where a row stands among all by transaction and number. */
typedef struct QueuePlace
{
	FullTransactionId xid;
	int64		number;
} QueuePlace;

/*
 * Shows the rows of the current SPI result to a visitor, but for those of
 * other providers.  Unless "last" is NULL, or there is none, it gets the
 * place of the last row of all.  A row that was not scheduled for later is
 * due, whatever the clock did since: nothing would look for it again.
 */
extern void queue_visit_rows(QueueVisitor visitor, void *arg,
							 QueuePlace *last);

/* The whole pending part of the provider; within SPI and a snapshot. */
extern void queue_read_all(Queue *queue, QueueVisitor visitor, void *arg);

#endif							/* PROVREQ_QUEUE_ROWS_H */
