/*-------------------------------------------------------------------------
 *
 * directory_query.c
 *		The directory's SQL, and the answers of the current statement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "utils/builtins.h"

#include "directory_lookup.h"
#include "directory_query.h"
#include "directory_source.h"
#include "saved_plan.h"
#include "statement_cache.h"

#define MAX_PARAMETERS 3

typedef struct AnswerKey
{
	const char *bytes;
	Size		len;
} AnswerKey;

typedef struct AnswerEntry
{
	AnswerKey	key;			/* must be first */
	const DirectoryAnswer *answer;
} AnswerEntry;

/* A query's plan, and which source it reads: 0 for the table itself. */
typedef struct QueryPlan
{
	SPIPlanPtr	plan;
	uint64		generation;
} QueryPlan;

static QueryPlan plans[DIRECTORY_QUERIES];

/*
 * The queries that a statement over many smartcards asks anew for each of
 * them, as directory_lookup does them; the columns are those of the SQL.
 */
#define ITEM_COLUMNS \
	{"id", "serial_number", "ca_id", "subscription_id", "provider", \
	"classification", "life_cycle_state"}

static DirectoryLookup lookups[DIRECTORY_QUERIES] = {
	[SUBSCRIPTION_BY_ID] = {
		.table = "subscription",
		.key = "id",
		.columns = {"id", "number"}
	},
	[SUBSCRIPTION_BY_NUMBER] = {
		.table = "subscription",
		.key = "number",
		.columns = {"id", "number"}
	},
	[ITEM_BY_ID] = {
		.table = "installed_item",
		.key = "id",
		.columns = ITEM_COLUMNS
	},
	[ITEM_BY_SERIAL_NUMBER] = {
		.table = "installed_item",
		.key = "serial_number",
		.columns = ITEM_COLUMNS
	}
};

static const char *
subscription_sql(DirectoryQuery query)
{
	if (query == SUBSCRIPTION_BY_ID)
		return "SELECT s.id, s.number FROM provreq.subscription AS s"
			" WHERE s.id = $1";
	return "SELECT s.id, s.number FROM provreq.subscription AS s"
		" WHERE s.number = $1";
}

static const char *
product_sql(DirectoryQuery query)
{
	if (query == PRODUCT_BY_ID)
		return "SELECT p.id, p.code, p.classification"
			" FROM provreq.product AS p WHERE p.id = $1";
	if (query == PRODUCT_BY_CODE)
		return "SELECT p.id, p.code, p.classification"
			" FROM provreq.product AS p WHERE p.code = $1";
	return "SELECT p.id, p.code, p.classification"
		" FROM provreq.product AS p WHERE p.alternative_code = $1 LIMIT 2";
}

static const char *
item_sql(DirectoryQuery query)
{
	if (query == ITEM_BY_ID)
		return "SELECT i.id, i.serial_number, i.ca_id, i.subscription_id,"
			" i.provider, i.classification, i.life_cycle_state"
			" FROM provreq.installed_item AS i WHERE i.id = $1";
	if (query == ITEM_BY_SERIAL_NUMBER)
		return "SELECT i.id, i.serial_number, i.ca_id, i.subscription_id,"
			" i.provider, i.classification, i.life_cycle_state"
			" FROM provreq.installed_item AS i WHERE i.serial_number = $1";
	return "SELECT i.id, i.serial_number, i.ca_id, i.subscription_id,"
		" i.provider, i.classification, i.life_cycle_state"
		" FROM provreq.installed_item AS i WHERE i.alternative_code = $1"
		" LIMIT 2";
}

/* The effective ones that a provider of the kind may know. */
static const char *
smartcards_sql(void)
{
	return "SELECT pg_catalog.string_agg(i.id, ' ' ORDER BY i.serial_number,"
		" i.id) FROM provreq.installed_item AS i"
		" WHERE i.subscription_id = $1 AND i.classification = 'SMARTCARD'"
		" AND i.life_cycle_state = 'EFFECTIVE'"
		" AND (i.provider IS NULL OR EXISTS ("
		" SELECT FROM pg_catalog.pg_foreign_server AS s"
		" JOIN pg_catalog.pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw"
		" WHERE s.srvname = i.provider::pg_catalog.name"
		" AND w.fdwname = $2::pg_catalog.name))";
}

