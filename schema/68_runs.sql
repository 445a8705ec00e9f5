/*
 * Runs: one operation for a whole set of smartcards, made into requests in
 * the background.
 *
 * The set is read once, by start_run(), in the caller's own transaction and
 * with the caller's own rights, and kept in chunks.  The runner, a process of
 * the server, turns one chunk after another into requests with the rights of
 * the role that started the run; the requests of a chunk, the end of the
 * chunk and the notes of what failed commit together.
 *
 * What has become of the requests is counted chunk by chunk.  A chunk some of
 * whose requests are pending is an open part: its requests are found by the
 * range of their numbers, and once none of them is pending they are counted
 * for the last time.  So nobody ever counts more than the open parts.
 */
CREATE SEQUENCE provreq.run_id_seq;
COMMENT ON SEQUENCE provreq.run_id_seq IS 'Ids of runs.';

CREATE TABLE provreq.run_job (
	id bigint PRIMARY KEY DEFAULT pg_catalog.nextval('provreq.run_id_seq'),
	kind text NOT NULL,
	function text NOT NULL,
	provider text NOT NULL,
	name text,
	query text,
	filter jsonb,
	parameters jsonb NOT NULL,
	process_name text NOT NULL,
	chunk_size integer NOT NULL,
	max_rate double precision,
	max_pending integer NOT NULL,
	max_errors integer NOT NULL,
	error_limit bigint NOT NULL,
	postponed integer NOT NULL DEFAULT 0,
	state text NOT NULL DEFAULT 'PREPARING'
		CHECK (state IN ('PREPARING', 'RUNNING', 'SENDING', 'PAUSED',
			'CANCELLED', 'FAILED', 'FINISHED')),
	reason text,
	total bigint NOT NULL DEFAULT 0,
	created bigint NOT NULL DEFAULT 0,
	failed bigint NOT NULL DEFAULT 0,
	completed bigint NOT NULL DEFAULT 0,
	rejected bigint NOT NULL DEFAULT 0,
	next_date timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	active_since timestamptz,
	active_before interval NOT NULL DEFAULT '0',
	started_date timestamptz NOT NULL DEFAULT pg_catalog.now(),
	finished_date timestamptz,
	owner_name text NOT NULL,
	owner_oid oid NOT NULL,
	home text NOT NULL,
	created_by_user text NOT NULL,
	created_by_unit text,
	updated_date timestamptz NOT NULL DEFAULT pg_catalog.now(),
	updated_by_user text NOT NULL,
	updated_by_unit text
);
CREATE INDEX run_job_running ON provreq.run_job (next_date) WHERE state = 'RUNNING';
COMMENT ON TABLE provreq.run_job IS
'Runs as they are kept; look at provreq.run.';
COMMENT ON COLUMN provreq.run_job.id IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.kind IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.provider IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.name IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.query IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.filter IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.parameters IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.process_name IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.chunk_size IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.max_rate IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.max_pending IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.max_errors IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.reason IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.total IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.created IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.failed IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.started_date IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.finished_date IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.created_by_user IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.created_by_unit IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.updated_date IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.updated_by_user IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.updated_by_unit IS 'See provreq.run.';
COMMENT ON COLUMN provreq.run_job.state IS 'See provreq.run; PREPARING while its smartcards are read.';
COMMENT ON COLUMN provreq.run_job.function IS 'The function of schema provreq that makes its requests.';
COMMENT ON COLUMN provreq.run_job.error_limit IS 'The run pauses when failed exceeds it: max_errors more than failed was when it was started or resumed.';
COMMENT ON COLUMN provreq.run_job.postponed IS 'How often in a row its next chunk ended with an error that has nothing to do with its smartcards.';
COMMENT ON COLUMN provreq.run_job.completed IS 'Of the chunks that have no pending request any more.';
COMMENT ON COLUMN provreq.run_job.rejected IS 'Of the chunks that have no pending request any more.';
COMMENT ON COLUMN provreq.run_job.next_date IS 'Its next chunk is not taken before this.';
COMMENT ON COLUMN provreq.run_job.active_since IS 'Since when it is RUNNING or SENDING; null while it is not.';
COMMENT ON COLUMN provreq.run_job.active_before IS 'How long it was RUNNING or SENDING before that.';
COMMENT ON COLUMN provreq.run_job.owner_name IS 'The role with whose rights requests are made.';
COMMENT ON COLUMN provreq.run_job.owner_oid IS 'Its oid: a role of the same name that was made later is another one.';
COMMENT ON COLUMN provreq.run_job.home IS 'provreq.run_home() of the database where it was started or resumed. In a restored dump or a copy it rests until it is resumed there.';

CREATE TABLE provreq.run_chunk (
	run bigint NOT NULL,
	position bigint NOT NULL,
	cards text[] NOT NULL,
	PRIMARY KEY (run, position)
);
COMMENT ON TABLE provreq.run_chunk IS
'Smartcards of runs that have no request yet. A row goes in the transaction that makes its requests.';
COMMENT ON COLUMN provreq.run_chunk.run IS 'provreq.run.id.';
COMMENT ON COLUMN provreq.run_chunk.position IS 'Place of the first card in the run, from 0.';
COMMENT ON COLUMN provreq.run_chunk.cards IS 'Smartcard identifiers, as the query gave them.';

CREATE TABLE provreq.run_part (
	run bigint NOT NULL,
	position bigint NOT NULL,
	first_number bigint NOT NULL,
	last_number bigint NOT NULL,
	PRIMARY KEY (run, position)
);
COMMENT ON TABLE provreq.run_part IS
'Chunks of runs some of whose requests are pending, or were when the runner last looked.';
COMMENT ON COLUMN provreq.run_part.run IS 'provreq.run.id.';
COMMENT ON COLUMN provreq.run_part.position IS 'Place of the first card in the run, from 0.';
COMMENT ON COLUMN provreq.run_part.first_number IS 'Least number of its requests.';
COMMENT ON COLUMN provreq.run_part.last_number IS 'Greatest number of its requests.';

CREATE TABLE provreq.run_error (
	run bigint NOT NULL,
	position bigint NOT NULL,
	smartcard_identifier text NOT NULL,
	error_code text NOT NULL,
	error_description text NOT NULL,
	error_date timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	PRIMARY KEY (run, position)
);
COMMENT ON TABLE provreq.run_error IS
'Smartcards of runs for which no request could be made, and why.';
COMMENT ON COLUMN provreq.run_error.run IS 'provreq.run.id.';
COMMENT ON COLUMN provreq.run_error.position IS 'Place of the card in the run, from 0.';
COMMENT ON COLUMN provreq.run_error.smartcard_identifier IS 'As the query gave it.';
COMMENT ON COLUMN provreq.run_error.error_code IS 'SQLSTATE of the error.';
COMMENT ON COLUMN provreq.run_error.error_description IS 'Message of the error.';
COMMENT ON COLUMN provreq.run_error.error_date IS 'When it was tried.';

