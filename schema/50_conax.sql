/*
 * The operations of Conax Web Services.  The declarations are the interface:
 * the C function behind them finds its operation by the function's name and
 * reads its arguments by theirs.  "@...@" stands for what
 * operation.macros says: the arguments that all of them end with, and the C
 * function.
 *
 * What all of them have in common, and their comments do not repeat:
 *
 *   identifiers          field=value with one of the fields that the columns
 *                        of provreq.subscription (id, number),
 *                        provreq.product (id, code, alternative_code) and
 *                        provreq.installed_item (id, serial_number,
 *                        alternative_code) are documented to be
 *   process_immediately  ahead of everything else; not together with a
 *                        scheduled_date in the future
 *   scheduled_date       not before; default at once
 *   priority             REGULAR or EXPRESS
 *   provider             the foreign server; default the smartcard's, or the
 *                        only effective one of the kind
 *   process_name         one of the documented names
 *   process_id, name     at most 255 characters
 *   udf                  object of udf_string_1 to 8, udf_float_1 to 4 and
 *                        udf_date_1 to 4 (2015-09-07T15:23:15)
 *
 * NULL is the same as leaving an argument out.  Errors: 22004 what is
 * mandatory is missing, 22023 a value breaks a rule, 42P02 an unknown member
 * of udf, P0002 nothing has the identifier, P0003 more than one has, 55000
 * an item is not effective or a mapping is missing, HV00N the provider is not
 * effective, or none is.
 */
CREATE FUNCTION provreq.conax_add_subscriptions(
	subscription_identifier text,
	service_identifier text,
	smartcard_identifier text,
	start_date timestamptz DEFAULT NULL,
	@common_arguments@
) RETURNS provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.conax_add_subscriptions IS
'Lets a smartcard descramble a service (ADD_SUBSCRIPTIONS). start_date: when the change takes effect in the conditional access system, default at once. The product must be classified as SERVICE and have a CA ID at the provider. The smartcard must be effective, classified as SMARTCARD and not of another subscription. Documented operation; start_date from other public pages of the interface.';
GRANT EXECUTE ON FUNCTION provreq.conax_add_subscriptions TO provreq_operator;

CREATE FUNCTION provreq.conax_cancel_subscriptions(
	subscription_identifier text,
	service_identifier text,
	smartcard_identifier text,
	start_date timestamptz DEFAULT NULL,
	@common_arguments@
) RETURNS provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.conax_cancel_subscriptions IS
'Takes a service from a smartcard (CANCEL_SUBSCRIPTIONS). start_date: when the change takes effect in the conditional access system, default at once. The product must be classified as SERVICE and have a CA ID at the provider. The smartcard must be effective, classified as SMARTCARD and not of another subscription. Documented operation; start_date from other public pages of the interface.';
GRANT EXECUTE ON FUNCTION provreq.conax_cancel_subscriptions TO provreq_operator;

CREATE FUNCTION provreq.conax_create_pairing(
	smartcard_set text[],
	stb_set text[],
	subscription_identifier text DEFAULT NULL,
	@common_arguments@
) RETURNS provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.conax_create_pairing IS
'Pairs smartcards with STBs (CREATE_PAIRING). smartcard_set: members smartcard_ca_id=..., stb_set: members stb_ca_id=...; 1 to 500 members, none NULL, none twice. CA IDs need not be in provreq.installed_item; those that are there must be effective, of the provider, and not of another subscription. Documented operation.';
GRANT EXECUTE ON FUNCTION provreq.conax_create_pairing TO provreq_operator;

CREATE FUNCTION provreq.conax_add_to_existing_pairing(
	smartcard_set text[],
	stb_set text[],
	existing_smartcard_ca_id text,
	subscription_identifier text DEFAULT NULL,
	@common_arguments@
) RETURNS provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.conax_add_to_existing_pairing IS
'Adds smartcards and STBs to the pairing of another smartcard (ADD_TO_EXISTING_PAIRING). existing_smartcard_ca_id: the CA ID alone of a card of that pairing; everything else as in conax_create_pairing. Documented type; the parameters are ours.';
GRANT EXECUTE ON FUNCTION provreq.conax_add_to_existing_pairing TO provreq_operator;

CREATE FUNCTION provreq.conax_reset_pin_to_default_value(
	subscription_identifier text,
	smartcard_identifier text,
	@common_arguments@
) RETURNS provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.conax_reset_pin_to_default_value IS
'Resets the PIN of a smartcard to its default (UPDATE_CA_PIN_TO_DEFAULT_VALUE). The smartcard must be effective, classified as SMARTCARD and not of another subscription. Documented operation.';
GRANT EXECUTE ON FUNCTION provreq.conax_reset_pin_to_default_value TO provreq_operator;

CREATE FUNCTION provreq.conax_reset_pin_to_given_value(
	subscription_identifier text,
	smartcard_identifier text,
	pin text,
	@common_arguments@
) RETURNS provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.conax_reset_pin_to_given_value IS
'Sets the PIN of a smartcard (UPDATE_CA_PIN_TO_GIVEN_VALUE). pin: digits only, 4 of them unless the wire profile says otherwise; stored apart, shown as asterisks to all but members of provreq_admin. The running statement''s text is hidden from pg_stat_activity, error reports and duration logging, but not from log_statement and auto_explain: give the PIN as a bound parameter where these are on. The smartcard must be effective, classified as SMARTCARD and not of another subscription. Documented operation; the length is ours.';
GRANT EXECUTE ON FUNCTION provreq.conax_reset_pin_to_given_value TO provreq_operator;

