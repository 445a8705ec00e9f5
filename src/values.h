/*-------------------------------------------------------------------------
 *
 * values.h
 *		Parameter values as they are stored: JSON object -> CasValue list.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_VALUES_H
#define PROVREQ_VALUES_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/*
 * The values of request.parameters, those in request_secret.parameters
 * (which may be NULL) taking the place of the masked ones and marked secret.
 * A list of CasValue * in the current memory context.
 */
extern List *values_from_jsonb(Jsonb *parameters, Jsonb *secrets);

#endif							/* PROVREQ_VALUES_H */
