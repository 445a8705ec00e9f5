\pset tuples_only on
\pset format unaligned
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
-- All that is made here goes away again at the end
BEGIN;
SET LOCAL client_min_messages = error;
CREATE SERVER regress_nagra FOREIGN DATA WRAPPER nagravision
	OPTIONS (host 'sms.example.com', port '5000', source_id '17, 18', dest_id '4002', mop_ppid '9');
CREATE USER MAPPING FOR provreq_worker SERVER regress_nagra;
RESET client_min_messages;
INSERT INTO provreq.subscription (id, number) VALUES ('5000000000000000000000000000001A', 'N1'), ('5000000000000000000000000000001B', 'N2');
INSERT INTO provreq.product (code, classification) VALUES ('N-A', 'SERVICE'), ('N-B', 'SERVICE'), ('N-B2', 'SERVICE'), ('N-12', 'SERVICE'),
	('N-13', 'SERVICE'), ('N-LETTERS', 'SERVICE'), ('N-EMPTY', 'SERVICE'), ('N-BOX', 'GOODS');
INSERT INTO provreq.service_mapping (product_id, service_ca_id) SELECT p.id, m.ca_id FROM provreq.product AS p JOIN (VALUES ('N-A', '17'), ('N-B', '4711'),
	('N-B2', '4711'), ('N-12', '123456789012'), ('N-13', '1234567890123'), ('N-LETTERS', 'NEWS 24')) AS m (code, ca_id) USING (code);
INSERT INTO provreq.installed_item (serial_number, subscription_id, classification, ca_id) VALUES
	('n-card', '5000000000000000000000000000001A', 'SMARTCARD', '123456789012'),
	('n-short', '5000000000000000000000000000001A', 'SMARTCARD', '42'),
	('n-long', NULL, 'SMARTCARD', '98765432109876543210'),
	('n-letters', NULL, 'SMARTCARD', 'card 000042'),
	('n-spaces', NULL, 'SMARTCARD', '12 3456789'),
	('n-minus', NULL, 'SMARTCARD', '-123456789'),
	('n-theirs', '5000000000000000000000000000001B', 'SMARTCARD', '5555555555'),
	('n-stb', '5000000000000000000000000000001A', 'STB', '90000017'),
	('n-stb-14', NULL, 'STB', 'STB-4711/000-7'),
	('n-stb-15', NULL, 'STB', 'STB-4711/000-77'),
	('n-stb-utf8', NULL, 'STB', 'Dekodör');
CREATE FUNCTION nagra_call(services text, card text DEFAULT 'serial_number=n-card', more text DEFAULT '') RETURNS text LANGUAGE sql
	AS $$SELECT format('SELECT provreq.nagravision_add_enhanced_list_of_products(%L, %L, scheduled_date => ''2035-06-07 08:09:10''%s)', services, card, more)$$;
CREATE FUNCTION nagra_add(services text, card text DEFAULT 'serial_number=n-card', more text DEFAULT '') RETURNS text LANGUAGE sql
	AS $$SELECT outcome(nagra_call(services, card, more))$$;

-- The messages byte by byte, and field by field.  Before one is sent it has
-- the number 0, the first source id, and the date for which it is scheduled.
SELECT number FROM provreq.nagravision_add_enhanced_list_of_products('{code=N-A,code=N-B,code=N-12}', 'serial_number=n-card', 'number=N1',
	scheduled_date => '2035-12-20 08:09:10+00') \gset
