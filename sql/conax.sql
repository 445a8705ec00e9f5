\pset tuples_only on
\pset format unaligned
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
-- The documented example of the interface
SELECT type, life_cycle_state, priority, process_immediately, provider, process_name,
	ordering_keys, parameters, subscription_id
	FROM provreq.conax_add_subscriptions('number=S60507', 'code=SPORT', 'serial_number=smrt20000054', priority => 'EXPRESS');

-- Each operation, its arguments by position
SELECT type, ordering_keys, parameters FROM provreq.conax_add_subscriptions('number=S60507', 'code=FILM', 'serial_number=smrt20000055', '2030-01-02 03:04:05+02');
SELECT type, ordering_keys, parameters FROM provreq.conax_cancel_subscriptions('number=S60507', 'code=SPORT', 'serial_number=smrt20000054');
SELECT type, ordering_keys, parameters, subscription_id FROM provreq.conax_create_pairing('{smartcard_ca_id=stb01-3020-0005}', '{stb_ca_id=THMOD001-10002}');
SELECT type, ordering_keys, parameters, subscription_id FROM provreq.conax_create_pairing('{smartcard_ca_id=a,smartcard_ca_id=000000000025}', '{stb_ca_id=THMOD001-10002,stb_ca_id=b}', 'number=S60507');
SELECT type, ordering_keys, parameters FROM provreq.conax_add_to_existing_pairing('{smartcard_ca_id=a}', '{stb_ca_id=b}', '000000000025');
SELECT type, ordering_keys, parameters FROM provreq.conax_reset_pin_to_default_value('number=S60507', 'serial_number=smrt20000054');
SELECT type, ordering_keys, parameters FROM provreq.conax_reset_pin_to_given_value('number=S60507', 'serial_number=smrt20000054', '0042');
SELECT type, ordering_keys, parameters, subscription_id FROM provreq.conax_get_active_subscriptions('serial_number=smrt20000054');
SELECT type, ordering_keys, parameters FROM provreq.conax_get_pairing_status_for_card('serial_number=smrt20000054');
SELECT type, ordering_keys, parameters, subscription_id FROM provreq.conax_get_pairing_status_for_pairing_module('serial_number=stb-1');
SELECT type, ordering_keys, parameters FROM provreq.conax_display_fingerprint('serial_number=smrt20000054', '2030-01-02 03:04:05+00', 10, 1, 2, 3, 'A4');
SELECT type, ordering_keys, parameters FROM provreq.conax_send_mail_message('serial_number=smrt20000054', 'Καλημέρα <b>&amp;', '2030-01-02 03:04:05+00');
SELECT type, ordering_keys, parameters FROM provreq.conax_send_bark_message('serial_number=smrt20000054', 'Hello');
SELECT type, ordering_keys, parameters FROM provreq.conax_send_bark_message('serial_number=smrt20000054', 'Hello', 65535, '2030-01-02 03:04:05.999999+00');
SELECT type, ordering_keys, parameters FROM provreq.conax_send_repeating_bark_message('serial_number=smrt20000054', 'Hello', 3, 2550);

-- All by name, in any order, with what every operation takes
SELECT type, priority, process_immediately, scheduled_date, provider, process_name, process_id, name, parameters
	FROM provreq.conax_send_repeating_bark_message(
		name => 'evening', process_id => '77', process_name => 'MAIL_BARK_MESSAGE_UTILITY',
		provider => 'regress_conax', priority => 'EXPRESS', scheduled_date => '2035-06-07 08:09:10+00',
		process_immediately => false, start_indication_date_time => '2035-06-07 08:09:10+00', display_duration => 7,
		repetition_interval => 10, repetition_count => 1, message => 'x',
		smartcard_identifier => 'id=C0000000000000000000000000000001');
SELECT udf_string_1, udf_string_8, udf_float_1, udf_float_4, udf_date_1, udf_date_4, udf_string_2 IS NULL, udf_date_2 IS NULL
	FROM provreq.conax_get_active_subscriptions('alternative_code=A-1', udf => '{"udf_string_1": "one", "udf_string_8": "",
		"udf_float_1": 1.5, "udf_float_4": -1e300, "udf_date_1": "2015-09-07T15:23:15.25", "udf_date_4": "2015-09-07T15:23:15+02:00",
		"udf_string_2": null, "udf_date_2": null}');
SELECT udf_date_1 FROM provreq.conax_get_active_subscriptions('alternative_code=A-1', udf => '{"udf_date_1": "2024-02-29"}');

