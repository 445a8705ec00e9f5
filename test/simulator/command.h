/*-------------------------------------------------------------------------
 *
 * command.h
 *		The commands of a control socket, as a table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_COMMAND_H
#define SIMULATOR_COMMAND_H

#include <stdbool.h>

#include "text.h"

typedef struct Command
{
	const char *words;			/* NULL: the end of the table */
	bool		takes_rest;		/* more words follow */
	void		(*run) (const char *rest, Text *reply);
} Command;

/* Runs the command that the line is, or says which there are. */
extern void command_dispatch(const Command *commands, const char *line,
							 Text *reply);

/* Commands that all simulators have. */
extern void command_flush(const char *nothing, Text *reply);
extern void command_quit(const char *nothing, Text *reply);

#endif							/* SIMULATOR_COMMAND_H */
