/*-------------------------------------------------------------------------
 *
 * session.c
 *		Sessions of the CRM: a token stands for a user and a unit.
 *
 * A token is a secret like a password.  The table has its hash alone, and the
 * statements that carry it are not shown.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "caller.h"
#include "statement_text.h"

PG_FUNCTION_INFO_V1(provreq_new_token);
PG_FUNCTION_INFO_V1(provreq_use_session);
PG_FUNCTION_INFO_V1(provreq_close_session);

/* provreq.new_token(): 32 upper-case hexadecimal digits, all random. */
Datum
provreq_new_token(PG_FUNCTION_ARGS)
{
	static const char digits[] = "0123456789ABCDEF";
	uint8		bytes[16];
	char		token[33];
	int			i;

	if (!pg_strong_random(bytes, sizeof(bytes)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	for (i = 0; i < 16; i++)
	{
		token[2 * i] = digits[bytes[i] >> 4];
		token[2 * i + 1] = digits[bytes[i] & 0x0f];
	}
	token[32] = '\0';
	PG_RETURN_TEXT_P(cstring_to_text(token));
}

/* Runs a statement whose only parameter is the token. */
static void
execute(const char *sql, Datum token)
{
	Oid			types[1] = {TEXTOID};

	if (SPI_execute_with_args(sql, 1, types, &token, NULL, false, 1) < 0)
		elog(ERROR, "could not read provreq.session");
}

/* Raises unless the token is that of an open session. */
static void
use_session(Datum token)
{
	HeapTuple	row;

	SPI_connect();
	execute("SELECT s.username, s.unit FROM provreq.session s"
			" JOIN provreq.crm_user u ON u.username = s.username"
			" WHERE s.token_hash = pg_catalog.sha256("
			" pg_catalog.convert_to($1, 'UTF8'))"
			" AND s.expires_date > pg_catalog.clock_timestamp()", token);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("parameter \"token\" is not the token of an open "
						"session"),
				 errhint("Open a session with provreq.open_session().")));
	row = SPI_tuptable->vals[0];
	caller_set(SPI_getvalue(row, SPI_tuptable->tupdesc, 1),
			   SPI_getvalue(row, SPI_tuptable->tupdesc, 2));
	SPI_finish();
}

/*
 * provreq.use_session(token): until the transaction ends, its user and unit
 * act; without a token, nobody but the role itself.
 */
Datum
provreq_use_session(PG_FUNCTION_ARGS)
{
	statement_text_hide("use_session");
	if (PG_ARGISNULL(0))
		caller_set(NULL, NULL);
	else
		use_session(PG_GETARG_DATUM(0));
	PG_RETURN_VOID();
}

/* provreq.close_session(token): whether there was such a session. */
Datum
provreq_close_session(PG_FUNCTION_ARGS)
{
	bool		closed;

	statement_text_hide("close_session");
	SPI_connect();
	execute("DELETE FROM provreq.session s"
			" WHERE s.token_hash = pg_catalog.sha256("
			" pg_catalog.convert_to($1, 'UTF8'))"
			" AND s.expires_date > pg_catalog.clock_timestamp()"
			" RETURNING true", PG_GETARG_DATUM(0));
	closed = SPI_processed > 0;
	SPI_finish();
	PG_RETURN_BOOL(closed);
}