/* What is said of one provider goes before what is said of all of them. */
static const char *
ca_id_sql(DirectoryQuery query)
{
	if (query == ITEM_BY_CA_ID)
		return "SELECT i.id, i.serial_number, i.ca_id, i.subscription_id,"
			" i.provider, i.classification, i.life_cycle_state"
			" FROM provreq.installed_item AS i"
			" WHERE i.ca_id = $1 AND i.classification = $2"
			" AND (i.provider = $3 OR i.provider IS NULL)"
			" ORDER BY i.provider NULLS LAST LIMIT 1";
	if (query == PROVIDER_OF_CA_ID)
		return "SELECT i.provider FROM provreq.installed_item AS i"
			" JOIN pg_catalog.pg_foreign_server AS s"
			" ON s.srvname = i.provider::pg_catalog.name"
			" JOIN pg_catalog.pg_foreign_data_wrapper AS w"
			" ON w.oid = s.srvfdw"
			" WHERE i.ca_id = $1 AND i.classification = $2"
			" AND w.fdwname = $3::pg_catalog.name LIMIT 2";
	if (query == SERVICE_OF_CA_ID)
		return "SELECT m.product_id FROM provreq.service_mapping AS m"
			" WHERE m.service_ca_id = $1"
			" AND (m.provider = $2 OR m.provider IS NULL)"
			" AND m.product_id > $3 ORDER BY m.product_id LIMIT 1";
	return "SELECT m.service_ca_id FROM provreq.service_mapping AS m"
		" WHERE m.product_id = $1"
		" AND (m.provider = $2 OR m.provider IS NULL)"
		" ORDER BY m.provider NULLS LAST LIMIT 1";
}

static const char *
distributor_sql(DirectoryQuery query)
{
	if (query == DISTRIBUTORS_EXIST)
		return "SELECT d.id FROM provreq.subscription_distributor AS d"
			" LIMIT 1";
	if (query == DISTRIBUTOR_OF_SUBSCRIPTION)
		return "SELECT d.id FROM provreq.subscription_distributor AS d"
			" WHERE d.subscription_id = $1 AND d.installed_item_id IS NULL"
			" AND (d.provider = $2 OR d.provider IS NULL)"
			" ORDER BY d.provider NULLS LAST LIMIT 1";
	return "SELECT d.id FROM provreq.subscription_distributor AS d"
		" WHERE d.installed_item_id = $1"
		" AND (d.provider = $2 OR d.provider IS NULL)"
		" ORDER BY d.provider NULLS LAST LIMIT 1";
}

/* The text of a query over the relations that now stand for the directory. */
static const char *
query_sql(DirectoryQuery query)
{
	switch (query)
	{
		case SUBSCRIPTION_BY_ID:
		case SUBSCRIPTION_BY_NUMBER:
			return subscription_sql(query);
		case PRODUCT_BY_ID:
		case PRODUCT_BY_CODE:
		case PRODUCT_BY_ALTERNATIVE_CODE:
			return product_sql(query);
		case ITEM_BY_ID:
		case ITEM_BY_SERIAL_NUMBER:
		case ITEM_BY_ALTERNATIVE_CODE:
			return item_sql(query);
		case SMARTCARDS_OF_SUBSCRIPTION:
			return smartcards_sql();
		case ITEM_BY_CA_ID:
		case PROVIDER_OF_CA_ID:
		case SERVICE_CA_ID:
		case SERVICE_OF_CA_ID:
			return ca_id_sql(query);
		case DISTRIBUTORS_EXIST:
		case DISTRIBUTOR_OF_SUBSCRIPTION:
		case DISTRIBUTOR_OF_ITEM:
			return distributor_sql(query);
	}
	elog(ERROR, "unknown directory query %d", (int) query);
}

