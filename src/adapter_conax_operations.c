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
 * Parameters that several operations have.  Initialisers, because the limits
 * of a text or the name under which an instant is kept differ.
 */
#define SUBSCRIPTION(must) \
	{.name = "subscription_identifier", .kind = CAS_SUBSCRIPTION, \
	 .mandatory = (must)}
#define SMARTCARD \
	{.name = "smartcard_identifier", .kind = CAS_SMARTCARD, .mandatory = true}
#define MESSAGE(length) \
	{.name = "message", .kind = CAS_TEXT, .mandatory = true, \
	 .min = 1, .max = (length)}
#define SECONDS_TO_DISPLAY(seconds) \
	{.name = "display_duration", .kind = CAS_INTEGER, \
	 .min = 1, .max = 65535, .default_value = (seconds)}

/* The name is misspelt where the interface was first written down. */
#define START_OF_INDICATION \
	{.name = "start_indication_date_time", .kind = CAS_TIMESTAMP, \
	 .stored_as = "star_indication_date_time"}
#define END {0}

static const CasParameter change_subscriptions[] = {
	SUBSCRIPTION(true),
	{.name = "service_identifier", .kind = CAS_SERVICE, .mandatory = true},
	SMARTCARD,
	{.name = "start_date", .kind = CAS_TIMESTAMP},
	END
};

static const CasParameter create_pairing[] = {
	SUBSCRIPTION(false),
	{.name = "smartcard_set", .kind = CAS_SMARTCARD_CA_ID_SET,
	.mandatory = true},
	{.name = "stb_set", .kind = CAS_STB_CA_ID_SET, .mandatory = true},
	END
};

static const CasParameter add_to_existing_pairing[] = {
	SUBSCRIPTION(false),
	{.name = "smartcard_set", .kind = CAS_SMARTCARD_CA_ID_SET,
	.mandatory = true},
	{.name = "stb_set", .kind = CAS_STB_CA_ID_SET, .mandatory = true},
	{.name = "existing_smartcard_ca_id", .kind = CAS_SMARTCARD_CA_ID,
	.mandatory = true, .stored_as = "existing_smartcard_ca_id"},
	END
};

static const CasParameter default_pin[] = {
	SUBSCRIPTION(true),
	SMARTCARD,
	END
};

/* How many digits a PIN has is for the profile to say. */
static const CasParameter given_pin[] = {
	SUBSCRIPTION(true),
	SMARTCARD,
	{.name = "pin", .kind = CAS_PIN, .mandatory = true,
	.stored_as = "ca_pin", .min = 1, .max = 32},
	END
};

static const CasParameter smartcard_only[] = {
	SMARTCARD,
	END
};

static const CasParameter stb_only[] = {
	{.name = "stb_identifier", .kind = CAS_STB, .mandatory = true},
	END
};

static const CasParameter fingerprint[] = {
	SMARTCARD,
	{.name = "display_date_time", .kind = CAS_TIMESTAMP},
	SECONDS_TO_DISPLAY(NULL),
	{.name = "position_x", .kind = CAS_INTEGER, .min = 0, .max = 65535},
	{.name = "position_y", .kind = CAS_INTEGER, .min = 0, .max = 65535},
	{.name = "height", .kind = CAS_INTEGER, .min = 0, .max = 65535},
	{.name = "fingerprint_slot", .kind = CAS_INTEGER, .min = 0, .max = 65535},
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
	SECONDS_TO_DISPLAY("20"),
	START_OF_INDICATION,
	END
};

static const CasParameter repeating_bark_message[] = {
	SMARTCARD,
	MESSAGE(129),
	SECONDS_TO_DISPLAY("20"),
	{.name = "repetition_count", .kind = CAS_INTEGER, .mandatory = true,
	.min = 1, .max = 65535},
	{.name = "repetition_interval", .kind = CAS_INTEGER, .mandatory = true,
	.min = 10, .max = 2550, .step = 10},
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

const char *
conax_stored_name(const CasParameter *parameter)
{
	if (parameter->stored_as)
		return parameter->stored_as;
	switch (parameter->kind)
	{
		case CAS_SUBSCRIPTION:
			return NULL;
		case CAS_SERVICE:
		case CAS_SERVICE_SET:
			return "service_ca_id";
		case CAS_SMARTCARD:
		case CAS_SMARTCARD_CA_ID:
		case CAS_SMARTCARD_CA_ID_SET:
			return "smartcard_ca_id";
		case CAS_STB:
		case CAS_STB_CA_ID_SET:
			return "stb_ca_id";
		default:
			return parameter->name;
	}
}
