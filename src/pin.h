/*-------------------------------------------------------------------------
 *
 * pin.h
 *		PINs in requests: how long, and in which.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_PIN_H
#define PROVREQ_PIN_H

#include "adapter.h"
#include "profile.h"

/* How many digits a PIN has. */
typedef struct PinDigits
{
	int			min;
	int			max;
} PinDigits;

/* What the member "pin_digits" of a profile says; 4 without it. */
extern PinDigits pin_compile(const ProfileNode *root);

/*
 * Raises unless the PIN of the request, if it has one, has as many digits.
 * The message names the parameter and does not repeat the PIN.
 */
extern void pin_check(const PinDigits *digits, const CasRequest *request);

/* Does a PIN go out with it?  Yes, if the operation is not known (NULL). */
extern bool pin_goes_with(const CasOperation *operation);

#endif							/* PROVREQ_PIN_H */
