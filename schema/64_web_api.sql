/*
 * The JSON facade: documented paths and bodies as they are.  Nothing here has
 * more rights than its caller.
 */
CREATE FUNCTION provreq.request_objects(requests provreq.request[], as_array boolean)
	RETURNS jsonb
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	fields CONSTANT text[] := provreq.request_fields(NULL);
BEGIN
	IF NOT as_array THEN
		RETURN provreq.request_object(requests[1], fields);
	END IF;
	RETURN (SELECT jsonb_agg(provreq.request_object(r, fields) ORDER BY r.number)
		FROM unnest(requests) AS r);
END
$$;
COMMENT ON FUNCTION provreq.request_objects(provreq.request[], boolean) IS
'Requests as documented response objects: an array of them in order of number, or the first one alone.';

CREATE FUNCTION provreq.web_api(method text, path text, body jsonb DEFAULT NULL)
	RETURNS jsonb
	AS 'MODULE_PATHNAME', 'provreq_web_api'
	LANGUAGE c VOLATILE
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION provreq.web_api(text, text, jsonb) IS
'A documented call: method GET or POST, path such as conax_web_services/provisioning_requests/add_subscriptions (a slash in front, provisioning_request, or neither are understood as well) with GET parameters behind a question mark (percent-encoded) or in the body, body the documented JSON object. Answers {"status": {"code", "message", "description"}, "data"}. code is OK, MISSING_PARAMETER (22004, 42P08), INVALID_PARAMETER (class 22, P0003, 55000), UNKNOWN_PARAMETER (42P02), NOT_FOUND (P0002, 42704, 42883), NOT_ALLOWED (42501, 25006, 0A000), INVALID_TOKEN (28000), PROVIDER_NOT_EFFECTIVE (HV00N) or INTERNAL_ERROR; message is that of the SQL error, description its detail and hint. A call that fails leaves nothing behind and does not abort the transaction; a cancel does. The member "token" names a session of provreq.open_session(). Bind the body as a parameter when it holds a PIN or a token: log_statement and auto_explain show literals.';

CREATE FUNCTION provreq.web_api_due(data jsonb, until timestamptz) RETURNS bigint[]
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT array_agg(r.number ORDER BY r.number)
	FROM jsonb_path_query($1, 'lax $[*]') AS o,
		LATERAL (SELECT q.number FROM provreq.request AS q
			WHERE q.number = (o ->> 'number')::bigint AND q.scheduled_date < $2) AS r;
$$;
COMMENT ON FUNCTION provreq.web_api_due(jsonb, timestamptz) IS
'The numbers of the requests of an answer that are due before "until". For web_api_sync().';

/* It reads nothing, so that no lock is held while it waits. */
CREATE FUNCTION provreq.web_api_await(numbers bigint[], until timestamptz) RETURNS void
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	request_number bigint;
BEGIN
	FOREACH request_number IN ARRAY numbers LOOP
		PERFORM provreq.wait_for(request_number,
			least(greatest(until - clock_timestamp(), interval '0'), interval '24 days'));
	END LOOP;
END
$$;
COMMENT ON FUNCTION provreq.web_api_await(bigint[], timestamptz) IS
'Waits for all of the requests, until each is finished or held, or that time has come. For web_api_sync().';

CREATE FUNCTION provreq.web_api_answer(data jsonb, numbers bigint[]) RETURNS jsonb
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	fields CONSTANT text[] := provreq.request_fields(NULL);
	answer jsonb := '[]';
	object jsonb;
	found_row provreq.request;
BEGIN
	FOR object IN
		SELECT o FROM jsonb_path_query(data, 'lax $[*]') AS o
	LOOP
		IF (object ->> 'number')::bigint = ANY (numbers) THEN
			SELECT * INTO STRICT found_row FROM provreq.request AS r
				WHERE r.number = (object ->> 'number')::bigint;
			object := provreq.request_object(found_row, fields);
		END IF;
		answer := answer || jsonb_build_array(object);
	END LOOP;
	RETURN CASE jsonb_typeof(data) WHEN 'array' THEN answer ELSE answer -> 0 END;
