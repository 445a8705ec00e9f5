/*-------------------------------------------------------------------------
 *
 * conax_http.h
 *		The HTTP servers, and the connections that they hold.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONAX_HTTP_H
#define CONAX_HTTP_H

#include <microhttpd.h>
#include <netinet/in.h>
#include <stdbool.h>

/* PEM texts.  Without a certificate it is plain HTTP. */
typedef struct HttpSettings
{
	const char *certificate;
	const char *key;
	const char *client_ca;		/* a client certificate is required then */
	const char *wrong_certificate;	/* for faults of kind tls-wrong-cert */
	const char *wrong_key;
	unsigned	threads;
} HttpSettings;

/* What we know of one connection. */
typedef struct Connection
{
	unsigned long long id;
	int			fd;
	bool		busy;			/* a message is on; under the list's lock */
	struct Connection *previous;
	struct Connection *next;
} Connection;

/* False if the servers cannot be started. */
extern bool http_start(const HttpSettings *settings);

/* Serves a connection that was accepted, if need be with the wrong key. */
extern void http_serve(int fd, const struct sockaddr_in *peer,
					   bool wrong_certificate);

extern Connection *http_connection(struct MHD_Connection *connection);
extern void http_set_busy(Connection *connection, bool busy);

/* Hangs up where no message is on. */
extern void http_drop_idle(void);
extern unsigned http_count(void);

/* park_stop comes first: no connection may be suspended. */
extern void http_stop(void);

#endif							/* CONAX_HTTP_H */
