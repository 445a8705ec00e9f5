/*
 * Reconciliation: what the CRM says that a smartcard should have, against
 * what the conditional access system holds.
 *
 * The CRM's side is provreq.entitlement.  The system's side is its last
 * answer to GET_ACTIVE_SUBSCRIPTIONS and the changes that it has carried out
 * since, or that take effect since; of a system that cannot be asked, the
 * record of what it has carried out.  Both are found by the index of the closed
 * part on the first ordering key, which is the smartcard.
 */
CREATE FUNCTION provreq.reconcile_smartcard(smartcard_identifier text,
	OUT id text, OUT ca_id text, OUT subscription_id text, OUT provider text)
	AS 'MODULE_PATHNAME', 'provreq_reconcile_smartcard'
	LANGUAGE c VOLATILE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION provreq.reconcile_smartcard(text) IS
'What the directory says of a smartcard. Errors: those of the identifier.';

CREATE FUNCTION provreq.reconcile_subscription(subscription_identifier text) RETURNS text
	AS 'MODULE_PATHNAME', 'provreq_reconcile_subscription'
	LANGUAGE c VOLATILE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION provreq.reconcile_subscription(text) IS
'The id of the subscription that an identifier names. Errors: those of the identifier.';

CREATE FUNCTION provreq.reconcile_mappings(provider text)
	RETURNS TABLE (product_id text, service_ca_id text)
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT DISTINCT ON (m.mapping ->> 'product_id')
		m.mapping ->> 'product_id', m.mapping ->> 'service_ca_id'
	FROM provreq.directory_rows('service_mapping') AS m (mapping)
	WHERE m.mapping ->> 'provider' IS NULL OR m.mapping ->> 'provider' = $1
	ORDER BY m.mapping ->> 'product_id', m.mapping ->> 'provider' NULLS LAST;
END;
COMMENT ON FUNCTION provreq.reconcile_mappings(text) IS
'What a provider calls each service, as the directory says, wherever it is.';

CREATE FUNCTION provreq.reconcile_operations(provider text,
	OUT ask text, OUT add_one text, OUT cancel_one text,
	OUT add_list text, OUT cancel_list text, OUT reauthorise text)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	kind text;
BEGIN
	IF provider IS NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'parameter "provider" must not be null';
	END IF;
	SELECT w.fdwname INTO kind FROM pg_catalog.pg_foreign_server s
	JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw
	WHERE s.srvname = $1;
	CASE kind
		WHEN 'conax_web_services' THEN
			ask := 'get_active_subscriptions';
			add_one := 'add_subscriptions';
			cancel_one := 'cancel_subscriptions';
		WHEN 'nagravision' THEN
			add_list := 'add_enhanced_list_of_products';
			cancel_list := 'cancel_list_of_products';
		WHEN 'nds' THEN
			reauthorise := 'reauthorise_all_services';
		ELSE
			RAISE EXCEPTION USING
				ERRCODE = 'undefined_object',
				MESSAGE = pg_catalog.format('provider "%s" does not exist', pg_catalog.left(provider, 63));
	END CASE;
END
$$;
COMMENT ON FUNCTION provreq.reconcile_operations(text) IS
'The operations by which the services of a smartcard are asked for and changed at a provider, one service at a time or a list of them. Errors: 22004, 42704.';

CREATE FUNCTION provreq.services_of(parameters jsonb) RETURNS SETOF text
	LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT parameters ->> 'service_ca_id'
	WHERE pg_catalog.jsonb_typeof(parameters -> 'service_ca_id') = 'string'
	UNION ALL
	SELECT a.value FROM pg_catalog.jsonb_array_elements_text(
		CASE pg_catalog.jsonb_typeof(parameters -> 'service_ca_id')
			WHEN 'array' THEN parameters -> 'service_ca_id' ELSE '[]' END) AS a (value);
END;
COMMENT ON FUNCTION provreq.services_of(jsonb) IS
'The service_ca_id or ids among the parameters of a request.';

CREATE FUNCTION provreq.instant_of(value text) RETURNS timestamptz
	LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC'
AS $$
BEGIN
	RETURN value::timestamptz;
EXCEPTION WHEN data_exception THEN
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION provreq.instant_of(text) IS
'An instant as it stands in parameters and answers, UTC where it names no zone; null when it is none.';

