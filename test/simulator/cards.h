/*-------------------------------------------------------------------------
 *
 * cards.h
 *		What a CAS over links knows of its cards.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_CARDS_H
#define SIMULATOR_CARDS_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

#define CARD_WORD 16
#define PIN_MARK 17

typedef struct CardRules
{
	const char *known_cards;	/* a file, one a line; NULL: all are known */
	const char *known_products;
	const char *unknown_prefix; /* cards that begin so are not; NULL: none */
} CardRules;

/* False, with errno: a file cannot be read. */
extern bool cards_start(const CardRules *rules);
extern void cards_stop(void);

extern bool card_is_known(const char *id);
extern bool product_is_known(const char *id);

/* Dates are YYYYMMDD. */
extern void card_add_product(const char *id, const char *product,
							 const char *begin, const char *end);
extern void card_cancel_product(const char *id, const char *product);

/* stb "": none. */
extern void card_pair(const char *id, const char *stb);

/* A mark that stands for a PIN: the same for the same PIN. */
extern void pin_mark(const char *pin, char mark[PIN_MARK]);

/* "default", "none", or the mark of a PIN. */
extern void card_set_pin(const char *id, const char *mark);
extern void card_reauthorise(const char *id);
extern size_t card_count(void);

/* Everything about a card in one line of words; false: nothing was done. */
extern bool card_describe(const char *id, Text *line);

/* The same of all cards, each after a tab. */
extern void cards_describe(Text *line);

#endif							/* SIMULATOR_CARDS_H */
