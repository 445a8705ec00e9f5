/*-------------------------------------------------------------------------
 *
 * unit_peer.c
 *		A small HTTP server that behaves as a test wants.
 *
 * One process a connection.  The answer to a request is its own body, so
 * that a test sees whether it got its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit_peer.h"

/* One request as it was read. */
typedef struct PeerRequest
{
	char		data[65536];
	int			len;
	int			head_len;
	int			body_len;
}			PeerRequest;

static void
add(volatile int *counter)
{
	__sync_fetch_and_add(counter, 1);
}

/* Reads until the head is there; false at the end of the connection. */
static bool
read_head(int fd, PeerRequest * request)
{
	char	   *length;

	request->len = 0;
	for (;;)
	{
		ssize_t		n;

		request->data[request->len] = '\0';
		if (strstr(request->data, "\r\n\r\n"))
			break;
		n = recv(fd, request->data + request->len,
				 sizeof(request->data) - 1 - request->len, 0);
		if (n <= 0)
			return false;
		request->len += n;
	}
	request->head_len = strstr(request->data, "\r\n\r\n") + 4 - request->data;
	length = strstr(request->data, "Content-Length:");
	request->body_len = length ? atoi(length + strlen("Content-Length:")) : 0;
	return true;
}

static bool
read_body(int fd, PeerRequest * request)
{
	while (request->len < request->head_len + request->body_len)
	{
		ssize_t		n = recv(fd, request->data + request->len,
							 sizeof(request->data) - 1 - request->len, 0);

		if (n <= 0)
			return false;
		request->len += n;
	}
	request->data[request->len] = '\0';
	return true;
}

static void
send_all(int fd, const char *data, int len)
{
	while (len > 0)
	{
		ssize_t		n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		data += n;
		len -= n;
	}
}

static void
send_answer(int fd, volatile PeerLedger * ledger, const char *status,
			const char *more, const char *body, int times)
{
	char		answer[8192];
	int			len;

	len = snprintf(answer, sizeof(answer),
				   "HTTP/1.1 %s\r\nContent-Type: text/xml\r\n%sContent-Length: %zu\r\n\r\n%s",
				   status, more, strlen(body), body);
	if (times == 2)
	{
		memcpy(answer + len, answer, len);
		len *= 2;
	}
	send_all(fd, answer, len);
	__sync_fetch_and_add(&ledger->answers, times);
}

static void
send_chunked(int fd, volatile PeerLedger * ledger, const char *body)
{
	char		chunk[32];

	send_all(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 47);
	for (; *body; body++)
		send_all(fd, chunk, snprintf(chunk, sizeof(chunk), "1\r\n%c\r\n", *body));
	send_all(fd, "0\r\n\r\n", 5);
	add(&ledger->answers);
}

/* Answers at length when the word for it is there. */
static void
send_when_told(int fd, volatile PeerLedger * ledger, const char *body)
{
	static char answer[PEER_LONG_ANSWER + 100];
	int			serial = atoi(strstr(body, "serial=") + strlen("serial="));
	int			len;
	int			unacknowledged;
	struct pollfd broken = {fd, 0, 0};

	while (ledger->word < serial)
		poll(NULL, 0, 1);
	len = snprintf(answer, sizeof(answer),
				   "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%-*s",
				   PEER_LONG_ANSWER, PEER_LONG_ANSWER, body);
	send_all(fd, answer, len);
	while (ioctl(fd, SIOCOUTQ, &unacknowledged) == 0 && unacknowledged > 0)
		if (poll(&broken, 1, 1) != 0)
			break;				/* the other side has closed it */
	add(&ledger->answers);
}

static void
send_oversized(int fd)
{
	static char block[65536];

	memset(block, 'x', sizeof(block));
	send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5242880\r\n\r\n", 44);
	for (int i = 0; i < 80; i++)
		send_all(fd, block, sizeof(block));
}

/* Reads until the other side closes. */
static void
wait_for_close(int fd)
{
	char		buffer[1024];

	while (recv(fd, buffer, sizeof(buffer), 0) > 0)
		;
}

