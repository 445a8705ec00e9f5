/*-------------------------------------------------------------------------
 *
 * layout_date.c
 *		Dates and times in messages, always in UTC.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "instant.h"
#include "layout_private.h"
#include "pgtime.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#define UNIX_EPOCH_USECS \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/*
 * A compiled pattern is a string: one of these characters for each piece,
 * and all others for themselves.
 */
typedef enum DatePiece
{
	PIECE_YEAR = 1,
	PIECE_MONTH,
	PIECE_DAY,
	PIECE_HOUR,
	PIECE_MINUTE,
	PIECE_SECOND,
	PIECE_LITERAL				/* and greater */
} DatePiece;

#define WHOLE_DATE (1 << PIECE_YEAR | 1 << PIECE_MONTH | 1 << PIECE_DAY)

static const char *const piece_names[] = {
	NULL, "YYYY", "MM", "DD", "HH24", "MI", "SS"
};

/* What a pattern begins with; moves on behind it. */
static DatePiece
next_piece(const char **pattern)
{
	for (int piece = PIECE_YEAR; piece < PIECE_LITERAL; piece++)
	{
		Size		len = strlen(piece_names[piece]);

		if (strncmp(*pattern, piece_names[piece], len) == 0)
		{
			*pattern += len;
			return piece;
		}
	}
	return (unsigned char) *(*pattern)++;
}

static int
piece_width(DatePiece piece)
{
	return piece == PIECE_YEAR ? 4 : piece < PIECE_LITERAL ? 2 : 1;
}

