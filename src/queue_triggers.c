/*-------------------------------------------------------------------------
 *
 * queue_triggers.c
 *		What a change of the tables sets in motion: it is marked for the
 *		senders, and wakes them and those who wait for an outcome.
 *
 * It makes no difference whether a change comes from our functions, from
 * COPY, or from a statement at a psql prompt.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/xid8.h"

#include "queue.h"
#include "waiters.h"
#include "wake.h"

PG_FUNCTION_INFO_V1(provreq_request_changed);
PG_FUNCTION_INFO_V1(provreq_requests_withdrawn);
PG_FUNCTION_INFO_V1(provreq_installation_changed);
PG_FUNCTION_INFO_V1(provreq_pause_changed);

/*
 * A row comes in that another transaction has made: a dump is being restored,
 * in whatever order, and the provider may be there already.  Nothing of it
 * may be sent, and so the database is marked as a copy together with the row.
 */
static void
note_restored(FullTransactionId xid)
{
	static FullTransactionId noted_by = {0};
	static SubTransactionId noted_in = InvalidSubTransactionId;

	if (FullTransactionIdEquals(noted_by, xid) &&
		noted_in == GetCurrentSubTransactionId())
		return;
	SPI_connect();
	if (SPI_execute("INSERT INTO provreq.installation"
					" (system_identifier, database)"
					" SELECT 0, 0 WHERE NOT EXISTS ("
					" SELECT FROM provreq.installation AS i"
					" WHERE i.system_identifier OPERATOR(pg_catalog.=) 0)",
					false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not write provreq.installation");
	SPI_finish();
	noted_by = xid;
	noted_in = GetCurrentSubTransactionId();
}

/* Puts the current transaction into created_xid if it is not there. */
static HeapTuple
stamp(TriggerData *trigger, HeapTuple tuple)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	FullTransactionId xid = GetTopFullTransactionId();
	int			column = SPI_fnumber(desc, "created_xid");
	Datum		value = FullTransactionIdGetDatum(xid);
	bool		isnull;
	Datum		present = heap_getattr(tuple, column, desc, &isnull);

	if (!isnull && FullTransactionIdEquals(DatumGetFullTransactionId(present),
										   xid))
		return tuple;
	if (!isnull && TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		note_restored(xid);
	isnull = false;
	return heap_modify_tuple_by_cols(tuple, desc, 1, &column, &value,
									 &isnull);
}

/* Does the row stay in the pending part? */
static bool
is_pending(TriggerData *trigger, HeapTuple tuple)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	bool		isnull;
	Datum		state = heap_getattr(tuple,
									 SPI_fnumber(desc, "life_cycle_state"),
									 desc, &isnull);

	return !isnull && strcmp(TextDatumGetCString(state), "PENDING") == 0;
}

/* Remembers to wake the sender of the row's provider, if it has one. */
static void
remember_to_wake(TriggerData *trigger, HeapTuple tuple)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	bool		isnull;
	Datum		provider = heap_getattr(tuple, SPI_fnumber(desc, "provider"),
										desc, &isnull);
	Oid			serverid;

	if (isnull)
		return;
	serverid = get_foreign_server_oid(TextDatumGetCString(provider), true);
	if (OidIsValid(serverid))
		wake_sender_at_commit(serverid, WAKE_WORK);
}

/* Remembers to wake who waits for a row that is closed or held by this. */
static void
remember_waiters(TriggerData *trigger, HeapTuple tuple)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	bool		isnull;
	Datum		number = heap_getattr(tuple, SPI_fnumber(desc, "number"), desc,
									  &isnull);

	if (heap_attisnull(tuple, SPI_fnumber(desc, "hold_reason"), desc) &&
		is_pending(trigger, tuple))
		return;
	waiters_wake_at_commit(DatumGetInt64(number));
}

/*
 * Before a pending row is inserted or changed: marks it with the current
 * transaction, which is how the sender will find it, and wakes the sender at
 * commit.  So it makes no difference whether a row comes from our functions,
 * from COPY, or from an UPDATE at a psql prompt.
 */
Datum
provreq_request_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	HeapTuple	tuple;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("provreq.request_changed() must be called as a trigger")));
	tuple = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ?
		trigger->tg_newtuple : trigger->tg_trigtuple;
	if (queue_in_sender)
		return PointerGetDatum(tuple);
	if (is_pending(trigger, tuple))
		tuple = stamp(trigger, tuple);
	remember_to_wake(trigger, tuple);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		remember_waiters(trigger, tuple);
	return PointerGetDatum(tuple);
}

/* After a statement that may have taken requests out of the pending part. */
Datum
provreq_requests_withdrawn(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("provreq.requests_withdrawn() must be called as a trigger")));
	if (queue_in_sender)
		return PointerGetDatum(NULL);
	wake_all_senders_at_commit(WAKE_WITHDRAWN);
	if (!TRIGGER_FIRED_BY_UPDATE(((TriggerData *) fcinfo->context)->tg_event))
		waiters_wake_all_at_commit();
	return PointerGetDatum(NULL);
}

/* A dump was restored, or the database adopted: look again. */
Datum
provreq_installation_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("provreq.installation_changed() must be called as a trigger")));
	wake_supervisor_at_commit();
	wake_all_senders_at_commit(WAKE_WORK);
	return PointerGetDatum(NULL);
}

/* A provider was paused or resumed: the senders look with their next feed. */
Datum
provreq_pause_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("provreq.pause_changed() must be called as a trigger")));
	wake_all_senders_at_commit(WAKE_WORK);
	return PointerGetDatum(NULL);
}
