/*-------------------------------------------------------------------------
 *
 * adapter_nds.c
 *		NDS: framed TCP, strict request and response.
 *
 * What it can carry and how it is set up; its messages stand in the profile.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "adapter_framed.h"
#include "tcp_link.h"

/* The shortest key of a digest, in bytes. */
#define MIN_KEY 8

static void nds_check_options(const CasSettings *settings,
							  CasOptionPlace place);
static void *nds_compile_profile(Jsonb *document);

static const CasOption nds_options[] = {
	FRAMED_OPTIONS,
	{"from_id", CAS_OPTION_TEXT, CAS_ON_SERVER, false, "0001"},
	{"to_id", CAS_OPTION_TEXT, CAS_ON_SERVER, false, "0002"},
	{"connections", CAS_OPTION_INTEGER, CAS_ON_SERVER, false, "1", 1, 64},
	{"heartbeat", CAS_OPTION_DURATION, CAS_ON_SERVER, false, "30s", 1000,
	60 * 60 * 1000},
	{"digest", CAS_OPTION_CHOICE, CAS_ON_SERVER, false, "hmac-sha256", 0, 0,
	"none, hmac-md5, hmac-sha256"},
	{"key", CAS_OPTION_SECRET, CAS_ON_USER_MAPPING},
	{0}
};

/* ------------------------------------------------------------------------
 * Operations
 * ------------------------------------------------------------------------
 */
#define CARD_PARAMETERS \
	{"subscription_identifier", CAS_SUBSCRIPTION}, \
	{"smartcard_identifier", CAS_SMARTCARD_OR_CA_ID}

/* How many digits a PIN has is for the profile to say. */
static const CasParameter set_user_parameters[] = {
	CARD_PARAMETERS,
	{"reset_pin", CAS_BOOLEAN},
	{"new_pin", CAS_PIN, false, "ca_pin", 1, 32},
	{0}
};

static const CasParameter card_only[] = {
	CARD_PARAMETERS,
	{0}
};

static const CasRule card_and_one_action[] = {
	{CAS_AT_LEAST_ONE, {"subscription_identifier", "smartcard_identifier"}},
	{CAS_EXACTLY_ONE, {"reset_pin", "new_pin"}},
	{0}
};

static const CasRule some_card[] = {
	{CAS_AT_LEAST_ONE, {"subscription_identifier", "smartcard_identifier"}},
	{0}
};

static const CasOperation nds_operations[] = {
	{"set_user_parameters", "SET_USER_PARAMETERS", set_user_parameters,
	card_and_one_action, true},
	{"reauthorise_all_services", "REAUTHORISE_ALL_SERVICES", card_only,
	some_card, true},
	{0}
};

const CasAdapter nds_adapter = {
	.kind = "nds",
	.prefix = "nds",
	.default_profile = "nds_ascii",
	.operations = nds_operations,
	.options = nds_options,
	.transport = &tcp_transport,
	.dialect = &framed_dialect,
	.check_options = nds_check_options,
	.compile_profile = nds_compile_profile,
	.validate = framed_validate,
	.encode = framed_encode,
	.decode = framed_decode,
	.text = framed_text,
	.explain = framed_explain,
	.explain_answer = framed_explain_answer,
	.identity = framed_identity,
	.idempotent = framed_idempotent
};

static void *
nds_compile_profile(Jsonb *document)
{
	return framed_compile_profile(&nds_adapter, document);
}

/* ------------------------------------------------------------------------
 * Options
 * ------------------------------------------------------------------------
 */
static void
check_id(const CasSettings *settings, const char *option)
{
	const char *value = cas_option(settings, option);
	int			len = value ? strlen(value) : 0;

	if (value == NULL)
		return;					/* the default */
	if (len == 0 || len > 4 ||
		strspn(value, "0123456789ABCDEF") != len)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", option,
						value),
				 errhint("Give 1 to 4 hexadecimal digits, letters in upper case.")));
}

static void
check_key(const char *key)
{
	if (key != NULL && strlen(key) < MIN_KEY)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"key\" is shorter than %d bytes", MIN_KEY),
				 errhint("Use the key that was agreed with the operator of the system; it is taken as text, byte by byte.")));
}

static void
nds_check_options(const CasSettings *settings, CasOptionPlace place)
{
	framed_check_options(settings, place);
	if (place == CAS_ON_SERVER)
	{
		check_id(settings, "from_id");
		check_id(settings, "to_id");
	}
	else
		check_key(cas_option(settings, "key"));
}
