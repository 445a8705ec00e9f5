/*-------------------------------------------------------------------------
 *
 * fuzz_server.c
 *		The server functions that layouts, templates and profiles call.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>
#include <stdlib.h>

#include "adapter.h"
#include "common/cryptohash.h"
#include "common/hmac.h"
#include "mb/pg_wchar.h"
#include "nodes/pg_list.h"
#include "pgtime.h"
#include "storage/fd.h"
#include "transport.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

/* Nothing is sent. */
const CasTransport http_transport = {0};
const CasTransport tcp_transport = {0};

/* ------------------------------------------------------------------------
 * Lists
 * ------------------------------------------------------------------------
 */
static List *
new_list(int room)
{
	List	   *list = palloc(sizeof(List));

	list->type = T_List;
	list->length = 0;
	list->max_length = room;
	list->elements = palloc(sizeof(ListCell) * Max(room, 1));
	return list;
}

List *
list_make1_impl(NodeTag t, ListCell datum1)
{
	List	   *list = new_list(1);

	list->elements[list->length++] = datum1;
	return list;
}

List *
lappend(List *list, void *datum)
{
	if (list == NIL)
		list = new_list(4);
	if (list->length == list->max_length)
	{
		list->max_length *= 2;
		list->elements = repalloc(list->elements,
								  sizeof(ListCell) * list->max_length);
	}
	lfirst(&list->elements[list->length++]) = datum;
	return list;
}

List *
list_concat(List *list1, const List *list2)
{
	for (int i = 0; i < list_length(list2); i++)
		list1 = lappend(list1, list_nth(list2, i));
	return list1;
}

List *
list_copy_head(const List *oldlist, int len)
{
	List	   *list = NIL;

	for (int i = 0; i < Min(len, list_length(oldlist)); i++)
		list = lappend(list, list_nth(oldlist, i));
	return list;
}

List *
list_delete_last(List *list)
{
	return --list->length > 0 ? list : NIL;
}

bool
list_member_ptr(const List *list, const void *datum)
{
	for (int i = 0; i < list_length(list); i++)
		if (list_nth(list, i) == datum)
			return true;
	return false;
}

/* ------------------------------------------------------------------------
 * Texts: the server's encoding is UTF-8
 * ------------------------------------------------------------------------
 */
int
GetDatabaseEncoding(void)
{
	return PG_UTF8;
}

char *
pg_any_to_server(const char *s, int len, int encoding)
{
	return unconstify(char *, s);
}

char *
pg_server_to_any(const char *s, int len, int encoding)
{
	return unconstify(char *, s);
}

int
pg_mblen(const char *mbstr)
{
	return pg_utf_mblen((const unsigned char *) mbstr);
}

/* Characters never reach beyond the end of valid text. */
static int
length_at(const char *mbstr, int limit)
{
	return Min(pg_mblen(mbstr), (int) strnlen(mbstr, limit));
}

int
pg_mbstrlen(const char *mbstr)
{
	int			n = 0;

	for (; *mbstr; mbstr += length_at(mbstr, 4))
		n++;
	return n;
}

int
pg_mbcharcliplen(const char *mbstr, int len, int limit)
{
	int			clipped = 0;

	for (int n = 0; n < limit && clipped < len; n++)
		clipped += length_at(mbstr + clipped, len - clipped);
	return clipped;
}

int
pg_mbcliplen(const char *mbstr, int len, int limit)
{
	int			clipped = 0;

	while (clipped < len && mbstr[clipped])
	{
		int			width = length_at(mbstr + clipped, len - clipped);

		if (clipped + width > limit)
			break;
		clipped += width;
	}
	return clipped;
}

int
pg_utf_mblen(const unsigned char *s)
{
	if ((*s & 0x80) == 0)
		return 1;
	if ((*s & 0xE0) == 0xC0)
		return 2;
	if ((*s & 0xF0) == 0xE0)
		return 3;
	return (*s & 0xF8) == 0xF0 ? 4 : 1;
}

bool
pg_utf8_islegal(const unsigned char *source, int length)
{
	static const uint32 least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32		code;

	if (length == 1)
		return source[0] < 0x80;
	if (length < 1 || length > 4)
		return false;
	code = source[0] & (0x7F >> length);
	for (int i = 1; i < length; i++)
	{
		if ((source[i] & 0xC0) != 0x80)
			return false;
		code = code << 6 | (source[i] & 0x3F);
	}
	return code >= least[length] && code <= 0x10FFFF &&
		(code < 0xD800 || code > 0xDFFF);
}

int
pg_strcasecmp(const char *s1, const char *s2)
{
	while (*s1 && pg_tolower(*s1) == pg_tolower(*s2))
	{
		s1++;
		s2++;
	}
	return pg_tolower(*s1) - pg_tolower(*s2);
}

unsigned char
pg_tolower(unsigned char ch)
{
	return ch >= 'A' && ch <= 'Z' ? ch + 0x20 : ch;
}

size_t
strlcpy(char *dst, const char *src, size_t siz)
{
	Size		len = strlen(src);

	if (siz > 0)
	{
		Size		copied = Min(len, siz - 1);

		memcpy(dst, src, copied);
		dst[copied] = '\0';
	}
	return len;
}

void
escape_json(StringInfo buf, const char *str)
{
	appendStringInfoChar(buf, '"');
	for (; *str; str++)
	{
		if ((unsigned char) *str < ' ')
			appendStringInfo(buf, "\\u%04x", (unsigned char) *str);
		else
		{
			if (*str == '"' || *str == '\\')
				appendStringInfoChar(buf, '\\');
			appendStringInfoChar(buf, *str);
		}
	}
	appendStringInfoChar(buf, '"');
}

