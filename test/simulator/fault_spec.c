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

/* Which keys a kind takes; 0: there is no such kind. */
enum
{
	TAKES_DELAY = 1,
	TAKES_CARRY = 2,
	TAKES_CODE = 4,
	TAKES_STATUS = 8,
	TAKES_LOCATION = 16,
	TAKES_SIZE = 32,
	TAKES_MATCH = 64,
	TAKES_CHANCE = 128,			/* probability, count, skip */
	TAKES_BATCH = 256,
	TAKES_AFTER = 512,
	TAKES_NOTHING = 1024		/* a kind without keys */
};

#define TAKES_STRIKE (TAKES_MATCH | TAKES_CHANCE)
#define TAKES_MESSAGE (TAKES_DELAY | TAKES_CARRY | TAKES_STRIKE)

typedef struct FaultType
{
	const char *name;
	FaultStage	stage;
	bool		carries_out;	/* unless carry= says otherwise */
	unsigned	takes[FAULT_DIALECTS];	/* by FaultDialect */
} FaultType;

/* The keys of a kind that all simulators have, Conax alone, ... */
#define ALL(keys) {keys, keys, keys}
#define CONAX(keys) {keys, 0, 0}
#define LINKS(keys) {0, keys, keys}
#define NAGRA(keys) {0, keys, 0}
#define NDS(keys) {0, 0, keys}
#define EACH(conax, links) {conax, links, links}

