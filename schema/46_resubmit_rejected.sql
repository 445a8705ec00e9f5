/*
 * New requests out of REJECTED ones.  A closed row never changes: what came
 * of it stands here.
 */
CREATE TABLE provreq.resubmission (
	original bigint PRIMARY KEY,
	number bigint NOT NULL UNIQUE,
	first bigint NOT NULL,
	intervention bigint NOT NULL
);
COMMENT ON TABLE provreq.resubmission IS 'Which request was made out of which REJECTED one by provreq.resubmit_rejected(): append-only, dumped with the database.';
COMMENT ON COLUMN provreq.resubmission.original IS 'Number of the REJECTED request.';
COMMENT ON COLUMN provreq.resubmission.number IS 'Number of the request that was made out of it.';
COMMENT ON COLUMN provreq.resubmission.first IS 'Where the original is itself a resubmission, the number of the first of all, else the original''s.';
COMMENT ON COLUMN provreq.resubmission.intervention IS 'provreq.intervention.id of the call: who, when and why.';
SELECT pg_catalog.pg_extension_config_dump('provreq.resubmission', '');
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON provreq.resubmission
	FOR EACH ROW EXECUTE FUNCTION provreq.refuse_intervention_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON provreq.resubmission
	FOR EACH STATEMENT EXECUTE FUNCTION provreq.refuse_intervention_change();

CREATE FUNCTION provreq.check_resubmit_rejected(provider text, since timestamptz,
	despite_later boolean) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF provider IS NULL OR since IS NULL OR despite_later IS NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'parameters "provider", "since" and "despite_later" must not be null';
	END IF;
	IF NOT provreq.is_effective(provider) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('provider "%s" is not effective', provider),
			HINT = format('Use ALTER SERVER %I OPTIONS (SET state ''effective'').', provider);
	END IF;
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		/* an older snapshot would not show what was resubmitted meanwhile */
		RAISE EXCEPTION USING
			ERRCODE = 'active_sql_transaction',
			MESSAGE = format('cannot resubmit requests in a transaction of isolation level %s',
				current_setting('transaction_isolation')),
			HINT = 'Use a transaction of isolation level READ COMMITTED.';
	END IF;
END
$$;
COMMENT ON FUNCTION provreq.check_resubmit_rejected(text, timestamptz, boolean) IS
'Raises an error unless provreq.resubmit_rejected() can be called so.';

CREATE FUNCTION provreq.parameters_left(parameters jsonb, parts_done text[]) RETURNS jsonb
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	part text;
	name text;
	list jsonb;
	place bigint;
BEGIN
	FOREACH part IN ARRAY coalesce(parts_done, '{}') LOOP
		name := split_part(part, '=', 1);
		list := parameters -> name;
		IF jsonb_typeof(list) IS DISTINCT FROM 'array' THEN
			list := jsonb_build_array(list);
		END IF;
		place := (SELECT min(e.place) FROM jsonb_array_elements_text(list)
			WITH ORDINALITY AS e (value, place) WHERE name || '=' || e.value = part);
		IF place IS NULL OR jsonb_array_length(list) = 1 THEN
			RETURN NULL;
		END IF;
		parameters := parameters || jsonb_build_object(name, list - (place - 1)::integer);
	END LOOP;
	RETURN parameters;
END
$$;
COMMENT ON FUNCTION provreq.parameters_left(jsonb, text[]) IS
'The parameters of a request without the values that its parts_done says were carried out; null when that leaves nothing, or when it names what is not among them. For resubmit_rejected().';

/*
 * "place" is where a request stands in the order of its cards: a resubmission
 * stands where its original did.  Parts that were carried out count like a
 * request that was: they are not repeated, and what comes before them is late.
 */
CREATE FUNCTION provreq.judge_rejected(provider text, since timestamptz,
	error_code text, despite_later boolean)
	RETURNS TABLE (original bigint, place bigint, refusal text)
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
	SET enable_nestloop = off SET jit = off	/* nobody knows how many there are */
