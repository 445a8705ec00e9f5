/*-------------------------------------------------------------------------
 *
 * unit_digests.c
 *		Digests, and what is secret.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "unit.h"
#include "utils/resowner.h"

#define SIGNED(digest) \
	FRAMED("{'name': 'a', 'form': 'text', 'width': 4}," \
		   "{'name': 'pin', 'form': 'text', 'width': 4, 'display': 'secret'}," \
		   "{'name': 'd', 'form': 'digest', " digest "}")

static const LayoutDigest hmac_md5 = {"hmac-md5", "k\0y", 3};
static const LayoutDigest hmac_sha256 = {"hmac-sha256", "k\0y", 3};
static const LayoutDigest other_key = {"hmac-sha256", "k\0z", 3};
static const LayoutDigest none = {"none", NULL, 0};
static const LayoutDigest unknown = {"crc32", "k", 1};
static const LayoutDigest no_key = {"hmac-md5", NULL, 0};
static const LayoutDigest empty_key = {"hmac-md5", "", 0};

static const struct
{
	UnitCase	test;
	const LayoutDigest *digest;
}			signed_cases[] = {

	{{"md5", SIGNED("'algorithm': 'md5'"), "a=abcd;pin=1234",
	"\\x00(abcd1234E19D5CD5AF0378DA05F63F891C7467AF", "a=abcd;pin=1234;d=E19D5CD5AF0378DA05F63F891C7467AF"}, NULL},
	{{"sha256, small letters",
			SIGNED("'algorithm': 'sha256', 'letters': 'lower', 'bytes': 32"),
			"a=abcd;pin=1234", "\\x00Habcd1234e9cee71ab932fde863338d08be4de9dfe39ea049bdafb342ce659ec5450b69ae",
	"a=abcd;pin=1234;d=e9cee71ab932fde863338d08be4de9dfe39ea049bdafb342ce659ec5450b69ae"}, NULL},
	{{"hmac-md5 by option", SIGNED("'algorithm': 'option'"),
			"a=abcd;pin=1234", "\\x00(abcd123450DA1D7D2D5D2622553EED2BD185B5C0",
	"a=abcd;pin=1234;d=50DA1D7D2D5D2622553EED2BD185B5C0"}, &hmac_md5},
	{{"hmac-sha256 by option, 16 bytes",
			SIGNED("'algorithm': 'option', 'bytes': 16"),
			"a=abcd;pin=1234", "\\x00(abcd1234411A6130394A7E3BFF3788507D227C3C",
	"a=abcd;pin=1234;d=411A6130394A7E3BFF3788507D227C3C"}, &hmac_sha256},
	{{"hmac-sha256, all of it", SIGNED("'algorithm': 'hmac-sha256'"),
			"a=abcd;pin=1234", "\\x00Habcd1234411A6130394A7E3BFF3788507D227C3C0814464E47D11B78142CD2CC3A1E078C",
	"a=abcd;pin=1234;d=411A6130394A7E3BFF3788507D227C3C0814464E47D11B78142CD2CC3A1E078C"}, &hmac_md5},
	{{"binary", SIGNED("'algorithm': 'md5', 'as': 'binary', 'bytes': 3"),
			"a=abcd;pin=1234", "\\x00\\x0Babcd1234\\xE1\\x9D\\",
	"a=abcd;pin=1234;d=E19D5C"}, NULL},
	{{"none by option", SIGNED("'algorithm': 'option', 'bytes': 16"),
	"a=abcd;pin=1234", "\\x00\\x08abcd1234", "a=abcd;pin=1234"}, &none},
	{{"none without options", SIGNED("'algorithm': 'option'"),
	"a=abcd;pin=1234", "\\x00\\x08abcd1234", "a=abcd;pin=1234"}, NULL},
	{{"none by the profile", SIGNED("'algorithm': 'none'"),
	"a=abcd;pin=1234", "\\x00\\x08abcd1234", "a=abcd;pin=1234"}, &hmac_md5},
	{{"an empty key is a key", SIGNED("'algorithm': 'option'"),
			"a=abcd;pin=1234", "\\x00(abcd123447CF85E31868029B8FD848878EB9A4E0",
	"a=abcd;pin=1234;d=47CF85E31868029B8FD848878EB9A4E0"}, &empty_key},
};

/* Every byte of a signed frame changed in every bit, and all small letters. */
static void
test_corruption(void)
{
	Layout	   *layout = unit_compile(SIGNED("'algorithm': 'option', 'bytes': 16"));
	StringInfo	frame;
	char	   *letters;
	int			accepted = 0;

	unit_digest = &hmac_sha256;
	frame = unit_encode(layout, "a=abcd;pin=1234");
	for (int i = 0; i < frame->len; i++)
	{
		for (int change = 1; change < 256; change++)
		{
			char		before = frame->data[i];

			frame->data[i] ^= change;
			/* hex digits may be written small */
			if (strncmp(unit_decode(layout, frame->data, frame->len),
						"FAILURE", 7) != 0 &&
				pg_tolower(frame->data[i]) != pg_tolower(before))
				accepted++;
			frame->data[i] = before;
		}
	}
	ok(accepted == 0, "each change of a byte of a signed frame is refused");
	letters = pnstrdup(frame->data + 10, 32);
	for (int i = 0; i < 32; i++)
		frame->data[10 + i] = pg_tolower(letters[i]);
	has(unit_decode(layout, frame->data, frame->len), "a=abcd;pin=1234;d=",
		"a digest in small letters is taken");
	memcpy(frame->data + 10, letters, 32);
	unit_digest = &other_key;
	has(unit_decode(layout, frame->data, frame->len),
		"field \"d\" at byte 10 is not the digest of the message",
		"a digest with another key is refused");
	unit_digest = &none;
	has(unit_decode(layout, frame->data, frame->len),
		"32 bytes are left over at byte 10",
		"a digest that is not expected is refused");
	unit_digest = NULL;
}

