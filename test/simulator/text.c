/*-------------------------------------------------------------------------
 *
 * text.c
 *		A growing string, and the allocation that everything here uses.
 *
 *-------------------------------------------------------------------------
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text.h"

void *
must_resize(void *old, size_t size)
{
	void	   *memory = realloc(old, size ? size : 1);

	if (memory == NULL)
	{
		fprintf(stderr, "simulator: out of memory\n");
		abort();
	}
	return memory;
}

/* The memory is zeroed. */
void *
must_alloc(size_t size)
{
	return memset(must_resize(NULL, size), 0, size);
}

char *
must_copy(const char *s)
{
	size_t		size = strlen(s) + 1;

	return memcpy(must_resize(NULL, size), s, size);
}

static void
text_reserve(Text *text, size_t more)
{
	if (text->len + more + 1 <= text->size)
		return;
	text->size = (text->len + more + 1) * 2;
	if (text->size < 256)
		text->size = 256;
	text->data = must_resize(text->data, text->size);
}

void
text_add_bytes(Text *text, const void *bytes, size_t len)
{
	text_reserve(text, len);
	if (len > 0)
		memcpy(text->data + text->len, bytes, len);
	text->len += len;
	text->data[text->len] = '\0';
}

void
text_add(Text *text, const char *s)
{
	text_add_bytes(text, s, strlen(s));
}

void
text_addf(Text *text, const char *format,...)
{
	va_list		args;
	int			len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	text_reserve(text, (size_t) len);
	va_start(args, format);
	vsnprintf(text->data + text->len, (size_t) len + 1, format, args);
	va_end(args);
	text->len += (size_t) len;
}

void
text_add_xml(Text *text, const char *s)
{
	for (; *s != '\0'; s++)
	{
		switch (*s)
		{
			case '<':
				text_add(text, "&lt;");
				break;
			case '>':
				text_add(text, "&gt;");
				break;
			case '&':
				text_add(text, "&amp;");
				break;
			default:
				text_add_bytes(text, s, 1);
		}
	}
}

char *
text_take(Text *text)
{
	char	   *data = text->data;

	memset(text, 0, sizeof(*text));
	return data;
}

void
text_free(Text *text)
{
	free(text_take(text));
}

long long
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