AS $$
	WITH rejected AS MATERIALIZED (
		SELECT c.number, c.ordering_keys, coalesce(x.first, c.number) AS place,
			s.number IS NULL AND EXISTS (SELECT FROM jsonb_each(c.parameters) p
				WHERE p.value = '"****"' AND p.key <> 'message') AS secret_is_gone,
			CASE WHEN c.parts_done IS NOT NULL THEN
				provreq.parameters_left(c.parameters, c.parts_done) IS NULL
			END AS nothing_is_left
		FROM provreq.request_closed c
		LEFT JOIN provreq.resubmission x ON x.number = c.number
		LEFT JOIN provreq.request_secret s ON s.number = c.number
		WHERE c.life_cycle_state = 'REJECTED' AND c.provider = $1 AND c.closed_date >= $2
		AND (c.error_code = $3 OR $3 IS NULL AND c.error_code IS DISTINCT FROM 'CANCELLED')
		AND NOT EXISTS (SELECT FROM provreq.resubmission y WHERE y.original = c.number)
	), touched AS MATERIALIZED (
		SELECT r.number, r.place, k.key
		FROM rejected r CROSS JOIN unnest(r.ordering_keys) AS k (key)
	), others AS MATERIALIZED (
		SELECT o.number, coalesce(x.first, o.number) AS place, k.key
		FROM (
			SELECT c.number, c.ordering_keys FROM provreq.request_closed c
			WHERE (c.life_cycle_state = 'COMPLETED' OR c.parts_done IS NOT NULL)
			AND c.provider = $1 AND c.closed_date >= $2
			UNION ALL
			SELECT p.number, p.ordering_keys FROM provreq.request_pending p
			WHERE p.provider = $1
		) AS o
		LEFT JOIN provreq.resubmission x ON x.number = o.number
		CROSS JOIN unnest(o.ordering_keys) AS k (key)
		WHERE k.key IN (SELECT t.key FROM touched t)
	), later AS MATERIALIZED (
		/* of those at one place, "others" come last: none is before a touched one */
		SELECT w.number, min(w.later) AS later
		FROM (
			SELECT u.number, u.other, min(u.number) FILTER (WHERE u.other) OVER (
				PARTITION BY u.key ORDER BY u.place DESC, u.other
				ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS later
			FROM (
				SELECT t.number, t.place, t.key, false AS other FROM touched t
				UNION ALL
				SELECT o.number, o.place, o.key, true FROM others o
			) AS u
		) AS w
		WHERE NOT w.other AND w.later IS NOT NULL
		GROUP BY w.number
	)
	SELECT r.number, r.place, CASE
		WHEN l.later IS NOT NULL AND NOT $4 THEN
			format('request %s of the same smartcard or STB came after it', l.later)
		WHEN r.secret_is_gone THEN 'its PIN is not stored any more'
		WHEN r.nothing_is_left THEN 'nothing is known to be left of it to carry out'
	END
	FROM rejected r LEFT JOIN later l ON l.number = r.number
	ORDER BY r.place, r.number;
$$;
COMMENT ON FUNCTION provreq.judge_rejected(text, timestamptz, text, boolean) IS
'The rejected requests that provreq.resubmit_rejected() is about, in their order, with what the record says against a resubmission.';

CREATE FUNCTION provreq.make_again(provider text, numbers bigint[], since timestamptz)
	RETURNS TABLE (original bigint, number bigint, refusal text)
	AS 'MODULE_PATHNAME', 'provreq_make_again'
	LANGUAGE c VOLATILE STRICT;
COMMENT ON FUNCTION provreq.make_again(text, bigint[], timestamptz) IS
'Makes new requests out of rejected ones that were closed at "since" or later, in the order of their numbers, by the same way and with the same checks as any other; refusal: why one cannot be made. For resubmit_rejected().';

CREATE FUNCTION provreq.make_resubmissions(provider text, since timestamptz,
	error_code text, despite_later boolean, intervention bigint)
	RETURNS TABLE (original bigint, number bigint, refusal text)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	at_once CONSTANT integer := 1000;
	numbers bigint[];
	places bigint[];
	refused bigint[];
	refusals text[];
	start integer := 1;
BEGIN
	SELECT array_agg(j.original ORDER BY j.place, j.original) FILTER (WHERE j.refusal IS NULL),
		array_agg(j.place ORDER BY j.place, j.original) FILTER (WHERE j.refusal IS NULL),
		array_agg(j.original ORDER BY j.original) FILTER (WHERE j.refusal IS NOT NULL),
		array_agg(j.refusal ORDER BY j.original) FILTER (WHERE j.refusal IS NOT NULL)
	INTO numbers, places, refused, refusals
	FROM provreq.judge_rejected($1, $2, $3, $4) AS j;
	RETURN QUERY SELECT u.original, NULL::bigint, u.refusal
		FROM unnest(refused, refusals) AS u (original, refusal);
	WHILE start <= cardinality(numbers) LOOP
		RETURN QUERY
			WITH made AS MATERIALIZED (
				SELECT * FROM provreq.make_again($1, numbers[start : start + at_once - 1], $2)
			), noted AS (
				INSERT INTO provreq.resubmission (original, number, first, intervention)
				SELECT m.original, m.number, u.place, $5
				FROM made m
				JOIN unnest(numbers[start : start + at_once - 1], places[start : start + at_once - 1])
					AS u (original, place) ON u.original = m.original
				WHERE m.number IS NOT NULL
			)
			SELECT m.original, m.number, m.refusal FROM made m;
		start := start + at_once;
	END LOOP;
END
$$;
COMMENT ON FUNCTION provreq.make_resubmissions(text, timestamptz, text, boolean, bigint) IS
'Makes new requests out of rejected ones, and notes where each comes from; for resubmit_rejected().';

CREATE FUNCTION provreq.resubmit_rejected(provider text, since timestamptz,
	error_code text DEFAULT NULL, reason text DEFAULT NULL,
	despite_later boolean DEFAULT false)
	RETURNS TABLE (original bigint, number bigint, refusal text)
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	act CONSTANT bigint := nextval('provreq.intervention_id_seq');
	made bigint;
	refused bigint;
BEGIN
	PERFORM provreq.check_reason($4, false);
	PERFORM provreq.check_resubmit_rejected($1, $2, $5);
	/* one at a time, so that nothing is resubmitted twice */
	PERFORM provreq.take_lock('provreq.resubmission');
	RETURN QUERY SELECT * FROM provreq.make_resubmissions($1, $2, $3, $5, act) ORDER BY 1;
	GET DIAGNOSTICS refused = ROW_COUNT;
	SELECT count(*) INTO made FROM provreq.resubmission r WHERE r.intervention = act;
	INSERT INTO provreq.intervention (id, act, provider, reason, by_user, by_unit, details)
		VALUES (act, 'resubmit_rejected', $1, NULLIF($4, ''), provreq.caller(), provreq.caller_unit(),
			jsonb_build_object('since', $2, 'error_code', $3, 'despite_later', $5,
				'resubmitted', made, 'refused', refused - made));
END
$$;
COMMENT ON FUNCTION provreq.resubmit_rejected(text, timestamptz, text, text, boolean) IS
'Makes new requests out of the REJECTED ones of a provider that were closed at "since" or later, in the order of their numbers, with the same parameters (a PIN too, as long as provreq.request_secret has it), priority and user-defined fields, due at once. Of a list, those values that parts_done says were carried out are left out. error_code: only those; without one all but the CANCELLED. Returns each original with the number of the new request, or with the reason why there is none: a later request of the same smartcard or STB was carried out, if only in part, or is pending (unless despite_later), its PIN is not stored any more, or it could not be made today: each goes through all checks of a new request, for the service, the smartcard and the STB that have its CA IDs now and belong to the same subscription. Those resubmitted before are left out. Where each comes from is in provreq.resubmission, the act in provreq.intervention. Errors: 42704 no such provider, 55000 provider not effective, 25001 isolation level other than READ COMMITTED, 22004, 22023.';

REVOKE ALL ON provreq.resubmission FROM PUBLIC;
REVOKE ALL ON FUNCTION provreq.resubmit_rejected(text, timestamptz, text, text, boolean) FROM PUBLIC;
GRANT SELECT ON provreq.resubmission TO provreq_reader;
GRANT EXECUTE ON FUNCTION provreq.resubmit_rejected(text, timestamptz, text, text, boolean)
	TO provreq_operator;