/* ------------------------------------------------------------------------
 * Options
 * ------------------------------------------------------------------------
 */
bool
parse_bool(const char *value, bool *result)
{
	*result = strcmp(value, "true") == 0;
	return *result || strcmp(value, "false") == 0;
}

/* Durations are in ms. */
bool
parse_int(const char *value, int *result, int flags, const char **hintmsg)
{
	static const struct
	{
		const char *unit;
		long		factor;
	}			units[] = {
		{"", 1}, {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}
	};
	char	   *end;
	long		number = strtol(value, &end, 10);

	if (end == value)
		return false;
	for (int i = 0; i < lengthof(units); i++)
	{
		if (strcmp(end, units[i].unit) == 0)
		{
			*result = (int) (number * units[i].factor);
			return true;
		}
	}
	return false;
}

int
errcode_for_file_access(void)
{
	return 0;
}

void
ReserveExternalFD(void)
{
}

void
ReleaseExternalFD(void)
{
}

/* ------------------------------------------------------------------------
 * Digests: the sum of all bytes, which a fuzzer can find
 * ------------------------------------------------------------------------
 */
ResourceOwner CurrentResourceOwner = NULL;

struct pg_cryptohash_ctx
{
	uint8		sum;
};

struct pg_hmac_ctx
{
	uint8		sum;
};

ResourceOwner
ResourceOwnerCreate(ResourceOwner parent, const char *name)
{
	static int	owner;

	return (ResourceOwner) &owner;
}

static int
add_bytes(uint8 *sum, const uint8 *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		*sum += data[i];
	return 0;
}

pg_cryptohash_ctx *
pg_cryptohash_create(pg_cryptohash_type type)
{
	return malloc(sizeof(pg_cryptohash_ctx));
}

int
pg_cryptohash_init(pg_cryptohash_ctx *ctx)
{
	ctx->sum = 0;
	return 0;
}

int
pg_cryptohash_update(pg_cryptohash_ctx *ctx, const uint8 *data, size_t len)
{
	return add_bytes(&ctx->sum, data, len);
}

int
pg_cryptohash_final(pg_cryptohash_ctx *ctx, uint8 *dest, size_t len)
{
	memset(dest, ctx->sum, len);
	return 0;
}

void
pg_cryptohash_free(pg_cryptohash_ctx *ctx)
{
	free(ctx);
}

pg_hmac_ctx *
pg_hmac_create(pg_cryptohash_type type)
{
	return malloc(sizeof(pg_hmac_ctx));
}

int
pg_hmac_init(pg_hmac_ctx *ctx, const uint8 *key, size_t len)
{
	ctx->sum = 0;
	return add_bytes(&ctx->sum, key, len);
}

int
pg_hmac_update(pg_hmac_ctx *ctx, const uint8 *data, size_t len)
{
	return add_bytes(&ctx->sum, data, len);
}

int
pg_hmac_final(pg_hmac_ctx *ctx, uint8 *dest, size_t len)
{
	memset(dest, ctx->sum, len);
	return 0;
}

void
pg_hmac_free(pg_hmac_ctx *ctx)
{
	free(ctx);
}

/* ------------------------------------------------------------------------
 * Time: the zone of the session is UTC
 * ------------------------------------------------------------------------
 */
pg_tz	   *session_timezone = NULL;

const int	day_tab[2][13] = {
	{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0},
	{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0}
};

int
DetermineTimeZoneOffset(struct pg_tm *tm, pg_tz *tzp)
{
	return 0;
}

/* Days from 2000-01-01 to the first day of a year. */
static int64
days_before_year(int64 year)
{
	int64		y = year - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 - 730119;
}

int
tm2timestamp(struct pg_tm *tm, fsec_t fsec, int *tzp, Timestamp *dt)
{
	int64		day = days_before_year(tm->tm_year) + tm->tm_mday - 1;

	for (int month = 1; month < tm->tm_mon; month++)
		day += day_tab[isleap(tm->tm_year)][month - 1];
	*dt = (((day * 24 + tm->tm_hour) * 60 + tm->tm_min) * 60 + tm->tm_sec) *
		USECS_PER_SEC + fsec;
	if (tzp)
		*dt += *tzp * USECS_PER_SEC;
	return 0;
}

int
timestamp2tm(Timestamp dt, int *tzp, struct pg_tm *tm, fsec_t *fsec,
			 const char **tzn, pg_tz *attimezone)
{
	int64		day = dt / USECS_PER_DAY;
	int64		rest = dt % USECS_PER_DAY;

	if (rest < 0)
	{
		rest += USECS_PER_DAY;
		day--;
	}
	memset(tm, 0, sizeof(*tm));
	tm->tm_year = 2000 + day / 366;
	if (tm->tm_year < -4000)
		return -1;
	while (days_before_year(tm->tm_year + 1) <= day)
		tm->tm_year++;
	while (days_before_year(tm->tm_year) > day)
		tm->tm_year--;
	day -= days_before_year(tm->tm_year);
	for (tm->tm_mon = 1; day >= day_tab[isleap(tm->tm_year)][tm->tm_mon - 1];
		 tm->tm_mon++)
		day -= day_tab[isleap(tm->tm_year)][tm->tm_mon - 1];
	tm->tm_mday = day + 1;
	tm->tm_hour = rest / USECS_PER_HOUR;
	tm->tm_min = rest / USECS_PER_MINUTE % 60;
	tm->tm_sec = rest / USECS_PER_SEC % 60;
	*fsec = rest % USECS_PER_SEC;
	return 0;
}

/* Always the same: what is found must be found again. */
TimestampTz
GetCurrentTimestamp(void)
{
	return 0;
}
