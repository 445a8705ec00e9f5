/*-------------------------------------------------------------------------
 *
 * process.c
 *		What the launcher, the supervisors and the senders have in common.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"

#include "process.h"
#include "wake.h"

/* No statement of ours waits longer than this for a lock. */
#define LOCK_TIMEOUT_SETTING "200ms"

/* A commit is under way, which may be waiting for a standby. */
static volatile sig_atomic_t committing = false;

/*
 * SIGTERM only asks us to leave: a sender first waits for the answers to
 * what it has sent.  Nothing of ours takes long, see lock_timeout, but for
 * a commit that waits for a standby: that wait is given up.
 */
static void
handle_sigterm(SIGNAL_ARGS)
{
	int			save_errno = errno;

	ShutdownRequestPending = true;
	if (committing)
	{
		QueryCancelPending = true;
		InterruptPending = true;
	}
	SetLatch(MyLatch);
	errno = save_errno;
}

/*
 * SIGINT is how lock_timeout interrupts a wait.  From pg_cancel_backend() it
 * means nothing to us: there is no statement of a user's to cancel.
 */
static void
handle_sigint(SIGNAL_ARGS)
{
	if (get_timeout_indicator(LOCK_TIMEOUT, false))
		StatementCancelHandler(postgres_signal_arg);
}

void
process_signals(void)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, handle_sigterm);
	pqsignal(SIGINT, handle_sigint);
	BackgroundWorkerUnblockSignals();
}

static void
set_option(const char *name, const char *value)
{
	SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

/* An attempt must be on disk before its message leaves. */
static void
insist_on_durability(void)
{
	if (synchronous_commit == SYNCHRONOUS_COMMIT_OFF)
		set_option("synchronous_commit", "on");
}

/*
 * Whatever the database or the role is set to, our statements run the same
 * way.  Sequential scans are off because a table that was empty when a
 * statement was planned may hold millions of rows, or dead ones, later.
 */
static void
set_options(void)
{
	set_option("search_path", "pg_catalog, pg_temp");
	set_option("statement_timeout", "0");
	set_option("lock_timeout", LOCK_TIMEOUT_SETTING);
	if (GetConfigOption("transaction_timeout", true, false) != NULL)
		set_option("transaction_timeout", "0"); /* new in PostgreSQL 17 */
	set_option("idle_in_transaction_session_timeout", "0");
	set_option("default_transaction_isolation", "read committed");
	set_option("default_transaction_read_only", "off");
	set_option("default_transaction_deferrable", "off");
	set_option("plan_cache_mode", "force_generic_plan");
	set_option("enable_seqscan", "off");
	set_option("enable_hashjoin", "off");
	set_option("enable_mergejoin", "off");
	set_option("jit", "off");
	insist_on_durability();
}

void
process_follow_configuration(void)
{
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	insist_on_durability();
}

void
process_begin(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
}

void
process_begin_afresh(void)
{
	process_begin();
	InvalidateSystemCaches();
}

void
process_commit(void)
{
	PopActiveSnapshot();
	committing = true;
	CommitTransactionCommand();
	committing = false;
	QueryCancelPending = false;
	pgstat_report_stat(false);
}

void
process_abort(void)
{
	committing = false;
	QueryCancelPending = false;
	/* also out of subtransactions, which AbortCurrentTransaction stays in */
	AbortOutOfAnyTransaction();
	FlushErrorState();
}

/*
 * The rest of the process has the rights of provreq_worker only.  Before
 * PostgreSQL 17 a background worker cannot start as a role that may not log
 * in, so it starts as the bootstrap superuser and steps down.
 */
static void
become_worker(void)
{
	process_begin();
	SetConfigOption("session_authorization", "provreq_worker", PGC_SUSET,
					PGC_S_SESSION);
	process_commit();
}

Oid
process_start(Datum main_arg, bool as_worker)
{
	WakeChild	child;

	memcpy(&child, MyBgworkerEntry->bgw_extra, sizeof(child));
	process_signals();
	if (!wake_attach(DatumGetInt32(main_arg), child.generation))
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(child.dbid, InvalidOid, 0);
	set_options();
	if (as_worker)
		become_worker();
	return child.serverid;
}

void
process_name(const char *kind, const char *name)
{
	char		full[NAMEDATALEN * 2];

	snprintf(full, sizeof(full), "%s %s", kind, name);
	SetConfigOption("application_name", full, PGC_USERSET, PGC_S_SESSION);
}

void
process_report(bool active, const char *state)
{
	static char last[128];

	if (strcmp(last, state) == 0)
		return;
	strlcpy(last, state, sizeof(last));
	pgstat_report_activity(active ? STATE_RUNNING : STATE_IDLE, NULL);
	pgstat_report_activity(active ? STATE_RUNNING : STATE_IDLE, state);
}

WaitEventSet *
process_wait_set(pgsocket fd)
{
	WaitEventSet *set = compat_create_wait_event_set(3);

	AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	if (fd != PGINVALID_SOCKET)
		AddWaitEventToSet(set, WL_SOCKET_READABLE, fd, NULL, NULL);
	return set;
}
