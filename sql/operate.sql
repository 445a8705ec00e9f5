-- What people do to requests and providers, and what they look at.  The
-- provider of these tests is paused from the beginning, so that nothing is
-- ever in flight.
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SERVER regress_operate FOREIGN DATA WRAPPER conax_web_services
	OPTIONS (url 'http://127.0.0.1:1', allow_plaintext 'true');
CREATE USER MAPPING FOR provreq_worker SERVER regress_operate
	OPTIONS (username 'crm', password 'not shown');
-- cards that no other test has used
INSERT INTO provreq.subscription (id, number) VALUES
	('500000000000000000000000000000FF', 'S-operate');
INSERT INTO provreq.installed_item (serial_number, subscription_id, classification, ca_id) VALUES
	('operate-1', '500000000000000000000000000000FF', 'SMARTCARD', '000000009017'),
	('operate-2', '500000000000000000000000000000FF', 'SMARTCARD', '000000009025');

-- pause and resume
SELECT outcome($$SELECT provreq.pause(NULL, 'why')$$);
SELECT outcome($$SELECT provreq.pause('nowhere', 'why')$$) LIKE '42704: provider "nowhere" does not exist%' AS unknown;
SELECT outcome($$SELECT provreq.pause('regress_operate', NULL)$$);
SELECT outcome($$SELECT provreq.pause('regress_operate', '')$$);
SELECT outcome($$SELECT provreq.pause('regress_operate', E'two\nlines')$$);
SELECT outcome($$SELECT provreq.pause('regress_operate', repeat('x', 1000000))$$);
SELECT outcome($$SELECT provreq.pause(repeat('x', 1000000), 'why')$$) LIKE '42704: %' AS unknown;
SELECT outcome($$SELECT provreq.resume('regress_operate')$$);
SELECT outcome($$SELECT provreq.resume(NULL)$$);
SELECT outcome($$SELECT provreq.resume('nowhere')$$) LIKE '42704: %' AS unknown;
SELECT provreq.pause('regress_operate', 'maintenance');
SELECT regexp_replace(outcome($$SELECT provreq.pause('regress_operate', 'again')$$), 'since .*:', 'since ...:');
SELECT provider, reason, by_user = current_user AS me FROM provreq.paused_provider
	WHERE provider = 'regress_operate';
SELECT provider, kind, state, paused, pause_reason, pending, oldest_pending_age
	FROM provreq.provider_status WHERE provider = 'regress_operate';

-- requests can still be made
SELECT number AS base FROM provreq.conax_add_subscriptions('number=S-operate',
	'code=SPORT', 'serial_number=operate-1', provider => 'regress_operate') \gset
CREATE FUNCTION pg_temp.make(service text, card text, more timestamptz DEFAULT NULL, how text DEFAULT 'REGULAR')
	RETURNS bigint LANGUAGE sql AS $$
	SELECT number FROM provreq.conax_add_subscriptions('number=S-operate',
		'code=' || service, 'serial_number=' || card, scheduled_date => more,
		priority => how, provider => 'regress_operate')
$$;
SELECT pg_temp.make('FILM', 'operate-1') - :base AS number;
SELECT pg_temp.make('FILM', 'operate-2', '2200-01-01') - :base AS number;
SELECT pg_temp.make('FILM', 'operate-2', NULL, 'EXPRESS') - :base AS number;
SELECT pg_temp.make('SPORT', 'operate-2') - :base AS number;

-- the queue says what each waits for
UPDATE provreq.request_pending SET hold_reason = 'in doubt: a test', attempts = 1,
	attempt_log = '[{"attempt": 1, "sequence_number": 77, "started": "2026-01-02T03:04:05Z", "verdict": "UNKNOWN"}]'
	WHERE number = :base + 4;
SELECT pg_temp.make('FILM', 'operate-2') - :base AS number;
INSERT INTO provreq.attempt (number, attempt, provider, incarnation, started_date)
	VALUES (:base, 1, 'regress_operate', -1, '2026-01-01 00:00:00+00');
SELECT number - :base AS number, priority, waits_for, blocked_by - :base AS blocked_by, hold_reason
	FROM provreq.queue WHERE provider = 'regress_operate';
