/*-------------------------------------------------------------------------
 *
 * tcp_numbers.h
 *		The numbers that a link may give to its messages.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_TCP_NUMBERS_H
#define PROVREQ_TCP_NUMBERS_H

#include "transport.h"

/* Blocks that may wait behind the one in use; more are thrown away. */
#define TCP_BLOCKS 4

/* Numbers first to last, none of them used yet. */
typedef struct TcpBlock
{
	uint64		first;
	uint64		last;
} TcpBlock;

typedef struct TcpNumbers
{
	bool		per_connection; /* count by ourselves, and wrap */
	bool		by_order;		/* each follows the one before, as long as the
								 * connection lasts */
	bool		begun;			/* one was taken since it began: */
	uint64		previous;		/* the latest */
	uint64		first;			/* the least and the greatest there are */
	uint64		last;
	uint64		next;			/* per_connection: the next one */
	TcpBlock	blocks[TCP_BLOCKS]; /* else: in the order of their use */
	int			nblocks;
	uint64		block_size;		/* of the latest block that was given */
	uint64		least;			/* a connection is worth it for more */
} TcpNumbers;

extern void tcp_numbers_init(TcpNumbers *numbers, const CasLinkRules *rules);

/* Another connection: what comes next need not follow on. */
extern void tcp_numbers_restart(TcpNumbers *numbers);

/* How many can be taken now; and how many by another connection, too. */
extern uint64 tcp_numbers_stock(const TcpNumbers *numbers);
extern uint64 tcp_numbers_total(const TcpNumbers *numbers);

/* The next number; there must be one. */
extern uint64 tcp_numbers_take(TcpNumbers *numbers);

/*
 * Is it time for another block?  So it is when less than a quarter of the
 * last one is left, or too few for a connection.
 */
extern bool tcp_numbers_short(const TcpNumbers *numbers);

/* Adds a block, which nobody else will use. */
extern void tcp_numbers_give(TcpNumbers *numbers, uint64 first, uint64 last);

#endif							/* PROVREQ_TCP_NUMBERS_H */
