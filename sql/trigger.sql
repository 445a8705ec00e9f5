\pset tuples_only on
\pset format unaligned
-- What a table's trigger makes of its changes; the provider cannot be reached
CREATE ROLE regress_crm;
CREATE SCHEMA crm;
CREATE TABLE crm.entitlement (
	id integer PRIMARY KEY,
	gone text,
	sub_number text,
	product text,
	card text,
	status text DEFAULT 'ACTIVE',
	segment character(8),
	note text
);
ALTER TABLE crm.entitlement DROP gone;
GRANT USAGE ON SCHEMA crm TO regress_crm;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON crm.entitlement TO regress_crm;
CREATE TABLE seen (number bigint);
INSERT INTO seen SELECT coalesce(max(number), 0) FROM provreq.request_pending;
-- The requests since it was asked last
CREATE FUNCTION made() RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT concat_ws(' ', r.type, r.parameters ->> 'smartcard_ca_id',
			r.parameters ->> 'service_ca_id', nullif(r.priority, 'REGULAR'),
			nullif(r.process_name, 'PROVISIONING_REQUEST_PROCESSING'),
			nullif(r.created_by_user, 'postgres'))
		FROM provreq.request_pending r
		WHERE r.number > (SELECT max(seen.number) FROM seen) ORDER BY r.number;
	INSERT INTO seen SELECT max(number) FROM provreq.request_pending;
END
$$;

-- ---------------------------------------------- CREATE TRIGGER says it at once
CREATE FUNCTION try(arguments text, timing text DEFAULT 'AFTER INSERT OR UPDATE OR DELETE',
	level text DEFAULT 'ROW', relation text DEFAULT 'crm.entitlement') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	answer := outcome(format('CREATE TRIGGER provision %s ON %s FOR EACH %s EXECUTE FUNCTION provreq.subscription_change(%s)',
		timing, relation, level, arguments));
	IF answer = 'accepted' THEN
		EXECUTE format('DROP TRIGGER provision ON %s', relation);
	END IF;
	RETURN answer;
