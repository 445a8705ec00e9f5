/*-------------------------------------------------------------------------
 *
 * adapter_nds.c
 *		NDS: framed TCP, strict request and response.
 *
 * The options of its providers.  Requests cannot be sent to it yet, so a
 * server of this kind starts no sender.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "adapter.h"

static const CasOption nds_options[] = {
	{
		.name = "host",
		.kind = CAS_OPTION_TEXT,
		.place = CAS_ON_SERVER,
		.mandatory = true
	},
	{
		.name = "port",
		.kind = CAS_OPTION_INTEGER,
		.place = CAS_ON_SERVER,
		.mandatory = true,
		.min = 1,
		.max = 65535
	},
	{
		.name = "from_id",
		.kind = CAS_OPTION_TEXT,
		.place = CAS_ON_SERVER
	},
	{
		.name = "to_id",
		.kind = CAS_OPTION_TEXT,
		.place = CAS_ON_SERVER
	},
	{
		.name = "digest",
		.kind = CAS_OPTION_CHOICE,
		.place = CAS_ON_SERVER,
		.default_value = "hmac-sha256",
		.choices = "none, hmac-md5, hmac-sha256"
	},
	{
		.name = "tls",
		.kind = CAS_OPTION_BOOLEAN,
		.place = CAS_ON_SERVER,
		.default_value = "false"
	},
	{
		.name = "ca_file",
		.kind = CAS_OPTION_FILE,
		.place = CAS_ON_SERVER
	},
	{
		.name = "key",
		.kind = CAS_OPTION_SECRET,
		.place = CAS_ON_USER_MAPPING
	},
	{0}
};

/* No operation can be carried yet: there is no transport for framed TCP. */
static const CasOperation nds_operations[] = {
	{0}
};

const CasAdapter nds_adapter = {
	.kind = "nds",
	.prefix = "nds",
	.default_profile = "nds_ascii",
	.operations = nds_operations,
	.options = nds_options
};
