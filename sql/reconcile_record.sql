-- What the record says of the services of smartcards: lists that were carried
-- out in part, changes that take effect later, requests that were given up in
-- doubt, goods among the entitlements.  All is undone at the end.
SET timezone = 'UTC';
\set VERBOSITY terse
BEGIN;
SET LOCAL client_min_messages = error;
CREATE SERVER record_conax FOREIGN DATA WRAPPER conax_web_services
	OPTIONS (url 'https://127.0.0.1:1/cas');
CREATE SERVER record_nagra FOREIGN DATA WRAPPER nagravision
	OPTIONS (host '127.0.0.1', port '1', source_id '1');
CREATE SERVER record_nds FOREIGN DATA WRAPPER nds OPTIONS (host '127.0.0.1', port '1');
CREATE USER MAPPING FOR provreq_worker SERVER record_nds OPTIONS (key '0123456789ABCDEF');
INSERT INTO provreq.subscription (id, number) VALUES ('5000000000000000000000000000008A', 'S-RECORD');
INSERT INTO provreq.product (id, code) VALUES
	('10000000000000000000000000000081', 'R1'), ('10000000000000000000000000000082', 'R2'),
	('10000000000000000000000000000083', 'R3'), ('10000000000000000000000000000084', 'R1-TOO');
INSERT INTO provreq.product (id, code, classification) VALUES
	('10000000000000000000000000000085', 'R-BOX', 'GOODS');
INSERT INTO provreq.service_mapping (product_id, service_ca_id) VALUES
	('10000000000000000000000000000081', '81'), ('10000000000000000000000000000082', '82'),
	('10000000000000000000000000000083', '83'), ('10000000000000000000000000000084', '81');
INSERT INTO provreq.installed_item (id, serial_number, subscription_id, classification, ca_id) VALUES
	('C0000000000000000000000000000081', 'record-1', '5000000000000000000000000000008A', 'SMARTCARD', '000088100000'),
	('C0000000000000000000000000000082', 'record-2', '5000000000000000000000000000008A', 'SMARTCARD', '000088200000');
-- A row of the record; its other columns as JSON
CREATE FUNCTION record(of_provider text, of_type text, services jsonb, state text DEFAULT 'COMPLETED',
	more jsonb DEFAULT '{}', starts timestamptz DEFAULT NULL, data jsonb DEFAULT NULL)
	RETURNS void LANGUAGE sql AS $$
	INSERT INTO provreq.request (provider, type, life_cycle_state, ordering_keys, parameters,
		response_data, executed_date, closed_date, sequence_number, parts_done, attempts, attempt_log,
		error_code, error_description, scheduled_date, created_xid)
	VALUES ('record_' || of_provider, of_type, state,
		ARRAY[provreq.card_key('record_' || of_provider, '000088100000')],
		jsonb_strip_nulls(jsonb_build_object('service_ca_id', services, 'smartcard_ca_id', '000088100000',
			'start_date', starts)),
		data, now(), CASE WHEN state <> 'PENDING' THEN now() END,
		CASE WHEN state <> 'PENDING' AND NOT more ? 'unsent' THEN nextval('provreq.sequence_number_seq') END,
		(SELECT array_agg('service_ca_id=' || p) FROM jsonb_array_elements_text(more -> 'parts') AS p),
		1, more -> 'log', more ->> 'code', more ->> 'text',
		coalesce((more ->> 'scheduled')::timestamptz, now()),
		CASE WHEN state = 'PENDING' THEN pg_current_xact_id() END)
$$;
CREATE FUNCTION entitle(VARIADIC products text[]) RETURNS void LANGUAGE sql AS $$
	DELETE FROM provreq.entitlement;
	INSERT INTO provreq.entitlement SELECT 'C0000000000000000000000000000081', id
		FROM provreq.product WHERE code = ANY (products);
$$;
CREATE FUNCTION lists(of_provider text, since timestamptz DEFAULT NULL)
	RETURNS TABLE (service text, product text, crm boolean, cas boolean, suggestion text)
	LANGUAGE sql AS $$
	SELECT service_ca_id, (SELECT code FROM provreq.product WHERE id = product_id),
		in_crm, in_cas, regexp_replace(suggestion, '\d+', 'N')
	FROM provreq.differences('record_' || of_provider, '{serial_number=record-1}', since)
$$;

-- A list that was refused: what was carried out of it counts, nothing else
SAVEPOINT clean;
SELECT entitle('R1', 'R2', 'R3');
SELECT record('nagra', 'ADD_ENHANCED_LIST_OF_PRODUCTS', '["81", "82", "83"]', 'REJECTED',
	'{"parts": ["81", "83"], "code": "0011"}');
