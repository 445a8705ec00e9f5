-- What the CRM says against what the CAS holds.  The provider cannot be
-- reached: its answers are put into the record here.  After runs, which has
-- made becomes().
SET timezone = 'UTC';
\set VERBOSITY terse
SELECT provreq.pause('regress_conax', 'so that its requests can be counted');
SELECT becomes($$SELECT sender_state = 'paused' FROM provreq.provider_status
	WHERE provider = 'regress_conax'$$);
SELECT becomes('SELECT NOT EXISTS (SELECT FROM provreq.attempt)');
CREATE FUNCTION closed(of_type text, parameters jsonb, state text DEFAULT 'COMPLETED',
	data jsonb DEFAULT NULL, at timestamptz DEFAULT now(), of_provider text DEFAULT 'regress_conax')
	RETURNS bigint LANGUAGE sql AS $$
	INSERT INTO provreq.request (provider, type, life_cycle_state, ordering_keys, parameters,
		response_data, executed_date, closed_date, sequence_number, created_xid)
	VALUES (of_provider, of_type, state,
		ARRAY[provreq.card_key(CASE of_provider WHEN 'other' THEN 'regress_conax' ELSE of_provider END,
			parameters ->> 'smartcard_ca_id')],
		parameters, data, at, now(), nextval('provreq.sequence_number_seq'), NULL)
	RETURNING number
$$;
CREATE FUNCTION lists(card text, since timestamptz DEFAULT NULL, of_provider text DEFAULT 'regress_conax')
	RETURNS TABLE (card_ca_id text, service text, product text, crm boolean, cas boolean,
		suggestion text, answered boolean)
	LANGUAGE sql AS $$
	SELECT smartcard_ca_id, service_ca_id, (SELECT code FROM provreq.product WHERE id = product_id),
		in_crm, in_cas, regexp_replace(suggestion, '\d+', 'N'), as_of IS NOT NULL
	FROM provreq.differences(of_provider, ARRAY['serial_number=' || card], since)
$$;
-- cards of their own: other tests have left pending requests for theirs
INSERT INTO provreq.subscription (id, number) VALUES
	('5000000000000000000000000000007A', 'S-REC'), ('5000000000000000000000000000007B', 'S-REC2');
INSERT INTO provreq.installed_item (id, serial_number, subscription_id, classification, ca_id, provider) VALUES
	('C0000000000000000000000000000071', 'rec-1', '5000000000000000000000000000007A', 'SMARTCARD', '000000000717', NULL),
	('C0000000000000000000000000000072', 'rec-2', '5000000000000000000000000000007A', 'SMARTCARD', '000000000725', 'regress_conax');
BEGIN;
INSERT INTO provreq.entitlement VALUES
	('C0000000000000000000000000000071', '10000000000000000000000000000001'),
	('C0000000000000000000000000000071', '10000000000000000000000000000002');

-- Nothing is known of the CAS: the record is empty
SELECT * FROM lists('rec-1');
-- unless an answer is wanted
SELECT * FROM lists('rec-1', '2000-01-01');
-- one that has no service on either side
SELECT * FROM lists('rec-2');
SELECT * FROM lists('rec-2', '2000-01-01');

-- By the record: only what was carried out counts, the last word counts
SELECT count(closed('ADD_SUBSCRIPTIONS', '{"smartcard_ca_id": "000000000717", "service_ca_id": "1001"}'));
SELECT count(closed('ADD_SUBSCRIPTIONS', '{"smartcard_ca_id": "000000000717", "service_ca_id": "2002"}', 'REJECTED'));
SELECT count(closed('ADD_SUBSCRIPTIONS', '{"smartcard_ca_id": "000000000717", "service_ca_id": "2001"}'));
SELECT count(closed('ADD_SUBSCRIPTIONS', '{"smartcard_ca_id": "000000000717", "service_ca_id": "2002"}', of_provider => 'other'));
SELECT * FROM lists('rec-1');
SELECT count(closed('CANCEL_SUBSCRIPTIONS', '{"smartcard_ca_id": "000000000717", "service_ca_id": "2001"}'));
SELECT count(closed('CANCEL_SUBSCRIPTIONS', '{"smartcard_ca_id": "000000000717", "service_ca_id": "1001"}'));
SELECT count(closed('ADD_SUBSCRIPTIONS', '{"smartcard_ca_id": "000000000717", "service_ca_id": "1001"}'));
SELECT * FROM lists('rec-1');

-- By the answer, which overrules what went before, and what came after it
SELECT count(closed('GET_ACTIVE_SUBSCRIPTIONS', '{"smartcard_ca_id": "000000000717"}', 'COMPLETED',
	'{"active_subscriptions": [{"service_ca_id": "2002"}, {"service_ca_id": "9999"}]}', '2020-01-01'));
