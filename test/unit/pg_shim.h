/*-------------------------------------------------------------------------
 *
 * pg_shim.h
 *		The few server functions that our pure sources call, so that unit
 *		tests and fuzzers link them without a server.
 *
 * A program calls pg_shim_init first.  An ERROR jumps to the innermost
 * PG_TRY or to PG_exception_stack, as in the server; without either, and for
 * anything above ERROR, the program aborts.  What is below ERROR is dropped.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PG_SHIM_H
#define PG_SHIM_H

/* Makes TopMemoryContext and the current one. */
extern void pg_shim_init(void);

/* Code, message and hint of the last error; "" where there is none. */
extern int	pg_shim_error_code(void);
extern const char *pg_shim_error_message(void);
extern const char *pg_shim_error_hint(void);

/* Blocks allocated and not freed. */
extern long pg_shim_blocks(void);

#endif							/* PG_SHIM_H */
