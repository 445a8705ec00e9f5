/*-------------------------------------------------------------------------
 *
 * control.h
 *		The control socket: a line in, a line out.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_CONTROL_H
#define SIMULATOR_CONTROL_H

#include <stdbool.h>

#include "text.h"

/* Does what the line says and adds "ok ..." or "error ..." to the reply. */
typedef void (*ControlCommand) (char *line, Text *reply);

/*
 * Listens on a unix socket at that path, which must not be in use, and hands
 * every line to command, one at a time.  False, with errno, if it cannot.
 */
extern bool control_start(const char *path, ControlCommand command);
extern void control_stop(void);

#endif							/* SIMULATOR_CONTROL_H */
