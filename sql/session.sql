-- Users, units and sessions: who log_information says created and changed a
-- request
\pset tuples_only on
\pset format unaligned
SET timezone = 'UTC';
CREATE ROLE regress_provreq_desk IN ROLE provreq_operator;
INSERT INTO provreq.crm_user (id, username, person_name, email) VALUES
	('1', 'MPAdministrator', 'Marios Lannister', NULL),
	('2', 'helpdesk', 'Ann Example', 'ann@example.com');
INSERT INTO provreq.crm_unit (id, name, group_name, community_name, alternative_code, description, code, unified_code, parent_business_unit_name) VALUES
	('48305F8849E3C18B227C5BE3A27BA6DF', 'Admin Unit', 'Main Group', 'Main Community', 'MG', 'r1', 'AU', 'U-1', 'Head Office');
CREATE FUNCTION who(wanted bigint) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', created_by_user, created_by_unit, '/', updated_by_user, updated_by_unit)
		FROM provreq.request AS r WHERE r.number = wanted
$$;
CREATE VIEW made AS SELECT number FROM provreq.conax_get_active_subscriptions('serial_number=smrt20000054', scheduled_date => '2200-01-01');
GRANT SELECT ON made TO PUBLIC;

SET ROLE regress_provreq_desk;
SELECT provreq.open_session('MPAdministrator', 'Admin Unit') AS token \gset
SELECT provreq.open_session('helpdesk', valid_for => '1 hour') AS other \gset
SELECT :'token' ~ '^[0-9A-F]{32}$', :'token' <> :'other';
-- Without a session, the role
SELECT provreq.caller(), provreq.caller_unit() IS NULL;
SELECT number AS first FROM made \gset
SELECT who(:first);
-- In one, its user and unit, until the transaction ends
BEGIN;
SELECT provreq.use_session(:'token');
SELECT provreq.caller(), provreq.caller_unit();
SELECT number AS second FROM made \gset
COMMIT;
SELECT who(:second);
SELECT provreq.caller(), provreq.caller_unit() IS NULL;
-- A savepoint takes it back
BEGIN;
SAVEPOINT a;
SELECT provreq.use_session(:'token');
ROLLBACK TO a;
SELECT provreq.caller();
SELECT provreq.use_session(:'token');
SAVEPOINT b;
SELECT provreq.use_session(:'other');
SELECT provreq.caller(), provreq.caller_unit() IS NULL;
ROLLBACK TO b;
SELECT provreq.caller(), provreq.caller_unit();
SELECT provreq.use_session(NULL);
SELECT provreq.caller(), provreq.caller_unit() IS NULL;
ROLLBACK;
-- Changes are marked with who made them
BEGIN;
SELECT provreq.use_session(:'other');
SELECT provreq.resubmit(:second);
COMMIT;
SELECT who(:second);
BEGIN;
SELECT provreq.use_session(:'token');
SELECT provreq.cancel(:first, 'not wanted any more');
COMMIT;
SELECT who(:first);
SELECT provreq.cancel(:second, 'neither');
SELECT who(:second);
BEGIN;
SELECT provreq.use_session(:'token');
SELECT n.provider FROM provreq.request AS n WHERE n.number = :first \gset
SELECT who(x.number) FROM provreq.resubmit_rejected(:'provider', now() - interval '1 hour', 'CANCELLED', despite_later => true) AS x WHERE x.original = :first;
ROLLBACK;
-- The response object has all that is known of them
SELECT jsonb_pretty(provreq.show('number=' || :first, 'log_information') #- '{log_information,created_date}' #- '{log_information,updated_date}'
	#- '{log_information,created_by_user,id}');
-- A user or unit that is gone is known by name
RESET ROLE;
BEGIN;
DELETE FROM provreq.crm_user;
DELETE FROM provreq.crm_unit;
SELECT l -> 'updated_by_user' = jsonb_build_object('id', provreq.derived_id('user MPAdministrator'), 'username', 'MPAdministrator', 'person_name', NULL, 'email', NULL),
	l -> 'updated_by_unit' ->> 'name', l -> 'updated_by_unit' -> 'group_name', l -> 'updated_by_business_unit' -> 'code', l -> 'created_by_unit'
	FROM jsonb_path_query(provreq.show('number=' || :first), '$.log_information') AS l;
-- and so is its session
SET ROLE regress_provreq_desk;
SELECT outcome(format('SELECT provreq.use_session(%L)', :'token'));
ROLLBACK;
SET ROLE regress_provreq_desk;

-- Who acts cannot be set by hand
SELECT outcome($$SET provreq.acting_user = 'MPAdministrator'$$);
SELECT outcome($$SELECT set_config('provreq.acting_unit', 'Admin Unit', true)$$);
RESET ROLE;
SELECT outcome($$SET provreq.acting_user = 'MPAdministrator'$$);
SELECT outcome($$ALTER ROLE regress_provreq_desk SET provreq.acting_user = 'MPAdministrator'$$);
SET ROLE regress_provreq_desk;

-- Closing, expiring
SELECT provreq.close_session(:'other'), provreq.close_session(:'other'), provreq.close_session('nothing'), provreq.close_session(NULL) IS NULL;
SELECT outcome(format('SELECT provreq.use_session(%L)', :'other'));
SELECT provreq.open_session('helpdesk') AS short \gset
RESET ROLE;
UPDATE provreq.session SET expires_date = clock_timestamp() WHERE username = 'helpdesk';
SET ROLE regress_provreq_desk;
SELECT outcome(format('SELECT provreq.use_session(%L)', :'short'));
SELECT provreq.close_session(:'short');
RESET ROLE;
SELECT username, unit, opened_by FROM provreq.session ORDER BY opened_date;
SET ROLE regress_provreq_desk;
SELECT provreq.open_session('helpdesk', 'Admin Unit', '1 second') AS last \gset
RESET ROLE;
SELECT username, unit, opened_by FROM provreq.session ORDER BY opened_date;
-- Interventions name the unit, too
BEGIN;
SELECT count(provreq.use_session(:'token')) AS used;
SELECT provreq.pause('regress_conax', 'in a session');
COMMIT;
SELECT provreq.resume('regress_conax', 'without one');
BEGIN;
SELECT count(provreq.use_session(:'token')) AS used;
SELECT count(*) FROM provreq.resubmit_rejected('regress_conax', '2200-01-01', reason => 'in a session');
COMMIT;
SELECT act, by_user = s.username AS by_the_user, by_unit = s.unit AS by_the_unit, by_unit
	FROM (SELECT * FROM provreq.intervention ORDER BY id DESC LIMIT 3) AS i, provreq.session AS s
	WHERE s.token_hash = sha256(convert_to(:'token', 'UTF8')) ORDER BY i.id;

-- Only the hash is kept
SELECT bool_and(position(t IN s::text) = 0), bool_or(s.token_hash = sha256(convert_to(:'token', 'UTF8')))
	FROM provreq.session AS s, unnest(ARRAY[:'token', lower(:'token'), encode(convert_to(:'token', 'UTF8'), 'hex'), :'last']) AS t;

-- Errors
SET ROLE regress_provreq_desk;
SELECT outcome($$SELECT provreq.open_session(NULL)$$);
SELECT outcome($$SELECT provreq.open_session('helpdesk', valid_for => NULL)$$);
SELECT outcome($$SELECT provreq.open_session('nobody')$$);
SELECT outcome($$SELECT provreq.open_session('')$$);
SELECT outcome($$SELECT provreq.open_session('Helpdesk')$$);
SELECT outcome($$SELECT provreq.open_session(repeat('x', 1048576))$$);
SELECT outcome($$SELECT provreq.open_session('helpdesk', 'Nowhere')$$);
SELECT outcome($$SELECT provreq.open_session('helpdesk', '')$$);
SELECT outcome($$SELECT provreq.open_session('helpdesk', valid_for => '0')$$);
SELECT outcome($$SELECT provreq.open_session('helpdesk', valid_for => '-1 day')$$);
SELECT outcome($$SELECT provreq.open_session('helpdesk', valid_for => '367 days')$$);
SELECT outcome($$SELECT provreq.use_session('')$$);
SELECT outcome($$SELECT provreq.use_session(repeat('A', 32))$$);
SELECT outcome($$SELECT provreq.use_session(lower($$ || quote_literal(:'token') || $$))$$);
SELECT outcome($$SELECT provreq.use_session($$ || quote_literal(:'token' || ' ') || $$)$$);
SELECT outcome($$SELECT provreq.use_session(repeat('A', 1048576))$$);
SELECT outcome(format('SELECT provreq.use_session(%L)', encode(sha256(convert_to(:'token', 'UTF8')), 'hex')));
-- Names that hide the real ones change nothing
CREATE TEMP TABLE session (token_hash bytea, username text, unit text, expires_date timestamptz);
CREATE TEMP TABLE crm_user AS SELECT 'root'::text AS username;
INSERT INTO session VALUES (sha256('x'), 'root', NULL, 'infinity');
SELECT outcome($$SELECT provreq.use_session('x')$$);
DROP TABLE session, crm_user;
-- Rights
SELECT outcome('SELECT * FROM provreq.session');
SELECT outcome('SELECT provreq.new_token()');
SELECT outcome($$INSERT INTO provreq.crm_user (username) VALUES ('x')$$);
SELECT count(*) FROM provreq.crm_user, provreq.crm_unit;
SET ROLE provreq_reader;
SELECT outcome($$SELECT provreq.open_session('helpdesk')$$);
SELECT outcome(format('SELECT provreq.use_session(%L)', :'token'));
SELECT outcome($$DELETE FROM provreq.crm_unit$$);
SET ROLE provreq_admin;
SELECT count(*) FROM provreq.session;
SELECT outcome($$INSERT INTO provreq.crm_user (username) VALUES ('new')$$);
SELECT outcome($$INSERT INTO provreq.crm_user (username) VALUES ('helpdesk')$$);
SELECT outcome($$INSERT INTO provreq.crm_unit (name) VALUES ('Admin Unit')$$);
SELECT outcome($$INSERT INTO provreq.crm_unit (id, name) VALUES ('x', '')$$);
SELECT outcome($$DELETE FROM provreq.session$$);
SET ROLE regress_provreq_desk;
SELECT outcome(format('SELECT provreq.use_session(%L)', :'token'));
RESET ROLE;
-- A right on requests is none that a session gives
CREATE ROLE regress_provreq_nobody;
GRANT USAGE ON SCHEMA provreq TO regress_provreq_nobody;
SELECT provreq.open_session('MPAdministrator') AS token \gset
SET ROLE regress_provreq_nobody;
SELECT outcome(format('SELECT provreq.use_session(%L)', :'token'));
RESET ROLE;
REVOKE USAGE ON SCHEMA provreq FROM regress_provreq_nobody;
DROP ROLE regress_provreq_nobody;
DROP VIEW made;
DROP FUNCTION who(bigint);
DROP ROLE regress_provreq_desk;
