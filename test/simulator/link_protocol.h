/*-------------------------------------------------------------------------
 *
 * link_protocol.h
 *		What a protocol over links has to say for itself.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_LINK_PROTOCOL_H
#define SIMULATOR_LINK_PROTOCOL_H

#include "fault.h"
#include "link.h"

#define CODE_OK "OK"
#define MESSAGE_WORD 24
#define MESSAGE_THINGS 80

/* A message that was received, decoded. */
typedef struct Message
{
	long long	received;		/* monotonic, microseconds */
	char		sequence[16];	/* as the ledger has it */
	char		operation[MESSAGE_WORD];
	char		card[16];		/* "" when it is about none */
	char		things[MESSAGE_THINGS];
	char		more[MESSAGE_THINGS];
	char		code[8];		/* CODE_OK, or the code to refuse it with */
	char		text[MESSAGE_THINGS];	/* why, when it is refused */
	bool		is_hello;
	bool		is_housekeeping;	/* no request: hello, heartbeat, ping */
	bool		ends_link;		/* the answer is the last on this link */
	int			hello[2];		/* of a hello: the status bytes to answer */
	unsigned long transaction;
	void	   *own;			/* the protocol's, until the next message */
} Message;

typedef struct Protocol
{
	const char *program;
	FaultDialect dialect;
	size_t		own_size;		/* of Link.own */

	/*
	 * Does a message that was never answered block the link for good?  Else
	 * it no longer counts as unanswered.
	 */
	bool		is_strict;

	/*
	 * The length of the message that the bytes begin with; 0: it is not to be
	 * told yet.  Sets *error when no message can begin so.
	 */
	size_t		(*measure) (const Link *link, const char *bytes, size_t len,
							const char **error);

	/*
	 * Reads a whole message, and takes note of its number.  Sets code and
	 * text when it is to be refused.  Returns NULL, or what makes it an error
	 * after which the link is closed without an answer.
	 */
	const char *(*decode) (Link *link, const char *bytes, size_t len,
						   Message *message);

	/* Does what a right message asks for. */
	void		(*carry_out) (const Message *message);

	/*
	 * Adds the answer to the message, with that code.  "twist" is what is to
	 * be wrong with it: FAULT_NONE, _OTHER_ANSWER, _UNSOLICITED (a message
	 * that nobody asked for), _NONSENSE, _WRONG_DIGEST, _WRONG_SEQUENCE,
	 * _WRONG_LENGTH, or _OVERSIZED with a size.
	 */
	void		(*answer) (Link *link, const Message *message,
						   const char *code, FaultKind twist, size_t size,
						   Text *bytes);

	/* A message that nobody asked for, on an idle link; may add nothing. */
	void		(*disturb) (Link *link, Text *bytes);
	void		(*on_close) (Link *link);
} Protocol;

/* The one that this program speaks. */
extern const Protocol *protocol;

#endif							/* SIMULATOR_LINK_PROTOCOL_H */
