/*-------------------------------------------------------------------------
 *
 * pg_shim_string.c
 *		Formatted text and StringInfo outside of a server.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <stdio.h>

/* The type of their second argument differs between releases. */
#define appendBinaryStringInfo	appendBinaryStringInfo_declared
#define appendBinaryStringInfoNT appendBinaryStringInfoNT_declared
#include "lib/stringinfo.h"
#undef appendBinaryStringInfo
#undef appendBinaryStringInfoNT
#include "utils/memutils.h"

#undef vsnprintf
#undef snprintf

int
pg_vsnprintf(char *str, size_t count, const char *fmt, va_list args)
{
	return vsnprintf(str, count, fmt, args);
}

int
pg_snprintf(char *str, size_t count, const char *fmt,...)
{
	va_list		args;
	int			result;

	va_start(args, fmt);
	result = vsnprintf(str, count, fmt, args);
	va_end(args);
	return result;
}

void
initStringInfo(StringInfo str)
{
	str->maxlen = 1024;
	str->data = palloc(str->maxlen);
	resetStringInfo(str);
}

StringInfo
makeStringInfo(void)
{
	StringInfo	result = palloc(sizeof(StringInfoData));

	initStringInfo(result);
	return result;
}

void
resetStringInfo(StringInfo str)
{
	str->data[0] = '\0';
	str->len = 0;
	str->cursor = 0;
}

void
enlargeStringInfo(StringInfo str, int needed)
{
	if (needed < 0 || (Size) needed >= MaxAllocSize - (Size) str->len)
		elog(ERROR, "string buffer exceeds maximum allowed length");
	if (str->len + needed + 1 <= str->maxlen)
		return;
	while (str->len + needed + 1 > str->maxlen)
		str->maxlen = str->maxlen > MaxAllocSize / 2 ? (int) MaxAllocSize :
			str->maxlen * 2;
	str->data = repalloc(str->data, str->maxlen);
}

extern void appendBinaryStringInfo(StringInfo str, const void *data,
								   int datalen);
extern void appendBinaryStringInfoNT(StringInfo str, const void *data,
									 int datalen);

void
appendBinaryStringInfo(StringInfo str, const void *data, int datalen)
{
	enlargeStringInfo(str, datalen);
	memcpy(str->data + str->len, data, datalen);
	str->len += datalen;
	str->data[str->len] = '\0';
}

void
appendBinaryStringInfoNT(StringInfo str, const void *data, int datalen)
{
	appendBinaryStringInfo(str, data, datalen);
}

void
appendStringInfoString(StringInfo str, const char *s)
{
	appendBinaryStringInfo(str, s, strlen(s));
}

void
appendStringInfoChar(StringInfo str, char ch)
{
	appendBinaryStringInfo(str, &ch, 1);
}

void
appendStringInfoSpaces(StringInfo str, int count)
{
	while (count-- > 0)
		appendStringInfoChar(str, ' ');
}

int
appendStringInfoVA(StringInfo str, const char *fmt, va_list args)
{
	int			room = str->maxlen - str->len;
	int			length = vsnprintf(str->data + str->len, room, fmt, args);

	if (length >= room)
	{
		str->data[str->len] = '\0';
		return length + 1;
	}
	str->len += length;
	return 0;
}

void
appendStringInfo(StringInfo str, const char *fmt,...)
{
	va_list		args;
	int			needed;

	do
	{
		va_start(args, fmt);
		needed = appendStringInfoVA(str, fmt, args);
		va_end(args);
		enlargeStringInfo(str, needed);
	} while (needed != 0);
}

char *
psprintf(const char *fmt,...)
{
	StringInfoData buffer;
	va_list		args;
	int			needed;

	initStringInfo(&buffer);
	do
	{
		va_start(args, fmt);
		needed = appendStringInfoVA(&buffer, fmt, args);
		va_end(args);
		enlargeStringInfo(&buffer, needed);
	} while (needed != 0);
	return buffer.data;
}
