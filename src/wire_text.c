/*-------------------------------------------------------------------------
 *
 * wire_text.c
 *		Text between the server's encoding and the UTF-8 of the wire.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "wire_text.h"

static bool
is_ascii_text(const char *str)
{
	for (; *str; str++)
		if (IS_HIGHBIT_SET(*str))
			return false;
	return true;
}

const char *
wire_text_to_utf8(const char *server_text)
{
	if (GetDatabaseEncoding() == PG_UTF8 || is_ascii_text(server_text))
		return server_text;
	return pg_server_to_any(server_text, strlen(server_text), PG_UTF8);
}

/* Besides most control characters, XML lacks U+FFFE and U+FFFF. */
bool
wire_text_fits_xml(const char *utf8)
{
	for (const unsigned char *p = (const unsigned char *) utf8; *p; p++)
	{
		if (*p < ' ' && *p != '\t' && *p != '\n' && *p != '\r')
			return false;
		if (p[0] == 0xEF && p[1] == 0xBF && (p[2] == 0xBE || p[2] == 0xBF))
			return false;
	}
	return true;
}

static char *
foreign_characters_replaced(const char *utf8)
{
	char	   *result = pstrdup(utf8);

	for (char *p = result; *p; p++)
		if (IS_HIGHBIT_SET(*p))
			*p = '?';
	return result;
}

/*
 * A clean UTF-8 text in the server's encoding.  The conversion functions
 * raise where a character has no such form, and want a transaction unless
 * the client's encoding is UTF-8; in both cases foreign characters become
 * question marks.
 */
static char *
server_text(const char *utf8)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *volatile result = NULL;

	PG_TRY();
	{
		result = pg_any_to_server(utf8, strlen(utf8), PG_UTF8);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	return result ? result : foreign_characters_replaced(utf8);
}

bool
wire_text_is_plain(const char *data, Size len)
{
	bool		plain = true;

	/* no early end: so the compiler can look at many bytes at once */
	for (Size i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) data[i];

		plain &= (c >= ' ' && c < 0x7F) || c == '\t' || c == '\n' ||
			c == '\r';
	}
	return plain;
}

char *
wire_text_from_utf8(const char *data, Size len)
{
	const unsigned char *p = (const unsigned char *) data;
	const unsigned char *end = p + len;
	char	   *result;
	char	   *out;

	if (wire_text_is_plain(data, len))
		return pnstrdup(data, len);
	out = result = palloc(len + 1);
	while (p < end)
	{
		int			width = pg_utf_mblen(p);

		if (width == 1 && !IS_HIGHBIT_SET(*p))
		{
			if ((*p >= ' ' && *p != 0x7F) || *p == '\t' || *p == '\n' ||
				*p == '\r')
				*out++ = *p;
			p++;
		}
		else if (width <= end - p && pg_utf8_islegal(p, width))
		{
			memcpy(out, p, width);
			out += width;
			p += width;
		}
		else
		{
			*out++ = '?';
			p++;
		}
	}
	*out = '\0';
	if (GetDatabaseEncoding() == PG_UTF8 || is_ascii_text(result))
		return result;
	return server_text(result);
}

void
wire_text_mask_digits(char *str)
{
	for (; *str; str++)
		if (*str >= '0' && *str <= '9')
			*str = '*';
}
