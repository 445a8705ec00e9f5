/*-------------------------------------------------------------------------
 *
 * unit_peer.c
 *		A gateway of the tests' own protocol, as bad as a test wants it.
 *
 * One process a connection.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit_peer.h"

#define ROOM (1024 * 1024)
#define MOST_HELD 4096

/* One connection, which has a process of its own. */
typedef struct Conversation
{
	int			fd;
	gnutls_session_t tls;		/* or NULL */
	volatile	PeerLedger *ledger;
	int			link;			/* of last_number */
	int			checks;
	bool		numbered;		/* something with a number came */
	int			unanswered;
	char	   *held[MOST_HELD];
	int			nheld;
	bool		flooding;
	char		in[ROOM];
	int			len;
}			Conversation;

static void
add(volatile int *counter)
{
	__sync_fetch_and_add(counter, 1);
}

static void
leave(Conversation * talk, bool reset)
{
	struct linger linger = {1, 0};

	if (reset)
		setsockopt(talk->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	else
		shutdown(talk->fd, SHUT_RDWR);	/* whoever else has it open */
	close(talk->fd);
	add(&talk->ledger->closed);
	_exit(0);
}

static ssize_t
write_some(Conversation * talk, const char *data, size_t len)
{
	ssize_t		n;

	if (talk->tls == NULL)
		return send(talk->fd, data, len, MSG_NOSIGNAL);
	do
		n = gnutls_record_send(talk->tls, data, len);
	while (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);
	return n;
}

/* Writes all of it, or up to the cut. */
static void
write_all(Conversation * talk, const char *data, size_t len)
{
	while (len > 0)
	{
		int			cut = talk->ledger->cut_written;
		size_t		some = len;
		ssize_t		n;

		if (cut > 0)
			some = Min(some, cut - talk->ledger->written);
		n = write_some(talk, data, some);
		if (n <= 0)
			leave(talk, false);
		talk->ledger->written += n;
		data += n;
		len -= n;
		if (cut > 0 && talk->ledger->written >= cut)
			leave(talk, false);
	}
}

static void
write_frame(Conversation * talk, const char *body, int times)
{
	char		frame[70000];
	int			len = strlen(body);

	frame[0] = (char) (len >> 8);
	frame[1] = (char) len;
	memcpy(frame + 2, body, len);
	for (int i = 0; i < times; i++)
	{
		if (talk->ledger->manner != PEER_BYTEWISE)
			write_all(talk, frame, len + 2);
		else
			for (int j = 0; j < len + 2; j++)
				write_all(talk, frame + j, 1);
	}
}

/* What is to be waited for before a message is answered. */
static int
serial_of(const char *body)
{
	const char *serial = strstr(body, "serial=");

	return serial ? atoi(serial + strlen("serial=")) : 0;
}

static void
misbehave(Conversation * talk, const char *answer)
{
	static char longest[60001];

	switch (talk->ledger->manner)
	{
		case PEER_OTHER_NUMBER:
			write_frame(talk, "A999999;nobody", 1);
			break;
		case PEER_OLD_NUMBER:
			snprintf(longest, sizeof(longest), "A%d;serial=1.",
					 talk->ledger->old_number);
			write_frame(talk, longest, 1);
			write_frame(talk, answer, 1);
			break;
		case PEER_BAD_FRAME:
			write_frame(talk, "B;bad", 1);
			break;
		case PEER_NO_FRAME:
			write_all(talk, "\xFF\xFFgarbage", 9);
			break;
		case PEER_TOO_LONG:
			memset(longest, 'x', sizeof(longest) - 1);
			write_frame(talk, longest, 1);
			break;
		case PEER_HALF_CLOSES:
			shutdown(talk->fd, SHUT_WR);
			break;
		case PEER_RESETS:
			write_all(talk, "\0\100half", 6);
			leave(talk, true);
			break;
		case PEER_CHATTERS:
			write_frame(talk, "O;by the way", 1);
			write_frame(talk, answer, 1);
			break;
		case PEER_UNASKED:
			write_frame(talk, answer, 1);
			write_frame(talk, answer, 1);
			break;
		default:
			break;
	}
}

static void
give(Conversation * talk, const char *answer)
{
	switch (talk->ledger->manner)
	{
		case PEER_OLD_NUMBER:
		case PEER_OTHER_NUMBER:
		case PEER_BAD_FRAME:
		case PEER_NO_FRAME:
		case PEER_TOO_LONG:
		case PEER_HALF_CLOSES:
		case PEER_RESETS:
		case PEER_CHATTERS:
		case PEER_UNASKED:
			misbehave(talk, answer);
			break;
		case PEER_FLOODS:
			talk->flooding = true;
			break;
		case PEER_TWICE:
			write_frame(talk, answer, 2);
			break;
		default:
			write_frame(talk, answer, 1);
	}
	talk->unanswered--;
	add(&talk->ledger->answers);
	if (talk->ledger->manner == PEER_CLOSES_IDLE || talk->ledger->closing)
		leave(talk, false);
}

/* Held answers that may go; all of them unless they wait for the word. */
static void
give_held(Conversation * talk)
{
	int			kept = 0;
	bool		last_first = talk->ledger->manner == PEER_REVERSES;

	if (talk->ledger->manner == PEER_HANGS ||
		talk->ledger->manner == PEER_DEAF)
		return;
	for (int i = 0; i < talk->nheld; i++)
	{
		char	   *answer = talk->held[last_first ? talk->nheld - 1 - i : i];

		if (talk->ledger->manner == PEER_HOLDS &&
			serial_of(answer) > talk->ledger->release)
		{
			talk->held[kept++] = answer;
			continue;
		}
		give(talk, answer);
		free(answer);
	}
	talk->nheld = kept;
}

static void
note_number(Conversation * talk, const char *body)
{
	uint64		number = strtoull(body + 1, NULL, 10);
	volatile uint64 *last = &talk->ledger->last_number[talk->link];

	if (talk->numbered && number != *last + 1)
		add(&talk->ledger->gaps);
	talk->numbered = true;
	if (number <= *last)
		add(&talk->ledger->shrinking);
	*last = number;
	if (talk->ledger->by_number_first == 0)
		talk->ledger->by_number_first = (int) number;
	if (++talk->unanswered > talk->ledger->unanswered_most)
		talk->ledger->unanswered_most = talk->unanswered;
}

static void
take_hello(Conversation * talk, const char *body)
{
	PeerManner	manner = talk->ledger->manner;

	add(&talk->ledger->hellos);
	talk->link = body[strlen(body) - 1] & 15;
	if (manner == PEER_HANGS_AT_HELLO)
		return;
	if (manner == PEER_REFUSES ||
		(manner == PEER_REFUSES_SOME && strncmp(body, "H;bad", 5) == 0))
	{
		write_frame(talk, "N;not you", 1);
		return;
	}
	write_frame(talk, "W;1", 1);
	write_frame(talk, "W;2", 1);
	while (talk->ledger->manner == PEER_READS_NOT)
		poll(NULL, 0, 5);
}

static void
take_check(Conversation * talk, const char *body)
{
	char		answer[64];

	add(&talk->ledger->checks);
	talk->checks++;
	note_number(talk, body);
	if (talk->ledger->manner == PEER_HANGS)
		return;
	snprintf(answer, sizeof(answer), "A" UINT64_FORMAT ";%s",
			 (uint64) strtoull(body + 1, NULL, 10),
			 talk->ledger->manner == PEER_ILL ? "ill" : "alive");
	talk->unanswered--;
	write_frame(talk, answer, 1);
}

static void
take_message(Conversation * talk, const char *body)
{
	char	   *answer = strdup(body);
	int			serial = serial_of(body);

	note_number(talk, body);
	if (talk->checks < talk->ledger->checks_at_start)
		add(&talk->ledger->early);
	if (serial < PEER_MAX_SERIAL)
		add(&talk->ledger->seen[serial]);
	answer[0] = 'A';
	answer[Min(strlen(answer), 40)] = '\0';
	if (talk->nheld < MOST_HELD)
		talk->held[talk->nheld++] = answer;
	add(&talk->ledger->messages);
}

/* Takes the whole frames that are there. */
static void
take_frames(Conversation * talk)
{
	int			done = 0;

	while (talk->len - done >= 2)
	{
		int			len = ((unsigned char) talk->in[done] << 8) |
			(unsigned char) talk->in[done + 1];
		char	   *body;

		if (talk->len - done < len + 2)
			break;
		body = strndup(talk->in + done + 2, len);
		if (body[0] == 'H')
			take_hello(talk, body);
		else if (body[0] == 'C')
			take_check(talk, body);
		else
			take_message(talk, body);
		free(body);
		done += len + 2;
	}
	talk->len -= done;
	memmove(talk->in, talk->in + done, talk->len);
}

static void
read_more(Conversation * talk)
{
	int			cut = talk->ledger->cut_read;
	size_t		room = ROOM - talk->len;
	ssize_t		n;

	if (cut > 0)
		room = Min(room, cut - talk->ledger->read);
	if (talk->tls)
		n = gnutls_record_recv(talk->tls, talk->in + talk->len, room);
	else
		n = recv(talk->fd, talk->in + talk->len, room, 0);
	if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
		return;
	if (n <= 0)
		leave(talk, false);
	talk->ledger->read += n;
	talk->len += n;
	take_frames(talk);
	if (cut > 0 && talk->ledger->read >= cut)
		leave(talk, false);
}

static bool
is_readable(Conversation * talk, int timeout)
{
	struct pollfd pollfd = {talk->fd, POLLIN, 0};

	if (talk->tls && gnutls_record_check_pending(talk->tls) > 0)
		return true;
	return poll(&pollfd, 1, timeout) > 0;
}

/* Much of what is no answer, in one write. */
static void
flood(Conversation * talk)
{
	static char block[21000];

	for (int i = 0; i < 1000; i++)
		memcpy(block + 21 * i, "\0\x13O;and another thing", 21);
	write_all(talk, block, sizeof(block));
}

static void
converse(Conversation * talk)
{
	if (talk->ledger->manner == PEER_CLOSES_AT_ONCE)
		leave(talk, false);
	for (;;)
	{
		bool		impatient = talk->flooding || talk->nheld > 0;

		if (is_readable(talk, talk->flooding ? 0 : impatient ? 1 : 20))
			read_more(talk);
		give_held(talk);
		if (talk->flooding)
			flood(talk);
	}
}

static void
begin_tls(Conversation * talk, const char *certificate, const char *key)
{
	gnutls_certificate_credentials_t credentials;
	int			result;

	gnutls_certificate_allocate_credentials(&credentials);
	gnutls_certificate_set_x509_key_file(credentials, certificate, key,
										 GNUTLS_X509_FMT_PEM);
	gnutls_init(&talk->tls, GNUTLS_SERVER);
	gnutls_set_default_priority(talk->tls);
	gnutls_credentials_set(talk->tls, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_int(talk->tls, talk->fd);
	do
		result = gnutls_handshake(talk->tls);
	while (result < 0 && !gnutls_error_is_fatal(result));
	if (result < 0)
		leave(talk, false);
}

static void
accept_forever(int listener, volatile PeerLedger * ledger,
			   const char *certificate, const char *key)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	for (;;)
	{
		int			fd = accept(listener, NULL, NULL);
		int			one = 1;
		Conversation *talk;

		if (fd < 0)
			_exit(0);
		if (fork() == 0)
		{
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			close(listener);
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			talk = calloc(1, sizeof(Conversation));
			talk->fd = fd;
			talk->ledger = ledger;
			if (certificate)
				begin_tls(talk, certificate, key);
			ledger->read = ledger->written = 0;
			add(&ledger->connections);
			converse(talk);
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
peer_start(PeerManner manner, const char *certificate, const char *key)
{
	Peer	   *peer = palloc0(sizeof(Peer));
	int			listener;

	peer->ledger = mmap(NULL, sizeof(PeerLedger), PROT_READ | PROT_WRITE,
						MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	peer->ledger->manner = manner;
	peer->port = peer_nowhere(&listener);
	if (listen(listener, 256) != 0)
		elog(ERROR, "could not listen: %m");
	peer->pid = fork();
	if (peer->pid == 0)
	{
		setpgid(0, 0);
		accept_forever(listener, peer->ledger, certificate, key);
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
