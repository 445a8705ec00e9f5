/*-------------------------------------------------------------------------
 *
 * complaint.c
 *		Values in error messages.
 *
 * An identifier that finds nothing may be a megabyte long or hold an escape
 * sequence for the terminal that the log is read on.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "complaint.h"

#define SHOWN_CHARACTERS 60

/*
 * A C0 control, DEL, or in UTF-8 one of the C1 controls, at the start of the
 * text.
 */
static bool
control_at(const unsigned char *p)
{
	if (*p < 0x20 || *p == 0x7f)
		return true;
	return GetDatabaseEncoding() == PG_UTF8 &&
		p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f;
}

bool
complaint_has_control(const char *string)
{
	const char *p;

	for (p = string; *p != '\0'; p += pg_mblen(p))
	{
		if (control_at((const unsigned char *) p))
			return true;
	}
	return false;
}

char *
complaint_text(const char *string)
{
	StringInfoData shown;
	const char *p;
	int			characters;

	initStringInfo(&shown);
	for (p = string, characters = 0; *p != '\0'; characters++)
	{
		int			len = pg_mblen(p);

		if (characters == SHOWN_CHARACTERS)
		{
			appendStringInfoString(&shown, "...");
			break;
		}
		if (control_at((const unsigned char *) p))
			appendStringInfoChar(&shown, '?');
		else
			appendBinaryStringInfo(&shown, p, len);
		p += len;
	}
	return shown.data;
}

char *
complaint_list(List *names)
{
	StringInfoData list;
	ListCell   *cell;

	initStringInfo(&list);
	foreach(cell, names)
	{
		if (list.len > 0)
			appendStringInfoString(&list, ", ");
		appendStringInfoString(&list, (const char *) lfirst(cell));
	}
	return list.data;
}