/* The kind of thing that a query is about. */
static DirectoryKind
query_kind(DirectoryQuery query)
{
	switch (query)
	{
		case SUBSCRIPTION_BY_ID:
		case SUBSCRIPTION_BY_NUMBER:
			return KIND_SUBSCRIPTION;
		case PRODUCT_BY_ID:
		case PRODUCT_BY_CODE:
		case PRODUCT_BY_ALTERNATIVE_CODE:
			return KIND_PRODUCT;
		case SERVICE_CA_ID:
		case SERVICE_OF_CA_ID:
			return KIND_SERVICE_MAPPING;
		case DISTRIBUTORS_EXIST:
		case DISTRIBUTOR_OF_SUBSCRIPTION:
		case DISTRIBUTOR_OF_ITEM:
			return KIND_SUBSCRIPTION_DISTRIBUTOR;
		default:
			return KIND_INSTALLED_ITEM;
	}
}

/* Copies one row of SPI's result into the current memory context. */
static const char **
copy_row(uint64 row, const DirectorySource *source)
{
	TupleDesc	tupdesc = SPI_tuptable->tupdesc;
	const char **columns = palloc0(sizeof(char *) * tupdesc->natts);
	int			i;

	for (i = 0; i < tupdesc->natts; i++)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[row], tupdesc,
										  i + 1, &isnull);

		if (!isnull)
			columns[i] = TextDatumGetCString(value);
		if (source != NULL)
			columns[i] =
				directory_source_value(source,
									   SPI_fname(tupdesc, i + 1), columns[i]);
	}
	return columns;
}

/* The answer, in "context"; NULL when the query has to be run. */
static const DirectoryAnswer *
look_up(DirectoryQuery query, const char *value, MemoryContext context)
{
	DirectoryAnswer *answer;
	const char **row;

	if (lookups[query].table == NULL ||
		!directory_lookup(&lookups[query], value, context, &row))
		return NULL;
	answer = MemoryContextAllocZero(context, sizeof(DirectoryAnswer));
	answer->rows = row != NULL ? 1 : 0;
	answer->columns[0] = row;
	return answer;
}

/* The plan of a query for what it is to read. */
static SPIPlanPtr
query_plan(DirectoryQuery query, const DirectorySource *source,
		   int nparameters)
{
	static Oid	types[MAX_PARAMETERS] = {TEXTOID, TEXTOID, TEXTOID};
	QueryPlan  *known = &plans[query];
	uint64		generation = source != NULL ? source->generation : 0;
	const char *sql = query_sql(query);

	if (known->plan != NULL && known->generation == generation)
		return known->plan;
	if (known->plan != NULL)
		SPI_freeplan(known->plan);
	known->plan = NULL;
	if (source != NULL)
		sql = directory_source_sql(source, sql);
	known->plan = saved_plan_make(sql, nparameters, types);
	known->generation = generation;
	return known->plan;
}

/* The answer, in "context"; connected to SPI, with the rights to read. */
static const DirectoryAnswer *
execute(DirectoryQuery query, const DirectorySource *source, int nparameters,
		const char **parameters, MemoryContext context)
{
	SPIPlanPtr	plan = query_plan(query, source, nparameters);
	Datum		values[MAX_PARAMETERS];
	DirectoryAnswer *answer;
	MemoryContext old;
	int			i;

	for (i = 0; i < nparameters; i++)
		values[i] = CStringGetTextDatum(parameters[i]);

	/* read only: through the snapshot of the caller's statement */
	if (SPI_execute_plan(plan, values, NULL, true, 2) != SPI_OK_SELECT)
		elog(ERROR, "could not read the directory");

	old = MemoryContextSwitchTo(context);
	answer = palloc0(sizeof(DirectoryAnswer));
	answer->rows = (int) SPI_processed;
	for (i = 0; i < answer->rows; i++)
		answer->columns[i] = copy_row(i, source);
	MemoryContextSwitchTo(old);
	return answer;
}

