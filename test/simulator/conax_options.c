/*-------------------------------------------------------------------------
 *
 * conax_options.c
 *		The command line.
 *
 *-------------------------------------------------------------------------
 */
#include <getopt.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conax_options.h"
#include "program.h"
#include "text.h"

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
	OPT_USER,
	OPT_PASSWORD,
	OPT_SOAP_ACTION,
	OPT_VALIDATE,
	OPT_SCHEMA,
	OPT_LEDGER,
	OPT_CONTROL,
	OPT_FAULT,
	OPT_SEED,
	OPT_THREADS,
	OPT_KNOWN_CARDS,
	OPT_CARDS_PREFIX,
	OPT_UNMANAGED_PREFIX,
	OPT_WITHOUT
};

static const struct option table[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"bind", required_argument, NULL, OPT_BIND},
	{"port", required_argument, NULL, OPT_PORT},
	{"port-file", required_argument, NULL, OPT_PORT_FILE},
	{"tls-cert", required_argument, NULL, OPT_TLS_CERT},
	{"tls-key", required_argument, NULL, OPT_TLS_KEY},
	{"client-ca", required_argument, NULL, OPT_CLIENT_CA},
	{"tls-wrong-cert", required_argument, NULL, OPT_WRONG_CERT},
	{"tls-wrong-key", required_argument, NULL, OPT_WRONG_KEY},
	{"user", required_argument, NULL, OPT_USER},
	{"password", required_argument, NULL, OPT_PASSWORD},
	{"soap-action", required_argument, NULL, OPT_SOAP_ACTION},
	{"validate", required_argument, NULL, OPT_VALIDATE},
	{"schema", required_argument, NULL, OPT_SCHEMA},
	{"ledger", required_argument, NULL, OPT_LEDGER},
	{"control", required_argument, NULL, OPT_CONTROL},
	{"fault", required_argument, NULL, OPT_FAULT},
	{"seed", required_argument, NULL, OPT_SEED},
	{"threads", required_argument, NULL, OPT_THREADS},
	{"known-cards", required_argument, NULL, OPT_KNOWN_CARDS},
	{"cards-prefix", required_argument, NULL, OPT_CARDS_PREFIX},
	{"unmanaged-prefix", required_argument, NULL, OPT_UNMANAGED_PREFIX},
	{"without", required_argument, NULL, OPT_WITHOUT},
	{NULL, 0, NULL, 0}
};

static const char help[] =
"conax_simulator: a Conax CAS for tests, on a loopback address\n"
"\n"
"  --port N                0, the default: any free one\n"
"  --bind ADDRESS          default 127.0.0.1\n"
"  --port-file FILE        the port is written there, and on stdout as\n"
"                          \"listening PORT\", once it is open\n"
"  --tls-cert FILE, --tls-key FILE\n"
"                          HTTPS instead of HTTP\n"
"  --client-ca FILE        clients need a certificate signed by this one\n"
"  --tls-wrong-cert FILE, --tls-wrong-key FILE\n"
"                          for faults of kind tls-wrong-cert\n"
"  --user NAME, --password WORD\n"
"                          HTTP Basic authentication is required\n"
"  --soap-action RULE      empty (default), present, absent, ignored, or the\n"
"                          value, {operation} standing for the operation\n"
"  --validate xsd|none     default xsd\n"
"  --schema FILE           default conax.xsd beside the program\n"
"  --known-cards FILE      one a line; others are CLIENT_NOT_FOUND\n"
"  --cards-prefix TEXT     cards that begin so are known\n"
"  --unmanaged-prefix TEXT cards that begin so are CLIENT_NOT_MANAGED_BY_SMS\n"
"  --without OPERATION     is FEATURE_NOT_AVAILABLE; repeatable\n"
"  --ledger FILE           a line a message is appended\n"
"  --control PATH          unix socket for commands\n"
"  --fault SPEC            such as 'kind=reject code=SYSTEM_ERROR count=3';\n"
"                          repeatable\n"
"  --seed N                of the faults' random numbers, default 1\n"
"  --threads N             that serve connections, 1 to 16, default 1\n";

static const char *
default_schema(void)
{
	char		self[4096];
	ssize_t		len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	Text		path = {0};

	if (len < 0)
		fail("could not find the program's directory", "/proc/self/exe");
	self[len] = '\0';
	text_addf(&path, "%s/conax.xsd", dirname(self));
	return path.data;
}

