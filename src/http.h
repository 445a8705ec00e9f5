/*-------------------------------------------------------------------------
 *
 * http.h
 *		The HTTP transport: POSTs over libcurl, many at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_HTTP_H
#define PROVREQ_HTTP_H

#include "transport.h"

/*
 * Wants the server options url, timeout, connect_timeout, connections,
 * allow_plaintext, ca_file, max_answer_size and idle_timeout, and the mapping
 * options username, password, client_cert, client_key and
 * client_key_password.
 */
extern const CasTransport http_transport;

#endif							/* PROVREQ_HTTP_H */
