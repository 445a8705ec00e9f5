/*-------------------------------------------------------------------------
 *
 * bare_nagra.c
 *		The least that it takes to send the same frames to a Nagravision SMS
 *		Gateway: pipelined, with a window.
 *
 * The frames are those of the profile nagra_smsgw for one product.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "bare_link.h"

#define FIRST_SOURCE 9001		/* provreq's own are others */
#define BODY_LEN 92
#define ACKNOWLEDGE_LEN 45

static char today[9];
static char later[9];

static void
set_dates(void)
{
	time_t		now = time(NULL);
	time_t		then = now + 30 * 86400;
	struct tm	parts;

	strftime(today, sizeof(today), "%Y%m%d", gmtime_r(&now, &parts));
	strftime(later, sizeof(later), "%Y%m%d", gmtime_r(&then, &parts));
}

static void
greet(BareLink *link)
{
	static const char hello[] = "\0\11\0\7SMS_GWY";
	static const char welcome[] = "\0\1\6\0\1\0";
	char		answer[6] = "";

	if (send(link->fd, hello, sizeof(hello) - 1, MSG_NOSIGNAL) !=
		(ssize_t) sizeof(hello) - 1 ||
		recv(link->fd, answer, sizeof(answer), MSG_WAITALL) < 0 ||
		memcmp(answer, welcome, sizeof(answer)) != 0)
		bare_die("failed", "the hello is not accepted");
	set_dates();
}

static void
add(BareLink *link, const BareOptions *options, size_t index)
{
	char		body[2 * BODY_LEN];
	char	   *frame = bare_room(link, BODY_LEN + 2);

	frame[0] = 0;
	frame[1] = BODY_LEN;
	snprintf(body, sizeof(body),
			 "%09lu01%04d000900007%s" "N%s%sU%010zu" "0002%012d%s20991231",
			 link->number, FIRST_SOURCE + link->index, today, today, later,
			 1 + index % options->cards, 1001, today);
	memcpy(frame + 2, body, BODY_LEN);
}

static size_t
take(const BareLink *link)
{
	if (link->in_len < 2 + ACKNOWLEDGE_LEN)
		return 0;
	if (link->in[0] != 0 || link->in[1] != ACKNOWLEDGE_LEN ||
		memcmp(link->in + 2 + 32, "1000", 4) != 0)
		bare_die("failed", "an answer is no acknowledgement");
	return 2 + ACKNOWLEDGE_LEN;
}

int
main(int argc, char **argv)
{
	static const BareProtocol nagra = {
		.name = "bare_nagra",
		.help =
		"  --window N          on each, default 64\n"
		"  --first N           transaction number, default 1; source ids count\n"
		"                      from 9001\n",
		.greet = greet,
		.add = add,
		.take = take
	};
	BareOptions options = {.messages = 20000,.cards = 5000,.links = 1,
	.window = 64,.first = 1};

	return bare_main(argc, argv, &nagra, &options);
}