SELECT * FROM lists('nagra');
SELECT type, parameters -> 'service_ca_id' AS services
	FROM provreq.reset_subscription('number=S-RECORD', 'record_nagra');
-- and so of a cancellation
ROLLBACK TO clean;
SELECT record('nagra', 'ADD_ENHANCED_LIST_OF_PRODUCTS', '["81", "82"]');
SELECT record('nagra', 'CANCEL_LIST_OF_PRODUCTS', '["81", "82"]', 'REJECTED', '{"parts": ["82"]}');
SELECT * FROM lists('nagra');
-- and of one that is still tried, which holds what it has brought about
ROLLBACK TO clean;
SELECT entitle('R1');
SELECT record('nagra', 'ADD_ENHANCED_LIST_OF_PRODUCTS', '["81", "82"]', 'PENDING', '{"parts": ["81"]}');
SELECT * FROM lists('nagra');

-- A change that takes effect later is no difference, on whichever side the CRM is
ROLLBACK TO clean;
SELECT entitle('R1');
SELECT record('conax', 'ADD_SUBSCRIPTIONS', '"81"', starts => now() + interval '1 month');
SELECT record('conax', 'ADD_SUBSCRIPTIONS', '"82"', starts => now() + interval '1 month');
SELECT record('conax', 'ADD_SUBSCRIPTIONS', '"83"');
SELECT record('conax', 'CANCEL_SUBSCRIPTIONS', '"83"', starts => now() + interval '1 month');
SELECT * FROM lists('conax');
SELECT count(*) FROM provreq.reset_subscription('number=S-RECORD', 'record_conax', NULL);
-- nor is it after an answer that cannot know of it
SELECT record('conax', 'GET_ACTIVE_SUBSCRIPTIONS', NULL, data => '{"active_subscriptions": [{"service_ca_id": "83"}]}');
SELECT * FROM lists('conax', now() - interval '1 hour');
-- but when it was cancelled meanwhile
SELECT record('conax', 'CANCEL_SUBSCRIPTIONS', '"81"');
SELECT * FROM lists('conax');
-- A date that has come counts at once, although the answer is older than it
ROLLBACK TO clean;
SELECT entitle('R1');
SELECT record('conax', 'ADD_SUBSCRIPTIONS', '"81"', starts => now() + interval '1 month');
SELECT record('conax', 'GET_ACTIVE_SUBSCRIPTIONS', NULL, data => '{"active_subscriptions": []}');
ALTER TABLE provreq.request_closed DISABLE TRIGGER refuse_change;
UPDATE provreq.request_closed SET executed_date = executed_date - interval '2 months',
	parameters = parameters || CASE WHEN parameters ? 'start_date'
		THEN jsonb_build_object('start_date', now() - interval '1 month') ELSE '{}' END
	WHERE provider = 'record_conax';
SELECT * FROM lists('conax');
-- and one that had come when the answer was asked for does not count against it
UPDATE provreq.request_closed SET executed_date = now() WHERE type = 'GET_ACTIVE_SUBSCRIPTIONS' AND provider = 'record_conax';
SELECT * FROM lists('conax');
-- What is pending for later leaves things as they are until then
ROLLBACK TO clean;
SELECT entitle('R1', 'R2');
SELECT record('conax', 'ADD_SUBSCRIPTIONS', '"81"');
SELECT record('conax', 'CANCEL_SUBSCRIPTIONS', '"81"', 'PENDING', '{"scheduled": "2999-12-31"}');
SELECT record('conax', 'ADD_SUBSCRIPTIONS', '"82"', 'PENDING', '{"scheduled": "2999-12-31"}');
SELECT record('conax', 'ADD_SUBSCRIPTIONS', '"83"', 'PENDING', starts => '2999-12-31');
SELECT * FROM lists('conax');
-- beside what is due now
SELECT record('conax', 'CANCEL_SUBSCRIPTIONS', '"82"', 'PENDING');
SELECT record('conax', 'CANCEL_SUBSCRIPTIONS', '"81"', 'PENDING');
SELECT * FROM lists('conax');

-- A subscription whose end has come is held no more
ROLLBACK TO clean;
SELECT entitle('R1', 'R2', 'R3');
SELECT record('conax', 'GET_ACTIVE_SUBSCRIPTIONS', NULL, data => '{"active_subscriptions": [
	{"service_ca_id": "81", "end_date": "2020-01-01T00:00:00"}, {"service_ca_id": "82", "end_date": "2999-01-01T00:00:00Z"},
	{"service_ca_id": "83", "end_date": "some day"}]}');
