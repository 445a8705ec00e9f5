/*-------------------------------------------------------------------------
 *
 * fuzz.c
 *		Between libFuzzer and a target.
 *
 * Each input has a memory context of its own, and an ERROR ends it, as it
 * would end a transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <stdio.h>
#include <stdlib.h>

#include "../unit/pg_shim.h"
#include "fuzz.h"
#include "utils/memutils.h"

#undef fprintf

static MemoryContext each_context;

void
fuzz_finding(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
	abort();
}

Jsonb *
fuzz_document(const char *path)
{
	char		name[1024];
	FILE	   *file;
	char	   *content = palloc(1024 * 1024);
	Size		len;
	Jsonb	   *document;

	snprintf(name, sizeof(name), "%s/%s", SOURCE_TREE, path);
	file = fopen(name, "r");
	if (file == NULL)
	{
		fprintf(stderr, "could not open %s\n", name);
		exit(1);
	}
	len = fread(content, 1, 1024 * 1024, file);
	fclose(file);
	document = fuzz_jsonb(content, len);
	if (document == NULL)
	{
		fprintf(stderr, "%s is no JSON\n", name);
		exit(1);
	}
	return document;
}

static int
count_options(const CasOption *options)
{
	int			n = 0;

	while (options[n].name)
		n++;
	return n;
}

CasSettings *
fuzz_settings(const CasAdapter *adapter, const char *profile)
{
	CasSettings *settings = palloc0(sizeof(CasSettings));
	int			common = count_options(adapter_common_options);
	int			own = count_options(adapter->options);
	CasOption  *options = palloc0(sizeof(CasOption) * (common + own + 1));

	memcpy(options, adapter_common_options, sizeof(CasOption) * common);
	memcpy(options + common, adapter->options, sizeof(CasOption) * own);
	settings->server_name = "fuzz";
	settings->adapter = adapter;
	settings->options = options;
	settings->values = palloc0(sizeof(char *) * (common + own));
	for (int i = 0; i < common + own; i++)
		settings->values[i] = options[i].default_value;
	settings->profile = adapter->compile_profile(fuzz_document(profile));
	return settings;
}

void
fuzz_set(CasSettings *settings, const char *name, const char *value)
{
	for (int i = 0; settings->options[i].name; i++)
		if (strcmp(settings->options[i].name, name) == 0)
			settings->values[i] = value;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	pg_shim_init();
	each_context = AllocSetContextCreate(TopMemoryContext, "each",
										 ALLOCSET_DEFAULT_SIZES);
	fuzz_prepare();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	MemoryContextSwitchTo(each_context);
	PG_TRY();
	{
		fuzz_try((const char *) data, size);
	}
	PG_CATCH();
	{
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextReset(each_context);
	return 0;
}
