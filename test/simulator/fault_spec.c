/*-------------------------------------------------------------------------
 *
 * fault_spec.c
 *		Reading the description of a fault: words key=value.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault_spec.h"

/* Which keys a kind takes, beside probability, count and skip. */
enum
{
	TAKES_DELAY = 1,
	TAKES_CARRY = 2,
	TAKES_CODE = 4,
	TAKES_STATUS = 8,
	TAKES_LOCATION = 16,
	TAKES_SIZE = 32,
	TAKES_MATCH = 64,
	TAKES_CHANCE = 128			/* probability, count, skip */
};

#define TAKES_MESSAGE (TAKES_DELAY | TAKES_CARRY | TAKES_MATCH | TAKES_CHANCE)

typedef struct FaultType
{
	const char *name;
	FaultStage	stage;
	bool		carries_out;	/* unless carry= says otherwise */
	unsigned	takes;
} FaultType;

static const FaultType types[] = {
	[FAULT_NONE] = {"none", FAULT_AT_BODY, true, 0},
	[FAULT_DELAY] = {"delay", FAULT_AT_BODY, true,
	TAKES_DELAY | TAKES_MATCH | TAKES_CHANCE},
	[FAULT_REJECT] = {"reject", FAULT_AT_BODY, false,
	TAKES_MESSAGE | TAKES_CODE},
	[FAULT_SOAP_FAULT] = {"soap-fault", FAULT_AT_BODY, false,
	TAKES_MESSAGE | TAKES_CODE},
	[FAULT_HTTP_STATUS] = {"http-status", FAULT_AT_BODY, false,
	TAKES_MESSAGE | TAKES_STATUS},
	[FAULT_REDIRECT] = {"redirect", FAULT_AT_BODY, false,
	TAKES_MESSAGE | TAKES_STATUS | TAKES_LOCATION},
	[FAULT_HANG_BEFORE_BODY] = {"hang-before-body", FAULT_AT_HEADERS, false,
	TAKES_CHANCE},
	[FAULT_HANG_AFTER_BODY] = {"hang-after-body", FAULT_AT_BODY, false,
	TAKES_MATCH | TAKES_CHANCE},
	[FAULT_CARRY_OUT_NO_ANSWER] = {"carry-out-no-answer", FAULT_AT_BODY, true,
	TAKES_MATCH | TAKES_CHANCE},
	[FAULT_CLOSE_BEFORE_BODY] = {"close-before-body", FAULT_AT_HEADERS, false,
	TAKES_CHANCE},
	[FAULT_CLOSE_AFTER_BODY] = {"close-after-body", FAULT_AT_BODY, false,
	TAKES_DELAY | TAKES_MATCH | TAKES_CHANCE},
	[FAULT_CARRY_OUT_CLOSE] = {"carry-out-close", FAULT_AT_BODY, true,
	TAKES_DELAY | TAKES_MATCH | TAKES_CHANCE},
	[FAULT_HALF_ANSWER] = {"half-answer", FAULT_AT_BODY, true, TAKES_MESSAGE},
	[FAULT_TWO_ANSWERS] = {"two-answers", FAULT_AT_BODY, true, TAKES_MESSAGE},
	[FAULT_OTHER_ANSWER] = {"other-answer", FAULT_AT_BODY, true,
	TAKES_MESSAGE},
	[FAULT_GARBAGE] = {"garbage", FAULT_AT_BODY, true, TAKES_MESSAGE},
	[FAULT_MALFORMED_XML] = {"malformed-xml", FAULT_AT_BODY, true,
	TAKES_MESSAGE},
	[FAULT_DOCTYPE] = {"doctype", FAULT_AT_BODY, true, TAKES_MESSAGE},
	[FAULT_OVERSIZED] = {"oversized", FAULT_AT_BODY, true,
	TAKES_MESSAGE | TAKES_SIZE},
	[FAULT_REFUSE] = {"refuse", FAULT_AT_CONNECT, false, 0},
	[FAULT_TLS_FAIL] = {"tls-fail", FAULT_AT_CONNECT, false, TAKES_CHANCE},
	[FAULT_TLS_WRONG_CERT] = {"tls-wrong-cert", FAULT_AT_CONNECT, false,
	TAKES_CHANCE}
};

