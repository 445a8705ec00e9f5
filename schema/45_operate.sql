/*
 * What a person does with a pending request.
 */
CREATE FUNCTION provreq.caller() RETURNS text
	AS 'MODULE_PATHNAME', 'provreq_caller'
	LANGUAGE c STABLE;
COMMENT ON FUNCTION provreq.caller() IS
'The role in whose name the current statement runs, also inside of functions that run with the rights of another.';

CREATE FUNCTION provreq.lock_pending(number bigint) RETURNS provreq.request
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	wanted bigint := $1;
	found_row provreq.request;
	found_attempt provreq.attempt;
BEGIN
	IF wanted IS NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'parameter "number" must not be null';
	END IF;
	IF pg_catalog.current_setting('transaction_isolation') <> 'read committed' THEN
		/* an older snapshot would not show that it is in flight meanwhile */
		RAISE EXCEPTION USING
			ERRCODE = 'active_sql_transaction',
			MESSAGE = pg_catalog.format('cannot change requests in a transaction of isolation level %s',
				pg_catalog.current_setting('transaction_isolation')),
			HINT = 'Use a transaction of isolation level READ COMMITTED.';
	END IF;
	BEGIN
		SELECT * INTO found_row FROM provreq.request_pending p WHERE p.number = wanted FOR UPDATE;
	EXCEPTION WHEN serialization_failure THEN
		found_row := NULL;	/* closed while we waited for it */
	END;
	IF found_row.number IS NULL THEN
		SELECT * INTO found_row FROM provreq.request_closed c WHERE c.number = wanted;
		IF FOUND THEN
			RAISE EXCEPTION USING
				ERRCODE = 'object_not_in_prerequisite_state',
				MESSAGE = pg_catalog.format('request %s is %s', wanted, found_row.life_cycle_state),
				HINT = 'Only pending requests can be changed.';
		END IF;
		RAISE EXCEPTION USING
			ERRCODE = 'no_data_found',
			MESSAGE = pg_catalog.format('request %s does not exist', wanted);
	END IF;
	SELECT * INTO found_attempt FROM provreq.attempt a WHERE a.number = wanted;
	IF FOUND THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_in_use',
			MESSAGE = pg_catalog.format('request %s is in flight', wanted),
			DETAIL = pg_catalog.format('Attempt %s left at %s.', found_attempt.attempt, found_attempt.started_date),
			HINT = 'Wait for its outcome.';
	END IF;
	RETURN found_row;
END
$$;
COMMENT ON FUNCTION provreq.lock_pending(bigint) IS
'Locks a pending request that is not in flight and returns it; for the functions below. Errors: P0002 no such request, 55000 closed already, 55006 in flight, 25001 isolation level other than READ COMMITTED.';

CREATE FUNCTION provreq.resubmit(number bigint) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	wanted bigint := $1;
BEGIN
	PERFORM provreq.lock_pending(wanted);
	UPDATE provreq.request_pending p
	SET hold_reason = NULL, retry_date = NULL,
		attempt_log = COALESCE(p.attempt_log, '[]') || pg_catalog.jsonb_build_object(
			'resubmitted', pg_catalog.clock_timestamp(), 'by', provreq.caller(),
			'was_held', p.hold_reason),
		updated_date = pg_catalog.now(), updated_by_user = provreq.caller()
	WHERE p.number = wanted;
END
$$;
COMMENT ON FUNCTION provreq.resubmit(bigint) IS
'Lets a pending request that is held or waits for a retry go again at once. Its number is the same, so that a CAS that carried it out already may know it; retry_limit and retry_window count anew. The act is kept in attempt_log. Errors: P0002 no such request, 55000 closed already, 55006 in flight, 25001 isolation level other than READ COMMITTED.';

CREATE FUNCTION provreq.cancel(number bigint, reason text) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	wanted bigint := $1;
	why text := $2;
BEGIN
	IF COALESCE(why, '') = '' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'parameter "reason" must not be null or empty',
			HINT = 'It is kept in error_description.';
	END IF;
	PERFORM provreq.lock_pending(wanted);
	UPDATE provreq.request r
	SET life_cycle_state = 'REJECTED', closed_date = pg_catalog.clock_timestamp(),
		error_code = 'CANCELLED', error_description = why,
		hold_reason = NULL, retry_date = NULL, created_xid = NULL,
		updated_date = pg_catalog.now(), updated_by_user = provreq.caller()
	WHERE r.number = wanted AND r.life_cycle_state = 'PENDING';
END
$$;
COMMENT ON FUNCTION provreq.cancel(bigint, text) IS
'Closes a pending request as REJECTED with error_code CANCELLED and the reason as error_description; it is not sent any more. Errors: P0002 no such request, 55000 closed already, 55006 in flight, 25001 isolation level other than READ COMMITTED, 22004 no reason.';
