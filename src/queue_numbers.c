/*-------------------------------------------------------------------------
 *
 * queue_numbers.c
 *		Numbers for the messages of links that count over restarts.
 *
 * A block is reserved and committed before any of its numbers is used, so
 * that what a crash leaves unused is lost and nothing is used twice.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"

#include "queue.h"
#include "saved_plan.h"

void
queue_reserve_numbers(Queue *queue, const char *link, uint64 *first,
					  uint64 *last, uint64 count)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[5] = {TEXTOID, TEXTOID, INT8OID, INT8OID, INT8OID};
	Datum		values[5];
	bool		isnull;
	int64		next;
	int			result;

	count = Min(count, *last - *first + 1);
	values[0] = CStringGetTextDatum(queue->provider);
	values[1] = CStringGetTextDatum(link);
	values[2] = Int64GetDatum((int64) *first);
	values[3] = Int64GetDatum((int64) *last);
	values[4] = Int64GetDatum((int64) count);
	SPI_connect();
	saved_plan_get(&plan, "WITH again AS ("
				   "UPDATE provreq.link_number l"
				   " SET next_number = CASE"
				   " WHEN l.next_number < $3 OR l.next_number + $5 - 1 > $4"
				   " THEN $3 + $5 ELSE l.next_number + $5 END"
				   " WHERE l.provider = $1 AND l.link = $2"
				   " RETURNING l.next_number), "
				   "begun AS ("
				   "INSERT INTO provreq.link_number"
				   " (provider, link, next_number)"
				   " SELECT $1, $2, $3 + $5"
				   " WHERE NOT EXISTS (SELECT FROM again)"
				   " RETURNING next_number)"
				   " SELECT a.next_number FROM again a"
				   " UNION ALL SELECT b.next_number FROM begun b", 5, types);
	result = SPI_execute_plan(plan, values, NULL, false, 0);
	if (result != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not reserve message numbers");
	next = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
									   SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	*last = (uint64) next - 1;
	*first = (uint64) next - count;
}