SELECT count(closed('GET_ACTIVE_SUBSCRIPTIONS', '{"smartcard_ca_id": "000000000717"}', 'REJECTED'));
SELECT * FROM lists('rec-1');
SELECT * FROM lists('rec-1', '2021-01-01');
SELECT * FROM lists('rec-1', '2019-01-01');
SELECT count(closed('ADD_SUBSCRIPTIONS', '{"smartcard_ca_id": "000000000717", "service_ca_id": "1001"}'));
SELECT count(closed('CANCEL_SUBSCRIPTIONS', '{"smartcard_ca_id": "000000000717", "service_ca_id": "9999"}'));
SELECT * FROM lists('rec-1');
-- no answer at all in it
SELECT count(closed('GET_ACTIVE_SUBSCRIPTIONS', '{"smartcard_ca_id": "000000000717"}', 'COMPLETED', '{}'));
SELECT * FROM lists('rec-1');

-- What is pending counts as what will be
DELETE FROM provreq.entitlement WHERE product_id = '10000000000000000000000000000001';
SELECT * FROM lists('rec-1');
SELECT type, parameters -> 'service_ca_id' AS service, process_name
	FROM provreq.reset_subscription('number=S-REC', max_age => NULL);
SELECT * FROM lists('rec-1');
SELECT count(*) FROM provreq.reset_subscription('number=S-REC', max_age => NULL);
INSERT INTO provreq.entitlement VALUES
	('C0000000000000000000000000000071', '10000000000000000000000000000001');
SELECT * FROM lists('rec-1');
SELECT type, parameters -> 'service_ca_id' AS service
	FROM provreq.reset_subscription('number=S-REC', 'regress_conax', NULL);
SELECT * FROM lists('rec-1');
SELECT provreq.cancel(number, 'enough') FROM provreq.request_pending
	WHERE process_name = 'PROVISIONING_REQUEST_PROCESSING'
	AND subscription_id = '5000000000000000000000000000007A' ORDER BY number DESC;
SELECT * FROM lists('rec-1');
SELECT count(closed('GET_ACTIVE_SUBSCRIPTIONS', '{"smartcard_ca_id": "000000000717"}', 'COMPLETED',
	'{"active_subscriptions": []}', now() - interval '10 minutes'));
SELECT count(closed('GET_ACTIVE_SUBSCRIPTIONS', '{"smartcard_ca_id": "000000000725"}', 'COMPLETED',
	'{"active_subscriptions": [{"service_ca_id": "1001"}]}', now() - interval '10 minutes'));
-- both cards of the subscription, less than two requests for three differences would not do
SELECT type, parameters -> 'smartcard_ca_id' AS card, parameters -> 'service_ca_id' AS service
	FROM provreq.reset_subscription('number=S-REC');
ROLLBACK;

-- A service that the provider has no name for, and two that it calls the same
BEGIN;
INSERT INTO provreq.entitlement VALUES
	('C0000000000000000000000000000071', '10000000000000000000000000000005'),
	('C0000000000000000000000000000071', '10000000000000000000000000000001'),
	('C0000000000000000000000000000071', '10000000000000000000000000000003');
INSERT INTO provreq.service_mapping VALUES ('10000000000000000000000000000003', 'regress_conax', '1001');
SELECT * FROM lists('rec-1');
SELECT outcome($$SELECT provreq.reset_subscription('number=S-REC', max_age => NULL)$$);
DELETE FROM provreq.entitlement WHERE product_id LIKE '%5';
SELECT count(closed('ADD_SUBSCRIPTIONS', '{"smartcard_ca_id": "000000000717", "service_ca_id": "9999"}'));
SELECT type, parameters -> 'service_ca_id' AS service
	FROM provreq.reset_subscription('number=S-REC', max_age => NULL);
ROLLBACK;

-- Systems that cannot be asked
BEGIN;
SET LOCAL client_min_messages = error;
CREATE SERVER regress_nagra FOREIGN DATA WRAPPER nagravision
	OPTIONS (host '127.0.0.1', port '1', source_id '1', state 'effective');
CREATE SERVER regress_nds FOREIGN DATA WRAPPER nds OPTIONS (host '127.0.0.1', port '1');
CREATE USER MAPPING FOR provreq_worker SERVER regress_nds OPTIONS (key '0123456789ABCDEF');
INSERT INTO provreq.installed_item (id, serial_number, subscription_id, classification, ca_id, provider) VALUES
	('C00000000000000000000000000000A1', 'nagra-1', '5000000000000000000000000000007B', 'SMARTCARD', '0000000717', 'regress_nagra'),
	('C00000000000000000000000000000A2', 'nds-1', '5000000000000000000000000000007B', 'SMARTCARD', '000000000717', 'regress_nds');
