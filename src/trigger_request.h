/*-------------------------------------------------------------------------
 *
 * trigger_request.h
 *		Requests for changes of a trigger's table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_TRIGGER_REQUEST_H
#define PROVREQ_TRIGGER_REQUEST_H

#include "trigger_rules.h"

/* On which side of a change a row stands. */
#define CHANGE_BEFORE 1
#define CHANGE_AFTER 2

typedef struct ChangeRequests ChangeRequests;

/* Owned by the memory context, which the rows must outlive it in, too. */
extern ChangeRequests *change_requests_make(const TriggerRules *rules,
											MemoryContext context);

/*
 * What a card loses (CHANGE_BEFORE) or gains (CHANGE_AFTER).  The request is
 * made now, or by change_requests_finish where others may join it.
 */
extern void change_request(ChangeRequests *requests, const TriggerRow *row,
						   int side);
extern void change_requests_finish(ChangeRequests *requests);

/*
 * Raises an error unless the provider exists and the trigger arguments are
 * all there that its requests need.
 */
extern void change_check_provider(const char *provider,
								  const char *subscription,
								  const char *service);

#endif							/* PROVREQ_TRIGGER_REQUEST_H */