-- NULL is the same as nothing
SELECT type, priority, process_immediately, process_name, scheduled_date = now(), parameters
	FROM provreq.conax_send_bark_message('serial_number=smrt20000054', 'Hello', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
-- A date in the past is due at once, and can be immediate
SELECT process_immediately, scheduled_date FROM provreq.conax_get_active_subscriptions('serial_number=smrt20000054', true, '2020-01-01 00:00:00+00');

-- Every field of an identifier
SELECT count(*) FROM unnest(ARRAY['id=5000000000000000000000000000000A', 'number=S60507']) AS s (subscription),
	unnest(ARRAY['id=10000000000000000000000000000001', 'code=SPORT', 'alternative_code=P-1']) AS p (product),
	unnest(ARRAY['id=C0000000000000000000000000000001', 'serial_number=smrt20000054', 'alternative_code=A-1']) AS c (card),
	provreq.conax_add_subscriptions(s.subscription, p.product, c.card) AS r
	WHERE r.parameters ->> 'service_ca_id' = '1001' AND r.parameters ->> 'smartcard_ca_id' = '000000000017';
-- A card of no subscription can be used in any
SELECT parameters FROM provreq.conax_add_subscriptions('number=S60508', 'code=SPORT', 'serial_number=smrt-stock');
-- Hostile identifiers are just texts
INSERT INTO provreq.installed_item (serial_number, classification, ca_id)
	VALUES ('a''b"c\d%e=$1;--', 'SMARTCARD', '000000000074');
SELECT parameters FROM provreq.conax_get_active_subscriptions('serial_number=a''b"c\d%e=$1;--');
-- The limits themselves are inside
SELECT outcome($$SELECT provreq.conax_send_mail_message('serial_number=smrt20000054', repeat('ä', 141))$$);
SELECT outcome($$SELECT provreq.conax_send_bark_message('serial_number=smrt20000054', repeat('ä', 129))$$);
SELECT outcome($$SELECT provreq.conax_get_active_subscriptions('serial_number=smrt20000054', name => repeat('ä', 255), process_id => repeat('ä', 255))$$);

-- A service that the provider does not know can be let through
SET provreq.allow_unmapped_service = on;
SELECT parameters FROM provreq.conax_add_subscriptions('number=S60507', 'code=NEWS', 'serial_number=smrt20000054');
RESET provreq.allow_unmapped_service;

-- The creator is the role that called
SET ROLE provreq_operator;
SELECT created_by_user, updated_by_user FROM provreq.conax_get_active_subscriptions('serial_number=smrt20000054');
SELECT outcome('SELECT FROM provreq.request_secret');
SELECT outcome('INSERT INTO provreq.request_pending (provider, type, ordering_keys) VALUES (''regress_conax'', ''X'', ''{x}'')');
SET ROLE provreq_reader;
SELECT outcome($$SELECT provreq.conax_get_active_subscriptions('serial_number=smrt20000054')$$);
RESET ROLE;
-- Nobody else has any of the functions, and each says what it does
SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'provreq'::regnamespace
	AND p.proname LIKE 'conax\_%' AND p.prorettype = 'provreq.request'::regtype
	AND (NOT has_function_privilege('provreq_operator', p.oid, 'EXECUTE')
		OR EXISTS (SELECT FROM aclexplode(p.proacl) AS a WHERE a.grantee = 0)
		OR obj_description(p.oid, 'pg_proc') IS NULL OR NOT p.prosecdef);
SELECT count(*) FROM pg_proc AS p WHERE p.pronamespace = 'provreq'::regnamespace
	AND p.proname LIKE 'conax\_%' AND p.prorettype = 'provreq.request'::regtype;
-- A function that is not named after an operation
CREATE FUNCTION provreq.conax_make_coffee(message text) RETURNS provreq.request
	AS '$libdir/provreq', 'provreq_create_request' LANGUAGE c;
SELECT outcome('SELECT provreq.conax_make_coffee(''x'')');
DROP FUNCTION provreq.conax_make_coffee(text);
CREATE FUNCTION provreq.conax_get_active_subscriptions(smartcard_identifier text, sugar integer, milk boolean, dummy boolean) RETURNS provreq.request
	AS '$libdir/provreq', 'provreq_create_request' LANGUAGE c;
SELECT outcome('SELECT provreq.conax_get_active_subscriptions(''serial_number=smrt20000054'', 1, true, false)');
DROP FUNCTION provreq.conax_get_active_subscriptions(text, integer, boolean, boolean);

-- Secrets: masked in the row, kept apart, and the statement is hidden
SELECT r.parameters, s.parameters FROM provreq.request AS r JOIN provreq.request_secret AS s USING (number)
	WHERE r.type = 'UPDATE_CA_PIN_TO_GIVEN_VALUE' ORDER BY r.number LIMIT 1;
DO $$
DECLARE
	context text;
	shown text;
BEGIN
	PERFORM provreq.conax_reset_pin_to_given_value('number=S60507', 'serial_number=smrt20000054', '7314');
	SELECT a.query INTO shown FROM pg_stat_activity AS a WHERE a.pid = pg_backend_pid();
	RAISE NOTICE 'pg_stat_activity: %', shown;
	PERFORM provreq.conax_reset_pin_to_given_value('number=S60507', 'serial_number=nowhere', '7314');
EXCEPTION WHEN no_data_found THEN
	GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
	RAISE NOTICE 'context: "%"', context;
END
$$;
-- but an operation without a secret hides nothing
DO $$
DECLARE
	context text;
BEGIN
	PERFORM provreq.conax_get_active_subscriptions('serial_number=nowhere');
EXCEPTION WHEN no_data_found THEN
	GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
	RAISE NOTICE 'context: %', left(context, 71);
END
$$;

-- Many in one statement, in one order, with numbers of their own
SELECT count(*), count(DISTINCT r.number), count(DISTINCT r.id), array_agg(DISTINCT r.parameters)
	FROM generate_series(1, 1000) AS i,
	provreq.conax_add_subscriptions('number=S60507', 'code=SPORT', 'serial_number=smrt20000054', process_id => i::text) AS r;
-- What was looked up is not used again when it has changed
DO $$
DECLARE
	service text;
BEGIN
	FOR i IN 1..3 LOOP
		UPDATE provreq.service_mapping SET service_ca_id = 'new' || i
			WHERE product_id = '10000000000000000000000000000001';
		service := (provreq.conax_add_subscriptions('number=S60507', 'code=SPORT', 'serial_number=smrt20000054')).parameters ->> 'service_ca_id';
		RAISE NOTICE '%', service;
	END LOOP;
END
$$;
BEGIN;
SAVEPOINT s;
INSERT INTO provreq.installed_item (serial_number, classification, ca_id) VALUES ('fleeting', 'SMARTCARD', '000000000082');
SAVEPOINT t;
INSERT INTO provreq.installed_item (serial_number, classification, ca_id) VALUES ('more fleeting', 'SMARTCARD', '000000000090');
ROLLBACK TO t;
SELECT outcome($$SELECT provreq.conax_get_active_subscriptions('serial_number=fleeting', provider => 'nowhere')$$);
ROLLBACK TO s;
SELECT outcome($$SELECT provreq.conax_get_active_subscriptions('serial_number=fleeting')$$);
ROLLBACK;
UPDATE provreq.service_mapping SET service_ca_id = '1001'
	WHERE product_id = '10000000000000000000000000000001';

-- Two providers: the card's own, the named one, or a question
CREATE SERVER regress_conax_2 FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'https://127.0.0.1:1');
SELECT provider FROM provreq.conax_get_active_subscriptions('serial_number=smrt20000055');
SELECT provider FROM provreq.conax_get_active_subscriptions('serial_number=smrt20000054', provider => 'regress_conax_2');
SELECT r.provider FROM unnest(ARRAY['regress_conax', 'regress_conax_2', NULL]) AS p (provider),
	provreq.conax_get_active_subscriptions(CASE WHEN p.provider IS NULL THEN 'serial_number=smrt20000055' ELSE 'serial_number=smrt20000054' END,
		provider => p.provider) AS r;
SELECT provider FROM provreq.conax_create_pairing('{smartcard_ca_id=000000000025}', '{stb_ca_id=THMOD001-10002}');
SELECT outcome($$SELECT provreq.conax_get_active_subscriptions('serial_number=smrt20000054')$$);
SELECT outcome($$SELECT provreq.conax_get_active_subscriptions('serial_number=smrt20000055', provider => 'regress_conax_2')$$);
ALTER SERVER regress_conax_2 OPTIONS (ADD state 'not_effective');
SELECT provider FROM provreq.conax_get_active_subscriptions('serial_number=smrt20000054');
SELECT outcome($$SELECT provreq.conax_get_active_subscriptions('serial_number=smrt20000054', provider => 'regress_conax_2')$$);
DELETE FROM provreq.request WHERE provider = 'regress_conax_2';
DROP SERVER regress_conax_2;
