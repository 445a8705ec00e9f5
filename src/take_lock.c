/*-------------------------------------------------------------------------
 *
 * take_lock.c
 *		One transaction at a time.
 *
 * The locks lie among the advisory locks, in a class of their own: the last
 * field of the tag, which is 1 and 2 for the functions of the server and 3
 * for those of queue_lock_provider.  So nobody can take one of them but by
 * the function below.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(provreq_take_lock);

/* Sets these locks apart from all other advisory ones. */
#define TAKEN_LOCK 4

/*
 * provreq.take_lock(relation, member): waits until no other transaction has
 * the lock, and keeps it until this one ends.
 */
Datum
provreq_take_lock(PG_FUNCTION_ARGS)
{
	Oid			relation = PG_GETARG_OID(0);
	char	   *member = text_to_cstring(PG_GETARG_TEXT_PP(1));
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, relation,
						 hash_bytes((unsigned char *) member,
									(int) strlen(member)),
						 TAKEN_LOCK);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
	PG_RETURN_VOID();
}
