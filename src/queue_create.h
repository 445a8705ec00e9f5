/*-------------------------------------------------------------------------
 *
 * queue_create.h
 *		Putting a request into the table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_QUEUE_CREATE_H
#define PROVREQ_QUEUE_CREATE_H

#include "adapter.h"

/* The user-defined fields, in the order in which the table has them. */
#define UDF_STRINGS 8
#define UDF_FLOATS 4
#define UDF_DATES 4
#define UDF_COUNT (UDF_STRINGS + UDF_FLOATS + UDF_DATES)

/* Everything that the creator of a request decides. */
typedef struct NewRequest
{
	CasRequest	cas;			/* number from queue_next_number; id and
								 * attempt are not looked at */
	const char *provider;		/* server name */
	const char *subscription_id;	/* or NULL */
	List	   *ordering_keys;	/* of char *: "smartcard:" and a CA ID, "stb:"
								 * and a CA ID, or "subscription:" and an id */
	List	   *set_names;		/* of char *: names of values that are stored
								 * as arrays however many there are */
	List	   *null_names;		/* of char *: names that are stored as null */
	bool		scheduled;		/* cas.scheduled was given by the caller */
	const char *name;
	const char *process_name;
	const char *process_id;
	Datum		udf[UDF_COUNT]; /* text, float8, timestamptz */
	bool		udf_given[UDF_COUNT];
	const char *created_by_user;
	const char *created_by_unit;
} NewRequest;

/* The number that the next request is to have. */
extern int64 queue_next_number(void);

/*
 * Inserts the row (and its secrets) and returns it as a provreq.request
 * composite datum in the current memory context.
 */
extern Datum queue_create(NewRequest *request);

#endif							/* PROVREQ_QUEUE_CREATE_H */