SELECT pg_catalog.pg_extension_config_dump('provreq.run_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('provreq.run_job', '');
SELECT pg_catalog.pg_extension_config_dump('provreq.run_chunk', '');
SELECT pg_catalog.pg_extension_config_dump('provreq.run_part', '');
SELECT pg_catalog.pg_extension_config_dump('provreq.run_error', '');

CREATE FUNCTION provreq.run_changed() RETURNS trigger
	AS 'MODULE_PATHNAME', 'provreq_run_changed'
	LANGUAGE c;
COMMENT ON FUNCTION provreq.run_changed() IS
'Trigger function: lets the supervisor see whether a runner is needed, and wakes the one that is there.';
CREATE TRIGGER run_changed AFTER INSERT OR UPDATE OF state OR DELETE ON provreq.run_job
	FOR EACH STATEMENT EXECUTE FUNCTION provreq.run_changed();

CREATE FUNCTION provreq.run_home() RETURNS text
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT c.system_identifier::text || '/' || d.oid::text
	FROM pg_catalog.pg_control_system() c, pg_catalog.pg_database d
	WHERE d.datname = pg_catalog.current_database();
END;
COMMENT ON FUNCTION provreq.run_home() IS
'What tells this database from its copies.';

/*
 * ---- Starting ----
 */
CREATE FUNCTION provreq.run_check(provider text, kind text, parameters jsonb) RETURNS text
	AS 'MODULE_PATHNAME', 'provreq_run_check'
	LANGUAGE c STABLE;
COMMENT ON FUNCTION provreq.run_check(text, text, jsonb) IS
'Checks what a run is to do, as far as that does not depend on its smartcards, and returns the name of the function that makes one of its requests. Used by start_run(). Errors: 22004, 22023, 42704, 42P02, 0A000.';

CREATE FUNCTION provreq.run_check_query(query text) RETURNS void
	AS 'MODULE_PATHNAME', 'provreq_run_check_query'
	LANGUAGE c VOLATILE STRICT;
COMMENT ON FUNCTION provreq.run_check_query(text) IS
'Raises an error unless a query is one SELECT with one column; reads it with the rights and the search_path of the caller, and does not run it. Used by start_run(). Errors: 22023 and those of the query.';

CREATE FUNCTION provreq.run_role() RETURNS oid
	AS 'MODULE_PATHNAME', 'provreq_run_role'
	LANGUAGE c STABLE;
COMMENT ON FUNCTION provreq.run_role() IS
'The role that called, also inside of functions that run with the rights of another, and whatever user its session says.';

CREATE FUNCTION provreq.run_subscription(smartcard_identifier text) RETURNS text
	AS 'MODULE_PATHNAME', 'provreq_run_subscription'
	LANGUAGE c VOLATILE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION provreq.run_subscription(text) IS
'The identifier of the subscription that a smartcard belongs to, for operations that ask for one. Errors: those of the identifier; 55000 it belongs to none.';

CREATE FUNCTION provreq.run_statement(function text, parameters jsonb) RETURNS text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	wanted text := $1;
	given jsonb := $2;
	declared pg_catalog.pg_proc;
	argument record;
	arguments text := '';
BEGIN
	SELECT * INTO STRICT declared FROM pg_catalog.pg_proc p
	WHERE p.pronamespace = 'provreq'::regnamespace AND p.proname = wanted;
	FOR argument IN
		SELECT declared.proargnames[t.n] AS name, t.type,
			t.n > declared.pronargs - declared.pronargdefaults AS optional
		FROM pg_catalog.unnest(declared.proargtypes::oid[]) WITH ORDINALITY AS t (type, n)
	LOOP
		CONTINUE WHEN argument.name IN ('smartcard_identifier', 'process_name',
			'process_id', 'provider');
		IF argument.name = 'subscription_identifier' AND given -> argument.name IS NULL THEN
			CONTINUE WHEN argument.optional;
			arguments := arguments || ', subscription_identifier => provreq.run_subscription(c.card)';
		ELSIF given ? argument.name THEN
			arguments := arguments || pg_catalog.format(', %I => ', argument.name)
				|| CASE argument.type
					WHEN 'text[]'::regtype THEN
						pg_catalog.format('CASE WHEN $2 -> %1$L <> ''null'' THEN ARRAY('
							'SELECT pg_catalog.jsonb_array_elements_text($2 -> %1$L)) END', argument.name)
					WHEN 'jsonb'::regtype THEN
						pg_catalog.format('NULLIF($2 -> %L, ''null'')', argument.name)
					ELSE
						pg_catalog.format('($2 ->> %L)::%s', argument.name,
							pg_catalog.format_type(argument.type, NULL))
				END;
		END IF;
	END LOOP;
	RETURN pg_catalog.format('SELECT pg_catalog.count(*), pg_catalog.min(r.number), pg_catalog.max(r.number)'
		' FROM pg_catalog.unnest($1) AS c (card), LATERAL provreq.%I('
		'smartcard_identifier => c.card, provider => $3, process_name => $4,'
		' process_id => $5%s) AS r', wanted, arguments);
END
$$;
COMMENT ON FUNCTION provreq.run_statement(text, jsonb) IS
'The statement by which the runner makes the requests of a chunk: $1 the smartcards, $2 the parameters, $3 the provider, $4 process_name, $5 process_id.';

CREATE FUNCTION provreq.run_process_name(kind text) RETURNS text
	LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT CASE
		WHEN kind ~ '_message$' THEN 'MAIL_BARK_MESSAGE_UTILITY'
		WHEN kind ~ 'fingerprint$' THEN 'FIINGERPRINTING_UTILITY'
		WHEN kind ~ '(^|_)pin(_|$)' THEN 'RESET_PIN'
		WHEN kind ~ '(^|_)pair(ing)?(_|$)' THEN 'PAIRING_UTILITY'
		ELSE 'PROVISIONING_REQUEST_PROCESSING_RUN'
	END;
END;
COMMENT ON FUNCTION provreq.run_process_name(text) IS
'The documented process_name of the requests of a run of this kind.';

CREATE FUNCTION provreq.run_check_options(chunk_size integer, max_rate double precision,
	max_pending integer, max_errors integer, name text) RETURNS void
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	wrong text;
BEGIN
	wrong := CASE
		WHEN chunk_size IS NULL OR chunk_size NOT BETWEEN 1 AND 1000 THEN '"chunk_size" must be from 1 to 1000'
		WHEN max_rate <= 0 OR max_rate > 1000000 OR max_rate = 'NaN' THEN '"max_rate" must be above 0 and at most 1000000'
		WHEN max_pending IS NULL OR max_pending NOT BETWEEN 1 AND 10000000 THEN '"max_pending" must be from 1 to 10000000'
		WHEN max_errors IS NULL OR max_errors < 0 THEN '"max_errors" must be 0 or more'
		WHEN pg_catalog.char_length(name) > 255 THEN '"name" must not be longer than 255 characters'
		WHEN name ~ '[\x01-\x1f\x7f\u0080-\u009f]' THEN '"name" must not contain control characters'
	END;
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'parameter ' || wrong;
	END IF;
END
$$;
COMMENT ON FUNCTION provreq.run_check_options(integer, double precision, integer, integer, text) IS
'Checks the options of start_run(). Error: 22023.';

CREATE FUNCTION provreq.run_dates(function text, parameters jsonb) RETURNS jsonb
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT parameters || COALESCE(pg_catalog.jsonb_object_agg(a.name,
		(parameters ->> a.name)::timestamptz), '{}')
	FROM pg_catalog.pg_proc p, LATERAL ROWS FROM (
		pg_catalog.unnest(p.proargnames),
		pg_catalog.unnest(p.proargtypes::oid[])) AS a (name, type)
	WHERE p.pronamespace = 'provreq'::regnamespace AND p.proname = function
	AND a.type = 'timestamptz'::regtype AND parameters ->> a.name IS NOT NULL;
END;
COMMENT ON FUNCTION provreq.run_dates(text, jsonb) IS
'Parameters whose dates say which zone they are of: the caller''s.';

CREATE FUNCTION provreq.run_chunk_size(chunk_size integer, max_rate double precision,
	max_pending integer) RETURNS integer
	LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT least(chunk_size, max_pending,
		CASE WHEN max_rate IS NOT NULL THEN greatest(1, pg_catalog.floor(max_rate)) END)::integer;
END;
COMMENT ON FUNCTION provreq.run_chunk_size(integer, double precision, integer) IS
'How many requests a run makes in one transaction: a slow run has small chunks, so that its requests come one after the other.';

CREATE FUNCTION provreq.run_insert(owner oid, job jsonb) RETURNS bigint
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	run bigint;
	asked provreq.run_job := pg_catalog.jsonb_populate_record(NULL::provreq.run_job, job);
BEGIN
	/* whoever calls run_open() himself gets nothing else than from start_run() */
	PERFORM provreq.run_check_options(asked.chunk_size, asked.max_rate,
		asked.max_pending, asked.max_errors, asked.name);
	asked.function := provreq.run_check(asked.provider, asked.kind, asked.parameters);
	asked.kind := pg_catalog.substr(asked.function, pg_catalog.strpos(asked.function, '_') + 1);
	INSERT INTO provreq.run_job (kind, function, provider, name, query, filter, parameters,
		process_name, chunk_size, max_rate, max_pending, max_errors, error_limit,
		owner_name, owner_oid, home, created_by_user, created_by_unit,
		updated_by_user, updated_by_unit)
	VALUES (asked.kind, asked.function, asked.provider, asked.name, asked.query, asked.filter,
		provreq.run_dates(asked.function, asked.parameters),
		provreq.run_process_name(asked.kind),
		provreq.run_chunk_size(asked.chunk_size, asked.max_rate, asked.max_pending),
		asked.max_rate, asked.max_pending, asked.max_errors, asked.max_errors,
		(SELECT r.rolname FROM pg_catalog.pg_roles r WHERE r.oid = owner), owner,
		provreq.run_home(), provreq.caller(), provreq.caller_unit(),
		provreq.caller(), provreq.caller_unit())
	RETURNING id INTO run;
	RETURN run;
END
$$;
COMMENT ON FUNCTION provreq.run_insert(oid, jsonb) IS
'Checks a new run and makes its row. Used by run_open(), which knows for whom. Errors: those of start_run().';

CREATE FUNCTION provreq.run_open(job jsonb) RETURNS bigint
	AS 'MODULE_PATHNAME', 'provreq_run_open'
	LANGUAGE c VOLATILE STRICT;
COMMENT ON FUNCTION provreq.run_open(jsonb) IS
'Makes a run without smartcards that belongs to the current role. Used by start_run().';

CREATE FUNCTION provreq.run_preparing(run bigint) RETURNS provreq.run_job
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	job provreq.run_job;
BEGIN
	SELECT * INTO job FROM provreq.run_job j
	WHERE j.id = run AND j.state = 'PREPARING' AND j.created_by_user = provreq.caller();
	IF NOT FOUND THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = pg_catalog.format('run %s is not being prepared by you', COALESCE(run::text, 'NULL'));
	END IF;
	RETURN job;
END
$$;
COMMENT ON FUNCTION provreq.run_preparing(bigint) IS
'The run that the caller is preparing. Error: 55000.';

CREATE FUNCTION provreq.run_put(run bigint, "position" bigint, cards text[]) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF pg_catalog.cardinality(cards) > (provreq.run_preparing(run)).chunk_size THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'parameter "cards" has more members than a chunk of the run';
	END IF;
	IF pg_catalog.array_position(cards, NULL) IS NOT NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'parameter "query" gives a smartcard that is NULL';
	END IF;
	INSERT INTO provreq.run_chunk VALUES ($1, $2, $3);
END
$$;
COMMENT ON FUNCTION provreq.run_put(bigint, bigint, text[]) IS
'Adds smartcards to a run that is being prepared. Used by start_run(). Errors: 55000, 22004, 22023.';

CREATE FUNCTION provreq.run_ready(run bigint) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	cards bigint;
BEGIN
	PERFORM provreq.run_preparing(run);
	SELECT COALESCE(pg_catalog.sum(pg_catalog.cardinality(c.cards)), 0) INTO cards
	FROM provreq.run_chunk c WHERE c.run = $1;
	UPDATE provreq.run_job j
	SET total = cards, state = CASE WHEN cards = 0 THEN 'FINISHED' ELSE 'RUNNING' END,
		active_since = CASE WHEN cards > 0 THEN pg_catalog.clock_timestamp() END,
		finished_date = CASE WHEN cards = 0 THEN pg_catalog.clock_timestamp() END,
		next_date = pg_catalog.clock_timestamp()
	WHERE j.id = $1;
END
$$;
COMMENT ON FUNCTION provreq.run_ready(bigint) IS
'Lets a run begin whose smartcards are complete. Used by start_run(). Error: 55000.';

CREATE FUNCTION provreq.run_query(filter jsonb, provider text) RETURNS text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	valid CONSTANT text[] := ARRAY['smartcards', 'subscriptions', 'services', 'serial_number_like'];
	member text;
	type text;
BEGIN
	IF pg_catalog.jsonb_typeof(filter) <> 'object' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'parameter "filter" must be a JSON object';
	END IF;
	FOR member, type IN
		SELECT key, pg_catalog.jsonb_typeof(value) FROM pg_catalog.jsonb_each(filter)
	LOOP
		IF NOT member = ANY (valid) THEN
			RAISE EXCEPTION USING
				ERRCODE = 'undefined_parameter',
				MESSAGE = pg_catalog.format('parameter "filter" has unknown member "%s"', pg_catalog.left(member, 63)),
				HINT = pg_catalog.format('Valid members are %s.', pg_catalog.array_to_string(valid, ', '));
		END IF;
		IF type <> (CASE member WHEN 'serial_number_like' THEN 'string' ELSE 'array' END) THEN
			RAISE EXCEPTION USING
				ERRCODE = 'invalid_parameter_value',
				MESSAGE = pg_catalog.format('member "%s" of parameter "filter" must be a JSON %s', member,
					CASE member WHEN 'serial_number_like' THEN 'string' ELSE 'array' END);
		END IF;
	END LOOP;
	IF filter ? 'smartcards' AND filter - 'smartcards' <> '{}' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'member "smartcards" of parameter "filter" goes with no other member';
	END IF;
	IF filter ? 'smartcards' THEN
		RETURN pg_catalog.format('SELECT pg_catalog.jsonb_array_elements_text(%L::pg_catalog.jsonb)',
			filter -> 'smartcards');
	END IF;
	IF EXISTS (SELECT FROM provreq.directory d WHERE d.role IS NOT NULL
			AND (d.kind = 'installed_item'
			OR d.kind = 'subscription' AND filter ? 'subscriptions'
			OR d.kind IN ('entitlement', 'product') AND filter ? 'services')) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'feature_not_supported',
			MESSAGE = 'parameter "filter" reads tables for which provreq.use_directory() has put others',
			HINT = 'Give a query of those instead.';
	END IF;
	RETURN pg_catalog.format('SELECT ''id='' OPERATOR(pg_catalog.||) i.id FROM provreq.installed_item AS i'
		' WHERE i.classification OPERATOR(pg_catalog.=) ''SMARTCARD'''
		' AND i.life_cycle_state OPERATOR(pg_catalog.=) ''EFFECTIVE'''
		' AND (i.provider IS NULL OR i.provider OPERATOR(pg_catalog.=) %L)', provider)
		|| CASE WHEN filter ? 'subscriptions' THEN
			pg_catalog.format(' AND i.subscription_id OPERATOR(pg_catalog.=) ANY (SELECT s.id'
				' FROM provreq.subscription AS s WHERE s.number OPERATOR(pg_catalog.=) ANY (SELECT'
				' pg_catalog.jsonb_array_elements_text(%L::pg_catalog.jsonb)))', filter -> 'subscriptions')
			ELSE '' END
		|| CASE WHEN filter ? 'services' THEN
			pg_catalog.format(' AND i.id OPERATOR(pg_catalog.=) ANY (SELECT e.installed_item_id'
				' FROM provreq.entitlement AS e JOIN provreq.product AS p'
				' ON p.id OPERATOR(pg_catalog.=) e.product_id WHERE p.code OPERATOR(pg_catalog.=) ANY (SELECT'
				' pg_catalog.jsonb_array_elements_text(%L::pg_catalog.jsonb)))', filter -> 'services')
			ELSE '' END
		|| CASE WHEN filter ? 'serial_number_like' THEN
			pg_catalog.format(' AND i.serial_number OPERATOR(pg_catalog.~~) %L', filter ->> 'serial_number_like')
			ELSE '' END
		|| ' ORDER BY i.serial_number COLLATE pg_catalog."C"';
END
$$;
COMMENT ON FUNCTION provreq.run_query(jsonb, text) IS
'The query that a filter of start_run() stands for. Errors: 22023, 42P02, 0A000.';

CREATE FUNCTION provreq.run_permitted(function text) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT pg_catalog.has_function_privilege(CURRENT_USER,
		(SELECT p.oid FROM pg_catalog.pg_proc p
		WHERE p.pronamespace = 'provreq'::regnamespace AND p.proname = function), 'EXECUTE') THEN
		RAISE EXCEPTION USING
			ERRCODE = 'insufficient_privilege',
			MESSAGE = pg_catalog.format('permission denied for function %s', function);
	END IF;
END
$$;
COMMENT ON FUNCTION provreq.run_permitted(text) IS
'Raises the error 42501 unless the current role may call the function of that name.';

CREATE FUNCTION provreq.start_run(
	kind text,
	provider text,
	query text DEFAULT NULL,
	filter jsonb DEFAULT NULL,
	parameters jsonb DEFAULT '{}',
	chunk_size integer DEFAULT 200,
	max_rate double precision DEFAULT NULL,
	max_pending integer DEFAULT 1000,
	max_errors integer DEFAULT 1000,
	name text DEFAULT NULL
) RETURNS bigint
	LANGUAGE plpgsql
AS $$
DECLARE
	run bigint;
BEGIN
	PERFORM provreq.run_permitted(provreq.run_check(provider, kind, parameters));
	PERFORM provreq.run_check_options(chunk_size, max_rate, max_pending, max_errors, name);
	IF (query IS NULL) OPERATOR(pg_catalog.=) (filter IS NULL) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'exactly one of the parameters "query" and "filter" must be given',
			HINT = 'The filter {} stands for all effective smartcards of the provider.';
	END IF;
	PERFORM provreq.run_check_query(query);
	run := provreq.run_open(pg_catalog.jsonb_build_object('kind', kind,
		'provider', provider, 'name', name, 'query', query, 'filter', filter,
		'parameters', parameters, 'chunk_size', chunk_size, 'max_rate', max_rate,
		'max_pending', max_pending, 'max_errors', max_errors));
	/* with the rights of the caller, in the schemas of the caller */
	EXECUTE pg_catalog.format(E'SELECT provreq.run_put($1, pg_catalog.min(d.n), pg_catalog.array_agg(d.card ORDER BY d.n))'
		' FROM (SELECT x.card, pg_catalog.row_number() OVER (ORDER BY pg_catalog.min(x.n)) OPERATOR(pg_catalog.-) 1 AS n'
		' FROM (SELECT q.card::pg_catalog.text AS card, pg_catalog.row_number() OVER () AS n'
		' FROM (\n%s\n) AS q (card)) AS x GROUP BY x.card) AS d'
		' GROUP BY d.n OPERATOR(pg_catalog./) $2',
		COALESCE(pg_catalog.rtrim(query, E' \t\r\n;'), provreq.run_query(filter, provider)))
		USING run, provreq.run_chunk_size(chunk_size, max_rate, max_pending)::pg_catalog.int8;
	PERFORM provreq.run_ready(run);
	RETURN run;
END
$$;
COMMENT ON FUNCTION provreq.start_run IS
'Starts a run: one request for each of a set of smartcards, made in the background. Returns its id; provreq.run shows how it gets on.
kind: an operation of the provider that takes a smartcard_identifier, such as send_mail_message, or its type; not one with a PIN.
query: a SELECT whose only column is smartcard identifiers (field=value); it runs now, with the rights and the search_path of the caller, and a card that comes twice is taken once.
filter: instead of a query, a JSON object of any of subscriptions (numbers), services (codes of provreq.entitlement), serial_number_like (a LIKE pattern), or of smartcards (identifiers) alone; {} is all effective smartcards of the provider. It reads the tables of schema provreq: where use_directory() has put others in their place, give a query.
parameters: the other arguments of the operation, and priority, scheduled_date, name, udf.
chunk_size: requests made in one transaction, 1 to 1000. max_rate: requests a second, default as many as are sent. max_pending: no more requests are made while so many due ones of the run are pending; it is the greatest chunk, too. max_errors: the run pauses when more cards than that could not be made into requests.
Requests are made with the rights of the calling role and carry process_id, the id of the run. Errors: 22004, 22023, 42P02, 42704, 42501, 0A000 and those of the query.';

/*
 * ---- Looking ----
 */
CREATE FUNCTION provreq.run_part_closed(part provreq.run_part, process_name text,
	OUT completed bigint, OUT rejected bigint)
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off SET jit = off
AS $$
BEGIN
	SELECT pg_catalog.count(*) FILTER (WHERE r.life_cycle_state = 'COMPLETED'),
		pg_catalog.count(*) FILTER (WHERE r.life_cycle_state = 'REJECTED')
	INTO completed, rejected
	FROM provreq.request_closed r
	WHERE r.number BETWEEN part.first_number AND part.last_number
	AND r.process_id = part.run::text AND r.process_name = $2;
END
$$;
COMMENT ON FUNCTION provreq.run_part_closed(provreq.run_part, text) IS
'How many requests of an open part are closed, by the range of their numbers: a plan for several parts at once would read the whole record.';

CREATE FUNCTION provreq.run_closed(run bigint, process_name text,
	OUT completed bigint, OUT rejected bigint)
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	part provreq.run_part;
	counted record;
BEGIN
	completed := 0;
	rejected := 0;
	FOR part IN SELECT * FROM provreq.run_part p WHERE p.run = $1 LOOP
		SELECT * INTO counted FROM provreq.run_part_closed(part, $2);
		completed := completed + counted.completed;
		rejected := rejected + counted.rejected;
	END LOOP;
END
$$;
COMMENT ON FUNCTION provreq.run_closed(bigint, text) IS
'How many requests of the open parts of a run are closed.';

CREATE VIEW provreq.run AS
SELECT j.id, j.kind, j.provider, j.name,
	CASE WHEN j.state IN ('RUNNING', 'SENDING') AND j.home <> provreq.run_home()
		THEN 'PAUSED' ELSE j.state END AS state,
	CASE WHEN j.state IN ('RUNNING', 'SENDING') AND j.home <> provreq.run_home()
		THEN 'the database was restored or copied' ELSE j.reason END AS reason,
	j.total, j.created, j.failed,
	j.completed + c.completed AS completed, j.rejected + c.rejected AS rejected,
	j.created - j.completed - j.rejected - c.completed - c.rejected AS pending,
	CASE WHEN a.seconds > 0 THEN pg_catalog.round(((j.completed + c.completed
		+ j.rejected + c.rejected) / a.seconds)::numeric, 1) END AS rate,
	CASE WHEN j.state IN ('RUNNING', 'SENDING') AND j.home = provreq.run_home()
		AND j.completed + c.completed + j.rejected + c.rejected > 0
		THEN pg_catalog.clock_timestamp() + a.seconds * interval '1 second'
			* (j.total - j.failed - j.completed - c.completed - j.rejected - c.rejected)
			/ (j.completed + c.completed + j.rejected + c.rejected) END AS estimated_end,
	j.started_date, j.finished_date, j.query, j.filter, j.parameters,
	j.process_name, j.chunk_size, j.max_rate, j.max_pending, j.max_errors,
	j.owner_name AS owner, j.created_by_user, j.created_by_unit,
	j.updated_date, j.updated_by_user, j.updated_by_unit
FROM provreq.run_job AS j
CROSS JOIN LATERAL provreq.run_closed(j.id, j.process_name) AS c
CROSS JOIN LATERAL (
	SELECT EXTRACT(epoch FROM j.active_before
		+ COALESCE(pg_catalog.clock_timestamp() - j.active_since, '0'))::double precision AS seconds) AS a;
COMMENT ON VIEW provreq.run IS
'Runs and how they get on. Cheap whatever their size: only chunks that still have pending requests are counted anew.';
COMMENT ON COLUMN provreq.run.id IS 'What start_run() returned; process_id of the requests.';
COMMENT ON COLUMN provreq.run.kind IS 'The operation.';
COMMENT ON COLUMN provreq.run.provider IS 'The foreign server.';
COMMENT ON COLUMN provreq.run.name IS 'Free text of who started it.';
COMMENT ON COLUMN provreq.run.state IS 'PREPARING: its smartcards are being read. RUNNING: requests are being made. SENDING: all are made, some are pending. PAUSED, CANCELLED, FAILED: no more requests are made. FINISHED: every request has its outcome.';
COMMENT ON COLUMN provreq.run.reason IS 'Why it is PAUSED, CANCELLED or FAILED, or what a RUNNING one waits for.';
COMMENT ON COLUMN provreq.run.total IS 'Smartcards in the set.';
COMMENT ON COLUMN provreq.run.created IS 'Requests made.';
COMMENT ON COLUMN provreq.run.failed IS 'Smartcards for which none could be made: provreq.run_error says why.';
COMMENT ON COLUMN provreq.run.completed IS 'Requests that are COMPLETED.';
COMMENT ON COLUMN provreq.run.rejected IS 'Requests that are REJECTED, cancelled ones too.';
COMMENT ON COLUMN provreq.run.pending IS 'Requests that are PENDING.';
COMMENT ON COLUMN provreq.run.rate IS 'Outcomes a second, on the average of the time in which it was RUNNING or SENDING.';
COMMENT ON COLUMN provreq.run.estimated_end IS 'When all have their outcome if the rate stays; null when it is not RUNNING or SENDING or there is no outcome yet.';
COMMENT ON COLUMN provreq.run.started_date IS 'When it was started.';
COMMENT ON COLUMN provreq.run.finished_date IS 'When the last request had its outcome, or it was cancelled.';
COMMENT ON COLUMN provreq.run.query IS 'The query that gave the smartcards.';
COMMENT ON COLUMN provreq.run.filter IS 'The filter that gave the smartcards.';
COMMENT ON COLUMN provreq.run.parameters IS 'Arguments of the operation.';
COMMENT ON COLUMN provreq.run.process_name IS 'process_name of its requests.';
COMMENT ON COLUMN provreq.run.chunk_size IS 'Requests made in one transaction.';
COMMENT ON COLUMN provreq.run.max_rate IS 'Requests a second; null for no limit.';
COMMENT ON COLUMN provreq.run.max_pending IS 'No more requests are made while so many due ones are pending.';
COMMENT ON COLUMN provreq.run.max_errors IS 'It pauses when more cards than that have failed since it was started or resumed.';
COMMENT ON COLUMN provreq.run.owner IS 'The role with whose rights its requests are made.';
COMMENT ON COLUMN provreq.run.created_by_user IS 'Who started it, and whom its requests name as their creator.';
COMMENT ON COLUMN provreq.run.created_by_unit IS 'The unit of who started it.';
COMMENT ON COLUMN provreq.run.updated_date IS 'When a person last paused, resumed or cancelled it.';
COMMENT ON COLUMN provreq.run.updated_by_user IS 'Who that was.';
COMMENT ON COLUMN provreq.run.updated_by_unit IS 'The unit of who that was.';

/*
 * ---- What people do with runs ----
 */
CREATE FUNCTION provreq.lock_run(id bigint) RETURNS provreq.run_job
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	job provreq.run_job;
BEGIN
	IF $1 IS NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'parameter "id" must not be null';
	END IF;
	SELECT * INTO job FROM provreq.run_job j WHERE j.id = $1 FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING
			ERRCODE = 'no_data_found',
			MESSAGE = pg_catalog.format('run %s does not exist', $1);
	END IF;
	RETURN job;
END
$$;
COMMENT ON FUNCTION provreq.lock_run(bigint) IS
'Locks a run and returns it; waits for the chunk that is being made into requests. Errors: P0002, 22004.';

CREATE FUNCTION provreq.run_set_state(id bigint, state text, reason text) RETURNS void
	LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	UPDATE provreq.run_job AS j
	SET state = $2, reason = $3,
		active_before = j.active_before
			+ COALESCE(pg_catalog.clock_timestamp() - j.active_since, '0'),
		active_since = CASE WHEN $2 IN ('RUNNING', 'SENDING')
			THEN pg_catalog.clock_timestamp() END,
		finished_date = CASE WHEN $2 IN ('FINISHED', 'CANCELLED')
			THEN pg_catalog.clock_timestamp() END
	WHERE j.id = $1;
END;
COMMENT ON FUNCTION provreq.run_set_state(bigint, text, text) IS
'Changes the state of a run and keeps the time in which it was active.';

CREATE FUNCTION provreq.run_touch(job provreq.run_job, act text, reason text,
	cancelled bigint DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE provreq.run_job AS j
	SET updated_date = pg_catalog.now(), updated_by_user = provreq.caller(),
		updated_by_unit = provreq.caller_unit()
	WHERE j.id = job.id;
	PERFORM provreq.record_intervention(act, NULL, job.provider, reason,
		pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
			'run', job.id, 'state', job.state, 'cancelled', cancelled)));
