/*-------------------------------------------------------------------------
 *
 * link.c
 *		A connection of a client: bytes in, bytes out, and how it ends.
 *
 * A socket that is closed while bytes of the peer are unread resets the
 * connection, and then the peer may lose what was sent last.  So a link that
 * ends closes its own half first and lingers, reading and discarding, until
 * the peer has closed as well.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link.h"
#include "link_stream.h"

#define READ_SIZE 65536
#define LINGER_US 3000000
#define MOST_UNSENT (4 * 1024 * 1024)

int			link_epoll = -1;
void		(*link_on_close) (Link *link);

static Link *links;
static Link *closed;
static size_t count;
static unsigned long long connections;

Link *
link_new(int fd, gnutls_session_t tls, size_t own_size)
{
	Link	   *link = must_alloc(sizeof(Link));

	link->fd = fd;
	link->tls = tls;
	link->state = tls != NULL ? LINK_HANDSHAKE : LINK_OPEN;
	link->number = ++connections;
	link->cut_received = link->cut_sent = NO_CUT;
	link->own = must_alloc(own_size);
	link->next = links;
	if (links != NULL)
		links->previous = link;
	links = link;
	count++;
	link_watch(link);
	return link;
}

Link *
link_first(void)
{
	return links;
}

size_t
link_count(void)
{
	return count;
}

/* What the socket has to be watched for now. */
static unsigned
wanted(const Link *link)
{
	bool		unsent = link->out.len > link->out_done;

	switch (link->state)
	{
		case LINK_HANDSHAKE:
			return EPOLLIN |
				(gnutls_record_get_direction(link->tls) ? EPOLLOUT : 0);
		case LINK_OPEN:
			return EPOLLRDHUP | (unsent && link->due == 0 ? EPOLLOUT : 0) |
				(link->out.len - link->out_done < MOST_UNSENT ? EPOLLIN : 0);
		case LINK_ENDING:
			return unsent && link->due == 0 ? EPOLLOUT : 0;
		case LINK_LINGERING:
			return EPOLLIN;
		default:
			return EPOLLRDHUP;
	}
}

/* Watches it for what its state wants. */
void
link_watch(Link *link)
{
	struct epoll_event event = {.data.ptr = link};

	if (link->state == LINK_CLOSED)
		return;
	event.events = wanted(link);
	if (link->interest == 0)
		epoll_ctl(link_epoll, EPOLL_CTL_ADD, link->fd, &event);
	else if (event.events != (link->interest & ~EPOLLERR))
		epoll_ctl(link_epoll, EPOLL_CTL_MOD, link->fd, &event);

	/* Never 0, which is "not added yet". */
	link->interest = event.events | EPOLLERR;
}

bool
link_read(Link *link)
{
	char		buffer[READ_SIZE];

	do
	{
		size_t		room = sizeof(buffer);
		ssize_t		len;

		if (link->cut_received != NO_CUT &&
			link->cut_received - link->received < (long long) room)
			room = (size_t) (link->cut_received - link->received);
		if (room == 0)
			return true;
		len = stream_read(link, buffer, room);
		if (len < 0)
			return errno == EAGAIN;
		if (len == 0)
			return false;
		text_add_bytes(&link->in, buffer, (size_t) len);
		link->received += len;
	} while (stream_has_more(link));
	return true;
}

const char *
link_bytes(const Link *link, size_t *len)
{
	*len = link->in.len - link->in_used;
	return link->in.data + link->in_used;
}

void
link_use(Link *link, size_t len)
{
	link->in_used += len;
	if (link->in_used == link->in.len)
		link->in_used = link->in.len = 0;
}

bool
link_is_cut(const Link *link)
{
	long long	unused = (long long) (link->in.len - link->in_used);

	return link->cut_received != NO_CUT &&
		link->received - unused >= link->cut_received;
}

void
link_append(Link *link, const void *bytes, size_t len)
{
	if (link->out_done == link->out.len)
		link->out_done = link->out.len = 0;
	text_add_bytes(&link->out, bytes, len);
}