SELECT number - :base AS number, waits_for FROM provreq.queue WHERE number = :base + 1;
SELECT number - :base AS number, provider, type, attempt, started_date, age > interval '1 day' AS old, in_doubt
	FROM provreq.in_flight WHERE provider = 'regress_operate';
SELECT number - :base AS number, type, hold_reason, attempts, followers
	FROM provreq.doubtful WHERE provider = 'regress_operate';
SELECT pending, pending_immediate, pending_express, pending_regular, pending_scheduled, pending_held,
	oldest_pending_age > interval '0' AS aged
	FROM provreq.provider_status WHERE provider = 'regress_operate';

-- nothing can be done while it is in flight
SELECT outcome(format('SELECT provreq.cancel(%s, %L)', :base, 'why')) LIKE '55006: request % is in flight%' AS refused;
SELECT outcome(format('SELECT provreq.resubmit(%s)', :base)) LIKE '55006: %' AS refused;
SELECT outcome(format('SELECT provreq.release_doubtful(%s, %L, %L)', :base, 'resend', 'why')) LIKE '55006: %' AS refused;
DELETE FROM provreq.attempt WHERE number = :base;

-- cancel and resubmit
SELECT outcome($$SELECT provreq.cancel(1, E'two\nlines')$$);
SELECT outcome($$SELECT provreq.cancel(1, repeat('x', 1001))$$);
SELECT outcome($$SELECT provreq.cancel(1, NULL)$$);
SELECT outcome($$SELECT provreq.resubmit(1, E'two\nlines')$$);
SELECT provreq.resubmit(:base, 'at once');
SELECT provreq.cancel(:base, 'wrong card');
SELECT replace(outcome(format('SELECT provreq.resubmit(%s)', :base)), (:base)::text, 'N');
SELECT waits_for, blocked_by FROM provreq.queue WHERE number = :base + 1;

-- decide what is in doubt
SELECT outcome($$SELECT provreq.release_doubtful(NULL, 'resend', 'why')$$);
SELECT outcome($$SELECT provreq.release_doubtful(1, NULL, 'why')$$);
SELECT outcome($$SELECT provreq.release_doubtful(1, 'RESEND', 'why')$$);
SELECT outcome($$SELECT provreq.release_doubtful(1, 'resend', NULL)$$);
SELECT outcome($$SELECT provreq.release_doubtful(-1, 'resend', 'why')$$);
SELECT replace(outcome(format('SELECT provreq.release_doubtful(%s, %L, %L)', :base, 'resend', 'why')), (:base)::text, 'N');
SELECT replace(outcome(format('SELECT provreq.release_doubtful(%s, %L, %L)', :base + 1, 'resend', 'why')), (:base + 1)::text, 'N');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT outcome(format('SELECT provreq.release_doubtful(%s, %L, %L)', :base + 4, 'resend', 'why'));
ROLLBACK;
SELECT provreq.release_doubtful(:base + 4, 'completed', 'seen on the screen');
SELECT life_cycle_state, executed_date, sequence_number, attempts, error_code, hold_reason,
	closed_date IS NOT NULL AS closed, jsonb_array_length(attempt_log) AS log,
	attempt_log -> 1 ->> 'declared' AS declared, attempt_log -> 1 ->> 'was_held' AS was_held
	FROM provreq.request WHERE number = :base + 4;
UPDATE provreq.request_pending SET hold_reason = 'in doubt: a test' WHERE number IN (:base + 1, :base + 5);
SELECT provreq.release_doubtful(:base + 1, 'rejected', 'nothing on the screen');
SELECT provreq.release_doubtful(:base + 5, 'resend', 'try it');
SELECT number - :base AS number, life_cycle_state, executed_date, error_code, error_description, hold_reason
	FROM provreq.request WHERE number IN (:base + 1, :base + 5) ORDER BY number;

-- all of it is on record, which nobody changes
SELECT act, number - :base AS number, provider, reason, details, by_user = current_user AS me
	FROM provreq.intervention WHERE provider = 'regress_operate' ORDER BY id;