END
$$;
-- With a usual set of arguments, less what is given as -name, and more
CREATE FUNCTION try_with(VARIADIC more text[] DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT try(string_agg(quote_literal(argument), ', ' ORDER BY place))
	FROM (SELECT * FROM unnest(ARRAY['provider=regress_conax', 'subscription=sub_number',
			'service=product', 'smartcard=card', 'state=status', 'active=ACTIVE'])
			WITH ORDINALITY AS usual (argument, place)
		WHERE '-' || split_part(argument, '=', 1) <> ALL (more)
		UNION ALL
		SELECT argument, 10 + place FROM unnest(more) WITH ORDINALITY AS further (argument, place)
		WHERE argument NOT LIKE '-%') AS given
$$;
SELECT try_with();
SELECT try('');
SELECT try($$'provider'$$);
SELECT try($$'=x'$$);
SELECT try($$'provider='$$);
SELECT try_with('colour=red');
SELECT try_with('state=status');
SELECT try_with('-provider');
SELECT try_with('-provider', 'provider_column=note');
SELECT try_with('provider_column=note');
SELECT try_with('-provider', 'provider=nowhere');
SELECT try_with('-smartcard');
SELECT try_with('-service');
SELECT try_with('-subscription');
SELECT try_with('-active');
SELECT try_with('-state');
SELECT try_with('-active', 'active=ACTIVE,,TRIAL');
SELECT try_with('-active', 'active= ACTIVE , TRIAL ');
SELECT try_with('-smartcard', 'smartcard=no_such');
SELECT try_with('-smartcard', 'smartcard=gone');
SELECT try_with('-smartcard', 'smartcard=ctid');
SELECT try_with('-smartcard', 'smartcard=........pg.dropped.2........');
SELECT try_with('-smartcard', 'smartcard=card:colour');
SELECT try_with('-smartcard', 'smartcard=card:alternative_code');
SELECT try_with('-service', 'service=product:serial_number');
SELECT try_with('-subscription', 'subscription=sub_number:id');
SELECT try_with('-subscription', 'subscription=sub_number:');
SELECT try_with('priority=URGENT');
SELECT try_with('priority=EXPRESS');
SELECT try_with('priority=EXPRESS', 'priority_column=segment');
SELECT try_with('express=VIP');
SELECT try_with('process_name=NIGHTLY');
SELECT try_with(E'state\n=x');
SELECT length(try_with('x' || repeat('y', 1000000) || '=z')) < 500;
SELECT try($$'provider=regress_conax'$$, 'BEFORE INSERT OR UPDATE OR DELETE');
SELECT try($$'provider=regress_conax'$$, 'AFTER INSERT', 'STATEMENT');
SELECT try($$'provider=regress_conax'$$, 'AFTER UPDATE', 'STATEMENT');
SELECT try($$'provider=regress_conax'$$, 'AFTER DELETE', 'STATEMENT');
CREATE VIEW crm.v_entitlement AS SELECT * FROM crm.entitlement;
SELECT try($$'provider=regress_conax'$$, 'INSTEAD OF INSERT', 'ROW', 'crm.v_entitlement');
DROP VIEW crm.v_entitlement;
CREATE TYPE crm.state AS ENUM ('ACTIVE', 'PAUSED');
CREATE TABLE crm.typed (card text, cards text[], state crm.state, boolean boolean, whole crm.entitlement);
SELECT try($$'provider=regress_nds', 'smartcard=card', 'state=state', 'active=ACTVE'$$, relation => 'crm.typed');
SELECT try($$'provider=regress_conax', 'smartcard=card', 'state=boolean', 'active=ACTIVE'$$, relation => 'crm.typed');
SELECT try($$'provider=regress_conax', 'smartcard=cards'$$, relation => 'crm.typed');
SELECT try($$'provider=regress_conax', 'smartcard=whole'$$, relation => 'crm.typed');
ALTER TABLE crm.typed ADD span int4range;
SELECT try($$'provider=regress_conax', 'smartcard=span'$$, relation => 'crm.typed');
DROP TABLE crm.typed;
SELECT outcome('SELECT provreq.subscription_change()');
-- Who may make a trigger of it
GRANT TRIGGER ON crm.entitlement TO regress_crm;
SET ROLE regress_crm;
SELECT try_with();
RESET ROLE;
REVOKE TRIGGER ON crm.entitlement FROM regress_crm;

-- ------------------------------------------------------------ for each row
CREATE TRIGGER provision AFTER INSERT OR UPDATE OR DELETE ON crm.entitlement
	FOR EACH ROW EXECUTE FUNCTION provreq.subscription_change('provider=regress_conax',
		'subscription=sub_number', 'service=product', 'smartcard=card',
		'state=status', 'active=ACTIVE, TRIAL', 'priority_column=segment', 'express=VIP,GOLD');
-- The caller has no right on provreq
SET ROLE regress_crm;
INSERT INTO crm.entitlement VALUES (1, 'S60507', 'SPORT', 'smrt20000054', 'ACTIVE', 'VIP');
RESET ROLE;
SELECT made();
-- Not active: nothing, nor when it is filled in
INSERT INTO crm.entitlement VALUES (2, 'S60507', 'FILM', 'smrt20000054', 'PAUSED'),
	(3, 'S60507', 'FILM', NULL, 'ACTIVE'), (4, 'S60507', NULL, 'smrt20000054', 'ACTIVE'),
	(5, NULL, 'FILM', 'smrt20000054', 'ACTIVE'), (6, 'S60507', 'FILM', 'smrt20000054', NULL);
UPDATE crm.entitlement SET note = 'x';
UPDATE crm.entitlement SET status = 'ENDED' WHERE id = 2;
DELETE FROM crm.entitlement WHERE id > 1;
SELECT made();
-- Nothing else matters, the subscription neither: the CAS knows cards
UPDATE crm.entitlement SET note = 'y', segment = NULL, status = 'TRIAL', id = 7;
UPDATE crm.entitlement SET sub_number = 'S60508';
UPDATE crm.entitlement SET sub_number = 'S60507';
SELECT made();
UPDATE crm.entitlement SET card = 'smrt20000055';
SELECT made();
UPDATE crm.entitlement SET product = 'FILM', segment = 'GOLD';
SELECT made();
UPDATE crm.entitlement SET status = 'PAUSED';
SELECT made();
UPDATE crm.entitlement SET status = 'ACTIVE', card = 'smrt20000054';
SELECT made();
UPDATE crm.entitlement SET card = NULL;
SELECT made();
UPDATE crm.entitlement SET card = 'smrt20000054';
DELETE FROM crm.entitlement;
SELECT made();
-- What cannot be requested cannot be done
\set VERBOSITY terse
INSERT INTO crm.entitlement VALUES (1, 'S60507', 'REMOTE', 'smrt20000054');
INSERT INTO crm.entitlement VALUES (1, 'S60507', 'SPORT', 'smrt-other');
INSERT INTO crm.entitlement VALUES (1, 'S60507', 'SPORT', E'x\ny');
INSERT INTO crm.entitlement VALUES (1, 'S60507', 'SPORT', '');
\set VERBOSITY default
INSERT INTO crm.entitlement VALUES (1, 'S60507', 'SPORT', repeat('z', 1000000));
SELECT count(*) FROM crm.entitlement;
-- Rolled back, nothing stays
BEGIN;
INSERT INTO crm.entitlement VALUES (1, 'S60507', 'SPORT', 'smrt20000054');
ROLLBACK;
SELECT made();
-- Two cards change places in one statement
INSERT INTO crm.entitlement VALUES (1, 'S60507', 'SPORT', 'smrt20000054'), (2, 'S60507', 'SPORT', 'smrt20000055'),
	(3, 'S60507', 'FILM', 'smrt20000054');
SELECT made();
UPDATE crm.entitlement SET card = CASE id WHEN 1 THEN 'smrt20000055' ELSE 'smrt20000054' END WHERE id < 3;
SELECT made();
-- ON CONFLICT, COPY, MERGE where a row takes another's place
INSERT INTO crm.entitlement VALUES (3, 'S60507', 'FILM', 'smrt20000054'), (4, 'S60507', 'FILM', 'smrt20000055')
	ON CONFLICT (id) DO UPDATE SET status = 'PAUSED';
SELECT made();
INSERT INTO crm.entitlement VALUES (4, 'S60507', 'SPORT', 'smrt20000054') ON CONFLICT DO NOTHING;
SELECT made();
COPY crm.entitlement FROM stdin;
5	S60507	SPORT	smrt-stock	TRIAL	\N	\N
\.
SELECT made();
MERGE INTO crm.entitlement e USING (VALUES (6), (5)) AS s (id) ON e.id = s.id
	WHEN MATCHED THEN DELETE
	WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'S60507', 'SPORT', 'smrt-stock');