/* The same with the rights of the source's role. */
static const DirectoryAnswer *
execute_as_role(DirectoryQuery query, const DirectorySource *source,
				int nparameters, const char **parameters,
				MemoryContext context)
{
	const DirectoryAnswer *volatile answer = NULL;
	DirectoryRights saved;

	directory_source_enter(source, &saved);
	statement_cache_lock();
	PG_TRY();
	{
		answer = execute(query, source, nparameters, parameters, context);
	}
	PG_FINALLY();
	{
		statement_cache_unlock();
	}
	PG_END_TRY();
	directory_source_leave(&saved);
	return answer;
}

/* The answer, in "context". */
static const DirectoryAnswer *
run_query(DirectoryQuery query, const DirectorySource *source,
		  int nparameters, const char **parameters, MemoryContext context)
{
	const DirectoryAnswer *answer;

	SPI_connect();
	if (source == NULL)
		answer = execute(query, NULL, nparameters, parameters, context);
	else
		answer = execute_as_role(query, source, nparameters, parameters,
								 context);
	SPI_finish();
	return answer;
}

/*
 * The query and its parameters, none of which contains a zero byte, each
 * ending with one: no two lists of parameters have the same key.
 */
static AnswerKey
answer_key(DirectoryQuery query, int nparameters, const char **parameters)
{
	AnswerKey	key;
	Size		lens[MAX_PARAMETERS];
	char	   *end;
	int			i;

	key.len = 1;
	for (i = 0; i < nparameters; i++)
	{
		lens[i] = strlen(parameters[i]) + 1;
		key.len += lens[i];
	}
	key.bytes = end = palloc(key.len);
	*end++ = (char) query;
	for (i = 0; i < nparameters; i++)
	{
		memcpy(end, parameters[i], lens[i]);
		end += lens[i];
	}
	return key;
}

static AnswerKey
copy_key(AnswerKey key, MemoryContext context)
{
	char	   *bytes = MemoryContextAlloc(context, key.len);

	memcpy(bytes, key.bytes, key.len);
	key.bytes = bytes;
	return key;
}

static uint32
hash_key(const void *key, Size keysize)
{
	const AnswerKey *k = key;

	return hash_bytes((const unsigned char *) k->bytes, (int) k->len);
}

static int
compare_keys(const void *a, const void *b, Size keysize)
{
	const AnswerKey *x = a;
	const AnswerKey *y = b;

	return x->len != y->len || memcmp(x->bytes, y->bytes, x->len) != 0;
}

static HTAB *
make_answers(MemoryContext context)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(AnswerKey);
	control.entrysize = sizeof(AnswerEntry);
	control.hash = hash_key;
	control.match = compare_keys;
	control.hcxt = context;
	return hash_create("provreq directory answers", 64, &control,
					   HASH_ELEM | HASH_FUNCTION | HASH_COMPARE |
					   HASH_CONTEXT);
}

const DirectoryAnswer *
directory_query(DirectoryQuery query, const char *first,
				const char *second, const char *third)
{
	StatementCache *cache = statement_cache();
	const char *parameters[MAX_PARAMETERS] = {first, second, third};
	const DirectorySource *source;
	const DirectoryAnswer *answer;
	AnswerEntry *entry;
	AnswerKey	key;
	int			n = 0;

	while (n < MAX_PARAMETERS && parameters[n] != NULL)
		n++;
	if (cache->answers == NULL)
		cache->answers = make_answers(cache->context);
	key = answer_key(query, n, parameters);
	entry = hash_search(cache->answers, &key, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->answer;

	source = directory_source(query_kind(query));
	answer = source == NULL ? look_up(query, first, cache->context) : NULL;
	if (answer == NULL)
		answer = run_query(query, source, n, parameters, cache->context);
	key = copy_key(key, cache->context);
	entry = hash_search(cache->answers, &key, HASH_ENTER, NULL);
	entry->answer = answer;
	return answer;
}
