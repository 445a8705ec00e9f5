-- The JSON facade: documented paths and bodies, documented answers
\pset tuples_only on
\pset format unaligned
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
INSERT INTO provreq.subscription (id, number) VALUES
	('98D375E905CD31F4CC780342525B2078', 'S70001'), ('98D375E905CD31F4CC780342525B2079', 'S70002');
INSERT INTO provreq.installed_item (id, serial_number, subscription_id, classification, ca_id) VALUES
	('C0000000000000000000000000000101', 'smrt-doc', '98D375E905CD31F4CC780342525B2078', 'SMARTCARD', 'stb01-3020-0005'),
	('C0000000000000000000000000000102', 'smrt-two-1', '98D375E905CD31F4CC780342525B2079', 'SMARTCARD', '000000000217'),
	('C0000000000000000000000000000103', 'smrt-two-2', '98D375E905CD31F4CC780342525B2079', 'SMARTCARD', '000000000225'),
	('D0000000000000000000000000000101', 'stb-doc', '98D375E905CD31F4CC780342525B2078', 'STB', 'THMOD001-10009');
INSERT INTO provreq.subscription_distributor (id, installed_item_id) VALUES
	('D38DDF91D9005B116F9B02DBB4EA258A', 'C0000000000000000000000000000101'),
	('DC8C40B2BD4CACB6D1339C12E9DD7F9A', 'D0000000000000000000000000000101');
INSERT INTO provreq.product (code) VALUES ('Cartoons 1');
INSERT INTO provreq.service_mapping (product_id, service_ca_id)
	SELECT id, '4001' FROM provreq.product WHERE code = 'Cartoons 1';
INSERT INTO provreq.crm_user (id, username, person_name) VALUES ('11', 'mlannister', 'Marios Lannister');
INSERT INTO provreq.crm_unit (id, name, group_name, community_name, alternative_code, description) VALUES
	('48305F8849E3C18B227C5BE3A27BA6E0', 'Documented Unit', 'Main Group', 'Main Community', 'MG', 'r1');

