/*-------------------------------------------------------------------------
 *
 * link_commands.c
 *		The commands of the control socket of a simulator over links.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "cards.h"
#include "command.h"
#include "ledger.h"
#include "link.h"
#include "link_commands.h"
#include "link_exchange.h"
#include "link_loop.h"
#include "link_protocol.h"

/*
 * A fault of connecting would not be felt by who is connected already, so
 * idle links are closed.
 */
bool
link_add_fault(const char *spec, Text *error)
{
	FaultStage	stage;
	bool		added;

	loop_lock();
	added = fault_add(spec, &stage, error);
	if (added && fault_is_on(FAULT_REFUSE))
		loop_refuse(true);
	if (added && stage == FAULT_AT_CONNECT)
		loop_drop(false);
	loop_unlock();
	return added;
}

static void
run_fault_add(const char *spec, Text *reply)
{
	Text		error = {0};

	if (link_add_fault(spec, &error))
		text_addf(reply, "ok %zu faults", fault_count());
	else
		text_addf(reply, "error %s", error.data);
	text_free(&error);
}

static void
run_fault_clear(const char *nothing, Text *reply)
{
	bool		listens;

	(void) nothing;
	loop_lock();
	fault_clear();
	listens = loop_refuse(false);
	loop_unlock();
	text_add(reply, listens ? "ok" : "error could not listen again");
}

static void
run_status(const char *nothing, Text *reply)
{
	LedgerTotals counted = ledger_totals();
	ExchangeTotals exchanged;

	(void) nothing;
	loop_lock();
	exchanged = exchange_totals();
	text_addf(reply, "ok received=%llu answered=%llu carried_out=%llu",
			  counted.received, counted.answered, counted.carried_out);
	text_addf(reply, " connections=%zu faults=%zu refusing=%s", link_count(),
			  fault_count(), fault_is_on(FAULT_REFUSE) ? "yes" : "no");
	text_addf(reply, " cards=%zu errors=%llu most_unanswered=%u", card_count(),
			  exchanged.errors, exchanged.most_unanswered);
	loop_unlock();
}

static void
run_drop(const char *nothing, Text *reply)
{
	(void) nothing;
	loop_lock();
	loop_drop(false);
	loop_unlock();
	text_add(reply, "ok");
}

static void
run_drop_all(const char *nothing, Text *reply)
{
	(void) nothing;
	loop_lock();
	loop_drop(true);
	loop_unlock();
	text_add(reply, "ok");
}

/* Something that nobody asked for, on each open link. */
static void
run_disturb(const char *nothing, Text *reply)
{
	Link	   *link;
	Link	   *next;
	unsigned	count = 0;

	(void) nothing;
	loop_lock();
	for (link = link_first(); link != NULL; link = next)
	{
		Text		bytes = {0};

		next = link->next;
		if (link->state == LINK_OPEN)
			protocol->disturb(link, &bytes);
		if (bytes.len > 0)
		{
			link_append(link, bytes.data, bytes.len);
			link_flush(link);
			count++;
		}
		text_free(&bytes);
	}
	loop_unlock();
	text_addf(reply, "ok %u", count);
}

static void
run_links(const char *nothing, Text *reply)
{
	Link	   *link;

	(void) nothing;
	text_add(reply, "ok");
	loop_lock();
	for (link = link_first(); link != NULL; link = link->next)
		text_addf(reply, "\tconnection=%llu source=%s unanswered=%u"
				  " received=%lld sent=%lld", link->number,
				  link->source[0] != '\0' ? link->source : "-",
				  link->unanswered, link->received, link->sent);
	loop_unlock();
}

static void
run_card(const char *id, Text *reply)
{
	Text		line = {0};

	loop_lock();
	if (card_describe(id, &line))
		text_addf(reply, "ok %s", line.data);
	else
		text_addf(reply, "error nothing was done to card \"%s\"", id);
	loop_unlock();
	text_free(&line);
}

static void
run_cards(const char *nothing, Text *reply)
{
	(void) nothing;
	text_add(reply, "ok");
	loop_lock();
	cards_describe(reply);
	loop_unlock();
}

static const Command commands[] = {
	{"fault add", true, run_fault_add},
	{"fault clear", false, run_fault_clear},
	{"status", false, run_status},
	{"flush", false, command_flush},
	{"drop", false, run_drop},
	{"drop all", false, run_drop_all},
	{"disturb", false, run_disturb},
	{"links", false, run_links},
	{"card", true, run_card},
	{"cards", false, run_cards},
	{"quit", false, command_quit},
	{NULL, false, NULL}
};

void
link_command(char *line, Text *reply)
{
	command_dispatch(commands, line, reply);
}