END
$$;
COMMENT ON FUNCTION provreq.run_touch(provreq.run_job, text, text, bigint) IS
'Notes who changed a run, when and why, there and in provreq.intervention.';

CREATE FUNCTION provreq.refuse_run_state(id bigint, state text, hint text) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RAISE EXCEPTION USING
		ERRCODE = 'object_not_in_prerequisite_state',
		MESSAGE = pg_catalog.format('run %s is %s', id, state),
		HINT = hint;
END
$$;
COMMENT ON FUNCTION provreq.refuse_run_state(bigint, text, text) IS 'Raises the error 55000 of pause_run(), resume_run() and cancel_run().';

CREATE FUNCTION provreq.pause_run(id bigint, reason text DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	job provreq.run_job := provreq.lock_run(id);
BEGIN
	PERFORM provreq.check_reason(reason, false);
	IF job.state <> 'RUNNING' THEN
		PERFORM provreq.refuse_run_state(job.id, job.state,
			'Only a run that still makes requests can be paused.');
	END IF;
	PERFORM provreq.run_set_state(job.id, 'PAUSED', reason);
	PERFORM provreq.run_touch(job, 'pause_run', reason);
END
$$;
COMMENT ON FUNCTION provreq.pause_run(bigint, text) IS
'Lets a run make no more requests until resume_run(). Those that were made are sent. Kept in provreq.intervention. Errors: P0002 no such run, 55000 it is not RUNNING, 22004, 22023 of the reason.';

CREATE FUNCTION provreq.resume_run(id bigint) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	job provreq.run_job := provreq.lock_run(id);
BEGIN
	IF job.state NOT IN ('PAUSED', 'FAILED')
		AND NOT (job.state IN ('RUNNING', 'SENDING') AND job.home <> provreq.run_home()) THEN
		PERFORM provreq.refuse_run_state(job.id, job.state,
			'Only a run that is PAUSED or FAILED can be resumed.');
	END IF;
	UPDATE provreq.run_job j
	SET home = provreq.run_home(), error_limit = j.failed + j.max_errors, postponed = 0,
		next_date = pg_catalog.clock_timestamp(), active_since = NULL
	WHERE j.id = job.id;
	IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r
			WHERE r.oid = job.owner_oid AND r.rolname = job.owner_name) THEN
		UPDATE provreq.run_job j
		SET owner_name = r.rolname, owner_oid = r.oid
		FROM pg_catalog.pg_roles r WHERE r.oid = provreq.run_role() AND j.id = job.id;
	END IF;
	PERFORM provreq.run_set_state(job.id,
		CASE WHEN EXISTS (SELECT FROM provreq.run_chunk c WHERE c.run = job.id)
			THEN 'RUNNING'
		WHEN EXISTS (SELECT FROM provreq.run_part p WHERE p.run = job.id)
			THEN 'SENDING' ELSE 'FINISHED' END, NULL);
	PERFORM provreq.run_touch(job, 'resume_run', NULL);
