/*-------------------------------------------------------------------------
 *
 * link_main.h
 *		The command line and the life of a simulator over links.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_LINK_MAIN_H
#define SIMULATOR_LINK_MAIN_H

#include <getopt.h>

#include "link_protocol.h"

/* The first value of a program's own options. */
#define OPT_OWN 1000

typedef struct LinkProgram
{
	const Protocol *protocol;
	const char *what;			/* that it plays */
	const struct option *options;	/* of its own; ends with zeros */
	const char *help;			/* on them */
	void		(*read_own) (int option, const char *value);
} LinkProgram;

/* Reads the command line; ends the program when it is wrong. */
extern void link_options(int argc, char **argv, const LinkProgram *program);

/* Runs until a signal or the command quit; the exit status. */
extern int	link_main(const LinkProgram *program);

#endif							/* SIMULATOR_LINK_MAIN_H */
