/*-------------------------------------------------------------------------
 *
 * runner_chunk.h
 *		A chunk of a run, and how it becomes requests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_RUNNER_CHUNK_H
#define PROVREQ_RUNNER_CHUNK_H

/* The first half is given, the second what has become of it. */
typedef struct Chunk
{
	int64		run;
	int64		position;
	char	   *owner;			/* the role that makes the requests */
	char	   *user;			/* whom they name as their creator */
	char	   *unit;			/* of that user, or NULL */
	char	   *statement;
	Datum		parameters;
	Datum		provider;
	Datum		process_name;
	Datum	   *cards;
	int			ncards;

	int64		created;
	int64		first_number;	/* of the requests; 0 = none yet */
	int64		last_number;
	int			nerrors;
	Datum	   *error_positions;
	Datum	   *error_cards;
	Datum	   *error_codes;
	Datum	   *error_texts;
	char	   *fatal;			/* why the whole run cannot go on, or NULL */
} Chunk;

/*
 * Makes the requests of the cards, in order, inside the caller's transaction
 * and SPI connection; notes the cards that cannot be made into any.  With
 * "fatal" set, nothing was made.  Errors that say nothing of the cards, such
 * as a lack of memory, fly.
 */
extern void runner_chunk_make(Chunk *chunk);

#endif							/* PROVREQ_RUNNER_CHUNK_H */
