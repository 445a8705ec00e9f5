/*-------------------------------------------------------------------------
 *
 * pace.c
 *		Runs one statement again and again at a given rate, each time in a
 *		transaction of its own, and notes when the commit came back.
 *
 * The statement gets $1, which counts from 1, and returns what identifies
 * its work.  Each line of the output is that, then the microseconds of the
 * monotonic clock when the statement was sent and when it was committed.
 * The first line is the number of microseconds by which the clock of the day
 * is ahead of the monotonic one.
 *
 *-------------------------------------------------------------------------
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct Pace
{
	PGconn	   *conn;
	int			rate;			/* a second */
	int			count;
} Pace;

static long long
clock_us(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void
sleep_until(long long us)
{
	struct timespec until;
	int			status = -1;

	until.tv_sec = us / 1000000;
	until.tv_nsec = us % 1000000 * 1000;
	while (status != 0)
		status = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static void
fail(PGconn *conn)
{
	fprintf(stderr, "pace: %s", PQerrorMessage(conn));
	exit(1);
}

static void
connect_and_prepare(Pace *pace, const char *statement)
{
	PGresult   *result;

	pace->conn = PQconnectdb("");
	if (PQstatus(pace->conn) != CONNECTION_OK)
		fail(pace->conn);
	result = PQprepare(pace->conn, "work", statement, 0, NULL);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fail(pace->conn);
	PQclear(result);
}

/* One statement: a line of the output. */
static void
run_once(Pace *pace, int i)
{
	char		text[16];
	const char *values[1] = {text};
	long long	sent;
	long long	committed;
	PGresult   *result;

	snprintf(text, sizeof(text), "%d", i);
	sent = clock_us(CLOCK_MONOTONIC);
	result = PQexecPrepared(pace->conn, "work", 1, values, NULL, NULL, 0);
	committed = clock_us(CLOCK_MONOTONIC);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail(pace->conn);
	printf("%s\t%s\t%lld\t%lld\n", PQgetvalue(result, 0, 0),
		   PQgetvalue(result, 0, 1), sent, committed);
	PQclear(result);
}

/*
 * Statements are due at fixed times: one that is late does not delay those
 * after it for good.
 */
static void
run(Pace *pace)
{
	long long	start = clock_us(CLOCK_MONOTONIC);

	for (int i = 1; i <= pace->count; i++)
	{
		sleep_until(start + i * 1000000LL / pace->rate);
		run_once(pace, i);
	}
}

int
main(int argc, char **argv)
{
	Pace		pace = {0};

	if (argc != 4 || (pace.rate = atoi(argv[1])) < 1 ||
		(pace.count = atoi(argv[2])) < 1)
	{
		fputs("usage: pace RATE COUNT STATEMENT\n"
			  "The statement has $1 and returns two columns.\n", stderr);
		return 2;
	}
	connect_and_prepare(&pace, argv[3]);
	printf("%lld\n", clock_us(CLOCK_REALTIME) - clock_us(CLOCK_MONOTONIC));
	run(&pace);
	PQfinish(pace.conn);
	return 0;
}
