/*-------------------------------------------------------------------------
 *
 * adapter.h
 *		What a conditional access system is to the rest of provreq.
 *
 * A CAS is one CasAdapter: what it can carry (operations), how it is set up
 * (options), how a request becomes messages and an answer becomes a verdict
 * (encode, decode), and the transport that moves the bytes.  The sender, the
 * queue and the SQL interface see nothing else of it, so a new CAS is one
 * file with one of these structs and one line in adapter.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_ADAPTER_H
#define PROVREQ_ADAPTER_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* ------------------------------------------------------------------------
 * What an operation takes
 * ------------------------------------------------------------------------
 */

/* How an argument of an SQL function or a member of a JSON body is read. */
typedef enum CasParameterKind
{
	CAS_SUBSCRIPTION,			/* identifier of a subscription */
	CAS_SERVICE,				/* identifier of a product: a service */
	CAS_SERVICE_SET,			/* array of those */
	CAS_SMARTCARD,				/* identifier of installed item: smartcard */
	CAS_SMARTCARD_OR_CA_ID,		/* the same, or the bare CA ID */
	CAS_STB,					/* identifier of installed item: STB */
	CAS_SMARTCARD_CA_ID,		/* CA ID of one smartcard */
	CAS_SMARTCARD_CA_ID_SET,	/* array: smartcard_ca_id=... */
	CAS_STB_CA_ID_SET,			/* array: stb_ca_id=... */
	CAS_TEXT,
	CAS_INTEGER,
	CAS_BOOLEAN,
	CAS_TIMESTAMP,
	CAS_PIN						/* digits; a secret */
} CasParameterKind;

typedef struct CasParameter
{
	const char *name;			/* the SQL argument and the JSON member */
	CasParameterKind kind;
	bool		mandatory;
	const char *stored_as;		/* name in parameters_set; NULL: the kind says
								 * it (smartcard_ca_id, ...) */
	int64		min;			/* integer: least value; text and PIN: least
								 * length in characters */
	int64		max;			/* greatest value or length; 0 = unlimited */
	int64		step;			/* integer: a multiple of it; 0 = any */
	const char *default_value;	/* NULL: none, the parameter is left out */
} CasParameter;

/* How many of some parameters must be given; a boolean is if it is true. */
typedef enum CasRuleKind
{
	CAS_EXACTLY_ONE,
	CAS_AT_LEAST_ONE
} CasRuleKind;

typedef struct CasRule
{
	CasRuleKind kind;
	const char *names[4];		/* of parameters; ends with NULL */
} CasRule;

typedef struct CasOperation
{
	const char *name;			/* "add_subscriptions": function and path */
	const char *type;			/* "ADD_SUBSCRIPTIONS": request.type */
	const CasParameter *parameters; /* ends with name NULL */
	const CasRule *rules;		/* ends with names[0] NULL; NULL: none */
	bool		each_smartcard; /* a subscription without a smartcard means
								 * one request for each of its smartcards */
} CasOperation;

/*
 * The name under which a parameter is kept in parameters_set: its own, or the
 * one of its kind; NULL for those that are not kept there.
 */
extern const char *cas_stored_name(const CasParameter *parameter);

/* The parameter of an operation that is kept under that name, or NULL. */
extern const CasParameter *cas_stored_parameter(const CasOperation *operation,
												const char *name);

/* ------------------------------------------------------------------------
 * A request, as far as a CAS is concerned
 * ------------------------------------------------------------------------
 */

/*
 * One parameter value in canonical text: integers in decimal, booleans true
 * or false, instants as 2015-09-07T15:23:15Z.  A set is several values of
 * one name, in order.
 */
typedef struct CasValue
{
	const char *name;			/* "smartcard_ca_id" */
	const char *value;
	bool		number;			/* shown in JSON as a number */
	bool		boolean;		/* shown in JSON as true or false */
	bool		secret;			/* shown only to provreq_admin */
} CasValue;

typedef struct CasRequest
{
	int64		number;			/* the same over all attempts */
	const char *id;				/* 32 upper-case hex digits */
	const CasOperation *operation;
	bool		process_immediately;
	bool		express;
	TimestampTz scheduled;
	int			attempt;		/* 1 for the first */
	List	   *values;			/* of CasValue * */
} CasRequest;

/* The first value of a name, or NULL; the next one after "after" of the same name. */
extern const CasValue *cas_value(const CasRequest *request, const char *name);
extern const CasValue *cas_value_next(const CasRequest *request,
									  const CasValue *after);

/* ------------------------------------------------------------------------
 * How a provider is set up
 * ------------------------------------------------------------------------
 */
