/*-------------------------------------------------------------------------
 *
 * conax_http.c
 *		The HTTP servers, and the connections that they hold.
 *
 * Connections are accepted by conax_listen.c and handed over in turn to
 * servers of one thread each.  One more server has the wrong certificate.
 *
 *-------------------------------------------------------------------------
 */
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conax_exchange.h"
#include "conax_http.h"
#include "text.h"

#define MAX_THREADS 16
#define MAX_CONNECTIONS 4096

static struct MHD_Daemon *servers[MAX_THREADS];
static struct MHD_Daemon *wrong_server;
static unsigned server_count;
static bool client_certificate_required;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Connection *first;		/* this and below: lock */
static unsigned connection_count;
static unsigned long long last_id;

/* ------------------------------------------------------------------------
 * The list of connections
 * ------------------------------------------------------------------------
 */
static void
list_add(Connection *connection)
{
	pthread_mutex_lock(&lock);
	connection->id = ++last_id;
	connection->next = first;
	if (first != NULL)
		first->previous = connection;
	first = connection;
	connection_count++;
	pthread_mutex_unlock(&lock);
}

static void
list_remove(Connection *connection)
{
	pthread_mutex_lock(&lock);
	if (connection->previous != NULL)
		connection->previous->next = connection->next;
	else
		first = connection->next;
	if (connection->next != NULL)
		connection->next->previous = connection->previous;
	connection_count--;
	pthread_mutex_unlock(&lock);
}

void
http_set_busy(Connection *connection, bool busy)
{
	pthread_mutex_lock(&lock);
	connection->busy = busy;
	pthread_mutex_unlock(&lock);
}

void
http_drop_idle(void)
{
	Connection *connection;

	pthread_mutex_lock(&lock);
	for (connection = first; connection != NULL; connection = connection->next)
	{
		if (!connection->busy)
			shutdown(connection->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&lock);
}

unsigned
http_count(void)
{
	unsigned	count;

	pthread_mutex_lock(&lock);
	count = connection_count;
	pthread_mutex_unlock(&lock);
	return count;
}

Connection *
http_connection(struct MHD_Connection *connection)
{
	enum MHD_ConnectionInfoType what = MHD_CONNECTION_INFO_SOCKET_CONTEXT;

	return MHD_get_connection_info(connection, what)->socket_context;
}

/* The handshake itself is to fail for want of a good client certificate. */
static void
require_certificate(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info;

	info = MHD_get_connection_info(connection,
								   MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (info == NULL)
		return;
	gnutls_certificate_server_set_request(info->tls_session,
										  GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_cert(info->tls_session, NULL, 0);
}

static void
http_notify(void *unused, struct MHD_Connection *connection, void **context,
			enum MHD_ConnectionNotificationCode code)
{
	enum MHD_ConnectionInfoType what = MHD_CONNECTION_INFO_CONNECTION_FD;
	Connection *ours = *context;

	(void) unused;
	if (code == MHD_CONNECTION_NOTIFY_CLOSED)
	{
		list_remove(ours);
		free(ours);
		return;
	}
	ours = must_alloc(sizeof(Connection));
	ours->fd = MHD_get_connection_info(connection, what)->connect_fd;
	*context = ours;
	list_add(ours);
	if (client_certificate_required)
		require_certificate(connection);
}

/* ------------------------------------------------------------------------
 * Servers
 * ------------------------------------------------------------------------
 */

/*
 * With poll, not epoll: libmicrohttpd 0.9.75 overlooks the end of a connection
 * that arrives together with the last bytes of half a message.
 */
static struct MHD_Daemon *
start_server(const char *certificate, const char *key, const char *client_ca)
{
	unsigned	flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ITC |
		MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME;
	struct MHD_OptionItem options[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *) certificate},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, (void *) key},
		{client_ca ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0,
		(void *) client_ca},
		{MHD_OPTION_END, 0, NULL}
	};

	if (certificate != NULL)
		flags |= MHD_USE_TLS;
	return MHD_start_daemon(flags, 0, NULL, NULL, exchange_handle, NULL,
							MHD_OPTION_CONNECTION_LIMIT, MAX_CONNECTIONS,
							MHD_OPTION_NOTIFY_COMPLETED, exchange_end, NULL,
							MHD_OPTION_NOTIFY_CONNECTION, http_notify, NULL,
							MHD_OPTION_ARRAY,
							certificate ? options : options + 3,
							MHD_OPTION_END);
}

bool
http_start(const HttpSettings *settings)
{
	client_certificate_required = settings->client_ca != NULL;
	while (server_count < settings->threads && server_count < MAX_THREADS)
	{
		servers[server_count] = start_server(settings->certificate,
											 settings->key,
											 settings->client_ca);
		if (servers[server_count] == NULL)
			return false;
		server_count++;
	}
	if (settings->wrong_certificate == NULL)
		return true;
	wrong_server = start_server(settings->wrong_certificate,
								settings->wrong_key, NULL);
	return wrong_server != NULL;
}

void
http_serve(int fd, const struct sockaddr_in *peer, bool wrong_certificate)
{
	static unsigned turn;		/* only the listener's thread comes here */
	struct MHD_Daemon *server = servers[turn++ % server_count];

	if (wrong_certificate && wrong_server != NULL)
		server = wrong_server;

	/* It closes the socket if it does not want it. */
	MHD_add_connection(server, fd, (const struct sockaddr *) peer,
					   sizeof(*peer));
}

void
http_stop(void)
{
	while (server_count > 0)
		MHD_stop_daemon(servers[--server_count]);
	if (wrong_server != NULL)
		MHD_stop_daemon(wrong_server);
}
