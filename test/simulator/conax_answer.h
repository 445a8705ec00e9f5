/*-------------------------------------------------------------------------
 *
 * conax_answer.h
 *		The texts that the CAS answers with, right and wrong ones.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONAX_ANSWER_H
#define CONAX_ANSWER_H

#include "conax_cas.h"

extern void answer_write(const Operation *operation, const CasAnswer *answer,
						 Text *body);

/* code is Client or Server. */
extern void answer_write_fault(const char *code, const char *reason,
							   Text *body);

/* Bytes that are no text, let alone XML. */
extern void answer_write_garbage(Text *body);

/* An envelope whose entities expand to gigabytes. */
extern void answer_write_bomb(Text *body);

/* A right answer but for its Message, which makes it size bytes long. */
extern void answer_write_oversized(const Operation *operation,
								   const CasAnswer *answer, size_t size,
								   Text *body);

#endif							/* CONAX_ANSWER_H */