SELECT provreq.preview(:number);
SELECT type, provider, parameters FROM provreq.request WHERE number = :number;
SELECT number FROM provreq.nagravision_cancel_list_of_products('number=N1', '{code=N-B}', 'serial_number=n-short', scheduled_date => '2036-02-28 23:59:59+00') \gset
SELECT provreq.preview(:number);
SELECT number FROM provreq.nagravision_pair_smartcard_decoder('serial_number=n-card', 'serial_number=n-stb', scheduled_date => '2035-06-07') \gset
SELECT provreq.preview(:number);
SELECT number FROM provreq.nagravision_pair_smartcard_decoder('serial_number=n-long', 'serial_number=n-stb-14', scheduled_date => '2035-06-07') \gset
SELECT provreq.preview(:number);
-- without an STB: unpaired
SELECT number FROM provreq.nagravision_pair_smartcard_decoder('serial_number=n-card', scheduled_date => '2035-06-07') \gset
SELECT provreq.preview(:number);
SELECT number FROM provreq.nagravision_set_pin_to_default_value('number=N1', 'serial_number=n-card', scheduled_date => '2035-06-07') \gset
SELECT provreq.preview(:number);
SELECT number FROM provreq.nagravision_clear_pin('number=N1', smartcard_ca_id => '77', scheduled_date => '2035-06-07') \gset
SELECT provreq.preview(:number);
-- a PIN, as each role sees it
SET ROLE provreq_operator;
SELECT number AS pin FROM provreq.nagravision_set_pin_to_given_value('number=N1', '7391', 'serial_number=n-card', scheduled_date => '2035-06-07') \gset
SELECT provreq.preview(:pin);
SET ROLE provreq_reader;
SELECT provreq.preview(:pin);
SELECT parameters FROM provreq.request WHERE number = :pin;
SET ROLE provreq_admin;
SELECT provreq.preview(:pin);
RESET ROLE;
-- dates are those of the day in UTC, whatever the session has
SET LOCAL timezone = 'Pacific/Auckland';
SELECT number FROM provreq.nagravision_cancel_list_of_products('number=N1', '{code=N-A}', 'serial_number=n-card', scheduled_date => '2035-06-07 05:00:00') \gset
SELECT provreq.preview(:number);
SET LOCAL timezone = 'UTC';
-- what the profile says goes out at once
SAVEPOINT profile;
UPDATE provreq.wire_profile SET document = jsonb_set(document, '{groups,address,0,const}', '"B"') #- '{groups,address,2,add_days}' WHERE name = 'nagra_smsgw';
SELECT split_part(provreq.preview(:number), E'\n', 2);
ROLLBACK TO profile;