SELECT made();
-- Replicas repeat nothing
SET session_replication_role = replica;
DELETE FROM crm.entitlement WHERE id = 6;
RESET session_replication_role;
SELECT made();
-- A column goes away
ALTER TABLE crm.entitlement RENAME card TO smartcard;
SELECT outcome('UPDATE crm.entitlement SET note = note');
ALTER TABLE crm.entitlement RENAME smartcard TO card;
DROP TRIGGER provision ON crm.entitlement;
-- TRUNCATE
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.entitlement EXECUTE FUNCTION provreq.subscription_change();
SELECT outcome('TRUNCATE crm.entitlement');
DELETE FROM crm.entitlement;

-- ------------------------------------------------------ for each statement
CREATE FUNCTION by_statement(relation text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	arguments text := $arguments$'provider=regress_conax', 'subscription=sub_number', 'service=product',
		'smartcard=card', 'state=status', 'active=ACTIVE,TRIAL'$arguments$;
BEGIN
	EXECUTE format('CREATE TRIGGER p_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows
		FOR EACH STATEMENT EXECUTE FUNCTION provreq.subscription_change(%s)', relation, arguments);
	EXECUTE format('CREATE TRIGGER p_update AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
		FOR EACH STATEMENT EXECUTE FUNCTION provreq.subscription_change(%s)', relation, arguments);
	EXECUTE format('CREATE TRIGGER p_delete AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows
		FOR EACH STATEMENT EXECUTE FUNCTION provreq.subscription_change(%s)', relation, arguments);
END
$$;
SELECT by_statement('crm.entitlement');
SET ROLE regress_crm;
INSERT INTO crm.entitlement VALUES (1, 'S60507', 'SPORT', 'smrt20000054', 'ACTIVE'),
	(2, 'S60507', 'SPORT', 'smrt20000055', 'TRIAL'), (3, 'S60507', 'FILM', 'smrt20000054', 'PAUSED'),
	(4, 'S60507', NULL, 'smrt20000054', 'ACTIVE'), (5, 'S60507', 'SPORT', 'smrt20000054', 'ACTIVE');
DELETE FROM crm.entitlement WHERE id = 4;
RESET ROLE;
SELECT made();
UPDATE crm.entitlement SET note = 'x';
UPDATE crm.entitlement SET note = 'y' WHERE false;
SELECT made();
-- Cards change places: cancellations first
UPDATE crm.entitlement SET card = CASE id WHEN 1 THEN 'smrt20000055' ELSE 'smrt20000054' END WHERE id < 3;
SELECT made();
UPDATE crm.entitlement SET product = CASE product WHEN 'SPORT' THEN 'FILM' ELSE 'SPORT' END, status = 'ACTIVE' WHERE id IN (1, 3);
SELECT made();
-- Two rows that say the same are one, and stay when one goes
UPDATE crm.entitlement SET card = 'smrt20000054', product = 'SPORT' WHERE id = 2;
UPDATE crm.entitlement SET status = CASE id WHEN 2 THEN 'PAUSED' ELSE status END;
SELECT made();
UPDATE crm.entitlement SET status = 'ACTIVE', product = 'FILM', card = 'smrt20000055' WHERE id = 2;
SELECT made();
-- MERGE where rows take the places of others
MERGE INTO crm.entitlement e USING (VALUES (1), (2), (7), (8)) AS s (id) ON e.id = s.id
	WHEN MATCHED AND s.id = 1 THEN DELETE
	WHEN MATCHED THEN UPDATE SET status = 'PAUSED'
	WHEN NOT MATCHED AND s.id = 7 THEN INSERT VALUES (s.id, 'S60507', 'FILM', 'smrt20000055')
	WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'S60507', 'SPORT', 'smrt20000054');
SELECT made();
-- What a statement adds it does not cancel, whatever comes first; the next statement is another
WITH gone AS (DELETE FROM crm.entitlement WHERE id = 7 RETURNING *),
	come AS (INSERT INTO crm.entitlement VALUES (9, 'S60507', 'FILM', 'smrt20000055') RETURNING *)
	SELECT count(*) FROM gone, come;
SELECT made();
BEGIN;
INSERT INTO crm.entitlement VALUES (10, 'S60507', 'SPORT', 'smrt-stock');
DELETE FROM crm.entitlement WHERE id = 10;
COMMIT;
SELECT made();
COPY crm.entitlement FROM stdin;
11	S60507	SPORT	smrt-stock	TRIAL	\N	\N
12	S60507	FILM	smrt-stock	TRIAL	\N	\N
\.
SELECT made();
INSERT INTO crm.entitlement VALUES (11, 'S60507', 'SPORT', 'smrt-stock'), (13, 'S60507', 'FILM', 'smrt20000054')
	ON CONFLICT (id) DO UPDATE SET product = 'FILM', card = 'smrt20000055';
SELECT made();
DELETE FROM crm.entitlement;
SELECT made();
DROP TABLE crm.entitlement;

-- ------------------------------------------------------------- partitions
CREATE TABLE crm.entitlement (region text, id integer, sub_number text, product text, card text,
	status text DEFAULT 'ACTIVE') PARTITION BY LIST (region);
CREATE TABLE crm.north (gone text, status text, card text, product text, sub_number text, id integer, region text);
ALTER TABLE crm.north DROP gone;
ALTER TABLE crm.entitlement ATTACH PARTITION crm.north FOR VALUES IN ('north');
CREATE TABLE crm.south PARTITION OF crm.entitlement FOR VALUES IN ('south');
SELECT by_statement('crm.entitlement');
INSERT INTO crm.entitlement VALUES ('north', 1, 'S60507', 'SPORT', 'smrt20000054'), ('south', 2, 'S60507', 'SPORT', 'smrt20000055');
SELECT made();
UPDATE crm.entitlement SET region = 'south';
SELECT made();
UPDATE crm.entitlement SET region = 'north', card = 'smrt-stock' WHERE id = 1;
SELECT made();
-- the server gives rows that MERGE moves to the triggers of DELETE and INSERT, if they fire
MERGE INTO crm.entitlement e USING (VALUES (1)) AS s (id) ON e.id = s.id
	WHEN MATCHED AND s.id = 0 THEN DELETE
	WHEN MATCHED THEN UPDATE SET region = 'south', card = 'smrt20000054'
	WHEN NOT MATCHED THEN INSERT VALUES ('south', s.id);
SELECT made();
DELETE FROM crm.entitlement;
SELECT made();
DROP TRIGGER p_insert ON crm.entitlement;
DROP TRIGGER p_update ON crm.entitlement;
DROP TRIGGER p_delete ON crm.entitlement;
CREATE TRIGGER provision AFTER INSERT OR UPDATE OR DELETE ON crm.entitlement
	FOR EACH ROW EXECUTE FUNCTION provreq.subscription_change('provider=regress_conax',
		'subscription=sub_number', 'service=product', 'smartcard=card', 'state=status', 'active=ACTIVE');
INSERT INTO crm.north VALUES ('ACTIVE', 'smrt20000054', 'SPORT', 'S60507', 1, 'north');
SELECT made();
-- for a row, another partition is another row
UPDATE crm.entitlement SET region = 'south';
SELECT made();
MERGE INTO crm.entitlement e USING (VALUES (1)) AS s (id) ON e.id = s.id
	WHEN MATCHED THEN UPDATE SET region = 'north', card = 'smrt20000055';
SELECT made();
UPDATE crm.entitlement SET status = 'PAUSED';
SELECT made();
DROP TABLE crm.entitlement;

-- ----------------------------------------- foreign keys, types, deferred
CREATE TABLE crm.customer (number varchar(20) PRIMARY KEY, active boolean, card text, UNIQUE (number, active, card));
CREATE TABLE crm.entitlement (number varchar(20), active boolean, card text, code character(10), cas name DEFAULT 'regress_conax',
	FOREIGN KEY (number, active, card) REFERENCES crm.customer (number, active, card)
		ON UPDATE CASCADE ON DELETE CASCADE);
CREATE CONSTRAINT TRIGGER provision AFTER INSERT OR UPDATE OR DELETE ON crm.entitlement
	DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION provreq.subscription_change('provider_column=cas', 'subscription=number',
		'service=code', 'smartcard=card', 'state=active', 'process_name=MANUAL', 'priority=EXPRESS');
BEGIN;
INSERT INTO crm.customer VALUES ('S60507', true, 'smrt20000054');
INSERT INTO crm.entitlement VALUES ('S60507', true, 'smrt20000054', 'SPORT'), ('S60507', true, 'smrt20000054', 'FILM');
SELECT made();
COMMIT;
SELECT made();
UPDATE crm.customer SET active = false;
SELECT made();
UPDATE crm.customer SET active = true, card = 'smrt20000055';
SELECT made();
BEGIN;
UPDATE crm.customer SET active = false;
UPDATE crm.customer SET active = true;
DELETE FROM crm.customer;
COMMIT;
SELECT made();
INSERT INTO crm.customer VALUES ('S60507', true, 'smrt20000054');
INSERT INTO crm.entitlement VALUES ('S60507', true, 'smrt20000054', 'SPORT', NULL);
INSERT INTO crm.entitlement VALUES ('S60507', true, 'smrt20000054', 'SPORT', 'nowhere');
SELECT made();
DELETE FROM crm.customer;
-- The directory that the same statement fills is seen
CREATE TABLE crm.card (serial text, sub_number text, product text, state text DEFAULT 'ACTIVE');
CREATE FUNCTION crm.register() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO provreq.installed_item (serial_number, classification, ca_id) VALUES (NEW.serial, 'SMARTCARD', NEW.serial);
	RETURN NULL;
END
$$;
CREATE TRIGGER a_register AFTER INSERT ON crm.card FOR EACH ROW EXECUTE FUNCTION crm.register();
CREATE TRIGGER b_provision AFTER INSERT ON crm.card
	FOR EACH ROW EXECUTE FUNCTION provreq.subscription_change('provider=regress_conax', 'subscription=sub_number',
		'service=product', 'smartcard=serial', 'state=state', 'active=ACTIVE');
INSERT INTO crm.card SELECT '77000000000' || i, 'S60507', 'SPORT' FROM generate_series(1, 3) AS i;
SELECT made();
DROP TABLE crm.card;
-- More rows than fit into memory
INSERT INTO provreq.installed_item (serial_number, classification, ca_id)
	SELECT '78' || i, 'SMARTCARD', '78' || i FROM generate_series(1, 3000) AS i;
CREATE TABLE crm.card (card text, sub_number text, product text, status text, filler text);
SELECT by_statement('crm.card');
SET work_mem = '64kB';
INSERT INTO crm.card SELECT '78' || i, 'S60507', 'SPORT', 'ACTIVE', repeat('x', 100) FROM generate_series(1, 3000) AS i;
SELECT count(*), count(DISTINCT made) FROM made();
UPDATE crm.card SET product = 'FILM';
SELECT count(*), count(DISTINCT made), count(*) FILTER (WHERE made LIKE 'ADD%2002') FROM made();
RESET work_mem;
DELETE FROM provreq.installed_item WHERE ca_id LIKE '7%';

-- What the owner of a table writes never runs with other rights than his own
CREATE SCHEMA theirs AUTHORIZATION regress_crm;
SET ROLE regress_crm;
CREATE FUNCTION theirs.spy(value text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RAISE NOTICE '% sees %', current_user, value;
	RETURN true;
END
$$;
CREATE DOMAIN theirs.state AS text CHECK (theirs.spy(VALUE));
CREATE TABLE theirs.entitlement (sub_number text, product text, card text, status theirs.state);
RESET ROLE;
GRANT provreq_operator TO regress_crm;
SET ROLE regress_crm;
CREATE TRIGGER provision AFTER INSERT OR UPDATE OR DELETE ON theirs.entitlement
	FOR EACH ROW EXECUTE FUNCTION provreq.subscription_change('provider=regress_conax',
		'subscription=sub_number', 'service=product', 'smartcard=card', 'state=status', 'active=ACTIVE,TRIAL');
INSERT INTO theirs.entitlement VALUES ('S60507', 'SPORT', 'smrt20000054', 'ACTIVE');
RESET ROLE;
SELECT made();
REVOKE provreq_operator FROM regress_crm;
-- ---------------------------------------------- systems of other kinds
CREATE SERVER regress_trigger_nagra FOREIGN DATA WRAPPER nagravision
	OPTIONS (host '127.0.0.1', port '1', source_id '1');
CREATE SERVER regress_trigger_nds FOREIGN DATA WRAPPER nds OPTIONS (host '127.0.0.1', port '1');
CREATE USER MAPPING FOR provreq_worker SERVER regress_trigger_nds OPTIONS (key '0123456789ABCDEF');
INSERT INTO provreq.installed_item (serial_number, subscription_id, classification, ca_id, provider) VALUES
	('nagra-1', '5000000000000000000000000000000A', 'SMARTCARD', '0000000017', 'regress_trigger_nagra'),
	('nagra-2', '5000000000000000000000000000000A', 'SMARTCARD', '0000000025', 'regress_trigger_nagra'),
	('nds-1', '5000000000000000000000000000000A', 'SMARTCARD', '000000000017', 'regress_trigger_nds'),
	('nds-2', '5000000000000000000000000000000A', 'SMARTCARD', '000000000025', 'regress_trigger_nds');
CREATE TABLE crm.entitlement2 (sub_number text, product text, card text, status text, cas text);
CREATE TRIGGER p_insert AFTER INSERT ON crm.entitlement2 REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
	EXECUTE FUNCTION provreq.subscription_change('provider_column=cas', 'subscription=sub_number', 'service=product',
		'smartcard=card', 'state=status', 'active=ACTIVE');
CREATE TRIGGER p_update AFTER UPDATE ON crm.entitlement2 REFERENCING NEW TABLE AS new_rows OLD TABLE AS old_rows FOR EACH STATEMENT
	EXECUTE FUNCTION provreq.subscription_change('provider_column=cas', 'subscription=sub_number', 'service=product',
		'smartcard=card', 'state=status', 'active=ACTIVE');
CREATE TRIGGER p_delete AFTER DELETE ON crm.entitlement2 REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT
	EXECUTE FUNCTION provreq.subscription_change('provider_column=cas', 'subscription=sub_number', 'service=product',
		'smartcard=card', 'state=status', 'active=ACTIVE');
-- the services of one card go into one request, a card to be authorised anew is once
INSERT INTO crm.entitlement2 VALUES ('S60507', 'SPORT', 'nagra-1', 'ACTIVE', 'regress_trigger_nagra'),
	('S60507', 'SPORT', 'nds-1', 'ACTIVE', 'regress_trigger_nds'),
	('S60507', 'SPORT', 'nagra-2', 'ACTIVE', 'regress_trigger_nagra'),
	('S60507', 'FILM', 'nagra-1', 'ACTIVE', 'regress_trigger_nagra'),
	('S60507', 'FILM', 'nds-1', 'ACTIVE', 'regress_trigger_nds'),
	('S60507', 'SPORT', 'smrt20000054', 'ACTIVE', 'regress_conax'),
	('S60507', 'FILM', 'smrt20000054', 'ACTIVE', 'regress_conax');
SELECT made();
UPDATE crm.entitlement2 SET card = left(card, -1) || CASE right(card, 1) WHEN '1' THEN '2' ELSE '1' END
	WHERE cas <> 'regress_conax' AND NOT (card = 'nagra-2');
SELECT made();
UPDATE crm.entitlement2 SET product = 'FILM' WHERE card IN ('nds-2', 'nagra-2');
SELECT made();
UPDATE crm.entitlement2 SET cas = 'regress_trigger_nds', card = 'nds-1' WHERE card = 'nagra-2';
SELECT made();
DELETE FROM crm.entitlement2;
SELECT made();
-- for each row
DROP TABLE crm.entitlement2;
CREATE TABLE crm.entitlement2 (card text, status boolean, cas text, product text);
CREATE TRIGGER provision AFTER INSERT OR UPDATE OR DELETE ON crm.entitlement2 FOR EACH ROW
	EXECUTE FUNCTION provreq.subscription_change('provider=regress_trigger_nds', 'smartcard=card', 'state=status');
INSERT INTO crm.entitlement2 VALUES ('nds-1', true), ('nds-1', true), ('nds-2', true), ('nds-1', false);
SELECT made();
UPDATE crm.entitlement2 SET card = 'nds-1' WHERE card = 'nds-2';
SELECT made();
UPDATE crm.entitlement2 SET product = 'x';
SELECT made();
DROP TRIGGER provision ON crm.entitlement2;
-- what another kind needs is said when the trigger is made, or the row comes
SELECT try($$'provider=regress_trigger_nagra', 'smartcard=card'$$, relation => 'crm.entitlement2');
SELECT try($$'provider=regress_trigger_nagra', 'smartcard=card', 'service=product'$$, relation => 'crm.entitlement2');
CREATE TRIGGER provision AFTER INSERT OR UPDATE OR DELETE ON crm.entitlement2 FOR EACH ROW
	EXECUTE FUNCTION provreq.subscription_change('provider_column=cas', 'smartcard=card');
SELECT outcome($$INSERT INTO crm.entitlement2 VALUES ('smrt20000054', true, 'regress_conax')$$);
SELECT outcome($$INSERT INTO crm.entitlement2 VALUES ('nagra-1', true, 'regress_trigger_nagra')$$);
-- and so is that a provider is switched off
ALTER SERVER regress_trigger_nds OPTIONS (ADD state 'not_effective');
SELECT outcome($$INSERT INTO crm.entitlement2 VALUES ('nds-1', true, 'regress_trigger_nds')$$);
DELETE FROM provreq.installed_item WHERE provider LIKE 'regress_trigger%';

SET client_min_messages = warning;
DROP SERVER regress_trigger_nagra CASCADE;
DROP SERVER regress_trigger_nds CASCADE;
DELETE FROM provreq.request_pending WHERE provider LIKE 'regress_trigger%';
DROP SCHEMA crm, theirs CASCADE;
DROP OWNED BY regress_crm;
DROP ROLE regress_crm;
DROP FUNCTION made, try, try_with, by_statement;
DROP TABLE seen;
RESET client_min_messages;
