/*
 * Reading requests as the documented response object.  Everything here runs
 * with the rights of the caller.
 */
CREATE FUNCTION provreq.request_types(kind text DEFAULT NULL) RETURNS text[]
	AS 'MODULE_PATHNAME', 'provreq_request_types'
	LANGUAGE c STABLE PARALLEL SAFE;
COMMENT ON FUNCTION provreq.request_types(text) IS
'The types of requests that there can be, of one kind of providers (the name of a foreign data wrapper) or, without it, of all.';

CREATE FUNCTION provreq.derived_id(seed text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT upper(left(encode(sha256(convert_to(seed, 'UTF8')), 'hex'), 32));
END;
COMMENT ON FUNCTION provreq.derived_id(text) IS
'An identifier of 32 upper-case hexadecimal digits that is always the same for the same text.';

CREATE FUNCTION provreq.local_date(instant timestamptz) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT to_char(instant, 'YYYY-MM-DD"T"HH24:MI:SS');
END;
COMMENT ON FUNCTION provreq.local_date(timestamptz) IS
'A date as the response object has it: 2015-09-07T15:23:15 in the session''s time zone.';

CREATE FUNCTION provreq.request_fields(fields_set text,
	neutral boolean DEFAULT false) RETURNS text[]
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	valid text[] := ARRAY[
		'id', 'number', 'type', 'sequence_number', 'scheduled_date',
		'executed_date', 'priority', 'life_cycle_state',
		'process_immediately', 'request', 'response', 'reference_number',
		'error_code', 'error_description', 'provider_error_code',
		'provider_error_description', 'process_name', 'process_id', 'name',
		'udf_string_1', 'udf_string_2', 'udf_string_3', 'udf_string_4',
		'udf_string_5', 'udf_string_6', 'udf_string_7', 'udf_string_8',
		'udf_float_1', 'udf_float_2', 'udf_float_3', 'udf_float_4',
		'udf_date_1', 'udf_date_2', 'udf_date_3', 'udf_date_4',
		'log_information', 'parameters_set'];
	wanted text[];
	field text;
BEGIN
	IF neutral THEN
		valid := array_remove(valid, 'priority')
			|| ARRAY['provisioning_provider', 'subscription'];
	END IF;
	IF fields_set IS NULL THEN
		RETURN valid;
	END IF;
	FOREACH field IN ARRAY string_to_array(fields_set, ',') LOOP
		field := btrim(field);
		IF NOT field = ANY (valid) THEN
			RAISE EXCEPTION 'parameter "fields_set" has unknown field "%"',
				left(field, 60)
				USING ERRCODE = 'invalid_parameter_value',
				HINT = format('Valid fields are %s.', array_to_string(valid, ', '));
		END IF;
		wanted := wanted || field;
	END LOOP;
	IF wanted IS NULL THEN
		RAISE EXCEPTION 'parameter "fields_set" names no field'
			USING ERRCODE = 'invalid_parameter_value',
			HINT = format('Valid fields are %s.', array_to_string(valid, ', '));
	END IF;
	RETURN wanted;
END
$$;
COMMENT ON FUNCTION provreq.request_fields(text, boolean) IS
'The fields of the response object that a comma-separated list names; all of them for NULL. neutral: those of provisioning/provisioning_requests/show, which has provisioning_provider and subscription, and no priority. An unknown one is an error (22023) that lists the valid ones.';

CREATE FUNCTION provreq.provisioning_provider(provider text) RETURNS jsonb
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object(
		'id', provreq.derived_id('provider ' || provider),
		'name', provider,
		'type', w.fdwname)
	FROM (SELECT) AS one
	LEFT JOIN (pg_foreign_server AS s
		JOIN pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw)
		ON s.srvname = provider;
END;
COMMENT ON FUNCTION provreq.provisioning_provider(text) IS
'A provider as the neutral response object has it: id (derived from the name), name of the foreign server, and as type the name of its foreign data wrapper, null when there is no such server any more.';

CREATE FUNCTION provreq.request_subscription(subscription_id text) RETURNS jsonb
	LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT jsonb_build_object(
		'id', subscription_id,
		'number', (SELECT s ->> 'number' FROM provreq.directory_rows(
			'subscription', 'id', ARRAY[subscription_id]) AS s));
END;
COMMENT ON FUNCTION provreq.request_subscription(text) IS
'A subscription as the neutral response object has it: id, and number, null when the directory does not have it. Errors: those of provreq.directory_rows().';

CREATE FUNCTION provreq.log_user(username text) RETURNS jsonb
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object(
		'id', coalesce(u.id, provreq.derived_id('user ' || log_user.username)),
		'username', log_user.username,
		'person_name', u.person_name,
		'email', u.email)
	FROM (SELECT) AS one
	LEFT JOIN provreq.crm_user AS u ON u.username = log_user.username;
END;
COMMENT ON FUNCTION provreq.log_user(text) IS
'A user as log_information has it. Of one who is not in provreq.crm_user the name alone is known, and the id is derived from it.';

CREATE FUNCTION provreq.log_unit(unit text) RETURNS jsonb
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object(
		'id', coalesce(u.id, provreq.derived_id('unit ' || unit)),
		'name', unit,
		'group_name', u.group_name,
		'community_name', u.community_name,
		'alternative_code', u.alternative_code,
		'description', u.description)
	FROM (SELECT) AS one
	LEFT JOIN provreq.crm_unit AS u ON u.name = unit;
END;
COMMENT ON FUNCTION provreq.log_unit(text) IS
'A unit as the earlier members of log_information have it. Of one that is not in provreq.crm_unit the name alone is known, and the id is derived from it.';

CREATE FUNCTION provreq.log_business_unit(unit text) RETURNS jsonb
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object(
		'id', coalesce(u.id, provreq.derived_id('unit ' || unit)),
		'name', unit,
		'code', u.code,
		'unified_code', u.unified_code,
		'description', u.description,
		'parent_business_unit_name', u.parent_business_unit_name)
	FROM (SELECT) AS one
	LEFT JOIN provreq.crm_unit AS u ON u.name = unit;
END;
COMMENT ON FUNCTION provreq.log_business_unit(text) IS
'A unit as the later members of log_information have it.';

CREATE FUNCTION provreq.log_information(r provreq.request) RETURNS jsonb
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_build_object(
		'created_date', provreq.local_date(r.created_date),
		'updated_date', provreq.local_date(r.updated_date),
		'created_by_user', provreq.log_user(r.created_by_user),
		'updated_by_user', provreq.log_user(r.updated_by_user),
		'created_by_unit', provreq.log_unit(r.created_by_unit),
		'updated_by_unit', provreq.log_unit(r.updated_by_unit),
		'created_by_business_unit', provreq.log_business_unit(r.created_by_unit),
		'updated_by_business_unit', provreq.log_business_unit(r.updated_by_unit));
END;
COMMENT ON FUNCTION provreq.log_information(provreq.request) IS
'Who created and last changed a request, and when, as the response object has it.';

/* Instants are stored in UTC and shown like all other dates. */
CREATE FUNCTION provreq.parameters_set(id text, parameters jsonb) RETURNS jsonb
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(jsonb_agg(
		jsonb_build_object(
			'id', provreq.derived_id(concat_ws(' ', id, p.key, v.place)),
			p.key,
			CASE WHEN p.key IN ('start_date', 'display_date_time',
					'star_indication_date_time')
				THEN to_jsonb(provreq.local_date((v.value #>> '{}')::timestamptz))
				ELSE v.value
			END)
		ORDER BY p.key COLLATE "C", v.place), '[]')
	FROM jsonb_each(parameters) AS p
	CROSS JOIN LATERAL jsonb_array_elements(
		CASE jsonb_typeof(p.value) WHEN 'array' THEN p.value
			ELSE jsonb_build_array(p.value) END)
		WITH ORDINALITY AS v (value, place);
END;
COMMENT ON FUNCTION provreq.parameters_set(text, jsonb) IS
'Parameters as the response object has them: one object {id, name: value} for each value. The ids are derived from the request''s, and stay.';

CREATE FUNCTION provreq.request_object(r provreq.request, fields text[]) RETURNS jsonb
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	parameters jsonb := r.parameters;
	request text := r.request;
	object jsonb;
BEGIN
	IF fields && ARRAY['parameters_set', 'request'] AND
		pg_has_role('provreq_admin', 'USAGE')
	THEN
		SELECT r.parameters || s.parameters, coalesce(s.request, r.request)
			INTO parameters, request
			FROM provreq.request_secret AS s
			WHERE s.number = r.number;
		IF NOT FOUND THEN
			parameters := r.parameters;
			request := r.request;
		END IF;
	END IF;
	object := to_jsonb(r) || jsonb_build_object(
		'number', r.number::text,
		'sequence_number', r.sequence_number::text,
		'scheduled_date', provreq.local_date(r.scheduled_date),
		'executed_date', provreq.local_date(r.executed_date),
		'process_immediately', r.process_immediately::integer,
		'request', request,
		'udf_date_1', provreq.local_date(r.udf_date_1),
		'udf_date_2', provreq.local_date(r.udf_date_2),
		'udf_date_3', provreq.local_date(r.udf_date_3),
		'udf_date_4', provreq.local_date(r.udf_date_4));
	IF 'log_information' = ANY (fields) THEN
		object := object || jsonb_build_object(
			'log_information', provreq.log_information(r));
	END IF;
	IF 'parameters_set' = ANY (fields) THEN
		object := object || jsonb_build_object(
			'parameters_set', provreq.parameters_set(r.id, parameters));
	END IF;
	IF fields && ARRAY['provisioning_provider', 'subscription'] THEN
		object := object || jsonb_build_object(
			'provisioning_provider', provreq.provisioning_provider(r.provider),
			'subscription', provreq.request_subscription(r.subscription_id));
	END IF;
	RETURN (SELECT jsonb_object_agg(f.field, object -> f.field)
		FROM unnest(fields) AS f (field));
END
$$;
COMMENT ON FUNCTION provreq.request_object(provreq.request, text[]) IS
'A request as the documented response object, with the given fields of it. Secret parameters are asterisks for all but members of provreq_admin.';

CREATE FUNCTION provreq.show(identifier text, fields_set text DEFAULT NULL,
	kind text DEFAULT NULL)
	RETURNS jsonb
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	field CONSTANT text := split_part(identifier, '=', 1);
	value CONSTANT text := substr(identifier, length(field) + 2);
	neutral CONSTANT boolean := kind IS NOT DISTINCT FROM 'provisioning';
	fields CONSTANT text[] := provreq.request_fields(fields_set, neutral);
	found_request provreq.request;
BEGIN
	IF coalesce(identifier, '') = '' THEN
		RAISE EXCEPTION 'parameter "identifier" is mandatory'
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF position('=' IN identifier) = 0 OR field NOT IN ('id', 'number') THEN
		RAISE EXCEPTION 'parameter "identifier" must be id=value or number=value'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF field = 'id' THEN
		SELECT r.* INTO found_request FROM provreq.request AS r
			WHERE r.id = value;
	ELSIF value !~ '^[0-9]{1,18}$' THEN
		RAISE EXCEPTION 'parameter "identifier": a number has 1 to 18 digits'
			USING ERRCODE = 'invalid_parameter_value';
	ELSE
		SELECT r.* INTO found_request FROM provreq.request AS r
			WHERE r.number = value::bigint;
	END IF;
	IF found_request.number IS NULL OR NOT neutral AND kind IS NOT NULL
		AND NOT found_request.type = ANY (provreq.request_types(kind))
	THEN
		RAISE EXCEPTION 'there is no request with % "%"', field, left(value, 60)
			USING ERRCODE = 'no_data_found';
	END IF;
	RETURN provreq.request_object(found_request, fields);
END
$$;
COMMENT ON FUNCTION provreq.show(text, text, text) IS
'One request as the documented response object. identifier: id=... or number=...; fields_set: comma-separated fields, default all; kind: a request of that kind of providers only (the name of a foreign data wrapper), or provisioning: of any, as the neutral object, which has provisioning_provider and subscription, and no priority. Errors: 22004 no identifier, 22023 malformed identifier or unknown field, P0002 no such request, 42704 no such kind.';

CREATE FUNCTION provreq.check_list_arguments(type text, life_cycle_state text,
	reference_number text, number_of_results integer, "offset" integer,
	types text[])
	RETURNS void
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF num_nonnulls(type, life_cycle_state, reference_number) <> 1 THEN
		RAISE EXCEPTION 'exactly one of "type", "life_cycle_state" and "reference_number" must be given'
			USING ERRCODE = CASE num_nonnulls(type, life_cycle_state, reference_number)
				WHEN 0 THEN 'null_value_not_allowed' ELSE 'invalid_parameter_value' END;
	END IF;
	IF type IS NOT NULL AND NOT type = ANY (types) THEN
		RAISE EXCEPTION 'parameter "type" cannot be "%"', left(type, 60)
			USING ERRCODE = 'invalid_parameter_value',
			HINT = format('Valid values are %s.',
				array_to_string(types, ', '));
	END IF;
	IF life_cycle_state NOT IN ('PENDING', 'REJECTED', 'COMPLETED') THEN
		RAISE EXCEPTION 'parameter "life_cycle_state" cannot be "%"',
			left(life_cycle_state, 60)
			USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Valid values are PENDING, REJECTED, COMPLETED.';
	END IF;
	IF number_of_results NOT BETWEEN 1 AND 10000 THEN
		RAISE EXCEPTION 'parameter "number_of_results" must be between 1 and 10000'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF "offset" < 0 THEN
		RAISE EXCEPTION 'parameter "offset" must be at least 0'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
END
$$;
COMMENT ON FUNCTION provreq.check_list_arguments(text, text, text, integer, integer, text[]) IS
'Raises an error (22023, or 22004 when none of the three is given) unless provreq.list can answer.';

/*
 * Three statements, planned for their very arguments, so that each has the
 * index it wants.  Only a closed request has a reference number.
 */
CREATE FUNCTION provreq.list(type text DEFAULT NULL,
	life_cycle_state text DEFAULT NULL,
	reference_number text DEFAULT NULL,
	number_of_results integer DEFAULT 100,
	"offset" integer DEFAULT 0,
	fields_set text DEFAULT NULL,
	kind text DEFAULT NULL)
	RETURNS SETOF jsonb
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
	fields CONSTANT text[] := provreq.request_fields(fields_set);
	many CONSTANT integer := coalesce(number_of_results, 100);
	skip CONSTANT integer := coalesce("offset", 0);
	types CONSTANT text[] := provreq.request_types(kind);
BEGIN
	PERFORM provreq.check_list_arguments(list.type, list.life_cycle_state,
		list.reference_number, many, skip, types);
	IF list.type IS NOT NULL THEN
		RETURN QUERY SELECT provreq.request_object(l.r, fields) FROM (
			SELECT r FROM provreq.request AS r
			WHERE r.type = list.type
			ORDER BY r.number DESC LIMIT many OFFSET skip) AS l;
	ELSIF list.life_cycle_state IS NOT NULL THEN
		RETURN QUERY SELECT provreq.request_object(l.r, fields) FROM (
			SELECT r FROM provreq.request AS r
			WHERE r.life_cycle_state = list.life_cycle_state
			AND (list.kind IS NULL OR r.type = ANY (types))
			ORDER BY r.number DESC LIMIT many OFFSET skip) AS l;
	ELSE
		RETURN QUERY SELECT provreq.request_object(l.r, fields) FROM (
			SELECT r FROM provreq.request AS r
			WHERE r.reference_number = list.reference_number
			AND r.life_cycle_state IN ('COMPLETED', 'REJECTED')
			AND (list.kind IS NULL OR r.type = ANY (types))
			ORDER BY r.number DESC LIMIT many OFFSET skip) AS l;
	END IF;
END
$$;
COMMENT ON FUNCTION provreq.list(text, text, text, integer, integer, text, text) IS
'Requests as documented response objects, the newest first. Exactly one of type, life_cycle_state and reference_number; number_of_results: 1 to 10000, default 100; offset: how many to pass over, which are read, too; fields_set: comma-separated fields, default all; kind: requests of that kind of providers only (the name of a foreign data wrapper). Errors: 22023, 22004 none of the three is given, 42704 no such kind.';

CREATE FUNCTION provreq.preview(number bigint) RETURNS text
	AS 'MODULE_PATHNAME', 'provreq_preview'
	LANGUAGE c VOLATILE STRICT SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION provreq.preview(bigint) IS
'What goes out for a request: method and path, headers, body; what went out where it was sent already. Secret parameters are asterisks for all but members of provreq_admin, the provider''s credentials for everybody. Sees a request that the same statement has made, too. Errors: P0002 no such request.';

CREATE FUNCTION provreq.explain_reply(provider text, reply bytea,
	http_status integer DEFAULT 200, operation text DEFAULT NULL,
	OUT verdict text,
	OUT error_code text,
	OUT error_description text,
	OUT provider_error_code text,
	OUT provider_error_description text,
	OUT reference_number text,
	OUT response_data jsonb,
	OUT response text)
	AS 'MODULE_PATHNAME', 'provreq_explain_reply'
	LANGUAGE c STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION provreq.explain_reply(text, bytea, integer, text) IS
'How the senders would read an answer of a provider. operation: a name or a type; without it the answer is tried as one to each operation. verdict: DONE, REFUSED (never tried again), RETRY (surely not carried out) or UNKNOWN (the request is in doubt). Errors: 42704 no such provider, 22023 no such operation.';

GRANT EXECUTE ON FUNCTION provreq.request_types(text), provreq.derived_id(text),
	provreq.local_date(timestamptz), provreq.request_fields(text, boolean),
	provreq.provisioning_provider(text), provreq.request_subscription(text),
	provreq.log_user(text), provreq.log_unit(text),
	provreq.log_business_unit(text), provreq.log_information(provreq.request),
	provreq.parameters_set(text, jsonb),
	provreq.request_object(provreq.request, text[]),
	provreq.show(text, text, text),
	provreq.check_list_arguments(text, text, text, integer, integer, text[]),
	provreq.list(text, text, text, integer, integer, text, text),
	provreq.preview(bigint), provreq.explain_reply(text, bytea, integer, text)
	TO provreq_reader;
