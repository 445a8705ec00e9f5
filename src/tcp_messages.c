/*-------------------------------------------------------------------------
 *
 * tcp_messages.c
 *		The messages of a link that are not over, by number and by age.
 *
 * All answers may take equally long, so each list is in the order of its
 * deadlines by itself.  Structs are used again: the memory grows with the
 * most messages that there ever were at once, and no further.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "tcp_messages.h"

void
tcp_messages_init(TcpMessages *messages)
{
	memset(messages, 0, sizeof(TcpMessages));
	messages->context = CurrentMemoryContext;
	dlist_init(&messages->queued);
	dlist_init(&messages->waiting);
	dlist_init(&messages->late);
	dlist_init(&messages->free);
}

/* A struct to be filled in. */
static TcpMessage *
allocate(TcpMessages *messages)
{
	TcpMessage *message;

	if (dlist_is_empty(&messages->free))
		message = MemoryContextAlloc(messages->context,
									 sizeof(TcpMessage));
	else
		message = dlist_container(TcpMessage, node,
								  dlist_pop_head_node(&messages->free));
	memset(message, 0, sizeof(TcpMessage));
	return message;
}

TcpMessage *
tcp_messages_add(TcpMessages *messages, uint64 number, bool before)
{
	TcpMessage *message = tcp_messages_find(messages, number);
	TcpMessage **bucket = &messages->buckets[number % TCP_BUCKETS];

	if (message)
		tcp_messages_remove(messages, message);
	message = allocate(messages);
	message->number = number;
	message->next = *bucket;
	*bucket = message;
	if (before)
		dlist_push_head(&messages->queued, &message->node);
	else
		dlist_push_tail(&messages->queued, &message->node);
	messages->nqueued++;
	return message;
}

TcpMessage *
tcp_messages_find(TcpMessages *messages, uint64 number)
{
	TcpMessage *message = messages->buckets[number % TCP_BUCKETS];

	while (message && message->number != number)
		message = message->next;
	return message;
}

TcpMessage *
tcp_messages_queued(TcpMessages *messages)
{
	if (dlist_is_empty(&messages->queued))
		return NULL;
	return dlist_head_element(TcpMessage, node, &messages->queued);
}

TcpMessage *
tcp_messages_waiting(TcpMessages *messages)
{
	if (dlist_is_empty(&messages->waiting))
		return NULL;
	return dlist_head_element(TcpMessage, node, &messages->waiting);
}

int
tcp_messages_places(const TcpMessages *messages)
{
	return messages->nqueued + messages->nwaiting + messages->nplaces;
}

/* Takes one out of the list that it is in. */
static void
unlist(TcpMessages *messages, TcpMessage *message)
{
	dlist_delete(&message->node);
	switch (message->state)
	{
		case TCP_QUEUED:
			messages->nqueued--;
			break;
		case TCP_WAITING:
			messages->nwaiting--;
			break;
		case TCP_LATE:
			messages->nlate--;
			messages->nplaces -= message->holds_place ? 1 : 0;
			break;
	}
}

void
tcp_messages_leave(TcpMessages *messages, TcpMessage *message,
				   int64 deadline)
{
	unlist(messages, message);
	message->state = TCP_WAITING;
	message->deadline = deadline;
	dlist_push_tail(&messages->waiting, &message->node);
	messages->nwaiting++;
}

void
tcp_messages_give_up(TcpMessages *messages, TcpMessage *message,
					 bool holds_place)
{
	unlist(messages, message);
	message->state = TCP_LATE;
	message->holds_place = holds_place;
	dlist_push_tail(&messages->late, &message->node);
	messages->nlate++;
	messages->nplaces += holds_place ? 1 : 0;
	if (messages->nlate > TCP_MOST_LATE)
		tcp_messages_remove(messages,
							dlist_head_element(TcpMessage, node,
											   &messages->late));
}

void
tcp_messages_remove(TcpMessages *messages, TcpMessage *message)
{
	TcpMessage **bucket = &messages->buckets[message->number % TCP_BUCKETS];

	unlist(messages, message);
	while (*bucket != message)
		bucket = &(*bucket)->next;
	*bucket = message->next;
	dlist_push_head(&messages->free, &message->node);
}

void
tcp_messages_vacate(TcpMessages *messages)
{
	dlist_iter	iter;

	dlist_reverse_foreach(iter, &messages->late)
	{
		if (messages->nplaces == 0)
			return;
		if (!dlist_container(TcpMessage, node, iter.cur)->holds_place)
			continue;
		dlist_container(TcpMessage, node, iter.cur)->holds_place = false;
		messages->nplaces--;
	}
}
