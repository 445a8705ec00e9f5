/*-------------------------------------------------------------------------
 *
 * tap.h
 *		What the unit tests inside of a server say: TAP.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TAP_H
#define TAP_H

/* The file that the following goes into, and its end. */
extern void tap_open(const char *path);
extern void tap_close(void);

/* One line of TAP; returns passed. */
extern bool ok(bool passed, const char *name,...) pg_attribute_printf(2, 3);

/* Comments a result. */
extern void note(const char *format,...) pg_attribute_printf(1, 2);

/* Equal texts, both or neither NULL; says what came when they are not. */
extern bool is(const char *got, const char *expected, const char *name);

/* Has the text this piece in it? */
extern bool has(const char *got, const char *piece, const char *name);

/* Calls function(arg) and returns the error that it raises, or NULL. */
extern ErrorData *error_of(void (*function) (void *arg), void *arg);

/*
 * Raises function(arg) an error with that SQLSTATE and these pieces in its
 * message and, unless NULL, its hint?
 */
extern void throws(void (*function) (void *arg), void *arg, int sqlerrcode,
				   const char *message, const char *hint, const char *name);

#endif							/* TAP_H */
