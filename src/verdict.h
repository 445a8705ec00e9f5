/*-------------------------------------------------------------------------
 *
 * verdict.h
 *		What the end of an exchange means, as far as all systems share it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_VERDICT_H
#define PROVREQ_VERDICT_H

#include "adapter.h"
#include "profile.h"

/* Longest code and longest description that are kept, in bytes. */
#define CODE_LIMIT 100
#define DESCRIPTION_LIMIT 2000

/* A code that a system answers with, as a profile's table has it. */
typedef struct VerdictCode
{
	const char *code;			/* "*": all that is not listed */
	CasVerdict	verdict;
	bool		unreachable;	/* with CAS_RETRY: the provider is at fault */
	int			max_attempts;	/* 0: the provider's retry_limit */
	const char *text;			/* what it says in words, or NULL */
} VerdictCode;

/*
 * Compiles a table of codes, an object: of VerdictCode *.  "others" is what
 * those mean that it lacks, when it has no "*".
 */
extern List *verdict_compile_codes(const ProfileNode *table,
								   CasVerdict others);

/* A verdict that stands alone, where none can be "unreachable". */
extern CasVerdict verdict_compile(const ProfileNode *node);

/* The meaning of a code, or of none (NULL), among compiled ones. */
extern const VerdictCode *verdict_find(const List *codes, const char *code);

/* Is it in the table by name? */
extern bool verdict_is_listed(const List *codes, const char *code);

/* Records the meaning of a code. */
extern void verdict_settle(CasOutcome *outcome, const VerdictCode *code);

/* Records that there was no answer, or none that was whole. */
extern void verdict_no_answer(CasOutcome *outcome, const CasReply *reply);

/* Records that nobody can say what the answer means. */
extern void verdict_not_understood(CasOutcome *outcome, const char *why);

/* Cuts a text between characters, after limit bytes; NULL if it is empty. */
extern const char *verdict_limited(char *str, int limit);

#endif							/* PROVREQ_VERDICT_H */
