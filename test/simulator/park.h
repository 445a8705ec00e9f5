/*-------------------------------------------------------------------------
 *
 * park.h
 *		Connections that wait: for a while, or for good.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_PARK_H
#define SIMULATOR_PARK_H

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>

#define PARK_FOREVER (-1LL)

typedef enum ParkState
{
	PARK_NOT,					/* was not parked */
	PARK_WAITING,
	PARK_DUE,					/* its time has come */
	PARK_GONE					/* the peer hung up, or the program ends */
} ParkState;

/* Starts zeroed; belongs to the caller and lives until it is woken. */
typedef struct Parked
{
	_Atomic ParkState state;
	struct MHD_Connection *connection;
	int			fd;
	long long	due;			/* monotonic, or PARK_FOREVER */
	struct Parked *previous;
	struct Parked *next;
} Parked;

extern bool park_start(void);

/*
 * To be called from the connection's handler: suspends the connection.  It
 * is resumed, so that the handler is called again, with state PARK_DUE at
 * "due" or PARK_GONE as soon as the peer hangs up.
 */
extern void park(Parked *parked, struct MHD_Connection *connection,
				 long long due);

/* Wakes all with PARK_GONE, also those still to come. */
extern void park_stop(void);

#endif							/* SIMULATOR_PARK_H */
