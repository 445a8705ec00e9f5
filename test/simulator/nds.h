/*-------------------------------------------------------------------------
 *
 * nds.h
 *		The protocol of the NDS simulator: one message, one answer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NDS_H
#define NDS_H

#include "link_protocol.h"

typedef enum NdsDigest
{
	NDS_DIGEST_NONE,
	NDS_DIGEST_MD5,
	NDS_DIGEST_SHA256
} NdsDigest;

#define NDS_DIGEST_LEN 32

typedef struct NdsSettings
{
	NdsDigest	digest;
	const char *key;
	bool		is_once;		/* no connection may use what another used */
	const char *from_id;		/* of the client; NULL: any */
	const char *to_id;			/* NULL: any */
} NdsSettings;

/* What a link knows of its client. */
typedef struct NdsLink
{
	bool		is_known;		/* from and to have been told */
	char		from_id[5];
	char		to_id[5];
	struct NdsRange *range;		/* of its sequences; NULL: none so far */
	char		priority;		/* of the message to be answered */
	char		card[13];		/* as it came; zeros when there is none */
} NdsLink;

extern void nds_start(const NdsSettings *settings);
extern void nds_stop(void);

/* The length of the digest field. */
extern size_t nds_digest_len(void);

/*
 * Notes a sequence: the first of a link is free, then each is the one before
 * it and 1.  False: it is not, or, if that matters, another link of the same
 * client had it.
 */
extern bool nds_take_sequence(NdsLink *own, unsigned long sequence);

/* The digest of a text, as upper-case hex digits. */
extern void nds_digest(const char *text, size_t len,
					   char hex[NDS_DIGEST_LEN + 1]);

/* The parts of the protocol; see link_protocol.h. */
extern size_t nds_measure(const Link *link, const char *bytes, size_t len,
						  const char **error);
extern const char *nds_decode(Link *link, const char *bytes, size_t len,
							  Message *message);
extern void nds_carry_out(const Message *message);
extern void nds_answer(Link *link, const Message *message, const char *code,
					   FaultKind twist, size_t size, Text *bytes);
extern void nds_disturb(Link *link, Text *bytes);

#endif							/* NDS_H */
