/*-------------------------------------------------------------------------
 *
 * park.c
 *		Connections that wait: for a while, or for good.
 *
 * libmicrohttpd does not look at a suspended connection, so a thread of ours
 * watches its socket for the peer's hanging up; without that each client that
 * gave up waiting would leave a connection behind.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "park.h"
#include "text.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Parked *first;			/* lock */
static bool stopping;			/* lock */
static pthread_t keeper;
static int	watch = -1;			/* epoll: the sockets, and nudge */
static int	nudge = -1;			/* eventfd: something has changed */

/* Hands the connection back; *parked may be gone at once.  Lock held. */
static void
park_wake(Parked *parked, ParkState state)
{
	struct MHD_Connection *connection = parked->connection;

	epoll_ctl(watch, EPOLL_CTL_DEL, parked->fd, NULL);
	if (parked->previous != NULL)
		parked->previous->next = parked->next;
	else
		first = parked->next;
	if (parked->next != NULL)
		parked->next->previous = parked->previous;
	parked->state = state;
	MHD_resume_connection(connection);
}

/* Wakes who is due.  Milliseconds until the next one is; -1: none. */
static int
park_wake_due(void)
{
	long long	now = now_us();
	long long	soonest = -1;
	Parked	   *parked;
	Parked	   *next;

	for (parked = first; parked != NULL; parked = next)
	{
		next = parked->next;
		if (parked->due == PARK_FOREVER)
			continue;
		if (parked->due <= now)
			park_wake(parked, PARK_DUE);
		else if (soonest < 0 || parked->due - now < soonest)
			soonest = parked->due - now;
	}
	return soonest < 0 ? -1 : (int) ((soonest + 999) / 1000);
}

/* One of those that wait has hung up, if it has not been woken since. */
static void
park_wake_gone(const Parked *gone)
{
	Parked	   *parked;

	for (parked = first; parked != NULL; parked = parked->next)
	{
		if (parked == gone)
		{
			park_wake(parked, PARK_GONE);
			return;
		}
	}
}

static void *
park_keeper(void *unused)
{
	(void) unused;
	pthread_mutex_lock(&lock);
	while (!stopping)
	{
		struct epoll_event events[64];
		int			timeout = park_wake_due();
		int			count;
		int			i;

		pthread_mutex_unlock(&lock);
		count = epoll_wait(watch, events, 64, timeout);
		pthread_mutex_lock(&lock);
		for (i = 0; i < count; i++)
		{
			uint64_t	counter;

			if (events[i].data.ptr != NULL)
				park_wake_gone(events[i].data.ptr);
			else if (read(nudge, &counter, sizeof(counter)) < 0)
				break;
		}
	}
	while (first != NULL)
		park_wake(first, PARK_GONE);
	pthread_mutex_unlock(&lock);
	return NULL;
}

bool
park_start(void)
{
	struct epoll_event event = {.events = EPOLLIN};

	watch = epoll_create1(EPOLL_CLOEXEC);
	nudge = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watch < 0 || nudge < 0 ||
		epoll_ctl(watch, EPOLL_CTL_ADD, nudge, &event) != 0)
		return false;
	errno = pthread_create(&keeper, NULL, park_keeper, NULL);
	return errno == 0;
}

static void
park_nudge(void)
{
	uint64_t	one = 1;

	/* It can fail only when the keeper has been nudged enough. */
	if (write(nudge, &one, sizeof(one)) < 0)
		return;
}

void
park(Parked *parked, struct MHD_Connection *connection, long long due)
{
	enum MHD_ConnectionInfoType what = MHD_CONNECTION_INFO_CONNECTION_FD;
	struct epoll_event event = {.events = EPOLLRDHUP};

	parked->connection = connection;
	parked->due = due;
	parked->fd = MHD_get_connection_info(connection, what)->connect_fd;
	parked->state = PARK_WAITING;
	parked->previous = NULL;
	event.data.ptr = parked;
	MHD_suspend_connection(connection);
	pthread_mutex_lock(&lock);
	parked->next = first;
	if (first != NULL)
		first->previous = parked;
	first = parked;
	if (stopping || epoll_ctl(watch, EPOLL_CTL_ADD, parked->fd, &event) != 0)
		park_wake(parked, PARK_GONE);
	pthread_mutex_unlock(&lock);
	if (due != PARK_FOREVER)
		park_nudge();
}

void
park_stop(void)
{
	if (nudge < 0)
		return;
	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_mutex_unlock(&lock);
	park_nudge();
	pthread_join(keeper, NULL);
}
