\pset tuples_only on
\pset format unaligned
-- The directory is the CRM's
CREATE ROLE regress_crm_reader;
CREATE ROLE regress_dba;
CREATE ROLE regress_clerk;
GRANT provreq_admin, regress_crm_reader TO regress_dba;
GRANT provreq_operator TO regress_clerk;
CREATE SCHEMA crm AUTHORIZATION regress_crm_reader;
SET ROLE regress_crm_reader;
CREATE TABLE crm.customer (key varchar(40) PRIMARY KEY, sub_no varchar(30) UNIQUE, secret integer);
INSERT INTO crm.customer VALUES ('c-1', 'CRM-1', 1), ('c-2', 'CRM-2', 2);
CREATE TABLE crm.channel (id text, code text, kind text);
INSERT INTO crm.channel VALUES ('ch-1', 'KIDS', 'SERVICE'), ('ch-2', 'BOX', 'GOODS'), ('ch-3', 'OLD', NULL);
CREATE TABLE crm.channel_number (channel text, ca text);
INSERT INTO crm.channel_number VALUES ('ch-1', '7001');
CREATE TABLE crm.equipment (serial text, what text, owner text, number bigint);
INSERT INTO crm.equipment VALUES ('e-1', 'SMARTCARD', 'c-1', 700000000001), ('e-2', 'SMARTCARD', 'c-2', 700000000002),
	('e-3', 'SMARTCARD', NULL, NULL), ('e-4', 'STB', 'c-1', 900000000001), ('e-5', NULL, 'c-1', 5),
	('e-6', 'SMARTCARD', 'c-1', 6), ('e-6', 'SMARTCARD', 'c-1', 7);
CREATE VIEW crm.v_item AS SELECT serial AS id, serial AS serial_number, what AS classification,
	owner AS subscription_id, number::text AS ca_id FROM crm.equipment;
