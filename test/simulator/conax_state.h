/*-------------------------------------------------------------------------
 *
 * conax_state.h
 *		What the CAS knows of cards, STBs and what was sent to them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONAX_STATE_H
#define CONAX_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "conax_message.h"

typedef struct Product
{
	char	   *id;
	long long	start;			/* seconds since 1970 */
	long long	end;			/* cancelled from then on; 0: never */
} Product;

typedef struct Card
{
	char	   *id;
	Product    *products;
	size_t		product_count;
	char	   *pin;			/* NULL: the default */
	struct Pairing *pairing;	/* NULL: none */
	unsigned	mails;
	unsigned	barks;
	unsigned	repeated_barks;
	unsigned	fingerprints;
	char	   *last_text;		/* of a mail or bark */
} Card;

typedef struct Module
{
	char	   *id;
	struct Pairing *pairing;
} Module;

typedef struct Pairing
{
	Card	  **cards;
	size_t		card_count;
	Module	  **modules;
	size_t		module_count;
} Pairing;

/* All functions below, and what they return, need this lock. */
extern void state_lock(void);
extern void state_unlock(void);

/* The card or STB; made when it is not there yet. */
extern Card *state_card(const char *id);
extern Module *state_module(const char *id);

/* NULL when it is not there. */
extern Card *state_find_card(const char *id);
extern Module *state_find_module(const char *id);
extern size_t state_card_count(void);

/* Seconds since 1970 of an xs:dateTime with a zone. */
extern long long state_seconds(const char *date_time);

/* "start" of 0 is now, which leaves a product alone that is active already. */
extern void state_add_product(Card *card, const char *id, long long start);
extern void state_cancel_product(Card *card, const char *id, long long end);
extern bool state_product_active(const Product *product);

/*
 * A card and an STB are in one pairing at most: joining one means leaving the
 * other, and a pairing without cards or without STBs is dissolved.
 */
extern Pairing *state_new_pairing(void);
extern void state_join_card(Pairing *pairing, Card *card);
extern void state_join_module(Pairing *pairing, Module *module);

/* Everything about a card in one line of words. */
extern void state_describe_card(const Card *card, Text *line);

/* The same of all cards, each after a tab. */
extern void state_describe_cards(Text *line);

/* Frees everything. */
extern void state_stop(void);

#endif							/* CONAX_STATE_H */