END
$$;
COMMENT ON FUNCTION provreq.resume_run(bigint) IS
'Lets a run go on that is PAUSED or FAILED, where it stopped; also one that came with a restored dump. It goes on with the rights of the role that started it, or, where there is no such role any more, of the caller. Errors: P0002 no such run, 55000 it is neither, 22004.';

CREATE FUNCTION provreq.run_cancel_pending(id bigint, reason text) RETURNS bigint
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off SET jit = off
AS $$
DECLARE
	job provreq.run_job;
	part provreq.run_part;
	numbers bigint[];
	cancelled bigint;
	done bigint := 0;
BEGIN
	SELECT * INTO job FROM provreq.run_job j WHERE j.id = $1;
	IF pg_catalog.current_setting('transaction_isolation') <> 'read committed' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'active_sql_transaction',
			MESSAGE = pg_catalog.format('cannot change requests in a transaction of isolation level %s',
				pg_catalog.current_setting('transaction_isolation')),
			HINT = 'Use a transaction of isolation level READ COMMITTED.';
	END IF;
	/* what a sender has locked is on its way; what it took before has an attempt */
	FOR part IN SELECT * FROM provreq.run_part p WHERE p.run = $1 ORDER BY p.position LOOP
		SELECT pg_catalog.array_agg(l.number) INTO numbers FROM (
			SELECT r.number FROM provreq.request_pending r
			WHERE r.number BETWEEN part.first_number AND part.last_number
			AND r.process_id = part.run::text AND r.process_name = job.process_name
			ORDER BY r.number FOR UPDATE SKIP LOCKED) AS l;
		UPDATE provreq.request r
		SET life_cycle_state = 'REJECTED', closed_date = pg_catalog.clock_timestamp(),
			error_code = 'CANCELLED', error_description = $2,
			hold_reason = NULL, retry_date = NULL, created_xid = NULL,
			updated_date = pg_catalog.now(), updated_by_user = provreq.caller(),
			updated_by_unit = provreq.caller_unit()
		WHERE r.life_cycle_state = 'PENDING' AND r.number = ANY (numbers)
		AND NOT EXISTS (SELECT FROM provreq.attempt a WHERE a.number = r.number);
		GET DIAGNOSTICS cancelled = ROW_COUNT;
		done := done + cancelled;
	END LOOP;
	RETURN done;
