/*-------------------------------------------------------------------------
 *
 * adapter_nagravision.c
 *		Nagravision SMS Gateway: framed TCP, pipelined.
 *
 * What it can carry and how it is set up; its messages stand in the profile.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "adapter_framed.h"
#include "tcp_link.h"

/* The most source ids of one provider: each is a connection. */
#define MAX_LINKS 64

static void nagravision_check_options(const CasSettings *settings,
									  CasOptionPlace place);
static char *nagravision_clash(const CasSettings *mine,
							   const CasSettings *other);
static void *nagravision_compile_profile(Jsonb *document);

static const CasOption nagravision_options[] = {
	FRAMED_OPTIONS,
	{"source_id", CAS_OPTION_TEXT, CAS_ON_SERVER, true},
	{"dest_id", CAS_OPTION_TEXT, CAS_ON_SERVER, false, "1"},
	{"mop_ppid", CAS_OPTION_TEXT, CAS_ON_SERVER, false, "0"},
	{"object_name", CAS_OPTION_TEXT, CAS_ON_SERVER, false, "SMS_GWY"},
	{"window", CAS_OPTION_INTEGER, CAS_ON_SERVER, false, "16", 1, 1024},
	{"checks_at_start", CAS_OPTION_INTEGER, CAS_ON_SERVER, false, "3", 0,
	100},
	{"heartbeat", CAS_OPTION_DURATION, CAS_ON_SERVER, false, "30s", 1000,
	60 * 60 * 1000},
	{0}
};

/* ------------------------------------------------------------------------
 * Operations
 * ------------------------------------------------------------------------
 */
#define SMARTCARD {"smartcard_identifier", CAS_SMARTCARD, true}
#define SERVICES {"services_set", CAS_SERVICE_SET, true}
#define PIN_PARAMETERS \
	{"subscription_identifier", CAS_SUBSCRIPTION, true}, \
	{"smartcard_identifier", CAS_SMARTCARD}, \
	{"smartcard_ca_id", CAS_SMARTCARD_CA_ID}

static const CasParameter add_products[] = {
	{"subscription_identifier", CAS_SUBSCRIPTION},
	SERVICES,
	SMARTCARD,
	{0}
};

static const CasParameter cancel_products[] = {
	{"subscription_identifier", CAS_SUBSCRIPTION, true},
	SERVICES,
	SMARTCARD,
	{0}
};

/* Without an STB, the card is unpaired. */
static const CasParameter pair[] = {
	{"subscription_identifier", CAS_SUBSCRIPTION},
	SMARTCARD,
	{"stb_identifier", CAS_STB},
	{0}
};

static const CasParameter pin[] = {
	PIN_PARAMETERS,
	{0}
};

/* How many digits a PIN has is for the profile to say. */
static const CasParameter given_pin[] = {
	PIN_PARAMETERS,
	{"pin", CAS_PIN, true, "ca_pin", 1, 32},
	{0}
};

static const CasRule one_smartcard[] = {
	{CAS_EXACTLY_ONE, {"smartcard_identifier", "smartcard_ca_id"}},
	{0}
};

static const CasOperation nagravision_operations[] = {
	{"add_enhanced_list_of_products", "ADD_ENHANCED_LIST_OF_PRODUCTS",
	add_products},
	{"cancel_list_of_products", "CANCEL_LIST_OF_PRODUCTS", cancel_products},
	{"pair_smartcard_decoder", "PAIR_SMARTCARD_DECODER", pair},
	{"set_pin_to_default_value", "SET_PIN_TO_DEFAULT_VALUE", pin,
	one_smartcard},
	{"set_pin_to_given_value", "SET_PIN_TO_GIVEN_VALUE", given_pin,
	one_smartcard},
	{"clear_pin", "CLEAR_PIN", pin, one_smartcard},
	{0}
};

