/*-------------------------------------------------------------------------
 *
 * schedule_test.c
 *		Unit test of the schedule: prints TAP.
 *
 * Without an argument it runs all; with a seed, that one stream, in each of
 * its forms.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <stdio.h>
#include <stdlib.h>

#include "pg_shim.h"
#include "schedule_stream.h"

#undef printf

#define SHORT_STREAMS 2000
#define SHORT_STEPS 150
#define LONG_STREAMS 4
#define LONG_STEPS 4000

static int	tests = 0;
static int	failed = 0;

static void
ok(bool right, const char *name)
{
	tests++;
	failed += !right;
	printf("%sok %d - %s\n", right ? "" : "not ", tests, name);
	fflush(stdout);
}

/* ------------------------------------------------------------------------
 * Streams
 * ------------------------------------------------------------------------
 */
static Stream stream;
static int	sum_taken;
static int	sum_deferred;
static int	sum_lookups;
static int	sum_refills;
static int	sum_bites;
static int	sum_meanwhile;

static bool
run_stream(uint64 seed, bool windowed, bool long_one, bool parts)
{
	int			steps = long_one ? LONG_STEPS : SHORT_STEPS;
	int			step;
	bool		right = true;

	stream_start(&stream, seed, windowed, long_one, parts);
	for (step = 0; right && step < steps; step++)
		right = stream_step(&stream);
	right = right && stream_drain(&stream);
	if (!right)
		printf("# seed %llu, %s, %s, step %d: %s\n",
			   (unsigned long long) seed,
			   windowed ? "small window" : "no window",
			   parts ? "feeds in parts" : "whole feeds", step,
			   stream.failure);
	sum_taken += stream.taken;
	sum_deferred += stream.deferred;
	sum_lookups += stream.lookups;
	sum_refills += stream.refills;
	sum_bites += stream.bites;
	sum_meanwhile += stream.meanwhile;
	stream_end(&stream);
	return right;
}

static void
run_streams(bool windowed, bool long_one, bool parts, const char *name)
{
	int			count = long_one ? LONG_STREAMS : SHORT_STREAMS;
	bool		right = true;
	int			seed;

	sum_taken = sum_deferred = sum_lookups = sum_refills = 0;
	sum_bites = sum_meanwhile = 0;
	for (seed = 0; right && seed < count; seed++)
		right = run_stream(seed, windowed, long_one, parts);
	ok(right, name);
	printf("# sent %d, deferred %d, refills %d, look-ups %d\n",
		   sum_taken, sum_deferred, sum_refills, sum_lookups);
	if (parts)
		printf("# in parts %d, sent between them %d\n", sum_bites,
			   sum_meanwhile);
	/* a stream that never gets there proves nothing */
	ok(sum_taken > count * 10 && (!windowed || (sum_deferred > count &&
												sum_refills > count &&
												sum_lookups > count / 10)) &&
	   (!parts || (sum_bites > count && sum_meanwhile > count)),
	   "  and it sent, deferred, refilled and looked up enough");
}

/* ------------------------------------------------------------------------
 * Size and cost
 * ------------------------------------------------------------------------
 */
static ScheduleOffered
offer_from(Schedule *schedule, ScheduleSource source, int64 number,
		   uint64 key, bool express, TimestampTz scheduled, TimestampTz now)
{
	ScheduleEntry entry = {0};

	entry.number = number;
	entry.express = express;
	entry.scheduled = scheduled;
	entry.nkeys = 1;
	entry.keys = &key;
	return schedule_offer(schedule, &entry, source, now);
}

static ScheduleOffered
offer_one(Schedule *schedule, int64 number, uint64 key, bool express,
		  TimestampTz scheduled, TimestampTz now)
{
	return offer_from(schedule, SCHEDULE_FEED, number, key, express,
					  scheduled, now);
}

static Size
bytes_of(Schedule *schedule)
{
	ScheduleCounts counts;

	schedule_counts(schedule, &counts);
	return counts.bytes;
}

static void
test_size(void)
{
	Schedule   *schedule = schedule_create(2000000, 1000);
	int			i;

	for (i = 1; i <= 1000000; i++)
		offer_one(schedule, i, i, false, 1, 2);
	printf("# %.1f bytes an entry\n", (double) bytes_of(schedule) / 1000000);
	ok(bytes_of(schedule) <= 100 * 1000000, "1,000,000 entries take 100 MB");
	schedule_free(schedule);
	ok(pg_shim_blocks() == 0, "schedule_free frees everything");
}

