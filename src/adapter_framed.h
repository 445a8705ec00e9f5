/*-------------------------------------------------------------------------
 *
 * adapter_framed.h
 *		What systems that are spoken to in framed messages have in common.
 *
 * Nagravision, NDS and their like differ in their operations and options,
 * which are tables in C, and in their messages, which are data: the wire
 * profile has the layouts, the conversation of a link, the answers and what
 * their codes mean.  So every callback of such an adapter stands here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_ADAPTER_FRAMED_H
#define PROVREQ_ADAPTER_FRAMED_H

#include "layout.h"
#include "pin.h"
#include "transport.h"

/* A kind of frame that the other side sends. */
typedef struct FramedAnswer
{
	const char *name;
	const Layout *layout;
	bool		is_answer;		/* to a message; else it is ignored */
	const List *codes;			/* of VerdictCode *; NIL: verdict says it */
	CasVerdict	verdict;
	const char *transaction;	/* names of its fields; NULL: has none */
	const char *code;
	const char *text;
	const char *reference;
} FramedAnswer;

/* One operation as the profile has it. */
typedef struct FramedOperation
{
	const Layout *layout;		/* NULL: the profile lacks the operation */
	const char *each;			/* one message for each value of that name */
	const char *label;			/* what such a value is, for people */
	bool		idempotent;
	List	   *values;			/* of LayoutValue *: constants */
} FramedOperation;

/* One step of the conversation that begins a link. */
typedef struct FramedStep
{
	const Layout *send;			/* NULL: nothing */
	List	   *values;			/* of LayoutValue *: constants of send */
	const Layout *receive;		/* NULL: nothing */
	const char *code;			/* field of receive that must be accepted */
	const char *accepted;		/* its value if we are welcome */
	const char *what;			/* what is refused otherwise, for people */
} FramedStep;

typedef struct FramedProfile
{
	const LayoutFrame *frame;
	FramedOperation *operations;	/* parallel to the adapter's */
	List	   *answers;		/* of FramedAnswer * */
	List	   *hello;			/* of FramedStep * */
	const Layout *check;		/* NULL: none */
	List	   *check_values;	/* of LayoutValue *: constants of it */
	bool		by_order;
	bool		per_connection;
	uint64		first_number;
	uint64		last_number;
	PinDigits	pin;
	int			max_set;		/* values of one name in a request */
} FramedProfile;

/* Options that every such system has, to be put into the adapter's table. */
#define FRAMED_OPTIONS \
	{"host", CAS_OPTION_TEXT, CAS_ON_SERVER, true}, \
	{"port", CAS_OPTION_INTEGER, CAS_ON_SERVER, true, NULL, 1, 65535}, \
	{"tls", CAS_OPTION_BOOLEAN, CAS_ON_SERVER, false, "false"}, \
	{"ca_file", CAS_OPTION_FILE, CAS_ON_SERVER}

/* Callbacks of the adapter; see there. */
extern void framed_check_options(const CasSettings *settings,
								 CasOptionPlace place);
extern FramedProfile *framed_compile_profile(const CasAdapter *adapter,
											 Jsonb *document);
extern void framed_validate(const CasSettings *settings,
							const CasRequest *request);
extern List *framed_encode(const CasSettings *settings,
						   const CasRequest *request, CasRendering rendering);
extern void framed_decode(const CasSettings *settings,
						  const CasOperation *operation,
						  const CasReply *reply, CasOutcome *outcome);
extern char *framed_text(const CasSettings *settings,
						 const CasMessage *message);
extern char *framed_explain(const CasSettings *settings,
							const CasMessage *message, bool secrets);
extern char *framed_explain_answer(const CasSettings *settings,
								   const char *data, Size len, bool secrets);
extern const char *framed_identity(const CasSettings *settings,
								   const CasOperation *operation,
								   const char *name, const char *ca_id);
extern bool framed_idempotent(const CasSettings *settings,
							  const CasOperation *operation);

extern const CasDialect framed_dialect;

/* ---- adapter_framed_link.c ---- */

/*
 * The names of the links, ending with NULL: one for each source id where
 * there are such, else as many as the option "connections" says, numbered.
 */
extern const char **framed_link_names(const CasSettings *settings);

/* Raises an error when there is no key for the digests that are wanted. */
extern void framed_check_key(const CasSettings *settings);

/* ---- adapter_framed.c ---- */

/*
 * Values that a message has beside those of its request: what the stamp says
 * and the provider's options, appended to an array with room for them.
 */
extern int	framed_add_stamp(const CasSettings *settings,
							 const CasStamp *stamp, LayoutValue *values,
							 int nvalues);

/* As many as those can be. */
extern int	framed_stamp_room(const CasSettings *settings);

/* Makes a message of framed_encode what it is on a link: for the dialect. */
extern void framed_stamp(const CasSettings *settings, CasMessage *message,
						 const CasStamp *stamp);

/* ---- adapter_framed_answer.c ---- */

/*
 * Which of the profile's answers a whole frame is, and its fields; NULL, with
 * the reason, if it is none.
 */
extern const FramedAnswer *framed_recognise(const CasSettings *settings,
											const char *data, Size len,
											List **fields,
											const char **failure);

/* How this provider's digests are made. */
extern LayoutDigest framed_digest(const CasSettings *settings);

/* The option of that name; NULL where this kind has none or it is unset. */
extern const char *framed_option(const CasSettings *settings,
								 const char *name);

/*
 * Bytes as the table shows them: the message without its outer length if
 * that is printable, else the whole frame in hex.
 */
extern char *framed_bytes_text(const CasSettings *settings, const char *data,
							   Size len);

#endif							/* PROVREQ_ADAPTER_FRAMED_H */