CREATE FUNCTION provreq.conax_get_active_subscriptions(
	smartcard_identifier text,
	@common_arguments@
) RETURNS provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.conax_get_active_subscriptions IS
'Asks which services a smartcard holds (GET_ACTIVE_SUBSCRIPTIONS); the answer becomes response_data of the request. The smartcard must be effective and classified as SMARTCARD. Documented type; the function is ours.';
GRANT EXECUTE ON FUNCTION provreq.conax_get_active_subscriptions TO provreq_operator;

CREATE FUNCTION provreq.conax_get_pairing_status_for_card(
	smartcard_identifier text,
	@common_arguments@
) RETURNS provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.conax_get_pairing_status_for_card IS
'Asks what a smartcard is paired with (GET_PAIRING_STATUS_FOR_CARD); the answer becomes response_data of the request. The smartcard must be effective and classified as SMARTCARD. Documented type; the function is ours.';
GRANT EXECUTE ON FUNCTION provreq.conax_get_pairing_status_for_card TO provreq_operator;

CREATE FUNCTION provreq.conax_get_pairing_status_for_pairing_module(
	stb_identifier text,
	@common_arguments@
) RETURNS provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.conax_get_pairing_status_for_pairing_module IS
'Asks what an STB is paired with (GET_PAIRING_STATUS_FOR_PAIRING_MODULE); the answer becomes response_data of the request. The STB must be effective and classified as STB. Documented type; the function is ours.';
GRANT EXECUTE ON FUNCTION provreq.conax_get_pairing_status_for_pairing_module TO provreq_operator;

CREATE FUNCTION provreq.conax_display_fingerprint(
	smartcard_identifier text,
	display_date_time timestamptz DEFAULT NULL,
	display_duration integer DEFAULT NULL,
	position_x integer DEFAULT NULL,
	position_y integer DEFAULT NULL,
	height integer DEFAULT NULL,
	fingerprint_slot text DEFAULT NULL,
	@common_arguments@
) RETURNS provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.conax_display_fingerprint IS
'Shows a fingerprint on the screen of a smartcard''s viewer (DISPLAY_FINGERPRINT). display_date_time: when, default at once; display_duration: seconds, 1 to 65535; position_x, position_y, height: in the system''s own units, 0 to 65535; fingerprint_slot: at most 64 characters. The smartcard must be effective and classified as SMARTCARD. Documented type and parameters; the function and the limits are ours.';
GRANT EXECUTE ON FUNCTION provreq.conax_display_fingerprint TO provreq_operator;

CREATE FUNCTION provreq.conax_send_mail_message(
	smartcard_identifier text,
	message text,
	start_indication_date_time timestamptz DEFAULT NULL,
	@common_arguments@
) RETURNS provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.conax_send_mail_message IS
'Sends a mail message to a smartcard''s viewer (SEND_MAIL_MESSAGE_TO_CLIENT). message: 1 to 141 characters, no control characters (limit from other public pages); start_indication_date_time: when it is announced, default at once. The smartcard must be effective and classified as SMARTCARD. Documented type; the function is ours.';
GRANT EXECUTE ON FUNCTION provreq.conax_send_mail_message TO provreq_operator;

CREATE FUNCTION provreq.conax_send_bark_message(
	smartcard_identifier text,
	message text,
	display_duration integer DEFAULT 20,
	start_indication_date_time timestamptz DEFAULT NULL,
	@common_arguments@
) RETURNS provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.conax_send_bark_message IS
'Shows a message on the screen of a smartcard''s viewer (SEND_BARK_MESSAGE_TO_CLIENT). message: 1 to 129 characters, no control characters; display_duration: seconds, 1 to 65535, default 20 (both from other public pages); start_indication_date_time: when, default at once. The smartcard must be effective and classified as SMARTCARD. Documented type; the function is ours.';
GRANT EXECUTE ON FUNCTION provreq.conax_send_bark_message TO provreq_operator;

CREATE FUNCTION provreq.conax_send_repeating_bark_message(
	smartcard_identifier text,
	message text,
	repetition_count integer,
	repetition_interval integer,
	display_duration integer DEFAULT 20,
	start_indication_date_time timestamptz DEFAULT NULL,
	@common_arguments@
) RETURNS provreq.request
	@creates_request@;
COMMENT ON FUNCTION provreq.conax_send_repeating_bark_message IS
'Shows a message again and again (SEND_REPEATING_BARK_MESSAGE_TO_CLIENT). repetition_count: 1 to 65535; repetition_interval: seconds, 10 to 2550 in steps of 10 (from other public pages); everything else as in conax_send_bark_message. Documented type; the function is ours.';
GRANT EXECUTE ON FUNCTION provreq.conax_send_repeating_bark_message TO provreq_operator;