CREATE FUNCTION provreq.may_have_been_carried_out(error_code text, error_description text,
	attempt_log jsonb) RETURNS boolean
	LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT COALESCE(error_code IN ('RETRY_EXHAUSTED', 'CANCELLED')
		AND attempt_log @> '[{"verdict": "UNKNOWN"}]', false)
		OR COALESCE(error_code = 'RETRY_EXHAUSTED'
		AND error_description LIKE 'given up after % attempt(s), it may have been carried out;%', false);
END;
COMMENT ON FUNCTION provreq.may_have_been_carried_out(text, text, jsonb) IS
'Was a REJECTED request given up or cancelled after an attempt whose outcome nobody knows?';

/*
 * The changes of a smartcard's services that the record has, all in the order
 * of sending: "present" null where nobody knows whether one was carried out,
 * "starts" where it takes effect later than it was sent.  Of a list the parts
 * count that were carried out, whatever became of the request.
 */
CREATE FUNCTION provreq.recorded_changes(provider text, key text, types text[], adds text[])
	RETURNS TABLE (service text, present boolean, place bigint, starts timestamptz)
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off SET jit = off
AS $$
	SELECT s.service, CASE WHEN c.done THEN r.type = ANY (adds) END, c.place,
		NULLIF(GREATEST(provreq.instant_of(r.parameters ->> 'start_date'), r.executed_date), r.executed_date)
	FROM provreq.request_closed r,
		LATERAL provreq.services_of(r.parameters) AS s (service),
		LATERAL (SELECT CASE
				WHEN r.life_cycle_state = 'COMPLETED' OR 'service_ca_id=' || s.service = ANY (r.parts_done::text[]) THEN true
				WHEN NOT provreq.may_have_been_carried_out(r.error_code, r.error_description, r.attempt_log) THEN false
			END AS done,
			COALESCE(r.sequence_number, (SELECT pg_catalog.max((e.value ->> 'sequence_number')::bigint)
				FROM pg_catalog.jsonb_array_elements(r.attempt_log) AS e (value))) AS place) AS c
	WHERE r.ordering_keys[1] = $2 AND r.provider = $1 AND r.type = ANY (types)
	AND c.done IS DISTINCT FROM false AND c.place IS NOT NULL
	UNION ALL
	/* what is pending goes on after everything that is closed */
	SELECT pg_catalog.substr(d.part, 15), r.type = ANY (adds), 4611686018427387904, NULL
	FROM provreq.request_pending r, LATERAL pg_catalog.unnest(r.parts_done::text[]) AS d (part)
	WHERE r.ordering_keys @> ARRAY[$2] AND r.provider = $1 AND r.type = ANY (types)
	AND d.part LIKE 'service_ca_id=%'
$$;
COMMENT ON FUNCTION provreq.recorded_changes(text, text, text[], text[]) IS
'What the record says of the services of a smartcard, given by its ordering key; for cas_services().';

CREATE FUNCTION provreq.cas_services(provider text, smartcard_ca_ids text[], since timestamptz DEFAULT NULL)
	RETURNS TABLE (smartcard_ca_id text, services text[], doubtful text[], as_of timestamptz,
		pending jsonb, coming jsonb)
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off SET jit = off
AS $$
DECLARE
	adds CONSTANT text[] := ARRAY['ADD_SUBSCRIPTIONS', 'ADD_ENHANCED_LIST_OF_PRODUCTS'];
	changes CONSTANT text[] := adds || ARRAY['CANCEL_SUBSCRIPTIONS', 'CANCEL_LIST_OF_PRODUCTS'];
	card text;
	key text;
	answer record;
