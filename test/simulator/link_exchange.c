/*-------------------------------------------------------------------------
 *
 * link_exchange.c
 *		From the bytes of a link to messages, and from these to answers.
 *
 * Here the faults strike, alike for all protocols over links.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link_answer.h"
#include "link_exchange.h"

#define DEFAULT_GAP 1000		/* microseconds, between two bytes */
#define DEFAULT_HOLD 20000		/* that an answer is held at most */
#define GARBAGE_SIZE 512
#define MOST_OVERSIZED 65535

static unsigned window;
static ExchangeTotals totals;

void
exchange_set_window(unsigned messages)
{
	window = messages;
}

ExchangeTotals
exchange_totals(void)
{
	return totals;
}

void
exchange_link_closed(Link *link)
{
	answers_link_closed(link);
	protocol->on_close(link);
}

/* A line without an answer, after which the link is closed. */
static void
reject_link(Link *link, const Message *message, const char *error)
{
	Answer	   *answer = answer_new(link, message);

	totals.errors++;
	snprintf(answer->outcome, sizeof(answer->outcome), "error:%s", error);
	answer_fail(answer);
	link_end(link);
}

/* What is sent for garbage: it begins like no message of any protocol. */
static void
add_garbage(Text *bytes, size_t size)
{
	size_t		i;

	for (i = 0; i < (size == 0 ? GARBAGE_SIZE : size); i++)
	{
		unsigned char c = (unsigned char) (0xFF - i * 37 % 251);

		text_add_bytes(bytes, &c, 1);
	}
}

/* What is to be wrong with the answer, as protocols know it. */
static FaultKind
twist_of(FaultKind kind)
{
	switch (kind)
	{
		case FAULT_OTHER_ANSWER:
		case FAULT_NONSENSE:
		case FAULT_OVERSIZED:
		case FAULT_WRONG_DIGEST:
		case FAULT_WRONG_SEQUENCE:
		case FAULT_WRONG_LENGTH:
			return kind;
		default:
			return FAULT_NONE;
	}
}

/* Makes the bytes of an answer and what the ledger says of them. */
static void
fill_answer(Answer *answer, const Message *message, const Fault *fault,
			const char *code)
{
	FaultKind	twist = twist_of(fault->kind);
	size_t		size = fault->size < MOST_OVERSIZED ? fault->size :
	MOST_OVERSIZED;
	Text	   *bytes = &answer->bytes;

	snprintf(answer->outcome, sizeof(answer->outcome), "%s",
			 twist != FAULT_NONE || fault->kind == FAULT_GARBAGE ? "spoiled" :
			 code);
	if (fault->kind == FAULT_GARBAGE)
	{
		add_garbage(bytes, fault->size);
		return;
	}
	if (fault->kind == FAULT_UNSOLICITED)
		protocol->answer(answer->link, message, code, fault->kind, 0, bytes);
	protocol->answer(answer->link, message, code, twist, size, bytes);
	if (fault->kind == FAULT_TWO_ANSWERS)
		protocol->answer(answer->link, message, code, FAULT_NONE, 0, bytes);
	if (fault->kind == FAULT_HALF_ANSWER)
	{
		size_t		part = fault->size == 0 ? bytes->len / 2 : fault->size;

		if (part < bytes->len)
			bytes->len = part;
		answer->is_none = answer->ends_link = true;
	}
}

/* Sends an answer in the manner of the fault. */
static void
give(Answer *answer, const Fault *fault, long long delay)
{
	switch (fault->kind)
	{
		case FAULT_LATE_ANSWER:
			answer->manner = ANSWER_LATE;
			answer_post(answer, delay);
			break;
		case FAULT_OUT_OF_ORDER:
		case FAULT_ONE_WRITE:
			answer_hold(answer, fault->batch,
						fault->kind == FAULT_OUT_OF_ORDER,
						delay > 0 ? delay : DEFAULT_HOLD);
			break;
		case FAULT_BYTE_BY_BYTE:
			answer->manner = ANSWER_SLOWLY;
			answer->gap = delay > 0 ? delay : DEFAULT_GAP;
			answer_post(answer, 0);
			break;
		default:
			answer_post(answer, delay);
	}
}

/* Faults without an answer.  False: this is none of them. */
static bool
withhold(Answer *answer, FaultKind kind, long long delay)
{
	Link	   *link = answer->link;

	switch (kind)
	{
		case FAULT_NO_ANSWER:
		case FAULT_CARRY_OUT_NO_ANSWER:
			answer_drop(answer);
			break;
		case FAULT_HANG_BEFORE_BODY:
		case FAULT_HANG_AFTER_BODY:
			answer_drop(answer);
			link_hang(link);
			break;
		case FAULT_CLOSE_BEFORE_BODY:
			answer_drop(answer);
			link_flush(link);
			link_close(link, true);
			break;
		case FAULT_CLOSE_AFTER_BODY:
		case FAULT_CARRY_OUT_CLOSE:
			answer->is_none = answer->ends_link = true;
			answer_post(answer, delay);
			break;
		default:
			return false;
	}
	return true;
}