-- Rules: the PIN operations name the card in one of two ways
SELECT outcome($$SELECT provreq.nagravision_clear_pin('number=N1')$$);
SELECT outcome($$SELECT provreq.nagravision_clear_pin('number=N1', 'serial_number=n-card', '123456789012')$$);
SELECT outcome($$SELECT provreq.nagravision_clear_pin(NULL, 'serial_number=n-card')$$);
SELECT outcome($$SELECT provreq.nagravision_clear_pin('number=N2', 'serial_number=n-card')$$);
SELECT outcome($$SELECT provreq.nagravision_clear_pin('number=N1', 'n-card')$$);
SELECT outcome($$SELECT provreq.nagravision_clear_pin('number=N1', smartcard_ca_id => '')$$);
SELECT outcome($$SELECT provreq.nagravision_clear_pin('number=N1', smartcard_ca_id => 'smartcard_ca_id=1')$$);
SELECT outcome($$SELECT provreq.nagravision_clear_pin('number=N1', smartcard_ca_id => E'12\n34')$$);
SELECT outcome($$SELECT provreq.nagravision_clear_pin('number=N1', smartcard_ca_id => '5555555555')$$);
SELECT outcome($$SELECT provreq.nagravision_clear_pin('number=N1', smartcard_ca_id => repeat('1', 1048576))$$);
SELECT outcome($$SELECT provreq.nagravision_set_pin_to_default_value('number=N1')$$);
SELECT outcome($$SELECT provreq.nagravision_set_pin_to_given_value('number=N1', '1234')$$);
-- PINs; none of them is repeated
SELECT outcome($$SELECT provreq.nagravision_set_pin_to_given_value('number=N1', NULL, 'serial_number=n-card')$$);
SELECT outcome($$SELECT provreq.nagravision_set_pin_to_given_value('number=N1', '', 'serial_number=n-card')$$);
SELECT outcome($$SELECT provreq.nagravision_set_pin_to_given_value('number=N1', '739', 'serial_number=n-card')$$);
SELECT outcome($$SELECT provreq.nagravision_set_pin_to_given_value('number=N1', '73915', 'serial_number=n-card')$$);
SELECT outcome($$SELECT provreq.nagravision_set_pin_to_given_value('number=N1', '73 1', 'serial_number=n-card')$$);
SELECT outcome($$SELECT provreq.nagravision_set_pin_to_given_value('number=N1', '٧٣٩١', 'serial_number=n-card')$$);
SELECT outcome($$SELECT provreq.nagravision_set_pin_to_given_value('number=N1', repeat('7', 1048576), 'serial_number=n-card')$$);
SAVEPOINT profile;
UPDATE provreq.wire_profile SET document = document || '{"pin_digits": {"min": 5, "max": 8}}' WHERE name = 'nagra_smsgw';
SELECT outcome($$SELECT provreq.nagravision_set_pin_to_given_value('number=N1', '7391', 'serial_number=n-card')$$);
SELECT outcome($$SELECT provreq.nagravision_set_pin_to_given_value('number=N1', '73917391', 'serial_number=n-card')$$);
ROLLBACK TO profile;
-- Cards that do not fit
SELECT nagra_add('{code=N-A}', 'serial_number=n-letters');
SELECT nagra_add('{code=N-A}', 'serial_number=n-spaces');
SELECT nagra_add('{code=N-A}', 'serial_number=n-minus');
SELECT nagra_add('{code=N-A}', 'serial_number=n-stb');
SELECT nagra_add('{code=N-A}', 'serial_number=nowhere');
SELECT nagra_add('{code=N-A}', NULL);
SELECT nagra_add('{code=N-A}', 'serial_number=n-theirs', $$, subscription_identifier => 'number=N1'$$);
SELECT outcome($$SELECT provreq.nagravision_clear_pin('number=N1', smartcard_ca_id => 'ABC')$$);
-- What is one card on the wire has one ordering key
SELECT ordering_keys FROM provreq.nagravision_clear_pin('number=N1', 'serial_number=n-card', scheduled_date => '2035-06-07');
SELECT ordering_keys FROM provreq.nagravision_clear_pin('number=N1', smartcard_ca_id => '123456789099', scheduled_date => '2035-06-07');
SELECT ordering_keys FROM provreq.nagravision_clear_pin('number=N1', 'serial_number=n-short', scheduled_date => '2035-06-07');
SELECT ordering_keys FROM provreq.nagravision_clear_pin('number=N1', smartcard_ca_id => '0042', scheduled_date => '2035-06-07');
-- Services that do not fit
SELECT nagra_add(NULL);
SELECT nagra_add('{}');
SELECT nagra_add('{NULL}');
SELECT nagra_add('{code=N-A,NULL}');
SELECT nagra_add('{""}');
SELECT nagra_add('{N-A}');
SELECT nagra_add('{{code=N-A},{code=N-B}}');
SELECT nagra_add('{code=N-A,code=N-A}');
SELECT nagra_add('{code=N-B,code=N-A,code=N-B2}');
SELECT nagra_add('{code=N-A,code=N-13}');
SELECT nagra_add('{code=N-A,code=N-LETTERS}');
SELECT nagra_add('{code=N-EMPTY}');
SELECT nagra_add('{code=N-BOX}');
SELECT nagra_add('{code=NOTHING}');
SAVEPOINT many;
INSERT INTO provreq.product (code, classification) SELECT 'M' || i, 'SERVICE' FROM generate_series(1, 501) AS i;
INSERT INTO provreq.service_mapping (product_id, service_ca_id) SELECT id, substr(code, 2) FROM provreq.product WHERE code ~ '^M[0-9]+$';
SELECT nagra_add((SELECT array_agg('code=M' || i)::text FROM generate_series(1, 501) AS i));
SELECT nagra_add((SELECT array_agg('code=M' || i)::text FROM generate_series(1, 500) AS i));
SELECT count(*), min(m[1]), max(m[1]) FROM provreq.request, regexp_matches(provreq.preview(number), '0002(\d{12})2035060720991231\n', 'g') AS m
	WHERE provider = 'regress_nagra' AND parameters @> '{"service_ca_id": ["500"]}';