static bool
is_literal(DatePiece c)
{
	return c == 'T' || c == 'Z' ||
		(c >= ' ' && c <= '~' &&
		 !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z'));
}

int
layout_compile_pattern(const char *pattern, const char **compiled,
					   const char **reason)
{
	char	   *pieces = palloc(strlen(pattern) + 1);
	int			n = 0;
	int			width = 0;

	*compiled = pieces;
	while (*pattern)
	{
		DatePiece	piece = next_piece(&pattern);

		if (piece >= PIECE_LITERAL && !is_literal(piece))
		{
			*reason = "takes YYYY, MM, DD, HH24, MI, SS, T, Z and punctuation";
			return -1;
		}
		pieces[n] = '\0';
		if (piece < PIECE_LITERAL && strchr(pieces, piece))
		{
			*reason = psprintf("holds %s twice", piece_names[piece]);
			return -1;
		}
		pieces[n++] = (char) piece;
		width += piece_width(piece);
	}
	pieces[n] = '\0';
	return width;
}

/* Where a piece of the pattern stands. */
static int *
member_of(struct pg_tm *tm, DatePiece piece)
{
	switch (piece)
	{
		case PIECE_YEAR:
			return &tm->tm_year;
		case PIECE_MONTH:
			return &tm->tm_mon;
		case PIECE_DAY:
			return &tm->tm_mday;
		case PIECE_HOUR:
			return &tm->tm_hour;
		case PIECE_MINUTE:
			return &tm->tm_min;
		default:
			return &tm->tm_sec;
	}
}

static bool
read_digits(const char *data, int width, int *number)
{
	*number = 0;
	for (int i = 0; i < width; i++)
	{
		if (data[i] < '0' || data[i] > '9')
			return false;
		*number = *number * 10 + (data[i] - '0');
	}
	return true;
}

static bool
is_date(const struct pg_tm *tm)
{
	return tm->tm_year >= 1 && tm->tm_mon >= 1 && tm->tm_mon <= 12 &&
		tm->tm_mday >= 1 &&
		tm->tm_mday <= day_tab[isleap(tm->tm_year)][tm->tm_mon - 1] &&
		tm->tm_hour <= 23 && tm->tm_min <= 59 && tm->tm_sec <= 59;
}

/*
 * Reads bytes by a pattern, as many as it is wide.  What the pattern lacks
 * is 2000-01-01 00:00:00, a leap year, so that every day is one.  whole:
 * does it name a day?
 */
static bool
read_pattern(const char *pattern, const char *data, struct pg_tm *tm,
			 bool *whole)
{
	int			seen = 0;

	memset(tm, 0, sizeof(*tm));
	tm->tm_year = 2000;
	tm->tm_mon = tm->tm_mday = 1;
	for (; *pattern; pattern++)
	{
		DatePiece	piece = (unsigned char) *pattern;

		if (piece >= PIECE_LITERAL)
		{
			if (*data++ != *pattern)
				return false;
			continue;
		}
		if (!read_digits(data, piece_width(piece), member_of(tm, piece)))
			return false;
		data += piece_width(piece);
		seen |= 1 << piece;
	}
	*whole = (seen & WHOLE_DATE) == WHOLE_DATE;
	return is_date(tm);
}

/* Writes the date over as many bytes as the pattern has in all. */
static void
write_pattern(const char *pattern, struct pg_tm *tm, char *to)
{
	for (; *pattern; pattern++)
	{
		DatePiece	piece = (unsigned char) *pattern;
		int			number;

		if (piece >= PIECE_LITERAL)
		{
			*to++ = *pattern;
			continue;
		}
		number = *member_of(tm, piece);
		for (int i = piece_width(piece) - 1; i >= 0; i--)
		{
			to[i] = '0' + number % 10;
			number /= 10;
		}
		to += piece_width(piece);
	}
}

/* 2015-09-07T15:23:15Z, quicker than printf. */
static const char *
canonical_text(struct pg_tm *tm)
{
	static const char pattern[] = {
		PIECE_YEAR, '-', PIECE_MONTH, '-', PIECE_DAY, 'T', PIECE_HOUR, ':',
		PIECE_MINUTE, ':', PIECE_SECOND, 'Z', '\0'
	};
	char	   *canonical = palloc0(sizeof("2015-09-07T15:23:15Z"));

	write_pattern(pattern, tm, canonical);
	return canonical;
}

/* An instant of the years 1 to 9999. */
static FieldFault
read_instant(const char *value, TimestampTz *instant, const char **reason)
{
	if (instant_parse(value, instant) && !TIMESTAMP_NOT_FINITE(*instant))
		return FAULT_NONE;
	*reason = "must be an instant such as 2015-09-07T15:23:15Z";
	return FAULT_INVALID;
}

/* An instant so many days later in parts; false outside of 1 to 9999. */
static bool
break_down(TimestampTz instant, int later, struct pg_tm *tm)
{
	fsec_t		fsec;

	return timestamp2tm(instant + later * USECS_PER_DAY, NULL, tm, &fsec,
						NULL, NULL) == 0 &&
		tm->tm_year >= 1 && tm->tm_year <= 9999;
}

FieldFault
layout_format_date(const FieldSpec *spec, const char *value, bool literal,
				   char *to, const char **reason)
{
	struct pg_tm tm;
	bool		whole;
	TimestampTz instant;
	FieldFault	fault;

	if (literal && strlen(value) == spec->width &&
		read_pattern(spec->pattern, value, &tm, &whole))
	{
		memcpy(to, value, spec->width);
		return FAULT_NONE;
	}
	fault = read_instant(value, &instant, reason);
	if (fault != FAULT_NONE)
		return fault;
	if (!break_down(instant, spec->add_days, &tm))
	{
		*reason = "takes dates of the years 1 to 9999";
		return FAULT_INVALID;
	}
	write_pattern(spec->pattern, &tm, to);
	return FAULT_NONE;
}

FieldFault
layout_format_time(const char *value, uint64 *seconds, const char **reason)
{
	TimestampTz instant;
	FieldFault	fault = read_instant(value, &instant, reason);

	if (fault != FAULT_NONE)
		return fault;
	if (instant < -UNIX_EPOCH_USECS)
	{
		*reason = "takes times from 1970 on";
		return FAULT_INVALID;
	}
	*seconds = (instant + UNIX_EPOCH_USECS) / USECS_PER_SEC;
	return FAULT_NONE;
}

bool
layout_parse_date(const FieldSpec *spec, const char *data,
				  const char **canonical)
{
	struct pg_tm tm;
	bool		whole;
	int			utc = 0;
	TimestampTz instant;

	*canonical = NULL;
	if (!read_pattern(spec->pattern, data, &tm, &whole))
		return false;
	if (!whole)
		return true;
	if (tm2timestamp(&tm, 0, &utc, &instant) != 0 ||
		!break_down(instant, -spec->add_days, &tm))
		return false;
	*canonical = canonical_text(&tm);
	return true;
}

/* NULL: after the year 9999. */
const char *
layout_parse_time(uint64 seconds)
{
	struct pg_tm tm;

	if (seconds > UINT64CONST(400000000000) ||
		!break_down((int64) seconds * USECS_PER_SEC - UNIX_EPOCH_USECS, 0,
					&tm))
		return NULL;
	return canonical_text(&tm);
}
