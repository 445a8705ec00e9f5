-- Runs: one operation for a set of smartcards, in the background
SET timezone = 'UTC';
\set VERBOSITY terse

-- The runner is a process of its own: looks until a query says true
CREATE FUNCTION becomes(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	is_so boolean;
BEGIN
	FOR i IN 1..1000 LOOP
		EXECUTE query INTO is_so;
		IF is_so THEN
			RETURN true;
		END IF;
		PERFORM pg_sleep(0.05);
	END LOOP;
	RETURN false;
END
$$;

-- Nothing is sent, and nothing in flight
SELECT provreq.pause('regress_conax', 'so that its requests can be counted');
SELECT becomes($$SELECT sender_state = 'paused' FROM provreq.provider_status
	WHERE provider = 'regress_conax'$$);
SELECT becomes('SELECT NOT EXISTS (SELECT FROM provreq.attempt)');

-- Runs are not numbered without gaps
CREATE FUNCTION said(statement text) RETURNS text LANGUAGE sql AS
	$$SELECT regexp_replace(outcome(statement), 'run [1-9]\d*', 'run N')$$;

-- What a run cannot be; each is an error of start_run
SELECT outcome(format('SELECT provreq.start_run(%s)', arguments)) FROM (VALUES
	('NULL, ''regress_conax'', filter => ''{}'''),
	('''send_mail_message'', NULL, filter => ''{}'''),
	('''send_mail_message'', ''regress_conax'', filter => ''{}'', parameters => NULL'),
	('''send_mail_message'', ''nowhere'', filter => ''{}'''),
	('''no_such_thing'', ''regress_conax'', filter => ''{}'''),
	('''create_pairing'', ''regress_conax'', filter => ''{}'''),
	('''reset_pin_to_given_value'', ''regress_conax'', filter => ''{}'', parameters => ''{"pin": "1234"}'''),
	('''send_mail_message'', ''regress_conax'', filter => ''{}'''),
	('''send_mail_message'', ''regress_conax'', filter => ''{}'', parameters => ''[]'''),
	('''send_mail_message'', ''regress_conax'', filter => ''{}'', parameters => ''{"message": ["a"]}'''),
	('''send_mail_message'', ''regress_conax'', filter => ''{}'', parameters => ''{"message": {"a": 1}}'''),
	('''send_mail_message'', ''regress_conax'', filter => ''{}'', parameters => ''{"message": null}'''),
	('''send_mail_message'', ''regress_conax'', filter => ''{}'', parameters => ''{"message": "a\nb"}'''),
	('''send_mail_message'', ''regress_conax'', filter => ''{}'', parameters => ''{"message": "hello", "massage": "x"}'''),
	('''send_mail_message'', ''regress_conax'', filter => ''{}'', parameters => ''{"message": "hello", "smartcard_identifier": "x"}'''),
	('''send_mail_message'', ''regress_conax'', filter => ''{}'', parameters => ''{"message": "hello", "process_id": "x"}'''),
	('''send_mail_message'', ''regress_conax'', filter => ''{}'', parameters => ''{"message": "hello", "priority": "HIGH"}'''),
	('''send_mail_message'', ''regress_conax'', filter => ''{}'', parameters => ''{"message": "hello", "scheduled_date": "soon"}'''),
	('''send_mail_message'', ''regress_conax'', filter => ''{}'', parameters => ''{"message": "hello", "udf": {"udf_string_9": "x"}}'''),
	('''send_mail_message'', ''regress_conax'', filter => ''{}'', parameters => jsonb_build_object(''message'', repeat(''x'', 1000000))'),
	('''display_fingerprint'', ''regress_conax'', filter => ''{}'', parameters => ''{"position_x": "left"}'''),
	('''display_fingerprint'', ''regress_conax'', filter => ''{}'', parameters => ''{"position_x": 65536}'''),
	('''get_active_subscriptions'', ''regress_conax'''),
	('''get_active_subscriptions'', ''regress_conax'', query => ''SELECT 1'', filter => ''{}'''),
	('''get_active_subscriptions'', ''regress_conax'', filter => ''[]'''),
	('''get_active_subscriptions'', ''regress_conax'', filter => ''{"cards": []}'''),
	('''get_active_subscriptions'', ''regress_conax'', filter => ''{"subscriptions": "S60507"}'''),
	('''get_active_subscriptions'', ''regress_conax'', filter => ''{"smartcards": [], "services": []}'''),
	('''get_active_subscriptions'', ''regress_conax'', filter => ''{"smartcards": [null]}'''),
	('''get_active_subscriptions'', ''regress_conax'', query => ''SELECT NULL'''),
	('''get_active_subscriptions'', ''regress_conax'', query => ''DELETE FROM provreq.run_job'''),
	('''get_active_subscriptions'', ''regress_conax'', query => ''SELECT 1/0'''),
	('''get_active_subscriptions'', ''regress_conax'', query => '''''),
	('''get_active_subscriptions'', ''regress_conax'', query => ''SELECT ''''id=x'''', 2, 3'''),
	('''get_active_subscriptions'', ''regress_conax'', query => ''SELECT'''),
	('''get_active_subscriptions'', ''regress_conax'', query => ''SELECT ''''id=x''''; SELECT 1'''),
	('''get_active_subscriptions'', ''regress_conax'', query => ''SELECT ''''id=x'''') AS q (card), (SELECT 1'''),
	('''get_active_subscriptions'', ''regress_conax'', query => ''SELECT $1::text'''),
	('''get_active_subscriptions'', ''regress_conax'', query => ''SELECT ''''id=x'''' AS card INTO regress_cards'''),
	('''get_active_subscriptions'', ''regress_conax'', query => ''SHOW timezone'''),
	('''get_active_subscriptions'', ''regress_conax'', query => ''COPY (SELECT 1) TO STDOUT'''),
	('''get_active_subscriptions'', ''regress_conax'', query => ''WITH gone AS (DELETE FROM provreq.run_job RETURNING id) SELECT id FROM gone'''),
	('''get_active_subscriptions'', ''regress_conax'', query => ''nonsense'''),
	('''get_active_subscriptions'', ''regress_conax'', filter => ''{}'', chunk_size => 0'),
	('''get_active_subscriptions'', ''regress_conax'', filter => ''{}'', chunk_size => 1001'),
	('''get_active_subscriptions'', ''regress_conax'', filter => ''{}'', chunk_size => NULL'),
	('''get_active_subscriptions'', ''regress_conax'', filter => ''{}'', max_rate => 0'),
	('''get_active_subscriptions'', ''regress_conax'', filter => ''{}'', max_rate => ''NaN'''),
	('''get_active_subscriptions'', ''regress_conax'', filter => ''{}'', max_pending => 0'),
	('''get_active_subscriptions'', ''regress_conax'', filter => ''{}'', max_errors => -1'),
	('''get_active_subscriptions'', ''regress_conax'', filter => ''{}'', name => repeat(''x'', 256)'),
	('''get_active_subscriptions'', ''regress_conax'', filter => ''{}'', name => E''a\nb'''),
	('''get_active_subscriptions'', ''regress_conax'', filter => ''{}'', parameters => jsonb_build_object(''name'', repeat(''x'', 256))'),
	('''get_active_subscriptions'', ''regress_conax'', filter => ''{}'', parameters => ''{"name": "a\u0007b"}'''),
	('''get_active_subscriptions'', ''regress_conax'', filter => ''{}'', parameters => ''{"name": ""}''')
) AS v (arguments);
SELECT count(*) FROM provreq.run;
SELECT count(*) FROM provreq.run_chunk;

-- Which cards: those of the provider that are effective; none twice, in the
-- order of the query
BEGIN;
SELECT provreq.start_run('get_active_subscriptions', 'regress_conax', filter => '{}') AS run \gset
SELECT i.serial_number FROM provreq.run_chunk AS c, unnest(c.cards) WITH ORDINALITY AS t (card, n)
	JOIN provreq.installed_item AS i ON card = 'id=' || i.id WHERE c.run = :run
	AND i.serial_number LIKE 'smrt%' ORDER BY n;
SELECT provreq.start_run('get_active_subscriptions', 'regress_conax',
	filter => '{"subscriptions": ["S60507", "none"], "serial_number_like": "%54"}') AS run \gset
SELECT i.serial_number FROM provreq.run_chunk AS c, unnest(c.cards) WITH ORDINALITY AS t (card, n)
	JOIN provreq.installed_item AS i ON card = 'id=' || i.id WHERE c.run = :run ORDER BY n;
INSERT INTO provreq.entitlement VALUES
	('C0000000000000000000000000000003', '10000000000000000000000000000001');
SELECT provreq.start_run('get_active_subscriptions', 'regress_conax',
	filter => '{"services": ["SPORT"]}') AS run \gset
SELECT i.serial_number FROM provreq.run_chunk AS c, unnest(c.cards) WITH ORDINALITY AS t (card, n)
	JOIN provreq.installed_item AS i ON card = 'id=' || i.id WHERE c.run = :run ORDER BY n;
SELECT provreq.start_run('get_active_subscriptions', 'regress_conax', chunk_size => 2,
	query => $$VALUES ('serial_number=z'), ('serial_number=a'), ('serial_number=z'), ('serial_number=m') -- those$$) AS run \gset
SELECT c.position, c.cards FROM provreq.run_chunk AS c WHERE c.run = :run ORDER BY 1;
SELECT total, state FROM provreq.run WHERE id = :run;
-- of any type, and the longest name
SELECT provreq.start_run('get_active_subscriptions', 'regress_conax', name => repeat(chr(252), 255),
	query => 'WITH c (x) AS (VALUES (7)) SELECT x FROM c;') AS run \gset
SELECT c.cards, char_length(r.name) FROM provreq.run_chunk AS c JOIN provreq.run AS r ON r.id = c.run
	WHERE c.run = :run;
-- none at all
SELECT provreq.start_run('get_active_subscriptions', 'regress_conax',
	filter => '{"smartcards": []}') AS run \gset
SELECT total, created, state, finished_date IS NOT NULL AS over FROM provreq.run WHERE id = :run;
-- a directory elsewhere
SAVEPOINT elsewhere;
CREATE VIEW public.items AS SELECT * FROM provreq.installed_item;
CREATE ROLE regress_directory;
ALTER VIEW public.items OWNER TO regress_directory;
GRANT SELECT ON provreq.installed_item TO regress_directory;
GRANT USAGE ON SCHEMA provreq TO regress_directory;
SELECT provreq.use_directory('installed_item', 'public.items');
SELECT outcome($$SELECT provreq.start_run('get_active_subscriptions', 'regress_conax', filter => '{}')$$);
SELECT outcome($$SELECT provreq.start_run('get_active_subscriptions', 'regress_conax',
	filter => '{"smartcards": ["serial_number=smrt20000054"]}')$$);
ROLLBACK TO elsewhere;
-- dates are those of the caller
SET LOCAL timezone = 'Asia/Tokyo';
SELECT provreq.start_run('SEND_MAIL_MESSAGE_TO_CLIENT', 'regress_conax', filter => '{}',
	parameters => '{"message": "x", "scheduled_date": "2099-01-01T00:00:00", "start_indication_date_time": "2099-01-01T09:00:00+00"}') AS run \gset
SELECT kind, parameters FROM provreq.run WHERE id = :run;
ROLLBACK;

-- The whole way: good cards become requests, bad ones are noted
SELECT provreq.start_run('send_bark_message', 'regress_conax', name => 'storm warning',
	chunk_size => 3, query => $$VALUES ('serial_number=smrt20000054'), ('serial_number=nobody'),
		('serial_number=smrt20000055'), ('alternative_code=A-2'), ('serial_number=smrt-off'),
		('serial_number=smrt-other'), ('what is this'), (''), ('id=C0000000000000000000000000000005'),
		('serial_number=smrt-elsewhere'), ('serial_number=stb-1'), (repeat('x', 1000000)),
		(E'serial_number=\n\x01')$$,
	parameters => '{"message": "Storm", "display_duration": 30, "priority": "EXPRESS",
		"scheduled_date": "2099-01-01T00:00:00", "name": "warning", "udf": {"udf_string_1": "u", "udf_float_1": 1.5}}') AS run \gset
SELECT becomes('SELECT state = ''SENDING'' FROM provreq.run WHERE id = ' || :run);
SELECT total, created, failed, completed, rejected, pending, state, reason, owner, process_name
	FROM provreq.run WHERE id = :run;
SELECT position, left(smartcard_identifier, 40) AS card, error_code, left(error_description, 90)
	FROM provreq.run_error WHERE run = :run ORDER BY 1;
SELECT type, parameters, priority, scheduled_date, name, process_name, process_id = :'run' AS its,
	udf_string_1, udf_float_1, created_by_user = current_user AS mine
	FROM provreq.request WHERE process_id = :'run' AND process_name <> 'MANUAL' ORDER BY number;
SELECT count(*) FROM provreq.run_chunk WHERE run = :run;

-- Counted as they end; over when the last has ended
SELECT provreq.cancel(min(number), 'one of them') FROM provreq.request WHERE process_id = :'run' AND process_name <> 'MANUAL';
SELECT created, completed, rejected, pending, state FROM provreq.run WHERE id = :run;
SELECT said(format('SELECT provreq.pause_run(%s)', :run));
SELECT said(format('SELECT provreq.resume_run(%s)', :run));
SELECT provreq.cancel_run(:run, 'no storm', cancel_pending => true);
SELECT created, completed, rejected, pending, state, reason, estimated_end FROM provreq.run WHERE id = :run;
SELECT becomes('SELECT NOT EXISTS (SELECT FROM provreq.run_part)');
SELECT created, completed, rejected, pending, state, reason FROM provreq.run WHERE id = :run;
SELECT DISTINCT life_cycle_state, error_code, error_description FROM provreq.request
	WHERE process_id = :'run' AND process_name <> 'MANUAL' ORDER BY 3;
SELECT said(format('SELECT provreq.cancel_run(%s, ''again'')', :run));

-- A run makes no more than max_pending; pause, resume, cancel
SELECT provreq.start_run('get_active_subscriptions', 'regress_conax', chunk_size => 2, max_pending => 3,
	query => 'SELECT ''serial_number=smrt2000005'' || i FROM generate_series(4, 5) AS i, generate_series(1, 2)
		UNION ALL SELECT ''id=C0000000000000000000000000000005''
		UNION ALL SELECT ''serial_number=nobody'' || i FROM generate_series(1, 9) AS i') AS run \gset
SELECT becomes('SELECT reason IS NOT NULL FROM provreq.run WHERE id = ' || :run);
SELECT total, created, failed, pending, state, reason FROM provreq.run WHERE id = :run;
SELECT provreq.pause_run(:run, 'not now');
SELECT state, reason, updated_by_user = current_user AS by_me FROM provreq.run WHERE id = :run;
SELECT said(format('SELECT provreq.pause_run(%s)', :run));
SELECT provreq.resume_run(:run);
SELECT said(format('SELECT provreq.resume_run(%s)', :run));
SELECT provreq.cancel_run(:run, 'enough');
SELECT total, created, pending, state, reason FROM provreq.run WHERE id = :run;
SELECT count(*) FROM provreq.run_chunk WHERE run = :run;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT said(format('SELECT provreq.cancel_run(%s, ''late'', true)', :run));
COMMIT;
SELECT provreq.cancel_run(:run, 'those too', cancel_pending => true);
SELECT rejected, pending, state, reason FROM provreq.run WHERE id = :run;
SELECT act, reason, details - 'run' AS details FROM provreq.intervention
	WHERE details ->> 'run' = :'run' ORDER BY id;
SELECT said(format('SELECT provreq.%s', call)) FROM (VALUES
	('pause_run(NULL)'), ('pause_run(0)'), ('resume_run(NULL)'), ('resume_run(0)'),
	('cancel_run(NULL, ''x'')'), ('cancel_run(0, ''x'')'), ('cancel_run(1, NULL)'), ('cancel_run(1, '''')'),
	('run_put(1, 0, ''{x}'')'), ('run_ready(1)'), ('run_ready(NULL)'),
	('run_open(''{}'')'), ('run_open(''[]'')'),
	('run_open(''{"provider": "regress_conax", "kind": "get_active_subscriptions", "parameters": {}, "chunk_size": 9999, "max_pending": 1, "max_errors": 0}'')'),
	('run_open(jsonb_build_object(''provider'', ''regress_conax'', ''kind'', ''get_active_subscriptions'', ''parameters'', ''{}''::jsonb, ''chunk_size'', 1, ''max_pending'', 1, ''max_errors'', 0, ''name'', repeat(''x'', 256)))'),
	('run_open(jsonb_build_object(''provider'', ''regress_conax'', ''kind'', ''get_active_subscriptions'', ''parameters'', ''{}''::jsonb, ''chunk_size'', 1, ''max_pending'', 1, ''max_errors'', 0, ''name'', E''a\x01''))'),
	('run_open(''{"provider": "regress_conax", "kind": "run_take", "parameters": {}, "chunk_size": 9, "max_pending": 1, "max_errors": 0}'')')
) AS v (call);

-- Too many errors
SELECT provreq.start_run('get_active_subscriptions', 'regress_conax', chunk_size => 2, max_errors => 3,
	query => 'SELECT ''serial_number=nobody'' || i FROM generate_series(1, 10) AS i') AS run \gset
SELECT becomes('SELECT state = ''PAUSED'' FROM provreq.run WHERE id = ' || :run);
SELECT failed, state, reason FROM provreq.run WHERE id = :run;
SELECT provreq.resume_run(:run);
SELECT becomes('SELECT state = ''PAUSED'' FROM provreq.run WHERE id = ' || :run);
SELECT failed, state, reason FROM provreq.run WHERE id = :run;
SELECT provreq.resume_run(:run);
SELECT becomes('SELECT state = ''FINISHED'' FROM provreq.run WHERE id = ' || :run);
SELECT total, created, failed, rate FROM provreq.run WHERE id = :run;

-- Operations that want the card's subscription get it
SELECT provreq.start_run('reset_pin_to_default_value', 'regress_conax',
	query => 'VALUES (''serial_number=smrt20000054''), (''serial_number=smrt-stock'')') AS run \gset
SELECT becomes('SELECT state = ''SENDING'' FROM provreq.run WHERE id = ' || :run);
SELECT subscription_id, process_name FROM provreq.request WHERE process_id = :'run' AND process_name <> 'MANUAL';
SELECT error_code, error_description FROM provreq.run_error WHERE run = :run;
SELECT provreq.cancel_run(:run, 'done', true);

-- Requests name the user of the session in which the run was started
INSERT INTO provreq.crm_user (username) VALUES ('night clerk');
INSERT INTO provreq.crm_unit (name) VALUES ('night shift');
BEGIN;
DO $$ BEGIN PERFORM provreq.use_session(provreq.open_session('night clerk', 'night shift')); END $$;
SELECT provreq.start_run('get_active_subscriptions', 'regress_conax',
	filter => '{"smartcards": ["serial_number=smrt20000054"]}') AS run \gset
COMMIT;
SELECT becomes('SELECT state = ''SENDING'' FROM provreq.run WHERE id = ' || :run);
SELECT created_by_user, created_by_unit, owner = current_user AS own FROM provreq.run WHERE id = :run;
SELECT created_by_user, created_by_unit FROM provreq.request WHERE process_id = :'run' AND process_name <> 'MANUAL';
SELECT provreq.cancel_run(:run, 'done', true);
DELETE FROM provreq.session WHERE username = 'night clerk';
DELETE FROM provreq.crm_user WHERE username = 'night clerk';
DELETE FROM provreq.crm_unit WHERE name = 'night shift';

-- Nothing is left to do
SELECT becomes('SELECT NOT provreq.runs_wanted()');
SELECT provreq.resume('regress_conax');
DROP FUNCTION said(text);
