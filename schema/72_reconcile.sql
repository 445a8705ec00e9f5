/*
 * Reconciliation: what the CRM says that a smartcard should have, against
 * what the conditional access system holds.
 *
 * The CRM's side is provreq.entitlement.  The system's side is its last
 * answer to GET_ACTIVE_SUBSCRIPTIONS and the changes that it has carried out
 * since; of a system that cannot be asked, the record of what it has carried
 * out.  Both are found by the index of the closed part on the first ordering
 * key, which is the smartcard.
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

CREATE FUNCTION provreq.cas_services(provider text, smartcard_ca_ids text[], since timestamptz DEFAULT NULL)
	RETURNS TABLE (smartcard_ca_id text, services text[], as_of timestamptz, pending jsonb)
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
		/* the last word on each service */
		SELECT pg_catalog.array_agg(l.service ORDER BY l.service) FILTER (WHERE l.present) INTO services
		FROM (
			SELECT DISTINCT ON (w.service) w.service, w.present FROM (
				SELECT a.value ->> 'service_ca_id' AS service, true AS present, answer.sequence_number AS at
				FROM pg_catalog.jsonb_array_elements(answer.response_data -> 'active_subscriptions') AS a (value)
				UNION ALL
				SELECT s.service, r.type = ANY (adds), r.sequence_number
				FROM provreq.request_closed r, LATERAL provreq.services_of(r.parameters) AS s (service)
				WHERE r.ordering_keys[1] = key AND r.provider = $1
				AND r.type = ANY (changes) AND r.life_cycle_state = 'COMPLETED'
				AND r.sequence_number > COALESCE(answer.sequence_number, 0)
			) AS w ORDER BY w.service, w.at DESC) AS l;
		services := COALESCE(services, '{}');
		SELECT COALESCE(pg_catalog.jsonb_object_agg(l.service, l.request), '{}') INTO pending
		FROM (
			SELECT DISTINCT ON (s.service) s.service, pg_catalog.jsonb_build_object(
				'number', r.number, 'present', r.type = ANY (adds)) AS request
			FROM provreq.request_pending r, LATERAL provreq.services_of(r.parameters) AS s (service)
			WHERE r.ordering_keys @> ARRAY[key] AND r.provider = $1 AND r.type = ANY (changes)
			ORDER BY s.service, r.number DESC) AS l;
		RETURN NEXT;
	END LOOP;
END
$$;

COMMENT ON FUNCTION provreq.cas_services(text, text[], timestamptz) IS
'What the conditional access system holds for smartcards (CA IDs): services, CA IDs in order; as_of, when the answer was asked for that they come from, null when there is none since the given time, so that they come from the record of completed requests alone; pending, for each service the last pending request that changes it (number, present).';

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
				NULL::boolean, COALESCE(can.reauthorise, can.ask), NULL::timestamptz;
			CONTINUE;
		END IF;
		RETURN QUERY
		WITH mappings AS MATERIALIZED (
			SELECT * FROM provreq.reconcile_mappings(at_provider)
		), crm AS (
			/* services that the provider calls the same are one to it */
			SELECT pg_catalog.min(e.product_id) AS product_id, m.service_ca_id AS service
			FROM (SELECT r.entitlement ->> 'product_id' AS product_id
				FROM provreq.directory_rows('entitlement', 'installed_item_id', ARRAY[item.id])
					AS r (entitlement)) AS e
			LEFT JOIN mappings AS m USING (product_id)
			GROUP BY m.service_ca_id, CASE WHEN m.service_ca_id IS NULL THEN e.product_id END
		), both_sides AS (
			SELECT COALESCE(c.service, h.service) AS service, c.product_id,
				c.product_id IS NOT NULL AS wanted, h.service IS NOT NULL AS present,
				held.pending -> COALESCE(c.service, h.service) AS request
			FROM crm AS c
			FULL JOIN pg_catalog.unnest(held.services) AS h (service) ON h.service = c.service
			UNION ALL
			/* what only a pending request knows */
			SELECT p.key, NULL, false, false, p.value
			FROM pg_catalog.jsonb_each(held.pending) AS p
			WHERE p.key <> ALL (held.services)
			AND NOT EXISTS (SELECT FROM crm AS c WHERE c.service = p.key)
		), outlook AS (
			SELECT b.*, COALESCE((b.request ->> 'present')::boolean, b.present) AS will_be,
				COALESCE(b.product_id, (SELECT pg_catalog.min(m.product_id)
					FROM mappings AS m WHERE m.service_ca_id = b.service)) AS product
			FROM both_sides AS b
		)
		SELECT card, item.ca_id, o.service, o.product, o.wanted, o.present,
			CASE
				WHEN o.service IS NULL THEN 'service_mapping'
				WHEN o.wanted = o.will_be THEN 'wait_for(' || (o.request ->> 'number') || ')'
				WHEN o.wanted THEN COALESCE(can.add_one, can.add_list)
				WHEN o.product IS NULL THEN 'service_mapping'
				ELSE COALESCE(can.cancel_one, can.cancel_list)
			END, held.as_of
		FROM outlook AS o
		WHERE o.service IS NULL OR o.wanted <> o.present OR o.wanted <> o.will_be
		ORDER BY o.service, o.product;
	END LOOP;