const CasAdapter nagravision_adapter = {
	.kind = "nagravision",
	.prefix = "nagravision",
	.default_profile = "nagra_smsgw",
	.operations = nagravision_operations,
	.options = nagravision_options,
	.transport = &tcp_transport,
	.dialect = &framed_dialect,
	.check_options = nagravision_check_options,
	.clash = nagravision_clash,
	.compile_profile = nagravision_compile_profile,
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
nagravision_compile_profile(Jsonb *document)
{
	return framed_compile_profile(&nagravision_adapter, document);
}

/* ------------------------------------------------------------------------
 * Options
 * ------------------------------------------------------------------------
 */

/* Raises unless the value has one to max decimal digits. */
static void
check_digits(const char *option, const char *value, int max)
{
	int			len = strlen(value);

	if (len == 0 || len > max || strspn(value, "0123456789") != len)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", option,
						value),
				 errhint("Give a number of at most %d digits.", max)));
}

/* Two connections under one id would shut each other out. */
static void
check_different(List *ids)
{
	ListCell   *lc;

	foreach(lc, ids)
	{
		for (int i = 0; i < foreach_current_index(lc); i++)
			if (strtoul(list_nth(ids, i), NULL, 10) ==
				strtoul(lfirst(lc), NULL, 10))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("option \"source_id\" has %s more than once",
								(char *) lfirst(lc))));
	}
}

/* "1, 2, 17": each is a connection of its own. */
static void
check_source_ids(const char *value)
{
	List	   *ids = NIL;
	char	   *copy = pstrdup(value);
	char	   *save = NULL;

	for (char *id = strtok_r(copy, ", ", &save); id;
		 id = strtok_r(NULL, ", ", &save))
	{
		check_digits("source_id", id, 4);
		ids = lappend(ids, id);
	}
	if (ids == NIL || list_length(ids) > MAX_LINKS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"source_id\" has %d ids", list_length(ids)),
				 errhint("Give 1 to %d numbers with commas between them; each is a connection.",
						 MAX_LINKS)));
	check_different(ids);
}

static void
check_object_name(const char *value)
{
	int			len = strlen(value);

	for (int i = 0; i < len; i++)
		if (value[i] <= ' ' || value[i] > '~')
			len = 0;
	if (len == 0 || len > 255)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"object_name\""),
				 errhint("Give 1 to 255 printable ASCII characters without spaces.")));
}

static void
nagravision_check_options(const CasSettings *settings, CasOptionPlace place)
{
	framed_check_options(settings, place);
	if (place != CAS_ON_SERVER)
		return;
	check_source_ids(cas_option(settings, "source_id"));
	if (cas_option(settings, "dest_id"))
		check_digits("dest_id", cas_option(settings, "dest_id"), 4);
	if (cas_option(settings, "mop_ppid"))
		check_digits("mop_ppid", cas_option(settings, "mop_ppid"), 5);
	if (cas_option(settings, "object_name"))
		check_object_name(cas_option(settings, "object_name"));
}

/*
 * The gateway knows a connection by its source id, and each provider numbers
 * the messages on its own.  Hosts are compared as they are written.
 */
static char *
nagravision_clash(const CasSettings *mine, const CasSettings *other)
{
	const char **ids;
	const char **others;

	/* a wrapper without our validator may have any options */
	if (cas_option(mine, "host") == NULL || cas_option(other, "host") == NULL ||
		cas_option(mine, "source_id") == NULL ||
		cas_option(other, "source_id") == NULL)
		return NULL;
	ids = framed_link_names(mine);
	others = framed_link_names(other);
	if (pg_strcasecmp(cas_option(mine, "host"),
					  cas_option(other, "host")) != 0 ||
		cas_option_int(mine, "port") != cas_option_int(other, "port"))
		return NULL;
	for (int i = 0; ids[i]; i++)
		for (int j = 0; others[j]; j++)
			if (strtoul(ids[i], NULL, 10) == strtoul(others[j], NULL, 10))
				return psprintf("source_id %s at %s port %d", ids[i],
								cas_option(mine, "host"),
								(int) cas_option_int(mine, "port"));
	return NULL;
}