typedef enum CasOptionKind
{
	CAS_OPTION_TEXT,
	CAS_OPTION_SECRET,			/* text that is never shown */
	CAS_OPTION_BOOLEAN,
	CAS_OPTION_INTEGER,
	CAS_OPTION_DURATION,		/* '10s', '500ms', '1min'; plain: ms */
	CAS_OPTION_FILE,			/* a path on the server: superusers only */
	CAS_OPTION_CHOICE			/* one of the words of "choices" */
} CasOptionKind;

typedef enum CasOptionPlace
{
	CAS_ON_SERVER,
	CAS_ON_USER_MAPPING
} CasOptionPlace;

typedef struct CasOption
{
	const char *name;
	CasOptionKind kind;
	CasOptionPlace place;
	bool		mandatory;
	const char *default_value;	/* NULL: none */
	int64		min;			/* integers; durations in milliseconds */
	int64		max;
	const char *choices;		/* "effective, not_effective" */
} CasOption;

/*
 * The settings of one provider, options checked and defaults filled in.
 * Belongs to the memory context it was read in.
 */
typedef struct CasSettings
{
	const char *server_name;
	const struct CasAdapter *adapter;
	const char **values;		/* one for each of options[], NULL if unset */
	const CasOption *options;	/* common and adapter's, then a NULL name */
	void	   *profile;		/* what compile_profile returned */
} CasSettings;

/*
 * An option's value: for cas_option_int an integer, or a duration in ms.
 * Asking for a name that the table lacks is an internal error.
 */
extern const char *cas_option(const CasSettings *settings, const char *name);
extern int64 cas_option_int(const CasSettings *settings, const char *name);
extern bool cas_option_bool(const CasSettings *settings, const char *name);

/* ------------------------------------------------------------------------
 * Messages and answers
 * ------------------------------------------------------------------------
 */

/* One message of a request, ready to go. */
typedef struct CasMessage
{
	const char *data;
	Size		len;
	const char *target;			/* for the transport: URL path, or NULL */
	const char *headers;		/* for the transport: extra header lines, each
								 * "Name: value\n", or NULL */
	const char *label;			/* what this part is about, for people
								 * ("product 000000000017"); NULL if the
								 * request is one message */
	const char *about;			/* the parameter that makes it a part of its
								 * own, as "name=value": what it is known by
								 * over all attempts; NULL: all parameters */
	int64		request;		/* number of the request, and which of its
								 * messages this is: what a late answer is
								 * known by; set by the sender */
	int			part;
	struct CasStamp *stamp;		/* what it was stamped with, or NULL */
	void	   *detail;			/* the adapter's own */
} CasMessage;

/*
 * What a message learns when it leaves: where and when that is.  Transports
 * of framed messages put one on each message that they take.
 */
typedef struct CasStamp
{
	const char *link;			/* name of the link among several, as in
								 * CasLinkRules */
	uint64		transaction;	/* what the answer is matched by */
	TimestampTz time;
} CasStamp;

typedef enum CasRendering
{
	CAS_WIRE,					/* the bytes that go out */
	CAS_MASKED					/* the same with secret fields as asterisks */
} CasRendering;

/* How the exchange of one message ended, before anybody read the answer. */
typedef enum CasReplyStatus
{
	CAS_ANSWERED,				/* data holds a whole answer */
	CAS_NOT_SENT,				/* surely no byte of the body left us: no
								 * connection, no TLS, bad certificate */
	CAS_NO_ANSWER				/* bytes left and no whole answer came:
								 * timeout, connection lost, answer cut or too
								 * big */
} CasReplyStatus;

typedef struct CasReply
{
	uint64		tag;			/* as given to submit; not set when late */
	bool		late;			/* an answer to a message whose exchange had
								 * ended before as CAS_NO_ANSWER */
	int64		request;		/* late: the message's */
	int			part;
	CasReplyStatus status;
	int			code;			/* HTTP status, or 0 */
	const char *data;			/* what came, also when incomplete */
	Size		len;
	const char *failure;		/* why not CAS_ANSWERED, fit for the table and
								 * the log: no secrets */
} CasReply;

/* The four verdicts, all that a sender learns of an exchange. */
typedef enum CasVerdict
{
	CAS_DONE,					/* carried out */
	CAS_REFUSED,				/* the CAS said no; never tried again */
	CAS_RETRY,					/* surely not carried out: try again */
	CAS_UNKNOWN					/* sent, and nobody knows: in doubt */
} CasVerdict;

/* Strings are in the caller's memory context; NULL where there is nothing. */
typedef struct CasOutcome
{
	CasVerdict	verdict;
	bool		unreachable;	/* with CAS_RETRY: the provider is at fault,
								 * not this request; its attempt does not
								 * count */
	int			max_attempts;	/* with CAS_RETRY: give up after so many; 0 =
								 * the provider's retry_limit */
	const char *error_code;		/* ours or the CAS's */
	const char *error_description;
	const char *provider_error_code;	/* the CAS's own */
	const char *provider_error_description;
	const char *reference_number;
	const char *response;		/* the answer as text, secrets masked */
	const char *response_data;	/* the answer's data as JSON text */
} CasOutcome;

