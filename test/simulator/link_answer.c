/*-------------------------------------------------------------------------
 *
 * link_answer.c
 *		Answers that are on their way, and their lines of the ledger.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger.h"
#include "link_answer.h"

/* A heap by due time and order; late answers of no link wait beside it. */
static Answer **heap;
static size_t heap_count;
static size_t heap_size;
static Answer **homeless;
static size_t homeless_count;
static unsigned long long orders;

static bool
is_before(const Answer *a, const Answer *b)
{
	return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void
heap_push(Answer *answer)
{
	size_t		i = heap_count++;

	if (heap_count > heap_size)
	{
		heap_size = heap_size == 0 ? 64 : heap_size * 2;
		heap = must_resize(heap, heap_size * sizeof(Answer *));
	}
	answer->order = ++orders;
	for (; i > 0 && is_before(answer, heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = answer;
}

static Answer *
heap_pop(void)
{
	Answer	   *top = heap[0];
	Answer	   *last = heap[--heap_count];
	size_t		i = 0;

	for (;;)
	{
		size_t		child = 2 * i + 1;

		if (child + 1 < heap_count && is_before(heap[child + 1], heap[child]))
			child++;
		if (child >= heap_count || !is_before(heap[child], last))
			break;
		heap[i] = heap[child];
		i = child;
	}
	if (heap_count > 0)
		heap[i] = last;
	return top;
}

Answer *
answer_new(Link *link, const Message *message)
{
	Answer	   *answer = must_alloc(sizeof(Answer));

	answer->link = link;
	strcpy(answer->source, link->source);
	answer->counts = true;
	answer->ends_link = message->ends_link;
	answer->received = message->received;
	answer->connection = link->number;
	strcpy(answer->sequence, message->sequence);
	strcpy(answer->operation, message->operation);
	strcpy(answer->card, message->card);
	strcpy(answer->things, message->things);
	strcpy(answer->more, message->more);
	link->unanswered++;
	return answer;
}

/* Writes its line, once; "sent" says whether the whole answer leaves now. */
static void
write_line(Answer *answer, bool sent)
{
	LedgerLine	line = {0};

	if (answer->is_written || answer->manner == ANSWER_RELEASE)
		return;
	answer->is_written = true;
	line.received = answer->received;
	line.answered = sent ? now_us() : 0;
	line.connection = answer->connection;
	line.sequence = answer->sequence;
	line.operation = answer->operation;
	line.cards = answer->card;
	line.things = answer->things;
	line.fault = answer->fault;
	line.outcome = sent || answer->is_error ? answer->outcome : NULL;
	line.carried_out = answer->carried_out;
	line.source = answer->source;
	line.more = answer->more;
	ledger_write(&line);
}

/* It no longer counts for its link. */
static void
settle(Answer *answer)
{
	if (answer->link == NULL)
		return;
	if (answer->counts && answer->link->unanswered > 0)
		answer->link->unanswered--;
	if (answer->is_queued)
		answer->link->queued--;
	answer->counts = answer->is_queued = false;
}

static void
answer_free(Answer *answer)
{
	text_free(&answer->bytes);
	free(answer);
}

void
answer_drop(Answer *answer)
{
	write_line(answer, false);
	if (!protocol->is_strict)
		settle(answer);
	answer_free(answer);
}

void
answer_fail(Answer *answer)
{
	answer->is_error = true;
	answer_drop(answer);
}

/* Puts it after what its link has to send; the caller flushes. */
static void
answer_send(Answer *answer)
{
	Link	   *link = answer->link;
	bool		whole = !answer->is_none &&
	link_will_send(link, answer->bytes.len);

	if (link->state != LINK_OPEN)
	{
		answer_drop(answer);
		return;
	}
	if (!whole && !answer->is_none)
		snprintf(answer->fault, sizeof(answer->fault), "%s",
				 fault_name(FAULT_CUT_SENT));
	write_line(answer, whole);
	settle(answer);
	if (answer->manner == ANSWER_SLOWLY)
		link_append_slowly(link, answer->bytes.data, answer->bytes.len,
						   answer->gap);
	else
		link_append(link, answer->bytes.data, answer->bytes.len);
	if (answer->ends_link)
		link_end(link);
	answer_free(answer);
}

void
answer_post(Answer *answer, long long delay)
{
	Link	   *link = answer->link;
	bool		keeps_order = answer->manner != ANSWER_LATE;

	if (delay == 0 && (!keeps_order || link->queued == 0))
	{
		answer_send(answer);
		return;
	}
	answer->due = now_us() + delay;
	if (keeps_order)
	{
		if (link->queued > 0 && answer->due < link->last_due)
			answer->due = link->last_due;
		link->last_due = answer->due;
		link->queued++;
		answer->is_queued = true;
	}
	else if (!protocol->is_strict)
		settle(answer);
	heap_push(answer);
}

/* Sends what the link holds together. */
static void
release(Link *link)
{
	size_t		count = link->held_count;
	size_t		i;

	link->held_count = 0;
	for (i = 0; i < count; i++)
		answer_send(link->held[link->held_reversed ? count - 1 - i : i]);
}

void
answer_hold(Answer *answer, size_t batch, bool reversed, long long delay)
{
	Link	   *link = answer->link;
	Answer	   *end;

	if (link->held_count == 0)
	{
		link->held = must_resize(link->held,
								 FAULT_MAX_BATCH * sizeof(Answer *));
		link->held_batch = batch;
		link->held_reversed = reversed;
		end = must_alloc(sizeof(Answer));
		end->link = link;
		end->manner = ANSWER_RELEASE;
		end->due = now_us() + delay;
		heap_push(end);
	}
	link->held[link->held_count++] = answer;
	if (link->held_count >= link->held_batch)
		release(link);
}

void
answers_link_closed(Link *link)
{
	size_t		i;

	for (i = 0; i < link->held_count; i++)
		answer_drop(link->held[i]);
	link->held_count = 0;
	for (i = 0; i < heap_count; i++)
	{
		if (heap[i]->link != link)
			continue;
		if (heap[i]->manner != ANSWER_LATE)
			write_line(heap[i], false);
		heap[i]->link = NULL;
	}
}

/* The open link of a source, or NULL. */
static Link *
find_link(const char *source)
{
	Link	   *link;

	for (link = link_first(); link != NULL; link = link->next)
	{
		if (link->state == LINK_OPEN && strcmp(link->source, source) == 0)
			return link;
	}
	return NULL;
}

/* It will leave on another link than that of its message. */
static void
move(Answer *answer, Link *link)
{
	answer->link = link;
	answer->counts = answer->is_queued = false;
}

/* Sends a late answer; without a link of its source it goes on waiting. */
static void
send_late(Answer *answer)
{
	if (answer->link == NULL || answer->link->state != LINK_OPEN)
		move(answer, find_link(answer->source));
	if (answer->link != NULL)
	{
		Link	   *link = answer->link;

		answer_send(answer);
		link_flush(link);
		return;
	}
	homeless = must_resize(homeless, (homeless_count + 1) * sizeof(Answer *));
	homeless[homeless_count++] = answer;
}

void
answers_for_source(Link *link)
{
	size_t		kept = 0;
	size_t		i;

	for (i = 0; i < homeless_count; i++)
	{
		if (strcmp(homeless[i]->source, link->source) != 0)
		{
			homeless[kept++] = homeless[i];
			continue;
		}
		move(homeless[i], link);
		answer_send(homeless[i]);
	}
	homeless_count = kept;
}

static void
send_due(Answer *answer)
{
	Link	   *link = answer->link;

	if (answer->manner == ANSWER_LATE)
		send_late(answer);
	else if (link == NULL)
		answer_free(answer);
	else if (answer->manner == ANSWER_RELEASE)
	{
		release(link);
		link_flush(link);
		answer_free(answer);
	}
	else
	{
		answer_send(answer);
		link_flush(link);
	}
}

long long
answers_tick(long long now)
{
	while (heap_count > 0 && heap[0]->due <= now)
		send_due(heap_pop());
	return heap_count > 0 ? heap[0]->due : -1;
}

void
answers_drop_all(void)
{
	while (heap_count > 0)
		answer_drop(heap_pop());
	while (homeless_count > 0)
		answer_drop(homeless[--homeless_count]);
	free(heap);
	free(homeless);
}
