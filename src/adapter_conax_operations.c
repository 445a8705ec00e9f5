/*-------------------------------------------------------------------------
 *
 * adapter_conax_operations.c
 *		The 13 operations of Conax Web Services and what they take.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "adapter_conax.h"

/*
 * Name, kind, mandatory, stored name, least and greatest value or length,
 * step, default.  Parameters that several operations have first.
 */
#define SUBSCRIPTION {"subscription_identifier", CAS_SUBSCRIPTION, true}
#define OPTIONAL_SUBSCRIPTION {"subscription_identifier", CAS_SUBSCRIPTION}
#define SMARTCARD {"smartcard_identifier", CAS_SMARTCARD, true}
#define MESSAGE(length) {"message", CAS_TEXT, true, NULL, 1, (length)}
#define DISPLAY_DURATION(seconds) \
	{"display_duration", CAS_INTEGER, false, NULL, 1, 65535, 0, (seconds)}

/* The stored name is misspelt where the interface was first written down. */
#define START_OF_INDICATION \
	{"start_indication_date_time", CAS_TIMESTAMP, false, \
	 "star_indication_date_time"}
#define END {0}

static const CasParameter change_subscriptions[] = {
	SUBSCRIPTION,
	{"service_identifier", CAS_SERVICE, true},
	SMARTCARD,
	{"start_date", CAS_TIMESTAMP},
	END
};

static const CasParameter create_pairing[] = {
	OPTIONAL_SUBSCRIPTION,
	{"smartcard_set", CAS_SMARTCARD_CA_ID_SET, true},
	{"stb_set", CAS_STB_CA_ID_SET, true},
	END
};

static const CasParameter add_to_existing_pairing[] = {
	OPTIONAL_SUBSCRIPTION,
	{"smartcard_set", CAS_SMARTCARD_CA_ID_SET, true},
	{"stb_set", CAS_STB_CA_ID_SET, true},
	{"existing_smartcard_ca_id", CAS_SMARTCARD_CA_ID, true,
	"existing_smartcard_ca_id"},
	END
};

static const CasParameter default_pin[] = {
	SUBSCRIPTION,
	SMARTCARD,
	END
};

/* How many digits a PIN has is for the profile to say. */
static const CasParameter given_pin[] = {
	SUBSCRIPTION,
	SMARTCARD,
	{"pin", CAS_PIN, true, "ca_pin", 1, 32},
	END
};

static const CasParameter smartcard_only[] = {
	SMARTCARD,
	END
};

static const CasParameter stb_only[] = {
	{"stb_identifier", CAS_STB, true},
	END
};

static const CasParameter fingerprint[] = {
	SMARTCARD,
	{"display_date_time", CAS_TIMESTAMP},
	DISPLAY_DURATION(NULL),
	{"position_x", CAS_INTEGER, false, NULL, 0, 65535},
	{"position_y", CAS_INTEGER, false, NULL, 0, 65535},
	{"height", CAS_INTEGER, false, NULL, 0, 65535},
	{"fingerprint_slot", CAS_TEXT, false, NULL, 1, 64},
	END
};

static const CasParameter mail_message[] = {
	SMARTCARD,
	MESSAGE(141),
	START_OF_INDICATION,
	END
};

static const CasParameter bark_message[] = {
	SMARTCARD,
	MESSAGE(129),
	DISPLAY_DURATION("20"),
	START_OF_INDICATION,
	END
};

static const CasParameter repeating_bark_message[] = {
	SMARTCARD,
	MESSAGE(129),
	DISPLAY_DURATION("20"),
	{"repetition_count", CAS_INTEGER, true, NULL, 1, 65535},
	{"repetition_interval", CAS_INTEGER, true, NULL, 10, 2550, 10},
	START_OF_INDICATION,
	END
};

const CasOperation conax_operations[] = {
	{"add_subscriptions", "ADD_SUBSCRIPTIONS", change_subscriptions},
	{"cancel_subscriptions", "CANCEL_SUBSCRIPTIONS", change_subscriptions},
	{"create_pairing", "CREATE_PAIRING", create_pairing},
	{"add_to_existing_pairing", "ADD_TO_EXISTING_PAIRING",
	add_to_existing_pairing},
	{"reset_pin_to_default_value", "UPDATE_CA_PIN_TO_DEFAULT_VALUE",
	default_pin},
	{"reset_pin_to_given_value", "UPDATE_CA_PIN_TO_GIVEN_VALUE", given_pin},
	{"get_active_subscriptions", "GET_ACTIVE_SUBSCRIPTIONS", smartcard_only},
	{"get_pairing_status_for_card", "GET_PAIRING_STATUS_FOR_CARD",
	smartcard_only},
	{"get_pairing_status_for_pairing_module",
	"GET_PAIRING_STATUS_FOR_PAIRING_MODULE", stb_only},
	{"display_fingerprint", "DISPLAY_FINGERPRINT", fingerprint},
	{"send_mail_message", "SEND_MAIL_MESSAGE_TO_CLIENT", mail_message},
	{"send_bark_message", "SEND_BARK_MESSAGE_TO_CLIENT", bark_message},
	{"send_repeating_bark_message", "SEND_REPEATING_BARK_MESSAGE_TO_CLIENT",
	repeating_bark_message},
	{0}
};
