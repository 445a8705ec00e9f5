/*-------------------------------------------------------------------------
 *
 * pin.c
 *		PINs in requests: how long, and in which.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pin.h"

PinDigits
pin_compile(const ProfileNode *root)
{
	static const char *const names[] = {"min", "max", NULL};
	const ProfileNode *node = profile_member(root, "pin_digits");
	PinDigits	digits = {4, 4};

	if (node == NULL)
		return digits;
	profile_check_members(node, names);
	digits.min = profile_integer(profile_require(node, "min"), 1, 32);
	digits.max = profile_integer(profile_require(node, "max"), digits.min,
								 32);
	return digits;
}

/* The parameter of an operation that is a PIN, or NULL. */
static const CasParameter *
pin_parameter(const CasOperation *operation)
{
	for (const CasParameter *p = operation->parameters; p->name; p++)
		if (p->kind == CAS_PIN)
			return p;
	return NULL;
}

void
pin_check(const PinDigits *digits, const CasRequest *request)
{
	const CasParameter *parameter = pin_parameter(request->operation);
	const CasValue *pin;
	int			len;

	if (parameter == NULL)
		return;
	pin = cas_value(request, cas_stored_name(parameter));
	if (pin == NULL)
		return;
	len = strlen(pin->value);
	if (len >= digits->min && len <= digits->max &&
		strspn(pin->value, "0123456789") == len)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 digits->min == digits->max ?
			 errmsg("parameter \"%s\" must have %d digits", parameter->name,
					digits->min) :
			 errmsg("parameter \"%s\" must have %d to %d digits",
					parameter->name, digits->min, digits->max)));
}

bool
pin_goes_with(const CasOperation *operation)
{
	return operation == NULL || pin_parameter(operation) != NULL;
}
