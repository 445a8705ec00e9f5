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
#include "tap.h"

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
