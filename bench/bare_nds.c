/*-------------------------------------------------------------------------
 *
 * bare_nds.c
 *		The least that it takes to send the same messages to an NDS system:
 *		one by one on each connection.
 *
 * The messages are those of the profile nds_ascii for a re-authorisation.
 *
 *-------------------------------------------------------------------------
 */
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bare_link.h"

#define TEXT_LEN 53				/* without the digest */
#define DIGEST_LEN 32
#define ANSWER_LEN 69

static const char *key;

static void
add_digest(char *message)
{
	unsigned char digest[32];
	char		hex[DIGEST_LEN + 1];

	gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, strlen(key), message, TEXT_LEN,
					 digest);
	for (int i = 0; i < DIGEST_LEN / 2; i++)
		snprintf(hex + 2 * i, 3, "%02X", digest[i]);
	memcpy(message + TEXT_LEN, hex, DIGEST_LEN);
}

static void
add(BareLink *link, const BareOptions *options, size_t index)
{
	size_t		len = TEXT_LEN + (options->key ? DIGEST_LEN : 0);
	time_t		now = time(NULL);
	struct tm	parts;
	char		date[15];
	char		text[TEXT_LEN + 1];
	char	   *message = bare_room(link, len);

	key = options->key;
	strftime(date, sizeof(date), "%Y%m%d%H%M%S", gmtime_r(&now, &parts));
	snprintf(text, sizeof(text), "0001%04zX0A0100C5%08lX%sRRA%012zu", len,
			 link->number & 0xFFFFFFFFul, date,
			 (1 + index % options->cards) * 100);
	memcpy(message, text, TEXT_LEN);
	if (key)
		add_digest(message);
}

static size_t
take(const BareLink *link)
{
	size_t		len = ANSWER_LEN + (key ? DIGEST_LEN : 0);

	if (link->in_len < len)
		return 0;
	if (memcmp(link->in + 39, "OK", 2) != 0)
		bare_die("failed", "an answer is not OK");
	return len;
}

int
main(int argc, char **argv)
{
	static const BareProtocol nds = {
		.name = "bare_nds",
		.help =
		"  --key TEXT          of the digest, HMAC-SHA-256; none without it\n"
		"  --first N           sequence of each connection, default 1\n",
		.add = add,
		.take = take
	};
	BareOptions options = {.messages = 20000,.cards = 5000,.links = 16,
	.window = 1,.first = 1};

	return bare_main(argc, argv, &nds, &options);
}
