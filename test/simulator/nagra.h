/*-------------------------------------------------------------------------
 *
 * nagra.h
 *		The protocol of the Nagravision simulator: framed, pipelined.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NAGRA_H
#define NAGRA_H

#include "link_protocol.h"

#define NAGRA_MAX_SOURCES 256

typedef struct NagraSettings
{
	const char *object_name;
	const char *dest_id;		/* NULL: any, but one on a link */
	const char *mop_ppid;		/* NULL: any, but one on a link */
	char		sources[NAGRA_MAX_SOURCES][5];	/* that are known */
	unsigned	source_count;	/* 0: all are */
} NagraSettings;

/* What a link knows of its client. */
typedef struct NagraLink
{
	bool		is_greeted;		/* the hello was accepted */
	struct NagraSource *source; /* NULL: not known yet */
	char		dest_id[5];
	char		mop_ppid[6];
	unsigned long answers;		/* the gateway's own numbering */
} NagraLink;

extern void nagra_start(const NagraSettings *settings);
extern void nagra_stop(void);

/* The parts of the protocol; see link_protocol.h. */
extern const char *nagra_decode(Link *link, const char *bytes, size_t len,
								Message *message);
extern void nagra_carry_out(const Message *message);
extern void nagra_on_close(Link *link);
extern void nagra_answer(Link *link, const Message *message, const char *code,
						 FaultKind twist, size_t size, Text *bytes);
extern void nagra_disturb(Link *link, Text *bytes);

#endif							/* NAGRA_H */
