/*-------------------------------------------------------------------------
 *
 * layout_format.c
 *		From a value to the bytes of its field.
 *
 * No value is ever repeated in a reason: it may be secret, and it may be a
 * megabyte of control characters.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "layout_private.h"
#include "mb/pg_wchar.h"
#include "wire_text.h"

static const uint64 powers_of_ten[] = {
	UINT64CONST(1), UINT64CONST(10), UINT64CONST(100), UINT64CONST(1000),
	UINT64CONST(10000), UINT64CONST(100000), UINT64CONST(1000000),
	UINT64CONST(10000000), UINT64CONST(100000000), UINT64CONST(1000000000),
	UINT64CONST(10000000000), UINT64CONST(100000000000),
	UINT64CONST(1000000000000), UINT64CONST(10000000000000),
	UINT64CONST(100000000000000), UINT64CONST(1000000000000000),
	UINT64CONST(10000000000000000), UINT64CONST(100000000000000000),
	UINT64CONST(1000000000000000000)
};

static const char hex_upper[] = "0123456789ABCDEF";
static const char hex_lower[] = "0123456789abcdef";

bool
layout_map(const FieldSpec *spec, const char **value)
{
	for (int i = 0; i < spec->nmap; i++)
	{
		const FieldMapping *entry = &spec->map[i];

		if (entry->value == NULL || strcmp(entry->value, *value) == 0)
		{
			*value = entry->text;
			return true;
		}
	}
	return false;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
layout_read_number(const char *str, bool hex, uint64 *number)
{
	int			base = 10;

	if (hex && str[0] == '0' && (str[1] == 'x' || str[1] == 'X'))
	{
		base = 16;
		str += 2;
	}
	if (*str == '\0')
		return false;
	for (*number = 0; *str; str++)
	{
		int			digit = hex_digit(*str);

		if (digit < 0 || digit >= base ||
			*number > (PG_UINT64_MAX - digit) / base)
			return false;
		*number = *number * base + digit;
	}
	return true;
}

int
layout_digits(uint64 number, char *str)
{
	char		reversed[20];
	int			len = 0;

	do
	{
		reversed[len++] = '0' + number % 10;
		number /= 10;
	} while (number > 0);
	for (int i = 0; i < len; i++)
		str[i] = reversed[len - 1 - i];
	str[len] = '\0';
	return len;
}

uint64
layout_greatest_of(const FieldSpec *spec)
{
	int			bits;

	if (spec->width_kind != WIDTH_FIXED)
		return 0;
	switch (spec->form)
	{
		case FORM_DECIMAL:
		case FORM_TEXT:
			return powers_of_ten[Min(spec->width, 18)] - 1;
		case FORM_HEX:
			bits = spec->width * 4;
			break;
		case FORM_UINT:
		case FORM_UNIX_TIME:
			bits = spec->width * 8;
			break;
		default:
			return 0;
	}
	return bits >= 64 ? PG_UINT64_MAX : (UINT64CONST(1) << bits) - 1;
}

/* Writes a number as the field has it; false when it does not fit. */
bool
layout_put_number(const FieldSpec *spec, uint64 number, char *bytes)
{
	if (number > layout_greatest_of(spec))
		return false;
	for (int i = spec->width - 1; i >= 0; i--)
	{
		if (spec->form == FORM_DECIMAL)
		{
			bytes[i] = '0' + number % 10;
			number /= 10;
		}
		else if (spec->form == FORM_HEX)
		{
			bytes[i] = (spec->lower ? hex_lower : hex_upper)[number & 15];
			number >>= 4;
		}
		else
		{
			bytes[spec->little ? spec->width - 1 - i : i] = number & 255;
			number >>= 8;
		}
	}
	return true;
}

/* Writes as many bytes as the field is wide. */
static FieldFault
format_number(const FieldSpec *spec, const char *value, char *to,
			  const char **reason)
{
	uint64		number;

	if (!layout_read_number(value, spec->form == FORM_HEX, &number))
	{
		*reason = spec->form == FORM_HEX ?
			"must be a whole number, in decimal or as 0x and hex digits" :
			"must be a whole number in decimal digits";
		return FAULT_INVALID;
	}
	if (!layout_put_number(spec, number, to))
	{
		*reason = psprintf("takes numbers up to " UINT64_FORMAT,
						   layout_greatest_of(spec));
		return FAULT_TOO_LONG;
	}
	return FAULT_NONE;
}

/* A time as a number: of more digits than its field, from 2106 on. */
static FieldFault
format_unix_time(const FieldSpec *spec, const char *value, char *to,
				 const char **reason)
{
	uint64		seconds;
	FieldFault	fault = layout_format_time(value, &seconds, reason);

	if (fault == FAULT_NONE && !layout_put_number(spec, seconds, to))
	{
		*reason = "takes times before 2106-02-07 06:28:16 UTC";
		return FAULT_TOO_LONG;
	}
	return fault;
}

static bool
is_printable_ascii(const char *str, Size len)
{
	bool		printable = true;

	for (Size i = 0; i < len; i++)
		printable &= str[i] >= ' ' && str[i] <= '~';
	return printable;
}

