/*-------------------------------------------------------------------------
 *
 * program.h
 *		What the main programs share: complaints, values of the command line,
 *		and telling the port.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_PROGRAM_H
#define SIMULATOR_PROGRAM_H

#include <stdbool.h>

/* To be called first: what complaints begin with. */
extern void program_start(const char *name);

/* Says what could not be done; always false. */
extern bool complain(const char *what, const char *detail);

/* Ends the program: the command line is wrong. */
extern void fail(const char *what, const char *detail)
			__attribute__((noreturn));

/* The value of an option; ends the program when it is not right. */
extern long read_int(const char *value, long least, long most);

/* The whole text of a file, for good; ends the program without one. */
extern const char *read_file(const char *path);

/* Tells the port to who waits for it; port_file may be NULL. */
extern bool announce(const char *port_file, int port);

#endif							/* SIMULATOR_PROGRAM_H */