RESET ROLE;
CREATE TEMP VIEW asked AS SELECT 1;
CREATE FUNCTION add(subscription text, service text, card text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	made provreq.request;
BEGIN
	made := provreq.conax_add_subscriptions(subscription, service, card, provider => 'regress_conax');
	RETURN format('%s %s %s', made.subscription_id, made.parameters ->> 'smartcard_ca_id', made.parameters ->> 'service_ca_id');
END
$$;
CREATE FUNCTION try_add(subscription text, service text, card text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN outcome(format('SELECT add(%L, %L, %L)', subscription, service, card));
END
$$;
SELECT kind, relation, role FROM provreq.directory ORDER BY kind;

-- ------------------------------------------------------- what is refused
SELECT outcome($$SELECT provreq.use_directory(NULL, 'crm.customer')$$);
SELECT outcome($$SELECT provreq.use_directory('customer', 'crm.customer')$$);
SELECT outcome($$SELECT provreq.use_directory('subscription', 'crm.nothing')$$);
SELECT outcome($$SELECT provreq.use_directory('subscription', 0)$$);
SELECT outcome($$SELECT provreq.use_directory('subscription', 'crm.customer')$$);
SELECT outcome($$SELECT provreq.use_directory('subscription', 'crm.customer', '{"id": "key"}')$$);
SELECT outcome($$SELECT provreq.use_directory('subscription', 'crm.customer', '{"id": "key", "number": "no"}')$$);
SELECT outcome($$SELECT provreq.use_directory('subscription', 'crm.customer', '{"id": "key", "number": null}')$$);
SELECT outcome($$SELECT provreq.use_directory('subscription', 'crm.customer', '{"id": "key", "number": "secret"}')$$);
SELECT outcome($$SELECT provreq.use_directory('subscription', 'crm.customer', '{"id": "key", "number": "sub_no", "code": "secret"}')$$);
SELECT outcome($$SELECT provreq.use_directory('subscription', 'crm.customer', '{"id": 1, "number": "sub_no"}')$$);
SELECT outcome($$SELECT provreq.use_directory('subscription', 'crm.customer', '{"id": {"a": "key"}, "number": "sub_no"}')$$);
SELECT outcome($$SELECT provreq.use_directory('subscription', 'crm.customer', '["key"]')$$);
SELECT outcome($$SELECT provreq.use_directory('subscription', 'crm.customer', '"key"')$$);
SELECT outcome($$SELECT provreq.use_directory('subscription', 'crm.customer', '{"id": "ctid", "number": "sub_no"}')$$);
SELECT outcome($$SELECT provreq.use_directory('installed_item', 'crm.v_item', '{"provider": "cas"}')$$);
SELECT outcome($$SELECT provreq.use_directory('subscription_distributor', 'crm.channel')$$);
SELECT outcome($$SELECT provreq.use_directory('subscription', 'crm.customer_pkey')$$);
SELECT regexp_replace(outcome($$SELECT provreq.use_directory('subscription', 'asked', '{}', 'regress_crm_reader')$$), 'pg_temp_\d+', 'pg_temp');
SELECT length(outcome(format($$SELECT provreq.use_directory('subscription', 'crm.customer', %L)$$,
	jsonb_build_object('id', repeat('x', 1000000))))) < 700;
-- roles
SELECT outcome($$SELECT provreq.use_directory('subscription', 'crm.customer', '{"id": "key", "number": "sub_no"}', 'nobody')$$);
SELECT outcome($$SELECT provreq.use_directory('subscription', 'crm.customer', '{"id": "key", "number": "sub_no"}', 'postgres')$$);
SELECT outcome($$SELECT provreq.use_directory('subscription', 'crm.customer', '{"id": "key", "number": "sub_no"}', 'regress_clerk')$$);
GRANT SELECT ON crm.customer TO regress_clerk;
SELECT outcome($$SELECT provreq.use_directory('subscription', 'crm.customer', '{"id": "key", "number": "sub_no"}', 'regress_clerk')$$);
GRANT USAGE ON SCHEMA crm TO regress_clerk;
SET ROLE regress_dba;
SELECT outcome($$SELECT provreq.use_directory('subscription', 'crm.customer', '{"id": "key", "number": "sub_no"}', 'regress_clerk')$$);
SELECT outcome($$INSERT INTO provreq.directory_source VALUES ('subscription', 'crm', 'customer', '{}', 'postgres')$$);
RESET ROLE;
SET ROLE regress_clerk;
SELECT outcome($$SELECT provreq.use_directory('subscription', 'crm.customer', '{"id": "key", "number": "sub_no"}', 'regress_clerk')$$);
RESET ROLE;
REVOKE ALL ON crm.customer FROM regress_clerk;
REVOKE ALL ON SCHEMA crm FROM regress_clerk;
SELECT count(*) FROM provreq.directory WHERE role IS NOT NULL;

-- ------------------------------------------------------------ what is used
SET ROLE regress_dba;
SELECT provreq.use_directory('subscription', 'crm.customer', '{"id": "key", "number": "sub_no"}', 'regress_crm_reader');
SELECT provreq.use_directory('product', 'crm.channel', '{"classification": "kind"}');
SELECT provreq.use_directory('service_mapping', 'crm.channel_number', '{"product_id": "channel", "service_ca_id": "ca"}');
SELECT provreq.use_directory('installed_item', 'crm.v_item');
SELECT kind, relation, columns, role, changed_by_user FROM provreq.directory ORDER BY kind;
RESET ROLE;
SET ROLE regress_clerk;
SELECT outcome('SELECT FROM crm.customer');
RESET ROLE;
GRANT EXECUTE ON FUNCTION add, try_add, outcome TO regress_clerk;
SET ROLE regress_clerk;
SELECT add('number=CRM-1', 'code=KIDS', 'serial_number=e-1');
SELECT add('id=c-1', 'id=ch-1', 'id=e-1');
RESET ROLE;
SELECT try_add('number=S60507', 'code=KIDS', 'serial_number=e-1');
SELECT try_add('number=CRM-1', 'code=SPORT', 'serial_number=e-1');
SELECT try_add('number=CRM-1', 'code=BOX', 'serial_number=e-1');
SELECT try_add('number=CRM-1', 'code=OLD', 'serial_number=e-1');
SELECT try_add('number=CRM-1', 'alternative_code=P-1', 'serial_number=e-1');
SELECT try_add('number=CRM-2', 'code=KIDS', 'serial_number=e-1');
SELECT try_add('number=CRM-1', 'code=KIDS', 'serial_number=e-3');
SELECT try_add('number=CRM-1', 'code=KIDS', 'serial_number=e-4');
SELECT try_add('number=CRM-1', 'code=KIDS', 'serial_number=e-5');
SELECT try_add('number=CRM-1', 'code=KIDS', 'serial_number=e-6');
SELECT try_add($$number=CRM-1' OR 'a'='a$$, 'code=KIDS', 'serial_number=e-1');
INSERT INTO crm.customer VALUES ('c-3', repeat('n', 30)), ('c-4', E'CRM\n4'), ('c-5', '');
ALTER TABLE crm.customer ALTER sub_no TYPE text;
UPDATE crm.customer SET key = repeat('k', 40) WHERE key = 'c-3';
ALTER TABLE crm.customer ALTER key TYPE text;
UPDATE crm.customer SET key = repeat('k', 256) WHERE key LIKE 'kkk%';
SELECT try_add('number=' || repeat('n', 30), 'code=KIDS', 'serial_number=e-3');
SELECT try_add('id=c-4', 'code=KIDS', 'serial_number=e-3');
SELECT try_add('id=c-5', 'code=KIDS', 'serial_number=e-3');
-- by SQL
SELECT r FROM provreq.directory_rows('service_mapping') AS r;
SELECT r ->> 'serial_number' FROM provreq.directory_rows('installed_item', 'subscription_id', ARRAY['c-2', NULL, 'x']) AS r;
SELECT count(*) FROM provreq.directory_rows('installed_item', 'subscription_id', '{}');
SELECT r FROM provreq.directory_rows('entitlement') AS r;
SELECT outcome($$SELECT provreq.directory_rows('customer')$$);
SELECT outcome($$SELECT provreq.directory_rows(NULL)$$);
SELECT outcome($$SELECT provreq.directory_rows('subscription', 'secret', '{1}')$$);
SELECT outcome($$SELECT provreq.directory_rows('subscription', 'id')$$);
SELECT outcome($$SELECT provreq.directory_rows('subscription', 'id = id OR id', '{1}')$$);

-- --------------------------------------------- one statement looks once
SET ROLE regress_crm_reader;
CREATE SEQUENCE crm.asked;
CREATE FUNCTION crm.count_me(text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	PERFORM nextval('crm.asked');
	RETURN $1;
END
$$;
CREATE VIEW crm.v_counted AS SELECT key AS id, crm.count_me(sub_no) AS number FROM crm.customer WHERE key = 'c-1';
RESET ROLE;
SELECT provreq.use_directory('subscription', 'crm.v_counted');
SELECT count(provreq.conax_add_subscriptions('number=CRM-1', 'code=KIDS', 'serial_number=e-1')) FROM generate_series(1, 50);
SELECT last_value FROM crm.asked;

-- ----------------------------------------- rights of the role, never more
SET ROLE regress_crm_reader;
CREATE FUNCTION crm.whoami() RETURNS text LANGUAGE sql VOLATILE AS 'SELECT current_user::text || '' '' || current_setting(''search_path'')';
CREATE VIEW crm.v_who AS SELECT key AS id, sub_no AS number, crm.whoami() AS who FROM crm.customer;
CREATE VIEW crm.v_who_number AS SELECT crm.whoami() AS id, sub_no AS number FROM crm.customer;
RESET ROLE;
SELECT provreq.use_directory('subscription', 'crm.v_who_number');
SELECT r FROM provreq.directory_rows('subscription', 'number', '{CRM-1}') AS r;
SELECT current_user, current_setting('search_path');
SET ROLE regress_crm_reader;
CREATE FUNCTION crm.evil(sql text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	EXECUTE sql;
	RETURN 'done';
END
$$;
CREATE TABLE crm.evil_sql (sql text);
INSERT INTO crm.evil_sql VALUES ('');
CREATE VIEW crm.v_evil AS SELECT crm.evil(e.sql) AS id, 'EVIL'::text AS number FROM crm.evil_sql AS e;
GRANT USAGE ON SCHEMA crm TO PUBLIC;
RESET ROLE;
SELECT provreq.use_directory('subscription', 'crm.v_evil');
CREATE FUNCTION try_evil(sql text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	UPDATE crm.evil_sql SET sql = $1;
	RETURN try_add('number=EVIL', 'code=KIDS', 'serial_number=e-3');
END
$$;
SELECT split_part(try_evil('ALTER ROLE regress_crm_reader SUPERUSER'), ':', 1);
SELECT try_evil('SELECT * FROM provreq.request_secret');
SELECT try_evil('SET SESSION AUTHORIZATION postgres');
SELECT try_evil('SET ROLE postgres');
SELECT try_evil('RESET ROLE');
SELECT try_evil('CREATE TEMP TABLE stay (a integer)');
SELECT try_evil('SET search_path = crm');
SELECT try_evil($$SELECT provreq.conax_get_active_subscriptions('serial_number=e-1')$$);
GRANT provreq_operator TO regress_crm_reader;
SELECT try_evil($$SELECT provreq.conax_get_active_subscriptions('serial_number=e-1')$$);
REVOKE provreq_operator FROM regress_crm_reader;
SELECT current_setting('search_path'), current_user;
SELECT try_evil($$SELECT 1$$);
SELECT try_add('number=EVIL', 'code=KIDS', 'serial_number=e-6');
-- tricks with operators
SET ROLE regress_crm_reader;
CREATE FUNCTION crm.yes(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR crm.= (LEFTARG = text, RIGHTARG = text, FUNCTION = crm.yes);
RESET ROLE;
SELECT provreq.use_directory('subscription', 'crm.customer', '{"id": "key", "number": "sub_no"}');
SET search_path = crm, pg_catalog, public;
SELECT public.try_add('number=NOT', 'code=KIDS', 'serial_number=e-3');
RESET search_path;
-- row security holds for the role
ALTER TABLE crm.customer ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm.customer FORCE ROW LEVEL SECURITY;
CREATE POLICY few ON crm.customer USING (key = 'c-2');
SELECT try_add('number=CRM-1', 'code=KIDS', 'serial_number=e-3');
SELECT add('number=CRM-2', 'code=KIDS', 'serial_number=e-2');
ALTER TABLE crm.customer DISABLE ROW LEVEL SECURITY;
SELECT add('number=CRM-1', 'code=KIDS', 'serial_number=e-1');

-- --------------------------------------------------- what changes later
ALTER TABLE crm.customer RENAME sub_no TO subscription_number;
SELECT try_add('number=CRM-1', 'code=KIDS', 'serial_number=e-1');
ALTER TABLE crm.customer RENAME subscription_number TO sub_no;
SELECT add('number=CRM-1', 'code=KIDS', 'serial_number=e-1');
ALTER TABLE crm.customer ALTER secret TYPE bigint;
ALTER TABLE crm.customer ADD more text;
SELECT add('number=CRM-1', 'code=KIDS', 'serial_number=e-1');
DROP VIEW crm.v_counted, crm.v_who, crm.v_who_number;
ALTER TABLE crm.customer ALTER sub_no TYPE bytea USING sub_no::bytea;
SELECT try_add('number=CRM-1', 'code=KIDS', 'serial_number=e-1');
ALTER TABLE crm.customer ALTER sub_no TYPE varchar USING convert_from(sub_no, 'UTF8');
SELECT add('number=CRM-1', 'code=KIDS', 'serial_number=e-1');
ALTER TABLE crm.customer RENAME TO client;
SELECT try_add('number=CRM-1', 'code=KIDS', 'serial_number=e-1');
SET ROLE regress_crm_reader;
CREATE VIEW crm.customer AS SELECT 'w-' || key AS key, sub_no FROM crm.client;
RESET ROLE;
SELECT try_add('number=CRM-1', 'code=KIDS', 'serial_number=e-1');
DROP VIEW crm.customer;
SELECT try_add('number=CRM-1', 'code=KIDS', 'serial_number=e-1');
SELECT outcome($$SELECT provreq.directory_rows('subscription')$$);
ALTER TABLE crm.client RENAME TO customer;
SELECT add('number=CRM-1', 'code=KIDS', 'serial_number=e-1');
ALTER SCHEMA crm RENAME TO crm2;
SELECT try_add('number=CRM-1', 'code=KIDS', 'serial_number=e-1');
ALTER SCHEMA crm2 RENAME TO crm;
SELECT add('number=CRM-1', 'code=KIDS', 'serial_number=e-1');
REVOKE SELECT ON crm.customer FROM regress_crm_reader;
SELECT try_add('number=CRM-1', 'code=KIDS', 'serial_number=e-1');
GRANT SELECT ON crm.customer TO regress_crm_reader;
SELECT add('number=CRM-1', 'code=KIDS', 'serial_number=e-1');
ALTER ROLE regress_crm_reader SUPERUSER;
SELECT try_add('number=CRM-1', 'code=KIDS', 'serial_number=e-1');
ALTER ROLE regress_crm_reader NOSUPERUSER;
SELECT add('number=CRM-1', 'code=KIDS', 'serial_number=e-1');
ALTER ROLE regress_crm_reader RENAME TO regress_crm_reader2;
SELECT try_add('number=CRM-1', 'code=KIDS', 'serial_number=e-1');
ALTER ROLE regress_crm_reader2 RENAME TO regress_crm_reader;
SELECT add('number=CRM-1', 'code=KIDS', 'serial_number=e-1');

-- ------------------------------------------------- the trigger's own table
SET ROLE regress_crm_reader;
CREATE TABLE crm.entitlement (sub_number text, product text, card text, status text);
CREATE VIEW crm.v_subscription AS SELECT DISTINCT sub_number AS id, sub_number AS number FROM crm.entitlement;
RESET ROLE;
SELECT provreq.use_directory('subscription', 'crm.v_subscription');
SELECT provreq.use_directory('installed_item', NULL);
CREATE TRIGGER provision AFTER INSERT OR UPDATE OR DELETE ON crm.entitlement
	FOR EACH ROW EXECUTE FUNCTION provreq.subscription_change('provider=regress_conax', 'subscription=sub_number',
		'service=product', 'smartcard=card', 'state=status', 'active=ACTIVE');
INSERT INTO crm.entitlement VALUES ('NEW-1', 'KIDS', 'smrt-stock', 'ACTIVE');
SELECT type, subscription_id FROM provreq.request_pending ORDER BY number DESC LIMIT 1;

-- ---------------------------------------------------------------- and back
SET ROLE regress_dba;
SELECT provreq.use_directory(kind, NULL) FROM provreq.directory;
RESET ROLE;
SELECT count(*) FROM provreq.directory WHERE role IS NOT NULL;
SELECT add('number=S60507', 'code=SPORT', 'serial_number=smrt20000054');
SELECT e.extname FROM pg_extension AS e WHERE 'provreq.directory_source'::regclass = ANY (e.extconfig);

SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
DROP FUNCTION add, try_add, try_evil;
DROP VIEW asked;
DROP OWNED BY regress_crm_reader, regress_dba, regress_clerk;
DROP ROLE regress_crm_reader, regress_dba, regress_clerk;
RESET client_min_messages;
