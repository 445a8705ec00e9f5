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

CREATE FUNCTION provreq.web_api_await(data jsonb, "limit" interval) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	until CONSTANT timestamptz := clock_timestamp() + "limit";
	fields CONSTANT text[] := provreq.request_fields(NULL);
	finished jsonb := '[]';
	object jsonb;
	request_number bigint;
BEGIN
	FOR object IN
		SELECT o FROM jsonb_path_query(data, 'lax $[*]') AS o
	LOOP
		request_number := object ->> 'number';
		PERFORM FROM provreq.request AS r
			WHERE r.number = request_number AND r.scheduled_date < until;
		IF FOUND THEN
			object := provreq.request_object(
				provreq.wait_for(request_number,
					greatest(until - clock_timestamp(), interval '0')), fields);
		END IF;
		finished := finished || jsonb_build_array(object);
	END LOOP;
	RETURN CASE jsonb_typeof(data) WHEN 'array' THEN finished ELSE finished -> 0 END;
END
$$;
COMMENT ON FUNCTION provreq.web_api_await(jsonb, interval) IS
'The requests of an answer, each as it is once it is finished or held, or when the limit, which is one for all of them, has passed. Those that are scheduled for later are not waited for. For web_api_sync().';

CREATE FUNCTION provreq.web_api_hide(path text, body jsonb) RETURNS void
	AS 'MODULE_PATHNAME', 'provreq_web_api_hide'
	LANGUAGE c VOLATILE;
COMMENT ON FUNCTION provreq.web_api_hide(text, jsonb) IS
'Takes the text of the running statement out of the log and of pg_stat_activity when the call has a PIN or a token. For web_api_sync().';

/* It commits, and so can have no settings of its own: all names are whole. */
CREATE PROCEDURE provreq.web_api_sync(method text, path text, body jsonb DEFAULT NULL,
	INOUT response jsonb DEFAULT NULL, "limit" interval DEFAULT NULL)
	LANGUAGE plpgsql
AS $$
BEGIN
	PERFORM provreq.web_api_hide(path, body);
	COMMIT;
	response := provreq.web_api(method, path, body);
	COMMIT;
	SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
	IF pg_catalog.upper(method) OPERATOR(pg_catalog.=) 'POST'
		AND pg_catalog.jsonb_typeof(response OPERATOR(pg_catalog.->) 'data')
			OPERATOR(pg_catalog.<>) 'null'
	THEN
		response := pg_catalog.jsonb_set(response, '{data}',
			provreq.web_api_await(response OPERATOR(pg_catalog.->) 'data',
				COALESCE("limit",
					pg_catalog.current_setting('provreq.web_api_timeout')::pg_catalog.interval)));
	END IF;
END
$$;
COMMENT ON PROCEDURE provreq.web_api_sync(text, text, jsonb, jsonb, interval) IS
'As web_api(), but commits, so that a request goes out, waits until it is finished or held, and answers with it as it is then. limit: how long to wait at most, default provreq.web_api_timeout (10 s); a request that is not finished then is answered PENDING and goes on. Requests that are scheduled for later than that are answered at once. Works only where CALL may commit: not in a transaction block (2D000).';

GRANT EXECUTE ON FUNCTION provreq.caller(),
	provreq.request_objects(provreq.request[], boolean),
	provreq.web_api(text, text, jsonb), provreq.web_api_await(jsonb, interval),
	provreq.web_api_hide(text, jsonb)
	TO provreq_reader;
GRANT EXECUTE ON PROCEDURE provreq.web_api_sync(text, text, jsonb, jsonb, interval)
	TO provreq_reader;
