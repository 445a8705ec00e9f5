-- Many requests in one statement, and what else may happen around one: the
-- row must come out as an INSERT statement would have made it.
\set VERBOSITY terse
CREATE VIEW made AS
	SELECT number, type, life_cycle_state, priority, subscription_id,
		ordering_keys, parameters, process_id
	FROM provreq.request WHERE process_name = 'PAIRING_UTILITY';
CREATE FUNCTION make(process_id text, card text DEFAULT 'smrt20000054')
	RETURNS provreq.request LANGUAGE sql AS $$
	SELECT provreq.conax_add_subscriptions('number=S60507', 'code=SPORT',
		'serial_number=' || card, process_name => 'PAIRING_UTILITY',
		process_id => process_id)
$$;

-- What the function returns is what the table has
CREATE TABLE returned AS
	SELECT r.* FROM generate_series(1, 3) AS i, make('returned ' || i) AS r;
SELECT count(*) FROM returned AS a
	JOIN provreq.request AS b ON b.number = a.number
	WHERE a::text = b::text;
SELECT count(*) FROM provreq.request
	WHERE process_id LIKE 'returned %' AND id ~ '^[0-9A-F]{32}$'
	AND life_cycle_state = 'PENDING' AND attempts = 0 AND closed_date IS NULL
	AND created_date = updated_date AND created_xid IS NOT NULL
	AND created_by_user = current_user AND updated_by_user = current_user
	AND scheduled_date = created_date;
SELECT count(DISTINCT id), count(DISTINCT number), count(DISTINCT created_xid)
	FROM provreq.request WHERE process_id LIKE 'returned %';
DROP TABLE returned;

-- The indexes know the rows
SET enable_seqscan = off;
SELECT count(*) FROM provreq.request_pending
	WHERE ordering_keys @> '{smartcard:000000000017}' AND process_id LIKE 'returned %';
SELECT count(*) FROM provreq.request_pending AS a
	WHERE EXISTS (SELECT FROM provreq.request_pending AS b
		WHERE b.number = a.number AND b.id = a.id AND b.created_xid = a.created_xid)
	AND process_id LIKE 'returned %';
RESET enable_seqscan;
DELETE FROM provreq.request_pending WHERE process_id LIKE 'returned %';

-- An error in the middle leaves nothing
SELECT count(make('middle', CASE WHEN i = 700 THEN 'nobody' ELSE 'smrt20000054' END))
	FROM generate_series(1, 1000) AS i;
SELECT count(*) FROM made;

-- A statement sees no row of its own, the next one all of them
BEGIN;
SELECT count(make('own')), (SELECT count(*) FROM made) AS seen
	FROM generate_series(1, 5);
SELECT count(*) FROM made;
DO $$
BEGIN
	PERFORM make('own');
	RAISE NOTICE '% seen', (SELECT count(*) FROM made);
	PERFORM make('own');
	RAISE NOTICE '% seen', (SELECT count(*) FROM made);
END
$$;
ROLLBACK;

-- Savepoints
BEGIN;
SELECT count(make('kept')) FROM generate_series(1, 10);
SAVEPOINT s;
SELECT count(make('undone')) FROM generate_series(1, 10);
ROLLBACK TO s;
SELECT count(make('undone', 'nobody'));
ROLLBACK TO s;
SELECT count(make('kept')) FROM generate_series(1, 10);
RELEASE s;
SELECT process_id, count(*) FROM made GROUP BY process_id;
ROLLBACK;

