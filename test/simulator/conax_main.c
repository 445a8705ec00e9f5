/*-------------------------------------------------------------------------
 *
 * conax_main.c
 *		A Conax CAS for tests: starts and stops the parts.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "conax_commands.h"
#include "conax_http.h"
#include "conax_listen.h"
#include "conax_options.h"
#include "conax_state.h"
#include "control.h"
#include "ledger.h"
#include "park.h"
#include "program.h"

static bool
start_parts(const Options *options)
{
	check_settings(&options->checks);
	fault_seed(options->seed);
	if (!cas_start(&options->rules))
		return complain("read the known cards", strerror(errno));
	if (!decode_start(options->schema))
		return complain("load the schema", options->schema);
	if (!ledger_open(options->ledger))
		return complain("open the ledger", strerror(errno));
	if (!park_start())
		return complain("start the thread of parked connections",
						strerror(errno));
	if (!http_start(&options->http))
		return complain("start the HTTP server",
						"are certificate and key right?");
	return true;
}

static bool
start_faults(const Options *options)
{
	size_t		i;

	for (i = 0; i < options->fault_count; i++)
	{
		Text		error = {0};

		if (!command_add_fault(options->faults[i], &error))
			return complain("add a fault", error.data);
	}
	return true;
}

static bool
start(const Options *options)
{
	int			port;

	if (!start_parts(options))
		return false;
	port = listen_start(options->bind, options->port);
	if (port < 0)
		return complain("listen", strerror(errno));
	if (!start_faults(options))
		return false;
	if (options->control != NULL &&
		!control_start(options->control, command_run))
		return complain("open the control socket", strerror(errno));
	return announce(options->port_file, port);
}

static void
stop(void)
{
	listen_stop();
	control_stop();
	park_stop();
	http_stop();
	ledger_close();
	state_stop();
	decode_stop();
}

int
main(int argc, char **argv)
{
	static Options options;
	sigset_t	ends;
	int			signal_number;
	bool		started;

	program_start("conax_simulator");
	options_read(argc, argv, &options);

	/* All threads inherit the mask, so that only sigwait gets the signals. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	signal(SIGPIPE, SIG_IGN);
	started = start(&options);
	if (started)
		sigwait(&ends, &signal_number);
	stop();
	return started ? 0 : 1;
}
