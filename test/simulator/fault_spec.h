/*-------------------------------------------------------------------------
 *
 * fault_spec.h
 *		Reading the description of a fault.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_FAULT_SPEC_H
#define SIMULATOR_FAULT_SPEC_H

#include "fault.h"

/* False, with a message in error, if spec is not understood. */
extern bool fault_parse(const char *spec, Fault *fault, Text *error);

extern FaultStage fault_stage(FaultKind kind);

#endif							/* SIMULATOR_FAULT_SPEC_H */
