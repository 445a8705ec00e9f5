/*-------------------------------------------------------------------------
 *
 * tap.c
 *		What the unit tests inside of a server say: TAP.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "tap.h"

static FILE * tap;

static void say(const char *begin, const char *format, va_list args)
			pg_attribute_printf(2, 0);

/* Each line is there before the next step, which may crash. */
static void
say(const char *begin, const char *format, va_list args)
{
	fprintf(tap, "%s", begin);
	vfprintf(tap, format, args);
	fprintf(tap, "\n");
	fflush(tap);
}

void
tap_open(const char *path)
{
	tap = fopen(path, "w");
	if (tap == NULL)
		elog(ERROR, "could not open the file for TAP: %m");
}

/* A file without this end is of tests that did not come to theirs. */
void
tap_close(void)
{
	note("end");
	fclose(tap);
}

bool
ok(bool passed, const char *name,...)
{
	va_list		args;

	va_start(args, name);
	say(passed ? "ok - " : "not ok - ", name, args);
	va_end(args);
	return passed;
}

void
note(const char *format,...)
{
	va_list		args;

	va_start(args, format);
	say("# ", format, args);
	va_end(args);
}

bool
is(const char *got, const char *expected, const char *name)
{
	bool		same = got && expected ? strcmp(got, expected) == 0 :
	got == expected;

	if (!ok(same, "%s", name))
	{
		note("got: %s", got ? got : "NULL");
		note("expected: %s", expected ? expected : "NULL");
	}
	return same;
}

bool
has(const char *got, const char *piece, const char *name)
{
	bool		found = got && strstr(got, piece);

	if (!ok(found, "%s", name))
	{
		note("got: %s", got ? got : "NULL");
		note("wanted in it: %s", piece);
	}
	return found;
}

ErrorData *
error_of(void (*function) (void *arg), void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		function(arg);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	return error;
}

void
throws(void (*function) (void *arg), void *arg, int sqlerrcode,
	   const char *message, const char *hint, const char *name)
{
	ErrorData  *error = error_of(function, arg);

	if (ok(error && error->sqlerrcode == sqlerrcode &&
		   strstr(error->message, message) &&
		   (hint == NULL || (error->hint && strstr(error->hint, hint))),
		   "%s", name))
		return;
	note("error: %s", error ? error->message : "none");
	note("hint: %s", error && error->hint ? error->hint : "none");
}
