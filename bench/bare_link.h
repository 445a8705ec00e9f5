/*-------------------------------------------------------------------------
 *
 * bare_link.h
 *		What the bare senders of framed messages share: many connections, an
 *		epoll set, a clock.
 *
 * What bench/drain holds provreq against: nothing is chosen, ordered, checked
 * or stored, but for the answers' being acknowledgements.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BARE_LINK_H
#define BARE_LINK_H

#include <stdbool.h>
#include <stddef.h>

#define BARE_BUFFER 65536

typedef struct BareLink
{
	int			fd;
	int			index;			/* 0, 1, ... */
	size_t		unanswered;
	unsigned long number;		/* of the last message */
	char		in[BARE_BUFFER];
	size_t		in_len;
	char		out[BARE_BUFFER];
	size_t		out_len;
	size_t		out_done;
} BareLink;

typedef struct BareOptions
{
	int			port;
	size_t		messages;
	size_t		cards;
	int			links;
	size_t		window;			/* messages without an answer on a link */
	unsigned long first;		/* number of the first message of a link */
	const char *key;			/* of a digest; NULL: none */
} BareOptions;

typedef struct BareProtocol
{
	const char *name;
	const char *help;			/* on its own options */

	/* What a connection begins with; NULL: nothing. */
	void		(*greet) (BareLink *link);

	/* Puts message number "index" into the output. */
	void		(*add) (BareLink *link, const BareOptions *options,
						size_t index);

	/*
	 * The length of the answer that the input begins with, 0 when it is not
	 * whole; ends the program when it is none that is right.
	 */
	size_t		(*take) (const BareLink *link);
} BareProtocol;

extern void bare_die(const char *what, const char *detail)
			__attribute__((noreturn));

/* Room in the output, which must be so long at least. */
extern char *bare_room(BareLink *link, size_t len);

/* Reads the command line, sends, prints; the exit status. */
extern int	bare_main(int argc, char **argv, const BareProtocol *protocol,
					  BareOptions *options);

#endif							/* BARE_LINK_H */