END
$$;
COMMENT ON FUNCTION provreq.run_cancel_pending(bigint, text) IS
'Cancels the pending requests of a run that are not in flight, and returns how many that were. Used by cancel_run(). Error: 25001.';

CREATE FUNCTION provreq.cancel_run(id bigint, reason text, cancel_pending boolean DEFAULT false) RETURNS bigint
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	job provreq.run_job := provreq.lock_run(id);
	done bigint := 0;
BEGIN
	PERFORM provreq.check_reason(reason, true);
	IF job.state = 'FINISHED' OR job.state = 'CANCELLED' AND NOT COALESCE(cancel_pending, false) THEN
		PERFORM provreq.refuse_run_state(job.id, job.state,
			'There is nothing left to cancel, or it has to be said: cancel_pending => true.');
	END IF;
	DELETE FROM provreq.run_chunk c WHERE c.run = job.id;
	IF cancel_pending THEN
		done := provreq.run_cancel_pending(job.id, reason);
	END IF;
	IF job.state <> 'CANCELLED' THEN
		PERFORM provreq.run_set_state(job.id, 'CANCELLED', reason);
	END IF;
	PERFORM provreq.run_touch(job, 'cancel_run', reason, done);
	RETURN done;
END
$$;
COMMENT ON FUNCTION provreq.cancel_run(bigint, text, boolean) IS
'Ends a run: it makes no more requests. Those that were made stay, or, with cancel_pending, those of them that are pending and not in flight are cancelled, held ones too; returns how many that were. A CANCELLED run can be given once more with cancel_pending. Errors: P0002 no such run, 55000 it is FINISHED or CANCELLED, 22004, 25001 isolation level other than READ COMMITTED.';

