/*-------------------------------------------------------------------------
 *
 * conax_reply.c
 *		What goes back for a message, faults included.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "conax_answer.h"
#include "conax_cas.h"
#include "conax_reply.h"

void
reply_with_status(unsigned status, Reply *reply)
{
	reply->status = status;
	text_addf(&reply->body, "HTTP status %u\n", status);
	snprintf(reply->outcome, sizeof(reply->outcome), "http:%u", status);
}

void
reply_with_fault(const char *code, const char *reason, Reply *reply)
{
	reply->status = 500;
	answer_write_fault(code, reason, &reply->body);
	snprintf(reply->outcome, sizeof(reply->outcome), "soap:%s", code);
}

/* An answer to something else: another operation, another reference. */
static void
reply_to_other(const Message *message, const CasAnswer *answer, Reply *reply)
{
	const Operation *other = operation_next(message->operation);
	CasAnswer	wrong = *answer;

	while (strcmp(other->service, message->operation->service) == 0)
		other = operation_next(other);
	wrong.data = (Text) {0};
	cas_previous_reference(wrong.reference, sizeof(wrong.reference));
	answer_write(other, &wrong, &reply->body);
}

/* The faults that spoil the body, with a status of 200. */
static void
reply_spoilt(const Message *message, const Fault *fault,
			 const CasAnswer *answer, Reply *reply)
{
	strcpy(reply->outcome, "http:200");
	switch (fault->kind)
	{
		case FAULT_OTHER_ANSWER:
			reply_to_other(message, answer, reply);
			break;
		case FAULT_GARBAGE:
			answer_write_garbage(&reply->body);
			break;
		case FAULT_MALFORMED_XML:
			answer_write(message->operation, answer, &reply->body);
			reply->body.len -= strlen("/soap:Envelope>\n");
			break;
		case FAULT_DOCTYPE:
			answer_write_bomb(&reply->body);
			break;
		default:
			answer_write_oversized(message->operation, answer, fault->size,
								   &reply->body);
	}
}

/* A right answer, given in the way that the fault says. */
static void
reply_rightly(const Message *message, const Fault *fault,
			  const CasAnswer *answer, Reply *reply)
{
	answer_write(message->operation, answer, &reply->body);
	strcpy(reply->outcome, answer->code);
	if (fault->kind == FAULT_TWO_ANSWERS)
		reply->ending = REPLY_TWICE;
	if (fault->kind == FAULT_HALF_ANSWER)
	{
		reply->ending = REPLY_HALF;
		reply->outcome[0] = '\0';
	}
}

/* Carries the message out, or makes as if. */
static void
act(const Message *message, const Fault *fault, CasAnswer *answer)
{
	if (fault->kind == FAULT_NONE || fault->carries_out)
		cas_carry_out(message, answer);
	else
		cas_pretend("OK", answer);
}

static void
reply_rejecting(const Message *message, const Fault *fault, Reply *reply)
{
	CasAnswer	refusal;

	cas_pretend(fault->code, &refusal);
	answer_write(message->operation, &refusal, &reply->body);
	strcpy(reply->outcome, fault->code);
}

void
reply_to_message(const Message *message, const Fault *fault, Reply *reply)
{
	CasAnswer	answer;

	act(message, fault, &answer);
	reply->carried_out = answer.carried_out;
	reply->status = 200;
	switch (fault->kind)
	{
		case FAULT_REJECT:
			reply_rejecting(message, fault, reply);
			break;
		case FAULT_SOAP_FAULT:
			reply_with_fault(fault->code, "the simulator was told to fail",
							 reply);
			break;
		case FAULT_REDIRECT:
			strcpy(reply->location, fault->location);
			reply_with_status((unsigned) fault->status, reply);
			break;
		case FAULT_HTTP_STATUS:
			reply_with_status((unsigned) fault->status, reply);
			break;
		case FAULT_HANG_AFTER_BODY:
		case FAULT_CARRY_OUT_NO_ANSWER:
			reply->ending = REPLY_HANG;
			break;
		case FAULT_CLOSE_AFTER_BODY:
		case FAULT_CARRY_OUT_CLOSE:
			reply->ending = REPLY_CLOSE;
			break;
		case FAULT_OTHER_ANSWER:
		case FAULT_GARBAGE:
		case FAULT_MALFORMED_XML:
		case FAULT_DOCTYPE:
		case FAULT_OVERSIZED:
			reply_spoilt(message, fault, &answer, reply);
			break;
		default:
			reply_rightly(message, fault, &answer, reply);
	}
	text_free(&answer.data);
}
