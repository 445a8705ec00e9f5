/*-------------------------------------------------------------------------
 *
 * sender_numbers.c
 *		Blocks of message numbers, from the table to the transport's links.
 *
 * They are handed over after the commit that reserved them, so that none can
 * ever be given out again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "sender_private.h"

/* Numbers in a block: what a crash may lose, and so many a statement. */
#define BLOCK 10000

typedef struct NumberBlock
{
	const char *link;
	uint64		first;
	uint64		last;
} NumberBlock;

/* The next link that is short of numbers, or NULL. */
static const char *
short_link(const Sender *sender, uint64 *first, uint64 *last)
{
	const CasTransport *transport;

	if (sender->link == NULL || sender->stopping || sender->reload)
		return NULL;
	transport = sender->settings->adapter->transport;
	if (transport->wants_numbers == NULL)
		return NULL;
	return transport->wants_numbers(sender->link, first, last);
}

bool
sender_wants_numbers(const Sender *sender)
{
	uint64		first;
	uint64		last;

	return short_link(sender, &first, &last) != NULL;
}

/* One block a unit of work: the next unit sees to the next link. */
void
work_numbers(Sender *sender, Work *work)
{
	NumberBlock block;
	NumberBlock *reserved;

	block.link = short_link(sender, &block.first, &block.last);
	if (block.link == NULL)
		return;
	queue_reserve_numbers(sender->queue, block.link, &block.first,
						  &block.last, BLOCK);
	reserved = palloc(sizeof(NumberBlock));
	*reserved = block;
	work->numbers = lappend(work->numbers, reserved);
}

void
work_numbers_done(Sender *sender, Work *work)
{
	ListCell   *lc;

	foreach(lc, work->numbers)
	{
		const NumberBlock *block = lfirst(lc);
		const CasTransport *transport = sender->settings->adapter->transport;

		transport->give_numbers(sender->link, block->link, block->first,
								block->last);
	}
}