SET ROLE provreq_admin;
SELECT outcome($$UPDATE provreq.intervention SET reason = 'x'$$);
SELECT outcome($$INSERT INTO provreq.intervention (act, by_user) VALUES ('x', 'x')$$);
RESET ROLE;
CREATE ROLE regress_keeper;
GRANT USAGE ON SCHEMA provreq TO regress_keeper;
GRANT ALL ON provreq.intervention, provreq.resubmission TO regress_keeper;
SET ROLE regress_keeper;
SELECT outcome($$UPDATE provreq.intervention SET reason = 'x'$$);
SELECT outcome($$DELETE FROM provreq.intervention$$);
SELECT outcome($$TRUNCATE provreq.intervention$$);
SELECT outcome($$TRUNCATE provreq.resubmission$$);
RESET ROLE;
DROP OWNED BY regress_keeper;
DROP ROLE regress_keeper;

-- waiting
SELECT outcome($$SELECT provreq.wait_for(NULL)$$);
SELECT outcome($$SELECT provreq.wait_for(1, NULL)$$);
SELECT outcome($$SELECT provreq.wait_for(1, '-1 ms')$$);
SELECT outcome($$SELECT provreq.wait_for(1, '25 days')$$);
SELECT outcome($$SELECT provreq.wait_for(1, '178000000 years')$$);
SELECT outcome($$SELECT provreq.wait_for(-1)$$);
SELECT life_cycle_state FROM provreq.wait_for(:base, '0');
SELECT life_cycle_state, hold_reason FROM provreq.wait_for(:base + 5, '0');
SELECT life_cycle_state FROM provreq.wait_for(:base + 5, '20 ms');
BEGIN;
SELECT regexp_replace(outcome(format('SELECT provreq.wait_for(%s)', pg_temp.make('FILM', 'operate-2'))),
	'request [0-9]+', 'request N');
SAVEPOINT s;
SELECT regexp_replace(outcome(format('SELECT provreq.wait_for(%s)', pg_temp.make('FILM', 'operate-2'))),
	'request [0-9]+', 'request N');
ROLLBACK;
BEGIN;
SELECT provreq.resubmit(:base + 5);
SELECT outcome(format('SELECT provreq.wait_for(%s)', :base + 5)) LIKE '55000: %' AS refused;
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT outcome(format('SELECT provreq.wait_for(%s)', :base));
ROLLBACK;
-- whatever the caller's search_path holds
CREATE SCHEMA regress_trap;
CREATE FUNCTION regress_trap.trap(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS
	$$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE OPERATOR regress_trap.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = regress_trap.trap);
SET search_path = regress_trap, public, pg_catalog;
SELECT life_cycle_state FROM provreq.wait_for(:base, '0');
RESET search_path;
DROP SCHEMA regress_trap CASCADE;

-- rejected requests again; these were closed by other means
INSERT INTO provreq.installed_item (serial_number, subscription_id, classification, ca_id)
	SELECT 'operate-' || c, '500000000000000000000000000000FF', 'SMARTCARD', '00000000910' || i
	FROM unnest('{A,B,C,D,E,F,G,H}'::text[]) WITH ORDINALITY AS c (c, i);
CREATE FUNCTION pg_temp.ca_id(card text) RETURNS text LANGUAGE sql AS
	$$SELECT ca_id FROM provreq.installed_item WHERE serial_number = 'operate-' || card$$;
CREATE FUNCTION pg_temp.closed(state text, card text, error text, more jsonb DEFAULT '{}', closed timestamptz DEFAULT '2126-02-02',
	what text DEFAULT 'GET_ACTIVE_SUBSCRIPTIONS')
	RETURNS bigint LANGUAGE sql AS $$
	INSERT INTO provreq.request (provider, type, life_cycle_state, ordering_keys, parameters, subscription_id,
		priority, closed_date, error_code, created_xid, udf_string_1, udf_float_2, udf_date_3, name, process_name, process_id, attempts)
	VALUES ('regress_operate', what, state, ARRAY['smartcard:' || pg_temp.ca_id(card)],
		jsonb_build_object('smartcard_ca_id', pg_temp.ca_id(card)) || more, '500000000000000000000000000000FF',
		'EXPRESS', closed, error, NULL, 'kept', 2.5, '2026-03-03', 'a name', 'TEST', 'x9', 3)
	RETURNING number