END
$$;
COMMENT ON FUNCTION provreq.web_api_answer(jsonb, bigint[]) IS
'The requests of an answer, those with the numbers as they are now. For web_api_sync().';

CREATE FUNCTION provreq.web_api_hide(path text, body jsonb) RETURNS void
	AS 'MODULE_PATHNAME', 'provreq_web_api_hide'
	LANGUAGE c VOLATILE;
COMMENT ON FUNCTION provreq.web_api_hide(text, jsonb) IS
'Takes the text of the running statement out of the log and of pg_stat_activity when the call has a PIN or a token. For web_api_sync().';

CREATE FUNCTION provreq.web_api_refuse_limit("limit" interval) RETURNS jsonb
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_object('data', NULL, 'status', jsonb_build_object('code', 'INVALID_PARAMETER',
		'message', 'parameter "limit" must be between 0 and 24 days', 'description', NULL))
	WHERE $1 NOT BETWEEN interval '0' AND interval '24 days';
$$;
COMMENT ON FUNCTION provreq.web_api_refuse_limit(interval) IS
'The answer to a limit that cannot be waited for; null where it can. For web_api_sync(), before anything is made.';

/* It commits, and so can have no settings of its own: all names are whole. */
CREATE PROCEDURE provreq.web_api_sync(method text, path text, body jsonb DEFAULT NULL,
	INOUT response jsonb DEFAULT NULL, "limit" interval DEFAULT NULL)
	LANGUAGE plpgsql
AS $$
DECLARE
	until pg_catalog.timestamptz;
	numbers pg_catalog.int8[];
BEGIN
	PERFORM provreq.web_api_hide(path, body);
	response := provreq.web_api_refuse_limit("limit");
	IF response IS NOT NULL THEN
		RETURN;
	END IF;
	COMMIT;
	response := provreq.web_api(method, path, body);
	COMMIT;
	SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
	IF pg_catalog.upper(method) OPERATOR(pg_catalog.=) 'POST'
		AND pg_catalog.jsonb_typeof(response OPERATOR(pg_catalog.->) 'data')
			OPERATOR(pg_catalog.<>) 'null'
	THEN
		until := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) COALESCE("limit",
			pg_catalog.current_setting('provreq.web_api_timeout')::pg_catalog.interval);
		numbers := COALESCE(provreq.web_api_due(
			response OPERATOR(pg_catalog.->) 'data', until), '{}');
		/* nothing is locked from here on: DDL would wait for it, and senders for the DDL */
		COMMIT;
		SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
		PERFORM provreq.web_api_await(numbers, until);
		response := pg_catalog.jsonb_set(response, '{data}', provreq.web_api_answer(
			response OPERATOR(pg_catalog.->) 'data', numbers));
	END IF;
END
$$;
COMMENT ON PROCEDURE provreq.web_api_sync(text, text, jsonb, jsonb, interval) IS
'As web_api(), but commits, so that a request goes out, waits until it is finished or held, and answers with it as it is then. limit: how long to wait at most, 0 to 24 days, default provreq.web_api_timeout (10 s); a request that is not finished then is answered PENDING and goes on. Requests that are scheduled for later than that are answered at once. Works only where CALL may commit: not in a transaction block (2D000).';

GRANT EXECUTE ON FUNCTION provreq.caller(),
	provreq.request_objects(provreq.request[], boolean),
	provreq.web_api(text, text, jsonb), provreq.web_api_due(jsonb, timestamptz),
	provreq.web_api_await(bigint[], timestamptz), provreq.web_api_answer(jsonb, bigint[]),
	provreq.web_api_hide(text, jsonb), provreq.web_api_refuse_limit(interval)
	TO provreq_reader;
GRANT EXECUTE ON PROCEDURE provreq.web_api_sync(text, text, jsonb, jsonb, interval)
	TO provreq_reader;