#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

const char *
fault_name(FaultKind kind)
{
	return types[kind].name;
}

FaultStage
fault_stage(FaultKind kind)
{
	return types[kind].stage;
}

static bool
read_kind(const char *value, Fault *fault, Text *error)
{
	size_t		i;

	for (i = FAULT_NONE + 1; i < TYPE_COUNT; i++)
	{
		if (strcmp(types[i].name, value) == 0)
		{
			fault->kind = (FaultKind) i;
			fault->carries_out = types[i].carries_out;
			return true;
		}
	}
	text_addf(error, "no fault of kind \"%s\"; there are", value);
	for (i = FAULT_NONE + 1; i < TYPE_COUNT; i++)
		text_addf(error, " %s", types[i].name);
	return false;
}

typedef struct Unit
{
	const char *name;
	double		factor;
} Unit;

static const Unit time_units[] = {
	{"", 1e3}, {"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"min", 6e7}, {NULL, 0}
};
static const Unit size_units[] = {
	{"", 1}, {"kB", 1024}, {"MB", 1048576}, {NULL, 0}
};
static const Unit plain[] = {{"", 1}, {NULL, 0}};

/* A number from least to most, with a unit of the table. */
static bool
read_number(const char *value, const Unit *units, double least, double most,
			double *number)
{
	char	   *end;

	errno = 0;
	*number = strtod(value, &end);
	if (end == value || errno != 0)
		return false;
	for (; units->name != NULL; units++)
	{
		if (strcmp(units->name, end) == 0)
		{
			*number *= units->factor;
			return *number >= least && *number <= most;
		}
	}
	return false;
}

static bool
read_word(const char *value, char *word)
{
	if (value[0] == '\0' || strlen(value) >= FAULT_WORD)
		return false;
	strcpy(word, value);
	return true;
}

static bool
read_carry(const char *value, Fault *fault)
{
	fault->carries_out = strcmp(value, "yes") == 0;
	return fault->carries_out || strcmp(value, "no") == 0;
}

/* The keys whose value is a number. */
static bool
read_numeric(const char *key, const char *value, Fault *fault)
{
	double		number;

	if (strcmp(key, "probability") == 0)
		return read_number(value, plain, 0, 1, &fault->probability);
	if (strcmp(key, "delay") == 0)
	{
		if (!read_number(value, time_units, 0, 3.6e9, &number))
			return false;
		fault->delay = (long long) number;
		return true;
	}
	if (strcmp(key, "size") == 0)
	{
		if (!read_number(value, size_units, 1, 268435456, &number))
			return false;
		fault->size = (size_t) number;
		return true;
	}
	if (!read_number(value, plain, 0, 1e9, &number))
		return false;
	if (strcmp(key, "count") == 0)
		fault->count = (long) number;
	else if (strcmp(key, "skip") == 0)
		fault->skip = (long) number;
	else
	{
		fault->status = (int) number;
		return number >= 200 && number <= 599;
	}
	return true;
}

typedef struct Key
{
	const char *name;
	unsigned	taken_by;
} Key;

static const Key keys[] = {
	{"code", TAKES_CODE},
	{"status", TAKES_STATUS},
	{"location", TAKES_LOCATION},
	{"size", TAKES_SIZE},
	{"delay", TAKES_DELAY},
	{"carry", TAKES_CARRY},
	{"match-op", TAKES_MATCH},
	{"match-card", TAKES_MATCH},
	{"probability", TAKES_CHANCE},
	{"count", TAKES_CHANCE},
	{"skip", TAKES_CHANCE},
	{NULL, 0}
};

/* Does the kind take that key? */
static bool
check_key(const char *name, const Fault *fault, Text *error)
{
	const Key  *key;

	for (key = keys; key->name != NULL; key++)
	{
		if (strcmp(key->name, name) == 0 &&
			(types[fault->kind].takes & key->taken_by) != 0)
			return true;
	}
	text_addf(error, "a fault of kind %s takes no \"%s\"; it takes",
			  types[fault->kind].name, name);
	for (key = keys; key->name != NULL; key++)
	{
		if ((types[fault->kind].takes & key->taken_by) != 0)
			text_addf(error, " %s", key->name);
	}
	return false;
}

static bool
read_key(const char *key, const char *value, Fault *fault, Text *error)
{
	bool		good;

	if (!check_key(key, fault, error))
		return false;
	if (strcmp(key, "code") == 0)
		good = read_word(value, fault->code);
	else if (strcmp(key, "location") == 0)
		good = read_word(value, fault->location);
	else if (strcmp(key, "match-op") == 0)
		good = read_word(value, fault->match_operation);
	else if (strcmp(key, "match-card") == 0)
		good = read_word(value, fault->match_card);
	else if (strcmp(key, "carry") == 0)
		good = read_carry(value, fault);
	else
		good = read_numeric(key, value, fault);
	if (!good)
		text_addf(error, "value of \"%s\" not understood: \"%s\"", key, value);
	return good;
}

static bool
is_status_code(const char *s)
{
	return *s >= 'A' && *s <= 'Z' &&
		strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(s);
}

/* Fills in what was not given, and checks what depends on the kind. */
static bool
complete(Fault *fault, Text *error)
{
	if (fault->code[0] == '\0')
		strcpy(fault->code,
			   fault->kind == FAULT_REJECT ? "SYSTEM_ERROR" : "Server");
	if (fault->location[0] == '\0')
		strcpy(fault->location, "/elsewhere");
	if (fault->status == 0)
		fault->status = fault->kind == FAULT_REDIRECT ? 302 : 503;
	if (fault->size == 0)
		fault->size = 16 * 1024 * 1024;
	if (fault->kind == FAULT_REJECT && !is_status_code(fault->code))
		text_add(error, "code has to be like SYSTEM_ERROR");
	else if (fault->kind == FAULT_SOAP_FAULT &&
			 strcmp(fault->code, "Client") != 0 &&
			 strcmp(fault->code, "Server") != 0)
		text_add(error, "code has to be Client or Server");
	else if (fault->kind == FAULT_DELAY && fault->delay == 0)
		text_add(error, "a fault of kind delay needs delay=");
	else
		return true;
	return false;
}

/* Reads one word key=value, which is changed; kind= has to be the first. */
static bool
read_pair(char *pair, Fault *fault, Text *error)
{
	char	   *equals = strchr(pair, '=');

	if (equals == NULL)
	{
		text_addf(error, "\"%s\" is not key=value", pair);
		return false;
	}
	*equals = '\0';
	if (strcmp(pair, "kind") == 0 && fault->kind == FAULT_NONE)
		return read_kind(equals + 1, fault, error);
	if (fault->kind == FAULT_NONE)
	{
		text_add(error, "the first word has to be kind=");
		return false;
	}
	return read_key(pair, equals + 1, fault, error);
}

bool
fault_parse(const char *spec, Fault *fault, Text *error)
{
	char	   *copy = must_copy(spec);
	char	   *rest = copy;
	char	   *pair;
	bool		good = true;

	memset(fault, 0, sizeof(*fault));
	fault->probability = 1.0;
	fault->count = -1;
	while (good && (pair = strtok_r(NULL, " ", &rest)) != NULL)
		good = read_pair(pair, fault, error);
	free(copy);
	if (good && fault->kind == FAULT_NONE)
	{
		text_add(error, "the first word has to be kind=");
		return false;
	}
	return good && complete(fault, error);
}
