/*-------------------------------------------------------------------------
 *
 * trigger_key.h
 *		Tables by several texts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_TRIGGER_KEY_H
#define PROVREQ_TRIGGER_KEY_H

#include "utils/hsearch.h"

/* Texts that identify something, each with its closing zero byte. */
typedef struct ChangeKey
{
	const char *bytes;
	Size		len;
} ChangeKey;

/* What stands for a ChangeKey where there may be millions of them. */
typedef struct ChangeDigest
{
	uint8		bytes[16];
} ChangeDigest;

/* A table whose entries begin with a ChangeKey, in a memory context. */
extern HTAB *change_table_make(const char *name, Size entrysize,
							   MemoryContext context);

/*
 * A key of up to four texts in the current memory context; NULLs are as good
 * as empty.
 */
extern ChangeKey change_key_make(const char *a, const char *b, const char *c,
								 const char *d);
extern ChangeKey change_key_copy(const ChangeKey *key, MemoryContext context);

/* A table of ChangeDigest in a memory context, and one for it. */
extern HTAB *change_digests_make(const char *name, MemoryContext context);
extern ChangeDigest change_key_digest(const ChangeKey *key);

#endif							/* PROVREQ_TRIGGER_KEY_H */
