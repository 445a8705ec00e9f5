/*-------------------------------------------------------------------------
 *
 * statement_text.h
 *		Keeping secrets out of what the server shows and logs of a statement.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_STATEMENT_TEXT_H
#define PROVREQ_STATEMENT_TEXT_H

/*
 * Takes the running statement's text out of what the server shows and logs
 * of it from now on: it may hold a secret.  The SQL function, of schema
 * provreq, is named in its stead.
 */
extern void statement_text_hide(const char *function);

#endif							/* PROVREQ_STATEMENT_TEXT_H */
