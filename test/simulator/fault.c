/*-------------------------------------------------------------------------
 *
 * fault.c
 *		What is to go wrong, when, and how often.
 *
 *-------------------------------------------------------------------------
 */
#include <fnmatch.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "fault.h"
#include "fault_spec.h"

#define MAX_FAULTS 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Fault faults[MAX_FAULTS];	/* lock */
static atomic_size_t fault_total;	/* written under lock */
static uint64_t random_state = 88172645463325252u;	/* lock */

void
fault_seed(unsigned long long seed)
{
	/* A multiplicative spread; xorshift must not start from zero. */
	random_state = (seed + 1) * 0x9E3779B97F4A7C15u;
	if (random_state == 0)
		random_state = 1;
}

/* The next number from [0, 1): xorshift64*.  The lock is held. */
static double
fault_random(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (double) ((random_state * 2685821657736338717u) >> 11) /
		9007199254740992.0;
}

bool
fault_add(const char *spec, FaultStage *stage, Text *error)
{
	Fault		fault;
	bool		added;

	if (!fault_parse(spec, &fault, error))
		return false;
	*stage = fault_stage(fault.kind);
	pthread_mutex_lock(&lock);
	added = fault_total < MAX_FAULTS;
	if (added)
		faults[fault_total++] = fault;
	pthread_mutex_unlock(&lock);
	if (!added)
		text_addf(error, "there are %d faults already", MAX_FAULTS);
	return added;
}

void
fault_clear(void)
{
	pthread_mutex_lock(&lock);
	fault_total = 0;
	pthread_mutex_unlock(&lock);
}

size_t
fault_count(void)
{
	return fault_total;
}

bool
fault_is_on(FaultKind kind)
{
	bool		found = false;
	size_t		i;

	if (fault_total == 0)
		return false;
	pthread_mutex_lock(&lock);
	for (i = 0; i < fault_total; i++)
		found = found || faults[i].kind == kind;
	pthread_mutex_unlock(&lock);
	return found;
}

static bool
fault_matches_card(const Fault *fault, const FaultSubject *subject)
{
	size_t		i;

	if (fault->match_card[0] == '\0')
		return true;
	for (i = 0; i < subject->card_count; i++)
	{
		if (fnmatch(fault->match_card, subject->cards[i], 0) == 0)
			return true;
	}
	return false;
}

static bool
fault_matches(const Fault *fault, const FaultSubject *subject)
{
	if (fault->match_operation[0] == '\0')
	{
		if (subject->is_housekeeping)
			return false;
	}
	else if (fnmatch(fault->match_operation, subject->operation, 0) != 0)
		return false;
	return fault_matches_card(fault, subject);
}

/* Does it strike now?  Uses it up.  The lock is held. */
static bool
fault_strikes(Fault *fault, const FaultSubject *subject)
{
	if (fault->count == 0 || fault->kind == FAULT_REFUSE ||
		!fault_matches(fault, subject))
		return false;
	if (fault->skip > 0)
	{
		fault->skip--;
		return false;
	}
	if (fault->probability < 1.0 && fault_random() >= fault->probability)
		return false;
	if (fault->count > 0)
		fault->count--;
	return true;
}

void
fault_choose(FaultStage stage, const FaultSubject *subject,
			 FaultVerdict *verdict)
{
	size_t		i;

	memset(verdict, 0, sizeof(*verdict));
	if (fault_total == 0)
		return;
	pthread_mutex_lock(&lock);
	for (i = 0; i < fault_total; i++)
	{
		Fault	   *fault = &faults[i];
		bool		is_delay = fault->kind == FAULT_DELAY;

		if (fault_stage(fault->kind) != stage ||
			(!is_delay && verdict->fault.kind != FAULT_NONE) ||
			!fault_strikes(fault, subject))
			continue;
		verdict->delay += fault->delay;
		if (is_delay)
			verdict->delayed = true;
		else
			verdict->fault = *fault;
	}
	pthread_mutex_unlock(&lock);
}
