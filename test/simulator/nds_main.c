/*-------------------------------------------------------------------------
 *
 * nds_main.c
 *		An NDS system for tests.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "field.h"
#include "link_main.h"
#include "nds.h"
#include "program.h"

static NdsSettings settings = {.digest = NDS_DIGEST_SHA256,.key = ""};

static void
nds_on_close(Link *link)
{
	(void) link;
}

static const Protocol nds = {
	.program = "nds_simulator",
	.dialect = FAULT_NDS,
	.own_size = sizeof(NdsLink),
	.is_strict = true,
	.measure = nds_measure,
	.decode = nds_decode,
	.carry_out = nds_carry_out,
	.answer = nds_answer,
	.disturb = nds_disturb,
	.on_close = nds_on_close
};

enum
{
	OPT_DIGEST = OPT_OWN,
	OPT_KEY,
	OPT_SEQUENCES,
	OPT_FROM_ID,
	OPT_TO_ID
};

static const struct option options[] = {
	{"digest", required_argument, NULL, OPT_DIGEST},
	{"key", required_argument, NULL, OPT_KEY},
	{"sequences", required_argument, NULL, OPT_SEQUENCES},
	{"from-id", required_argument, NULL, OPT_FROM_ID},
	{"to-id", required_argument, NULL, OPT_TO_ID},
	{NULL, 0, NULL, 0}
};

static const char help[] =
"  --digest none|hmac-md5|hmac-sha256\n"
"                          default hmac-sha256\n"
"  --key TEXT              of the digest\n"
"  --sequences reused|once whether a connection may use numbers of another,\n"
"                          default reused\n"
"  --from-id HEX, --to-id HEX\n"
"                          that messages have to have; else any\n";

static NdsDigest
read_digest(const char *value)
{
	if (strcmp(value, "none") == 0)
		return NDS_DIGEST_NONE;
	if (strcmp(value, "hmac-md5") == 0)
		return NDS_DIGEST_MD5;
	if (strcmp(value, "hmac-sha256") != 0)
		fail("--digest is none, hmac-md5 or hmac-sha256", value);
	return NDS_DIGEST_SHA256;
}

static const char *
read_id(const char *value)
{
	if (strlen(value) != 4 || !field_is_hex(value, 4))
		fail("not four hex digits", value);
	return value;
}

static void
read_own(int option, const char *value)
{
	switch (option)
	{
		case OPT_DIGEST:
			settings.digest = read_digest(value);
			break;
		case OPT_KEY:
			settings.key = value;
			break;
		case OPT_SEQUENCES:
			settings.is_once = strcmp(value, "once") == 0;
			if (!settings.is_once && strcmp(value, "reused") != 0)
				fail("--sequences is once or reused", value);
			break;
		case OPT_FROM_ID:
			settings.from_id = read_id(value);
			break;
		case OPT_TO_ID:
			settings.to_id = read_id(value);
			break;
	}
}

int
main(int argc, char **argv)
{
	static const LinkProgram program = {
		.protocol = &nds,
		.what = "an NDS system",
		.options = options,
		.help = help,
		.read_own = read_own
	};
	int			status;

	link_options(argc, argv, &program);
	if (settings.digest != NDS_DIGEST_NONE && settings.key[0] == '\0')
		fail("--key", "is needed for a digest");
	nds_start(&settings);
	status = link_main(&program);
	nds_stop();
	return status;
}
