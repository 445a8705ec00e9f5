/*-------------------------------------------------------------------------
 *
 * nagra_main.c
 *		A Nagravision SMS gateway for tests.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "field.h"
#include "link_exchange.h"
#include "link_main.h"
#include "nagra.h"
#include "program.h"

#define FRAME_MAX 512

static NagraSettings settings = {.object_name = "SMS_GWY"};

/* A frame has its length, without itself, in two bytes before it. */
static size_t
nagra_measure(const Link *link, const char *bytes, size_t len,
			  const char **error)
{
	size_t		body;

	(void) link;
	if (len < 2)
		return 0;
	body = (size_t) (unsigned char) bytes[0] << 8 | (unsigned char) bytes[1];
	if (body == 0 || body > FRAME_MAX)
		*error = "length";
	return body + 2;
}

static const Protocol nagra = {
	.program = "nagra_simulator",
	.dialect = FAULT_NAGRA,
	.own_size = sizeof(NagraLink),
	.is_strict = false,
	.measure = nagra_measure,
	.decode = nagra_decode,
	.carry_out = nagra_carry_out,
	.answer = nagra_answer,
	.disturb = nagra_disturb,
	.on_close = nagra_on_close
};

enum
{
	OPT_WINDOW = OPT_OWN,
	OPT_OBJECT_NAME,
	OPT_SOURCE_IDS,
	OPT_DEST_ID,
	OPT_MOP_PPID
};

static const struct option options[] = {
	{"window", required_argument, NULL, OPT_WINDOW},
	{"object-name", required_argument, NULL, OPT_OBJECT_NAME},
	{"source-ids", required_argument, NULL, OPT_SOURCE_IDS},
	{"dest-id", required_argument, NULL, OPT_DEST_ID},
	{"mop-ppid", required_argument, NULL, OPT_MOP_PPID},
	{NULL, 0, NULL, 0}
};

static const char help[] =
"  --window N              more unanswered messages on a link are an error\n"
"  --object-name NAME      that the hello has to have, default SMS_GWY\n"
"  --source-ids LIST       comma-separated; others are an error, and so many\n"
"                          connections are accepted at most\n"
"  --dest-id DIGITS, --mop-ppid DIGITS\n"
"                          that messages have to have; else any\n";

static const char *
read_digits(const char *value, size_t len)
{
	if (strlen(value) != len || !field_is_digits(value, len))
		fail("not the right number of digits", value);
	return value;
}

static void
read_sources(const char *list)
{
	while (*list != '\0')
	{
		size_t		len = strcspn(list, ",");

		if (len != 4 || !field_is_digits(list, len) ||
			settings.source_count == NAGRA_MAX_SOURCES)
			fail("not a list of source ids of four digits", list);
		field_copy(settings.sources[settings.source_count++], list, len);
		list += len + (list[len] == ',');
	}
}

static void
read_own(int option, const char *value)
{
	switch (option)
	{
		case OPT_WINDOW:
			exchange_set_window((unsigned) read_int(value, 0, 100000));
			break;
		case OPT_OBJECT_NAME:
			if (value[0] == '\0' || strlen(value) >= MESSAGE_THINGS)
				fail("not an object name", value);
			settings.object_name = value;
			break;
		case OPT_SOURCE_IDS:
			read_sources(value);
			break;
		case OPT_DEST_ID:
			settings.dest_id = read_digits(value, 4);
			break;
		case OPT_MOP_PPID:
			settings.mop_ppid = read_digits(value, 5);
			break;
	}
}

int
main(int argc, char **argv)
{
	static const LinkProgram program = {
		.protocol = &nagra,
		.what = "a Nagravision SMS gateway",
		.options = options,
		.help = help,
		.read_own = read_own
	};
	int			status;

	link_options(argc, argv, &program);
	nagra_start(&settings);
	status = link_main(&program);
	nagra_stop();
	return status;
}
