/*-------------------------------------------------------------------------
 *
 * caller.h
 *		Who calls, as the record names them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_CALLER_H
#define PROVREQ_CALLER_H

/*
 * The user of the session in use, else the role in force when the first
 * SECURITY DEFINER function was called.
 */
extern const char *caller_user(void);

/* The unit of the session in use; NULL when there is none. */
extern const char *caller_unit(void);

/* Until the transaction ends, another user and unit (NULL: none) act. */
extern void caller_set(const char *user, const char *unit);

/* Those who act now will again after the AtEOXact_GUC of this nest level. */
extern void caller_save(void);

#endif							/* PROVREQ_CALLER_H */
