/*-------------------------------------------------------------------------
 *
 * provreq.c
 *		Entry point of the library.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "launcher.h"
#include "settings.h"
#include "stats.h"
#include "trigger.h"
#include "waiters.h"
#include "wake.h"
#include "watch.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("provreq must be loaded when the server starts"),
				 errhint("Add provreq to shared_preload_libraries and restart the server.")));
	settings_define();
	wake_install_hooks();
	waiters_install_hooks();
	stats_install_hooks();
	watch_install_hook();
	trigger_install_hook();
	launcher_register();
}