$$;
SELECT pg_temp.closed('REJECTED', 'A', 'RETRY_EXHAUSTED') AS old \gset
SELECT pg_temp.closed('REJECTED', 'A', 'CLIENT_NOT_FOUND') - :old AS number;
SELECT pg_temp.closed('REJECTED', 'B', 'RETRY_EXHAUSTED') - :old AS number;
SELECT pg_temp.closed('COMPLETED', 'B', NULL) - :old AS number;
SELECT pg_temp.closed('REJECTED', 'C', 'CANCELLED') - :old AS number;
SELECT pg_temp.closed('REJECTED', 'D', 'RETRY_EXHAUSTED', '{"ca_pin": "****"}', what => 'UPDATE_CA_PIN_TO_GIVEN_VALUE') - :old AS number;
SELECT pg_temp.closed('REJECTED', 'E', 'RETRY_EXHAUSTED', '{"ca_pin": "****"}', what => 'UPDATE_CA_PIN_TO_GIVEN_VALUE') - :old AS number;
INSERT INTO provreq.request_secret (number, parameters) VALUES (:old + 6, '{"ca_pin": "1357"}');
SELECT pg_temp.closed('REJECTED', 'F', 'RETRY_EXHAUSTED', '{}', '2126-01-01') - :old AS number;
SELECT pg_temp.closed('REJECTED', 'G', 'RETRY_EXHAUSTED', '{"message": "****"}', what => 'SEND_MAIL_MESSAGE_TO_CLIENT') - :old AS number;

SELECT pg_temp.closed('REJECTED', 'H', 'CLIENT_NOT_FOUND') - :old AS number;
SELECT pg_temp.closed('REJECTED', 'H', 'RETRY_EXHAUSTED') - :old AS number;

SELECT outcome($$SELECT provreq.resubmit_rejected(NULL, now())$$);
SELECT outcome($$SELECT provreq.resubmit_rejected('regress_operate', NULL)$$);
SELECT outcome($$SELECT provreq.resubmit_rejected('nowhere', now())$$) LIKE '42704: %' AS unknown;
SELECT outcome($$SELECT provreq.resubmit_rejected('regress_operate', now(), NULL, E'\x01')$$);
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT outcome($$SELECT provreq.resubmit_rejected('regress_operate', now())$$);
ROLLBACK;
ALTER SERVER regress_operate OPTIONS (ADD state 'not_effective');
SELECT outcome($$SELECT provreq.resubmit_rejected('regress_operate', now())$$);
ALTER SERVER regress_operate OPTIONS (DROP state);

-- none
SELECT * FROM provreq.resubmit_rejected('regress_operate', '2200-01-01');
SELECT * FROM provreq.resubmit_rejected('regress_operate', '2126-02-01', 'NO_SUCH_CODE');
-- one code, then the rest: what comes before one that is under way is too late, what comes after it is not
SELECT original - :old AS original, number IS NOT NULL AS made, refusal
	FROM provreq.resubmit_rejected('regress_operate', '2126-02-01', 'CLIENT_NOT_FOUND', 'found by now');
SELECT original - :old AS original, number IS NOT NULL AS made, regexp_replace(refusal, '[0-9]+', 'N') AS refusal
	FROM provreq.resubmit_rejected('regress_operate', '2126-02-01', reason => 'the outage is over');
SELECT original - :old AS original, number IS NOT NULL AS made, regexp_replace(refusal, '[0-9]+', 'N') AS refusal
	FROM provreq.resubmit_rejected('regress_operate', '2126-02-01');
SELECT original - :old AS original, number IS NOT NULL AS made, refusal
	FROM provreq.resubmit_rejected('regress_operate', '2126-02-01', despite_later => true);
SELECT original - :old AS original, number IS NOT NULL AS made, refusal
	FROM provreq.resubmit_rejected('regress_operate', '2126-02-01', 'CANCELLED');
SELECT x.original - :old AS original, x.first - :old AS first, r.life_cycle_state, r.priority, r.parameters,
	r.udf_string_1, r.udf_float_2, r.udf_date_3, r.name, r.process_name, r.process_id, r.subscription_id, r.ordering_keys, r.attempts, r.error_code, r.scheduled_date = r.created_date AS due,
	s.parameters AS secret
	FROM provreq.resubmission x JOIN provreq.request r USING (number)
	LEFT JOIN provreq.request_secret s USING (number) ORDER BY x.number;
