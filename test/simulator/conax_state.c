/*-------------------------------------------------------------------------
 *
 * conax_state.c
 *		What the CAS knows of cards, STBs and what was sent to them.
 *
 *-------------------------------------------------------------------------
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conax_state.h"
#include "table.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Table cards;				/* lock */
static Table modules;			/* lock */

void
state_lock(void)
{
	pthread_mutex_lock(&lock);
}

void
state_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

Card *
state_find_card(const char *id)
{
	return table_find(&cards, id);
}

Module *
state_find_module(const char *id)
{
	return table_find(&modules, id);
}

size_t
state_card_count(void)
{
	return cards.count;
}

Card *
state_card(const char *id)
{
	Card	   *card = state_find_card(id);

	if (card == NULL)
	{
		card = must_alloc(sizeof(Card));
		card->id = must_copy(id);
		table_add(&cards, card->id, card);
	}
	return card;
}

Module *
state_module(const char *id)
{
	Module	   *module = state_find_module(id);

	if (module == NULL)
	{
		module = must_alloc(sizeof(Module));
		module->id = must_copy(id);
		table_add(&modules, module->id, module);
	}
	return module;
}

/* ------------------------------------------------------------------------
 * Products
 * ------------------------------------------------------------------------
 */
long long
state_seconds(const char *date_time)
{
	struct tm	tm = {0};
	char		sign = '+';
	int			hours = 0;
	int			minutes = 0;
	int			end = 0;
	long long	seconds;

	sscanf(date_time, "%d-%d-%dT%d:%d:%d%n", &tm.tm_year, &tm.tm_mon,
		   &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end);
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	seconds = (long long) timegm(&tm);
	date_time += end;
	if (*date_time == '.')
		date_time += 1 + strspn(date_time + 1, "0123456789");
	if (sscanf(date_time, "%c%d:%d", &sign, &hours, &minutes) != 3)
		return seconds;
	if (sign == '-')
		return seconds + hours * 3600 + minutes * 60;
	return seconds - hours * 3600 - minutes * 60;
}

static Product *
find_product(Card *card, const char *id)
{
	size_t		i;

	for (i = 0; i < card->product_count; i++)
	{
		if (strcmp(card->products[i].id, id) == 0)
			return &card->products[i];
	}
	return NULL;
}

void
state_add_product(Card *card, const char *id, long long start)
{
	Product    *product = find_product(card, id);

	if (product == NULL)
	{
		size_t		size = (card->product_count + 1) * sizeof(Product);

		card->products = must_resize(card->products, size);
		product = &card->products[card->product_count++];
		product->id = must_copy(id);
		product->start = start != 0 ? start : (long long) time(NULL);
	}
	else if (start != 0)
		product->start = start;
	else if (!state_product_active(product))
		product->start = (long long) time(NULL);
	product->end = 0;
}

void
state_cancel_product(Card *card, const char *id, long long end)
{
	Product    *product = find_product(card, id);

	if (product == NULL)
		return;
	if (end > (long long) time(NULL))
	{
		product->end = end;
		return;
	}
	free(product->id);
	*product = card->products[--card->product_count];
}

bool
state_product_active(const Product *product)
{
	long long	now = (long long) time(NULL);

	return product->start <= now && (product->end == 0 || product->end > now);
}

/* ------------------------------------------------------------------------
 * Pairings
 * ------------------------------------------------------------------------
 */
Pairing *
state_new_pairing(void)
{
	return must_alloc(sizeof(Pairing));
}

/* Lets go of all members and of the pairing itself. */
static void
dissolve(Pairing *pairing)
{
	size_t		i;

	for (i = 0; i < pairing->card_count; i++)
		pairing->cards[i]->pairing = NULL;
	for (i = 0; i < pairing->module_count; i++)
		pairing->modules[i]->pairing = NULL;
	free(pairing->cards);
	free(pairing->modules);
	free(pairing);
}

static void
leave_card(Card *card)
{
	Pairing    *pairing = card->pairing;
	size_t		i;

	for (i = 0; pairing->cards[i] != card;)
		i++;
	pairing->cards[i] = pairing->cards[--pairing->card_count];
	card->pairing = NULL;
	if (pairing->card_count == 0)
		dissolve(pairing);
}

