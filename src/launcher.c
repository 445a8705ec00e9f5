/*-------------------------------------------------------------------------
 *
 * launcher.c
 *		The one static worker: finds the databases that have the extension.
 *
 * Nobody can look into a database from outside, so at the start of the
 * server a supervisor is sent into each, and leaves at once where there is
 * nothing to look after.  Later the launcher is woken by CREATE EXTENSION and
 * CREATE DATABASE (watch.c), and by supervisors that ended.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "launcher.h"
#include "process.h"
#include "wake.h"

PGDLLEXPORT void provreq_launcher_main(Datum main_arg);

/* When the roster was full, databases are looked at again after this, ms. */
#define ROSTER_DELAY 1000

/* datconnlimit of a database whose DROP DATABASE was interrupted. */
#define INVALID_DATABASE (-2)

void
launcher_register(void)
{
	BackgroundWorker worker;

	if (IsBinaryUpgrade)
		return;					/* pg_upgrade: send and write nothing */
	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 1;
	strlcpy(worker.bgw_library_name, "provreq", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "provreq_launcher_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "provreq launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "provreq launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

/* Oids of all databases that can be connected to, in the given context. */
static List *
database_oids(MemoryContext context)
{
	List	   *oids = NIL;
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext old = MemoryContextSwitchTo(context);

		if (form->datallowconn && !form->datistemplate &&
			form->datconnlimit != INVALID_DATABASE)
			oids = lappend_oid(oids, form->oid);
		MemoryContextSwitchTo(old);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	return oids;
}

/*
 * Wants a supervisor for every database that has not been looked into yet,
 * and forgets those of databases that are gone.  "seen" are the databases of
 * the last time; false when there was no room for all.
 */
static bool
look_at_databases(List **seen, MemoryContext context)
{
	List	   *now = database_oids(context);
	List	   *known = wake_supervisor_databases();
	bool		room = true;
	ListCell   *lc;

	foreach(lc, known)
		if (!list_member_oid(now, lfirst_oid(lc)))
		wake_stop(WORKER_SUPERVISOR, lfirst_oid(lc), InvalidOid);
	foreach(lc, now)
		if (!list_member_oid(*seen, lfirst_oid(lc)) &&
			!wake_want(WORKER_SUPERVISOR, lfirst_oid(lc), InvalidOid))
	{
		now = foreach_delete_current(now, lc);
		room = false;
	}
	list_free(known);
	list_free(*seen);
	*seen = now;
	return room;
}

void
provreq_launcher_main(Datum main_arg)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext,
												  "provreq databases",
												  ALLOCSET_DEFAULT_SIZES);
	List	   *seen = NIL;
	WaitEventSet *set;
	uint32		event_name;

	process_signals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	wake_attach_launcher();
	set = process_wait_set(PGINVALID_SOCKET);
	event_name = compat_wait_event("ProvreqLauncherMain");
	process_report(false, "looking after databases");
	while (!ShutdownRequestPending)
	{
		WaitEvent	event;
		long		timeout;
		bool		room;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		process_follow_configuration();
		(void) wake_take();
		room = look_at_databases(&seen, context);
		timeout = wake_start_wanted(WORKER_SUPERVISOR, InvalidOid);
		if (!room)
			timeout = timeout < 0 ? ROSTER_DELAY : Min(timeout, ROSTER_DELAY);
		(void) WaitEventSetWait(set, timeout, &event, 1, event_name);
	}
	proc_exit(1);
}
