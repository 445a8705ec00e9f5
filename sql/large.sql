-- What has to be quick however many requests there are: which way the views
-- and lists take.
SET timezone = 'UTC';
BEGIN;
INSERT INTO provreq.request (provider, type, ordering_keys, priority)
	SELECT 'nowhere', 'ADD_SUBSCRIPTIONS', ARRAY['large:' || i], CASE i % 100 WHEN 7 THEN 'EXPRESS' ELSE 'REGULAR' END
	FROM generate_series(1, 3000) AS i;
INSERT INTO provreq.request (provider, type, ordering_keys, life_cycle_state, closed_date, created_xid)
	SELECT 'nowhere', 'ADD_SUBSCRIPTIONS', ARRAY['large:' || i],
		CASE i % 1000 WHEN 7 THEN 'REJECTED' ELSE 'COMPLETED' END, '1999-12-31', NULL
	FROM generate_series(1, 3000) AS i;
ANALYZE provreq.request_pending, provreq.request_closed_default;
CREATE FUNCTION way(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || statement LOOP
		line := substring(line FROM '->  (Sort|(?:Seq|Index|Index Only|Bitmap Heap) Scan .*request_(?:pending|closed_default).*)');
		IF line IS NOT NULL THEN
			RETURN NEXT line;
		END IF;
	END LOOP;
END
$$;
-- the first page of the queue is read in order
SELECT way('SELECT * FROM provreq.queue LIMIT 20');
SELECT count(*) FILTER (WHERE priority = 'EXPRESS') AS express, count(*) AS all
	FROM (SELECT * FROM provreq.queue WHERE provider = 'nowhere' LIMIT 40) AS q;
-- the few that were rejected are not looked for among all (how small the table
-- was made by vacuum must not matter)
SET LOCAL enable_seqscan = off;
SELECT way($$SELECT number FROM provreq.request WHERE life_cycle_state = 'REJECTED'
	AND closed_date < '2000-01-01' ORDER BY number DESC LIMIT 100$$);
-- every month has that index
SELECT provreq.make_partition('1998-01-01');
SELECT indexdef FROM pg_indexes WHERE tablename = 'request_closed_1998_01' AND indexdef LIKE '%REJECTED%';
ROLLBACK;

-- What a trigger keeps in memory for a statement
BEGIN;
SET LOCAL client_min_messages = error;
CREATE SERVER large_conax FOREIGN DATA WRAPPER conax_web_services
	OPTIONS (url 'https://127.0.0.1:1/cas');
INSERT INTO provreq.subscription (number) VALUES ('S-LARGE');
INSERT INTO provreq.product (code) VALUES ('P-LARGE');
INSERT INTO provreq.service_mapping (product_id, service_ca_id)
	SELECT id, '77' FROM provreq.product WHERE code = 'P-LARGE';
INSERT INTO provreq.installed_item (serial_number, classification, ca_id)
	SELECT 'large-' || i, 'SMARTCARD', (700000000000 + i)::text FROM generate_series(1, 3000) AS i;
ANALYZE provreq.installed_item;
CREATE TABLE large (card text, service text DEFAULT 'P-LARGE', subscription text DEFAULT 'S-LARGE');
CREATE TRIGGER i AFTER INSERT ON large REFERENCING NEW TABLE AS n FOR EACH STATEMENT
	EXECUTE FUNCTION provreq.subscription_change('provider=large_conax', 'smartcard=card',
		'service=service', 'subscription=subscription');
CREATE TRIGGER d AFTER DELETE ON large REFERENCING OLD TABLE AS o FOR EACH STATEMENT
	EXECUTE FUNCTION provreq.subscription_change('provider=large_conax', 'smartcard=card',
		'service=service', 'subscription=subscription');
CREATE TABLE public.used (bytes bigint);
CREATE FUNCTION memory_of(context text) RETURNS bigint LANGUAGE sql AS $$
	-- with what is below it: "parent" is a name up to 17, "path" the way from 18 on
	WITH c AS MATERIALIZED (SELECT to_jsonb(m) AS c FROM pg_backend_memory_contexts AS m)
	SELECT sum((c.c ->> 'total_bytes')::bigint)::bigint FROM c
	WHERE context IN (c.c ->> 'name', c.c ->> 'parent')
		OR EXISTS (SELECT FROM c AS above WHERE above.c ->> 'name' = context
			AND c.c -> 'path' @> (above.c -> 'path' -> -1));
$$;
CREATE FUNCTION note_memory() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.number % 149 = 0 THEN
		INSERT INTO public.used SELECT public.memory_of('provreq changes');
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER note_memory BEFORE INSERT ON provreq.request_pending
	FOR EACH ROW EXECUTE FUNCTION note_memory();
CREATE FUNCTION made() RETURNS TABLE (type text, requests bigint, cards bigint) LANGUAGE sql AS $$
	SELECT type, count(*), count(DISTINCT ordering_keys) FROM provreq.request_pending
		WHERE provider = 'large_conax' GROUP BY type ORDER BY type
$$;
SET LOCAL work_mem = '64kB';
-- rows that say the same, far from each other, are one change
INSERT INTO large SELECT 'large-' || 1 + i % 3000 FROM generate_series(1, 3100) AS i;
SELECT * FROM made();
SELECT count(*) > 10 AS seen, max(bytes) < 300000 AS little FROM used;
SELECT memory_of('provreq trigger statement') < 260000 AS little;
DELETE FROM used;
DELETE FROM provreq.request_pending WHERE provider = 'large_conax';
DELETE FROM large WHERE ctid IN (SELECT max(ctid) FROM large GROUP BY card HAVING count(*) > 1);
DELETE FROM provreq.request_pending WHERE provider = 'large_conax';
-- what goes and comes again in one statement stays
WITH gone AS (DELETE FROM large RETURNING card)
	INSERT INTO large SELECT card FROM gone WHERE card <> 'large-1';
SELECT type, count(*) FROM (
	SELECT DISTINCT ON (ordering_keys) type FROM provreq.request_pending
		WHERE provider = 'large_conax' ORDER BY ordering_keys, number DESC) AS last
	GROUP BY type ORDER BY type;
DELETE FROM provreq.request_pending WHERE provider = 'large_conax';
DELETE FROM large;
SELECT * FROM made();
SELECT count(*) > 10 AS seen, max(bytes) < 300000 AS little FROM used;
ROLLBACK;