BEGIN
	FOREACH card IN ARRAY COALESCE(smartcard_ca_ids, '{}') LOOP
		key := provreq.card_key($1, card);
		SELECT r.sequence_number, r.executed_date, r.response_data INTO answer
		FROM provreq.request_closed r
		WHERE r.ordering_keys[1] = key AND r.provider = $1
		AND r.type = 'GET_ACTIVE_SUBSCRIPTIONS' AND r.life_cycle_state = 'COMPLETED'
		AND pg_catalog.jsonb_typeof(r.response_data -> 'active_subscriptions') = 'array'
		AND (since IS NULL OR r.executed_date >= since)
		ORDER BY r.sequence_number DESC LIMIT 1;
		smartcard_ca_id := card;
		as_of := answer.executed_date;
		/*
		 * The last word on each service.  An answer does not know of a change
		 * that was to take effect after it.
		 */
		WITH said AS MATERIALIZED (
			SELECT c.*, pg_catalog.row_number() OVER (PARTITION BY c.service ORDER BY c.place DESC) = 1 AS last
			FROM provreq.recorded_changes($1, key, changes, adds) AS c
		), words AS (
			SELECT a.value ->> 'service_ca_id' AS service, true AS present, answer.sequence_number AS at, 0 AS tier
			FROM pg_catalog.jsonb_array_elements(answer.response_data -> 'active_subscriptions') AS a (value)
			WHERE COALESCE(provreq.instant_of(a.value ->> 'end_date') > pg_catalog.now(), true)
			UNION ALL
			SELECT s.service, s.present, GREATEST(s.place, answer.sequence_number), 1
			FROM said AS s
			WHERE COALESCE(s.starts <= pg_catalog.now(), true)
			AND (s.place > COALESCE(answer.sequence_number, 0) OR s.last AND s.starts > answer.executed_date)
		), held AS (
			SELECT DISTINCT ON (w.service) w.service, w.present
			FROM words AS w ORDER BY w.service, w.at DESC, w.tier DESC
		)
		SELECT pg_catalog.array_agg(h.service ORDER BY h.service) FILTER (WHERE h.present),
			pg_catalog.array_agg(h.service ORDER BY h.service) FILTER (WHERE h.present IS NULL),
			(SELECT pg_catalog.jsonb_object_agg(s.service, pg_catalog.jsonb_build_object('present', s.present))
				FROM said AS s WHERE s.last AND s.starts > pg_catalog.now())
		INTO services, doubtful, coming FROM held AS h;
		services := COALESCE(services, '{}');
		doubtful := COALESCE(doubtful, '{}');
		/* of what is due, and of what comes later, the last each */
		SELECT COALESCE(pg_catalog.jsonb_object_agg(l.service, l.request) FILTER (WHERE NOT l.later), '{}'),
			COALESCE(coming, '{}')
				|| COALESCE(pg_catalog.jsonb_object_agg(l.service, l.request) FILTER (WHERE l.later), '{}')
		INTO pending, coming
		FROM (
			SELECT DISTINCT ON (s.service, t.later) s.service, t.later, pg_catalog.jsonb_build_object(
				'number', r.number, 'present', r.type = ANY (adds)) AS request
			FROM provreq.request_pending r,
				LATERAL provreq.services_of(r.parameters) AS s (service),
				LATERAL (SELECT GREATEST(r.scheduled_date,
					provreq.instant_of(r.parameters ->> 'start_date')) AS starts) AS e,
				LATERAL (SELECT e.starts > pg_catalog.clock_timestamp() AS later) AS t
			WHERE r.ordering_keys @> ARRAY[key] AND r.provider = $1 AND r.type = ANY (changes)
			ORDER BY s.service, t.later, CASE WHEN t.later THEN e.starts END DESC, r.number DESC) AS l;
		RETURN NEXT;
	END LOOP;
END
$$;

COMMENT ON FUNCTION provreq.cas_services(text, text[], timestamptz) IS
'What the conditional access system holds for smartcards (CA IDs): services, CA IDs in order; doubtful, those of which that is not known, because a request was given up or cancelled that may have been carried out; as_of, when the answer was asked for that they come from, null when there is none since the given time, so that they come from the record of requests alone; pending, for each service the last pending request that changes it (number, present); coming, for each service the last change that takes effect later, by its start_date or scheduled_date (present, and number while it is pending).';

CREATE FUNCTION provreq.pending_reauthorisation(provider text, smartcard_ca_id text) RETURNS bigint
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off SET jit = off
AS $$
	SELECT pg_catalog.max(r.number) FROM provreq.request_pending r
	WHERE r.ordering_keys @> ARRAY[provreq.card_key($1, $2)] AND r.provider = $1
	AND r.type = 'REAUTHORISE_ALL_SERVICES' AND r.hold_reason IS NULL
	AND r.scheduled_date <= pg_catalog.clock_timestamp()
	AND NOT EXISTS (SELECT FROM provreq.attempt a WHERE a.number = r.number)
