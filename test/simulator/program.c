/*-------------------------------------------------------------------------
 *
 * program.c
 *		What the main programs share: complaints, limits, values of the
 *		command line, and telling the port.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "program.h"
#include "text.h"

static const char *program = "simulator";

/* Also lets the process have as many connections as it may. */
void
program_start(const char *name)
{
	struct rlimit files;

	program = name;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
	{
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

bool
complain(const char *what, const char *detail)
{
	fprintf(stderr, "%s: could not %s: %s\n", program, what, detail);
	return false;
}

void
fail(const char *what, const char *detail)
{
	fprintf(stderr, "%s: %s: %s\n", program, what, detail);
	exit(2);
}

long
read_int(const char *value, long least, long most)
{
	char	   *end;
	long		number = strtol(value, &end, 10);

	if (end == value || *end != '\0' || number < least || number > most)
		fail("not a number within its limits", value);
	return number;
}

const char *
read_file(const char *path)
{
	FILE	   *file = fopen(path, "r");
	Text		text = {0};
	char		buffer[4096];
	size_t		len;

	if (file == NULL)
		fail("could not open file", path);
	text_add(&text, "");
	while ((len = fread(buffer, 1, sizeof(buffer), file)) > 0)
		text_add_bytes(&text, buffer, len);
	fclose(file);
	return text.data;
}

bool
announce(const char *port_file, int port)
{
	char		name[4096];
	FILE	   *file;

	printf("listening %d\n", port);
	fflush(stdout);
	if (port_file == NULL)
		return true;

	/* Renamed into place, so that nobody reads half of it. */
	snprintf(name, sizeof(name), "%s.new", port_file);
	file = fopen(name, "w");
	if (file == NULL)
		return complain("write the port file", strerror(errno));
	fprintf(file, "%d\n", port);
	if (fclose(file) != 0 || rename(name, port_file) != 0)
		return complain("write the port file", strerror(errno));
	return true;
}
