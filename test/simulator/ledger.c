/*-------------------------------------------------------------------------
 *
 * ledger.c
 *		What was received and what became of it: one line a message.
 *
 * A line is in the buffer before its answer is on the wire, so who has seen
 * the answer and then asks for a flush finds the line in the file.  Only
 * whole lines are written to the file.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ledger.h"

#define FLUSH_INTERVAL_MS 20
#define FLUSH_SIZE (256 * 1024)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t stop_wanted = PTHREAD_COND_INITIALIZER;
static pthread_t flusher;
static int	file = -1;
static bool stopping;			/* this and all below: lock */
static Text pending;
static LedgerTotals totals;

/* The lock is held. */
static void
ledger_write_out(void)
{
	size_t		done = 0;

	while (done < pending.len)
	{
		ssize_t		written = write(file, pending.data + done,
									pending.len - done);

		if (written < 0 && errno != EINTR)
		{
			perror("simulator: could not write the ledger");
			break;
		}
		if (written > 0)
			done += (size_t) written;
	}
	pending.len = 0;
}

static void *
ledger_flusher(void *unused)
{
	(void) unused;
	pthread_mutex_lock(&lock);
	while (!stopping)
	{
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += FLUSH_INTERVAL_MS * 1000000L;
		if (until.tv_nsec >= 1000000000L)
		{
			until.tv_sec++;
			until.tv_nsec -= 1000000000L;
		}
		pthread_cond_timedwait(&stop_wanted, &lock, &until);
		ledger_write_out();
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

bool
ledger_open(const char *path)
{
	if (path == NULL)
		return true;
	file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (file < 0)
		return false;
	errno = pthread_create(&flusher, NULL, ledger_flusher, NULL);
	return errno == 0;
}

static void
ledger_add_column(Text *text, const char *value)
{
	text_add(text, "\t");
	text_add(text, value == NULL || value[0] == '\0' ? "-" : value);
}

/* The lock is held. */
static void
ledger_add_line(const LedgerLine *line)
{
	text_addf(&pending, "%lld\t", line->received);
	if (line->answered != 0)
		text_addf(&pending, "%lld", line->answered);
	else
		text_add(&pending, "-");
	text_addf(&pending, "\t%llu", line->connection);
	ledger_add_column(&pending, line->sequence);
	ledger_add_column(&pending, line->operation);
	ledger_add_column(&pending, line->cards);
	ledger_add_column(&pending, line->things);
	ledger_add_column(&pending, line->fault);
	ledger_add_column(&pending, line->outcome ? line->outcome : "none");
	ledger_add_column(&pending, line->carried_out ? "yes" : "no");
	if (line->source != NULL)
	{
		ledger_add_column(&pending, line->source);
		ledger_add_column(&pending, line->more);
	}
	text_add(&pending, "\n");
}

void
ledger_write(const LedgerLine *line)
{
	pthread_mutex_lock(&lock);
	totals.received++;
	totals.answered += line->answered != 0;
	totals.carried_out += line->carried_out;
	if (file >= 0)
	{
		ledger_add_line(line);
		if (pending.len > FLUSH_SIZE)
			ledger_write_out();
	}
	pthread_mutex_unlock(&lock);
}

void
ledger_flush(void)
{
	pthread_mutex_lock(&lock);
	ledger_write_out();
	pthread_mutex_unlock(&lock);
}

void
ledger_close(void)
{
	if (file < 0)
		return;
	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_cond_signal(&stop_wanted);
	pthread_mutex_unlock(&lock);
	pthread_join(flusher, NULL);
	ledger_flush();
	close(file);
	file = -1;
	text_free(&pending);
}

LedgerTotals
ledger_totals(void)
{
	LedgerTotals copy;

	pthread_mutex_lock(&lock);
	copy = totals;
	pthread_mutex_unlock(&lock);
	return copy;
}
