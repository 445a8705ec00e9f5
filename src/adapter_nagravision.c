/*-------------------------------------------------------------------------
 *
 * adapter_nagravision.c
 *		Nagravision SMS Gateway: framed TCP, pipelined.
 *
 * The options of its providers.  Requests cannot be sent to it yet, so a
 * server of this kind starts no sender.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "adapter.h"

static const CasOption nagravision_options[] = {
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
		.name = "source_id",
		.kind = CAS_OPTION_TEXT,
		.place = CAS_ON_SERVER,
		.mandatory = true
	},
	{
		.name = "dest_id",
		.kind = CAS_OPTION_TEXT,
		.place = CAS_ON_SERVER
	},
	{
		.name = "mop_ppid",
		.kind = CAS_OPTION_TEXT,
		.place = CAS_ON_SERVER
	},
	{
		.name = "object_name",
		.kind = CAS_OPTION_TEXT,
		.place = CAS_ON_SERVER,
		.default_value = "SMS_GWY"
	},
	{
		.name = "window",
		.kind = CAS_OPTION_INTEGER,
		.place = CAS_ON_SERVER,
		.default_value = "16",
		.min = 1,
		.max = 1024
	},
	{
		.name = "checks_at_start",
		.kind = CAS_OPTION_INTEGER,
		.place = CAS_ON_SERVER,
		.default_value = "3",
		.min = 0,
		.max = 100
	},
	{
		.name = "heartbeat",
		.kind = CAS_OPTION_DURATION,
		.place = CAS_ON_SERVER,
		.default_value = "30s",
		.min = 1000,
		.max = 60 * 60 * 1000
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
	{0}
};

/* No operation can be carried yet: there is no transport for framed TCP. */
static const CasOperation nagravision_operations[] = {
	{0}
};

const CasAdapter nagravision_adapter = {
	.kind = "nagravision",
	.prefix = "nagravision",
	.default_profile = "nagra_smsgw",
	.operations = nagravision_operations,
	.options = nagravision_options
};
