/*-------------------------------------------------------------------------
 *
 * trigger_key.c
 *		Tables by several texts.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/hashfn.h"
#include "common/sha2.h"
#include "lib/stringinfo.h"

#include "trigger_key.h"

static uint32
hash_key(const void *key, Size keysize)
{
	const ChangeKey *k = key;

	return hash_bytes((const unsigned char *) k->bytes, (int) k->len);
}

static int
compare_keys(const void *a, const void *b, Size keysize)
{
	const ChangeKey *x = a;
	const ChangeKey *y = b;

	return x->len != y->len || memcmp(x->bytes, y->bytes, x->len) != 0;
}

HTAB *
change_table_make(const char *name, Size entrysize, MemoryContext context)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(ChangeKey);
	control.entrysize = entrysize;
	control.hash = hash_key;
	control.match = compare_keys;
	control.hcxt = context;
	return hash_create(name, 64, &control,
					   HASH_ELEM | HASH_FUNCTION | HASH_COMPARE |
					   HASH_CONTEXT);
}

ChangeKey
change_key_make(const char *a, const char *b, const char *c, const char *d)
{
	const char *texts[4] = {a, b, c, d};
	StringInfoData bytes;
	ChangeKey	key;
	int			i;

	initStringInfo(&bytes);
	for (i = 0; i < lengthof(texts); i++)
	{
		if (texts[i] != NULL)
			appendStringInfoString(&bytes, texts[i]);
		appendStringInfoChar(&bytes, '\0');
	}
	key.bytes = bytes.data;
	key.len = bytes.len;
	return key;
}

ChangeKey
change_key_copy(const ChangeKey *key, MemoryContext context)
{
	char	   *bytes = MemoryContextAlloc(context, key->len);
	ChangeKey	copy;

	memcpy(bytes, key->bytes, key->len);
	copy.bytes = bytes;
	copy.len = key->len;
	return copy;
}

HTAB *
change_digests_make(const char *name, MemoryContext context)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(ChangeDigest);
	control.entrysize = sizeof(ChangeDigest);
	control.hcxt = context;
	return hash_create(name, 64, &control,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* Half of SHA-256: nobody can make two keys that have the same. */
ChangeDigest
change_key_digest(const ChangeKey *key)
{
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	const uint8 *bytes = (const uint8 *) key->bytes;
	uint8		whole[PG_SHA256_DIGEST_LENGTH];
	ChangeDigest digest;

	if (pg_cryptohash_init(hash) < 0 ||
		pg_cryptohash_update(hash, bytes, key->len) < 0 ||
		pg_cryptohash_final(hash, whole, sizeof(whole)) < 0)
		elog(ERROR, "could not compute a digest: %s",
			 pg_cryptohash_error(hash));
	pg_cryptohash_free(hash);
	memcpy(digest.bytes, whole, sizeof(digest.bytes));
	return digest;
}
