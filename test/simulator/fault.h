/*-------------------------------------------------------------------------
 *
 * fault.h
 *		What is to go wrong, when, and how often.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_FAULT_H
#define SIMULATOR_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

/* In the order of the table in fault_spec.c. */
typedef enum FaultKind
{
	FAULT_NONE,
	FAULT_DELAY,
	FAULT_REJECT,
	FAULT_SOAP_FAULT,
	FAULT_HTTP_STATUS,
	FAULT_REDIRECT,
	FAULT_HANG_BEFORE_BODY,
	FAULT_HANG_AFTER_BODY,
	FAULT_CARRY_OUT_NO_ANSWER,
	FAULT_CLOSE_BEFORE_BODY,
	FAULT_CLOSE_AFTER_BODY,
	FAULT_CARRY_OUT_CLOSE,
	FAULT_HALF_ANSWER,
	FAULT_TWO_ANSWERS,
	FAULT_OTHER_ANSWER,
	FAULT_GARBAGE,
	FAULT_MALFORMED_XML,
	FAULT_DOCTYPE,
	FAULT_OVERSIZED,
	FAULT_REFUSE,
	FAULT_TLS_FAIL,
	FAULT_TLS_WRONG_CERT,
	FAULT_NO_ANSWER,
	FAULT_LATE_ANSWER,
	FAULT_NONSENSE,
	FAULT_OUT_OF_ORDER,
	FAULT_ONE_WRITE,
	FAULT_BYTE_BY_BYTE,
	FAULT_UNSOLICITED,
	FAULT_WRONG_DIGEST,
	FAULT_WRONG_SEQUENCE,
	FAULT_WRONG_LENGTH,
	FAULT_HELLO_CONNECTION,
	FAULT_HELLO_CALL,
	FAULT_CUT_RECEIVED,
	FAULT_CUT_SENT
} FaultKind;

/* Whose faults they are: each simulator has its own kinds and keys. */
typedef enum FaultDialect
{
	FAULT_CONAX,
	FAULT_NAGRA,
	FAULT_NDS
} FaultDialect;

#define FAULT_DIALECTS 3

/* When it is decided whether a fault strikes. */
typedef enum FaultStage
{
	FAULT_AT_CONNECT,			/* for each new connection */
	FAULT_AT_HELLO,				/* for each right hello */
	FAULT_AT_HEADERS,			/* for each message, before its body is read */
	FAULT_AT_BODY				/* for each valid message, decoded */
} FaultStage;

#define FAULT_WORD 128
#define FAULT_MAX_BATCH 1000

typedef struct Fault
{
	FaultKind	kind;
	char		code[FAULT_WORD];	/* reject: what the CAS calls it;
									 * soap-fault: Client or Server */
	char		location[FAULT_WORD];	/* redirect */
	int			status;			/* http-status, redirect, hello-*; -1: not
								 * given */
	size_t		size;			/* oversized and others: bytes; 0: not
								 * given */
	size_t		batch;			/* out-of-order, one-write: answers */
	long long	after;			/* cut-*: bytes */
	long long	delay;			/* microseconds before the answer */
	bool		carries_out;	/* the message takes effect all the same */
	char		match_operation[FAULT_WORD];	/* glob; "" = all */
	char		match_card[FAULT_WORD]; /* glob; "" = all */
	double		probability;
	long		count;			/* strikes left; -1 = without end */
	long		skip;			/* let so many matches pass first */
} Fault;

/* What a fault is matched with. */
typedef struct FaultSubject
{
	const char *operation;
	const char *const *cards;
	size_t		card_count;
	bool		is_housekeeping;	/* only faults with match-op= strike it */
} FaultSubject;

/* What strikes one connection or message. */
typedef struct FaultVerdict
{
	Fault		fault;			/* kind FAULT_NONE: nothing but the delay */
	long long	delay;			/* microseconds, all delays together */
	bool		delayed;		/* a fault of kind delay struck */
} FaultVerdict;

extern const char *fault_name(FaultKind kind);
extern void fault_seed(unsigned long long seed);

/* Says which simulator this is; without it, Conax. */
extern void fault_speak(FaultDialect dialect);

/*
 * Adds the fault that spec describes: "kind=reject code=SYSTEM_ERROR
 * count=3".  False, with a message in error, if spec is not understood.
 */
extern bool fault_add(const char *spec, FaultStage *stage, Text *error);
extern void fault_clear(void);
extern size_t fault_count(void);

/* Is a fault of that kind switched on?  Does not use it up. */
extern bool fault_is_on(FaultKind kind);

/*
 * Which faults strike here?  The first that matches does, beside any of kind
 * delay.  Those of kind refuse never do: they are a state, not an event.
 */
extern void fault_choose(FaultStage stage, const FaultSubject *subject,
						 FaultVerdict *verdict);

#endif							/* SIMULATOR_FAULT_H */
