/*-------------------------------------------------------------------------
 *
 * fuzz.h
 *		What the fuzz targets share.
 *
 * A target is built from the sources of the extension, with the few server
 * functions that they call: test/unit/pg_shim*.c for memory and errors,
 * fuzz_server.c and fuzz_json.c for the rest.  Every allocation is one of
 * malloc's, so that the sanitizers see what is read or written beyond it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "adapter.h"
#include "utils/jsonb.h"

/* What libFuzzer calls. */
extern int	LLVMFuzzerInitialize(int *argc, char ***argv);
extern int	LLVMFuzzerTestOneInput(const uint8 *data, size_t size);

/* Each target's own: prepares what stays, and tries one input. */
extern void fuzz_prepare(void);
extern void fuzz_try(const char *data, Size len);

/* JSON text as jsonb; NULL when it is none. */
extern Jsonb *fuzz_jsonb(const char *json, Size len);

/* A file of the source tree as jsonb; ends the program when it cannot. */
extern Jsonb *fuzz_document(const char *path);

/* Settings of a provider with all its defaults, for a profile of the tree. */
extern CasSettings *fuzz_settings(const CasAdapter *adapter,
								  const char *profile);

extern void fuzz_set(CasSettings *settings, const char *name,
					 const char *value);

/* Ends the program, which is a finding, unless something holds. */
#define FUZZ_HOLDS(condition) \
	do { \
		if (!(condition)) \
			fuzz_finding(#condition, __FILE__, __LINE__); \
	} while (0)

extern void fuzz_finding(const char *what, const char *file, int line);

#endif							/* FUZZ_H */
