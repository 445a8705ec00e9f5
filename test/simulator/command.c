/*-------------------------------------------------------------------------
 *
 * command.c
 *		The commands of a control socket, as a table.
 *
 *-------------------------------------------------------------------------
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "ledger.h"

void
command_flush(const char *nothing, Text *reply)
{
	(void) nothing;
	ledger_flush();
	text_add(reply, "ok");
}

void
command_quit(const char *nothing, Text *reply)
{
	(void) nothing;
	text_add(reply, "ok");
	kill(getpid(), SIGTERM);
}

/* What follows the command's words, or NULL if it is another command. */
static const char *
match_command(const Command *command, const char *line)
{
	size_t		len = strlen(command->words);

	if (strncmp(line, command->words, len) != 0)
		return NULL;
	if (!command->takes_rest)
		return line[len] == '\0' ? "" : NULL;
	return line[len] == ' ' ? line + len + 1 : NULL;
}

void
command_dispatch(const Command *commands, const char *line, Text *reply)
{
	const Command *command;

	for (command = commands; command->words != NULL; command++)
	{
		const char *rest = match_command(command, line);

		if (rest != NULL)
		{
			command->run(rest, reply);
			return;
		}
	}
	text_add(reply, "error no such command; there are");
	for (command = commands; command->words != NULL; command++)
		text_addf(reply, "%s \"%s%s\"", command == commands ? "" : ",",
				  command->words, command->takes_rest ? " ..." : "");
}