INSERT INTO provreq.entitlement VALUES
	('C00000000000000000000000000000A1', '10000000000000000000000000000001'),
	('C00000000000000000000000000000A1', '10000000000000000000000000000002'),
	('C00000000000000000000000000000A2', '10000000000000000000000000000002');
SELECT count(closed('ADD_ENHANCED_LIST_OF_PRODUCTS', '{"smartcard_ca_id": "0000000717", "service_ca_id": ["5001", "2001", "5002"]}', of_provider => 'regress_nagra'));
SELECT count(closed('CANCEL_LIST_OF_PRODUCTS', '{"smartcard_ca_id": "0000000717", "service_ca_id": ["2001", "5002"]}', of_provider => 'regress_nagra'));
SELECT * FROM lists('nagra-1', of_provider => 'regress_nagra');
SELECT * FROM lists('nagra-1', now(), 'regress_nagra');
SELECT * FROM lists('nds-1', of_provider => 'regress_nds');
SELECT count(*) FROM provreq.ask_cas('regress_nagra', ARRAY['serial_number=nagra-1']);
INSERT INTO provreq.product (id, code) VALUES ('10000000000000000000000000000009', 'OLD');
INSERT INTO provreq.service_mapping VALUES ('10000000000000000000000000000009', 'regress_nagra', '5001');
SELECT provider, type, parameters FROM provreq.reset_subscription('number=S-REC2', 'regress_nagra');
SELECT provider, type, parameters FROM provreq.reset_subscription('number=S-REC2', 'regress_nds');
SELECT * FROM lists('nagra-1', of_provider => 'regress_nagra');
ROLLBACK;

-- Errors
SELECT outcome('SELECT ' || call) FROM (VALUES
	('provreq.differences(NULL, ''{}'')'),
	('provreq.differences(''regress_conax'', NULL)'),
	('provreq.differences(''regress_conax'', ARRAY[NULL])'),
	('provreq.differences(''regress_conax'', ARRAY[''serial_number=nobody''])'),
	('provreq.differences(''regress_conax'', ARRAY[''what''])'),
	('provreq.differences(''nowhere'', ''{}'')'),
	('provreq.differences(''regress_conax'', ''{}'')'),
	('provreq.ask_cas(NULL, ''{}'')'),
	('provreq.ask_cas(''regress_conax'', NULL)'),
	('provreq.ask_cas(''regress_conax'', ARRAY[''serial_number=nobody''])'),
	('provreq.reset_subscription(NULL)'),
	('provreq.reset_subscription(''number=none'')'),
	('provreq.reset_subscription(''number=S-REC'', ''nowhere'')'),
	('provreq.reset_subscription(''number=S-REC'')'),
	('provreq.reconcile_smartcard(NULL)')
) AS v (call);
CALL provreq.reconcile('regress_conax', NULL);
CALL provreq.reconcile('regress_conax', ARRAY['serial_number=nobody']);
CALL provreq.reconcile('regress_conax', '{}', NULL);
CALL provreq.reconcile('regress_conax', '{}');
BEGIN;
CALL provreq.reconcile('regress_conax', '{}');
ROLLBACK;
-- nobody is asked when the answer cannot be waited for
SELECT count(*) AS before FROM provreq.request \gset
CALL provreq.reconcile('regress_conax', ARRAY['serial_number=rec-1'], '25 days');
CALL provreq.reconcile('regress_conax', ARRAY['serial_number=rec-1'], '-1 ms');
SELECT count(*) - :before AS made FROM provreq.request;
-- nobody answers
CALL provreq.reconcile('regress_conax', ARRAY['serial_number=rec-1'], '10ms');
-- which is in flight for a moment now and then
DO $$
BEGIN
	LOOP
		BEGIN
			PERFORM provreq.cancel(number, 'nobody answers') FROM provreq.request_pending
				WHERE type = 'GET_ACTIVE_SUBSCRIPTIONS' AND process_name = 'PROVISIONING_REQUEST_PROCESSING';
			EXIT;
		EXCEPTION WHEN object_in_use THEN
			PERFORM pg_sleep(0.02);
		END;
	END LOOP;
END
$$;
DELETE FROM provreq.installed_item WHERE serial_number LIKE 'rec-%';
DELETE FROM provreq.subscription WHERE number LIKE 'S-REC%';
DROP FUNCTION closed(text, jsonb, text, jsonb, timestamptz, text), lists(text, timestamptz, text);
SELECT provreq.resume('regress_conax');
DROP FUNCTION becomes(text);