SELECT life_cycle_state, error_code FROM provreq.request WHERE number = :old;
-- a resubmission of a resubmission keeps its place
SELECT number AS again FROM provreq.resubmission WHERE original = :old + 6 \gset
SELECT provreq.cancel(:again, 'a test');
SELECT original = :again AS original, number > :again AS made, refusal
	FROM provreq.resubmit_rejected('regress_operate', '2026-02-01', 'CANCELLED') WHERE original > :old + 10;
SELECT first - :old AS first FROM provreq.resubmission WHERE original = :again;
SELECT act, reason, details FROM provreq.intervention WHERE act = 'resubmit_rejected' AND provider = 'regress_operate' ORDER BY id;

-- each goes through what is checked of a new one
CREATE FUNCTION pg_temp.again(since timestamptz) RETURNS TABLE (original bigint, made boolean, refusal text) LANGUAGE sql AS $$
	SELECT r.original, r.number IS NOT NULL, r.refusal
	FROM provreq.resubmit_rejected('regress_operate', since, despite_later => true) AS r
$$;
INSERT INTO provreq.product (id, code, classification) VALUES
	('100000000000000000000000000000F1', 'OP-ONE', 'SERVICE'), ('100000000000000000000000000000F2', 'OP-TWO', 'SERVICE'),
	('100000000000000000000000000000F3', 'OP-GOODS', 'GOODS');
INSERT INTO provreq.service_mapping (product_id, provider, service_ca_id) VALUES
	('100000000000000000000000000000F1', NULL, '9101'), ('100000000000000000000000000000F2', NULL, '9102'),
	('100000000000000000000000000000F3', NULL, '9103');
INSERT INTO provreq.installed_item (serial_number, subscription_id, classification, ca_id, provider, life_cycle_state) VALUES
	('operate-gone', '500000000000000000000000000000FF', 'SMARTCARD', '000000009201', NULL, 'EFFECTIVE'),
	('operate-off', '500000000000000000000000000000FF', 'SMARTCARD', '000000009202', NULL, 'NOT_EFFECTIVE'),
	('operate-moved', '5000000000000000000000000000000A', 'SMARTCARD', '000000009203', NULL, 'EFFECTIVE'),
	('operate-else', '500000000000000000000000000000FF', 'SMARTCARD', '000000009204', 'regress_conax', 'EFFECTIVE');
SELECT pg_temp.closed('REJECTED', 'A', 'X', '{"service_ca_id": "9101"}', '2127-01-01', 'ADD_SUBSCRIPTIONS') AS next \gset
DO $$
DECLARE
	service text;
	card text;
BEGIN
	FOREACH service IN ARRAY '{9102,9103,9999}'::text[] LOOP
		PERFORM pg_temp.closed('REJECTED', 'A', 'X', jsonb_build_object('service_ca_id', service), '2127-01-01', 'CANCEL_SUBSCRIPTIONS');
	END LOOP;
	PERFORM pg_temp.closed('REJECTED', 'A', 'X', '{"service_ca_id": null}', '2127-01-01', 'CANCEL_SUBSCRIPTIONS');
	FOREACH card IN ARRAY '{gone,off,moved,else}'::text[] LOOP
		PERFORM pg_temp.closed('REJECTED', card, 'X', '{}', '2127-01-01');
		PERFORM pg_temp.closed('REJECTED', card, 'X', '{"service_ca_id": "9101"}', '2127-01-01', 'ADD_SUBSCRIPTIONS');
	END LOOP;
	PERFORM pg_temp.closed('REJECTED', 'A', 'X', '{"message": "a", "display_duration": 70000}', '2127-01-01', 'SEND_BARK_MESSAGE_TO_CLIENT');
	PERFORM pg_temp.closed('REJECTED', 'A', 'X', '{"message": "a", "display_duration": 7, "star_indication_date_time": "2026-01-02T03:04:05Z"}', '2127-01-01', 'SEND_BARK_MESSAGE_TO_CLIENT');
	PERFORM pg_temp.closed('REJECTED', 'A', 'X', jsonb_build_object('message', repeat('x', 1000000)), '2127-01-01', 'SEND_MAIL_MESSAGE_TO_CLIENT');
	PERFORM pg_temp.closed('REJECTED', 'A', 'X', '{"message": "a\u0007"}', '2127-01-01', 'SEND_MAIL_MESSAGE_TO_CLIENT');
	PERFORM pg_temp.closed('REJECTED', 'A', 'X', '{}', '2127-01-01', 'NO_SUCH_TYPE');
	PERFORM pg_temp.closed('REJECTED', 'A', 'X', '{"smartcard_ca_id": ["000000009101", "000000009999"], "stb_ca_id": ["S-1", "S-2"]}', '2127-01-01', 'CREATE_PAIRING');
	PERFORM pg_temp.closed('REJECTED', 'A', 'X', '{"smartcard_ca_id": ["000000009101", "000000009202"], "stb_ca_id": ["S-1"]}', '2127-01-01', 'CREATE_PAIRING');
