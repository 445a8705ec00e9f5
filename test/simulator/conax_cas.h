/*-------------------------------------------------------------------------
 *
 * conax_cas.h
 *		What the CAS does with a valid request.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONAX_CAS_H
#define CONAX_CAS_H

#include <stdbool.h>

#include "conax_message.h"

/* What it refuses.  Set before the first request, then only read. */
typedef struct CasRules
{
	const char *known_cards;	/* file, one card a line; NULL: none */
	const char *known_prefix;	/* cards that begin so are known, too */
	const char *unmanaged_prefix;	/* cards of somebody else's */
	const char *without[32];	/* operations that are not available */
	size_t		without_count;
} CasRules;

typedef struct CasAnswer
{
	char		code[128];
	char		explanation[256];
	char		reference[64];	/* "" unless accepted */
	Text		data;			/* XML of a query's result, prefix o: */
	bool		carried_out;
} CasAnswer;

/* False if the file of known cards cannot be read. */
extern bool cas_start(const CasRules *rules);

/* Does what is asked for, or refuses; fills in the answer either way. */
extern void cas_carry_out(const Message *message, CasAnswer *answer);

/* An answer with that code to a request that is not carried out. */
extern void cas_pretend(const char *code, CasAnswer *answer);

/* The reference number given last but one, or one that was never given. */
extern void cas_previous_reference(char *reference, size_t size);

#endif							/* CONAX_CAS_H */
