/*-------------------------------------------------------------------------
 *
 * directory_query.h
 *		The directory's SQL, and the answers of the current statement.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_DIRECTORY_QUERY_H
#define PROVREQ_DIRECTORY_QUERY_H

/* Every query has text parameters and text columns, named behind it. */
typedef enum DirectoryQuery
{
	SUBSCRIPTION_BY_ID,			/* id, number */
	SUBSCRIPTION_BY_NUMBER,
	PRODUCT_BY_ID,				/* id, code, classification */
	PRODUCT_BY_CODE,
	PRODUCT_BY_ALTERNATIVE_CODE,
	ITEM_BY_ID,					/* id, serial_number, ca_id, subscription_id,
								 * provider, classification, state */
	ITEM_BY_SERIAL_NUMBER,
	ITEM_BY_ALTERNATIVE_CODE,
	ITEM_BY_CA_ID,				/* by ca_id, classification, provider */
	PROVIDER_OF_CA_ID,			/* provider, by ca_id, classification, kind */
	SMARTCARDS_OF_SUBSCRIPTION, /* ids with spaces between them, by
								 * subscription id, kind */
	SERVICE_CA_ID,				/* service_ca_id, by product id, provider */
	SERVICE_OF_CA_ID,			/* product_id, by service_ca_id, provider and
								 * the product_id before it */
	DISTRIBUTORS_EXIST,			/* one row if there are any */
	DISTRIBUTOR_OF_SUBSCRIPTION,	/* id, by subscription id, provider */
	DISTRIBUTOR_OF_ITEM			/* id, by item id, provider */
} DirectoryQuery;

#define DIRECTORY_QUERIES (DISTRIBUTOR_OF_ITEM + 1)

/* An answer has at most two rows: enough to see that it is ambiguous. */
typedef struct DirectoryAnswer
{
	int			rows;
	const char **columns[2];	/* NULL members are SQL NULLs */
} DirectoryAnswer;

/*
 * Runs a query through the active snapshot, or gives what it gave before in
 * the same statement.  Unused parameters are NULL.
 */
extern const DirectoryAnswer *directory_query(DirectoryQuery query,
											  const char *first,
											  const char *second,
											  const char *third);

#endif							/* PROVREQ_DIRECTORY_QUERY_H */
