/*-------------------------------------------------------------------------
 *
 * fuzz_mutate.c
 *		Mutations that keep JSON what it is.
 *
 * Changing single bytes mostly gives what is no JSON at all.  Half of the
 * time a value is replaced by another one of the same document, doubled or
 * taken out instead.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fuzz.h"

extern size_t LLVMFuzzerMutate(uint8 *data, size_t size, size_t max_size);
extern size_t LLVMFuzzerCustomMutator(uint8 *data, size_t size,
									  size_t max_size, unsigned int seed);

#define MAX_SPANS 4096

/* A value, or a member with its name. */
typedef struct Span
{
	size_t		start;
	size_t		len;
}			Span;

static Span spans[MAX_SPANS];
static int	nspans;

static size_t
string_end(const uint8 *data, size_t size, size_t at)
{
	for (at++; at < size && data[at] != '"'; at++)
		if (data[at] == '\\')
			at++;
	return Min(at + 1, size);
}

/* Where the value or member that begins here ends. */
static size_t
span_end(const uint8 *data, size_t size, size_t at)
{
	int			depth = 0;

	while (at < size)
	{
		uint8		c = data[at];

		if (c == '"')
		{
			at = string_end(data, size, at);
			continue;
		}
		if (depth == 0 && (c == ',' || c == '}' || c == ']'))
			break;
		if (c == '{' || c == '[')
			depth++;
		if (c == '}' || c == ']')
			depth--;
		at++;
	}
	return at;
}

/* All values and members begin behind one of these characters. */
static void
find_spans(const uint8 *data, size_t size)
{
	nspans = 0;
	for (size_t at = 1; at + 1 < size && nspans < MAX_SPANS;)
	{
		uint8		c = data[at];

		if (c == '"')
		{
			at = string_end(data, size, at);
			continue;
		}
		if (c == ':' || c == ',' || c == '[' || c == '{')
		{
			size_t		end = span_end(data, size, at + 1);

			spans[nspans].start = at + 1;
			spans[nspans++].len = end - (at + 1);
		}
		at++;
	}
}

/* Puts bytes in the place of a span. */
static size_t
replace(uint8 *data, size_t size, size_t max_size, const Span * span,
		const uint8 *bytes, size_t len)
{
	size_t		behind = size - span->start - span->len;

	if (size - span->len + len > max_size)
		return size;
	memmove(data + span->start + len, data + span->start + span->len, behind);
	memcpy(data + span->start, bytes, len);
	return size - span->len + len;
}

size_t
LLVMFuzzerCustomMutator(uint8 *data, size_t size, size_t max_size,
						unsigned int seed)
{
	static uint8 bytes[100000];
	const		Span *to;
	const		Span *from;
	size_t		len;

	if (rand_r(&seed) % 2 == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	find_spans(data, size);
	if (nspans == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	to = &spans[rand_r(&seed) % nspans];
	from = &spans[rand_r(&seed) % nspans];
	if (rand_r(&seed) % 4 == 0)
		return replace(data, size, max_size, to, bytes, 0);
	len = Min(from->len, sizeof(bytes) / 2 - 1);
	memcpy(bytes, data + from->start, len);
	if (rand_r(&seed) % 2 == 0 && to->len < sizeof(bytes) / 2)
	{
		/* beside it */
		bytes[len++] = ',';
		memcpy(bytes + len, data + to->start, to->len);
		len += to->len;
	}
	return replace(data, size, max_size, to, bytes, len);
}