static const FaultType types[] = {
	[FAULT_NONE] = {"none", FAULT_AT_BODY, true, ALL(0)},
	[FAULT_DELAY] = {"delay", FAULT_AT_BODY, true,
	ALL(TAKES_DELAY | TAKES_STRIKE)},
	[FAULT_REJECT] = {"reject", FAULT_AT_BODY, false,
	ALL(TAKES_MESSAGE | TAKES_CODE)},
	[FAULT_SOAP_FAULT] = {"soap-fault", FAULT_AT_BODY, false,
	CONAX(TAKES_MESSAGE | TAKES_CODE)},
	[FAULT_HTTP_STATUS] = {"http-status", FAULT_AT_BODY, false,
	CONAX(TAKES_MESSAGE | TAKES_STATUS)},
	[FAULT_REDIRECT] = {"redirect", FAULT_AT_BODY, false,
	CONAX(TAKES_MESSAGE | TAKES_STATUS | TAKES_LOCATION)},
	[FAULT_HANG_BEFORE_BODY] = {"hang-before-body", FAULT_AT_HEADERS, false,
	EACH(TAKES_CHANCE, TAKES_STRIKE)},
	[FAULT_HANG_AFTER_BODY] = {"hang-after-body", FAULT_AT_BODY, false,
	ALL(TAKES_STRIKE)},
	[FAULT_CARRY_OUT_NO_ANSWER] = {"carry-out-no-answer", FAULT_AT_BODY, true,
	ALL(TAKES_STRIKE)},
	[FAULT_CLOSE_BEFORE_BODY] = {"close-before-body", FAULT_AT_HEADERS, false,
	EACH(TAKES_CHANCE, TAKES_STRIKE)},
	[FAULT_CLOSE_AFTER_BODY] = {"close-after-body", FAULT_AT_BODY, false,
	ALL(TAKES_DELAY | TAKES_STRIKE)},
	[FAULT_CARRY_OUT_CLOSE] = {"carry-out-close", FAULT_AT_BODY, true,
	ALL(TAKES_DELAY | TAKES_STRIKE)},
	[FAULT_HALF_ANSWER] = {"half-answer", FAULT_AT_BODY, true,
	EACH(TAKES_MESSAGE, TAKES_MESSAGE | TAKES_SIZE)},
	[FAULT_TWO_ANSWERS] = {"two-answers", FAULT_AT_BODY, true,
	ALL(TAKES_MESSAGE)},
	[FAULT_OTHER_ANSWER] = {"other-answer", FAULT_AT_BODY, true,
	ALL(TAKES_MESSAGE)},
	[FAULT_GARBAGE] = {"garbage", FAULT_AT_BODY, true,
	EACH(TAKES_MESSAGE, TAKES_MESSAGE | TAKES_SIZE)},
	[FAULT_MALFORMED_XML] = {"malformed-xml", FAULT_AT_BODY, true,
	CONAX(TAKES_MESSAGE)},
	[FAULT_DOCTYPE] = {"doctype", FAULT_AT_BODY, true, CONAX(TAKES_MESSAGE)},
	[FAULT_OVERSIZED] = {"oversized", FAULT_AT_BODY, true,
	ALL(TAKES_MESSAGE | TAKES_SIZE)},
	[FAULT_REFUSE] = {"refuse", FAULT_AT_CONNECT, false, ALL(TAKES_NOTHING)},
	[FAULT_TLS_FAIL] = {"tls-fail", FAULT_AT_CONNECT, false,
	ALL(TAKES_CHANCE)},
	[FAULT_TLS_WRONG_CERT] = {"tls-wrong-cert", FAULT_AT_CONNECT, false,
	ALL(TAKES_CHANCE)},
	[FAULT_NO_ANSWER] = {"no-answer", FAULT_AT_BODY, false,
	LINKS(TAKES_CARRY | TAKES_STRIKE)},
	[FAULT_LATE_ANSWER] = {"late-answer", FAULT_AT_BODY, true,
	LINKS(TAKES_MESSAGE)},
	[FAULT_NONSENSE] = {"nonsense", FAULT_AT_BODY, true,
	LINKS(TAKES_MESSAGE)},
	[FAULT_OUT_OF_ORDER] = {"out-of-order", FAULT_AT_BODY, true,
	NAGRA(TAKES_MESSAGE | TAKES_BATCH)},
	[FAULT_ONE_WRITE] = {"one-write", FAULT_AT_BODY, true,
	NAGRA(TAKES_MESSAGE | TAKES_BATCH)},
	[FAULT_BYTE_BY_BYTE] = {"byte-by-byte", FAULT_AT_BODY, true,
	LINKS(TAKES_MESSAGE)},
	[FAULT_UNSOLICITED] = {"unsolicited", FAULT_AT_BODY, true,
	LINKS(TAKES_MESSAGE)},
	[FAULT_WRONG_DIGEST] = {"wrong-digest", FAULT_AT_BODY, true,
	NDS(TAKES_MESSAGE)},
	[FAULT_WRONG_SEQUENCE] = {"wrong-sequence", FAULT_AT_BODY, true,
	NDS(TAKES_MESSAGE)},
	[FAULT_WRONG_LENGTH] = {"wrong-length", FAULT_AT_BODY, true,
	LINKS(TAKES_MESSAGE)},
	[FAULT_HELLO_CONNECTION] = {"hello-connection", FAULT_AT_HELLO, false,
	NAGRA(TAKES_STATUS | TAKES_CHANCE)},
	[FAULT_HELLO_CALL] = {"hello-call", FAULT_AT_HELLO, false,
	NAGRA(TAKES_STATUS | TAKES_CHANCE)},
	[FAULT_CUT_RECEIVED] = {"cut-received", FAULT_AT_CONNECT, true,
	LINKS(TAKES_AFTER | TAKES_CHANCE)},
	[FAULT_CUT_SENT] = {"cut-sent", FAULT_AT_CONNECT, true,
	LINKS(TAKES_AFTER | TAKES_CHANCE)}
};

#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

static FaultDialect spoken = FAULT_CONAX;

void
fault_speak(FaultDialect dialect)
{
	spoken = dialect;
}

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
		if (strcmp(types[i].name, value) == 0 && types[i].takes[spoken] != 0)
		{
			fault->kind = (FaultKind) i;
			fault->carries_out = types[i].carries_out;
			return true;
		}
	}
	text_addf(error, "no fault of kind \"%s\"; there are", value);
	for (i = FAULT_NONE + 1; i < TYPE_COUNT; i++)
	{
		if (types[i].takes[spoken] != 0)
			text_addf(error, " %s", types[i].name);
	}
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

