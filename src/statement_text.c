/*-------------------------------------------------------------------------
 *
 * statement_text.c
 *		Keeping secrets out of what the server shows and logs of a statement.
 *
 * A PIN or a password is a part of the statement that sets it.  The server
 * keeps that text in three places: debug_query_string, which goes into the
 * log with every error; the backend's status, which pg_stat_activity and
 * deadlock reports show; and a local variable of its command loop, which goes
 * into the log with the statement's duration, with the values of its
 * parameters behind it.  The first two are overwritten, the third is caught
 * on its way out.
 *
 * What log_statement writes was written before we were called, and
 * auto_explain has the text from elsewhere: both are said so in the comments
 * of the SQL functions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "pgstat.h"
#include "tcop/tcopprot.h"

#include "statement_text.h"

static char hidden_text[NAMEDATALEN + 64];

/* When the statement started whose text is hidden. */
static TimestampTz hidden_start = 0;

static bool hook_installed = false;
static emit_log_hook_type previous_hook = NULL;

/* "duration: %s ms  statement: %s" and its sisters have a text to hide. */
static bool
tells_statement(const ErrorData *edata)
{
	return edata->message_id != NULL &&
		strncmp(edata->message_id, "duration: %s ms  ", 17) == 0;
}

/* The message with all behind the figure replaced. */
static void
hide_duration_text(ErrorData *edata)
{
	const char *unit = strstr(edata->message, " ms  ");

	if (unit != NULL)
		edata->message = psprintf("%.*s ms  statement: %s",
								  (int) (unit - edata->message),
								  edata->message, hidden_text);
	edata->detail = NULL;
	edata->detail_log = NULL;
}

static void
hide_from_log(ErrorData *edata)
{
	if (hidden_start != 0 &&
		hidden_start == GetCurrentStatementStartTimestamp() &&
		tells_statement(edata))
		hide_duration_text(edata);
	if (previous_hook != NULL)
		previous_hook(edata);
}

void
statement_text_hide(const char *function)
{
	if (!hook_installed)
	{
		previous_hook = emit_log_hook;
		emit_log_hook = hide_from_log;
		hook_installed = true;
	}
	if (hidden_start == GetCurrentStatementStartTimestamp() &&
		debug_query_string == hidden_text)
		return;
	hidden_start = GetCurrentStatementStartTimestamp();
	snprintf(hidden_text, sizeof(hidden_text),
			 "provreq.%s: statement hidden, it may hold a secret", function);
	debug_query_string = hidden_text;
	pgstat_report_activity(STATE_RUNNING, hidden_text);
}