ROLLBACK TO many;
-- A list needs all of its CA IDs, also where a service may be without one
SET LOCAL provreq.allow_unmapped_service = on;
SELECT nagra_add('{code=N-EMPTY}');
SELECT nagra_add('{code=N-A,code=N-EMPTY}');
SET LOCAL provreq.allow_unmapped_service = off;
-- STBs that do not fit
SELECT outcome($$SELECT provreq.nagravision_pair_smartcard_decoder('serial_number=n-card', 'serial_number=n-stb-15')$$);
SELECT outcome($$SELECT provreq.nagravision_pair_smartcard_decoder('serial_number=n-card', 'serial_number=n-stb-utf8')$$);
SELECT outcome($$SELECT provreq.nagravision_pair_smartcard_decoder('serial_number=n-card', 'serial_number=n-short')$$);
SELECT outcome($$SELECT provreq.nagravision_pair_smartcard_decoder('serial_number=n-card', '')$$);
SELECT outcome($$SELECT provreq.nagravision_pair_smartcard_decoder(NULL, 'serial_number=n-stb')$$);
-- Providers of another kind, and dates that no message can hold
SELECT nagra_add('{code=N-A}', more => $$, provider => 'regress_conax'$$);
SELECT outcome($$SELECT provreq.conax_get_active_subscriptions('serial_number=n-card', provider => 'regress_nagra')$$);
SELECT outcome($$SELECT provreq.nagravision_clear_pin('number=N1', 'serial_number=n-card', scheduled_date => '9999-12-15')$$);
SELECT outcome($$SELECT provreq.nagravision_clear_pin('number=N1', 'serial_number=n-card', scheduled_date => '9999-12-01 23:59:59')$$);
SELECT outcome($$SELECT provreq.nagravision_clear_pin('number=N1', 'serial_number=n-card', scheduled_date => 'infinity')$$);
-- A profile without an operation
SAVEPOINT profile;
UPDATE provreq.wire_profile SET document = document #- '{operations,CLEAR_PIN}' WHERE name = 'nagra_smsgw';
SELECT outcome($$SELECT provreq.nagravision_clear_pin('number=N1', 'serial_number=n-card')$$);
ROLLBACK TO profile;
-- Nothing of all that was kept
SELECT count(*) FROM provreq.request WHERE provider = 'regress_nagra' AND scheduled_date NOT IN (SELECT scheduled_date FROM provreq.request WHERE scheduled_date > '2035-01-01');

-- Answers
CREATE FUNCTION nagra_explained(body text, operation text DEFAULT NULL, wrong integer DEFAULT 0) RETURNS text LANGUAGE sql
	AS $$SELECT concat_ws(' | ', e.verdict, e.error_code, e.error_description, e.provider_error_code, e.provider_error_description, e.reference_number, e.response)
		FROM provreq.explain_reply('regress_nagra', int2send((octet_length(body) + wrong)::int2) || convert_to(body, 'UTF8'), 0, operation) AS e$$;
\set head '00000004705400200170000920350607'
SELECT nagra_explained(:'head' || '1000000000042');
SELECT nagra_explained(:'head' || '1001000000042' || '10001FFFF000');
SELECT nagra_explained(:'head' || '1001000000042' || '20002ABCD012no such card');
SELECT nagra_explained(:'head' || '1001000000042' || '900FF0000000');
SELECT nagra_explained(:'head' || '1001000000042' || '900FF0000004busy');
SELECT nagra_explained(:'head' || '1001000000042' || '100ff0000000');
SELECT nagra_explained(:'head' || '1001000000042' || '1ZZZZ0000000');
-- a PIN that the gateway repeats is masked where one was sent
SELECT nagra_explained(:'head' || '1001000000042' || '100030000015PIN 7391 is bad', 'set_pin_to_given_value');
SELECT nagra_explained(:'head' || '1001000000042' || '100030000015PIN 7391 is bad', 'CLEAR_PIN');
-- not to be trusted
SELECT nagra_explained('');
SELECT nagra_explained(:'head');
SELECT nagra_explained(:'head' || '1000');
SELECT nagra_explained(:'head' || '100000000004');
SELECT nagra_explained(:'head' || '10000000000420');
SELECT nagra_explained(:'head' || '1000000000042', wrong => 1);
SELECT nagra_explained(:'head' || '1000000000042', wrong => -1);
SELECT nagra_explained(:'head' || '1000000000042', wrong => 20000);
SELECT nagra_explained(:'head' || '100000000004x');
SELECT nagra_explained('00000004705400200170000920350631' || '1000000000042');
SELECT nagra_explained('0000000470540020017000092035060X' || '1000000000042');
SELECT nagra_explained(:'head' || '1002000000042');
SELECT nagra_explained(:'head' || '1001000000042' || '10001FFFF001');
SELECT nagra_explained(:'head' || '1001000000042' || '10001FFFF001ab');
SELECT nagra_explained(:'head' || '1001000000042' || '10001FFFFxxx');
SELECT nagra_explained(:'head' || '1001000000042' || 'x0001FFFF000');
SELECT nagra_explained(:'head' || '1001000000042' || '10001FFFF007Dekodör');
SELECT nagra_explained(:'head' || '1001000000042' || E'10001FFFF003a\tb');
SELECT (provreq.explain_reply('regress_nagra', '')).verdict;
SELECT (provreq.explain_reply('regress_nagra', '\x00')).verdict;
SELECT (provreq.explain_reply('regress_nagra', decode(repeat('00', 1048576), 'hex'))).verdict;
SELECT (provreq.explain_reply('regress_nagra', convert_to(repeat('9', 1048576), 'UTF8'))).verdict;

