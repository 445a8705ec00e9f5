/*-------------------------------------------------------------------------
 *
 * link_stream.h
 *		The bytes of a link, plain or through TLS.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_LINK_STREAM_H
#define SIMULATOR_LINK_STREAM_H

#include <sys/types.h>

#include "link.h"

/* Certificates and keys are the texts of PEM files; NULL: none. */
typedef struct TlsSettings
{
	const char *certificate;	/* NULL: no TLS */
	const char *key;
	const char *wrong_certificate;
	const char *wrong_key;
	const char *client_ca;		/* clients need a certificate of this one */
} TlsSettings;

/* False: certificates and keys are not right. */
extern bool stream_start(const TlsSettings *settings);
extern void stream_stop(void);

/* A session over a new connection; NULL: without TLS. */
extern gnutls_session_t stream_session(int fd, bool wrong_certificate);

/* 1: the handshake is done; 0: it goes on; -1: it has failed. */
extern int	stream_handshake(Link *link);

/*
 * As recv and send: -1 with EAGAIN when it would have to wait, 0 at the end.
 */
extern ssize_t stream_read(Link *link, void *buffer, size_t size);
extern ssize_t stream_write(Link *link, const void *bytes, size_t len);

/* Has it read bytes already that the socket does not tell of? */
extern bool stream_has_more(const Link *link);

/* Closes our half. */
extern void stream_shutdown(Link *link);

#endif							/* SIMULATOR_LINK_STREAM_H */
