/*-------------------------------------------------------------------------
 *
 * statement_cache.h
 *		What one statement has already looked up.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_STATEMENT_CACHE_H
#define PROVREQ_STATEMENT_CACHE_H

#include "nodes/pg_list.h"
#include "utils/hsearch.h"

typedef struct StatementCache
{
	MemoryContext context;		/* owns everything below */
	HTAB	   *answers;		/* of directory_query.c; NULL until used */
	List	   *providers;		/* of api_provider.c */
	List	   *encoded;		/* of api_trial.c */
} StatementCache;

/*
 * To be called at the start of each request: forgets what another snapshot
 * saw, and everything once it has grown too big.
 */
extern void statement_cache_begin(void);

/*
 * The cache.  Nothing in it moves or goes before the next
 * statement_cache_begin, which may be called by whatever SQL runs.
 */
extern StatementCache *statement_cache(void);

#endif							/* PROVREQ_STATEMENT_CACHE_H */
