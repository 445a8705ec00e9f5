/*-------------------------------------------------------------------------
 *
 * profile.h
 *		Reading a wire profile, which is a JSON document.
 *
 * Every value knows its path, and everything that is wrong with it raises
 * ERRCODE_INVALID_PARAMETER_VALUE naming that path, so that the operator who
 * edits a profile is told where and what.  Nothing is taken on trust: a
 * compiler of profiles calls profile_check_members on each object it reads,
 * and a misspelt member is an error, not silence.
 *
 * Nodes, paths and strings belong to the memory context that was current
 * when they were asked for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_PROFILE_H
#define PROVREQ_PROFILE_H

#include "compat.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

typedef struct ProfileNode
{
	const char *path;			/* "$.operations.ADD_SUBSCRIPTIONS.body" */
	const char *name;			/* last step of the path: a member's name; ""
								 * for elements of arrays and the root */
	JsonbValue	value;
} ProfileNode;

/* The whole document, which has to be an object. */
extern const ProfileNode *profile_root(Jsonb *document);

/* Raises unless all members of an object are among names (ends with NULL). */
extern void profile_check_members(const ProfileNode *object,
								  const char *const *names);

/* A member of an object; when it is missing: NULL, or an error. */
extern const ProfileNode *profile_member(const ProfileNode *object,
										 const char *name);
extern const ProfileNode *profile_require(const ProfileNode *object,
										  const char *name);

/* All members of an object, or elements of an array: of ProfileNode *. */
extern List *profile_members(const ProfileNode *object);
extern List *profile_elements(const ProfileNode *array);

extern bool profile_is_object(const ProfileNode *node);
extern bool profile_is_string(const ProfileNode *node);

/* The value as what it has to be; anything else raises. */
extern const char *profile_string(const ProfileNode *node);
extern bool profile_boolean(const ProfileNode *node);
extern int64 profile_integer(const ProfileNode *node, int64 min, int64 max);

/* The index of a string among words (ends with NULL). */
extern int	profile_choice(const ProfileNode *node, const char *const *words);

/* The same for a member, with a value for when it is missing. */
extern const char *profile_string_of(const ProfileNode *object,
									 const char *name, const char *missing);
extern bool profile_boolean_of(const ProfileNode *object,
							   const char *name, bool missing);
extern int64 profile_integer_of(const ProfileNode *object, const char *name,
								int64 min, int64 max, int64 missing);
extern int	profile_choice_of(const ProfileNode *object, const char *name,
							  const char *const *words, int missing);

/* Words (ends with NULL) as "a, b, c", for hints. */
extern char *profile_words(const char *const *words);

/*
 * Raises the error "wire profile: <path>: <message>".  The hint is a whole
 * sentence, or NULL.
 */
COMPAT_NORETURN extern void profile_error(const ProfileNode *node,
										  const char *hint,
										  const char *message,...)
			pg_attribute_printf(3, 4);

#endif							/* PROVREQ_PROFILE_H */