/* Which faults strike the message? */
static void
choose(const Message *message, FaultVerdict *verdict)
{
	const char *cards[1] = {message->card};
	FaultSubject subject = {message->operation, cards,
	message->card[0] != '\0', false};

	memset(verdict, 0, sizeof(*verdict));
	if (fault_count() == 0)
		return;
	if (message->is_hello && strcmp(message->code, CODE_OK) == 0)
		fault_choose(FAULT_AT_HELLO, &subject, verdict);
	subject.is_housekeeping = message->is_housekeeping;
	if (verdict->fault.kind == FAULT_NONE)
		fault_choose(FAULT_AT_HEADERS, &subject, verdict);
	if (verdict->fault.kind == FAULT_NONE)
		fault_choose(FAULT_AT_BODY, &subject, verdict);
}

/* The columns of a message whose body was, supposedly, not read. */
static void
forget_body(Answer *answer)
{
	answer->sequence[0] = answer->operation[0] = answer->card[0] = '\0';
	answer->things[0] = answer->more[0] = '\0';
}

static void
note_fault(Answer *answer, const FaultVerdict *verdict)
{
	bool		both = verdict->delayed && verdict->fault.kind != FAULT_NONE;

	snprintf(answer->fault, sizeof(answer->fault), "%s%s%s",
			 verdict->delayed ? "delay" : "", both ? "+" : "",
			 verdict->fault.kind != FAULT_NONE ?
			 fault_name(verdict->fault.kind) : "");
}

/* A hello that is refused: what the gateway says, and then it closes. */
static void
refuse_hello(Message *message, const Fault *fault)
{
	if (fault->kind == FAULT_HELLO_CONNECTION)
		message->hello[0] = fault->status;
	else if (fault->kind == FAULT_HELLO_CALL)
		message->hello[1] = fault->status;
	else
		return;
	snprintf(message->code, sizeof(message->code), "%d/%d",
			 message->hello[0] & 0xFF, message->hello[1] & 0xFF);
	message->ends_link = true;
}

static void
handle(Link *link, Message *message)
{
	FaultVerdict verdict;
	const Fault *fault = &verdict.fault;
	Answer	   *answer;
	const char *code;

	choose(message, &verdict);
	refuse_hello(message, fault);
	code = fault->kind == FAULT_REJECT ? fault->code : message->code;
	answer = answer_new(link, message);
	note_fault(answer, &verdict);
	if (strcmp(message->code, CODE_OK) == 0 && !message->is_housekeeping)
		answer->carried_out = fault->kind == FAULT_NONE || fault->carries_out;
	if (answer->carried_out)
		protocol->carry_out(message);
	if (fault->kind == FAULT_HANG_BEFORE_BODY ||
		fault->kind == FAULT_CLOSE_BEFORE_BODY)
		forget_body(answer);
	if (link_is_cut(link))
	{
		strcpy(answer->fault, fault_name(FAULT_CUT_RECEIVED));
		answer_drop(answer);
		return;
	}
	if (withhold(answer, fault->kind, verdict.delay))
		return;
	fill_answer(answer, message, fault, code);
	give(answer, fault, verdict.delay);
}

/* Has the client sent more than it may without an answer? */
static const char *
check_ahead(Link *link)
{
	size_t		len;

	if (link->unanswered > totals.most_unanswered)
		totals.most_unanswered = link->unanswered;
	if (window > 0 && link->unanswered >= window)
		return "window";
	link_bytes(link, &len);
	if (protocol->is_strict && (link->unanswered > 0 || len > 0))
		return "in-flight";
	return NULL;
}

/* Takes one message.  False: there is no whole one, or no more to come. */
static bool
take_one(Link *link)
{
	static const Message none;
	Message		message = none;
	const char *error = NULL;
	size_t		available;
	const char *bytes = link_bytes(link, &available);
	size_t		len = available == 0 ? 0 :
	protocol->measure(link, bytes, available, &error);

	if (error == NULL && (len == 0 || len > available))
		return false;
	message.received = now_us();
	if (error == NULL)
	{
		error = protocol->decode(link, bytes, len, &message);
		link_use(link, len);
	}
	if (error == NULL)
		error = check_ahead(link);
	if (error != NULL)
	{
		reject_link(link, &message, error);
		return false;
	}
	handle(link, &message);
	return link->state == LINK_OPEN;
}

void
exchange_consume(Link *link)
{
	while (link->state == LINK_OPEN && take_one(link))
		continue;
}
