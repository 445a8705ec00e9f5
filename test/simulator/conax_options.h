/*-------------------------------------------------------------------------
 *
 * conax_options.h
 *		The command line.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONAX_OPTIONS_H
#define CONAX_OPTIONS_H

#include "conax_cas.h"
#include "conax_checks.h"
#include "conax_http.h"

#define MAX_OPTION_FAULTS 64

typedef struct Options
{
	const char *bind;
	int			port;
	const char *port_file;
	const char *ledger;
	const char *control;
	const char *schema;			/* NULL: no validation */
	unsigned long long seed;
	const char *faults[MAX_OPTION_FAULTS];
	size_t		fault_count;
	HttpSettings http;
	CheckSettings checks;
	CasRules	rules;
} Options;

/* Reads the command line; ends the program when it is wrong. */
extern void options_read(int argc, char **argv, Options *options);

#endif							/* CONAX_OPTIONS_H */
