/*-------------------------------------------------------------------------
 *
 * sender_settings.c
 *		How a sender follows its server, user mapping and wire profile.
 *
 * Settings and link live in one memory context: dropping it closes all
 * connections.  That is done only when nothing is in flight.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "process.h"
#include "sender_private.h"

/* Settings that could not be loaded are tried again after this, in ms. */
#define RELOAD_DELAY 1000
#define RELOAD_DELAY_MAX 60000

void
sender_drop_link(Sender *sender)
{
	sender->link = NULL;
	sender->link_generation++;
	sender->settings = NULL;
	if (sender->settings_context)
		MemoryContextDelete(sender->settings_context);
	sender->settings_context = NULL;
}

/* Reads the settings and opens a link in a context of their own. */
static void
load_settings(Sender *sender, Provider *provider)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext,
												  "provreq settings",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	CasSettings *settings;

	sender->settings_context = context;
	settings = provider_settings(provider->serverid);
	sender->link = provider->adapter->transport->open(settings);
	sender->link_generation++;
	sender->settings = settings;
	breaker_init(&sender->breaker,
				 (int) cas_option_int(settings, "retry_delay"),
				 (int) cas_option_int(settings, "retry_delay_max"));
	MemoryContextSwitchTo(old);
}

/* Gone, not effective, or renamed: this sender is not wanted any more. */
static bool
still_wanted(Sender *sender, const Provider *provider)
{
	return provider != NULL && provider->effective &&
		strcmp(provider->name, sender->name) == 0;
}

/*
 * Loading failed.  What is wrong is logged, once for each thing that is, and
 * the requests wait until it is put right: by DDL, which wakes us, or by
 * itself, as a lock or a full table of files does.
 */
static void
reload_failed(Sender *sender)
{
	static char last[256];
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	ErrorData  *error = CopyErrorData();
	int64		delay = RELOAD_DELAY;

	MemoryContextSwitchTo(old);
	if (sender->reload_failures == 0 || strcmp(last, error->message) != 0)
	{
		errcontext("loading the settings of provider \"%s\"", sender->name);
		EmitErrorReport();
	}
	strlcpy(last, error->message, sizeof(last));
	FreeErrorData(error);
	for (int i = 0; i < sender->reload_failures && delay < RELOAD_DELAY_MAX;
		 i++)
		delay *= 2;
	sender->reload_failures++;
	sender->reload_again =
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
									Min(delay, RELOAD_DELAY_MAX));
}

/* Follows a change of server, mapping or profile. */
void
sender_reload(Sender *sender)
{
	sender_drop_link(sender);
	PG_TRY();
	{
		Provider   *provider;

		process_begin_afresh();
		provider = provider_find(sender->serverid);
		if (still_wanted(sender, provider))
			load_settings(sender, provider);
		else
			sender->stopping = sender->deliberate = true;
		process_commit();
		sender->reload_again = 0;
		sender->reload_failures = 0;
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		reload_failed(sender);
		process_abort();
		sender_drop_link(sender);
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(TopMemoryContext);
	sender->reload = false;
}