static void
test_digest_errors(void)
{
	Layout	   *layout = unit_compile(SIGNED("'algorithm': 'option', 'bytes': 32"));
	const char *frame = "\0\010abcd1234";

	unit_digest = &unknown;
	has(unit_encode(layout, "a=a;pin=1")->data,
		"ERROR message field \"d\" is of an algorithm that is not known",
		"an unknown algorithm is not written");
	has(unit_decode(layout, frame, 10), "FAILURE field \"d\" at byte 0",
		"nor read");
	unit_digest = &no_key;
	has(unit_encode(layout, "a=a;pin=1")->data, "\"d\" needs a key",
		"without a key nothing is written");
	has(unit_decode(layout, frame, 10), "needs a key", "nor read");
	unit_digest = &hmac_md5;
	has(unit_encode(layout, "a=a;pin=1")->data,
		"\"d\" takes more bytes than hmac-md5 has",
		"a digest that is too short is not written");
	unit_digest = &none;
	layout = unit_compile("{'frame': {'length': {'form': 'uint', 'width': 1,"
						  "'outer': true, 'from': 'after', 'digest': false, 'digest_width': 32}},"
						  "'fields': [{'name': 'd', 'form': 'digest', 'algorithm': 'option'}]}");
	has(unit_encode(layout, "")->data, "has 0 bytes, and its frame counts on 32",
		"a digest that the frame counts on cannot be missing");
	layout = unit_compile("{'frame': {'length': {'form': 'uint', 'width': 1,"
						  "'outer': true, 'from': 'after', 'digest': false, 'digest_width': 32}},"
						  "'fields': [{'name': 'a', 'form': 'text', 'width': 4}]}");
	has(unit_encode(layout, "a=a")->data,
		"message of 4 bytes lacks the digest of 32",
		"nor can it be forgotten in the profile");
	unit_digest = NULL;
}

/* As in a sender between two transactions. */
static void
test_without_owner(void)
{
	Layout	   *layout = unit_compile(SIGNED("'algorithm': 'option'"));
	ResourceOwner owner = CurrentResourceOwner;
	StringInfo	frame;

	unit_digest = &hmac_md5;
	CurrentResourceOwner = NULL;
	for (int i = 0; i < 100; i++)
		frame = unit_encode(layout, "a=abcd;pin=1234");
	has(unit_decode(layout, frame->data, frame->len), "a=abcd",
		"digests are made without a resource owner");
	ok(CurrentResourceOwner == NULL, "and none is left behind");
	CurrentResourceOwner = owner;
	unit_digest = NULL;
}

static void
test_secrets(void)
{
	Layout	   *layout = unit_compile(SIGNED("'algorithm': 'md5', 'bytes': 2"));
	StringInfo	frame = unit_encode(layout, "a=abcd;pin=1234");
	List	   *fields;
	const char *failure;
	const char *error;

	ok(layout_decode(layout, NULL, frame->data, frame->len, &fields,
					 &failure), "a frame with a secret is read");
	is(layout_explain(fields, false), "a abcd | pin **** | d ****",
	   "secrets and their digest are not explained");
	is(layout_explain(fields, true), "a abcd | pin 1234 | d E19D",
	   "but to those who may see them");
	layout_mask(fields, frame->data);
	is(unit_printed(frame->data, frame->len), "\\x00\\x0Cabcd********",
	   "secrets and their digest are masked");
	error = unit_encode_error(layout, "a=abcd;pin=98765", NULL);
	is(error, "message field \"pin\" takes at most 4 bytes, not 5",
	   "an error says that a secret is too long");
	error = unit_encode_error(layout, "a=abcd;pin=9\x01", NULL);
	ok(strchr(error, '9') == NULL, "and does not repeat it");
	layout = unit_compile(FRAMED("{'name': 'a', 'form': 'text', 'width': 1},"
								 "{'name': 'd', 'form': 'digest', 'algorithm': 'md5', 'bytes': 1}"));
	frame = unit_encode(layout, "a=x");
	(void) layout_decode(layout, NULL, frame->data, frame->len, &fields,
						 &failure);
	layout_mask(fields, frame->data);
	is(unit_printed(frame->data, frame->len), "\\x00\\x03x9D",
	   "a digest over nothing secret is shown");
}

void
test_digests(void)
{
	for (int i = 0; i < lengthof(signed_cases); i++)
	{
		unit_digest = signed_cases[i].digest;
		unit_cases(&signed_cases[i].test, 1);
	}
	unit_digest = NULL;
	test_corruption();
	test_digest_errors();
	test_without_owner();
	test_secrets();
}
