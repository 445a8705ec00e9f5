/*-------------------------------------------------------------------------
 *
 * conax_cas.c
 *		What the CAS does with a valid request.
 *
 * Everything but a text or fingerprint on a screen can be repeated without
 * changing anything more.
 *
 *-------------------------------------------------------------------------
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conax_cas.h"
#include "conax_state.h"
#include "table.h"

static CasRules rules;
static Table known_cards;
static unsigned epoch;			/* makes references differ between starts */
static atomic_ullong references;

/* ------------------------------------------------------------------------
 * Who is known
 * ------------------------------------------------------------------------
 */
static bool
read_known_cards(const char *path)
{
	FILE	   *file = fopen(path, "r");
	char		line[256];

	if (file == NULL)
		return false;
	while (fgets(line, sizeof(line), file) != NULL)
	{
		char	   *id;

		line[strcspn(line, " \t\r\n")] = '\0';
		if (line[0] == '\0' || table_find(&known_cards, line) != NULL)
			continue;
		id = must_copy(line);
		table_add(&known_cards, id, id);
	}
	fclose(file);
	return true;
}

bool
cas_start(const CasRules *given)
{
	struct timespec now;

	rules = *given;
	clock_gettime(CLOCK_REALTIME, &now);
	epoch = (unsigned) (now.tv_sec * 1000 + now.tv_nsec / 1000000);
	return rules.known_cards == NULL || read_known_cards(rules.known_cards);
}