SELECT * FROM lists('conax');

-- Given up, or cancelled, after it may have been carried out: not known
ROLLBACK TO clean;
SELECT entitle('R1');
SELECT record('conax', 'ADD_SUBSCRIPTIONS', '"81"', 'REJECTED',
	'{"code": "RETRY_EXHAUSTED", "text": "given up after 1 attempt(s), it may have been carried out; the last one: timeout"}');
SELECT record('conax', 'ADD_SUBSCRIPTIONS', '"82"', 'REJECTED',
	'{"code": "CANCELLED", "log": [{"attempt": 1, "sequence_number": 1, "verdict": "UNKNOWN"}], "unsent": true}');
SELECT record('conax', 'ADD_SUBSCRIPTIONS', '"83"', 'REJECTED',
	'{"code": "CANCELLED", "log": [{"attempt": 1, "sequence_number": 1, "verdict": "RETRY"}], "unsent": true}');
SELECT record('conax', 'ADD_SUBSCRIPTIONS', '"83"', 'REJECTED', '{"code": "RETRY_EXHAUSTED", "text": "given up after 1 attempt(s); the last one: busy"}');
SELECT record('conax', 'ADD_SUBSCRIPTIONS', '"83"', 'REJECTED',
	'{"code": "DECLARED_REJECTED", "log": [{"attempt": 1, "sequence_number": 1, "verdict": "UNKNOWN"}]}');
SELECT * FROM lists('conax');
SELECT type, parameters -> 'service_ca_id' AS service
	FROM provreq.reset_subscription('number=S-RECORD', 'record_conax', NULL);
SELECT * FROM lists('conax');
-- an answer decides
SELECT record('conax', 'GET_ACTIVE_SUBSCRIPTIONS', NULL, data => '{"active_subscriptions": [{"service_ca_id": "81"}]}');
DELETE FROM provreq.request_pending WHERE provider = 'record_conax';
SELECT * FROM lists('conax');

-- Two products that are one service, goods, and a card that was swapped
ROLLBACK TO clean;
SELECT entitle('R1', 'R1-TOO', 'R-BOX');
SELECT record('nagra', 'ADD_ENHANCED_LIST_OF_PRODUCTS', '["81"]');
SELECT * FROM lists('nagra');
DELETE FROM provreq.entitlement WHERE product_id = '10000000000000000000000000000081';
SELECT * FROM lists('nagra');
UPDATE provreq.entitlement SET installed_item_id = 'C0000000000000000000000000000082';
SELECT * FROM lists('nagra');
SELECT type, parameters -> 'smartcard_ca_id' AS card, parameters -> 'service_ca_id' AS services
	FROM provreq.reset_subscription('number=S-RECORD', 'record_nagra');

-- NDS: one re-authorisation is enough
ROLLBACK TO clean;
SELECT entitle('R1');
SELECT * FROM lists('nds');
SELECT count(*) FROM provreq.reset_subscription('number=S-RECORD', 'record_nds');
SELECT * FROM lists('nds');
SELECT count(*) FROM provreq.reset_subscription('number=S-RECORD', 'record_nds');
-- unless it is on its way, or for later
INSERT INTO provreq.attempt SELECT number, 1, provider, 0, 1, now() FROM provreq.request_pending WHERE provider = 'record_nds';
SELECT * FROM lists('nds');
DELETE FROM provreq.attempt WHERE provider = 'record_nds';
UPDATE provreq.request_pending SET scheduled_date = '2999-12-31' WHERE provider = 'record_nds';
SELECT * FROM lists('nds');

-- Wrong arguments, and types of the caller's
ROLLBACK TO clean;
SELECT outcome('SELECT ' || call) FROM (VALUES
	('provreq.differences(''record_conax'', ''{{a,b},{c,d}}'')'),
	('provreq.reset_subscription(''number=S-RECORD'', ''record_conax'', ''-178000000 years'')'),
	('provreq.reset_subscription(''number=S-RECORD'', ''record_conax'', ''0'')')
) AS v (call);
ROLLBACK;
CREATE SCHEMA regress_front;
CREATE DOMAIN regress_front.timestamptz AS integer;
SET search_path = regress_front, pg_catalog, public;
CALL provreq.reconcile('nowhere', '{}', '10 ms');
RESET search_path;
DROP DOMAIN regress_front.timestamptz;
DROP SCHEMA regress_front;
