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
 * Between lock and unlock statement_cache_begin raises an error: somebody
 * else's SQL runs, and what is in use must stay.  To be unlocked also after
 * an error.
 */
extern void statement_cache_lock(void);
extern void statement_cache_unlock(void);

/*
 * The cache.  Nothing in it moves or goes before the next
 * statement_cache_begin, which may be called by whatever SQL runs.
 */
extern StatementCache *statement_cache(void);

#endif							/* PROVREQ_STATEMENT_CACHE_H */