static bool
has_prefix(const char *s, const char *prefix)
{
	return prefix != NULL && strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool
card_is_known(const char *id)
{
	if (rules.known_cards == NULL && rules.known_prefix == NULL)
		return true;
	return has_prefix(id, rules.known_prefix) ||
		table_find(&known_cards, id) != NULL;
}

static bool
operation_is_available(const Operation *operation)
{
	size_t		i;

	for (i = 0; i < rules.without_count; i++)
	{
		if (strcmp(rules.without[i], operation->name) == 0)
			return false;
	}
	return true;
}

/* ------------------------------------------------------------------------
 * Answers
 * ------------------------------------------------------------------------
 */
static void
make_reference(unsigned long long number, char *reference, size_t size)
{
	snprintf(reference, size, "CWS-%08X-%08llu", epoch, number);
}

void
cas_previous_reference(char *reference, size_t size)
{
	unsigned long long given = atomic_load(&references);

	make_reference(given > 0 ? given - 1 : 0, reference, size);
}

static void
accept_request(CasAnswer *answer)
{
	strcpy(answer->code, "OK");
	strcpy(answer->explanation, "Request accepted");
	make_reference(atomic_fetch_add(&references, 1) + 1, answer->reference,
				   sizeof(answer->reference));
}

static void
refuse_request(CasAnswer *answer, const char *code, const char *why,
			   const char *what)
{
	snprintf(answer->code, sizeof(answer->code), "%s", code);
	snprintf(answer->explanation, sizeof(answer->explanation), "%s%s", why,
			 what);
}

void
cas_pretend(const char *code, CasAnswer *answer)
{
	memset(answer, 0, sizeof(*answer));
	if (strcmp(code, "OK") == 0)
		accept_request(answer);
	else
		refuse_request(answer, code, "Request refused: ", code);
}

/* Is there a reason to refuse?  Then nothing of the request is done. */
static bool
refuse_if_wrong(const Message *message, CasAnswer *answer)
{
	size_t		i;

	if (!operation_is_available(message->operation))
	{
		refuse_request(answer, "FEATURE_NOT_AVAILABLE",
					   "This CAS does not offer ", message->operation->name);
		return true;
	}
	for (i = 0; i < message->cards.count; i++)
	{
		const char *id = message->cards.ids[i];

		if (has_prefix(id, rules.unmanaged_prefix))
			refuse_request(answer, "CLIENT_NOT_MANAGED_BY_SMS",
						   "Not managed by this SMS: client ", id);
		else if (!card_is_known(id))
			refuse_request(answer, "CLIENT_NOT_FOUND", "No client ", id);
		else
			continue;
		return true;
	}
	return false;
}

/* ------------------------------------------------------------------------
 * Queries
 * ------------------------------------------------------------------------
 */
static void
add_element(Text *text, const char *name, const char *value)
{
	text_addf(text, "<o:%s>", name);
	text_add_xml(text, value);
	text_addf(text, "</o:%s>", name);
}

static void
list_active(const Card *card, Text *data)
{
	size_t		i;

	text_add(data, "<o:ActiveSubscriptions>");
	for (i = 0; card != NULL && i < card->product_count; i++)
	{
		const Product *product = &card->products[i];
		time_t		start = (time_t) product->start;
		char		instant[40];
		struct tm	tm;

		if (!state_product_active(product))
			continue;
		strftime(instant, sizeof(instant), "%Y-%m-%dT%H:%M:%SZ",
				 gmtime_r(&start, &tm));
		text_add(data, "<o:ActiveSubscription>");
		add_element(data, "ProductId", product->id);
		add_element(data, "StartTime", instant);
		text_add(data, "</o:ActiveSubscription>");
	}
	text_add(data, "</o:ActiveSubscriptions>");
}

static void
list_pairing(const Pairing *pairing, Text *data)
{
	size_t		i;

	if (pairing == NULL)
	{
		text_add(data, "<o:Pairings/>");
		return;
	}
	text_add(data, "<o:Pairings><o:Pairing><o:CaClientIds>");
	for (i = 0; i < pairing->card_count; i++)
		add_element(data, "CaClientId", pairing->cards[i]->id);
	text_add(data, "</o:CaClientIds><o:PairingModuleIds>");
	for (i = 0; i < pairing->module_count; i++)
		add_element(data, "PairingModuleId", pairing->modules[i]->id);
	text_add(data, "</o:PairingModuleIds></o:Pairing></o:Pairings>");
}

/* ------------------------------------------------------------------------
 * Changes
 * ------------------------------------------------------------------------
 */
static void
change_products(const Message *message, Card *card)
{
	long long	when = 0;
	size_t		i;

	if (message->start_time != NULL)
		when = state_seconds(message->start_time);
	for (i = 0; i < message->products.count; i++)
	{
		if (message->operation->action == ADD_SUBSCRIPTIONS)
			state_add_product(card, message->products.ids[i], when);
		else
			state_cancel_product(card, message->products.ids[i], when);
	}
}

static void
join_all(Pairing *pairing, const Message *message)
{
	size_t		i;

	for (i = 0; i < message->cards.count; i++)
		state_join_card(pairing, state_card(message->cards.ids[i]));
	for (i = 0; i < message->modules.count; i++)
		state_join_module(pairing, state_module(message->modules.ids[i]));
}

static void
set_string(char **where, const char *value)
{
	free(*where);
	*where = value ? must_copy(value) : NULL;
}

/* What is done to each card of a request that has a list of them. */
static void
change_card(const Message *message, Card *card)
{
	switch (message->operation->action)
	{
		case ADD_SUBSCRIPTIONS:
		case CANCEL_SUBSCRIPTIONS:
			change_products(message, card);
			return;
		case DISPLAY_FINGERPRINT:
			card->fingerprints++;
			return;
		case UPDATE_CA_PIN_TO_DEFAULT_VALUE:
		case UPDATE_CA_PIN_TO_GIVEN_VALUE:
			set_string(&card->pin, message->pin);
			return;
		case SEND_MAIL_MESSAGE_TO_CLIENTS:
			card->mails++;
			break;
		case SEND_BARK_MESSAGE_TO_CLIENTS:
			card->barks++;
			break;
		case SEND_REPEATING_BARK_MESSAGE_TO_CLIENTS:
			card->repeated_barks++;
			break;
		default:
			return;
	}
	set_string(&card->last_text, message->text);
}

static void
add_to_pairing(const Message *message, CasAnswer *answer)
{
	const Card *existing = state_find_card(message->cards.ids[0]);

	if (existing == NULL || existing->pairing == NULL)
	{
		refuse_request(answer, "INPUT_VALIDATION_ERROR",
					   "In no pairing: client ", message->cards.ids[0]);
		return;
	}
	join_all(existing->pairing, message);
	accept_request(answer);
}

/* The operations that are not the same for each card; false: it is. */
static bool
act_on_whole(const Message *message, CasAnswer *answer)
{
	const Card *card;
	const Module *module;

	switch (message->operation->action)
	{
		case GET_ACTIVE_SUBSCRIPTIONS:
			list_active(state_find_card(message->cards.ids[0]), &answer->data);
			break;
		case GET_PAIRING_STATUS_FOR_CARD:
			card = state_find_card(message->cards.ids[0]);
			list_pairing(card ? card->pairing : NULL, &answer->data);
			break;
		case GET_PAIRING_STATUS_FOR_PAIRING_MODULE:
			module = state_find_module(message->modules.ids[0]);
			list_pairing(module ? module->pairing : NULL, &answer->data);
			break;
		case CREATE_PAIRING:
			join_all(state_new_pairing(), message);
			break;
		case ADD_TO_EXISTING_PAIRING:
			add_to_pairing(message, answer);
			return true;
		default:
			return false;
	}
	accept_request(answer);
	return true;
}

/* Can only be short of something when nothing was validated. */
static bool
is_complete(const Message *message)
{
	switch (message->operation->action)
	{
		case GET_PAIRING_STATUS_FOR_PAIRING_MODULE:
			return message->modules.count > 0;
		case CREATE_PAIRING:
		case ADD_TO_EXISTING_PAIRING:
			return message->cards.count > 0 && message->modules.count > 0;
		default:
			return message->cards.count > 0;
	}
}

void
cas_carry_out(const Message *message, CasAnswer *answer)
{
	size_t		i;

	memset(answer, 0, sizeof(*answer));
	if (!is_complete(message))
	{
		refuse_request(answer, "INPUT_VALIDATION_ERROR", "Incomplete: ",
					   message->operation->name);
		return;
	}
	if (refuse_if_wrong(message, answer))
		return;
	state_lock();
	if (!act_on_whole(message, answer))
	{
		for (i = 0; i < message->cards.count; i++)
			change_card(message, state_card(message->cards.ids[i]));
		accept_request(answer);
	}
	state_unlock();
	answer->carried_out = strcmp(answer->code, "OK") == 0;
}