/* Sends one million through a schedule that holds 10,000 of them. */
static void
test_churn(void)
{
	Schedule   *schedule = schedule_create(200000, 1000);
	Size		early = 0;
	int64		numbers[8];
	int64		i;

	for (i = 1; i <= 1000000; i++)
	{
		offer_one(schedule, i, i % 7 == 0 ? i % 100 : i, i % 50 == 0,
				  i % 10 == 0 ? i + 500 : i, i);
		if (i > 10000)
		{
			int			count = schedule_take(schedule, i, numbers, 1);

			if (count == 1 && i % 20 == 0)
				schedule_retry(schedule, numbers[0], i + 100);
			else if (count == 1)
				schedule_finish(schedule, numbers[0]);
		}
		if (i % 20 == 0 && i > 10000 &&
			schedule_take(schedule, i, numbers, 1) == 1)
			schedule_finish(schedule, numbers[0]);
		if (i == 100000)
			early = bytes_of(schedule);
	}
	printf("# %zu bytes, %zu at last\n", early, bytes_of(schedule));
	ok(bytes_of(schedule) <= early + early / 20, "memory is flat under churn");
	schedule_free(schedule);
}

/* Runs 100,000 rounds of the window with everything else in the table. */
static void
test_window_churn(void)
{
	Schedule   *schedule = schedule_create(1000, 2000);
	Size		early = 0;
	int64		numbers[1];
	int64		i;

	for (i = 1; i <= 300000; i++)
	{
		if (i % 100 != 0)
			offer_one(schedule, i, i, false, i, i);
		else if (offer_one(schedule, i, i, true, i, i) == SCHEDULE_ADDED)
		{
			int64		number;

			while (schedule_next_lookup(schedule, i, &number))
				schedule_lookup_done(schedule, number);
			if (schedule_take(schedule, i, numbers, 1) != 1 || numbers[0] != i)
				break;
			schedule_finish(schedule, i);
		}
		if (i == 30000)
			early = bytes_of(schedule);
	}
	ok(i > 300000, "urgent ones overtake all that is deferred");
	ok(bytes_of(schedule) == early, "memory is flat while it overflows");
	schedule_free(schedule);
}

static uint64 most_steps;
static uint64 last_steps;

static void
steps_start(void)
{
	most_steps = 0;
	last_steps = schedule_steps;
}

static void
steps_after_one(void)
{
	most_steps = Max(most_steps, schedule_steps - last_steps);
	last_steps = schedule_steps;
}

static void
test_cost(void)
{
	Schedule   *schedule = schedule_create(200000, 1000);
	ScheduleCounts counts;
	int64		number;
	uint64		total;
	int64		i;

	/* one card with 100,000 requests behind a retried one */
	offer_one(schedule, 1, 7, false, 1, 1);
	schedule_take(schedule, 1, &number, 1);
	steps_start();
	for (i = 1001; i <= 101000; i++)
	{
		offer_one(schedule, i, 7, false, 1, 1);
		steps_after_one();
	}
	printf("# offer: at most %llu steps\n", (unsigned long long) most_steps);
	ok(most_steps <= 10, "offer at the end of a long queue");

	total = schedule_steps;
	schedule_retry(schedule, 1, 5);
	for (i = 6; i < 10006; i += 2)
	{
		schedule_take(schedule, i, &number, 1);
		schedule_retry(schedule, number, i + 1);
	}
	total = (schedule_steps - total - 100000) / 5000;
	printf("# retry: %llu steps on average\n", (unsigned long long) total);
	ok(total <= 300, "a head with 100,000 followers is retried");
	schedule_counts(schedule, &counts);
	ok(counts.sendable == 0 && counts.retrying == 1 && number == 1,
	   "and none of them counts");

	steps_start();
	for (i = 2; i <= 1000; i++)
	{
		offer_one(schedule, i, 7, false, 1, 1);
		steps_after_one();
	}
	printf("# late arrival: at most %llu steps\n",
		   (unsigned long long) most_steps);
	ok(most_steps <= 1010, "late arrivals walk from the near end");

	total = schedule_steps;
	for (i = 200001; i <= 201000; i++)
		offer_one(schedule, i, 7, true, 1, 1);
	total = schedule_steps - total;
	printf("# 1,000 EXPRESS ones: %llu steps\n", (unsigned long long) total);
	ok(total <= 3 * 101000, "lifting 101,000 is done once");

	steps_start();
	for (i = 20000; schedule_take(schedule, i, &number, 1) == 1; i++)
	{
		schedule_finish(schedule, number);
		steps_after_one();
	}
	printf("# take and finish: at most %llu steps\n",
		   (unsigned long long) most_steps);
	ok(most_steps <= 200, "take and finish with long queues");
	schedule_counts(schedule, &counts);
	ok(counts.in_memory == 0 && number == 201000, "all went, in order");
	schedule_free(schedule);
}