/* An HTTP status, or the byte of a hello. */
static bool
read_status(double number, Fault *fault)
{
	fault->status = (int) number;
	if (fault->kind == FAULT_HELLO_CONNECTION ||
		fault->kind == FAULT_HELLO_CALL)
		return number <= 255;
	return number >= 200 && number <= 599;
}

static bool
read_batch(double number, Fault *fault)
{
	fault->batch = (size_t) number;
	return number >= 2 && number <= FAULT_MAX_BATCH;
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
	else if (strcmp(key, "after") == 0)
		fault->after = (long long) number;
	else if (strcmp(key, "batch") == 0)
		return read_batch(number, fault);
	else
		return read_status(number, fault);
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
	{"batch", TAKES_BATCH},
	{"after", TAKES_AFTER},
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
			(types[fault->kind].takes[spoken] & key->taken_by) != 0)
			return true;
	}
	text_addf(error, "a fault of kind %s takes no \"%s\"; it takes",
			  types[fault->kind].name, name);
	for (key = keys; key->name != NULL; key++)
	{
		if ((types[fault->kind].takes[spoken] & key->taken_by) != 0)
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

typedef struct CodeForm
{
	const char *example;		/* and what reject gives by default */
	const char *first;			/* characters that it begins with */
	const char *rest;
	size_t		len;			/* 0: any */
} CodeForm;

#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static const CodeForm code_forms[FAULT_DIALECTS] = {
	[FAULT_CONAX] = {"SYSTEM_ERROR", CAPITALS, CAPITALS "0123456789_", 0},
	[FAULT_NAGRA] = {"00FF", "0123456789ABCDEF", "0123456789ABCDEF", 4},
	[FAULT_NDS] = {"E009", CAPITALS, CAPITALS "0123456789", 4}
};

static bool
is_status_code(const char *s)
{
	const CodeForm *form = &code_forms[spoken];

	return strchr(form->first, s[0]) != NULL &&
		strspn(s, form->rest) == strlen(s) &&
		(form->len == 0 || strlen(s) == form->len);
}

static int
default_status(FaultKind kind)
{
	switch (kind)
	{
		case FAULT_REDIRECT:
			return 302;
		case FAULT_HELLO_CONNECTION:
			return 0;
		case FAULT_HELLO_CALL:
			return 3;
		default:
			return 503;
	}
}

static void
fill_in(Fault *fault)
{
	if (fault->code[0] == '\0')
		strcpy(fault->code, fault->kind == FAULT_REJECT ?
			   code_forms[spoken].example : "Server");
	if (fault->location[0] == '\0')
		strcpy(fault->location, "/elsewhere");
	if (fault->status < 0)
		fault->status = default_status(fault->kind);
	if (fault->size == 0 && fault->kind == FAULT_OVERSIZED)
		fault->size = 16 * 1024 * 1024;
	if (fault->batch == 0)
		fault->batch = 2;
}

/* Fills in what was not given, and checks what depends on the kind. */
static bool
complete(Fault *fault, Text *error)
{
	fill_in(fault);
	if (fault->kind == FAULT_REJECT && !is_status_code(fault->code))
		text_addf(error, "code has to be like %s",
				  code_forms[spoken].example);
	else if (fault->kind == FAULT_SOAP_FAULT &&
			 strcmp(fault->code, "Client") != 0 &&
			 strcmp(fault->code, "Server") != 0)
		text_add(error, "code has to be Client or Server");
	else if (fault->delay == 0 && (fault->kind == FAULT_DELAY ||
								   fault->kind == FAULT_LATE_ANSWER))
		text_addf(error, "a fault of kind %s needs delay=",
				  types[fault->kind].name);
	else if ((types[fault->kind].takes[spoken] & TAKES_AFTER) != 0 &&
			 fault->after < 0)
		text_addf(error, "a fault of kind %s needs after=",
				  types[fault->kind].name);
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
	fault->status = -1;
	fault->after = -1;
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