/*
 * ---- What the runner does ----
 */
CREATE FUNCTION provreq.runs_wanted() RETURNS boolean
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT EXISTS (SELECT FROM provreq.run_part) OR EXISTS (
		SELECT FROM provreq.run_job j WHERE j.state = 'RUNNING' AND j.home = provreq.run_home());
END;
COMMENT ON FUNCTION provreq.runs_wanted() IS
'True when there is something to do for the runner.';

CREATE FUNCTION provreq.run_obstacle(job provreq.run_job) RETURNS text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r
			WHERE r.oid = job.owner_oid AND r.rolname = job.owner_name) THEN
		RETURN pg_catalog.format('role "%s" was dropped or renamed', job.owner_name);
	END IF;
	IF NOT EXISTS (SELECT FROM pg_catalog.pg_foreign_server s WHERE s.srvname = job.provider) THEN
		RETURN pg_catalog.format('provider "%s" was dropped', job.provider);
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION provreq.run_obstacle(provreq.run_job) IS
'Why a run cannot go on at all, or null.';

CREATE FUNCTION provreq.run_delay(job provreq.run_job) RETURNS text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	part provreq.run_part;
	pending bigint := 0;
BEGIN
	IF EXISTS (SELECT FROM pg_catalog.pg_foreign_server s
			WHERE s.srvname = job.provider AND 'state=not_effective' = ANY (s.srvoptions)) THEN
		RETURN pg_catalog.format('provider "%s" is not effective', job.provider);
	END IF;
	FOR part IN SELECT * FROM provreq.run_part p WHERE p.run = job.id LOOP
		SELECT pending + pg_catalog.count(*) INTO pending FROM provreq.request_pending r
		WHERE r.number BETWEEN part.first_number AND part.last_number
		AND r.process_id = part.run::text AND r.process_name = job.process_name
		AND r.scheduled_date <= pg_catalog.clock_timestamp();
		EXIT WHEN pending >= job.max_pending;
	END LOOP;
	IF pending + least(job.chunk_size, job.max_pending) > job.max_pending THEN
		RETURN CASE WHEN EXISTS (SELECT FROM provreq.paused_provider p WHERE p.provider = job.provider)
			THEN pg_catalog.format('provider "%s" is paused', job.provider)
			ELSE 'requests that were made are pending' END;
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION provreq.run_delay(provreq.run_job) IS
'Why a run makes no requests right now, or null.';

