/*-------------------------------------------------------------------------
 *
 * instant.c
 *		Instants as text, in one form, whatever DateStyle says.
 *
 * A request may be created from SQL or from a JSON body, and is read by a
 * sender whose settings are not those of its creator, so that nothing here
 * may depend on them, except for the meaning of a text without a zone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "pgtime.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "instant.h"

/*
 * Reads exactly "digits" digits and moves on behind them.
 */
static bool
read_digits(const char **cursor, int digits, int *value)
{
	const char *p = *cursor;
	int			i;

	*value = 0;
	for (i = 0; i < digits; i++, p++)
	{
		if (!isdigit((unsigned char) *p))
			return false;
		*value = *value * 10 + (*p - '0');
	}
	*cursor = p;
	return true;
}

/* Moves on behind one character if it is there. */
static bool
read_character(const char **cursor, char c)
{
	if (**cursor != c)
		return false;
	(*cursor)++;
	return true;
}

static bool
read_date(const char **cursor, struct pg_tm *tm)
{
	if (!read_digits(cursor, 4, &tm->tm_year) ||
		!read_character(cursor, '-') ||
		!read_digits(cursor, 2, &tm->tm_mon) ||
		!read_character(cursor, '-') ||
		!read_digits(cursor, 2, &tm->tm_mday))
		return false;
	return tm->tm_year >= 1 && tm->tm_mon >= 1 && tm->tm_mon <= 12 &&
		tm->tm_mday >= 1 &&
		tm->tm_mday <= day_tab[isleap(tm->tm_year)][tm->tm_mon - 1];
}

/* One to six digits behind the point. */
static bool
read_fraction(const char **cursor, fsec_t *fsec)
{
	int			unit = 100000;

	if (!isdigit((unsigned char) **cursor))
		return false;
	for (*fsec = 0; isdigit((unsigned char) **cursor); (*cursor)++)
	{
		if (unit == 0)
			return false;
		*fsec += (**cursor - '0') * unit;
		unit /= 10;
	}
	return true;
}

/* Hours and minutes, then optionally seconds and their fraction. */
static bool
read_time(const char **cursor, struct pg_tm *tm, fsec_t *fsec)
{
	if (!read_digits(cursor, 2, &tm->tm_hour) ||
		!read_character(cursor, ':') ||
		!read_digits(cursor, 2, &tm->tm_min))
		return false;
	if (read_character(cursor, ':') &&
		!read_digits(cursor, 2, &tm->tm_sec))
		return false;
	if (read_character(cursor, '.') && !read_fraction(cursor, fsec))
		return false;
	return tm->tm_hour <= 23 && tm->tm_min <= 59 && tm->tm_sec <= 59;
}

/*
 * The zone, in PostgreSQL's sense: seconds west of Greenwich.
 */
static bool
read_zone(const char **cursor, struct pg_tm *tm, int *zone)
{
	int			sign = **cursor == '-' ? 1 : -1;
	int			hours;
	int			minutes = 0;

	*zone = 0;
	if (**cursor == '\0')
	{
		*zone = DetermineTimeZoneOffset(tm, session_timezone);
		return true;
	}
	if (read_character(cursor, 'Z'))
		return true;
	if (!read_character(cursor, '+') && !read_character(cursor, '-'))
		return false;
	if (!read_digits(cursor, 2, &hours))
		return false;
	(void) read_character(cursor, ':');
	if (**cursor != '\0' && !read_digits(cursor, 2, &minutes))
		return false;
	*zone = sign * (hours * SECS_PER_HOUR + minutes * SECS_PER_MINUTE);
	return hours <= 15 && minutes <= 59;
}

bool
instant_parse(const char *string, TimestampTz *instant)
{
	struct pg_tm tm = {0};
	fsec_t		fsec = 0;
	int			zone;

	if (strcmp(string, "infinity") == 0 || strcmp(string, "-infinity") == 0)
	{
		*instant = string[0] == '-' ? DT_NOBEGIN : DT_NOEND;
		return true;
	}
	if (!read_date(&string, &tm))
		return false;
	if (read_character(&string, 'T') || read_character(&string, ' '))
	{
		if (!read_time(&string, &tm, &fsec))
			return false;
	}
	if (!read_zone(&string, &tm, &zone) || *string != '\0')
		return false;
	return tm2timestamp(&tm, fsec, &zone, instant) == 0;
}

/* The parts of an instant in UTC. */
static void
break_down(TimestampTz instant, struct pg_tm *tm, fsec_t *fsec)
{
	if (timestamp2tm(instant, NULL, tm, fsec, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
}

char *
instant_to_seconds(TimestampTz instant)
{
	struct pg_tm tm;
	fsec_t		fsec;

	break_down(instant, &tm, &fsec);
	return psprintf("%04d-%02d-%02dT%02d:%02d:%02dZ",
					tm.tm_year, tm.tm_mon, tm.tm_mday,
					tm.tm_hour, tm.tm_min, tm.tm_sec);
}

char *
instant_to_microseconds(TimestampTz instant)
{
	struct pg_tm tm;
	fsec_t		fsec;

	if (TIMESTAMP_IS_NOBEGIN(instant))
		return pstrdup("-infinity");
	if (TIMESTAMP_IS_NOEND(instant))
		return pstrdup("infinity");
	break_down(instant, &tm, &fsec);
	return psprintf("%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
					tm.tm_year, tm.tm_mon, tm.tm_mday,
					tm.tm_hour, tm.tm_min, tm.tm_sec, (int) fsec);
}
