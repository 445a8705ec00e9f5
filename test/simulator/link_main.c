/*-------------------------------------------------------------------------
 *
 * link_main.c
 *		The life of a simulator over links: starts and stops the parts.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "control.h"
#include "ledger.h"
#include "link_commands.h"
#include "link_loop.h"
#include "link_main.h"
#include "link_options.h"
#include "program.h"

const Protocol *protocol;

static bool
start_parts(void)
{
	fault_speak(protocol->dialect);
	fault_seed(link_given.seed);
	if (!cards_start(&link_given.cards))
		return complain("read the known cards or products", strerror(errno));
	if (!stream_start(&link_given.tls))
		return complain("start TLS", "are certificate and key right?");
	if (!ledger_open(link_given.ledger))
		return complain("open the ledger", strerror(errno));
	return true;
}

static bool
start_faults(void)
{
	size_t		i;

	for (i = 0; i < link_given.fault_count; i++)
	{
		Text		error = {0};

		if (!link_add_fault(link_given.faults[i], &error))
			return complain("add a fault", error.data);
	}
	return true;
}

static bool
start(void)
{
	int			port;

	if (!start_parts())
		return false;
	port = loop_start(link_given.bind, link_given.port);
	if (port < 0)
		return complain("listen", strerror(errno));
	if (!start_faults())
		return false;
	if (link_given.control != NULL &&
		!control_start(link_given.control, link_command))
		return complain("open the control socket", strerror(errno));
	return announce(link_given.port_file, port);
}

int
link_main(const LinkProgram *program)
{
	sigset_t	ends;
	int			signal_number;
	bool		started;

	protocol = program->protocol;

	/* All threads inherit the mask, so that only sigwait gets the signals. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	signal(SIGPIPE, SIG_IGN);
	started = start();
	if (started)
		sigwait(&ends, &signal_number);
	control_stop();
	loop_stop();
	stream_stop();
	ledger_close();
	cards_stop();
	return started ? 0 : 1;
}