CREATE FUNCTION provreq.run_take(
	OUT run bigint, OUT "position" bigint, OUT cards text[], OUT owner text,
	OUT statement text, OUT parameters jsonb, OUT provider text,
	OUT process_name text, OUT created_by_user text, OUT created_by_unit text,
	OUT milliseconds bigint)
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	job provreq.run_job;
	why text;
BEGIN
	FOR job IN
		SELECT * FROM provreq.run_job j
		WHERE j.state = 'RUNNING' AND j.home = provreq.run_home()
		ORDER BY j.next_date, j.id FOR UPDATE SKIP LOCKED
	LOOP
		why := provreq.run_obstacle(job);
		IF why IS NOT NULL THEN
			PERFORM provreq.run_set_state(job.id, 'FAILED', why);
			CONTINUE;
		END IF;
		IF job.next_date > pg_catalog.clock_timestamp() THEN
			milliseconds := COALESCE(milliseconds, pg_catalog.ceil(EXTRACT(epoch FROM
				job.next_date - pg_catalog.clock_timestamp()) * 1000));
			CONTINUE;
		END IF;
		why := provreq.run_delay(job);
		IF job.reason IS DISTINCT FROM why THEN
			UPDATE provreq.run_job j SET reason = why WHERE j.id = job.id;
		END IF;
		CONTINUE WHEN why IS NOT NULL;
		SELECT c.run, c.position, c.cards, job.owner_name, job.parameters,
			job.provider, job.process_name, job.created_by_user, job.created_by_unit
		INTO run, "position", cards, owner, parameters, provider, process_name,
			created_by_user, created_by_unit
		FROM provreq.run_chunk c WHERE c.run = job.id ORDER BY c.position LIMIT 1;
		IF NOT FOUND THEN
			PERFORM provreq.run_set_state(job.id, 'FAILED', 'its smartcards are missing');
			CONTINUE;
		END IF;
		statement := provreq.run_statement(job.function, parameters);
		RETURN;
	END LOOP;
