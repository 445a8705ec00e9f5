/*-------------------------------------------------------------------------
 *
 * adapter.c
 *		The table of adapters, and how their parts are looked up.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "adapter.h"

#include "utils/builtins.h"
#include "utils/guc.h"

/* A new CAS is one line here. */
static const CasAdapter *const adapters[] = {
	&conax_adapter,
	&nagravision_adapter,
	&nds_adapter,
	NULL
};

/* What every provider can be told, whatever its kind. */
const CasOption adapter_common_options[] = {
	{
		.name = "state",
		.kind = CAS_OPTION_CHOICE,
		.place = CAS_ON_SERVER,
		.default_value = "effective",
		.choices = "effective, not_effective"
	},
	{
		.name = "profile",
		.kind = CAS_OPTION_TEXT,
		.place = CAS_ON_SERVER
	},
	{
		.name = "timeout",
		.kind = CAS_OPTION_DURATION,
		.place = CAS_ON_SERVER,
		.default_value = "10s",
		.min = 100,
		.max = 10 * 60 * 1000
	},
	{
		.name = "connect_timeout",
		.kind = CAS_OPTION_DURATION,
		.place = CAS_ON_SERVER,
		.default_value = "5s",
		.min = 100,
		.max = 10 * 60 * 1000
	},
	{
		.name = "retry_limit",
		.kind = CAS_OPTION_INTEGER,
		.place = CAS_ON_SERVER,
		.default_value = "10",
		.min = 1,
		.max = 1000
	},
	{
		.name = "retry_window",
		.kind = CAS_OPTION_DURATION,
		.place = CAS_ON_SERVER,
		.default_value = "24h",
		.min = 1000,
		.max = INT64CONST(20) * 24 * 60 * 60 * 1000
	},
	{
		.name = "retry_delay",
		.kind = CAS_OPTION_DURATION,
		.place = CAS_ON_SERVER,
		.default_value = "1s",
		.min = 1,
		.max = 24 * 60 * 60 * 1000
	},
	{
		.name = "retry_delay_max",
		.kind = CAS_OPTION_DURATION,
		.place = CAS_ON_SERVER,
		.default_value = "5min",
		.min = 1,
		.max = 24 * 60 * 60 * 1000
	},
	{0}
};

const CasAdapter *
adapter_next(const CasAdapter *after)
{
	int			i = 0;

	if (after == NULL)
		return adapters[0];
	while (adapters[i] != after)
		i++;
	return adapters[i + 1];
}

const CasAdapter *
adapter_by_kind(const char *kind)
{
	for (int i = 0; adapters[i]; i++)
		if (strcmp(adapters[i]->kind, kind) == 0)
			return adapters[i];
	return NULL;
}

const CasAdapter *
adapter_by_prefix(const char *prefix)
{
	for (int i = 0; adapters[i]; i++)
		if (strcmp(adapters[i]->prefix, prefix) == 0)
			return adapters[i];
	return NULL;
}

const CasOperation *
adapter_operation(const CasAdapter *adapter, const char *name)
{
	for (const CasOperation *op = adapter->operations; op->name; op++)
		if (strcmp(op->name, name) == 0)
			return op;
	return NULL;
}

const CasOperation *
adapter_operation_by_type(const CasAdapter *cas, const char *type)
{
	for (const CasOperation *op = cas->operations; op->name; op++)
		if (strcmp(op->type, type) == 0)
			return op;
	return NULL;
}

const char *
cas_stored_name(const CasParameter *parameter)
{
	if (parameter->stored_as != NULL)
		return parameter->stored_as;
	switch (parameter->kind)
	{
		case CAS_SUBSCRIPTION:
			return NULL;
		case CAS_SERVICE:
		case CAS_SERVICE_SET:
			return "service_ca_id";
		case CAS_SMARTCARD:
		case CAS_SMARTCARD_OR_CA_ID:
		case CAS_SMARTCARD_CA_ID:
		case CAS_SMARTCARD_CA_ID_SET:
			return "smartcard_ca_id";
		case CAS_STB:
		case CAS_STB_CA_ID_SET:
			return "stb_ca_id";
		case CAS_PIN:
			return "ca_pin";
		default:
			return parameter->name;
	}
}

const CasParameter *
cas_stored_parameter(const CasOperation *operation, const char *name)
{
	for (const CasParameter *p = operation->parameters; p->name; p++)
	{
		const char *stored = cas_stored_name(p);

		if (stored && strcmp(stored, name) == 0)
			return p;
	}
	return NULL;
}

/* The first value of a name from a cell of the list on, or NULL. */
static const CasValue *
value_from(const List *values, int start, const char *name)
{
	for (int i = start; i < list_length(values); i++)
	{
		const CasValue *value = list_nth(values, i);

		if (strcmp(value->name, name) == 0)
			return value;
	}
	return NULL;
}

const CasValue *
cas_value(const CasRequest *request, const char *name)
{
	return value_from(request->values, 0, name);
}

const CasValue *
cas_value_next(const CasRequest *request, const CasValue *after)
{
	for (int i = 0; i < list_length(request->values); i++)
		if (list_nth(request->values, i) == after)
			return value_from(request->values, i + 1, after->name);
	return NULL;
}

/* The place of an option in settings->options. */
static int
option_index(const CasSettings *settings, const char *name)
{
	for (int i = 0; settings->options[i].name; i++)
		if (strcmp(settings->options[i].name, name) == 0)
			return i;
	elog(ERROR, "adapter \"%s\" has no option \"%s\"",
		 settings->adapter->kind, name);
}

const char *
cas_option(const CasSettings *settings, const char *name)
{
	return settings->values[option_index(settings, name)];
}

/* Values were checked when the DDL ran: what is not a number is a defect. */
int64
cas_option_int(const CasSettings *settings, const char *name)
{
	int			i = option_index(settings, name);
	int			flags = settings->options[i].kind == CAS_OPTION_DURATION ?
	GUC_UNIT_MS : 0;
	int			number;

	if (settings->values[i] == NULL ||
		!parse_int(settings->values[i], &number, flags, NULL))
		elog(ERROR, "option \"%s\" is not a number", name);
	return number;
}

/* An option that is not set is false. */
bool
cas_option_bool(const CasSettings *settings, const char *name)
{
	const char *value = cas_option(settings, name);
	bool		result = false;

	if (value != NULL && !parse_bool(value, &result))
		elog(ERROR, "option \"%s\" is not a boolean", name);
	return result;
}
