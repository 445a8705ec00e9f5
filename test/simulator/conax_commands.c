/*-------------------------------------------------------------------------
 *
 * conax_commands.c
 *		The commands of the control socket.
 *
 *-------------------------------------------------------------------------
 */
#include "command.h"
#include "conax_commands.h"
#include "conax_http.h"
#include "conax_listen.h"
#include "conax_state.h"
#include "fault.h"
#include "ledger.h"

/*
 * A fault of connecting would not be felt by who is connected already, so
 * idle connections are closed.
 */
bool
command_add_fault(const char *spec, Text *error)
{
	FaultStage	stage;

	if (!fault_add(spec, &stage, error))
		return false;
	if (fault_is_on(FAULT_REFUSE))
		listen_refuse(true);
	if (stage == FAULT_AT_CONNECT)
		http_drop_idle();
	return true;
}

static void
run_fault_add(const char *spec, Text *reply)
{
	Text		error = {0};

	if (command_add_fault(spec, &error))
		text_addf(reply, "ok %zu faults", fault_count());
	else
		text_addf(reply, "error %s", error.data);
	text_free(&error);
}

static void
run_fault_clear(const char *nothing, Text *reply)
{
	(void) nothing;
	fault_clear();
	text_add(reply, listen_refuse(false) ? "ok" :
			 "error could not listen again");
}

static void
run_status(const char *nothing, Text *reply)
{
	LedgerTotals totals = ledger_totals();

	(void) nothing;
	text_addf(reply, "ok received=%llu answered=%llu carried_out=%llu",
			  totals.received, totals.answered, totals.carried_out);
	text_addf(reply, " connections=%u faults=%zu refusing=%s", http_count(),
			  fault_count(), fault_is_on(FAULT_REFUSE) ? "yes" : "no");
	state_lock();
	text_addf(reply, " cards=%zu", state_card_count());
	state_unlock();
}

static void
run_drop(const char *nothing, Text *reply)
{
	(void) nothing;
	http_drop_idle();
	text_add(reply, "ok");
}

static void
run_card(const char *id, Text *reply)
{
	const Card *card;

	state_lock();
	card = state_find_card(id);
	if (card == NULL)
		text_addf(reply, "error nothing was done to card \"%s\"", id);
	else
	{
		text_add(reply, "ok ");
		state_describe_card(card, reply);
	}
	state_unlock();
}

/* All cards, each after a tab. */
static void
run_cards(const char *nothing, Text *reply)
{
	(void) nothing;
	text_add(reply, "ok");
	state_lock();
	state_describe_cards(reply);
	state_unlock();
}

static const Command commands[] = {
	{"fault add", true, run_fault_add},
	{"fault clear", false, run_fault_clear},
	{"status", false, run_status},
	{"flush", false, command_flush},
	{"drop", false, run_drop},
	{"card", true, run_card},
	{"cards", false, run_cards},
	{"quit", false, command_quit},
	{NULL, false, NULL}
};

void
command_run(char *line, Text *reply)
{
	command_dispatch(commands, line, reply);
}
