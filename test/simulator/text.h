/*-------------------------------------------------------------------------
 *
 * text.h
 *		A growing string.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_TEXT_H
#define SIMULATOR_TEXT_H

#include <stddef.h>

/* Starts as {0}.  data is always terminated once something was added. */
typedef struct Text
{
	char	   *data;
	size_t		len;
	size_t		size;			/* allocated */
} Text;

extern void text_add(Text *text, const char *s);
extern void text_add_bytes(Text *text, const void *bytes, size_t len);
extern void text_addf(Text *text, const char *format,...)
			__attribute__((format(printf, 2, 3)));

/* Adds s as XML character data. */
extern void text_add_xml(Text *text, const char *s);

/* Gives the string away; the caller frees it. */
extern char *text_take(Text *text);
extern void text_free(Text *text);

/* calloc, realloc and strdup that end the program when out of memory. */
extern void *must_alloc(size_t size);
extern void *must_resize(void *old, size_t size);
extern char *must_copy(const char *s);

/* CLOCK_MONOTONIC in microseconds: what the ledger and the delays count in. */
extern long long now_us(void);

#endif							/* SIMULATOR_TEXT_H */
