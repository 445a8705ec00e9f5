/*-------------------------------------------------------------------------
 *
 * runner_chunk.c
 *		A chunk of a run, and how it becomes requests.
 *
 * Requests are made as the role that owns the run, which calls the same SQL
 * functions as anybody else.  All cards are tried in one statement; when that
 * fails, each half is, and so on until the card at fault is alone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/resowner.h"

#include "caller.h"
#include "runner_chunk.h"
#include "subtransaction.h"

static int64
result(int number)
{
	bool		isnull;

	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
									   SPI_tuptable->tupdesc, number,
									   &isnull));
}

/*
 * Makes the rest of the current subtransaction, or up to AtEOXact_GUC of the
 * returned level, run as the owner: as the session's user, so that the record
 * names him, and without a way back for whatever is called.
 */
static int
become_owner(const char *owner)
{
	int			level = NewGUCNestLevel();
	Oid			user;
	int			context;

	(void) set_config_option("session_authorization", owner, PGC_SUSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(user, context | SECURITY_LOCAL_USERID_CHANGE);
	return level;
}

static void
become_worker_again(int level)
{
	Oid			user;
	int			context;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(user, context & ~SECURITY_LOCAL_USERID_CHANGE);
	AtEOXact_GUC(true, level);
}

/* One statement for some of the cards; errors fly. */
static void
create(Chunk *chunk, int from, int n)
{
	static Oid	types[5] = {TEXTARRAYOID, JSONBOID, TEXTOID, TEXTOID,
	TEXTOID};
	Datum		values[5];
	int			level = become_owner(chunk->owner);
	int64		count;

	values[0] =
		PointerGetDatum(construct_array(chunk->cards + from, n, TEXTOID, -1,
										false, TYPALIGN_INT));
	values[1] = chunk->parameters;
	values[2] = chunk->provider;
	values[3] = chunk->process_name;
	values[4] = CStringGetTextDatum(psprintf(INT64_FORMAT, chunk->run));
	if (SPI_execute_with_args(chunk->statement, 5, types, values, NULL,
							  false, 0) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not make requests");
	become_worker_again(level);
	count = result(1);
	if (count == 0)
		return;
	chunk->created += count;
	if (chunk->first_number == 0)
		chunk->first_number = result(2);
	chunk->last_number = result(3);
}

/*
 * Errors that say nothing of the card: the chunk is tried again later.  One
 * of them is that the provider has just been made not effective.
 */
static bool
is_passing(int code)
{
	return ERRCODE_TO_CATEGORY(code) == ERRCODE_INSUFFICIENT_RESOURCES ||
		ERRCODE_TO_CATEGORY(code) == ERRCODE_OPERATOR_INTERVENTION ||
		ERRCODE_TO_CATEGORY(code) == ERRCODE_TRANSACTION_ROLLBACK ||
		ERRCODE_TO_CATEGORY(code) == ERRCODE_SYSTEM_ERROR ||
		code == ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION ||
		code == ERRCODE_LOCK_NOT_AVAILABLE;
}

/* Errors that every card of the run would have. */
static bool
is_fatal(int code)
{
	return code == ERRCODE_INSUFFICIENT_PRIVILEGE ||
		code == ERRCODE_UNDEFINED_FUNCTION ||
		code == ERRCODE_UNDEFINED_OBJECT;
}

static void
note_error(Chunk *chunk, int card, const ErrorData *error)
{
	int			n = chunk->nerrors++;

	chunk->error_positions[n] = Int64GetDatum(chunk->position + card);
	chunk->error_cards[n] = chunk->cards[card];
	chunk->error_codes[n] =
		CStringGetTextDatum(unpack_sql_state(error->sqlerrcode));
	chunk->error_texts[n] =
		CStringGetTextDatum(error->message ? error->message : "");
}

/* Some of the cards of a chunk. */
typedef struct Some
{
	Chunk	   *chunk;
	int			from;
	int			n;
} Some;

static void
do_create(void *arg)
{
	Some	   *some = arg;

	create(some->chunk, some->from, some->n);
}

/*
 * Tries some of the cards in a subtransaction.  Returns NULL, or the error
 * that it ended with, nothing of it being left.
 */
static ErrorData *
try_create(Chunk *chunk, int from, int n)
{
	Some		some = {chunk, from, n};
	Chunk		before = *chunk;
	ErrorData  *error = subtransaction_try(do_create, &some,
										   SUBTRANSACTION_KEEP);

	if (error != NULL)
		*chunk = before;
	return error;
}

/*
 * Makes the requests of some of the cards, in order; notes the cards that
 * cannot be made into any.  Stops at what concerns the whole run.
 */
static void
create_some(Chunk *chunk, int from, int n)
{
	ErrorData  *error;

	if (chunk->fatal || n == 0)
		return;
	error = try_create(chunk, from, n);
	if (error == NULL)
		return;
	if (is_passing(error->sqlerrcode))
		ReThrowError(error);
	if (is_fatal(error->sqlerrcode))
		chunk->fatal = error->message;
	else if (n == 1)
		note_error(chunk, from, error);
	else
	{
		create_some(chunk, from, n / 2);
		create_some(chunk, from + n / 2, n - n / 2);
	}
}

void
runner_chunk_make(Chunk *chunk)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	caller_set(chunk->user, chunk->unit);
	create_some(chunk, 0, chunk->ncards);
	if (chunk->fatal)
		RollbackAndReleaseCurrentSubTransaction();
	else
		ReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
}