END
$$;
DELETE FROM provreq.installed_item WHERE serial_number = 'operate-gone';
SELECT original - :next AS original, made, refusal FROM pg_temp.again('2127-01-01');
SELECT x.original - :next AS original, r.type, r.parameters, r.ordering_keys, r.subscription_id
	FROM provreq.resubmission AS x JOIN provreq.request_pending AS r USING (number) WHERE x.original >= :next ORDER BY 1;
-- what is put right can be resubmitted
UPDATE provreq.installed_item SET life_cycle_state = 'EFFECTIVE' WHERE serial_number = 'operate-off';
INSERT INTO provreq.service_mapping (product_id, provider, service_ca_id)
	VALUES ('100000000000000000000000000000F2', 'regress_operate', '9999');
SELECT original - :next AS original, made FROM pg_temp.again('2127-01-01') WHERE made;
-- the service that this provider knows by a CA ID is not the first that any knows by it
INSERT INTO provreq.product (id, code, classification) VALUES
	('100000000000000000000000000000F5', 'OP-OTHER', 'SERVICE'), ('100000000000000000000000000000F6', 'OP-BOX', 'GOODS'),
	('100000000000000000000000000000F8', 'OP-THIS', 'SERVICE');
INSERT INTO provreq.service_mapping (product_id, provider, service_ca_id) VALUES
	('100000000000000000000000000000F5', NULL, '9105'), ('100000000000000000000000000000F5', 'regress_operate', '9106'),
	('100000000000000000000000000000F6', NULL, '9105'), ('100000000000000000000000000000F7', NULL, '9105'),
	('100000000000000000000000000000F8', NULL, '9105'), ('100000000000000000000000000000F8', 'regress_conax', '9107');
SELECT pg_temp.closed('REJECTED', 'A', 'X', '{"service_ca_id": "9105"}', '2127-02-01', 'ADD_SUBSCRIPTIONS') AS next \gset
BEGIN;
CREATE ROLE regress_operate_reader;
CREATE VIEW regress_mapping AS SELECT product_id AS channel, provider, service_ca_id FROM provreq.service_mapping;
GRANT SELECT ON regress_mapping TO regress_operate_reader;
SELECT provreq.use_directory('service_mapping', 'regress_mapping', '{"product_id": "channel"}', 'regress_operate_reader');
SELECT original - :next AS original, made, refusal FROM pg_temp.again('2127-02-01') WHERE original = :next;
ROLLBACK;
BEGIN;
DELETE FROM provreq.service_mapping WHERE product_id = '100000000000000000000000000000F8';
SELECT original - :next AS original, made, refusal FROM pg_temp.again('2127-02-01') WHERE original = :next;
DELETE FROM provreq.service_mapping WHERE product_id IN ('100000000000000000000000000000F6', '100000000000000000000000000000F7');
SELECT original - :next AS original, made, refusal FROM pg_temp.again('2127-02-01') WHERE original = :next;
ROLLBACK;
SELECT original - :next AS original, made, refusal FROM pg_temp.again('2127-02-01') WHERE original = :next;
-- so does a changed profile count; nothing is left of a call that ends with an error
SELECT pg_temp.closed('REJECTED', 'A', 'X', '{"message": "four"}', '2128-01-01', 'SEND_MAIL_MESSAGE_TO_CLIENT') AS next \gset
BEGIN;
UPDATE provreq.wire_profile SET document = jsonb_set(document, '{operations}', (document -> 'operations') - 'SEND_MAIL_MESSAGE_TO_CLIENT')
	WHERE name = 'conax_ws';