static bool
has_control_character(const char *str, Size len)
{
	for (Size i = 0; i < len; i++)
		if ((unsigned char) str[i] < ' ' || str[i] == 0x7F)
			return true;
	return false;
}

/*
 * The bytes of a text: checks its characters and sets its length, which is
 * in the wire's encoding.
 */
static FieldFault
text_bytes(const FieldSpec *spec, const char **str, Size *len,
		   const char **reason)
{
	if (spec->utf8 || spec->form == FORM_HEX_TEXT)
	{
		*str = wire_text_to_utf8(*str);
		*len = strlen(*str);
		if (has_control_character(*str, *len))
		{
			*reason = "must not hold control characters";
			return FAULT_INVALID;
		}
	}
	else
	{
		*len = strlen(*str);
		if (!is_printable_ascii(*str, *len))
		{
			*reason = "takes printable ASCII characters only";
			return FAULT_INVALID;
		}
	}
	return FAULT_NONE;
}

/* Appends bytes, in hex for the form that wants that. */
static void
put_text(const FieldSpec *spec, const char *str, Size len, StringInfo out)
{
	const char *hex = spec->lower ? hex_lower : hex_upper;
	char	   *to;

	if (spec->form == FORM_TEXT)
	{
		appendBinaryStringInfo(out, str, len);
		return;
	}
	enlargeStringInfo(out, len * 2);
	to = out->data + out->len;
	for (Size i = 0; i < len; i++)
	{
		*to++ = hex[((unsigned char) str[i]) >> 4];
		*to++ = hex[((unsigned char) str[i]) & 15];
	}
	out->len += len * 2;
}

static void
put_fill(const FieldSpec *spec, Size len, StringInfo out)
{
	for (Size i = 0; i < len; i++)
		put_text(spec, &spec->fill, 1, out);
}

/* Writes a text, filled up to the field's width where that is fixed. */
static FieldFault
format_text(const FieldSpec *spec, const char *value, StringInfo out,
			const char **reason)
{
	int			unit = spec->form == FORM_HEX_TEXT ? 2 : 1;
	Size		len;
	Size		room;
	FieldFault	fault = text_bytes(spec, &value, &len, reason);

	if (fault != FAULT_NONE)
		return fault;
	room = spec->width_kind == WIDTH_FIXED ? spec->width / unit :
		LAYOUT_MAX_FRAME;
	if (len > room)
	{
		*reason = psprintf("takes at most %zu bytes, not %zu", room, len);
		return FAULT_TOO_LONG;
	}
	room = spec->width_kind == WIDTH_FIXED ? room - len : 0;
	if (spec->pad_left)
		put_fill(spec, room, out);
	put_text(spec, value, len, out);
	if (!spec->pad_left)
		put_fill(spec, room, out);
	return FAULT_NONE;
}

/* The first or last characters, if there are more. */
static const char *
taken(const FieldSpec *spec, const char *value)
{
	int			len = pg_mbstrlen(value);
	const char *p = value;

	if (spec->take > 0)
		return len <= spec->take ? value :
			pnstrdup(value, pg_mbcharcliplen(value, strlen(value),
											 spec->take));
	for (int skip = len + spec->take; skip > 0; skip--)
		p += pg_mblen(p);
	return p;
}

FieldFault
layout_format(const FieldSpec *spec, const char *value, bool literal,
			  StringInfo out, const char **reason)
{
	FieldFault	fault;
	char	   *to;

	if (spec->take != 0)
		value = taken(spec, value);
	if (spec->form == FORM_TEXT || spec->form == FORM_HEX_TEXT)
		return format_text(spec, value, out, reason);
	enlargeStringInfo(out, spec->width);
	to = out->data + out->len;
	if (spec->form == FORM_DATE)
		fault = layout_format_date(spec, value, literal, to, reason);
	else if (spec->form == FORM_UNIX_TIME)
		fault = format_unix_time(spec, value, to, reason);
	else
		fault = format_number(spec, value, to, reason);
	if (fault == FAULT_NONE)
		out->len += spec->width;
	return fault;
}

const char *
layout_canonical(const Layout *layout, const char *name, const char *value)
{
	int			slot = layout_slot(layout, name);
	ListCell   *lc;

	foreach(lc, layout->fields)
	{
		const FieldSpec *spec = lfirst(lc);
		uint64		number;

		if (slot < 0 || spec->slot != slot)
			continue;
		if (spec->take != 0)
			value = taken(spec, value);
		if ((spec->form == FORM_DECIMAL || spec->form == FORM_HEX ||
			 spec->form == FORM_UINT) &&
			layout_read_number(value, spec->form == FORM_HEX, &number))
			return psprintf(UINT64_FORMAT, number);
		return value;
	}
	return value;
}

bool
layout_fits(const Layout *layout, const char *name, const char *value,
			const char **reason)
{
	int			slot = layout_slot(layout, name);
	ListCell   *lc;

	foreach(lc, layout->fields)
	{
		const FieldSpec *spec = lfirst(lc);
		StringInfoData out;

		if (slot < 0 || spec->slot != slot)
			continue;
		initStringInfo(&out);
		if (layout_format(spec, value, false, &out, reason) != FAULT_NONE)
			return false;
	}
	return true;
}