/* Options of the connection and what is expected of it. */
static bool
set_http(int option, const char *value, Options *options)
{
	switch (option)
	{
		case OPT_TLS_CERT:
			options->http.certificate = read_file(value);
			break;
		case OPT_TLS_KEY:
			options->http.key = read_file(value);
			break;
		case OPT_CLIENT_CA:
			options->http.client_ca = read_file(value);
			break;
		case OPT_WRONG_CERT:
			options->http.wrong_certificate = read_file(value);
			break;
		case OPT_WRONG_KEY:
			options->http.wrong_key = read_file(value);
			break;
		case OPT_THREADS:
			options->http.threads = (unsigned) read_int(value, 1, 16);
			break;
		case OPT_USER:
			options->checks.user = value;
			break;
		case OPT_PASSWORD:
			options->checks.password = value;
			break;
		case OPT_SOAP_ACTION:
			options->checks.soap_action = value;
			break;
		default:
			return false;
	}
	return true;
}

static void
add_without(const char *operation, CasRules *rules)
{
	if (operation_by_name(operation) == NULL)
		fail("no such operation", operation);
	if (rules->without_count == sizeof(rules->without) / sizeof(char *))
		fail("too many of --without", operation);
	rules->without[rules->without_count++] = operation;
}

/* Options of the CAS itself. */
static bool
set_rules(int option, const char *value, Options *options)
{
	switch (option)
	{
		case OPT_KNOWN_CARDS:
			options->rules.known_cards = value;
			break;
		case OPT_CARDS_PREFIX:
			options->rules.known_prefix = value;
			break;
		case OPT_UNMANAGED_PREFIX:
			options->rules.unmanaged_prefix = value;
			break;
		case OPT_WITHOUT:
			add_without(value, &options->rules);
			break;
		default:
			return false;
	}
	return true;
}

static void
add_fault(const char *spec, Options *options)
{
	if (options->fault_count == MAX_OPTION_FAULTS)
		fail("too many of --fault", spec);
	options->faults[options->fault_count++] = spec;
}

static void
set_other(int option, const char *value, Options *options, bool *validate)
{
	switch (option)
	{
		case OPT_BIND:
			options->bind = value;
			break;
		case OPT_PORT:
			options->port = (int) read_int(value, 0, 65535);
			break;
		case OPT_PORT_FILE:
			options->port_file = value;
			break;
		case OPT_VALIDATE:
			*validate = strcmp(value, "none") != 0;
			if (*validate && strcmp(value, "xsd") != 0)
				fail("--validate is xsd or none", value);
			break;
		case OPT_SCHEMA:
			options->schema = value;
			break;
		case OPT_LEDGER:
			options->ledger = value;
			break;
		case OPT_CONTROL:
			options->control = value;
			break;
		case OPT_FAULT:
			add_fault(value, options);
			break;
		case OPT_SEED:
			options->seed = (unsigned long long) read_int(value, 0, 0x7fffffff);
			break;
		case OPT_HELP:
			fputs(help, stdout);
			exit(0);
		default:
			fprintf(stderr, "conax_simulator: try --help\n");
			exit(2);
	}
}

static void
check_options(const Options *options)
{
	const HttpSettings *http = &options->http;

	if ((http->certificate == NULL) != (http->key == NULL))
		fail("--tls-cert and --tls-key", "only together");
	if ((http->wrong_certificate == NULL) != (http->wrong_key == NULL))
		fail("--tls-wrong-cert and --tls-wrong-key", "only together");
	if (http->certificate == NULL &&
		(http->client_ca != NULL || http->wrong_certificate != NULL))
		fail("--client-ca and --tls-wrong-cert", "only with --tls-cert");
}

void
options_read(int argc, char **argv, Options *options)
{
	bool		validate = true;
	int			option;

	options->bind = "127.0.0.1";
	options->seed = 1;
	options->http.threads = 1;
	options->checks.soap_action = "empty";
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1)
	{
		if (!set_http(option, optarg, options) &&
			!set_rules(option, optarg, options))
			set_other(option, optarg, options, &validate);
	}
	if (optind < argc)
		fail("not an option", argv[optind]);
	check_options(options);
	if (!validate)
		options->schema = NULL;
	else if (options->schema == NULL)
		options->schema = default_schema();
}