SELECT original - :next AS original, made, refusal FROM pg_temp.again('2128-01-01');
ROLLBACK;
CREATE FUNCTION pg_temp.full() RETURNS trigger LANGUAGE plpgsql AS
	$$BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END$$;
CREATE TRIGGER regress_full BEFORE INSERT ON provreq.request_pending FOR EACH ROW EXECUTE FUNCTION pg_temp.full();
SELECT outcome($$SELECT pg_temp.again('2128-01-01')$$);
DROP TRIGGER regress_full ON provreq.request_pending;
SELECT original - :next AS original, made, refusal FROM pg_temp.again('2128-01-01');
-- of what was carried out in part, the rest, and nothing that came before it
SELECT parts, provreq.parameters_left('{"a": ["1", "2", "1"], "b": "x=y", "c": ["p=q", "r"], "d": [], "e": null, "f": 7}', parts)
	FROM unnest(ARRAY[NULL, '{}', '{a=2}', '{a=1}', '{a=1,a=1}', '{a=1,a=1,a=2}', '{a=1,a=1,a=1}', '{a=3}', '{a}', '{=}', '{NULL}',
		'{c=p=q}', '{c=p}', '{b=x=y}', '{b=x}', '{a=2,c=r}', '{d=1}', '{e=1}', '{f=7}', '{g=1}']) AS p (text),
		LATERAL (SELECT text::text[] AS parts) AS q;
SELECT pg_temp.closed('REJECTED', 'B', 'X', '{"stb_ca_id": ["S-3", "S-4", "S-5"]}', '2129-01-01', 'CREATE_PAIRING') AS next \gset
DO $$
DECLARE
	case_of jsonb;
	closed bigint := currval('provreq.request_number_seq');
BEGIN
	UPDATE provreq.request_closed SET parts_done = '{stb_ca_id=S-4}' WHERE number = closed;
	FOR case_of IN SELECT jsonb_array_elements('[["C", null], ["C", ["stb_ca_id=S-1"]], ["D", ["stb_ca_id=S-2"]], ["D", null],
			["E", ["stb_ca_id=S-1", "stb_ca_id=S-2"]], ["F", ["stb_ca_id=S-9"]]]') LOOP
		closed := pg_temp.closed('REJECTED', case_of ->> 0, 'X', '{"stb_ca_id": ["S-1", "S-2"]}', '2129-01-01', 'CREATE_PAIRING');
		UPDATE provreq.request_closed SET parts_done = (SELECT array_agg(part)
				FROM jsonb_array_elements_text(NULLIF(case_of -> 1, 'null')) AS part)
			WHERE number = closed;
	END LOOP;
END
$$;
SELECT original - :next AS original, number IS NOT NULL AS made, replace(refusal, (:next + 2)::text, 'N') AS refusal
	FROM provreq.resubmit_rejected('regress_operate', '2129-01-01');
SELECT x.original - :next AS original, r.parameters -> 'stb_ca_id' AS parts, r.ordering_keys
	FROM provreq.resubmission AS x JOIN provreq.request_pending AS r USING (number) WHERE x.original >= :next ORDER BY 1;
-- its own parts are not later than itself
SELECT number AS again FROM provreq.resubmission WHERE original = :next \gset
SELECT provreq.cancel(:again, 'a test');
UPDATE provreq.request_closed SET parts_done = '{stb_ca_id=S-3}' WHERE number = :again;
SELECT number > :again AS made, refusal FROM provreq.resubmit_rejected('regress_operate', '2026-02-01', 'CANCELLED')
	WHERE original = :again;
SELECT r.parameters -> 'stb_ca_id' AS parts FROM provreq.resubmission AS x JOIN provreq.request_pending AS r USING (number)
	WHERE x.original = :again;
SELECT m.original - :next AS original, m.number, m.refusal FROM provreq.make_again('regress_operate', ARRAY[:next + 5], '2129-01-01') AS m;
-- however many one card has
BEGIN;
INSERT INTO provreq.request (provider, type, life_cycle_state, ordering_keys, closed_date, created_xid)
	SELECT 'regress_operate', 'GET_ACTIVE_SUBSCRIPTIONS', CASE WHEN i % 2 = 1 THEN 'REJECTED' ELSE 'COMPLETED' END,
		'{smartcard:1}', '2130-01-01', NULL FROM generate_series(1, 30001) AS i;
