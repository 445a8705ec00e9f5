/*-------------------------------------------------------------------------
 *
 * unit.h
 *		What the unit tests of the Conax adapter share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UNIT_H
#define UNIT_H

#include "adapter.h"

/* One line of TAP; returns passed. */
extern bool ok(bool passed, const char *name,...) pg_attribute_printf(2, 3);

/* Equal texts, both or neither NULL; says what came when they are not. */
extern bool is(const char *got, const char *expected, const char *name);

/* Has the text this piece in it? */
extern bool has(const char *got, const char *piece, const char *name);

/*
 * Calls function(arg) and returns the error that it raises, or NULL.
 */
extern ErrorData *error_of(void (*function) (void *arg), void *arg);

/* Raises an error with that SQLSTATE and these pieces in message and hint? */
extern void throws(void (*function) (void *arg), void *arg, int sqlerrcode,
				   const char *message, const char *hint, const char *name);

/* Settings of a Conax provider with defaults; options are set by name. */
extern CasSettings *unit_settings(void *profile);
extern void unit_set(CasSettings *settings, const char *name,
					 const char *value);

/* A request of a type; values are added in order. */
extern CasRequest *unit_request(const char *type);
extern void unit_value(CasRequest *request, const char *name,
					   const char *value);

extern const CasOperation *unit_operation(const char *type);

/* An envelope around something. */
extern char *unit_envelope(const char *body);

extern void test_soap(void);
extern void test_profile(Jsonb *document);
extern void test_adapter(void *profile, const char *directory);
extern void test_answers(void *profile);
extern void test_http(void);
extern void test_deadlines(void);

#endif							/* UNIT_H */