static void
leave_module(Module *module)
{
	Pairing    *pairing = module->pairing;
	size_t		i;

	for (i = 0; pairing->modules[i] != module;)
		i++;
	pairing->modules[i] = pairing->modules[--pairing->module_count];
	module->pairing = NULL;
	if (pairing->module_count == 0)
		dissolve(pairing);
}

void
state_join_card(Pairing *pairing, Card *card)
{
	if (card->pairing == pairing)
		return;
	if (card->pairing != NULL)
		leave_card(card);
	pairing->cards = must_resize(pairing->cards,
								 (pairing->card_count + 1) * sizeof(Card *));
	pairing->cards[pairing->card_count++] = card;
	card->pairing = pairing;
}

void
state_join_module(Pairing *pairing, Module *module)
{
	size_t		size = (pairing->module_count + 1) * sizeof(Module *);

	if (module->pairing == pairing)
		return;
	if (module->pairing != NULL)
		leave_module(module);
	pairing->modules = must_resize(pairing->modules, size);
	pairing->modules[pairing->module_count++] = module;
	module->pairing = pairing;
}

/* ------------------------------------------------------------------------
 * Telling, and forgetting
 * ------------------------------------------------------------------------
 */
static int
compare_products(const void *a, const void *b)
{
	return strcmp(((const Product *) a)->id, ((const Product *) b)->id);
}

/* The active products, in order. */
static void
describe_products(const Card *card, Text *line)
{
	const char *separator = "";
	size_t		i;

	if (card->product_count > 0)
		qsort(card->products, card->product_count, sizeof(Product),
			  compare_products);
	for (i = 0; i < card->product_count; i++)
	{
		if (!state_product_active(&card->products[i]))
			continue;
		text_addf(line, "%s%s", separator, card->products[i].id);
		separator = ",";
	}
	if (separator[0] == '\0')
		text_add(line, "-");
}

static void
describe_pairing(const Pairing *pairing, Text *line)
{
	size_t		i;

	if (pairing == NULL)
	{
		text_add(line, "-");
		return;
	}
	for (i = 0; i < pairing->card_count; i++)
		text_addf(line, "%s%s", i ? "," : "", pairing->cards[i]->id);
	for (i = 0; i < pairing->module_count; i++)
		text_addf(line, "%s%s", i ? "," : "/", pairing->modules[i]->id);
}

void
state_describe_card(const Card *card, Text *line)
{
	text_addf(line, "card=%s products=", card->id);
	describe_products(card, line);
	text_addf(line, " pin=%s pairing=", card->pin ? card->pin : "default");
	describe_pairing(card->pairing, line);
	text_addf(line, " mails=%u barks=%u repeated_barks=%u fingerprints=%u",
			  card->mails, card->barks, card->repeated_barks,
			  card->fingerprints);
	text_addf(line, " last_text=%s", card->last_text ? card->last_text : "-");
}

void
state_describe_cards(Text *line)
{
	size_t		i;

	for (i = 0; i < cards.size; i++)
	{
		if (cards.entries[i].key == NULL)
			continue;
		text_add(line, "\t");
		state_describe_card(cards.entries[i].value, line);
	}
}

static void
free_card(Card *card)
{
	size_t		i;

	if (card->pairing != NULL)
		dissolve(card->pairing);
	for (i = 0; i < card->product_count; i++)
		free(card->products[i].id);
	free(card->products);
	free(card->pin);
	free(card->last_text);
	free(card->id);
	free(card);
}

void
state_stop(void)
{
	size_t		i;

	for (i = 0; i < cards.size; i++)
	{
		if (cards.entries[i].key != NULL)
			free_card(cards.entries[i].value);
	}
	for (i = 0; i < modules.size; i++)
	{
		Module	   *module = modules.entries[i].value;

		if (module != NULL)
		{
			free(module->id);
			free(module);
		}
	}
	free(cards.entries);
	free(modules.entries);
}
