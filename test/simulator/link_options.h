/*-------------------------------------------------------------------------
 *
 * link_options.h
 *		What the command line of a simulator over links has said.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_LINK_OPTIONS_H
#define SIMULATOR_LINK_OPTIONS_H

#include "cards.h"
#include "link_stream.h"

#define MAX_OPTION_FAULTS 64

typedef struct LinkOptions
{
	const char *bind;
	int			port;
	const char *port_file;
	const char *ledger;
	const char *control;
	unsigned long long seed;
	const char *faults[MAX_OPTION_FAULTS];
	size_t		fault_count;
	TlsSettings tls;
	CardRules	cards;
} LinkOptions;

extern LinkOptions link_given;

#endif							/* SIMULATOR_LINK_OPTIONS_H */