END
$$;
COMMENT ON FUNCTION provreq.differences(text, text[], timestamptz) IS
'What the CRM (provreq.entitlement) and a provider hold differently for smartcards, given by their identifiers: one row a service, none where they agree. It asks nobody, but reads the last answers; see reconcile().
in_cas: by the last answer and what was completed since, or, where there is none, by the record of completed requests; null when that is not known. as_of: when the answer was asked for. since: answers from before do not count, and a card without one is a row without a service.
suggestion: the operation that makes both agree, wait_for(number) where a pending request will, service_mapping where the provider''s name of a service, or the service of a name, is missing, get_active_subscriptions where the provider has to be asked, reauthorise_all_services for NDS, which cannot be asked and takes no single services.
Errors: 22004, 42704, those of the identifiers.';

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
	asked timestamptz := pg_catalog.clock_timestamp();
	numbers bigint[];
	number bigint;
BEGIN
	IF timeout IS NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'parameter "timeout" must not be null';
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

CREATE FUNCTION provreq.reset_subscription(subscription_identifier text,
	provider text DEFAULT NULL, max_age interval DEFAULT '15 minutes') RETURNS SETOF provreq.request
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	subscription text := provreq.reconcile_subscription(subscription_identifier);
	card record;
BEGIN
	IF provider IS NOT NULL THEN
		PERFORM provreq.reconcile_operations(provider);
	END IF;
	/* one after the other: the second sees the requests of the first */
	PERFORM pg_catalog.pg_advisory_xact_lock('provreq.entitlement'::regclass::oid::integer,
		pg_catalog.hashtext(subscription));
	FOR card IN
		SELECT c.item ->> 'id' AS id, provreq.reset_provider($2, c.item ->> 'provider') AS at_provider
		FROM provreq.directory_rows('installed_item', 'subscription_id', ARRAY[subscription]) AS c (item)
		WHERE c.item ->> 'classification' = 'SMARTCARD' AND c.item ->> 'life_cycle_state' = 'EFFECTIVE'
		AND ($2 IS NULL OR c.item ->> 'provider' IS NULL OR c.item ->> 'provider' = $2)
		ORDER BY 1
	LOOP
		RETURN QUERY SELECT * FROM provreq.reset_smartcard('id=' || card.id, 'id=' || subscription,
			card.at_provider, pg_catalog.now() - max_age);
	END LOOP;
END
$$;
COMMENT ON FUNCTION provreq.reset_subscription(text, text, interval) IS
'Brings the providers to what the CRM (provreq.entitlement) says of the effective smartcards of a subscription, and returns the requests that it has made for that: for the differences only, less what pending requests will settle anyhow; for Nagravision a list of services is one request; for NDS one re-authorisation a card.
provider: only the smartcards of this one; default each card''s own, or the only effective one. max_age: how old the answer of a provider that can be asked may be (CALL provreq.reconcile(...) asks it); null: of any age, and without one the record of completed requests counts.
Errors: 22004, 42704, 22023 provider not clear, 55000 no answer that is new enough, or a service of the CRM without a mapping (services of the provider without one are left alone, with a NOTICE), those of the identifier and of the operations.';

GRANT EXECUTE ON FUNCTION provreq.cas_services, provreq.differences,
	provreq.reconcile_operations
	TO provreq_reader;
GRANT EXECUTE ON FUNCTION provreq.ask_cas, provreq.reset_provider,
	provreq.reset_smartcard, provreq.reset_subscription,
	provreq.reconcile_subscription
	TO provreq_operator;
GRANT EXECUTE ON PROCEDURE provreq.reconcile TO provreq_operator;
REVOKE ALL ON PROCEDURE provreq.reconcile FROM PUBLIC;
