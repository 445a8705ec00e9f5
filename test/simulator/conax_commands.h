/*-------------------------------------------------------------------------
 *
 * conax_commands.h
 *		The commands of the control socket.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONAX_COMMANDS_H
#define CONAX_COMMANDS_H

#include <stdbool.h>

#include "text.h"

/* A ControlCommand. */
extern void command_run(char *line, Text *reply);

/* Adds a fault and makes it felt; false with a message in error. */
extern bool command_add_fault(const char *spec, Text *error);

#endif							/* CONAX_COMMANDS_H */