$$;
COMMENT ON FUNCTION provreq.pending_reauthorisation(text, text) IS
'The last pending request that authorises a smartcard anew and is not on its way yet; null without one.';

CREATE FUNCTION provreq.differences(provider text, cards text[], since timestamptz DEFAULT NULL)
	RETURNS TABLE (smartcard_identifier text, smartcard_ca_id text, service_ca_id text,
		product_id text, in_crm boolean, in_cas boolean, suggestion text, as_of timestamptz)
	LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	at_provider text := $1;
	least_date timestamptz := $3;
	can record;
	card text;
	item record;
	held record;
BEGIN
	SELECT * INTO can FROM provreq.reconcile_operations(at_provider);
	IF pg_catalog.array_ndims(cards) > 1 THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'parameter "cards" must have one dimension';
	END IF;
	IF cards IS NULL OR pg_catalog.array_position(cards, NULL) IS NOT NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'parameter "cards" must not be null or have a NULL member';
	END IF;
	FOREACH card IN ARRAY cards LOOP
		SELECT * INTO item FROM provreq.reconcile_smartcard(card);
		SELECT * INTO held FROM provreq.cas_services(at_provider, ARRAY[item.ca_id], least_date);
		IF can.reauthorise IS NOT NULL
			OR can.ask IS NOT NULL AND least_date IS NOT NULL AND held.as_of IS NULL THEN
			RETURN QUERY SELECT card, item.ca_id, NULL::text, NULL::text,
				EXISTS (SELECT FROM provreq.directory_rows('entitlement', 'installed_item_id', ARRAY[item.id])),
				NULL::boolean,
				COALESCE('wait_for(' || CASE WHEN can.reauthorise IS NOT NULL
					THEN provreq.pending_reauthorisation(at_provider, item.ca_id) END || ')',
					can.reauthorise, can.ask), NULL::timestamptz;
			CONTINUE;
		END IF;
		RETURN QUERY
		WITH mappings AS MATERIALIZED (
			SELECT * FROM provreq.reconcile_mappings(at_provider)
		), entitled AS MATERIALIZED (
			SELECT r.entitlement ->> 'product_id' AS product_id
			FROM provreq.directory_rows('entitlement', 'installed_item_id', ARRAY[item.id]) AS r (entitlement)
		), crm AS (
			/* services that the provider calls the same are one to it */
			SELECT pg_catalog.min(e.product_id) AS product_id, m.service_ca_id AS service
			FROM entitled AS e
			LEFT JOIN mappings AS m USING (product_id)
			/* goods and fees are no matter of the provider */
			WHERE e.product_id NOT IN (SELECT p.product ->> 'id' FROM provreq.directory_rows('product', 'id',
				ARRAY(SELECT n.product_id FROM entitled AS n)) AS p (product)
				WHERE p.product ->> 'classification' <> 'SERVICE')
			GROUP BY m.service_ca_id, CASE WHEN m.service_ca_id IS NULL THEN e.product_id END
		), known AS (
			SELECT h.service, true AS present FROM pg_catalog.unnest(held.services) AS h (service)
			UNION ALL
			SELECT h.service, NULL FROM pg_catalog.unnest(held.doubtful) AS h (service)
			UNION ALL
			/* what only a pending request knows */
			SELECT p.key, false FROM pg_catalog.jsonb_object_keys(held.pending) AS p (key)
			WHERE p.key <> ALL (held.services || held.doubtful)
		), both_sides AS (
			SELECT COALESCE(c.service, k.service) AS service, c.product_id,
				c.product_id IS NOT NULL AS wanted,
				CASE WHEN k.service IS NULL THEN false ELSE k.present END AS present
			FROM crm AS c FULL JOIN known AS k ON k.service = c.service
		), outlook AS (
			SELECT b.*, held.pending -> b.service AS due, held.coming -> b.service AS coming,
				COALESCE(b.product_id, (SELECT pg_catalog.min(m.product_id)
					FROM mappings AS m WHERE m.service_ca_id = b.service)) AS product
			FROM both_sides AS b
		), judged AS (
			SELECT o.*, CASE
				WHEN o.service IS NULL THEN 'service_mapping'
				WHEN o.wanted = COALESCE((o.due ->> 'present')::boolean, o.present) THEN
					CASE WHEN o.present IS DISTINCT FROM o.wanted THEN 'wait_for(' || (o.due ->> 'number') || ')' END
				WHEN o.wanted = (o.coming ->> 'present')::boolean AND o.coming ? 'number' THEN
					'wait_for(' || (o.coming ->> 'number') || ')'
				/* carried out, and takes effect later */
				WHEN o.wanted = (o.coming ->> 'present')::boolean AND o.due IS NULL AND o.present IS NOT NULL THEN NULL
				WHEN o.wanted THEN COALESCE(can.add_one, can.add_list)
				WHEN o.product IS NULL THEN 'service_mapping'
				ELSE COALESCE(can.cancel_one, can.cancel_list)
			END AS advice FROM outlook AS o
		)
		SELECT card, item.ca_id, o.service, o.product, o.wanted, o.present, o.advice, held.as_of
		FROM judged AS o WHERE o.advice IS NOT NULL
		ORDER BY o.service, o.product;
	END LOOP;
