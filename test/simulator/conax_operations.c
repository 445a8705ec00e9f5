/*-------------------------------------------------------------------------
 *
 * conax_operations.c
 *		The operations that the CAS offers, and where.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "conax_message.h"

#define AUTHORIZATION "authorization", "client/authorization"
#define PAIRING "pairing", "client/pairing"
#define FINGERPRINT "fingerprint", "client/fingerprint"
#define PIN "pin", "client/pin"
#define TEXT_MESSAGING "user-text-messaging", "caclient/user-text-messaging"

static const Operation operations[] = {
	{"AddSubscriptions", AUTHORIZATION, ADD_SUBSCRIPTIONS},
	{"CancelSubscriptions", AUTHORIZATION, CANCEL_SUBSCRIPTIONS},
	{"GetActiveSubscriptions", AUTHORIZATION, GET_ACTIVE_SUBSCRIPTIONS},
	{"CreatePairing", PAIRING, CREATE_PAIRING},
	{"AddToExistingPairing", PAIRING, ADD_TO_EXISTING_PAIRING},
	{"GetPairingStatusForCard", PAIRING, GET_PAIRING_STATUS_FOR_CARD},
	{"GetPairingStatusForPairingModule", PAIRING,
	GET_PAIRING_STATUS_FOR_PAIRING_MODULE},
	{"DisplayFingerprint", FINGERPRINT, DISPLAY_FINGERPRINT},
	{"UpdateCaPinToDefaultValue", PIN, UPDATE_CA_PIN_TO_DEFAULT_VALUE},
	{"UpdateCaPinToGivenValue", PIN, UPDATE_CA_PIN_TO_GIVEN_VALUE},
	{"SendMailMessageToClients", TEXT_MESSAGING,
	SEND_MAIL_MESSAGE_TO_CLIENTS},
	{"SendBarkMessageToClients", TEXT_MESSAGING,
	SEND_BARK_MESSAGE_TO_CLIENTS},
	{"SendRepeatingBarkMessageToClients", TEXT_MESSAGING,
	SEND_REPEATING_BARK_MESSAGE_TO_CLIENTS}
};

#define OPERATION_COUNT (sizeof(operations) / sizeof(operations[0]))

const Operation *
operation_by_name(const char *name)
{
	size_t		i;

	for (i = 0; i < OPERATION_COUNT; i++)
	{
		if (strcmp(operations[i].name, name) == 0)
			return &operations[i];
	}
	return NULL;
}

const Operation *
operation_next(const Operation *operation)
{
	size_t		index = (size_t) (operation - operations);

	return &operations[(index + 1) % OPERATION_COUNT];
}

bool
operation_path_known(const char *path)
{
	size_t		i;

	for (i = 0; i < OPERATION_COUNT; i++)
	{
		if (strcmp(operations[i].path, path) == 0)
			return true;
	}
	return false;
}
