/*-------------------------------------------------------------------------
 *
 * adapter_conax.h
 *		What the parts of the Conax adapter share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_ADAPTER_CONAX_H
#define PROVREQ_ADAPTER_CONAX_H

#include "adapter.h"
#include "pin.h"
#include "soap.h"

/* The 13 operations; ends with name NULL. */
extern const CasOperation conax_operations[];

/* A piece of response_data. */
typedef struct ConaxDatum
{
	const char *name;			/* member in JSON */
	const char *element;		/* local name in the answer */
	bool		each;			/* all of them, as an array */
	List	   *members;		/* of ConaxDatum *: of objects; NIL: text */
} ConaxDatum;

/* One operation as the profile has it. */
typedef struct ConaxOperation
{
	SoapTemplate *body;			/* NULL: the profile lacks the operation */
	const char *target;			/* path of the URL */
	const char *headers;
	const char *answer;			/* local name of the answer's element */
	bool		idempotent;
	bool		secret;			/* a PIN goes out with it */
	List	   *data;			/* of ConaxDatum * */
} ConaxOperation;

typedef struct ConaxProfile
{
	ConaxOperation *operations; /* parallel to conax_operations */
	List	   *status;			/* of VerdictCode *: codes of the CAS, */
	List	   *faults;			/* of SOAP faults, "Client", */
	List	   *http_status;	/* of HTTP, "404" or "4xx" */
	const char *status_code;	/* local names of elements in an answer */
	const char *message;
	const char *reference_number;
	List	   *drop_check_digit;	/* of char *: names of parameters */
	PinDigits	pin;
	int			max_set;		/* values of one name in a message */
} ConaxProfile;

/* Callbacks of the adapter that have files of their own. */
extern void *conax_compile_profile(Jsonb *document);
extern void conax_decode(const CasSettings *settings,
						 const CasOperation *operation,
						 const CasReply *reply, CasOutcome *outcome);

#endif							/* PROVREQ_ADAPTER_CONAX_H */