/* 200,000 with keys of their own: heaps only. */
static void
test_heap_cost(void)
{
	Schedule   *schedule = schedule_create(200000, 1000);
	int64		number;
	int64		i;

	steps_start();
	for (i = 1; i <= 200000; i++)
	{
		offer_one(schedule, i, i, false, 200001 - i, 200001);
		steps_after_one();
	}
	for (i = 1; i <= 200000; i++)
	{
		schedule_take(schedule, 200001, &number, 1);
		if (number != 200001 - i)
			break;
		schedule_finish(schedule, number);
		steps_after_one();
	}
	ok(i > 200000, "200,000 in order of schedule");
	printf("# at most %llu steps\n", (unsigned long long) most_steps);
	ok(most_steps <= 60, "cost grows with the logarithm");
	schedule_free(schedule);
}

/* 100,000 behind blocked cards do not keep others out of a small window. */
static void
test_blocked(void)
{
	Schedule   *schedule = schedule_create(20000, 1000);
	ScheduleCounts counts;
	int64		number;
	int64		i;

	for (i = 1; i <= 100000; i++)
	{
		offer_one(schedule, i, i % 50, false, 1, 1);
		if (i <= 50)
		{
			schedule_take(schedule, 1, &number, 1);
			schedule_hold(schedule, number);
		}
	}
	for (; i <= 120000; i++)
		offer_one(schedule, i, i, false, 1, 1);
	schedule_counts(schedule, &counts);
	ok(counts.held == 50 && counts.ready == 20000 && !counts.overflowing,
	   "blocked ones leave the whole window to the others");
	ok(offer_one(schedule, i, i, false, 1, 1) == SCHEDULE_DEFERRED,
	   "and it ends where it should");
	schedule_free(schedule);
}

/*
 * One that is in flight may come back to its own place: what belongs before
 * it must not be deferred meanwhile, though the last one in the queue has a
 * lower number.
 */
static void
test_return(void)
{
	Schedule   *schedule = schedule_create(1, 1000);
	int64		number;

	offer_one(schedule, 1, 1, false, 1, 1);
	offer_one(schedule, 2, 2, false, 1, 1);
	offer_one(schedule, 900, 9, true, 1, 1);
	schedule_take(schedule, 1, &number, 1);
	offer_one(schedule, 500, 9, false, 1, 1);
	ok(number == 900 &&
	   offer_one(schedule, 700, 9, false, 1, 1) == SCHEDULE_ADDED,
	   "before one in flight nothing is deferred");
	schedule_free(schedule);
}

/* One that waits for a look-up says nothing about those before it. */
static void
test_unchecked(void)
{
	Schedule   *schedule = schedule_create(1, 1000);
	ScheduleCounts counts;
	int64		number;

	offer_one(schedule, 1, 1, false, 1, 1);
	offer_one(schedule, 500, 9, false, 1, 1);
	offer_one(schedule, 900, 9, true, 1, 1);
	offer_one(schedule, 800, 9, true, 1, 1);
	schedule_counts(schedule, &counts);
	ok(counts.unchecked == 2 && schedule_next_lookup(schedule, 1, &number) &&
	   number == 800, "each needs a look-up while none is done");
	offer_one(schedule, 1000, 9, true, 1, 1);
	schedule_lookup_done(schedule, 900);
	ok(!schedule_next_lookup(schedule, 1, &number) || number == 1000,
	   "and the look-up of a later one serves those before it");
	schedule_free(schedule);
}

/* What comes due while the schedule overflows goes to the table. */
static void
test_later_overflow(void)
{
	Schedule   *schedule = schedule_create(10, 1000);
	ScheduleCounts counts;
	int64		i;

	for (i = 1; i <= 20; i++)
		offer_one(schedule, i, i, false, 1, 1);
	for (i = 100; i < 200; i++)
		offer_one(schedule, i, i, i == 150, 5, 1);
	schedule_counts(schedule, &counts);
	ok(counts.later == 100 && counts.in_memory == 110, "later ones are kept");
	schedule_next_time(schedule, 5);
	schedule_counts(schedule, &counts);
	ok(counts.later == 0 && counts.in_memory == 11 && counts.deferred == 109,
	   "and deferred when they come due, but for an urgent one");
	schedule_free(schedule);
}