-- Options of a server
CREATE FUNCTION nagra_server(options text) RETURNS text LANGUAGE sql
	AS $$SELECT outcome(format('CREATE SERVER s FOREIGN DATA WRAPPER nagravision OPTIONS (host ''h'', port ''1'', %s)', options))$$;
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER nagravision OPTIONS (port '1', source_id '1')$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER nagravision OPTIONS (host 'h', source_id '1')$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER nagravision OPTIONS (host 'h', port '1')$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER nagravision OPTIONS (host '', port '1', source_id '1')$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER nagravision OPTIONS (host 'http://h', port '1', source_id '1')$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER nagravision OPTIONS (host 'a b', port '1', source_id '1')$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER nagravision OPTIONS (host '-h', port '1', source_id '1')$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER nagravision OPTIONS (host 'h', port '0', source_id '1')$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER nagravision OPTIONS (host 'h', port '65536', source_id '1')$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER nagravision OPTIONS (host 'h', port 'sms', source_id '1')$$);
SELECT nagra_server($$source_id ''$$);
SELECT nagra_server($$source_id ' , '$$);
SELECT nagra_server($$source_id 'a'$$);
SELECT nagra_server($$source_id '12345'$$);
SELECT nagra_server($$source_id '-1'$$);
SELECT nagra_server($$source_id '1, 2, 3, 2'$$);
SELECT nagra_server($$source_id '1, 0001'$$);
SELECT nagra_server($$source_id '1;2'$$);
SELECT nagra_server(format('source_id %L', (SELECT string_agg(i::text, ',') FROM generate_series(1, 65) AS i)));
SELECT nagra_server($$source_id '1', dest_id ''$$);
SELECT nagra_server($$source_id '1', dest_id '12345'$$);
SELECT nagra_server($$source_id '1', dest_id 'x'$$);
SELECT nagra_server($$source_id '1', mop_ppid '123456'$$);
SELECT nagra_server($$source_id '1', mop_ppid '1 2'$$);
SELECT nagra_server($$source_id '1', object_name ''$$);
SELECT nagra_server($$source_id '1', object_name 'SMS GWY'$$);
SELECT nagra_server($$source_id '1', object_name 'ä'$$);
SELECT nagra_server(format('source_id ''1'', object_name %L', repeat('x', 256)));
SELECT nagra_server($$source_id '1', window '0'$$);
SELECT nagra_server($$source_id '1', window '1025'$$);
SELECT nagra_server($$source_id '1', checks_at_start '-1'$$);
SELECT nagra_server($$source_id '1', checks_at_start '101'$$);
SELECT nagra_server($$source_id '1', heartbeat '999ms'$$);
SELECT nagra_server($$source_id '1', heartbeat '0'$$);
SELECT nagra_server($$source_id '1', tls 'perhaps'$$);
SELECT nagra_server($$source_id '1', digest 'none'$$);
SELECT outcome($$ALTER SERVER regress_nagra OPTIONS (SET source_id '17,17')$$);
SELECT outcome($$ALTER SERVER regress_nagra OPTIONS (DROP source_id)$$);
SELECT outcome($$ALTER USER MAPPING FOR provreq_worker SERVER regress_nagra OPTIONS (ADD key 'x')$$);
-- the source ids may be written in several ways
SAVEPOINT ids;
SET LOCAL client_min_messages = error;
ALTER SERVER regress_nagra OPTIONS (SET source_id '  9999,0001 ,3 4');
SELECT split_part(provreq.preview(:number), E'\n', 2);
ROLLBACK TO ids;

