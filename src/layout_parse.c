/*-------------------------------------------------------------------------
 *
 * layout_parse.c
 *		From the bytes of a field to its value.
 *
 * Nothing here raises, and nothing is read but the bytes given.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "layout_private.h"
#include "wire_text.h"

/*
 * Memory for the texts of one message, so that not every one of them is an
 * allocation of its own.
 */
char *
layout_store(TextStore *store, Size len)
{
	char	   *str;

	if (len > store->left)
	{
		store->left = Max(len, 512);
		store->next = palloc(store->left);
	}
	str = store->next;
	store->next += len;
	store->left -= len;
	return str;
}

char *
layout_hex(TextStore *store, const char *data, Size len)
{
	static const char digits[] = "0123456789ABCDEF";
	char	   *hex = layout_store(store, len * 2 + 1);

	for (Size i = 0; i < len; i++)
	{
		hex[i * 2] = digits[((unsigned char) data[i]) >> 4];
		hex[i * 2 + 1] = digits[((unsigned char) data[i]) & 15];
	}
	hex[len * 2] = '\0';
	return hex;
}

static char *
store_text(TextStore *store, const char *data, Size len)
{
	char	   *str = layout_store(store, len + 1);

	memcpy(str, data, len);
	str[len] = '\0';
	return str;
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

static bool
get_digits(const char *data, int width, int base, uint64 *number)
{
	*number = 0;
	for (int i = 0; i < width; i++)
	{
		int			digit = hex_digit(data[i]);

		if (digit < 0 || digit >= base)
			return false;
		*number = *number * base + digit;
	}
	return true;
}

/* The number in a field of fixed width; false when it is none. */
bool
layout_get_number(const FieldSpec *spec, const char *data, uint64 *number)
{
	if (spec->form == FORM_DECIMAL)
		return get_digits(data, spec->width, 10, number);
	if (spec->form == FORM_HEX)
		return get_digits(data, spec->width, 16, number);
	*number = 0;
	for (int i = 0; i < spec->width; i++)
		*number = *number << 8 |
			(unsigned char) data[spec->little ? spec->width - 1 - i : i];
	return true;
}

/* Shows it as it stands in the message; its value has no zeros in front. */
static bool
parse_number(const FieldSpec *spec, const char *data, TextStore *store,
			 LayoutField *field, uint64 *number, const char **reason)
{
	char	   *digits;

	if (!layout_get_number(spec, data, number))
	{
		*reason = spec->form == FORM_HEX ? "is no hex number" :
			"is no decimal number";
		return false;
	}
	if (spec->form == FORM_DECIMAL)
	{
		field->raw = store_text(store, data, spec->width);
		field->value = field->raw;
		while (field->value[0] == '0' && field->value[1] != '\0')
			field->value++;
		field->shown = field->raw;
		return true;
	}
	digits = layout_store(store, 21);
	layout_digits(*number, digits);
	field->value = digits;
	field->raw = spec->form == FORM_HEX ?
		store_text(store, data, spec->width) :
		layout_hex(store, data, spec->width);
	field->shown = spec->form == FORM_HEX ? field->raw : field->value;
	return true;
}

static bool
parse_time(const FieldSpec *spec, const char *data, TextStore *store,
		   LayoutField *field, uint64 *number, const char **reason)
{
	(void) layout_get_number(spec, data, number);
	field->raw = layout_hex(store, data, spec->width);
	field->shown = field->value = layout_parse_time(*number);
	if (field->value == NULL)
		*reason = "is a time after the year 9999";
	return field->value != NULL;
}

static bool
parse_date(const FieldSpec *spec, const char *data, TextStore *store,
		   LayoutField *field, const char **reason)
{
	const char *canonical;

	field->raw = field->shown = store_text(store, data, spec->width);
	if (!layout_parse_date(spec, data, &canonical))
	{
		*reason = "is no date of its pattern";
		return false;
	}
	field->value = canonical ? canonical : field->raw;
	return true;
}

/* A text without its padding. */
static void
strip(const FieldSpec *spec, const char **str, Size *len)
{
	if (spec->width_kind != WIDTH_FIXED)
		return;
	while (spec->pad_left && *len > 0 && (*str)[0] == spec->fill)
	{
		(*str)++;
		(*len)--;
	}
	while (!spec->pad_left && *len > 0 && (*str)[*len - 1] == spec->fill)
		(*len)--;
}

static bool
is_printable_ascii(const char *str, Size len)
{
	bool		printable = true;

	for (Size i = 0; i < len; i++)
		printable &= str[i] >= ' ' && str[i] <= '~';
	return printable;
}

/* Its value is without what fills it up. */
static bool
parse_text(const FieldSpec *spec, const char *data, Size len,
		   TextStore *store, LayoutField *field, const char **reason)
{
	const char *str = data;
	Size		text_len = len;

	if (!spec->utf8 && !is_printable_ascii(data, len))
	{
		*reason = "has other characters than printable ASCII";
		return false;
	}
	field->raw = is_printable_ascii(data, len) ?
		store_text(store, data, len) : layout_hex(store, data, len);
	strip(spec, &str, &text_len);
	if (spec->utf8)
		field->value = wire_text_from_utf8(str, text_len);
	else if (str + text_len == data + len)
		field->value = field->raw + (str - data);
	else
		field->value = store_text(store, str, text_len);
	/* of what is filled up visibly, all is shown */
	field->shown = spec->utf8 || spec->fill == ' ' ? field->value :
		field->raw;
	return true;
}

/* Two hex digits a byte; its value is without what fills it up. */
static bool
parse_hex_text(const FieldSpec *spec, const char *data, Size len,
			   TextStore *store, LayoutField *field, const char **reason)
{
	char	   *bytes = layout_store(store, len / 2 + 1);
	const char *str = bytes;
	Size		text_len = len / 2;

	for (Size i = 0; i < len; i++)
	{
		int			digit = hex_digit(data[i]);

		if (digit < 0 || len % 2 == 1)
		{
			*reason = "is no text in hex";
			return false;
		}
		bytes[i / 2] = i % 2 ? bytes[i / 2] | digit : digit << 4;
	}
	field->raw = store_text(store, data, len);
	strip(spec, &str, &text_len);
	field->shown = field->value = wire_text_from_utf8(str, text_len);
	return true;
}

/*
 * A text of the message back to the value that it stands for, if it is one
 * alone.  False when there is none.
 */
static bool
map_back(const FieldSpec *spec, const char *str, const char **value)
{
	const FieldMapping *found = NULL;

	for (int i = 0; i < spec->nmap; i++)
	{
		if (spec->map[i].value == NULL ||
			strcmp(spec->map[i].text, str) != 0)
			continue;
		if (found)
			return false;
		found = &spec->map[i];
	}
	if (found)
		*value = found->value;
	return found != NULL;
}

static bool
parse_unmapped(const FieldSpec *spec, const char *data, Size len,
			   TextStore *store, LayoutField *field, uint64 *number,
			   const char **reason)
{
	switch (spec->form)
	{
		case FORM_DATE:
			return parse_date(spec, data, store, field, reason);
		case FORM_UNIX_TIME:
			return parse_time(spec, data, store, field, number, reason);
		case FORM_TEXT:
			return parse_text(spec, data, len, store, field, reason);
		case FORM_HEX_TEXT:
			return parse_hex_text(spec, data, len, store, field, reason);
		default:
			return parse_number(spec, data, store, field, number, reason);
	}
}

/* What stands there must be the constant, byte for byte. */
static bool
parse_constant(const FieldSpec *spec, const char *data, Size len,
			   TextStore *store, LayoutField *field, const char **reason)
{
	if (memcmp(data, spec->constant_bytes, len) != 0)
	{
		*reason = "is not the constant that belongs there";
		return false;
	}
	field->raw = is_printable_ascii(data, len) && spec->form != FORM_UINT ?
		store_text(store, data, len) : layout_hex(store, data, len);
	field->value = spec->constant;
	field->shown = spec->form == FORM_UINT ? field->value : field->raw;
	return true;
}

bool
layout_parse(const FieldSpec *spec, const char *data, Size len,
			 TextStore *store, LayoutField *field, uint64 *number,
			 const char **reason)
{
	if (spec->constant)
		return parse_constant(spec, data, len, store, field, reason);
	if (!parse_unmapped(spec, data, len, store, field, number, reason))
		return false;
	if (spec->nmap > 0 && !map_back(spec, field->value, &field->value))
		(void) map_back(spec, field->raw, &field->value);
	return true;
}
