/*-------------------------------------------------------------------------
 *
 * settings.c
 *		The configuration variables of provreq.
 *
 * What belongs to one provider is an option of its foreign server; only what
 * is true of the whole installation is here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"

#include "settings.h"

int			provreq_max_workers = 64;
int			provreq_window = 200000;
int			provreq_batch_size = 64;
int			provreq_shutdown_grace = 4000;
int			provreq_partitions_ahead = 3;
bool		provreq_allow_unmapped_service = false;
int			provreq_web_api_timeout = 10000;
char	   *provreq_acting_user = NULL;
char	   *provreq_acting_unit = NULL;

/* Those that senders look at, each time that they need one. */
static void
settings_define_sender(void)
{
	DefineCustomIntVariable("provreq.window",
							"Due requests that one sender keeps in memory.",
							"Of a longer backlog the rest stays in the table "
							"until there is room. About 100 bytes each. A "
							"sender keeps the size that it started with.",
							&provreq_window, 200000, 100, 10000000,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("provreq.batch_size",
							"Requests that a sender takes or settles in one "
							"transaction.",
							"A larger number raises the rate and the time "
							"that an urgent request waits behind those "
							"already taken.",
							&provreq_batch_size, 64, 1, 1000,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("provreq.shutdown_grace",
							"How long a sender that is told to stop waits "
							"for answers to what it has sent.",
							"What is still unanswered then is in doubt. DROP "
							"DATABASE WITH (FORCE) waits for 5 s at most.",
							&provreq_shutdown_grace, 4000, 0, 600000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
}

/* Nobody can set the last two: PGC_INTERNAL. */
static void
settings_define_api(void)
{
	int			hidden = GUC_NO_SHOW_ALL | GUC_NO_RESET_ALL |
	GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE;

	DefineCustomIntVariable("provreq.web_api_timeout",
							"How long provreq.web_api_sync() waits for the "
							"outcome.",
							"A request that is not finished then is answered "
							"as it is, and goes on.",
							&provreq_web_api_timeout, 10000, 0, 3600000,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomStringVariable("provreq.acting_user",
							   "The user of the session in use.",
							   "Set by provreq.use_session() until the end of "
							   "the transaction.",
							   &provreq_acting_user, "",
							   PGC_INTERNAL, hidden, NULL, NULL, NULL);
	DefineCustomStringVariable("provreq.acting_unit",
							   "The unit of the session in use.",
							   "Set by provreq.use_session() until the end of "
							   "the transaction.",
							   &provreq_acting_unit, "",
							   PGC_INTERNAL, hidden, NULL, NULL, NULL);
}

/* Called once, from _PG_init. */
void
settings_define(void)
{
	DefineCustomIntVariable("provreq.max_workers",
							"Supervisors, senders and runners that can run "
							"at once.",
							"One supervisor for each database that has the "
							"extension, one sender for each provider, one "
							"runner for each database in which a run is "
							"active; max_worker_processes must have room for "
							"them.",
							&provreq_max_workers, 64, 2, 1024,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	settings_define_sender();
	DefineCustomIntVariable("provreq.partitions_ahead",
							"Months for which partitions of the closed "
							"requests are made ahead.",
							NULL,
							&provreq_partitions_ahead, 3, 1, 120,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("provreq.allow_unmapped_service",
							 "Accept services that have no CA ID at the "
							 "provider.",
							 "Such a request carries no service_ca_id and "
							 "most systems will refuse it.",
							 &provreq_allow_unmapped_service, false,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	settings_define_api();
	MarkGUCPrefixReserved("provreq");
}
