/*-------------------------------------------------------------------------
 *
 * link_exchange.h
 *		From the bytes of a link to messages, and from these to answers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_LINK_EXCHANGE_H
#define SIMULATOR_LINK_EXCHANGE_H

#include "link.h"

/*
 * The client is told to send at most so many messages ahead of the answers;
 * more is an error.  0: any number.
 */
extern void exchange_set_window(unsigned window);

/* Takes the whole messages among the bytes of a link; does not flush. */
extern void exchange_consume(Link *link);
extern void exchange_link_closed(Link *link);

typedef struct ExchangeTotals
{
	unsigned long long errors;	/* of the protocol */
	unsigned	most_unanswered;	/* on one link at once */
} ExchangeTotals;

extern ExchangeTotals exchange_totals(void);

#endif							/* SIMULATOR_LINK_EXCHANGE_H */
