/*-------------------------------------------------------------------------
 *
 * settings.h
 *		The configuration variables of provreq, all named provreq.*.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_SETTINGS_H
#define PROVREQ_SETTINGS_H

extern int	provreq_max_workers;	/* slots for supervisors and senders */
extern int	provreq_window;		/* due requests a sender keeps in memory */
extern int	provreq_batch_size; /* requests taken or settled at once */
extern int	provreq_shutdown_grace; /* ms a sender waits for answers */
extern int	provreq_partitions_ahead;	/* months */
extern bool provreq_allow_unmapped_service;
extern int	provreq_web_api_timeout;	/* ms that web_api_sync waits */
extern char *provreq_acting_user;	/* of the session; by caller.c */
extern char *provreq_acting_unit;

extern void settings_define(void);

#endif							/* PROVREQ_SETTINGS_H */
