/*-------------------------------------------------------------------------
 *
 * cards.c
 *		What a CAS over links knows of its cards.
 *
 *-------------------------------------------------------------------------
 */
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cards.h"
#include "table.h"

typedef struct Product
{
	char		id[CARD_WORD];
	char		begin[9];
	char		end[9];
} Product;

typedef struct Card
{
	char		id[CARD_WORD];
	Product    *products;		/* in the order of their ids */
	size_t		product_count;
	char		stb[CARD_WORD]; /* "": none */
	char		pin[PIN_MARK];	/* "": never set */
	unsigned	reauthorised;	/* so many times */
} Card;

static Table cards;
static Table known_cards;
static Table known_products;
static CardRules rules;

/* The lines of a file become keys; they live as long as the program. */
static bool
read_names(const char *path, Table *names)
{
	FILE	   *file = fopen(path, "r");
	char		line[256];

	if (file == NULL)
		return false;
	while (fgets(line, sizeof(line), file) != NULL)
	{
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] != '\0' && table_find(names, line) == NULL)
		{
			char	   *name = must_copy(line);

			table_add(names, name, name);
		}
	}
	fclose(file);
	return true;
}

bool
cards_start(const CardRules *given)
{
	rules = *given;
	return (rules.known_cards == NULL ||
			read_names(rules.known_cards, &known_cards)) &&
		(rules.known_products == NULL ||
		 read_names(rules.known_products, &known_products));
}

bool
card_is_known(const char *id)
{
	if (rules.unknown_prefix != NULL &&
		strncmp(id, rules.unknown_prefix, strlen(rules.unknown_prefix)) == 0)
		return false;
	return rules.known_cards == NULL || table_find(&known_cards, id) != NULL;
}

bool
product_is_known(const char *id)
{
	return rules.known_products == NULL ||
		table_find(&known_products, id) != NULL;
}

/* Made when it is not there yet. */
static Card *
get_card(const char *id)
{
	Card	   *card = table_find(&cards, id);

	if (card == NULL)
	{
		card = must_alloc(sizeof(Card));
		snprintf(card->id, sizeof(card->id), "%s", id);
		table_add(&cards, card->id, card);
	}
	return card;
}

/* Where the product is, or belongs. */
static size_t
find_product(const Card *card, const char *product)
{
	size_t		i = 0;

	while (i < card->product_count &&
		   strcmp(card->products[i].id, product) < 0)
		i++;
	return i;
}

static bool
is_product_at(const Card *card, size_t i, const char *product)
{
	return i < card->product_count &&
		strcmp(card->products[i].id, product) == 0;
}

void
card_add_product(const char *id, const char *product, const char *begin,
				 const char *end)
{
	Card	   *card = get_card(id);
	size_t		i = find_product(card, product);

	if (!is_product_at(card, i, product))
	{
		size_t		room = (card->product_count + 1) * sizeof(Product);

		card->products = must_resize(card->products, room);
		memmove(&card->products[i + 1], &card->products[i],
				(card->product_count - i) * sizeof(Product));
		card->product_count++;
		snprintf(card->products[i].id, CARD_WORD, "%s", product);
	}
	snprintf(card->products[i].begin, sizeof(card->products[i].begin), "%s",
			 begin);
	snprintf(card->products[i].end, sizeof(card->products[i].end), "%s", end);
}

void
card_cancel_product(const char *id, const char *product)
{
	Card	   *card = get_card(id);
	size_t		i = find_product(card, product);

	if (!is_product_at(card, i, product))
		return;
	card->product_count--;
	memmove(&card->products[i], &card->products[i + 1],
			(card->product_count - i) * sizeof(Product));
}

void
card_pair(const char *id, const char *stb)
{
	Card	   *card = get_card(id);

	snprintf(card->stb, sizeof(card->stb), "%s", stb);
}

void
pin_mark(const char *pin, char mark[PIN_MARK])
{
	unsigned char digest[32];
	size_t		i;

	gnutls_hash_fast(GNUTLS_DIG_SHA256, pin, strlen(pin), digest);
	for (i = 0; i < (PIN_MARK - 1) / 2; i++)
		snprintf(mark + 2 * i, 3, "%02x", digest[i]);
}

void
card_set_pin(const char *id, const char *mark)
{
	Card	   *card = get_card(id);

	snprintf(card->pin, sizeof(card->pin), "%s", mark);
}

void
card_reauthorise(const char *id)
{
	get_card(id)->reauthorised++;
}

size_t
card_count(void)
{
	return cards.count;
}

static void
describe(const Card *card, Text *line)
{
	size_t		i;

	text_addf(line, "card=%s products=", card->id);
	for (i = 0; i < card->product_count; i++)
		text_addf(line, "%s%s:%s-%s", i ? "," : "", card->products[i].id,
				  card->products[i].begin, card->products[i].end);
	text_addf(line, "%s pin=%s pairing=%s reauthorised=%u",
			  card->product_count == 0 ? "-" : "",
			  card->pin[0] != '\0' ? card->pin : "-",
			  card->stb[0] != '\0' ? card->stb : "-", card->reauthorised);
}

bool
card_describe(const char *id, Text *line)
{
	const Card *card = table_find(&cards, id);

	if (card == NULL)
		return false;
	describe(card, line);
	return true;
}

void
cards_describe(Text *line)
{
	size_t		i;

	for (i = 0; i < cards.size; i++)
	{
		if (cards.entries[i].key == NULL)
			continue;
		text_add(line, "\t");
		describe(cards.entries[i].value, line);
	}
}

static void
free_names(Table *names)
{
	size_t		i;

	for (i = 0; i < names->size; i++)
		free(names->entries[i].value);
	free(names->entries);
}

void
cards_stop(void)
{
	size_t		i;

	for (i = 0; i < cards.size; i++)
	{
		if (cards.entries[i].key != NULL)
			free(((Card *) cards.entries[i].value)->products);
	}
	free_names(&cards);
	free_names(&known_cards);
	free_names(&known_products);
}
