/*-------------------------------------------------------------------------
 *
 * ledger.h
 *		What was received and what became of it: one line a message.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_LEDGER_H
#define SIMULATOR_LEDGER_H

#include <stdbool.h>

#include "text.h"

/* The columns, in their order.  NULL and "" are written as '-'. */
typedef struct LedgerLine
{
	long long	received;		/* monotonic, microseconds */
	long long	answered;		/* 0: never */
	unsigned long long connection;
	const char *sequence;
	const char *operation;
	const char *cards;			/* comma-separated */
	const char *things;			/* products or pairing modules */
	const char *fault;
	const char *outcome;		/* NULL is written as "none" */
	bool		carried_out;
	const char *source;			/* of the link; NULL: there is no such column,
								 * nor the next */
	const char *more;
} LedgerLine;

typedef struct LedgerTotals
{
	unsigned long long received;
	unsigned long long answered;
	unsigned long long carried_out;
} LedgerTotals;

/*
 * Opens the file for appending and starts the thread that writes it out
 * every few milliseconds.  Without a path lines are only counted.  False,
 * with errno, if it cannot be opened.
 */
extern bool ledger_open(const char *path);
extern void ledger_write(const LedgerLine *line);

/* Everything written so far is in the file when this returns. */
extern void ledger_flush(void);
extern void ledger_close(void);
extern LedgerTotals ledger_totals(void);

#endif							/* SIMULATOR_LEDGER_H */
