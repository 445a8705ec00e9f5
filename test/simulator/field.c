/*-------------------------------------------------------------------------
 *
 * field.c
 *		Fixed fields of text: is it what it has to be?
 *
 *-------------------------------------------------------------------------
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "field.h"

#define NOW_TOLERANCE 600		/* seconds */

static bool
is_all(const char *field, size_t len, const char *set)
{
	size_t		i;

	for (i = 0; i < len; i++)
	{
		if (field[i] == '\0' || strchr(set, field[i]) == NULL)
			return false;
	}
	return true;
}

bool
field_is_digits(const char *field, size_t len)
{
	return is_all(field, len, "0123456789");
}

bool
field_is_hex(const char *field, size_t len)
{
	return is_all(field, len, "0123456789ABCDEFabcdef");
}

bool
field_is_spaces(const char *field, size_t len)
{
	return is_all(field, len, " ");
}

bool
field_is_zeros(const char *field, size_t len)
{
	return is_all(field, len, "0");
}

bool
field_is_padded(const char *field, size_t len)
{
	size_t		used = 0;

	while (used < len && field[used] > ' ' && field[used] < 0x7F)
		used++;
	return used > 0 && field_is_spaces(field + used, len - used);
}

unsigned long
field_number(const char *field, size_t len)
{
	unsigned long number = 0;
	size_t		i;

	for (i = 0; i < len; i++)
		number = number * 10 + (unsigned long) (field[i] - '0');
	return number;
}

unsigned long
field_hex(const char *field, size_t len)
{
	unsigned long number = 0;
	size_t		i;

	for (i = 0; i < len; i++)
	{
		char		c = (char) toupper((unsigned char) field[i]);

		number = number * 16 +
			(unsigned long) (c <= '9' ? c - '0' : c - 'A' + 10);
	}
	return number;
}

static unsigned long
days_of(unsigned long year, unsigned long month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30,
	31, 30, 31};
	bool		leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (unsigned long) (month == 2 && leap);
}

bool
field_is_date(const char *field)
{
	unsigned long year;
	unsigned long month;
	unsigned long day;

	if (!field_is_digits(field, 8))
		return false;
	year = field_number(field, 4);
	month = field_number(field + 4, 2);
	day = field_number(field + 6, 2);
	return year >= 1970 && month >= 1 && month <= 12 && day >= 1 &&
		day <= days_of(year, month);
}

bool
field_is_time(const char *field)
{
	return field_is_digits(field, 14) && field_is_date(field) &&
		field_number(field + 8, 2) < 24 && field_number(field + 10, 2) < 60 &&
		field_number(field + 12, 2) < 60;
}

/* Close to midnight both days are today. */
bool
field_is_today(const char *field)
{
	time_t		now = time(NULL);
	int			side;

	for (side = -1; side <= 1; side++)
	{
		time_t		moment = now + side * NOW_TOLERANCE;
		struct tm	parts;
		char		text[9];

		strftime(text, sizeof(text), "%Y%m%d", gmtime_r(&moment, &parts));
		if (memcmp(text, field, 8) == 0)
			return true;
	}
	return false;
}

bool
field_is_now(const char *field)
{
	struct tm	parts = {0};
	double		difference;

	if (!field_is_time(field))
		return false;
	parts.tm_year = (int) field_number(field, 4) - 1900;
	parts.tm_mon = (int) field_number(field + 4, 2) - 1;
	parts.tm_mday = (int) field_number(field + 6, 2);
	parts.tm_hour = (int) field_number(field + 8, 2);
	parts.tm_min = (int) field_number(field + 10, 2);
	parts.tm_sec = (int) field_number(field + 12, 2);
	difference = difftime(time(NULL), timegm(&parts));
	return difference >= -NOW_TOLERANCE && difference <= NOW_TOLERANCE;
}

void
field_copy(char *to, const char *field, size_t len)
{
	while (len > 0 && field[len - 1] == ' ')
		len--;
	memcpy(to, field, len);
	to[len] = '\0';
}
