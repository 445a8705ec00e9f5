/*
 * What people do with requests and providers.  Each such act is recorded.
 */
CREATE FUNCTION provreq.caller() RETURNS text
	AS 'MODULE_PATHNAME', 'provreq_caller'
	LANGUAGE c STABLE;
COMMENT ON FUNCTION provreq.caller() IS
'In whose name the current statement runs: the user of the session in use (provreq.use_session()), else the role, also inside of functions that run with the rights of another.';

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

/*
 * The record of what people did, which nobody changes afterwards.
 */
CREATE SEQUENCE provreq.intervention_id_seq;
CREATE TABLE provreq.intervention (
	id bigint PRIMARY KEY DEFAULT pg_catalog.nextval('provreq.intervention_id_seq'),
	act text NOT NULL,
	number bigint,
	provider text,
	reason text,
	details jsonb,
	by_user text NOT NULL,
	by_unit text,
	by_date timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
CREATE INDEX intervention_number ON provreq.intervention (number)
	WHERE number IS NOT NULL;
COMMENT ON SEQUENCE provreq.intervention_id_seq IS 'Ids of interventions.';
COMMENT ON TABLE provreq.intervention IS 'What people did to requests and providers, who, when and why: append-only, dumped with the database.';
COMMENT ON COLUMN provreq.intervention.id IS 'Order in which it was done.';
COMMENT ON COLUMN provreq.intervention.act IS 'The function that did it: cancel, resubmit, release_doubtful, resubmit_rejected, pause, resume, pause_run, resume_run or cancel_run.';
COMMENT ON COLUMN provreq.intervention.number IS 'The request that it was done to; null for acts on a provider.';
COMMENT ON COLUMN provreq.intervention.provider IS 'The provider, of the request or itself.';
COMMENT ON COLUMN provreq.intervention.reason IS 'Why, in the words of who did it; null when none was given.';
COMMENT ON COLUMN provreq.intervention.details IS 'What else it was called with, and what it found: hold_reason, outcome, since, error_code, resubmitted.';
COMMENT ON COLUMN provreq.intervention.by_user IS 'Who did it: the user of the session in use, else the role that called.';
COMMENT ON COLUMN provreq.intervention.by_unit IS 'The unit of who did it, as the session in use has it; null without one.';
COMMENT ON COLUMN provreq.intervention.by_date IS 'When it was done; it counts from the commit.';
SELECT pg_catalog.pg_extension_config_dump('provreq.intervention_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('provreq.intervention', '');

CREATE FUNCTION provreq.refuse_intervention_change() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
		IF TG_OP = 'UPDATE' THEN
			RETURN NEW;
		END IF;
		RETURN OLD;
	END IF;
	RAISE EXCEPTION USING
		ERRCODE = 'insufficient_privilege',
		MESSAGE = pg_catalog.format('cannot %s provreq.%s', TG_OP, TG_TABLE_NAME),
		DETAIL = 'It is the record of what people did.';
END
$$;
COMMENT ON FUNCTION provreq.refuse_intervention_change() IS
'Trigger function: refuses UPDATE, DELETE and TRUNCATE of the record of interventions to everybody but superusers (SQLSTATE 42501).';
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON provreq.intervention
	FOR EACH ROW EXECUTE FUNCTION provreq.refuse_intervention_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON provreq.intervention
	FOR EACH STATEMENT EXECUTE FUNCTION provreq.refuse_intervention_change();

CREATE FUNCTION provreq.record_intervention(act text, number bigint, provider text,
	reason text, details jsonb DEFAULT NULL) RETURNS bigint
	LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO provreq.intervention (act, number, provider, reason, details, by_user, by_unit)
		VALUES (act, number, provider, NULLIF(reason, ''), details,
			provreq.caller(), provreq.caller_unit())
		RETURNING id;
END;
COMMENT ON FUNCTION provreq.record_intervention(text, bigint, text, text, jsonb) IS
'Writes down what somebody did, and returns the id of the record. For the functions below.';

CREATE FUNCTION provreq.check_reason(reason text, needed boolean) RETURNS void
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF needed AND COALESCE(reason, '') = '' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'parameter "reason" must not be null or empty',
			HINT = 'It is kept in provreq.intervention.';
	END IF;
	IF pg_catalog.length(reason) > 1000 OR reason ~ '[\x01-\x1f\x7f\u0080-\u009f]' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'parameter "reason" must have at most 1000 characters and no control characters';
	END IF;
END
$$;
COMMENT ON FUNCTION provreq.check_reason(text, boolean) IS
'Raises an error unless the reason for an act is one line of at most 1000 characters, and there is one if it is needed (22004, 22023).';

CREATE FUNCTION provreq.send_again(number bigint, act text, reason text) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	wanted bigint := $1;
	what text := $2;
	why text := $3;
	held_row provreq.request;
BEGIN
	held_row := provreq.lock_pending(wanted);
	UPDATE provreq.request_pending p
	SET hold_reason = NULL, retry_date = NULL,
		attempt_log = COALESCE(p.attempt_log, '[]') || pg_catalog.jsonb_build_object(
			'resubmitted', pg_catalog.clock_timestamp(), 'by', provreq.caller(),
			'was_held', p.hold_reason),
		updated_date = pg_catalog.now(), updated_by_user = provreq.caller(),
		updated_by_unit = provreq.caller_unit()
	WHERE p.number = wanted;
	PERFORM provreq.record_intervention(what, wanted, held_row.provider, why,
		pg_catalog.jsonb_build_object('outcome', 'resend', 'hold_reason', held_row.hold_reason));
END
$$;
COMMENT ON FUNCTION provreq.send_again(bigint, text, text) IS
'Lets a pending request go again at once; for the functions below.';

CREATE FUNCTION provreq.resubmit(number bigint, reason text DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM provreq.check_reason($2, false);
	PERFORM provreq.send_again($1, 'resubmit', $2);
END
$$;
COMMENT ON FUNCTION provreq.resubmit(bigint, text) IS
'Lets a pending request that is held or waits for a retry go again at once. Its number is the same, so that a CAS that carried it out already may know it; retry_limit and retry_window count anew. The act is kept in attempt_log and in provreq.intervention. Errors: P0002 no such request, 55000 closed already, 55006 in flight, 25001 isolation level other than READ COMMITTED, 22023 reason longer than 1000 characters or with control characters.';

CREATE FUNCTION provreq.cancel(number bigint, reason text) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	wanted bigint := $1;
	why text := $2;
	pending_row provreq.request;
BEGIN
	PERFORM provreq.check_reason(why, true);
	pending_row := provreq.lock_pending(wanted);
	UPDATE provreq.request r
	SET life_cycle_state = 'REJECTED', closed_date = pg_catalog.clock_timestamp(),
		error_code = 'CANCELLED', error_description = why,
		hold_reason = NULL, retry_date = NULL, created_xid = NULL,
		updated_date = pg_catalog.now(), updated_by_user = provreq.caller(),
		updated_by_unit = provreq.caller_unit()
	WHERE r.number = wanted AND r.life_cycle_state = 'PENDING';
	PERFORM provreq.record_intervention('cancel', wanted, pending_row.provider, why,
		pg_catalog.jsonb_build_object('hold_reason', pending_row.hold_reason));
END
$$;
COMMENT ON FUNCTION provreq.cancel(bigint, text) IS
'Closes a pending request as REJECTED with error_code CANCELLED and the reason as error_description; it is not sent any more. The act is kept in provreq.intervention. Errors: P0002 no such request, 55000 closed already, 55006 in flight, 25001 isolation level other than READ COMMITTED, 22004 no reason, 22023 reason longer than 1000 characters or with control characters.';

/*
 * A held request was sent, and nobody knows with what outcome; its last
 * attempt is in attempt_log.
 */
CREATE FUNCTION provreq.declare_outcome(number bigint, outcome text, reason text)
	RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	wanted bigint := $1;
	declared text := $2;
	why text := $3;
	held_row provreq.request;
	last_attempt jsonb;
BEGIN
	held_row := provreq.lock_pending(wanted);
	SELECT e.value INTO last_attempt
		FROM pg_catalog.jsonb_array_elements(held_row.attempt_log)
			WITH ORDINALITY AS e (value, place)
		WHERE e.value ? 'started' ORDER BY e.place DESC LIMIT 1;
	UPDATE provreq.request r
	SET life_cycle_state = pg_catalog.upper(declared),
		closed_date = pg_catalog.clock_timestamp(),
		executed_date = (last_attempt ->> 'started')::timestamptz,
		sequence_number = (last_attempt ->> 'sequence_number')::bigint,
		error_code = CASE declared WHEN 'rejected' THEN 'DECLARED_REJECTED' END,
		error_description = CASE declared WHEN 'rejected' THEN why END,
		attempt_log = COALESCE(r.attempt_log, '[]') || pg_catalog.jsonb_build_object(
			'declared', declared, 'at', pg_catalog.clock_timestamp(),
			'by', provreq.caller(), 'reason', why, 'was_held', r.hold_reason),
		hold_reason = NULL, retry_date = NULL, created_xid = NULL,
		updated_date = pg_catalog.now(), updated_by_user = provreq.caller(),
		updated_by_unit = provreq.caller_unit()
	WHERE r.number = wanted AND r.life_cycle_state = 'PENDING';
	PERFORM provreq.record_intervention('release_doubtful', wanted, held_row.provider, why,
		pg_catalog.jsonb_build_object('outcome', declared, 'hold_reason', held_row.hold_reason));
END
$$;
COMMENT ON FUNCTION provreq.declare_outcome(bigint, text, text) IS
'Closes a held request with the outcome that somebody found out; for release_doubtful().';

CREATE FUNCTION provreq.release_doubtful(number bigint, outcome text, reason text)
	RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	wanted bigint := $1;
	what text := $2;
	why text := $3;
	found_row provreq.request;
BEGIN
	IF what IS NULL OR what NOT IN ('resend', 'completed', 'rejected') THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = pg_catalog.format('parameter "outcome" cannot be %s',
				COALESCE('"' || pg_catalog.left(what, 60) || '"', 'null')),
			HINT = 'Valid values are resend, completed, rejected.';
	END IF;
	PERFORM provreq.check_reason(why, true);
	found_row := provreq.lock_pending(wanted);
	IF found_row.hold_reason IS NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = pg_catalog.format('request %s is not held', wanted),
			HINT = 'See provreq.doubtful for those that are.';
	END IF;
	IF what = 'resend' THEN
		PERFORM provreq.send_again(wanted, 'release_doubtful', why);
	ELSE
		PERFORM provreq.declare_outcome(wanted, what, why);
	END IF;
END
$$;
COMMENT ON FUNCTION provreq.release_doubtful(bigint, text, text) IS
'Decides a request that is held because nobody knows whether it was carried out. outcome: resend (under the same number), completed (it was carried out) or rejected (it was not, and shall not be; error_code DECLARED_REJECTED, the reason as error_description). What waits behind it goes on. The act is kept in attempt_log and in provreq.intervention. Errors: P0002 no such request, 55000 closed already or not held, 55006 in flight, 25001 isolation level other than READ COMMITTED, 22004 no reason, 22023 no such outcome, or reason longer than 1000 characters or with control characters.';

/*
 * Providers that take requests but send none.
 */
CREATE TABLE provreq.paused_provider (
	provider text PRIMARY KEY,
	reason text NOT NULL,
	by_user text NOT NULL,
	by_date timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE provreq.paused_provider IS 'Providers that somebody has paused: requests are created for them, and none is sent. A row belongs to the name, and stays when the server is dropped.';
COMMENT ON COLUMN provreq.paused_provider.provider IS 'Name of the provider''s foreign server.';
COMMENT ON COLUMN provreq.paused_provider.reason IS 'Why it was paused.';
COMMENT ON COLUMN provreq.paused_provider.by_user IS 'Who paused it.';
COMMENT ON COLUMN provreq.paused_provider.by_date IS 'When it was paused.';
SELECT pg_catalog.pg_extension_config_dump('provreq.paused_provider', '');

CREATE FUNCTION provreq.pause_changed() RETURNS trigger
	AS 'MODULE_PATHNAME', 'provreq_pause_changed'
	LANGUAGE c;
COMMENT ON FUNCTION provreq.pause_changed() IS
'Trigger function: lets the senders look at commit whether they are paused.';
CREATE TRIGGER pause_changed
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON provreq.paused_provider
	FOR EACH STATEMENT EXECUTE FUNCTION provreq.pause_changed();

CREATE FUNCTION provreq.is_effective(provider text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'provreq_is_effective'
	LANGUAGE c STABLE;
COMMENT ON FUNCTION provreq.is_effective(text) IS
'Is the provider''s option "state" effective? Errors: 42704 no such provider, 22004.';

CREATE FUNCTION provreq.pause(provider text, reason text) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	found_pause provreq.paused_provider;
BEGIN
	PERFORM provreq.is_effective($1);
	PERFORM provreq.check_reason($2, true);
	INSERT INTO provreq.paused_provider (provider, reason, by_user)
		VALUES ($1, $2, provreq.caller())
		ON CONFLICT (provider) DO NOTHING;
	IF NOT FOUND THEN
		SELECT * INTO found_pause FROM provreq.paused_provider p WHERE p.provider = $1;
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = pg_catalog.format('provider "%s" is paused already', $1),
			DETAIL = pg_catalog.format('By %s, since %s: %s', found_pause.by_user,
				found_pause.by_date, found_pause.reason);
	END IF;
	PERFORM provreq.record_intervention('pause', NULL, $1, $2);
END
$$;
COMMENT ON FUNCTION provreq.pause(text, text) IS
'Stops sending to a provider when the transaction commits, until provreq.resume(). Requests can still be created for it, and wait; what is in flight is waited for. Survives restarts. Errors: 42704 no such provider, 55000 paused already, 22004 null argument or no reason, 22023 reason longer than 1000 characters or with control characters.';

CREATE FUNCTION provreq.resume(provider text, reason text DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	PERFORM provreq.check_reason($2, false);
	DELETE FROM provreq.paused_provider p WHERE p.provider = $1;
	IF NOT FOUND THEN
		PERFORM provreq.is_effective($1);
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = pg_catalog.format('provider "%s" is not paused', $1);
	END IF;
	PERFORM provreq.record_intervention('resume', NULL, $1, $2);
END
$$;
COMMENT ON FUNCTION provreq.resume(text, text) IS
'Ends the pause of a provider: what waits is sent in order when the transaction commits. Errors: 42704 no such provider, 55000 not paused, 22004, 22023.';

CREATE FUNCTION provreq.test_connection(provider text)
	RETURNS TABLE (step text, ok boolean, detail text, milliseconds double precision)
	AS 'MODULE_PATHNAME', 'provreq_test_connection'
	LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION provreq.test_connection(text) IS
'Tries to reach a provider from this session and to log in, with the sender''s settings and beside its connections, and sends no request. One row for each step that there is (resolve, connect, tls; then login for HTTP, hello for framed links that begin with one), up to the first that fails; milliseconds: that the step took. NDS has neither login nor hello: a wrong key shows with the first message. Waits as long as the provider''s connect_timeout and timeout allow, and can be cancelled. Errors: 42704 no such provider, 22004, 0A000 not supported for its kind, and those of its settings.';

CREATE FUNCTION provreq.wait_for(number bigint, timeout interval DEFAULT '1 minute')
	RETURNS provreq.request
	AS 'MODULE_PATHNAME', 'provreq_wait_for'
	LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION provreq.wait_for(bigint, interval) IS
'Waits until a request is COMPLETED or REJECTED, and that is committed, and returns it. Returns it PENDING with a hold_reason as soon as it is held, and PENDING without one when "timeout" (0 to 24 days, default 1 minute) has passed. Sleeps until then, and can be cancelled. To be called after the transaction that made the request: P0002 no such request (yet), 55000 made or changed by this transaction, or a standby server, 25001 isolation level other than READ COMMITTED, 22004 null argument, 22023 timeout out of range.';