static void
reset(int fd)
{
	struct linger linger = {1, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* A whole request: answers it as the manner says; false: close. */
static bool
act(int fd, PeerManner manner, volatile PeerLedger * ledger,
	const PeerRequest * request, int nth)
{
	const char *body = request->data + request->head_len;

	switch (manner)
	{
		case PEER_CLOSES_AFTER_FIRST:
			return false;
		case PEER_CLOSES_AFTER_SECOND:
		case PEER_RESETS_AFTER_SECOND:
			if (nth < 2)
				break;
			if (manner == PEER_RESETS_AFTER_SECOND)
				reset(fd);
			return false;
		case PEER_HALF:
			send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", 44);
			return false;
		case PEER_OVERSIZED:
			send_oversized(fd);
			return false;
		case PEER_HANGS:
			wait_for_close(fd);
			return false;
		case PEER_REDIRECTS:
			send_answer(fd, ledger, "307 Temporary Redirect",
						"Location: /elsewhere\r\n", body, 1);
			return true;
		case PEER_CHUNKED:
			send_chunked(fd, ledger, body);
			return true;
		case PEER_WAITS:
			send_when_told(fd, ledger, body);
			return true;
		case PEER_TWO_ANSWERS:
		case PEER_LATE_SECOND_ANSWER:
			send_answer(fd, ledger, "200 OK", "", body,
						manner == PEER_TWO_ANSWERS ? 2 : 1);
			if (manner == PEER_LATE_SECOND_ANSWER)
			{
				poll(NULL, 0, 20);	/* so that it arrives by itself */
				send_answer(fd, ledger, "200 OK", "", body, 1);
			}
			return true;
		default:
			break;
	}
	send_answer(fd, ledger, "200 OK", "", body, 1);
	return manner != PEER_CLOSES_IDLE;
}

static void
serve(int fd, PeerManner manner, volatile PeerLedger * ledger)
{
	static PeerRequest request;

	add(&ledger->connections);
	for (int nth = 1; read_head(fd, &request); nth++)
	{
		const char *serial;

		add(&ledger->heads);
		memcpy((char *) ledger->head, request.data,
			   Min(request.head_len, (int) sizeof(ledger->head) - 1));
		if (strstr(request.data, " /elsewhere "))
			add(&ledger->elsewhere);
		if (manner == PEER_CLOSES_AFTER_HEAD && nth == 2)
			break;
		if (manner == PEER_EARLY)
		{
			send_answer(fd, ledger, "401 Unauthorized", "", "no", 1);
			break;
		}
		if (!read_body(fd, &request))
			break;
		serial = strstr(request.data + request.head_len, "serial=");
		if (serial && atoi(serial + 7) < PEER_MAX_SERIAL)
			add(&ledger->seen[atoi(serial + 7)]);
		add(&ledger->complete);
		if (!act(fd, manner, ledger, &request, nth))
			break;
	}
	close(fd);
}

static void
accept_forever(int listener, PeerManner manner, volatile PeerLedger * ledger)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	for (;;)
	{
		int			fd = accept(listener, NULL, NULL);

		if (fd < 0)
			_exit(0);
		if (fork() == 0)
		{
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			close(listener);
			serve(fd, manner, ledger);
			_exit(0);
		}
		close(fd);
	}
}

int
peer_nowhere(int *fd)
{
	struct sockaddr_in address = {0};
	socklen_t	len = sizeof(address);

	*fd = socket(AF_INET, SOCK_STREAM, 0);
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (*fd < 0 ||
		bind(*fd, (struct sockaddr *) &address, sizeof(address)) != 0 ||
		getsockname(*fd, (struct sockaddr *) &address, &len) != 0)
		elog(ERROR, "could not get a port: %m");
	return ntohs(address.sin_port);
}

Peer	   *
peer_start(PeerManner manner)
{
	Peer	   *peer = palloc0(sizeof(Peer));
	int			listener;

	peer->ledger = mmap(NULL, sizeof(PeerLedger), PROT_READ | PROT_WRITE,
						MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	peer->port = peer_nowhere(&listener);
	if (listen(listener, 256) != 0)
		elog(ERROR, "could not listen: %m");
	peer->pid = fork();
	if (peer->pid == 0)
	{
		setpgid(0, 0);
		accept_forever(listener, manner, peer->ledger);
	}
	setpgid(peer->pid, peer->pid);
	close(listener);
	return peer;
}

/* The whole group: each connection has a process of its own. */
void
peer_stop(Peer * peer)
{
	kill(-peer->pid, SIGTERM);
	waitpid(peer->pid, NULL, 0);
}
