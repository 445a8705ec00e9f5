\pset tuples_only on
\pset format unaligned
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
-- A request that nobody sends before the test is over
SELECT number AS later, id AS later_id FROM provreq.conax_add_subscriptions('number=S60507', 'code=SPORT', 'serial_number=smrt20000055',
	'2035-01-01 10:00:00+00', scheduled_date => '2035-06-07 08:09:10+00', priority => 'EXPRESS', process_id => '77', name => 'later',
	udf => '{"udf_string_1": "a", "udf_float_2": 0.5, "udf_date_3": "2015-09-07T15:23:15Z"}') \gset
-- The documented response object, less what differs from run to run
SELECT jsonb_pretty(provreq.show('number=' || :later) - '{id,number,log_information,parameters_set}'::text[]);
SELECT o ->> 'number' = :'later', o ->> 'id' = :'later_id', jsonb_typeof(o -> 'number'), jsonb_typeof(o -> 'process_immediately')
	FROM provreq.show('id=' || :'later_id') AS o;
-- every member of it
SELECT string_agg(k, ' ' ORDER BY k) FROM jsonb_object_keys(provreq.show('number=' || :later)) AS k;
-- parameters_set: one object a value, with ids that stay
SELECT p - 'id' FROM jsonb_array_elements(provreq.show('number=' || :later) -> 'parameters_set') AS p;
SELECT count(DISTINCT p ->> 'id'), bool_and(p ->> 'id' ~ '^[0-9A-F]{32}$')
	FROM jsonb_array_elements(provreq.show('number=' || :later) -> 'parameters_set') AS p;
SELECT provreq.show('number=' || :later, 'parameters_set') = provreq.show('id=' || :'later_id', 'parameters_set');
SET ROLE provreq_operator;
SELECT number AS asked FROM provreq.conax_get_active_subscriptions('serial_number=smrt20000054', scheduled_date => '2035-06-07') \gset
RESET ROLE;
-- log_information: both namings of the units
UPDATE provreq.request SET created_by_unit = 'Main' WHERE number = :later;
SELECT jsonb_pretty(provreq.show('number=' || :later, 'log_information') #- '{log_information,created_date}' #- '{log_information,updated_date}'
	#- '{log_information,created_by_user}' #- '{log_information,updated_by_user}');
SELECT u - 'id', u ->> 'id' ~ '^[0-9A-F]{32}$', w ->> 'username' = session_user
	FROM jsonb_path_query(provreq.show('number=' || :asked), '$.log_information.created_by_user') AS u,
	jsonb_path_query(provreq.show('number=' || :later), '$.log_information.created_by_user') AS w;
SELECT (provreq.show('number=' || :later) #>> '{log_information,created_date}') ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$';
-- Dates are local, without a zone
SET timezone = 'Asia/Nicosia';
SET datestyle = 'German';
SELECT provreq.show('number=' || :later, 'scheduled_date,udf_date_3');
SELECT p - 'id' FROM jsonb_array_elements(provreq.show('number=' || :later) -> 'parameters_set') AS p WHERE p ? 'start_date';
SELECT number AS dated FROM provreq.conax_get_active_subscriptions('serial_number=smrt20000054',
	udf => '{"udf_date_1": "2015-09-07T15:23:15"}') \gset
SELECT provreq.show('number=' || :dated, 'udf_date_1'), udf_date_1 AT TIME ZONE 'UTC' FROM provreq.request WHERE number = :dated;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
-- fields_set
SELECT provreq.show('number=' || :later, 'type');
SELECT provreq.show('number=' || :later, ' name , type,priority,type');
SELECT provreq.show('number=' || :later, NULL) = provreq.show('number=' || :later);
SELECT outcome(format('SELECT provreq.show(%L, %L)', 'number=' || :later, 'type,colour'));
SELECT outcome(format('SELECT provreq.show(%L, %L)', 'number=' || :later, ''));
SELECT outcome(format('SELECT provreq.show(%L, %L)', 'number=' || :later, 'type,'));
SELECT outcome(format('SELECT provreq.show(%L, %L)', 'number=' || :later, 'attempt_log'));
-- Sets: a member each
SELECT number AS pairing FROM provreq.conax_create_pairing('{smartcard_ca_id=p1,smartcard_ca_id=p2}', '{stb_ca_id=p3}') \gset
SELECT p - 'id' FROM jsonb_array_elements(provreq.show('number=' || :pairing) -> 'parameters_set') AS p;

-- PINs are for provreq_admin
SELECT number AS pin FROM provreq.conax_reset_pin_to_given_value('number=S60507', 'serial_number=smrt20000054', '0042',
	scheduled_date => '2035-06-07 08:09:10+00') \gset
SET ROLE provreq_reader;
SELECT p - 'id' FROM jsonb_array_elements(provreq.show('number=' || :pin) -> 'parameters_set') AS p WHERE p ? 'ca_pin';
SET ROLE provreq_operator;
SELECT p - 'id' FROM jsonb_array_elements(provreq.show('number=' || :pin) -> 'parameters_set') AS p WHERE p ? 'ca_pin';
SET ROLE provreq_admin;
SELECT p - 'id' FROM jsonb_array_elements(provreq.show('number=' || :pin) -> 'parameters_set') AS p WHERE p ? 'ca_pin';
RESET ROLE;
UPDATE provreq.request SET request = 'masked' WHERE number = :pin;
UPDATE provreq.request_secret SET request = 'in clear' WHERE number = :pin;
SET ROLE provreq_reader;
SELECT provreq.show('number=' || :pin, 'request');
SET ROLE provreq_admin;
SELECT provreq.show('number=' || :pin, 'request');
RESET ROLE;

-- Errors
SELECT outcome('SELECT provreq.show(NULL)');
SELECT outcome('SELECT provreq.show('''')');
SELECT outcome('SELECT provreq.show(''17'')');
SELECT outcome('SELECT provreq.show(''code=17'')');
SELECT outcome('SELECT provreq.show(''number='')');
SELECT outcome('SELECT provreq.show(''number=1e3'')');
SELECT outcome('SELECT provreq.show(''number=-1'')');
SELECT outcome('SELECT provreq.show(''number='' || repeat(''9'', 18))');
SELECT outcome('SELECT provreq.show(''number='' || repeat(''9'', 1048576))');
SELECT outcome('SELECT provreq.show(''id=x'')');
SELECT outcome('SELECT provreq.show(''id=''''; DROP TABLE x; --'')');