/*
 * While a feed is read in parts: what was there before goes on, what is urgent
 * needs a look-up, which serves those before it that came since the begin and
 * no others, and what is not urgent waits for the end.
 */
static void
test_parts(void)
{
	Schedule   *schedule = schedule_create(100, 1000);
	int64		numbers[4];
	int64		number = 0;

	offer_one(schedule, 100, 7, false, 1, 1);
	offer_one(schedule, 101, 8, false, 1, 1);
	schedule_feed_begin(schedule);
	offer_one(schedule, 90, 7, true, 1, 1);
	offer_one(schedule, 102, 9, false, 1, 1);
	ok(schedule_next_lookup(schedule, 1, &number) && number == 90,
	   "what was there before the feed began covers nobody");
	ok(schedule_take(schedule, 1, numbers, 4) == 1 && numbers[0] == 101,
	   "and goes on if it is not behind the others");
	schedule_lookup_done(schedule, 90);
	offer_one(schedule, 80, 7, false, 1, 1);
	ok(!schedule_next_lookup(schedule, 1, &number) &&
	   schedule_take(schedule, 1, numbers, 4) == 1 && numbers[0] == 80,
	   "what was looked up covers those before it");
	schedule_feed_begin(schedule);
	offer_one(schedule, 85, 7, true, 1, 1);
	ok(schedule_next_lookup(schedule, 1, &number) && number == 85,
	   "but not when more is unread since");
	ok(schedule_take(schedule, 1, numbers, 4) == 0,
	   "nothing goes that may not");
	offer_from(schedule, SCHEDULE_BITE, 200, 20, true, 1, 1);
	schedule_lookup_done(schedule, 85);
	ok(!schedule_next_lookup(schedule, 1, &number),
	   "what belongs to the feed waits, however urgent");
	offer_one(schedule, 201, 20, true, 1, 1);
	ok(schedule_next_lookup(schedule, 1, &number) && number == 201,
	   "unless another one");
	offer_from(schedule, SCHEDULE_LOOKUP, 200, 20, true, 1, 1);
	schedule_lookup_done(schedule, 201);
	ok(!schedule_next_lookup(schedule, 1, &number) &&
	   schedule_take(schedule, 1, numbers, 4) == 1 && numbers[0] == 200,
	   "finds it before itself");
	offer_from(schedule, SCHEDULE_BITE, 210, 21, true, 1, 1);
	schedule_feed_end(schedule);
	schedule_finish(schedule, 80);
	ok(!schedule_next_lookup(schedule, 1, &number) &&
	   schedule_take(schedule, 1, numbers, 4) == 3 && numbers[0] == 85 &&
	   numbers[1] == 210 && numbers[2] == 102, "what waits goes in the end");
	schedule_free(schedule);
}

/* 100,000 that come late, below the horizon, do not fill the memory. */
static void
test_late_mass(void)
{
	Schedule   *schedule = schedule_create(1000, 1000);
	ScheduleCounts counts;
	int64		i;

	for (i = 1000000; i < 1002000; i++)
		offer_one(schedule, i, i, false, 1, 1);
	for (i = 1; i < 100000; i++)
		offer_one(schedule, i, i, false, 1, 1);
	schedule_counts(schedule, &counts);
	ok(counts.in_memory == 2000 && schedule_refill_begin(schedule) == 1000,
	   "the horizon gives way to many that come late");
	schedule_free(schedule);
}

int
main(int argc, char **argv)
{
	pg_shim_init();
	if (argc > 1)
	{
		uint64		seed = strtoull(argv[1], NULL, 10);
		int			form;

		for (form = 0; form < 8; form++)
			ok(run_stream(seed, form & 1, form & 2, form & 4), "the stream");
	}
	else
	{
		run_streams(false, false, false, "short streams, no window");
		run_streams(true, false, false, "short streams, small window");
		run_streams(false, true, false, "long streams, no window");
		run_streams(true, true, false, "long streams, small window");
		run_streams(false, false, true, "short streams, in parts");
		run_streams(true, false, true, "..., small window");
		run_streams(false, true, true, "long streams, in parts");
		run_streams(true, true, true, "..., small window");
		test_size();
		test_churn();
		test_window_churn();
		test_cost();
		test_heap_cost();
		test_blocked();
		test_return();
		test_unchecked();
		test_later_overflow();
		test_parts();
		test_late_mass();
	}
	ok(pg_shim_blocks() == 0, "nothing is left in memory");
	printf("1..%d\n", tests);
	return failed > 0;
}