END
$$;
COMMENT ON FUNCTION provreq.run_take() IS
'Locks the run whose turn it is and returns its next chunk; run is null when there is none now, and milliseconds then says when there may be one.';

CREATE FUNCTION provreq.run_postpone(run bigint, why text) RETURNS void
	LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	UPDATE provreq.run_job j
	SET postponed = j.postponed + 1, reason = 'tried again later: ' || why,
		next_date = pg_catalog.clock_timestamp()
			+ least(interval '5 minutes', interval '1 second' * 2.0 ^ least(j.postponed, 10))
	WHERE j.id = $1 AND j.state = 'RUNNING';
END;
COMMENT ON FUNCTION provreq.run_postpone(bigint, text) IS
'Lets a run wait whose next chunk could not be made into requests for a reason that may pass: 1 second, doubled each time up to 5 minutes. Used by the runner.';

CREATE FUNCTION provreq.run_done(run bigint, "position" bigint, created bigint,
	first_number bigint, last_number bigint, error_positions bigint[], error_cards text[],
	error_codes text[], error_descriptions text[]) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	errors integer := pg_catalog.cardinality(error_positions);
	job provreq.run_job;
BEGIN
	DELETE FROM provreq.run_chunk c WHERE c.run = $1 AND c.position = $2;
	IF created > 0 THEN
		INSERT INTO provreq.run_part VALUES ($1, $2, $4, $5);
	END IF;
	INSERT INTO provreq.run_error
		SELECT $1, e.* FROM ROWS FROM (pg_catalog.unnest($6), pg_catalog.unnest($7),
			pg_catalog.unnest($8), pg_catalog.unnest($9)) AS e;
	UPDATE provreq.run_job j
	SET created = j.created + $3, failed = j.failed + errors, postponed = 0,
		next_date = CASE WHEN j.max_rate IS NULL THEN pg_catalog.clock_timestamp()
			ELSE greatest(j.next_date, pg_catalog.clock_timestamp() - interval '1 second')
				+ ($3 + errors) / j.max_rate * interval '1 second' END
	WHERE j.id = $1
	RETURNING * INTO job;
	IF NOT EXISTS (SELECT FROM provreq.run_chunk c WHERE c.run = $1) THEN
		PERFORM provreq.run_set_state($1, CASE WHEN EXISTS (
			SELECT FROM provreq.run_part p WHERE p.run = $1) THEN 'SENDING' ELSE 'FINISHED' END, NULL);
	ELSIF job.failed > job.error_limit THEN
		PERFORM provreq.run_set_state($1, 'PAUSED', 'more smartcards than max_errors could not be made into requests');
	END IF;
END
$$;
COMMENT ON FUNCTION provreq.run_done(bigint, bigint, bigint, bigint, bigint, bigint[], text[], text[], text[]) IS
'Records what has become of a chunk, in the transaction in which its requests were made.';

CREATE FUNCTION provreq.run_settle(after_run bigint, after_position bigint,
	OUT run bigint, OUT "position" bigint, OUT settled bigint)
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	part provreq.run_part;
	job provreq.run_job;
BEGIN
	settled := 0;
	FOR part IN
		SELECT p.* FROM provreq.run_part p
		WHERE (p.run, p.position) > ($1, $2)
		ORDER BY p.run, p.position LIMIT 100
	LOOP
		run := part.run;
		"position" := part.position;
		SELECT * INTO job FROM provreq.run_job j WHERE j.id = part.run;
		CONTINUE WHEN EXISTS (SELECT FROM provreq.request_pending r
			WHERE r.number BETWEEN part.first_number AND part.last_number
			AND r.process_id = part.run::text AND r.process_name = job.process_name);
		/* who is about to pause or cancel this run does not keep the others */
		PERFORM FROM provreq.run_job j WHERE j.id = part.run FOR UPDATE SKIP LOCKED;
		CONTINUE WHEN NOT FOUND AND job.id IS NOT NULL;
		UPDATE provreq.run_job j
		SET completed = j.completed + c.completed, rejected = j.rejected + c.rejected
		FROM provreq.run_part_closed(part, job.process_name) AS c
		WHERE j.id = part.run;
		DELETE FROM provreq.run_part p WHERE p.run = part.run AND p.position = part.position;
		settled := settled + 1;
		IF NOT EXISTS (SELECT FROM provreq.run_part p WHERE p.run = part.run)
			AND EXISTS (SELECT FROM provreq.run_job j WHERE j.id = part.run AND j.state = 'SENDING') THEN
			PERFORM provreq.run_set_state(part.run, 'FINISHED', NULL);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION provreq.run_settle(bigint, bigint) IS
'Counts the requests of chunks that have no pending one any more, among the next 100 open parts behind the given one. Returns the last one looked at, nulls at the end, and how many were settled.';

GRANT EXECUTE ON FUNCTION provreq.run_check, provreq.run_check_query,
	provreq.run_subscription,
	provreq.run_open, provreq.run_put, provreq.run_chunk_size,
	provreq.run_ready, provreq.run_query, provreq.run_check_options,
	provreq.run_permitted,
	provreq.start_run, provreq.pause_run, provreq.resume_run, provreq.cancel_run
	TO provreq_operator;
GRANT SELECT ON provreq.run, provreq.run_error TO provreq_reader;
GRANT EXECUTE ON FUNCTION provreq.run_home(), provreq.run_closed(bigint, text) TO provreq_reader;
GRANT EXECUTE ON FUNCTION provreq.run_home() TO provreq_worker;

GRANT EXECUTE ON FUNCTION provreq.runs_wanted, provreq.run_obstacle,
	provreq.run_delay, provreq.run_statement, provreq.run_take, provreq.run_done,
	provreq.run_postpone,
	provreq.run_settle, provreq.run_set_state, provreq.run_part_closed
	TO provreq_worker;
GRANT SELECT, UPDATE ON provreq.run_job TO provreq_worker;
GRANT SELECT, DELETE ON provreq.run_chunk TO provreq_worker;
GRANT SELECT, INSERT, DELETE ON provreq.run_part TO provreq_worker;
GRANT INSERT ON provreq.run_error TO provreq_worker;