END
$$;
COMMENT ON FUNCTION provreq.differences(text, text[], timestamptz) IS
'What the CRM (provreq.entitlement) and a provider hold differently for smartcards, given by their identifiers: one row a service, none where they agree. It asks nobody, but reads the last answers; see reconcile().
in_cas: by the last answer and what was carried out since (of a list that was refused in part, the rest), or, where there is none, by the record of requests; null when that is not known: for NDS, and after a request that was given up or cancelled in doubt. A change that takes effect later (start_date, scheduled_date) is no difference until then, whether the CRM has it already or not. Entitlements of products that are no services do not count. as_of: when the answer was asked for. since: answers from before do not count, and a card without one is a row without a service.
suggestion: the operation that makes both agree, wait_for(number) where a pending request will, service_mapping where the provider''s name of a service, or the service of a name, is missing, get_active_subscriptions where the provider has to be asked, reauthorise_all_services for NDS, which cannot be asked and takes no single services.
Errors: 22004, 22023, 42704, those of the identifiers.';

CREATE FUNCTION provreq.ask_cas(provider text, cards text[]) RETURNS SETOF provreq.request
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	can record;
BEGIN
	SELECT * INTO can FROM provreq.reconcile_operations(provider);
	IF cards IS NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'parameter "cards" must not be null';
	END IF;
	IF can.ask IS NOT NULL THEN
		RETURN QUERY SELECT r.* FROM pg_catalog.unnest(cards) AS c (card),
			LATERAL provreq.conax_get_active_subscriptions(smartcard_identifier => c.card,
				provider => $1, process_name => 'PROVISIONING_REQUEST_PROCESSING') AS r;
	END IF;
END
$$;
COMMENT ON FUNCTION provreq.ask_cas(text, text[]) IS
'Makes the requests that ask a provider what smartcards, given by their identifiers, hold, and returns them; none for a system that cannot be asked. For many cards use start_run(''get_active_subscriptions'', ...). Errors: 22004, 42704, those of the identifiers.';

CREATE PROCEDURE provreq.reconcile(provider text, cards text[],
	timeout interval DEFAULT '1 minute', INOUT differences jsonb DEFAULT NULL)
	LANGUAGE plpgsql
AS $$
DECLARE
	asked pg_catalog.timestamptz := pg_catalog.clock_timestamp();
	numbers bigint[];
	number bigint;
BEGIN
	IF timeout IS NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'parameter "timeout" must not be null';
	END IF;
	IF timeout OPERATOR(pg_catalog.<) '0'::pg_catalog.interval
		OR timeout OPERATOR(pg_catalog.>) '24 days'::pg_catalog.interval THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'parameter "timeout" must be between 0 and 24 days';
	END IF;
	numbers := ARRAY(SELECT r.number FROM provreq.ask_cas(provider, cards) AS r);
	COMMIT;
	FOREACH number IN ARRAY numbers LOOP
		PERFORM provreq.wait_for(number, GREATEST('0'::pg_catalog.interval,
			timeout OPERATOR(pg_catalog.-) (pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) asked)));
		COMMIT;
	END LOOP;
	differences := (SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(d)), '[]')
		FROM provreq.differences(provider, cards, asked) AS d);
