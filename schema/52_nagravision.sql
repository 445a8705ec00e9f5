/*
 * The operations of Nagravision SMS Gateways.  What all operations have in
 * common, their last arguments and errors among it, is written down before
 * those of Conax Web Services.
 *
 * A list of services is one message for each.  The request is COMPLETED when
 * all of them are acknowledged; when one is refused it is REJECTED, and
 * error_description says which were carried out and which were not.
 */
CREATE FUNCTION provreq.nagravision_add_enhanced_list_of_products(
	services_set text[],
	smartcard_identifier text,
	subscription_identifier text DEFAULT NULL,
	@common_arguments@
) RETURNS provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.nagravision_add_enhanced_list_of_products IS
'Lets a smartcard descramble a list of products (ADD_ENHANCED_LIST_OF_PRODUCTS), from the day for which the request is scheduled. The products must be classified as SERVICE, be different ones (at most 500) and have CA IDs of at most 12 digits at the provider. One message goes out for each; the request is COMPLETED when all are acknowledged, and REJECTED when one is refused, with an error_description that says which were carried out and which were not. The smartcard must be effective, classified as SMARTCARD and not of another subscription; the first 10 digits of its CA ID go out. Documented operation.';
GRANT EXECUTE ON FUNCTION provreq.nagravision_add_enhanced_list_of_products TO provreq_operator;

CREATE FUNCTION provreq.nagravision_cancel_list_of_products(
	subscription_identifier text,
	services_set text[],
	smartcard_identifier text,
	@common_arguments@
) RETURNS provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.nagravision_cancel_list_of_products IS
'Takes a list of products from a smartcard (CANCEL_LIST_OF_PRODUCTS). The products must be classified as SERVICE, be different ones (at most 500) and have CA IDs of at most 12 digits at the provider. One message goes out for each; the request is COMPLETED when all are acknowledged, and REJECTED when one is refused, with an error_description that says which were carried out and which were not. The smartcard must be effective, classified as SMARTCARD and not of another subscription; the first 10 digits of its CA ID go out. Documented operation.';
GRANT EXECUTE ON FUNCTION provreq.nagravision_cancel_list_of_products TO provreq_operator;

CREATE FUNCTION provreq.nagravision_pair_smartcard_decoder(
	smartcard_identifier text,
	stb_identifier text DEFAULT NULL,
	subscription_identifier text DEFAULT NULL,
	@common_arguments@
) RETURNS provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.nagravision_pair_smartcard_decoder IS
'Pairs a smartcard with an STB (PAIR_SMARTCARD_DECODER); without stb_identifier, unpairs it from the one it is paired with. The smartcard must be effective, classified as SMARTCARD and not of another subscription; the first 10 digits of its CA ID go out. The STB must be effective and classified as STB; its CA ID has at most 14 characters. Documented operation.';
GRANT EXECUTE ON FUNCTION provreq.nagravision_pair_smartcard_decoder TO provreq_operator;

CREATE FUNCTION provreq.nagravision_set_pin_to_default_value(
	subscription_identifier text,
	smartcard_identifier text DEFAULT NULL,
	smartcard_ca_id text DEFAULT NULL,
	@common_arguments@
) RETURNS provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.nagravision_set_pin_to_default_value IS
'Sets the PIN of a smartcard to its default (SET_PIN_TO_DEFAULT_VALUE). The smartcard is named by smartcard_identifier or by smartcard_ca_id, which need not be in the directory; exactly one of the two must be given. Documented operation.';
GRANT EXECUTE ON FUNCTION provreq.nagravision_set_pin_to_default_value TO provreq_operator;

CREATE FUNCTION provreq.nagravision_set_pin_to_given_value(
	subscription_identifier text,
	pin text,
	smartcard_identifier text DEFAULT NULL,
	smartcard_ca_id text DEFAULT NULL,
	@common_arguments@
) RETURNS provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.nagravision_set_pin_to_given_value IS
'Sets the PIN of a smartcard (SET_PIN_TO_GIVEN_VALUE). pin: digits, as many as the profile says (4). It is kept apart in provreq.request_secret, as long as the request is kept, and shown to provreq_admin alone. Bind it as a parameter: a statement that has it as a literal may be logged by the server before the function runs. The smartcard is named by smartcard_identifier or by smartcard_ca_id, which need not be in the directory; exactly one of the two must be given. Documented operation.';
GRANT EXECUTE ON FUNCTION provreq.nagravision_set_pin_to_given_value TO provreq_operator;

CREATE FUNCTION provreq.nagravision_clear_pin(
	subscription_identifier text,
	smartcard_identifier text DEFAULT NULL,
	smartcard_ca_id text DEFAULT NULL,
	@common_arguments@
) RETURNS provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.nagravision_clear_pin IS
'Takes the PIN from a smartcard (CLEAR_PIN). The smartcard is named by smartcard_identifier or by smartcard_ca_id, which need not be in the directory; exactly one of the two must be given. Documented operation.';
GRANT EXECUTE ON FUNCTION provreq.nagravision_clear_pin TO provreq_operator;