-- Good and bad ones, each in a block of its own
CREATE FUNCTION try(process_id text, card text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN (make(process_id, card)).life_cycle_state;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END
$$;
CREATE FUNCTION constrain(process_id text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	made provreq.request;
BEGIN
	made := make(process_id);
	UPDATE provreq.request_pending SET priority = 'NONE' WHERE number = made.number;
	RETURN 'changed';
EXCEPTION WHEN check_violation THEN
	RETURN SQLSTATE;
END
$$;
SELECT outcome, count(*) FROM (
	SELECT CASE WHEN i % 10 = 0 THEN constrain('mixed')
		WHEN i % 7 = 0 THEN try('mixed', 'smrt-off')
		WHEN i % 5 = 0 THEN try('mixed', 'nobody')
		ELSE try('mixed', 'smrt20000054') END AS outcome
	FROM generate_series(1, 1000) AS i) AS o
	GROUP BY outcome ORDER BY outcome;
SELECT count(*), count(DISTINCT number) FROM made;
DELETE FROM provreq.request_pending WHERE process_id = 'mixed';

-- An error of the insertion itself, after which the next one is well
ALTER TABLE provreq.request_pending
	ADD CONSTRAINT no_thirteen CHECK (process_id <> 'no 13');
SELECT count(make('no ' || i)) FROM generate_series(12, 14) AS i;
SELECT i, try('no ' || i, 'smrt20000054') FROM generate_series(12, 14) AS i;
SELECT process_id FROM made ORDER BY number;
ALTER TABLE provreq.request_pending DROP CONSTRAINT no_thirteen;
SELECT (make('no 13')).process_id;
DELETE FROM provreq.request_pending WHERE process_id LIKE 'no 1_';

-- A cursor that outlives its transaction, and one that is left half read
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT (make('held')).process_id FROM generate_series(1, 5);
DECLARE half CURSOR FOR SELECT (make('half')).process_id FROM generate_series(1, 5);
FETCH 2 FROM half;
SELECT (make('between')).process_id;
FETCH 1 FROM half;
COMMIT;
FETCH 3 FROM held;
CLOSE held;
SELECT process_id, count(*) FROM made GROUP BY process_id ORDER BY process_id;
DELETE FROM provreq.request_pending WHERE process_id IN ('held', 'half', 'between');

-- Nothing is held open: the table can be changed right after, in the same
-- transaction and between two calls of one prepared statement
SET plan_cache_mode = force_generic_plan;
PREPARE again (text) AS SELECT (make($1)).process_id;
BEGIN;
EXECUTE again ('again');
CREATE INDEX made_process_id ON provreq.request_pending (process_id);
EXECUTE again ('again');
SET LOCAL enable_seqscan = off;
SELECT count(*) FROM provreq.request_pending WHERE process_id = 'again';
DROP INDEX provreq.made_process_id;
EXECUTE again ('again');
COMMIT;
DROP INDEX provreq.request_pending_id;
EXECUTE again ('again');
CREATE INDEX request_pending_id ON provreq.request_pending (id);
EXECUTE again ('again');
CREATE INDEX made_process_id ON provreq.request_pending (process_id);
REINDEX INDEX provreq.request_pending_keys;
EXECUTE again ('again');
REINDEX TABLE provreq.request_pending;
EXECUTE again ('again');
VACUUM FULL provreq.request_pending;
EXECUTE again ('again');
SET enable_seqscan = off;
SELECT count(*) FROM provreq.request_pending WHERE process_id = 'again';
SELECT count(*) FROM provreq.request_pending
	WHERE ordering_keys @> '{smartcard:000000000017}' AND process_id || '' = 'again';
SELECT count(*) FROM made AS m
	WHERE EXISTS (SELECT FROM provreq.request_pending AS p
		WHERE p.id = (SELECT id FROM provreq.request AS r WHERE r.number = m.number));
RESET enable_seqscan;
DROP INDEX provreq.made_process_id;
CREATE INDEX made_hash ON provreq.request_pending USING hash (process_id);
EXECUTE again ('again');
SET enable_seqscan = off;
SELECT count(*) FROM provreq.request_pending WHERE process_id = 'again';
RESET enable_seqscan;
DROP INDEX provreq.made_hash;
DELETE FROM provreq.request_pending WHERE process_id = 'again';

-- Columns and defaults that somebody added
ALTER TABLE provreq.request ADD COLUMN made_in text DEFAULT 'north';
EXECUTE again ('column');
ALTER TABLE provreq.request ALTER COLUMN made_in SET DEFAULT 'south';
ALTER TABLE provreq.request_pending ALTER COLUMN made_in SET DEFAULT 'west';
EXECUTE again ('column');
ALTER TABLE provreq.request_pending ALTER COLUMN made_in DROP DEFAULT;
SELECT (make('column')).made_in;
SELECT made_in FROM provreq.request WHERE process_id = 'column' ORDER BY number;
ALTER TABLE provreq.request DROP COLUMN made_in;
ALTER TABLE provreq.request
	ADD COLUMN label text GENERATED ALWAYS AS (type || ' ' || process_id) STORED;
SELECT (make('column')).label;
SELECT label FROM provreq.request WHERE process_id = 'column' AND number = (SELECT max(number) FROM made);
ALTER TABLE provreq.request DROP COLUMN label;
SELECT (make('column')).process_id;
DELETE FROM provreq.request_pending WHERE process_id = 'column';

-- Triggers that somebody added fire
CREATE TABLE seen (n serial, what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
	INSERT INTO seen (what) VALUES (concat_ws(' ', TG_NAME, TG_WHEN, TG_LEVEL, NEW.process_id));
	RETURN NEW;
END
$$;
CREATE TRIGGER after_row AFTER INSERT ON provreq.request_pending
	FOR EACH ROW EXECUTE FUNCTION note();
EXECUTE again ('first');
SELECT count(make('many')) FROM generate_series(1, 2);
CREATE TRIGGER after_statement AFTER INSERT ON provreq.request_pending
	FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER before_row BEFORE INSERT ON provreq.request_pending
	FOR EACH ROW EXECUTE FUNCTION note();
EXECUTE again ('second');
DROP TRIGGER after_row ON provreq.request_pending;
DROP TRIGGER after_statement ON provreq.request_pending;
DROP TRIGGER before_row ON provreq.request_pending;
EXECUTE again ('third');
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON provreq.request_pending
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note();
BEGIN;
EXECUTE again ('fourth');
SELECT count(*) FROM seen;
COMMIT;
DROP TRIGGER deferred ON provreq.request_pending;
SELECT what FROM seen ORDER BY n;

-- A trigger that makes a request of each request
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
	IF NEW.process_id IS DISTINCT FROM 'follower' THEN
		PERFORM make('follower');
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER follow BEFORE INSERT ON provreq.request_pending
	FOR EACH ROW EXECUTE FUNCTION follow();
SELECT count(make('leader')) FROM generate_series(1, 20);
DROP TRIGGER follow ON provreq.request_pending;
SELECT process_id, count(*) FROM made
	WHERE process_id IN ('leader', 'follower') GROUP BY process_id ORDER BY process_id;
DELETE FROM provreq.request_pending WHERE process_id IN ('first', 'many', 'second', 'third', 'fourth', 'leader', 'follower');
SELECT count(*) FROM made;

-- A constraint that makes a request of each request: a call inside of a call
CREATE FUNCTION also(process_id text) RETURNS boolean LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
	IF process_id LIKE 'outer%' THEN
		PERFORM make('inner' || right(process_id, -5));
	END IF;
	RETURN process_id <> 'inner 3';
END
$$;
ALTER TABLE provreq.request_pending ADD CONSTRAINT also CHECK (also(process_id));
SELECT count(make('outer 1')) FROM generate_series(1, 20);
SELECT i, try('outer ' || i, 'smrt20000054') FROM generate_series(2, 4) AS i;
CREATE OR REPLACE FUNCTION also(process_id text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
EXECUTE again ('refused');
ALTER TABLE provreq.request_pending DROP CONSTRAINT also;
SELECT process_id, count(*) FROM made GROUP BY process_id ORDER BY process_id;
DELETE FROM provreq.request_pending WHERE process_id ~ '^(inner|outer)';

-- Policies and rules
CREATE ROLE regress_bulk;
ALTER TABLE provreq.request_pending ENABLE ROW LEVEL SECURITY;
ALTER TABLE provreq.request_pending FORCE ROW LEVEL SECURITY;
SELECT (make('policy')).process_id;
ALTER TABLE provreq.request_pending NO FORCE ROW LEVEL SECURITY;
ALTER TABLE provreq.request_pending DISABLE ROW LEVEL SECURITY;
CREATE RULE elsewhere AS ON INSERT TO provreq.request_pending
	DO ALSO INSERT INTO seen (what) VALUES ('rule');
EXECUTE again ('rule');
DROP RULE elsewhere ON provreq.request_pending;
SELECT what FROM seen WHERE what = 'rule';
DELETE FROM provreq.request_pending WHERE process_id IN ('policy', 'rule');

-- Whose rights: those of the function's owner, which may not suffice
EXECUTE again ('right');
GRANT USAGE, CREATE ON SCHEMA provreq TO regress_bulk;
GRANT USAGE ON SEQUENCE provreq.request_number_seq TO regress_bulk;
GRANT SELECT ON provreq.subscription, provreq.product, provreq.service_mapping,
	provreq.installed_item, provreq.subscription_distributor, provreq.wire_profile,
	provreq.request_pending TO regress_bulk;
ALTER FUNCTION provreq.conax_add_subscriptions OWNER TO regress_bulk;
EXECUTE again ('right');
GRANT INSERT ON provreq.request_pending TO regress_bulk;
GRANT EXECUTE ON FUNCTION provreq.new_id() TO regress_bulk;
EXECUTE again ('right');
REVOKE EXECUTE ON FUNCTION provreq.new_id() FROM regress_bulk;
EXECUTE again ('right');
GRANT EXECUTE ON FUNCTION provreq.new_id() TO regress_bulk;
ALTER TABLE provreq.request_pending ENABLE ROW LEVEL SECURITY;
EXECUTE again ('right');
ALTER TABLE provreq.request_pending DISABLE ROW LEVEL SECURITY;
ALTER TABLE provreq.installed_item ENABLE ROW LEVEL SECURITY;
EXECUTE again ('right');
ALTER TABLE provreq.installed_item DISABLE ROW LEVEL SECURITY;
REVOKE SELECT ON provreq.installed_item FROM regress_bulk;
EXECUTE again ('right');
GRANT SELECT ON provreq.installed_item TO regress_bulk;
SELECT format('ALTER FUNCTION provreq.conax_add_subscriptions OWNER TO %I', current_user) \gexec
REVOKE EXECUTE ON FUNCTION provreq.new_id() FROM regress_bulk;
ALTER FUNCTION provreq.conax_cancel_subscriptions OWNER TO regress_bulk;
EXECUTE again ('right');
SELECT provreq.conax_cancel_subscriptions('number=S60507', 'code=SPORT', 'serial_number=smrt20000054');
EXECUTE again ('right');
SELECT format('ALTER FUNCTION provreq.conax_cancel_subscriptions OWNER TO %I', current_user) \gexec
DROP OWNED BY regress_bulk;
DROP ROLE regress_bulk;
SELECT count(*) FROM made;
DELETE FROM provreq.request_pending WHERE process_id = 'right';

-- Transactions that may not write
BEGIN READ ONLY;
SELECT (make('read only')).number IS NULL AS made;
ROLLBACK;

-- As a replica, triggers that are not for replicas do not fire
CREATE TRIGGER after_row AFTER INSERT ON provreq.request_pending
	FOR EACH ROW EXECUTE FUNCTION note();
TRUNCATE seen;
SET session_replication_role = replica;
EXECUTE again ('replica');
DROP TRIGGER after_row ON provreq.request_pending;
EXECUTE again ('replica');
RESET session_replication_role;
SELECT count(*) FROM seen;
SELECT count(*) FROM provreq.request_pending
	WHERE process_id = 'replica' AND created_xid IS NOT NULL;
DELETE FROM provreq.request_pending WHERE process_id = 'replica';

-- The directory changes between two statements of one transaction, and
-- within the function that asks
BEGIN;
EXECUTE again ('directory');
UPDATE provreq.installed_item SET ca_id = '000000009991' WHERE serial_number = 'smrt20000054';
EXECUTE again ('directory');
SAVEPOINT s;
UPDATE provreq.installed_item SET life_cycle_state = 'NOT_EFFECTIVE' WHERE serial_number = 'smrt20000054';
EXECUTE again ('directory');
ROLLBACK TO s;
EXECUTE again ('directory');
UPDATE provreq.installed_item SET subscription_id = NULL WHERE serial_number = 'smrt20000054';
DELETE FROM provreq.installed_item WHERE serial_number = 'smrt20000054';
EXECUTE again ('directory');
ROLLBACK TO s;
SELECT ordering_keys FROM made ORDER BY number;
ROLLBACK;

-- However the directory's tables look
BEGIN;
ALTER TABLE provreq.installed_item DROP CONSTRAINT installed_item_serial_number_key;
EXECUTE again ('no index');
ALTER TABLE provreq.installed_item ADD UNIQUE (serial_number);
EXECUTE again ('index');
CREATE TABLE more_items () INHERITS (provreq.installed_item);
EXECUTE again ('no rows');
INSERT INTO more_items SELECT * FROM provreq.installed_item WHERE serial_number = 'smrt20000054';
SAVEPOINT s;
EXECUTE again ('two rows');
ROLLBACK TO s;
DROP TABLE more_items;
ALTER TABLE provreq.installed_item ALTER COLUMN serial_number TYPE varchar(40);
EXECUTE again ('type');
ALTER TABLE provreq.installed_item ALTER COLUMN serial_number TYPE text;
ROLLBACK;
CREATE COLLATION regress_caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
ALTER TABLE provreq.installed_item ALTER COLUMN serial_number TYPE text COLLATE regress_caseless;
SELECT (make('collation', 'SMRT20000054')).ordering_keys;
ALTER TABLE provreq.installed_item ALTER COLUMN serial_number TYPE text COLLATE "default";
SELECT (make('collation', 'SMRT20000054')).ordering_keys;
DROP COLLATION regress_caseless;
DELETE FROM provreq.request_pending WHERE process_id = 'collation';
SELECT count(*) FROM made;

DEALLOCATE again;
RESET plan_cache_mode;
DROP TABLE seen;
DROP FUNCTION note, follow, try, constrain, also, make;
DROP VIEW made;