void
link_append_slowly(Link *link, const void *bytes, size_t len, long long gap)
{
	link_append(link, bytes, len);
	link->slow_until = link->sent +
		(long long) (link->out.len - link->out_done);
	link->slow_gap = gap;
}

bool
link_will_send(const Link *link, size_t len)
{
	return link->cut_sent == NO_CUT ||
		link->sent + (long long) (link->out.len - link->out_done + len) <=
		link->cut_sent;
}

/* Closes our half; the peer's bytes are discarded from now on. */
static void
linger(Link *link)
{
	link->out.len = link->out_done = 0;
	stream_shutdown(link);
	link->state = LINK_LINGERING;
	link->due = now_us() + LINGER_US;
}

/* How many of the bytes to be sent may go in one write? */
static size_t
sendable(const Link *link)
{
	size_t		len = link->out.len - link->out_done;

	if (link->cut_sent != NO_CUT &&
		(long long) len > link->cut_sent - link->sent)
		len = (size_t) (link->cut_sent - link->sent);
	if (len > 1 && link->sent < link->slow_until)
		len = 1;
	return len;
}

/* Sends what it may.  False: it is not open any more, or has to wait. */
static bool
send_some(Link *link)
{
	size_t		len = sendable(link);
	ssize_t		sent = len == 0 ? 0 :
	stream_write(link, link->out.data + link->out_done, len);

	if (sent < 0)
	{
		if (errno != EAGAIN)
			link_close(link, false);
		return false;
	}
	link->out_done += (size_t) sent;
	link->sent += sent;
	if (link->sent == link->cut_sent)
	{
		linger(link);
		return false;
	}
	if (link->sent < link->slow_until)
	{
		link->due = now_us() + link->slow_gap;
		return false;
	}
	return true;
}

void
link_flush(Link *link)
{
	while ((link->state == LINK_OPEN || link->state == LINK_ENDING) &&
		   link->out.len > link->out_done && link->due == 0)
	{
		if (!send_some(link))
			break;
	}
	if (link->state == LINK_ENDING && link->out.len == link->out_done)
		linger(link);
	link_watch(link);
}

void
link_end(Link *link)
{
	if (link->state != LINK_OPEN && link->state != LINK_HANDSHAKE)
		return;
	link->state = LINK_ENDING;
	link_flush(link);
}

void
link_hang(Link *link)
{
	if (link->state != LINK_OPEN)
		return;
	link_flush(link);
	if (link->state == LINK_OPEN)
		link->state = LINK_HANGING;
	link_watch(link);
}

bool
link_discard(Link *link)
{
	char		buffer[READ_SIZE];
	ssize_t		len = recv(link->fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	return len > 0 || (len < 0 && errno == EAGAIN);
}

void
link_tick(Link *link, long long now)
{
	if (link->due == 0 || link->due > now)
		return;
	link->due = 0;
	if (link->state == LINK_LINGERING)
		link_close(link, true);
	else
		link_flush(link);
}

void
link_close(Link *link, bool reset)
{
	struct linger at_once = {.l_onoff = 1,.l_linger = 0};

	if (link->state == LINK_CLOSED)
		return;
	link->state = LINK_CLOSED;
	if (reset)
		setsockopt(link->fd, SOL_SOCKET, SO_LINGER, &at_once,
				   sizeof(at_once));
	if (link->tls != NULL)
		gnutls_deinit(link->tls);
	close(link->fd);
	if (link->previous != NULL)
		link->previous->next = link->next;
	else
		links = link->next;
	if (link->next != NULL)
		link->next->previous = link->previous;
	count--;
	link->previous = NULL;
	link->next = closed;
	closed = link;
	link_on_close(link);
}

void
link_sweep(void)
{
	while (closed != NULL)
	{
		Link	   *link = closed;

		closed = link->next;
		text_free(&link->in);
		text_free(&link->out);
		free(link->held);
		free(link->own);
		free(link);
	}
}