-- Two effective providers cannot have one source id of a gateway
SAVEPOINT clash;
SET LOCAL client_min_messages = error;
CREATE FUNCTION nagra_second(host text, port text, ids text, state text) RETURNS text LANGUAGE sql
	AS $$SELECT outcome(format('CREATE SERVER regress_nagra_2 FOREIGN DATA WRAPPER nagravision OPTIONS (host %L, port %L, source_id %L, state %L)', host, port, ids, state))$$;
SELECT nagra_second('sms.example.com', '5000', '19, 18', 'effective');
SELECT nagra_second('SMS.Example.com', '5000', '0017', 'effective');
SELECT outcome($$CREATE SERVER regress_nagra_2 FOREIGN DATA WRAPPER nagravision OPTIONS (host 'sms.example.com', port '5000', source_id '17')$$);
SAVEPOINT second;
SELECT nagra_second('sms.example.com', '5000', '16, 19, 170', 'effective');
SELECT outcome($$ALTER SERVER regress_nagra_2 OPTIONS (SET source_id '16, 17')$$);
SELECT outcome($$ALTER SERVER regress_nagra_2 OPTIONS (SET source_id '16')$$);
SELECT outcome($$ALTER SERVER regress_nagra OPTIONS (SET source_id '16')$$);
ROLLBACK TO second;
SELECT nagra_second('sms.example.com', '5001', '17', 'effective');
SELECT outcome($$ALTER SERVER regress_nagra_2 OPTIONS (SET port '5000')$$);
ROLLBACK TO second;
SELECT nagra_second('sms2.example.com', '5000', '17', 'effective');
SELECT outcome($$ALTER SERVER regress_nagra_2 OPTIONS (SET host 'sms.example.com')$$);
ROLLBACK TO second;
SELECT nagra_second('sms.example.com', '5000', '17', 'not_effective');
SELECT outcome($$ALTER SERVER regress_nagra_2 OPTIONS (SET state 'effective')$$);
SELECT outcome($$ALTER SERVER regress_nagra_2 OPTIONS (DROP state)$$);
SELECT outcome($$ALTER SERVER regress_nagra OPTIONS (ADD state 'not_effective')$$);
SELECT outcome($$ALTER SERVER regress_nagra_2 OPTIONS (SET state 'effective')$$);
SELECT outcome($$ALTER SERVER regress_nagra OPTIONS (DROP state)$$);
SELECT outcome($$DROP SERVER regress_nagra_2$$);
SELECT outcome($$ALTER SERVER regress_nagra OPTIONS (DROP state)$$);
-- two of Conax may go to one address
SELECT outcome($$CREATE SERVER regress_same_1 FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'https://ca.example.com')$$);
SELECT outcome($$CREATE SERVER regress_same_2 FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'https://ca.example.com')$$);
ROLLBACK TO clash;

-- A profile that is of another kind, or not there
SAVEPOINT profile;
SET LOCAL client_min_messages = error;
ALTER SERVER regress_nagra OPTIONS (ADD profile 'conax_ws');
SELECT nagra_add('{code=N-A}');
ALTER SERVER regress_nagra OPTIONS (SET profile 'no_such');
SELECT nagra_add('{code=N-A}');
SELECT outcome($$SELECT provreq.explain_reply('regress_nagra', '')$$);
ROLLBACK TO profile;
-- Profiles with faults
CREATE FUNCTION nagra_profile(path text[], value jsonb) RETURNS text LANGUAGE sql
	AS $$SELECT outcome(format('UPDATE provreq.wire_profile SET document = %s WHERE name = ''nagra_smsgw''',
		CASE WHEN value IS NULL THEN format('document #- %L', path) ELSE format('jsonb_set(document, %L, %L)', path, value) END))$$;
