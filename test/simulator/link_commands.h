/*-------------------------------------------------------------------------
 *
 * link_commands.h
 *		The commands of the control socket of a simulator over links.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_LINK_COMMANDS_H
#define SIMULATOR_LINK_COMMANDS_H

#include <stdbool.h>

#include "text.h"

/* Adds a fault; false, with a message, if it is not understood. */
extern bool link_add_fault(const char *spec, Text *error);

/* For control_start. */
extern void link_command(char *line, Text *reply);

#endif							/* SIMULATOR_LINK_COMMANDS_H */
