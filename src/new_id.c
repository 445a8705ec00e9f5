/*-------------------------------------------------------------------------
 *
 * new_id.c
 *		Identifiers of requests and directory rows.
 *
 * 32 upper-case hexadecimal digits.  They begin with the time, so that an
 * index on them grows at its end, as RFC 9562 (version 7) lays them out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(provreq_new_id);

/* Milliseconds between the epochs of Unix and PostgreSQL. */
#define EPOCH_DISTANCE \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * 86400 * 1000)

/*
 * Random bytes that were never handed out before.  Asking for many of them at
 * a time costs little more than for a few.
 */
static void
take_random(uint8 *bytes, int len)
{
	static uint8 pool[1024];
	static int	left = 0;
	static int	owner = 0;

	if (owner != MyProcPid || left < len)
	{
		left = 0;
		if (!pg_strong_random(pool, sizeof(pool)))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not generate random values")));
		left = sizeof(pool);
		owner = MyProcPid;
	}
	left -= len;
	memcpy(bytes, pool + left, len);
	memset(pool + left, 0, len);
}

Datum
provreq_new_id(PG_FUNCTION_ARGS)
{
	static const char digits[] = "0123456789ABCDEF";
	uint8		bytes[16];
	uint64		milliseconds = (uint64) (GetCurrentTimestamp() / 1000 +
										 EPOCH_DISTANCE);
	uint64		big_endian = pg_hton64(milliseconds << 16);
	char		id[33];

	take_random(bytes, sizeof(bytes));
	memcpy(bytes, &big_endian, 6);
	bytes[6] = (bytes[6] & 0x0f) | 0x70;
	bytes[8] = (bytes[8] & 0x3f) | 0x80;
	for (int i = 0; i < 16; i++)
	{
		id[2 * i] = digits[bytes[i] >> 4];
		id[2 * i + 1] = digits[bytes[i] & 0x0f];
	}
	id[32] = '\0';
	PG_RETURN_TEXT_P(cstring_to_text(id));
}