-- An answer in few words: the code, and what was made or what is wrong
CREATE FUNCTION brief(answer jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(E'\n  ', answer #>> '{status,code}', answer #>> '{status,message}', answer #>> '{status,description}',
		nullif(answer -> 'data', 'null') ->> 'type',
		(SELECT string_agg((p - 'id')::text, ' ') FROM jsonb_array_elements(answer #> '{data,parameters_set}') AS p))
$$;
CREATE FUNCTION post(path text, body jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT brief(provreq.web_api('POST', path, body))
$$;
CREATE FUNCTION get(path text, body jsonb DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(E'\n  ', a #>> '{status,code}', a #>> '{status,message}', a #>> '{status,description}', nullif(a -> 'data', 'null')::text)
		FROM provreq.web_api('GET', path, body) AS a
$$;

-- Key by key against a documented answer: what it has and ours lacks, or has
-- in another type; null goes with everything
CREATE FUNCTION missing(documented jsonb, ours jsonb, place text DEFAULT '$') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	member record;
BEGIN
	IF 'null' IN (jsonb_typeof(documented), jsonb_typeof(ours)) THEN
		RETURN;
	ELSIF jsonb_typeof(documented) IS DISTINCT FROM jsonb_typeof(ours) THEN
		RETURN NEXT format('%s: %s, not %s', place, coalesce(jsonb_typeof(ours), 'absent'), jsonb_typeof(documented));
	ELSIF jsonb_typeof(documented) = 'object' THEN
		FOR member IN SELECT * FROM jsonb_each(documented) LOOP
			IF NOT ours ? member.key THEN
				RETURN NEXT format('%s.%s: absent', place, member.key);
			ELSE
				RETURN QUERY SELECT missing(member.value, ours -> member.key, place || '.' || member.key);
			END IF;
		END LOOP;
	ELSIF jsonb_typeof(documented) = 'array' THEN
		RETURN QUERY SELECT format('%s[]: no object with %s', place, string_agg(k, ', ' ORDER BY k))
			FROM jsonb_array_elements(documented) WITH ORDINALITY AS d (element, n), jsonb_object_keys(element) AS k
			WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(ours) AS o WHERE NOT EXISTS (
				(SELECT jsonb_object_keys(element) EXCEPT SELECT jsonb_object_keys(o))
				UNION ALL (SELECT jsonb_object_keys(o) EXCEPT SELECT jsonb_object_keys(element))))
			GROUP BY n;
	END IF;
END
$$;

-- The documented example of create_pairing, body and answer
SELECT provreq.open_session('mlannister', 'Documented Unit') AS token \gset
SELECT provreq.web_api('POST', 'conax_web_services/provisioning_requests/create_pairing', jsonb_set($${
    "token": "",
    "subscription_identifier":{"id":"98D375E905CD31F4CC780342525B2078"},
    "smartcard_set": [{"smartcard_ca_id":"stb01-3020-0005"}],
    "stb_set": [{"stb_ca_id":"THMOD001-10009"}]
}$$, '{token}', to_jsonb(:'token'::text))) AS paired \gset
SELECT $${"status": {"message": null, "description": null, "code": "OK"},
	"data": {
		"scheduled_date": "2014-10-30T09:00:00", "response": null, "error_code": null, "priority": "REGULAR",
		"error_description": null, "sequence_number": null, "process_id": null, "name": null,
		"parameters_set": [
			{"id": "0E00CF63793A21302ED21E7CB5D0E826", "stb_ca_id": "THMOD001-10009"},
			{"smartcard_ca_id": "stb01-3020-0005", "id": "8B8BAB8CD7E651E4CF42FCF0518850B8"},
			{"stb_sub_provisioning_distributor_id": "DC8C40B2BD4CACB6D1339C12E9DD7F9A", "id": "907416B03803425E9DB34516AF0658AE"},
			{"smartcard_sub_provisioning_distribution_id": "D38DDF91D9005B116F9B02DBB4EA258A", "id": "C32239BD7B893C669BA2C5930B151A33"}],
		"process_immediately": 0, "request": null,
		"log_information": {
			"updated_date": "2014-10-07T17:07:48",
			"created_by_unit": {"community_name": "Main Community", "group_name": "Main Group", "name": "Admin Unit",
				"id": "48305F8849E3C18B227C5BE3A27BA6DF", "description": "r1", "alternative_code": "MG"},
			"created_date": "2014-10-07T17:07:47",
			"updated_by_unit": {"community_name": "Main Community", "group_name": "Main Group", "name": "Admin Unit",
				"id": "48305F8849E3C18B227C5BE3A27BA6DF", "description": "r1", "alternative_code": "MG"},
			"created_by_user": {"person_name": "Marios Lannister", "username": "MPAdministrator", "id": "1", "email": null},
			"updated_by_user": {"person_name": "Marios Lannister", "username": "MPAdministrator", "id": "1", "email": null}},
		"provider_error_code": null, "life_cycle_state": "PENDING", "provider_error_description": null,
		"type": "CREATE_PAIRING", "id": "F63207AD7773D74AB96E414AEE8B6F66", "process_name": null, "executed_date": null}}$$ AS documented \gset
SELECT missing(:'documented', :'paired');
-- the comparison sees what it must
SELECT missing('{"a": "x", "b": 1, "c": {"d": null}, "e": [{"id": "1", "f": null}, {"id": "2"}]}', '{"b": "1", "c": {}, "e": [{"id": "1", "f": 2}, {"id": "2", "g": 3}]}');
-- what ours has beyond it
SELECT string_agg(k, ' ' ORDER BY k) FROM jsonb_object_keys(:'paired'::jsonb -> 'data') AS k WHERE NOT :'documented'::jsonb -> 'data' ? k;
SELECT string_agg(k, ' ' ORDER BY k) FROM jsonb_object_keys(:'paired'::jsonb #> '{data,log_information}') AS k
	WHERE NOT :'documented'::jsonb #> '{data,log_information}' ? k;
-- and the same facts
SELECT (d #- '{log_information,created_date}' #- '{log_information,updated_date}') - '{id,number,scheduled_date,parameters_set}'::text[]
	FROM jsonb_path_query(:'paired', '$.data') AS d;
SELECT p - 'id', p ->> 'id' ~ '^[0-9A-F]{32}$' FROM jsonb_path_query(:'paired', '$.data.parameters_set[*]') AS p;
SELECT d ->> 'id' ~ '^[0-9A-F]{32}$', jsonb_typeof(d -> 'number'), jsonb_typeof(d -> 'process_immediately'),
	d ->> 'scheduled_date' ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$' FROM jsonb_path_query(:'paired', '$.data') AS d;
SELECT :'paired'::jsonb -> 'status';
-- it is what show() says
SELECT :'paired'::jsonb -> 'data' = provreq.show('number=' || (:'paired'::jsonb #>> '{data,number}'));

-- Every operation of conax_web_services
\set who '"subscription_identifier": {"number": "S60507"}, "smartcard_identifier": {"serial_number": "smrt20000054"}, "scheduled_date": "2200-01-02T03:04:05"'
SELECT post('conax_web_services/provisioning_request/add_subscriptions', ('{"service_identifier": {"code": "SPORT"}, "start_date": "2035-01-01", ' || :'who' || '}')::jsonb);
SELECT post('conax_web_services/provisioning_request/cancel_subscriptions', ('{"service_identifier": {"code": "SPORT"}, ' || :'who' || '}')::jsonb);
SELECT post('conax_web_services/provisioning_request/add_to_existing_pairing', '{"existing_smartcard_ca_id": "e1", "smartcard_set": [{"smartcard_ca_id": "x1"}, {"smartcard_ca_id": "x2"}],
	"stb_set": [{"stb_ca_id": "x3"}]}');
SELECT post('conax_web_services/provisioning_request/reset_pin_to_default_value', ('{' || :'who' || '}')::jsonb);
SELECT post('conax_web_services/provisioning_request/reset_pin_to_given_value', ('{"pin": "0042", ' || :'who' || '}')::jsonb);
\set card '"smartcard_identifier": {"id": "C0000000000000000000000000000001"}'
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions', ('{' || :'card' || '}')::jsonb);
SELECT post('conax_web_services/provisioning_requests/get_pairing_status_for_card', ('{' || :'card' || '}')::jsonb);
SELECT post('conax_web_services/provisioning_requests/get_pairing_status_for_pairing_module', '{"stb_identifier": {"serial_number": "stb-1"}}');
SELECT post('conax_web_services/provisioning_requests/display_fingerprint', ('{"display_duration": 30, "position_x": "17", "position_y": 0, "height": 65535,
	"fingerprint_slot": "a", "display_date_time": "2035-01-02T03:04:05", ' || :'card' || '}')::jsonb);
SELECT post('conax_web_services/provisioning_requests/send_mail_message', ('{"message": "Hello \"you\" & <you>", ' || :'card' || '}')::jsonb);
SELECT post('conax_web_services/provisioning_requests/send_bark_message', ('{"message": "Hello", "start_indication_date_time": "2035-01-02", ' || :'card' || '}')::jsonb);
SELECT post('conax_web_services/provisioning_requests/send_repeating_bark_message', ('{"message": "Hello", "repetition_count": 3, "repetition_interval": 20, ' || :'card' || '}')::jsonb);
-- What all of them take
SELECT (provreq.web_api('POST', 'conax_web_services/provisioning_requests/get_active_subscriptions', ('{"process_immediately": true, "priority": "EXPRESS", "name": "n", "process_id": "7",
	"process_name": "PAIRING_UTILITY", "provider": "regress_conax", "udf_string_1": "a", "udf_string_8": "h", "udf_float_1": 0.5, "udf_date_4": "2015-09-07T15:23:15", '
	|| :'card' || '}')::jsonb) -> 'data') - '{id,number,scheduled_date,log_information,parameters_set}'::text[];
SELECT (provreq.web_api('POST', 'conax_web_services/provisioning_requests/get_active_subscriptions', ('{"scheduled_date": "2200-01-02T03:04:05", "process_immediately": 0, "priority": null,
	"udf_string_1": null, "provider": null, ' || :'card' || '}')::jsonb) -> 'data') - '{id,number,log_information,parameters_set}'::text[];

-- Ways to write a path and a method
SELECT path, get(path) FROM unnest(ARRAY[
	'conax_web_services/provisioning_requests/list?type=CREATE_PAIRING&fields_set=type&number_of_results=1',
	'/conax_web_services/provisioning_requests/list?type=CREATE_PAIRING&fields_set=type&number_of_results=1',
	'conax_web_services/provisioning_request/list/?type=CREATE_PAIRING&fields_set=type&number_of_results=1',
	'/conax_web_services/list?type=CREATE_PAIRING&&fields_set=type&number_of_results=1&',
	'conax_web_services/list?t%79pe=CREATE%5FPAIRING&fields_set=+type%2Ctype,%74ype&number_of_results=1']) AS path;
SELECT brief(provreq.web_api('get', 'conax_web_services/list', '{"type": "CREATE_PAIRING", "number_of_results": 1}')), brief(provreq.web_api('Post', '/conax_web_services/get_active_subscriptions',
	('{' || :'card' || '}')::jsonb));

-- GET show
SELECT :'paired'::jsonb #>> '{data,number}' AS number, :'paired'::jsonb #>> '{data,id}' AS id \gset
SELECT provreq.web_api('GET', path, body) -> 'data' = :'paired'::jsonb -> 'data' FROM (VALUES
	('conax_web_services/provisioning_requests/show?provisioning_request_identifier=number=' || :'number', NULL::jsonb),
	('conax_web_services/provisioning_requests/show?provisioning_request_identifier=id%3d' || :'id', NULL),
	('conax_web_services/provisioning_requests/show', '{}'),
	('conax_web_services/provisioning_requests/show', jsonb_build_object('provisioning_request_identifier', 'number=' || :'number')),
	('conax_web_services/provisioning_requests/show', jsonb_build_object('provisioning_request_identifier', jsonb_build_object('number', :'number'))),
	('conax_web_services/provisioning_requests/show?token=' || :'token', jsonb_build_object('provisioning_request_identifier', jsonb_build_object('id', :'id', 'number', NULL)))
	) AS v (path, body);
SELECT get('conax_web_services/provisioning_requests/show?fields_set=type, priority ,life_cycle_state&provisioning_request_identifier=number=' || :'number');
SELECT get('conax_web_services/provisioning_requests/show?fields_set=type,colour&provisioning_request_identifier=number=' || :'number');
SELECT get('conax_web_services/provisioning_requests/show?fields_set=&provisioning_request_identifier=number=' || :'number');
-- of another kind
SELECT get('nds/provisioning_requests/show?provisioning_request_identifier=id=' || :'id') ~ '^NOT_FOUND', get('nagravision/provisioning_requests/show?provisioning_request_identifier=id=' || :'id') ~ '^NOT_FOUND';
-- The neutral object
SELECT o - 'log_information' - 'parameters_set' - 'id' - 'number' - 'scheduled_date' FROM jsonb_path_query(provreq.web_api('GET',
	'provisioning/provisioning_requests/show?provisioning_request_identifier=number=' || :'number'), '$.data') AS o;
SELECT get('provisioning/provisioning_requests/show?fields_set=priority&provisioning_request_identifier=number=' || :'number');
SELECT get('conax_web_services/provisioning_requests/show?fields_set=subscription&provisioning_request_identifier=number=' || :'number') ~ 'unknown field "subscription"';
BEGIN;
CREATE VIEW crm_subscription AS SELECT id, 'CRM-' || number AS number FROM provreq.subscription;
GRANT SELECT ON crm_subscription TO provreq_reader;
SELECT provreq.use_directory('subscription', 'crm_subscription', NULL, 'provreq_reader');
SELECT get('provisioning/provisioning_requests/show?fields_set=subscription&provisioning_request_identifier=number=' || :'number');
ROLLBACK;
INSERT INTO provreq.request (number, provider, type, life_cycle_state, closed_date, ordering_keys, reference_number)
	VALUES (900000001, 'gone', 'CLEAR_PIN', 'COMPLETED', '2020-01-02', '{x}', 'ref/1 ä'), (900000002, 'gone', 'CREATE_PAIRING', 'REJECTED', '2020-01-02', '{x}', 'ref/1 ä');
SELECT get('provisioning/show?fields_set=type,subscription,provisioning_provider&provisioning_request_identifier=number=900000001');

-- GET list
SELECT get('conax_web_services/provisioning_requests/list?reference_number=ref%2F1+%C3%A4&fields_set=number,type');
SELECT get('conax_web_services/provisioning_requests/list', '{"reference_number": "ref/1 ä", "fields_set": "number"}');
SELECT get('conax_web_services/provisioning_requests/list?life_cycle_state=REJECTED&fields_set=number&number_of_results=1');
SELECT get('nds/provisioning_requests/list?life_cycle_state=PENDING');
SELECT get('conax_web_services/provisioning_requests/list?type=DISPLAY_FINGERPRINT&fields_set=number&offset=1000000');
SELECT get('conax_web_services/provisioning_requests/list');
SELECT get('conax_web_services/provisioning_requests/list?type=CREATE_PAIRING&life_cycle_state=PENDING');
SELECT get('conax_web_services/provisioning_requests/list?type=MAKE_COFFEE');
SELECT get('conax_web_services/provisioning_requests/list?type=CREATE_PAIRING&number_of_results=x');
SELECT get('conax_web_services/provisioning_requests/list?type=CREATE_PAIRING&number_of_results=0');
SELECT get('conax_web_services/provisioning_requests/list?type=CREATE_PAIRING&number_of_results=10001');
SELECT get('conax_web_services/provisioning_requests/list?type=CREATE_PAIRING&number_of_results=99999999999');
SELECT get('conax_web_services/provisioning_requests/list?type=CREATE_PAIRING&offset=-1');
SELECT get('conax_web_services/provisioning_requests/list?type=CREATE_PAIRING&limit=1');
SELECT get('provisioning/provisioning_requests/list?type=CREATE_PAIRING');
SELECT get('conax_web_services/provisioning_requests/list?type=CREATE_PAIRING', '{"type": "CREATE_PAIRING"}');
SELECT get('conax_web_services/provisioning_requests/list?type=CREATE_PAIRING&type=CREATE_PAIRING');
SELECT get('conax_web_services/provisioning_requests/list', '{"type": 1}');
SELECT get('conax_web_services/provisioning_requests/list', '{"type": ["CREATE_PAIRING"]}');
SELECT get('conax_web_services/provisioning_requests/show');
SELECT get('conax_web_services/provisioning_requests/show?provisioning_request_identifier=17');
SELECT get('conax_web_services/provisioning_requests/show?provisioning_request_identifier=code=17');
SELECT get('conax_web_services/provisioning_requests/show?provisioning_request_identifier=number=x');
SELECT get('conax_web_services/provisioning_requests/show?provisioning_request_identifier=number=1e999');
SELECT get('conax_web_services/provisioning_requests/show', '{"provisioning_request_identifier": {"number": 17}}');
SELECT get('conax_web_services/provisioning_requests/show', '{"provisioning_request_identifier": {"number": "1", "id": "2"}}');
SELECT get('conax_web_services/provisioning_requests/show', '{"provisioning_request_identifier": {}}');
SELECT get('conax_web_services/provisioning_requests/show', '{"provisioning_request_identifier": ["number", "1"]}');
SELECT get('conax_web_services/provisioning_requests/show', '{"provisioning_request_identifier": {"number=1": "1"}}');

-- Paths, methods, bodies that are none
SELECT get('');
SELECT get(NULL);
SELECT get('/');
SELECT get('list');
SELECT get('conax/provisioning_requests/list');
SELECT get('conax_web_services/requests/list');
SELECT get('conax_web_services/provisioning_requests/provisioning_requests/list');
SELECT get('conax_web_services/provisioning_requests/add_subscriptions');
SELECT get('conax_web_services//list');
-- a token is not repeated
SELECT get('conax_web_services/requests/show?token=3158CF&x=1');
SELECT get(repeat('x', 1048576));
SELECT post('conax_web_services/provisioning_requests/list', NULL);
SELECT post('provisioning/provisioning_requests/show', NULL);
SELECT post('conax_web_services/provisioning_requests/add_subscriptions; DROP TABLE x', NULL) ~ '^NOT_FOUND';
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions?smartcard_identifier=id=1', NULL);
SELECT brief(provreq.web_api('PUT', 'conax_web_services/list'));
SELECT brief(provreq.web_api(NULL, 'conax_web_services/list'));
SELECT brief(provreq.web_api(E'GET\n', 'conax_web_services/list'));
SELECT get('conax_web_services/list?type=%');
SELECT get('conax_web_services/list?type=%4');
SELECT get('conax_web_services/list?type=%4g');
SELECT get('conax_web_services/list?type=a%00b');
SELECT get('conax_web_services/list?type=a%ff');
SELECT get('conax_web_services/list?type=a%C3');
SELECT get('conax_web_services/list?type=a%ED%A0%80');
SELECT get('conax_web_services/list?type=a%C0%80');
SELECT get('conax_web_services/list?%FF=a');
SELECT get('conax_web_services/list?type=a%C3%BC%E2%82%ACb') LIKE '%"a' || chr(252) || chr(8364) || 'b"%';
SELECT get('conax_web_services/list?%C3%BC=a') LIKE '%"' || chr(252) || '"%';
SELECT get('conax_web_services/list?type=' || repeat('%41', 100000)) ~ 'cannot be "A{60}"';
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions', '[]');
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions', '"x"');
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions', 'null');

-- Every code of an error, and nothing left behind
SELECT count(*) AS before FROM provreq.request \gset
SELECT count(*) AS secrets_before FROM provreq.request_secret \gset
SELECT post('conax_web_services/provisioning_requests/add_subscriptions', NULL);
SELECT post('conax_web_services/provisioning_requests/add_subscriptions', '{}');
SELECT post('conax_web_services/provisioning_requests/add_subscriptions', '{"subscription_identifier": null}');
SELECT post('conax_web_services/provisioning_requests/add_subscriptions', '{"subscription_identifier": {"id": null}}');
SELECT post('conax_web_services/provisioning_requests/create_pairing', '{"smartcard_set": [{"smartcard_ca_id": "x"}]}');
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions', '{"colour": "red"}');
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions', '{"udf": {"udf_string_1": "a"}}') ~ '^UNKNOWN_PARAMETER';
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions', ('{"udf_string_9": "x", ' || :'card' || '}')::jsonb);
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions', '{"smartcard_identifier": {"serial_number": "nowhere"}}');
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions', ('{"provider": "nowhere", ' || :'card' || '}')::jsonb);
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions', '{"smartcard_identifier": {"serial_number": "smrt-off"}}');
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions', '{"smartcard_identifier": {"alternative_code": "A-2"}}');
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions', '{"smartcard_identifier": {"serial_number": "stb-1"}}');
SELECT post('conax_web_services/provisioning_requests/add_subscriptions', ('{"service_identifier": {"code": "DRAMA"}, ' || :'who' || '}')::jsonb);
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions', ('{"token": "x", ' || :'card' || '}')::jsonb);
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions', ('{"token": "", ' || :'card' || '}')::jsonb);
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions', ('{"token": 5, ' || :'card' || '}')::jsonb);
SELECT get('conax_web_services/provisioning_requests/list?type=CREATE_PAIRING&token=' || lower(:'token')) ~ '^INVALID_TOKEN';
BEGIN;
ALTER SERVER regress_conax OPTIONS (ADD state 'not_effective');
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions', ('{' || :'card' || '}')::jsonb);
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions', ('{"provider": "regress_conax", ' || :'card' || '}')::jsonb);
ROLLBACK;
BEGIN;
CREATE SERVER regress_conax_2 FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'https://127.0.0.1:1/cas');
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions', ('{' || :'card' || '}')::jsonb);
ROLLBACK;
BEGIN READ ONLY;
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions', ('{' || :'card' || '}')::jsonb);
ROLLBACK;
-- what nobody foresaw
BEGIN;
CREATE FUNCTION fall() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'out of order' USING ERRCODE = 'io_error', DETAIL = 'ca_pin 0042', HINT = 'Wait.'; END $$;
CREATE TRIGGER fall BEFORE INSERT ON provreq.request_pending FOR EACH ROW EXECUTE FUNCTION fall();
SELECT post('conax_web_services/provisioning_requests/get_active_subscriptions', ('{' || :'card' || '}')::jsonb);
-- without its detail where that could repeat a PIN
SELECT post('conax_web_services/provisioning_requests/reset_pin_to_given_value', ('{"pin": "0042", ' || :'who' || '}')::jsonb);
ROLLBACK;

-- Values of other types
\set add 'conax_web_services/provisioning_requests/add_subscriptions'
SELECT post(:'add', '{"subscription_identifier": "number=S60507"}');
SELECT post(:'add', '{"subscription_identifier": ["S60507"]}');
SELECT post(:'add', '{"subscription_identifier": {"number": ["S60507"]}}');
SELECT post(:'add', '{"subscription_identifier": {"number": "S60507", "id": "5000000000000000000000000000000A"}}');
SELECT post(:'add', ('{"service_identifier": {"name": "SPORT"}, ' || :'who' || '}')::jsonb);
SELECT post(:'add', ('{"service_identifier": {"code": ""}, ' || :'who' || '}')::jsonb);
SELECT post(:'add', ('{"service_identifier": {"code": "a\nb"}, ' || :'who' || '}')::jsonb);
SELECT post(:'add', ('{"service_identifier": {"code": "' || repeat('x', 1048576) || '"}, ' || :'who' || '}')::jsonb);
SELECT post(:'add', ('{"service_identifier": {"code": "''; DROP TABLE x; --"}, ' || :'who' || '}')::jsonb);
SELECT post(:'add', ('{"service_identifier": {"code": "SPORT"}, "priority": "SOON", ' || :'who' || '}')::jsonb);
SELECT post(:'add', ('{"service_identifier": {"code": "SPORT"}, "start_date": "tomorrow", ' || :'who' || '}')::jsonb);
SELECT post(:'add', ('{"service_identifier": {"code": "SPORT"}, "start_date": 20350101, ' || :'who' || '}')::jsonb);
SELECT post(:'add', ('{"service_identifier": {"code": "SPORT"}, "process_immediately": "maybe", ' || :'who' || '}')::jsonb);
SELECT post(:'add', ('{"service_identifier": {"code": "SPORT"}, "process_immediately": 2, ' || :'who' || '}')::jsonb);
SELECT post(:'add', ('{"service_identifier": {"code": "SPORT"}, "process_immediately": true, ' || :'who' || '}')::jsonb);
SELECT post(:'add', ('{"service_identifier": {"code": "SPORT"}, "udf_float_1": "x", ' || :'who' || '}')::jsonb);
SELECT post(:'add', ('{"service_identifier": {"code": "SPORT"}, "udf_string_1": {"a": 1}, ' || :'who' || '}')::jsonb);
\set pair 'conax_web_services/provisioning_requests/create_pairing'
SELECT post(:'pair', '{"smartcard_set": {"smartcard_ca_id": "x"}, "stb_set": [{"stb_ca_id": "y"}]}');
SELECT post(:'pair', '{"smartcard_set": "x", "stb_set": [{"stb_ca_id": "y"}]}');
SELECT post(:'pair', '{"smartcard_set": [], "stb_set": [{"stb_ca_id": "y"}]}');
SELECT post(:'pair', '{"smartcard_set": ["x"], "stb_set": [{"stb_ca_id": "y"}]}');
SELECT post(:'pair', '{"smartcard_set": [null], "stb_set": [{"stb_ca_id": "y"}]}');
SELECT post(:'pair', '{"smartcard_set": [[{"smartcard_ca_id": "x"}]], "stb_set": [{"stb_ca_id": "y"}]}');
SELECT post(:'pair', '{"smartcard_set": [{"stb_ca_id": "x"}], "stb_set": [{"stb_ca_id": "y"}]}');
SELECT post(:'pair', '{"smartcard_set": [{"smartcard_ca_id": "x", "note": "y"}], "stb_set": [{"stb_ca_id": "y"}]}');
SELECT post(:'pair', '{"smartcard_set": [{"smartcard_ca_id": 5}], "stb_set": [{"stb_ca_id": "y"}]}');
SELECT post(:'pair', '{"smartcard_set": [{"smartcard_ca_id": "x"}, {"smartcard_ca_id": "x"}], "stb_set": [{"stb_ca_id": "y"}]}');
SELECT post(:'pair', jsonb_build_object('stb_set', '[{"stb_ca_id": "y"}]'::jsonb, 'smartcard_set', (SELECT jsonb_agg(jsonb_build_object('smartcard_ca_id', 'c' || i)) FROM generate_series(1, 501) AS i)));
\set bark 'conax_web_services/provisioning_requests/send_repeating_bark_message'
SELECT post(:'bark', ('{"message": "x", "repetition_count": "many", "repetition_interval": 20, ' || :'card' || '}')::jsonb);
SELECT post(:'bark', ('{"message": "x", "repetition_count": 1.5, "repetition_interval": 20, ' || :'card' || '}')::jsonb);
SELECT post(:'bark', ('{"message": "x", "repetition_count": 1e20, "repetition_interval": 20, ' || :'card' || '}')::jsonb);
SELECT post(:'bark', ('{"message": "x", "repetition_count": 9999999999, "repetition_interval": 20, ' || :'card' || '}')::jsonb);
SELECT post(:'bark', ('{"message": "x", "repetition_count": [1], "repetition_interval": 20, ' || :'card' || '}')::jsonb);
SELECT post(:'bark', ('{"message": 5, "repetition_count": 1, "repetition_interval": 20, ' || :'card' || '}')::jsonb);
SELECT post(:'bark', ('{"message": "x", "repetition_count": 1, "repetition_interval": 25, ' || :'card' || '}')::jsonb);
-- PINs, which no answer repeats
\set pin 'conax_web_services/provisioning_requests/reset_pin_to_given_value'
SELECT post(:'pin', ('{"pin": 7531, ' || :'who' || '}')::jsonb);
SELECT post(:'pin', ('{"pin": "75319", ' || :'who' || '}')::jsonb);
SELECT post(:'pin', ('{"pin": ["7531"], ' || :'who' || '}')::jsonb);
SELECT post(:'pin', ('{"pin": "7531", "subscription_identifier": {"number": "S60508"}, "smartcard_identifier": {"serial_number": "smrt20000054"}}')::jsonb);
SELECT count(*) = :before FROM provreq.request;
SELECT count(*) = :secrets_before FROM provreq.request_secret;

-- The documented example of cancel_list_of_products, body and answer
SET client_min_messages = error;
CREATE SERVER regress_nagra FOREIGN DATA WRAPPER nagravision OPTIONS (host '127.0.0.1', port '1', source_id '1');
CREATE USER MAPPING FOR provreq_worker SERVER regress_nagra;
RESET client_min_messages;
SELECT provreq.web_api('POST', 'nagravision/provisioning_requests/cancel_list_of_products', jsonb_set($${
	"token"	: "",
	"subscription_identifier" : { "number" : "S60507" },
	"smartcard_identifier" : { "serial_number" : "smrt20000054"},
	"services_set" :	[
					{
						"service_identifier" : {"code" : "Cartoons 1" }
					}
				],
    "priority":"EXPRESS"
}$$, '{token}', to_jsonb(:'token'::text))) AS cancelled \gset
SELECT $${"status": {"message": "", "description": "", "code": "OK"},
	"data": {
		"scheduled_date": "2015-09-07T15:23:15", "response": null, "error_code": null, "priority": "EXPRESS",
		"error_description": null, "sequence_number": null, "number": "18572", "process_id": null, "name": null,
		"parameters_set": [
			{"id": "DAA117D8CF7A4BE5A69A356A9050748C"},
			{"sub_provisioning_distribution_id": "98E0E6CA6B7E49D6A031C1A3665EA159", "id": "06C940F365FA4DE99D4631AA691BB452"},
			{"id": "209B2DBB6F614A5BB1F41B96B57E586C"},
			{"smartcard_ca_id": "smrt200000", "id": "1BDC07C09CC34D9796CC8B70D63FBBEF"},
			{"service_ca_id": null, "id": "291325B4C99A49D8843EE2BCAFBB373E"}],
		"process_immediately": 0, "request": null,
		"log_information": {
			"updated_date": "2015-09-07T15:23:15", "created_date": "2015-09-07T15:23:15",
			"created_by_unit": {"community_name": "Internal Community", "id": "48305F8849E3C18B227C5BE3A27BA6DF", "name": "Admin Unit",
				"group_name": "Main Group", "description": "r1", "alternative_code": "MG"},
			"updated_by_unit": {"community_name": "Internal Community", "id": "48305F8849E3C18B227C5BE3A27BA6DF", "name": "Admin Unit",
				"group_name": "Main Group", "description": "r1", "alternative_code": "MG"},
			"created_by_user": {"person_name": "Marios Lannister", "username": "MPAdministrator", "id": "1"},
			"updated_by_user": {"person_name": "Marios Lannister", "username": "MPAdministrator", "id": "1"}},
		"life_cycle_state": "PENDING", "type": "CANCEL_LIST_OF_PRODUCTS", "process_name": "PROVISIONING_REQUEST_PROCESSING_RUN",
		"id": "013CADB728044AE193DCFCBEB0926E52", "reference_number": null, "executed_date": null}}$$ AS documented \gset
-- objects without a value are what ours lacks
SELECT missing(:'documented', :'cancelled');
SELECT string_agg(k, ' ' ORDER BY k) FROM jsonb_object_keys(:'cancelled'::jsonb -> 'data') AS k WHERE NOT :'documented'::jsonb -> 'data' ? k;
SELECT d -> 'priority', d -> 'type', d #> '{log_information,created_by_user}' FROM jsonb_path_query(:'cancelled', '$.data') AS d;
SELECT p - 'id' FROM jsonb_path_query(:'cancelled', '$.data.parameters_set[*]') AS p;

-- Every operation of nagravision
\set nagra '"subscription_identifier": {"id": "5000000000000000000000000000000A"}, "smartcard_identifier": {"alternative_code": "A-1"}, "scheduled_date": "2200-01-02T03:04:05"'
SELECT post('nagravision/provisioning_requests/add_enhanced_list_of_products', ('{"services_set": [{"service_identifier": {"code": "SPORT"}}, {"service_identifier": {"alternative_code": "P-1"}}], '
	|| :'nagra' || '}')::jsonb);
SELECT post('nagravision/provisioning_requests/add_enhanced_list_of_products', ('{"services_set": [{"service_identifier": {"code": "SPORT"}}, {"service_identifier": {"code": "Cartoons 1"}}], '
	|| :'nagra' || '}')::jsonb);
SELECT post('nagravision/provisioning_requests/cancel_list_of_products', ('{"services_set": [{"service_identifier": {"id": "10000000000000000000000000000001"}}], ' || :'nagra' || '}')::jsonb);
SELECT post('nagravision/provisioning_requests/pair_smartcard_decoder', ('{"stb_identifier": {"serial_number": "stb-1"}, ' || :'nagra' || '}')::jsonb);
SELECT post('/nagravision/provisioning_request/pair_smartcard_decoder', ('{' || :'nagra' || '}')::jsonb);
SELECT post('nagravision/provisioning_requests/set_pin_to_default_value', ('{' || :'nagra' || '}')::jsonb);
SELECT post('nagravision/provisioning_requests/set_pin_to_default_value', '{"subscription_identifier": {"number": "S60507"}, "smartcard_ca_id": "000000000017"}');
SELECT post('nagravision/provisioning_requests/set_pin_to_given_value', '{"subscription_identifier": {"number": "S60507"}, "smartcard_ca_id": "000000000017", "pin": "0042"}');
SELECT post('nagravision/provisioning_requests/clear_pin', '{"subscription_identifier": {"number": "S60507"}, "smartcard_ca_id": "000000000017"}');
SELECT :'cancelled'::jsonb -> 'data' = provreq.web_api('GET', '/nagravision/provisioning_requests/show?provisioning_request_identifier=number='
	|| (:'cancelled'::jsonb #>> '{data,number}')) -> 'data';
SELECT get('nagravision/provisioning_requests/list?type=PAIR_SMARTCARD_DECODER&fields_set=type');
SELECT get('conax_web_services/provisioning_requests/list?type=PAIR_SMARTCARD_DECODER') ~ '^INVALID_PARAMETER';
SELECT post('nagravision/provisioning_requests/cancel_list_of_products', '{"subscription_identifier": {"number": "S60507"}, "smartcard_identifier": {"serial_number": "smrt20000054"}}');
SELECT post('nagravision/provisioning_requests/cancel_list_of_products', ('{"services_set": [{"code": "SPORT"}], ' || :'nagra' || '}')::jsonb);
SELECT post('nagravision/provisioning_requests/cancel_list_of_products', ('{"services_set": [{"service_identifier": "SPORT"}], ' || :'nagra' || '}')::jsonb);
SELECT post('nagravision/provisioning_requests/cancel_list_of_products', ('{"services_set": [{"service_identifier": {"code": "SPORT", "id": "x"}}], ' || :'nagra' || '}')::jsonb);
SELECT post('nagravision/provisioning_requests/cancel_list_of_products', ('{"services_set": [{"service_identifier": {}}], ' || :'nagra' || '}')::jsonb);
SELECT post('nagravision/provisioning_requests/clear_pin', '{"subscription_identifier": {"number": "S60507"}}');
SELECT post('nagravision/provisioning_requests/clear_pin', '{"subscription_identifier": {"number": "S60507"}, "smartcard_ca_id": {"id": "x"}}');
SELECT post('nagravision/provisioning_requests/clear_pin', '{"subscription_identifier": {"number": "S60507"}, "smartcard_identifier": "000000000017"}');

-- Every operation of nds, in both readings
SET client_min_messages = error;
CREATE SERVER regress_nds FOREIGN DATA WRAPPER nds OPTIONS (host '127.0.0.1', port '1', digest 'none');
CREATE USER MAPPING FOR provreq_worker SERVER regress_nds;
RESET client_min_messages;
SELECT post('nds/provisioning_requests/set_user_parameters', '{"subscription_identifier": {"number": "S60507"}, "smartcard_identifier": "000000000017", "reset_pin": true}');
SELECT post('nds/provisioning_requests/set_user_parameters', '{"subscription_identifier": {"number": "S60507"}, "smartcard_identifier": {"serial_number": "smrt20000054"}, "new_pin": "0042"}');
SELECT post('nds/provisioning_requests/reauthorise_all_services', '{"smartcard_identifier": "000000000017"}');
SELECT post('nds/provisioning_requests/reauthorise_all_services', '{"subscription_identifier": {"number": "S60508"}, "smartcard_identifier": {"id": "C0000000000000000000000000000003"}}');
-- a subscription alone: an array, one for each card
SELECT a #>> '{status,code}', jsonb_path_query_array(a, '$.data[*].parameters_set[*].smartcard_ca_id')
	FROM provreq.web_api('POST', 'nds/provisioning_requests/reauthorise_all_services', '{"subscription_identifier": {"number": "S70002"}}') AS a;
SELECT a #>> '{status,code}', jsonb_path_query_array(a, '$.data[*].type'), jsonb_path_query_array(a, '$.data[*].parameters_set[*].smartcard_ca_id')
	FROM provreq.web_api('POST', 'nds/provisioning_requests/set_user_parameters', '{"subscription_identifier": {"number": "S60508"}, "reset_pin": true}') AS a;
SELECT get('nds/provisioning_requests/list?type=SET_USER_PARAMETERS&fields_set=type,process_immediately&number_of_results=1');
SELECT a #>> '{status,code}', a #>> '{data,type}' FROM provreq.web_api('GET', 'nds/provisioning_requests/show', jsonb_build_object('provisioning_request_identifier',
	jsonb_build_object('number', (SELECT max(number)::text FROM provreq.request WHERE type = 'REAUTHORISE_ALL_SERVICES')))) AS a;
SELECT post('nds/provisioning_requests/reauthorise_all_services', '{}');
SELECT post('nds/provisioning_requests/set_user_parameters', '{"smartcard_identifier": "000000000017"}');
SELECT post('nds/provisioning_requests/set_user_parameters', '{"smartcard_identifier": "000000000017", "reset_pin": false}');
SELECT post('nds/provisioning_requests/set_user_parameters', '{"smartcard_identifier": "000000000017", "reset_pin": true, "new_pin": "7531"}');
SELECT post('nds/provisioning_requests/set_user_parameters', '{"smartcard_identifier": "000000000017", "new_pin": 7531}');
SELECT post('nds/provisioning_requests/set_user_parameters', '{"smartcard_identifier": "000000000017", "new_pin": "753x"}');
SELECT post('nds/provisioning_requests/reauthorise_all_services', '{"smartcard_identifier": {"ca_id": "000000000017"}}');
SELECT post('nds/provisioning_requests/reauthorise_all_services', '{"smartcard_identifier": ""}');
SELECT post('nds/provisioning_requests/reauthorise_all_services', '{"smartcard_identifier": 17}');
SELECT post('nds/provisioning_requests/reauthorise_all_services', '{"subscription_identifier": {"number": "nowhere"}}');

-- A failed call is undone alone; what it had taken goes with it
BEGIN;
SELECT count(*) AS before FROM provreq.request \gset
SELECT post('conax_web_services/get_active_subscriptions', ('{' || :'card' || '}')::jsonb) ~ '^OK';
SELECT post('conax_web_services/get_active_subscriptions', '{}') ~ '^MISSING_PARAMETER';
SELECT post('conax_web_services/get_active_subscriptions', ('{"token": "x", ' || :'card' || '}')::jsonb) ~ '^INVALID_TOKEN';
SELECT post('conax_web_services/get_active_subscriptions', ('{' || :'card' || '}')::jsonb) ~ '^OK';
SELECT count(*) - :before FROM provreq.request;
SELECT post('conax_web_services/get_active_subscriptions', jsonb_build_object('token', :'token')) ~ '^MISSING_PARAMETER';
SELECT get('conax_web_services/list?type=CREATE_PAIRING&token=' || :'token') ~ '^OK', provreq.caller() = current_user;
SELECT provreq.use_session(:'token');
SELECT post('conax_web_services/get_active_subscriptions', '{}') ~ '^MISSING_PARAMETER';
SELECT provreq.caller();
SELECT provreq.web_api('POST', 'conax_web_services/get_active_subscriptions', ('{' || :'card' || '}')::jsonb) #>> '{data,log_information,created_by_user,username}';
ROLLBACK;
-- many of them in one statement
SELECT count(*), count(DISTINCT a #>> '{data,number}') FROM (SELECT provreq.web_api('POST', 'conax_web_services/get_active_subscriptions',
	jsonb_build_object('smartcard_identifier', jsonb_build_object('serial_number', CASE i % 2 WHEN 0 THEN 'smrt20000054' ELSE 'nowhere' END))) AS a
	FROM generate_series(1, 200) AS i) AS made;

-- Rights: those of the caller and no more
CREATE ROLE regress_provreq_nobody;
SELECT proacl FROM pg_proc WHERE pronamespace = 'provreq'::regnamespace AND proname ~ '^web_api' AND (proacl IS NULL OR proacl::text ~ '[{,]=');
GRANT EXECUTE ON FUNCTION post(text, jsonb), get(text, jsonb), brief(jsonb) TO PUBLIC;
SET ROLE provreq_reader;
SELECT get('conax_web_services/list?type=CREATE_PAIRING&number_of_results=1&fields_set=type');
SELECT post('conax_web_services/get_active_subscriptions', ('{' || :'card' || '}')::jsonb);
SET ROLE provreq_operator;
SELECT post(:'pin', ('{"pin": "7531", ' || :'who' || '}')::jsonb);
SET ROLE provreq_admin;
SELECT post(:'pin', ('{"pin": "7531", ' || :'who' || '}')::jsonb);
RESET ROLE;
GRANT USAGE ON SCHEMA provreq TO regress_provreq_nobody;
GRANT EXECUTE ON FUNCTION provreq.web_api(text, text, jsonb) TO regress_provreq_nobody;
SET ROLE regress_provreq_nobody;
SELECT get('conax_web_services/list?type=CREATE_PAIRING');
SELECT post('conax_web_services/get_active_subscriptions', ('{' || :'card' || '}')::jsonb);
SELECT post('conax_web_services/get_active_subscriptions', jsonb_build_object('token', :'token'));
RESET ROLE;
-- what may be made, but not be read, is not made
GRANT EXECUTE ON FUNCTION provreq.conax_get_active_subscriptions TO regress_provreq_nobody;
SELECT count(*) AS before FROM provreq.request \gset
SET ROLE regress_provreq_nobody;
SELECT post('conax_web_services/get_active_subscriptions', ('{' || :'card' || '}')::jsonb);
RESET ROLE;
SELECT count(*) - :before FROM provreq.request;
REVOKE ALL ON FUNCTION provreq.conax_get_active_subscriptions FROM regress_provreq_nobody;
REVOKE ALL ON FUNCTION provreq.web_api(text, text, jsonb) FROM regress_provreq_nobody;
REVOKE USAGE ON SCHEMA provreq FROM regress_provreq_nobody;
DROP ROLE regress_provreq_nobody;
-- A search_path that leads elsewhere changes nothing
CREATE SCHEMA regress_evil;
CREATE FUNCTION regress_evil.jsonb_agg(jsonb) RETURNS jsonb LANGUAGE sql AS $$SELECT '"evil"'::jsonb$$;
CREATE FUNCTION regress_evil.upper(text) RETURNS text LANGUAGE sql AS $$SELECT 'evil'$$;
CREATE FUNCTION regress_evil.jsonb_typeof(jsonb) RETURNS text LANGUAGE sql AS $$SELECT 'evil'$$;
SET search_path = regress_evil, pg_catalog;
SELECT provreq.web_api('GET', 'conax_web_services/list?type=CREATE_PAIRING&number_of_results=1&fields_set=type');
-- As a procedure: waits, here in vain, since the provider cannot be reached
CALL provreq.web_api_sync('GET', 'conax_web_services/list?type=CREATE_PAIRING&number_of_results=1&fields_set=type');
-- with a limit that cannot be waited for nothing is made
SELECT count(*) AS before FROM provreq.request \gset
CALL provreq.web_api_sync('POST', 'conax_web_services/get_active_subscriptions', ('{' || :'card' || '}')::jsonb, "limit" => '25 days');
CALL provreq.web_api_sync('POST', 'conax_web_services/get_active_subscriptions', ('{' || :'card' || '}')::jsonb, "limit" => '-1 ms');
CALL provreq.web_api_sync('POST', 'conax_web_services/get_active_subscriptions', ('{' || :'card' || '}')::jsonb, "limit" => '178000000 years');
SELECT count(*) - :before FROM provreq.request;
RESET search_path;
DROP SCHEMA regress_evil CASCADE;
SET client_min_messages = warning;
DROP SERVER regress_nagra CASCADE;
DROP SERVER regress_nds CASCADE;
RESET client_min_messages;
DROP FUNCTION missing(jsonb, jsonb, text);
DROP FUNCTION post(text, jsonb);
DROP FUNCTION get(text, jsonb);
DROP FUNCTION brief(jsonb);