END
$$;
COMMENT ON PROCEDURE provreq.reconcile(text, text[], interval, jsonb) IS
'Asks a provider what smartcards, given by their identifiers, hold, where it can be asked; commits, waits for the answers up to "timeout", and gives the rows of differences() as a JSON array. A card that got no answer meanwhile is a row without a service. To be called outside of a transaction block. Errors: those of differences(), ask_cas() and wait_for().';

CREATE FUNCTION provreq.reset_provider(named text, of_card text) RETURNS text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	candidates text[];
BEGIN
	IF COALESCE(of_card, named) IS NOT NULL THEN
		RETURN COALESCE(of_card, named);
	END IF;
	SELECT pg_catalog.array_agg(s.srvname ORDER BY s.srvname) INTO candidates
	FROM pg_catalog.pg_foreign_server s
	JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw
	WHERE w.fdwname IN ('conax_web_services', 'nagravision', 'nds')
	AND NOT 'state=not_effective' = ANY (COALESCE(s.srvoptions, '{}'));
	IF COALESCE(pg_catalog.cardinality(candidates), 0) <> 1 THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'parameter "provider" must say where the smartcards are',
			HINT = pg_catalog.format('Effective providers: %s.',
				COALESCE(pg_catalog.array_to_string(candidates, ', '), 'none'));
	END IF;
	RETURN candidates[1];
END
$$;
COMMENT ON FUNCTION provreq.reset_provider(text, text) IS
'The provider of a smartcard: its own, else the named one, else the only effective one. Error: 22023.';

CREATE FUNCTION provreq.reset_smartcard(smartcard_identifier text, subscription_identifier text,
	provider text, since timestamptz) RETURNS SETOF provreq.request
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	card text := $1;
	subscription text := $2;
	at_provider text := $3;
	process CONSTANT text := 'PROVISIONING_REQUEST_PROCESSING';
	can record;
	step record;
BEGIN
	SELECT * INTO can FROM provreq.reconcile_operations(at_provider);
	FOR step IN
		SELECT d.suggestion, pg_catalog.array_agg('id=' || d.product_id ORDER BY d.service_ca_id) AS services,
			pg_catalog.min(d.smartcard_ca_id) AS ca_id, pg_catalog.bool_or(d.in_crm) AS wanted,
			pg_catalog.array_agg(d.service_ca_id ORDER BY d.service_ca_id) AS ca_ids
		FROM provreq.differences(at_provider, ARRAY[card], since) AS d
		WHERE d.suggestion NOT LIKE 'wait_for(%'
		GROUP BY d.suggestion ORDER BY d.suggestion DESC
	LOOP
		CASE step.suggestion
			WHEN can.ask THEN
				RAISE EXCEPTION USING
					ERRCODE = 'object_not_in_prerequisite_state',
					MESSAGE = pg_catalog.format('provider "%s" was not asked lately what smartcard %s holds',
						at_provider, step.ca_id),
					HINT = pg_catalog.format('CALL provreq.reconcile(%L, ARRAY[%L]), or give a greater max_age.',
						at_provider, card);
			WHEN 'service_mapping' THEN
				IF step.wanted THEN
					RAISE EXCEPTION USING
						ERRCODE = 'object_not_in_prerequisite_state',
						MESSAGE = pg_catalog.format('a service of smartcard %s has no mapping at provider "%s"',
							step.ca_id, at_provider),
						DETAIL = pg_catalog.format('provreq.differences(%L, ARRAY[%L]) shows it.', at_provider, card);
				END IF;
				RAISE NOTICE USING
					MESSAGE = pg_catalog.format('smartcard %s holds services that no mapping of provider "%s" names: %s',
						step.ca_id, at_provider, pg_catalog.array_to_string(step.ca_ids, ', ')),
					HINT = 'They were left alone.';
			WHEN can.add_one THEN
				RETURN QUERY SELECT r.* FROM pg_catalog.unnest(step.services) AS s (service),
					LATERAL provreq.conax_add_subscriptions(subscription, s.service, card,
						provider => at_provider, process_name => process) AS r;
			WHEN can.cancel_one THEN
				RETURN QUERY SELECT r.* FROM pg_catalog.unnest(step.services) AS s (service),
					LATERAL provreq.conax_cancel_subscriptions(subscription, s.service, card,
						provider => at_provider, process_name => process) AS r;
			WHEN can.add_list THEN
				RETURN QUERY SELECT r.* FROM provreq.nagravision_add_enhanced_list_of_products(
					services_set => step.services, smartcard_identifier => card,
					subscription_identifier => subscription,
					provider => at_provider, process_name => process) AS r;
			WHEN can.cancel_list THEN
				RETURN QUERY SELECT r.* FROM provreq.nagravision_cancel_list_of_products(
					services_set => step.services, smartcard_identifier => card,
					subscription_identifier => subscription,
					provider => at_provider, process_name => process) AS r;
			WHEN can.reauthorise THEN
				RETURN QUERY SELECT r.* FROM provreq.nds_reauthorise_all_services(
					smartcard_identifier => card, subscription_identifier => subscription,
					provider => at_provider, process_name => process) AS r;
		END CASE;
	END LOOP;