SET LOCAL statement_timeout = '20s';
SELECT count(*), count(refusal) FROM provreq.judge_rejected('regress_operate', '2130-01-01', NULL, false);
ROLLBACK;
DELETE FROM provreq.service_mapping WHERE product_id LIKE '%F_' AND service_ca_id LIKE '9___';
DELETE FROM provreq.product WHERE code LIKE 'OP-%';

-- testing connections
SELECT outcome($$SELECT provreq.test_connection(NULL)$$);
SELECT outcome($$SELECT provreq.test_connection('nowhere')$$) LIKE '42704: %' AS unknown;
SELECT step, ok, milliseconds >= 0 AS timed, detail LIKE '%not shown%' AS leaked
	FROM provreq.test_connection('regress_operate');
ALTER SERVER regress_operate OPTIONS (SET url 'http://no-such-host.invalid');
SELECT step, ok FROM provreq.test_connection('regress_operate');

-- who may
SET ROLE provreq_reader;
SELECT count(*) >= 0 AS seen FROM provreq.queue;
SELECT count(*) >= 0 AS seen FROM provreq.in_flight;
SELECT count(*) >= 0 AS seen FROM provreq.doubtful;
SELECT count(*) >= 0 AS seen FROM provreq.provider_status;
SELECT count(*) >= 0 AS seen FROM provreq.intervention;
SELECT count(*) >= 0 AS seen FROM provreq.resubmission;
SELECT life_cycle_state FROM provreq.wait_for(:base, '0');
SELECT outcome($$SELECT provreq.pause('regress_operate', 'why')$$);
SELECT outcome($$SELECT provreq.resume('regress_operate')$$);
SELECT outcome($$SELECT provreq.test_connection('regress_operate')$$);
SELECT outcome($$SELECT provreq.release_doubtful(1, 'resend', 'why')$$);
SELECT outcome($$SELECT provreq.resubmit_rejected('regress_operate', now())$$);
SELECT outcome($$SELECT provreq.record_intervention('x', 1, 'x', 'x')$$);
RESET ROLE;
SET ROLE provreq_operator;
SELECT outcome($$SELECT provreq.declare_outcome(1, 'completed', 'x')$$);
SELECT outcome($$SELECT provreq.make_resubmissions('regress_operate', now(), NULL, true, 1)$$);
SELECT outcome($$SELECT provreq.make_again('regress_operate', '{1}', now())$$);
SELECT outcome($$SELECT provreq.judge_rejected('regress_operate', now(), NULL, true)$$);
SELECT outcome($$SELECT provreq.send_again(1, 'x', 'x')$$);
SELECT outcome($$DELETE FROM provreq.paused_provider$$);
RESET ROLE;

-- every column of a view, and every function, is explained
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
	WHERE c.relname IN ('queue', 'in_flight', 'doubtful', 'provider_status', 'provider_state',
		'intervention', 'resubmission', 'paused_provider')
	AND c.relnamespace = 'provreq'::regnamespace AND a.attnum > 0
	AND col_description(c.oid, a.attnum) IS NULL;
SELECT p.oid::regprocedure FROM pg_proc p
	WHERE p.pronamespace = 'provreq'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
	AND p.proname IN ('wait_for', 'cancel', 'resubmit', 'release_doubtful', 'resubmit_rejected',
		'pause', 'resume', 'test_connection', 'sender_statistics', 'predecessor', 'followers',
		'record_intervention', 'check_reason', 'send_again', 'declare_outcome', 'make_resubmissions', 'make_again', 'judge_rejected',
		'check_resubmit_rejected', 'is_effective', 'pause_changed', 'refuse_intervention_change');

UPDATE provreq.request_pending SET hold_reason = NULL WHERE provider = 'regress_operate';
SELECT count(provreq.cancel(number, 'the test is over')) > 0 AS cancelled
	FROM provreq.request_pending WHERE provider = 'regress_operate';
SELECT provreq.resume('regress_operate', 'the test is over');
DELETE FROM provreq.installed_item WHERE serial_number LIKE 'operate-%';
DELETE FROM provreq.subscription WHERE number = 'S-operate';
DROP SERVER regress_operate CASCADE;
