/*
 * The operations of NDS.  What all operations have in common, their last
 * arguments and errors among it, is written down before those of Conax Web
 * Services.
 *
 * At least one of subscription_identifier and smartcard_identifier must be
 * given.  A subscription alone means all of its effective smartcards: one
 * request for each, and all of them are returned.  A smartcard may also be
 * named by its bare CA ID, without "field=".
 */
CREATE FUNCTION provreq.nds_set_user_parameters(
	subscription_identifier text DEFAULT NULL,
	smartcard_identifier text DEFAULT NULL,
	reset_pin boolean DEFAULT NULL,
	new_pin text DEFAULT NULL,
	@common_arguments@
) RETURNS SETOF provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.nds_set_user_parameters IS
'Sets the PIN of a smartcard (SET_USER_PARAMETERS): to its default with reset_pin true, or to new_pin; exactly one of the two must be given. new_pin: digits, as many as the profile says (4). It is kept apart in provreq.request_secret, as long as the request is kept, and shown to provreq_admin alone. Bind it as a parameter: a statement that has it as a literal may be logged by the server before the function runs. At least one of subscription_identifier and smartcard_identifier must be given; a subscription alone means one request for each of its effective smartcards, in order of their serial numbers, all of them returned. smartcard_identifier may also be the bare CA ID of a smartcard, at most 12 digits. Documented operation.';
GRANT EXECUTE ON FUNCTION provreq.nds_set_user_parameters TO provreq_operator;

CREATE FUNCTION provreq.nds_reauthorise_all_services(
	subscription_identifier text DEFAULT NULL,
	smartcard_identifier text DEFAULT NULL,
	@common_arguments@
) RETURNS SETOF provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.nds_reauthorise_all_services IS
'Sends the rights of a smartcard once more (REAUTHORISE_ALL_SERVICES). At least one of subscription_identifier and smartcard_identifier must be given; a subscription alone means one request for each of its effective smartcards, in order of their serial numbers, all of them returned. smartcard_identifier may also be the bare CA ID of a smartcard, at most 12 digits. Documented operation.';
GRANT EXECUTE ON FUNCTION provreq.nds_reauthorise_all_services TO provreq_operator;
