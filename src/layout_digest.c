/*-------------------------------------------------------------------------
 *
 * layout_digest.c
 *		Digests at the end of messages, with the server's own functions.
 *
 * The server's digests are owned by the current resource owner, which a
 * sender between two transactions has none of; they then get one of ours,
 * under which nothing outlives the call.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/hmac.h"
#include "layout_private.h"
#include "utils/resowner.h"

static const struct
{
	const char *name;			/* in settings */
	pg_cryptohash_type type;
	int			size;
	bool		keyed;
}			digests[] = {
	[DIGEST_OPTION] = {NULL, PG_MD5, 0, false},
	[DIGEST_NONE] = {"none", PG_MD5, 0, false},
	[DIGEST_HMAC_MD5] = {"hmac-md5", PG_MD5, 16, true},
	[DIGEST_HMAC_SHA256] = {"hmac-sha256", PG_SHA256, 32, true},
	[DIGEST_MD5] = {"md5", PG_MD5, 16, false},
	[DIGEST_SHA256] = {"sha256", PG_SHA256, 32, false},
};

/* Which digest a field has, for a provider that is set up so. */
static DigestKind
kind_of(const FieldSpec *spec, const LayoutDigest *digest)
{
	if (spec->digest != DIGEST_OPTION)
		return spec->digest;
	if (digest == NULL || digest->algorithm == NULL)
		return DIGEST_NONE;
	for (int kind = DIGEST_NONE; kind < DIGEST_INVALID; kind++)
		if (strcmp(digests[kind].name, digest->algorithm) == 0)
			return kind;
	return DIGEST_INVALID;
}

int
layout_digest_width(const FieldSpec *spec, const LayoutDigest *digest,
					const char **reason)
{
	DigestKind	kind = kind_of(spec, digest);
	int			bytes = spec->digest_bytes;

	if (kind == DIGEST_INVALID)
	{
		*reason = "is of an algorithm that is not known";
		return -1;
	}
	if (kind == DIGEST_NONE)
		return 0;
	if (digests[kind].keyed && (digest == NULL || digest->key == NULL))
	{
		*reason = "needs a key";
		return -1;
	}
	if (bytes > digests[kind].size)
	{
		*reason = psprintf("takes more bytes than %s has",
						   digests[kind].name);
		return -1;
	}
	if (bytes == 0)
		bytes = digests[kind].size;
	return spec->as_hex ? bytes * 2 : bytes;
}

static bool
make_hmac(DigestKind kind, const LayoutDigest *digest, const char *data,
		  Size len, uint8 *result)
{
	pg_hmac_ctx *ctx = pg_hmac_create(digests[kind].type);
	bool		made;

	if (ctx == NULL)
		return false;
	made = pg_hmac_init(ctx, (const uint8 *) digest->key,
						digest->key_len) >= 0 &&
		pg_hmac_update(ctx, (const uint8 *) data, len) >= 0 &&
		pg_hmac_final(ctx, result, digests[kind].size) >= 0;
	pg_hmac_free(ctx);
	return made;
}

static bool
make_plain(DigestKind kind, const char *data, Size len, uint8 *result)
{
	pg_cryptohash_ctx *ctx = pg_cryptohash_create(digests[kind].type);
	bool		made;

	if (ctx == NULL)
		return false;
	made = pg_cryptohash_init(ctx) >= 0 &&
		pg_cryptohash_update(ctx, (const uint8 *) data, len) >= 0 &&
		pg_cryptohash_final(ctx, result, digests[kind].size) >= 0;
	pg_cryptohash_free(ctx);
	return made;
}

/* Gives the server's functions a resource owner if there is none. */
static bool
make_owned(DigestKind kind, const LayoutDigest *digest, const char *data,
		   Size len, uint8 *result)
{
	static ResourceOwner ours = NULL;
	ResourceOwner before = CurrentResourceOwner;
	bool		made;

	if (before == NULL && ours == NULL)
		ours = ResourceOwnerCreate(NULL, "provreq digest");
	if (before == NULL)
		CurrentResourceOwner = ours;
	made = digests[kind].keyed ?
		make_hmac(kind, digest, data, len, result) :
		make_plain(kind, data, len, result);
	CurrentResourceOwner = before;
	return made;
}

bool
layout_digest_make(const FieldSpec *spec, const LayoutDigest *digest,
				   const char *data, Size len, char *to, const char **reason)
{
	static const char upper[] = "0123456789ABCDEF";
	static const char lower[] = "0123456789abcdef";
	uint8		result[LAYOUT_MAX_DIGEST];
	int			width = layout_digest_width(spec, digest, reason);

	if (width <= 0)
		return width == 0;
	if (!make_owned(kind_of(spec, digest), digest, data, len, result))
	{
		*reason = "could not be made";
		return false;
	}
	for (int i = 0; i < width; i++)
	{
		int			digit = i % 2 ? result[i / 2] & 15 : result[i / 2] >> 4;

		if (spec->as_hex)
			to[i] = (spec->lower ? lower : upper)[digit];
		else
			to[i] = (char) result[i];
	}
	return true;
}

/*
 * Looks at all bytes, however many are right.  Hex letters of either case
 * are the same: they differ in one bit, which the made digest loses too
 * where such a letter was found.
 */
bool
layout_digest_equal(const FieldSpec *spec, const char *made,
					const char *found, int width)
{
	int			difference = 0;

	for (int i = 0; i < width; i++)
	{
		unsigned char a = made[i];
		unsigned char b = found[i];
		bool		letter = (b >= 'a' && b <= 'f') || (b >= 'A' && b <= 'F');

		if (spec->as_hex && letter)
		{
			a |= 0x20;
			b |= 0x20;
		}
		difference |= a ^ b;
	}
	return difference == 0;
}
