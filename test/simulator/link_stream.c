/*-------------------------------------------------------------------------
 *
 * link_stream.c
 *		The bytes of a link, plain or through TLS.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "link_stream.h"

static bool secure;
static bool asks_client;
static gnutls_certificate_credentials_t right;
static gnutls_certificate_credentials_t wrong;

static gnutls_datum_t
datum(const char *text)
{
	gnutls_datum_t result = {(unsigned char *) (uintptr_t) text,
	(unsigned) strlen(text)};

	return result;
}

/* Credentials of a certificate and key; false: they are not right. */
static bool
load(gnutls_certificate_credentials_t *credentials, const char *certificate,
	 const char *key)
{
	gnutls_datum_t certificate_datum = datum(certificate);
	gnutls_datum_t key_datum = datum(key);

	return gnutls_certificate_allocate_credentials(credentials) == 0 &&
		gnutls_certificate_set_x509_key_mem(*credentials, &certificate_datum,
											&key_datum,
											GNUTLS_X509_FMT_PEM) == 0;
}

/* Both credentials trust the authority of the clients. */
static bool
trust(gnutls_certificate_credentials_t credentials, const char *client_ca)
{
	gnutls_datum_t ca = datum(client_ca);

	return gnutls_certificate_set_x509_trust_mem(credentials, &ca,
												 GNUTLS_X509_FMT_PEM) > 0;
}

bool
stream_start(const TlsSettings *settings)
{
	secure = settings->certificate != NULL;
	asks_client = settings->client_ca != NULL;
	if (!secure)
		return true;
	if (!load(&right, settings->certificate, settings->key) ||
		(settings->wrong_certificate != NULL &&
		 !load(&wrong, settings->wrong_certificate, settings->wrong_key)))
		return false;
	if (!asks_client)
		return true;
	return trust(right, settings->client_ca) &&
		(wrong == NULL || trust(wrong, settings->client_ca));
}

void
stream_stop(void)
{
	if (right != NULL)
		gnutls_certificate_free_credentials(right);
	if (wrong != NULL)
		gnutls_certificate_free_credentials(wrong);
}

gnutls_session_t
stream_session(int fd, bool wrong_certificate)
{
	bool		is_wrong = wrong_certificate && wrong != NULL;
	gnutls_session_t session;

	if (!secure || gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NONBLOCK |
							   GNUTLS_NO_SIGNAL) != 0)
		return NULL;
	gnutls_set_default_priority(session);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE,
						   is_wrong ? wrong : right);
	if (asks_client)
	{
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
		gnutls_session_set_verify_cert(session, NULL, 0);
	}
	gnutls_transport_set_int(session, fd);
	return session;
}

int
stream_handshake(Link *link)
{
	int			result = gnutls_handshake(link->tls);

	if (result == 0)
		return 1;
	if (!gnutls_error_is_fatal(result))
		return 0;
	gnutls_alert_send_appropriate(link->tls, result);
	return -1;
}

/* What GnuTLS returned, as the system's calls say it. */
static ssize_t
as_errno(ssize_t result)
{
	if (result >= 0)
		return result;
	errno = gnutls_error_is_fatal((int) result) ? EPROTO : EAGAIN;
	return -1;
}

ssize_t
stream_read(Link *link, void *buffer, size_t size)
{
	if (link->tls == NULL)
		return recv(link->fd, buffer, size, MSG_DONTWAIT);
	return as_errno(gnutls_record_recv(link->tls, buffer, size));
}

ssize_t
stream_write(Link *link, const void *bytes, size_t len)
{
	ssize_t		sent;

	if (link->tls == NULL)
		return send(link->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	/* What had to wait is GnuTLS's already, and is not to be given again. */
	if (link->is_sending)
		sent = as_errno(gnutls_record_send(link->tls, NULL, 0));
	else
		sent = as_errno(gnutls_record_send(link->tls, bytes, len));
	link->is_sending = sent < 0 && errno == EAGAIN;
	return sent;
}

bool
stream_has_more(const Link *link)
{
	return link->tls != NULL && gnutls_record_check_pending(link->tls) > 0;
}

void
stream_shutdown(Link *link)
{
	if (link->tls != NULL)
		gnutls_bye(link->tls, GNUTLS_SHUT_WR);
	shutdown(link->fd, SHUT_WR);
}
