\pset tuples_only on
\pset format unaligned
-- Everything says what it is
SELECT c.relname FROM pg_class AS c
	WHERE c.relnamespace = 'provreq'::regnamespace AND c.relkind = 'r'
	AND c.relname IN ('subscription', 'product', 'installed_item', 'service_mapping', 'subscription_distributor')
	AND (obj_description(c.oid, 'pg_class') IS NULL OR EXISTS (
		SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid
		AND a.attnum > 0 AND col_description(c.oid, a.attnum) IS NULL));
-- and a dump holds the rows
SELECT c.relname, t.condition = '' FROM pg_extension AS e,
	unnest(e.extconfig, e.extcondition) AS t (relation, condition)
	JOIN pg_class AS c ON c.oid = t.relation
	WHERE e.extname = 'provreq'
	AND c.relname IN ('subscription', 'product', 'installed_item', 'service_mapping', 'subscription_distributor')
	ORDER BY 1;
-- Every identifier has an index
SET enable_seqscan = off;
CREATE FUNCTION uses_index(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF line ~ 'Index Cond' THEN
			RETURN true;
		END IF;
	END LOOP;
	RETURN false;
END
$$;
SELECT relation, field, uses_index(format('SELECT FROM provreq.%I WHERE %I = ''x''', relation, field))
	FROM (VALUES ('subscription', 'id'), ('subscription', 'number'),
		('product', 'id'), ('product', 'code'), ('product', 'alternative_code'),
		('installed_item', 'id'), ('installed_item', 'serial_number'),
		('installed_item', 'alternative_code'), ('installed_item', 'ca_id'),
		('installed_item', 'subscription_id'),
		('service_mapping', 'product_id')) AS f (relation, field);
RESET enable_seqscan;
-- What the tables refuse
SELECT split_part(outcome($$INSERT INTO provreq.subscription (id, number) VALUES ('abc', 'x')$$), E'\n', 1);
SELECT split_part(outcome($$INSERT INTO provreq.subscription (number) VALUES ('')$$), E'\n', 1);
SELECT split_part(outcome($$INSERT INTO provreq.subscription (number) VALUES (repeat('x', 256))$$), E'\n', 1);
SELECT split_part(outcome($$INSERT INTO provreq.installed_item (serial_number, classification, life_cycle_state) VALUES ('x', 'STB', 'BROKEN')$$), E'\n', 1);
SELECT split_part(outcome($$INSERT INTO provreq.installed_item (serial_number, classification, ca_id) VALUES ('x', 'SMARTCARD', '000000000017')$$), E'\n', 1);
SELECT split_part(outcome($$INSERT INTO provreq.service_mapping VALUES ('10000000000000000000000000000001', NULL, '9')$$), E'\n', 1);
SELECT split_part(outcome($$INSERT INTO provreq.subscription_distributor (provider) VALUES ('x')$$), E'\n', 1);
-- Rights
SET ROLE provreq_operator;
SELECT count(*) FROM provreq.subscription;
SELECT split_part(outcome($$INSERT INTO provreq.subscription (number) VALUES ('x')$$), E'\n', 1);
RESET ROLE;