END
$$;
COMMENT ON FUNCTION provreq.reset_smartcard(text, text, text, timestamptz) IS
'Makes the requests that bring a smartcard to what the CRM says; for reset_subscription().';

CREATE FUNCTION provreq.lock_subscription(subscription text) RETURNS void
	LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT provreq.take_lock('provreq.entitlement', subscription);
END;
COMMENT ON FUNCTION provreq.lock_subscription(text) IS
'Lets one transaction at a time reset the subscription of an id. Used by reset_subscription().';

CREATE FUNCTION provreq.reset_subscription(subscription_identifier text,
	provider text DEFAULT NULL, max_age interval DEFAULT '15 minutes') RETURNS SETOF provreq.request
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	subscription text := provreq.reconcile_subscription(subscription_identifier);
	/* beyond which there is no record */
	least_date timestamptz := CASE WHEN max_age > interval '0' THEN
		pg_catalog.now() - LEAST(max_age, interval '1000 years') END;
	card record;
BEGIN
	IF provider IS NOT NULL THEN
		PERFORM provreq.reconcile_operations(provider);
	END IF;
	IF max_age <= interval '0' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'parameter "max_age" must be positive';
	END IF;
	/* one after the other: the second sees the requests of the first */
	PERFORM provreq.lock_subscription(subscription);
	FOR card IN
		SELECT c.item ->> 'id' AS id, provreq.reset_provider($2, c.item ->> 'provider') AS at_provider
		FROM provreq.directory_rows('installed_item', 'subscription_id', ARRAY[subscription]) AS c (item)
		WHERE c.item ->> 'classification' = 'SMARTCARD' AND c.item ->> 'life_cycle_state' = 'EFFECTIVE'
		AND ($2 IS NULL OR c.item ->> 'provider' IS NULL OR c.item ->> 'provider' = $2)
		ORDER BY 1
	LOOP
		RETURN QUERY SELECT * FROM provreq.reset_smartcard('id=' || card.id, 'id=' || subscription,
			card.at_provider, least_date);
	END LOOP;
END
$$;
COMMENT ON FUNCTION provreq.reset_subscription(text, text, interval) IS
'Brings the providers to what the CRM (provreq.entitlement) says of the effective smartcards of a subscription, and returns the requests that it has made for that: for the differences only, less what pending requests will settle anyhow; for Nagravision a list of services is one request; for NDS one re-authorisation a card.
provider: only the smartcards of this one; default each card''s own, or the only effective one. max_age: how old the answer of a provider that can be asked may be (CALL provreq.reconcile(...) asks it); null: of any age, and without one the record of completed requests counts.
Errors: 22004, 42704, 22023 provider not clear or max_age not positive, 55000 no answer that is new enough, or a service of the CRM without a mapping (services of the provider without one are left alone, with a NOTICE), those of the identifier and of the operations.';

GRANT EXECUTE ON FUNCTION provreq.cas_services, provreq.differences,
	provreq.reconcile_operations
	TO provreq_reader;
GRANT EXECUTE ON FUNCTION provreq.ask_cas, provreq.reset_provider,
	provreq.reset_smartcard, provreq.reset_subscription,
	provreq.reconcile_subscription, provreq.lock_subscription
	TO provreq_operator;
GRANT EXECUTE ON PROCEDURE provreq.reconcile TO provreq_operator;
REVOKE ALL ON PROCEDURE provreq.reconcile FROM PUBLIC;
