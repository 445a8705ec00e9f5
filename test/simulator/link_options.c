/*-------------------------------------------------------------------------
 *
 * link_options.c
 *		The command line of a simulator over links.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link_main.h"
#include "link_options.h"
#include "program.h"

#define MAX_OPTIONS 64

enum
{
	OPT_HELP = 1,
	OPT_BIND,
	OPT_PORT,
	OPT_PORT_FILE,
	OPT_TLS_CERT,
	OPT_TLS_KEY,
	OPT_CLIENT_CA,
	OPT_WRONG_CERT,
	OPT_WRONG_KEY,
	OPT_LEDGER,
	OPT_CONTROL,
	OPT_FAULT,
	OPT_SEED,
	OPT_CARDS,
	OPT_PRODUCTS,
	OPT_UNKNOWN_PREFIX
};

static const struct option common[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"bind", required_argument, NULL, OPT_BIND},
	{"port", required_argument, NULL, OPT_PORT},
	{"port-file", required_argument, NULL, OPT_PORT_FILE},
	{"tls-cert", required_argument, NULL, OPT_TLS_CERT},
	{"tls-key", required_argument, NULL, OPT_TLS_KEY},
	{"client-ca", required_argument, NULL, OPT_CLIENT_CA},
	{"tls-wrong-cert", required_argument, NULL, OPT_WRONG_CERT},
	{"tls-wrong-key", required_argument, NULL, OPT_WRONG_KEY},
	{"ledger", required_argument, NULL, OPT_LEDGER},
	{"control", required_argument, NULL, OPT_CONTROL},
	{"fault", required_argument, NULL, OPT_FAULT},
	{"seed", required_argument, NULL, OPT_SEED},
	{"cards", required_argument, NULL, OPT_CARDS},
	{"products", required_argument, NULL, OPT_PRODUCTS},
	{"unknown-prefix", required_argument, NULL, OPT_UNKNOWN_PREFIX}
};

#define COMMON_COUNT (sizeof(common) / sizeof(common[0]))

static const char common_help[] =
"  --port N                0, the default: any free one\n"
"  --bind ADDRESS          default 127.0.0.1\n"
"  --port-file FILE        the port is written there, and on stdout as\n"
"                          \"listening PORT\", once it is open\n"
"  --tls-cert FILE, --tls-key FILE\n"
"                          TLS on the links\n"
"  --client-ca FILE        clients need a certificate signed by this one\n"
"  --tls-wrong-cert FILE, --tls-wrong-key FILE\n"
"                          for faults of kind tls-wrong-cert\n"
"  --cards FILE|all        the cards that are known, one a line\n"
"  --products FILE|all     the products that are known\n"
"  --unknown-prefix TEXT   cards that begin so are not known\n"
"  --ledger FILE           a line a message is appended\n"
"  --control PATH          unix socket for commands\n"
"  --fault SPEC            such as 'kind=reject count=3'; repeatable\n"
"  --seed N                of the faults' random numbers, default 1\n";

LinkOptions link_given = {.bind = "127.0.0.1",.seed = 1};

static bool
set_tls(int option, const char *value)
{
	TlsSettings *tls = &link_given.tls;

	switch (option)
	{
		case OPT_TLS_CERT:
			tls->certificate = read_file(value);
			break;
		case OPT_TLS_KEY:
			tls->key = read_file(value);
			break;
		case OPT_CLIENT_CA:
			tls->client_ca = read_file(value);
			break;
		case OPT_WRONG_CERT:
			tls->wrong_certificate = read_file(value);
			break;
		case OPT_WRONG_KEY:
			tls->wrong_key = read_file(value);
			break;
		default:
			return false;
	}
	return true;
}

/* A file, or "all", which is as none. */
static const char *
read_names(const char *value)
{
	return strcmp(value, "all") == 0 ? NULL : value;
}

static bool
set_cards(int option, const char *value)
{
	switch (option)
	{
		case OPT_CARDS:
			link_given.cards.known_cards = read_names(value);
			break;
		case OPT_PRODUCTS:
			link_given.cards.known_products = read_names(value);
			break;
		case OPT_UNKNOWN_PREFIX:
			link_given.cards.unknown_prefix = value;
			break;
		default:
			return false;
	}
	return true;
}

static void
add_fault(const char *spec)
{
	if (link_given.fault_count == MAX_OPTION_FAULTS)
		fail("too many of --fault", spec);
	link_given.faults[link_given.fault_count++] = spec;
}

static bool
set_other(int option, const char *value)
{
	switch (option)
	{
		case OPT_BIND:
			link_given.bind = value;
			break;
		case OPT_PORT:
			link_given.port = (int) read_int(value, 0, 65535);
			break;
		case OPT_PORT_FILE:
			link_given.port_file = value;
			break;
		case OPT_LEDGER:
			link_given.ledger = value;
			break;
		case OPT_CONTROL:
			link_given.control = value;
			break;
		case OPT_FAULT:
			add_fault(value);
			break;
		case OPT_SEED:
			link_given.seed = (unsigned long long) read_int(value, 0,
															0x7fffffff);
			break;
		default:
			return false;
	}
	return true;
}

static void
check_options(void)
{
	const TlsSettings *tls = &link_given.tls;

	if ((tls->certificate == NULL) != (tls->key == NULL))
		fail("--tls-cert and --tls-key", "only together");
	if ((tls->wrong_certificate == NULL) != (tls->wrong_key == NULL))
		fail("--tls-wrong-cert and --tls-wrong-key", "only together");
	if (tls->certificate == NULL &&
		(tls->client_ca != NULL || tls->wrong_certificate != NULL))
		fail("--client-ca and --tls-wrong-cert", "only with --tls-cert");
}

/* The common options and the program's own, for getopt_long. */
static void
join_options(const struct option *own, struct option *all)
{
	size_t		count = COMMON_COUNT;

	memcpy(all, common, sizeof(common));
	while (own->name != NULL && count + 1 < MAX_OPTIONS)
		all[count++] = *own++;
}

void
link_options(int argc, char **argv, const LinkProgram *program)
{
	struct option all[MAX_OPTIONS] = {{0}};
	int			option;

	program_start(program->protocol->program);
	join_options(program->options, all);
	while ((option = getopt_long(argc, argv, "", all, NULL)) != -1)
	{
		if (option == OPT_HELP)
		{
			printf("%s: %s for tests, on a loopback address\n\n%s%s",
				   program->protocol->program, program->what, common_help,
				   program->help);
			exit(0);
		}
		if (option == '?')
			fail("command line", "try --help");
		if (option >= OPT_OWN)
			program->read_own(option, optarg);
		else if (!set_tls(option, optarg) && !set_cards(option, optarg))
			set_other(option, optarg);
	}
	if (optind < argc)
		fail("not an option", argv[optind]);
	check_options();
}