SELECT nagra_profile('{kind}', '"nds"');
SELECT nagra_profile('{kind}', NULL);
SELECT nagra_profile('{colour}', '"red"');
SELECT nagra_profile('{frame}', NULL);
SELECT nagra_profile('{frame,length,width}', '3');
SELECT nagra_profile('{frame,length,form}', '"roman"');
SELECT nagra_profile('{frame,max}', '2000000');
SELECT nagra_profile('{link}', NULL);
SELECT nagra_profile('{link,match}', '"luck"');
SELECT nagra_profile('{link,numbers,scope}', '"world"');
SELECT nagra_profile('{link,numbers,last}', '9999999999');
SELECT nagra_profile('{link,numbers,last}', '500');
SELECT nagra_profile('{link,numbers,first}', '-1');
SELECT nagra_profile('{link,hello}', '{}');
SELECT nagra_profile('{link,hello,0}', '{}');
SELECT nagra_profile('{link,hello,0,send}', '"good_day"');
SELECT nagra_profile('{link,hello,1,field}', '"mood"');
SELECT nagra_profile('{link,hello,1,accept}', NULL);
SELECT nagra_profile('{link,check,message}', '"nothing"');
SELECT nagra_profile('{pin_digits,min}', '0');
SELECT nagra_profile('{pin_digits,max}', '3');
SELECT nagra_profile('{max_set}', '501');
SELECT nagra_profile('{messages,pair,0,group}', '"rot"');
SELECT nagra_profile('{messages,pair,2,width}', '3');
SELECT nagra_profile('{messages,pair,3,colour}', '"red"');
SELECT nagra_profile('{messages,pair,3,name}', '"Über STB"');
SELECT nagra_profile('{messages,pair,3,default}', '"000000000000000"');
SELECT nagra_profile('{groups,root,0,form}', '"decimals"');
SELECT nagra_profile('{groups,root,5,pattern}', '"YYYYMMD"');
SELECT nagra_profile('{groups,address,4,take}', '{"middle": 3}');
SELECT nagra_profile('{answers}', '{}');
SELECT nagra_profile('{answers,refuse,transaction}', NULL);
SELECT nagra_profile('{answers,refuse,transaction}', '"number"');
SELECT nagra_profile('{answers,refuse,code}', '"fault"');
SELECT nagra_profile('{answers,refuse,code}', NULL);
SELECT nagra_profile('{answers,refuse,codes,00FF}', '"perhaps"');
SELECT nagra_profile('{answers,refuse,codes,00FF}', '{"verdict": "refused", "max_attempts": 3}');
SELECT nagra_profile('{answers,refuse,codes,00FF,max_attempts}', '0');
SELECT nagra_profile('{answers,refuse,verdict}', '"refused"');
SELECT nagra_profile('{answers,acknowledge,verdict}', NULL);
SELECT nagra_profile('{operations}', '[]');
SELECT nagra_profile('{operations,ADD_SUBSCRIPTIONS}', '{"message": "pair"}');
SELECT nagra_profile('{operations,CLEAR_PIN,message}', '"pins"');
SELECT nagra_profile('{operations,CLEAR_PIN,message}', NULL);
SELECT nagra_profile('{operations,CLEAR_PIN,idempotent}', '"yes"');
SELECT nagra_profile('{operations,CLEAR_PIN,values}', '{"action": 1}');
SELECT nagra_profile('{operations,CLEAR_PIN,each}', '"service_ca_id"');
SELECT nagra_profile('{operations,SET_PIN_TO_GIVEN_VALUE,each}', '"ca_pin"');
SELECT nagra_profile('{messages,pin,4,display}', '"shown"');
SELECT nagra_profile('{operations,ADD_ENHANCED_LIST_OF_PRODUCTS,message}', '"pair"');
ROLLBACK;
