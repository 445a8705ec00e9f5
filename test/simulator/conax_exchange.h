/*-------------------------------------------------------------------------
 *
 * conax_exchange.h
 *		One message, from its headers to its answer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONAX_EXCHANGE_H
#define CONAX_EXCHANGE_H

#include <microhttpd.h>

/* The two callbacks that libmicrohttpd wants. */
extern enum MHD_Result exchange_handle(void *unused,
									   struct MHD_Connection *connection,
									   const char *url, const char *method,
									   const char *version,
									   const char *upload_data,
									   size_t *upload_data_size,
									   void **context);
extern void exchange_end(void *unused, struct MHD_Connection *connection,
						 void **context,
						 enum MHD_RequestTerminationCode why);

#endif							/* CONAX_EXCHANGE_H */
