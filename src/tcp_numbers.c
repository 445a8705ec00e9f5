/*-------------------------------------------------------------------------
 *
 * tcp_numbers.c
 *		The numbers that a link may give to its messages.
 *
 * Where numbers go on over restarts, the sender reserves them in blocks and
 * hands these over.  What is left of a block when the process ends is never
 * used, so no number is used twice.
 *
 * Where answers come by order, the other side expects each number to be one
 * more than the one before.  A block that does not follow on is left for the
 * next connection.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "tcp_numbers.h"

void
tcp_numbers_init(TcpNumbers *numbers, const CasLinkRules *rules)
{
	memset(numbers, 0, sizeof(TcpNumbers));
	numbers->per_connection = rules->per_connection;
	numbers->by_order = rules->by_order;
	numbers->first = rules->first_number;
	numbers->last = rules->last_number;
	numbers->next = rules->first_number;
	numbers->least = rules->checks_at_start;
}

/* The number after another one; after the last comes the first. */
static uint64
successor(const TcpNumbers *numbers, uint64 number)
{
	return number == numbers->last ? numbers->first : number + 1;
}

static uint64
block_size(const TcpBlock *block)
{
	return block->last - block->first + 1;
}

uint64
tcp_numbers_total(const TcpNumbers *numbers)
{
	uint64		total = 0;

	if (numbers->per_connection)
		return numbers->last - numbers->first + 1;
	for (int i = 0; i < numbers->nblocks; i++)
		total += block_size(&numbers->blocks[i]);
	return total;
}

uint64
tcp_numbers_stock(const TcpNumbers *numbers)
{
	uint64		stock = 0;
	bool		follows = numbers->begun;
	uint64		before = numbers->previous;

	if (numbers->per_connection || !numbers->by_order)
		return tcp_numbers_total(numbers);
	for (int i = 0; i < numbers->nblocks; i++)
	{
		const TcpBlock *block = &numbers->blocks[i];

		if (follows && block->first != successor(numbers, before))
			break;
		stock += block_size(block);
		before = block->last;
		follows = true;
	}
	return stock;
}

static void
drop_first_block(TcpNumbers *numbers)
{
	numbers->nblocks--;
	memmove(&numbers->blocks[0], &numbers->blocks[1],
			sizeof(TcpBlock) * numbers->nblocks);
}

/*
 * Too few numbers that follow each other, before others, are of no use to a
 * connection that begins.
 */
static void
drop_scraps(TcpNumbers *numbers)
{
	while (!numbers->begun && numbers->nblocks > 1 &&
		   tcp_numbers_stock(numbers) <= numbers->least)
		drop_first_block(numbers);
}

void
tcp_numbers_restart(TcpNumbers *numbers)
{
	numbers->next = numbers->first;
	numbers->begun = false;
	drop_scraps(numbers);
}

uint64
tcp_numbers_take(TcpNumbers *numbers)
{
	TcpBlock   *block = &numbers->blocks[0];
	uint64		number;

	if (numbers->per_connection)
	{
		number = numbers->next;
		numbers->next = successor(numbers, number);
		return number;
	}
	if (numbers->nblocks == 0)
		elog(ERROR, "TCP link has no numbers");
	number = block->first;
	numbers->begun = true;
	numbers->previous = number;
	if (number < block->last)
		block->first++;
	else
		drop_first_block(numbers);
	return number;
}

bool
tcp_numbers_short(const TcpNumbers *numbers)
{
	uint64		total = tcp_numbers_total(numbers);

	return !numbers->per_connection && numbers->nblocks < TCP_BLOCKS &&
		(total <= numbers->least || total < numbers->block_size / 4);
}

void
tcp_numbers_give(TcpNumbers *numbers, uint64 first, uint64 last)
{
	if (numbers->per_connection || numbers->nblocks == TCP_BLOCKS ||
		first > last || first < numbers->first || last > numbers->last)
		return;
	numbers->blocks[numbers->nblocks].first = first;
	numbers->blocks[numbers->nblocks++].last = last;
	numbers->block_size = last - first + 1;
	drop_scraps(numbers);
}