/* ------------------------------------------------------------------------
 * The adapter
 *
 * encode, decode, idempotent and validate are pure: no I/O, no catalog, no
 * state, results in the current memory context.
 * ------------------------------------------------------------------------
 */
typedef struct CasAdapter
{
	const char *kind;			/* foreign data wrapper, and path in the API:
								 * "conax_web_services" */
	const char *prefix;			/* of its SQL functions: "conax" */
	const char *default_profile;
	const CasOperation *operations; /* ends with name NULL */
	const CasOption *options;	/* its own, beside the common ones; ends with
								 * name NULL */
	const struct CasTransport *transport;	/* in transport.h */
	const struct CasDialect *dialect;	/* if it is of framed messages */

	/*
	 * Rules that span several options: raises an error with a hint.  Called
	 * when DDL changes the server or the mapping; values of the place that is
	 * not being changed are NULL.
	 */
	void		(*check_options) (const CasSettings *settings,
								  CasOptionPlace place);

	/*
	 * What two effective providers cannot both have, such as "source_id 17 at
	 * cas port 5000", or NULL; of the options of their servers alone.  Called
	 * when DDL changes one of them.  NULL: they never clash.
	 */
	char	   *(*clash) (const CasSettings *mine, const CasSettings *other);

	/*
	 * Checks a profile document and makes what encode and decode work with,
	 * in the current memory context.  Raises ERRCODE_INVALID_PARAMETER_VALUE
	 * with the JSON path of the fault.
	 */
	void	   *(*compile_profile) (Jsonb *document);

	/*
	 * Can this CAS carry the request?  Called once when it is created, after
	 * all identifiers were resolved and the generic rules of CasParameter
	 * hold.  Refuses every value that encode would; raises an error that
	 * names the parameter.
	 */
	void		(*validate) (const CasSettings *settings,
							 const CasRequest *request);

	/*
	 * The messages of a request, a list of CasMessage *, never empty, always
	 * the same for the same request.  Raises an error when a value does not
	 * fit; the caller then rejects the request, nothing having been sent.
	 */
	List	   *(*encode) (const CasSettings *settings,
						   const CasRequest *request, CasRendering rendering);

	/*
	 * Reads the end of one exchange.  Never raises: an answer that cannot be
	 * understood is CAS_UNKNOWN with a description.
	 */
	void		(*decode) (const CasSettings *settings,
						   const CasOperation *operation,
						   const CasReply *reply, CasOutcome *outcome);

	/*
	 * What the table shows of a message; NULL: the bytes as they are, or in
	 * hex where they are not text.
	 */
	char	   *(*text) (const CasSettings *settings,
						 const CasMessage *message);

	/*
	 * A message, or an answer, field by field for people; NULL: as it is.
	 * Secret fields are shown only if the caller may see them.
	 */
	char	   *(*explain) (const CasSettings *settings,
							const CasMessage *message, bool secrets);
	char	   *(*explain_answer) (const CasSettings *settings,
								   const char *data, Size len, bool secrets);

	/*
	 * What tells a smartcard or STB from others on the wire, of its CA ID:
	 * the ordering key.  "name" is that of the value.  NULL: the CA ID.
	 */
	const char *(*identity) (const CasSettings *settings,
							 const CasOperation *operation,
							 const char *name, const char *ca_id);

	/* May an attempt in doubt be sent again with the same reference? */
	bool		(*idempotent) (const CasSettings *settings,
							   const CasOperation *operation);

	/*
	 * The target that a test of the connection asks for, one that wants the
	 * credentials which messages have.  NULL: there are no targets.
	 */
	const char *(*test_target) (const CasSettings *settings);
} CasAdapter;

/*
 * The table of adapters, in adapter.c; NULL when there is none.  The one
 * after NULL is the first.
 */
extern const CasAdapter *adapter_by_kind(const char *kind);
extern const CasAdapter *adapter_by_prefix(const char *prefix);
extern const CasAdapter *adapter_next(const CasAdapter *after);
extern const CasOperation *adapter_operation(const CasAdapter *adapter,
											 const char *name);
extern const CasOperation *adapter_operation_by_type(const CasAdapter *cas,
													 const char *type);

/* The server options that every provider has; ends with name NULL. */
extern const CasOption adapter_common_options[];

extern const CasAdapter conax_adapter;
extern const CasAdapter nagravision_adapter;
extern const CasAdapter nds_adapter;

#endif							/* PROVREQ_ADAPTER_H */
