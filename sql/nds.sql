\pset tuples_only on
\pset format unaligned
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
-- All that is made here goes away again at the end
BEGIN;
SET LOCAL client_min_messages = error;
CREATE SERVER regress_nds FOREIGN DATA WRAPPER nds
	OPTIONS (host 'nds.example.com', port '5000', from_id 'A1', to_id 'B', digest 'none');
CREATE USER MAPPING FOR provreq_worker SERVER regress_nds;
INSERT INTO provreq.subscription (id, number) VALUES ('5000000000000000000000000000002A', 'D1'), ('5000000000000000000000000000002B', 'D2'),
	('5000000000000000000000000000002C', 'D3');
INSERT INTO provreq.installed_item (serial_number, subscription_id, classification, ca_id, life_cycle_state) VALUES
	('d-2', '5000000000000000000000000000002A', 'SMARTCARD', '123456789012', 'EFFECTIVE'),
	('d-1', '5000000000000000000000000000002A', 'SMARTCARD', '42', 'EFFECTIVE'),
	('d-3', '5000000000000000000000000000002A', 'SMARTCARD', '43', 'NOT_EFFECTIVE'),
	('d-box', '5000000000000000000000000000002A', 'STB', '44', 'EFFECTIVE'),
	('d-off', '5000000000000000000000000000002C', 'SMARTCARD', '45', 'NOT_EFFECTIVE'),
	('d-letters', NULL, 'SMARTCARD', 'A2345', 'EFFECTIVE'),
	('d-13', NULL, 'SMARTCARD', '1234567890123', 'EFFECTIVE'),
	('d-theirs', '5000000000000000000000000000002B', 'SMARTCARD', '555', 'EFFECTIVE');
-- HMAC once more, by its definition
CREATE FUNCTION nds_hmac(message bytea, key bytea, algorithm text) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	inner_key bytea := '';
	outer_key bytea := '';
	byte integer;
BEGIN
	IF octet_length(key) > 64 THEN
		key := CASE algorithm WHEN 'md5' THEN decode(md5(key), 'hex') ELSE sha256(key) END;
	END IF;
	FOR i IN 0 .. 63 LOOP
		byte := CASE WHEN i < octet_length(key) THEN get_byte(key, i) ELSE 0 END;
		inner_key := inner_key || set_byte('\x00', 0, byte # 54);
		outer_key := outer_key || set_byte('\x00', 0, byte # 92);
	END LOOP;
	RETURN CASE algorithm
		WHEN 'md5' THEN decode(md5(outer_key || decode(md5(inner_key || message), 'hex')), 'hex')
		ELSE sha256(outer_key || sha256(inner_key || message)) END;
END
$$;
SELECT nds_hmac('what do ya want for nothing?', 'Jefe', 'sha256');
-- Is the digest of a message, 32 hex digits at its end, the right one?
CREATE FUNCTION nds_digest_is_right(number bigint, key text, algorithm text) RETURNS boolean LANGUAGE sql
	AS $$SELECT right(m, 32) = upper(encode(substr(nds_hmac(convert_to(left(m, -32), 'UTF8'), convert_to(key, 'UTF8'), algorithm), 1, 16), 'hex'))
		FROM split_part(provreq.preview(number), E'\n', 1) AS m$$;

-- The messages character by character, and field by field.  Before one is
-- sent it has the sequence 0 and the time for which it is scheduled.
SELECT number FROM provreq.nds_reauthorise_all_services('number=D1', 'serial_number=d-2', scheduled_date => '2035-06-07 08:09:10+00') \gset
SELECT provreq.preview(:number);
SELECT type, provider, parameters FROM provreq.request WHERE number = :number;
SELECT number FROM provreq.nds_reauthorise_all_services(smartcard_identifier => '17', priority => 'EXPRESS', scheduled_date => '2035-06-07 08:09:10.999+00') \gset
SELECT provreq.preview(:number);
SELECT number FROM provreq.nds_reauthorise_all_services(smartcard_identifier => '18', process_immediately => true) \gset
SELECT regexp_replace(split_part(provreq.preview(:number), E'\n', 1), '\d{14}(?=I)', 'NOW');
SELECT number FROM provreq.nds_set_user_parameters('number=D1', 'serial_number=d-2', reset_pin => true, scheduled_date => '2035-06-07') \gset
SELECT provreq.preview(:number);
-- a PIN, as each role sees it
SET ROLE provreq_operator;
SELECT number AS pin FROM provreq.nds_set_user_parameters('number=D1', 'serial_number=d-2', new_pin => '7391', scheduled_date => '2035-06-07') \gset
SELECT provreq.preview(:pin);
SET ROLE provreq_reader;
SELECT provreq.preview(:pin);
SELECT parameters FROM provreq.request WHERE number = :pin;
SET ROLE provreq_admin;
SELECT provreq.preview(:pin);
RESET ROLE;
-- with digests; the one of a message with a PIN is masked too, as a PIN of
-- four digits could be found by trying
ALTER SERVER regress_nds OPTIONS (SET digest 'hmac-sha256');
SELECT outcome(format('SELECT provreq.preview(%s)', :pin));
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services('number=D1', 'serial_number=d-2')$$);
SELECT outcome($$SELECT provreq.explain_reply('regress_nds', '')$$);
ALTER USER MAPPING FOR provreq_worker SERVER regress_nds OPTIONS (ADD key 'Schlüssel 17');
SELECT provreq.preview(:number);
SELECT nds_digest_is_right(:number, 'Schlüssel 17', 'sha256'), nds_digest_is_right(:number, 'Schlussel 17', 'sha256');
SELECT provreq.preview(:pin) ~ '7391', nds_digest_is_right(:pin, 'Schlüssel 17', 'sha256');
SET ROLE provreq_reader;
SELECT provreq.preview(:pin);
RESET ROLE;
ALTER SERVER regress_nds OPTIONS (SET digest 'hmac-md5');
SELECT provreq.preview(:number);
SELECT nds_digest_is_right(:number, 'Schlüssel 17', 'md5'), nds_digest_is_right(:number, 'Schlüssel 17', 'sha256');
ALTER USER MAPPING FOR provreq_worker SERVER regress_nds OPTIONS (SET key 'a key that is longer than one block of the digest, which has sixty-four bytes');
SELECT nds_digest_is_right(:number, 'a key that is longer than one block of the digest, which has sixty-four bytes', 'md5');

-- A subscription alone: each of its smartcards that is effective
SELECT parameters, ordering_keys FROM provreq.nds_reauthorise_all_services('number=D1');
SELECT parameters, type FROM provreq.nds_set_user_parameters('number=D1', reset_pin => true);
SELECT parameters FROM provreq.nds_set_user_parameters('number=D1', new_pin => '1234');
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services('number=D3')$$);
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services('number=nobody')$$);
-- A smartcard by identifier or by CA ID, with its subscription or without
SELECT r.parameters, s.number FROM provreq.nds_reauthorise_all_services(smartcard_identifier => 'serial_number=d-1') AS r
	LEFT JOIN provreq.subscription AS s ON s.id = r.subscription_id;
SELECT r.parameters, s.number FROM provreq.nds_reauthorise_all_services(smartcard_identifier => '42') AS r
	LEFT JOIN provreq.subscription AS s ON s.id = r.subscription_id;
SELECT r.parameters, s.number FROM provreq.nds_reauthorise_all_services('number=D2', '77') AS r
	LEFT JOIN provreq.subscription AS s ON s.id = r.subscription_id;
-- what is one card on the wire has one ordering key
SELECT ordering_keys FROM provreq.nds_reauthorise_all_services(smartcard_identifier => '000042');
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services('number=D1', '555')$$);
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services('number=D1', 'serial_number=d-theirs')$$);
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services('number=D1', 'serial_number=d-3')$$);
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services('number=D1', 'serial_number=d-box')$$);
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services('number=D1', '44')$$);
-- Rules
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services()$$);
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services('')$$);
SELECT outcome($$SELECT provreq.nds_set_user_parameters(reset_pin => true)$$);
SELECT outcome($$SELECT provreq.nds_set_user_parameters('number=D1')$$);
SELECT outcome($$SELECT provreq.nds_set_user_parameters('number=D1', reset_pin => false)$$);
SELECT outcome($$SELECT provreq.nds_set_user_parameters('number=D1', reset_pin => true, new_pin => '1234')$$);
SELECT outcome($$SELECT provreq.nds_set_user_parameters('number=D1', 'serial_number=d-1', reset_pin => true, new_pin => '1234')$$);
SELECT outcome($$SELECT provreq.nds_set_user_parameters('number=D1', 'serial_number=d-1', reset_pin => false, new_pin => '1234')$$);
-- PINs; none of them is repeated
SELECT outcome($$SELECT provreq.nds_set_user_parameters('number=D1', 'serial_number=d-1', new_pin => '')$$);
SELECT outcome($$SELECT provreq.nds_set_user_parameters('number=D1', 'serial_number=d-1', new_pin => '739')$$);
SELECT outcome($$SELECT provreq.nds_set_user_parameters('number=D1', 'serial_number=d-1', new_pin => '73915')$$);
SELECT outcome($$SELECT provreq.nds_set_user_parameters('number=D1', 'serial_number=d-1', new_pin => '-739')$$);
SELECT outcome($$SELECT provreq.nds_set_user_parameters('number=D1', 'serial_number=d-1', new_pin => E'739\n')$$);
SELECT outcome($$SELECT provreq.nds_set_user_parameters('number=D1', 'serial_number=d-1', new_pin => repeat('7', 1048576))$$);
-- Cards that do not fit
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services(smartcard_identifier => '1234567890123')$$);
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services(smartcard_identifier => 'serial_number=d-13')$$);
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services(smartcard_identifier => 'A2345')$$);
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services(smartcard_identifier => 'serial_number=d-letters')$$);
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services(smartcard_identifier => '-17')$$);
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services(smartcard_identifier => ' 17')$$);
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services(smartcard_identifier => '0x17')$$);
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services(smartcard_identifier => '١٧')$$);
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services(smartcard_identifier => E'1\u00017')$$);
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services(smartcard_identifier => 'smartcard_ca_id=17')$$);
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services(smartcard_identifier => repeat('1', 1048576))$$);
-- Dates and providers that do not fit
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services(smartcard_identifier => '17', scheduled_date => '9999-12-31 23:59:59')$$);
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services(smartcard_identifier => '17', scheduled_date => '10000-01-01')$$);
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services(smartcard_identifier => '17', provider => 'regress_conax')$$);
-- The same twice: two providers of the kind
SAVEPOINT two;
CREATE SERVER regress_nds_2 FOREIGN DATA WRAPPER nds OPTIONS (host 'nds.example.com', port '5001', digest 'none');
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services(smartcard_identifier => '17')$$);
SELECT outcome($$SELECT provreq.nds_reauthorise_all_services('number=D1')$$);
SELECT provider, parameters FROM provreq.nds_reauthorise_all_services('number=D1', provider => 'regress_nds_2');
ROLLBACK TO two;

-- Answers
ALTER SERVER regress_nds OPTIONS (SET digest 'none');
CREATE FUNCTION nds_explained(after_length text, length integer DEFAULT NULL, operation text DEFAULT NULL) RETURNS text LANGUAGE sql
	AS $$SELECT concat_ws(' | ', e.verdict, e.error_code, e.error_description, e.provider_error_code, e.provider_error_description, e.reference_number, e.response)
		FROM provreq.explain_reply('regress_nds',
			convert_to('0001' || lpad(to_hex(coalesce(length, octet_length(after_length) + 8)), 4, '0') || after_length, 'UTF8'), 0, operation) AS e$$;
\set head 00020001 '0000002A20350607080910R'
SELECT nds_explained(:'head' || 'OK000000000017REF-1           ');
SELECT nds_explained(:'head' || 'OK000000000000                ');
SELECT nds_explained(:'head' || 'ER000000000017E00100');
SELECT nds_explained(:'head' || 'ER000000000017E0020fwrong parameter');
SELECT nds_explained(:'head' || 'ER000000000017E0020Fwrong parameter');
SELECT nds_explained(:'head' || 'ER000000000017E00900');
SELECT nds_explained(:'head' || 'ER000000000017E00300');
SELECT nds_explained(:'head' || 'ER000000000017E00400');
SELECT nds_explained(:'head' || 'ER000000000017    00');
SELECT nds_explained(:'head' || 'ER000000000017E00204mind', operation => 'reauthorise_all_services');
-- a PIN that the system repeats is masked where one was sent
SELECT nds_explained(:'head' || 'ER000000000017E0020APIN 7391 ?', operation => 'SET_USER_PARAMETERS');
-- not to be trusted
SELECT nds_explained('');
SELECT nds_explained(:'head' || 'OK000000000017REF-1          ');
SELECT nds_explained(:'head' || 'OK000000000017REF-1            ');
SELECT nds_explained(:'head' || 'OK000000000017REF-1           ', 60);
SELECT nds_explained(:'head' || 'OK000000000017REF-1           ', 62);
SELECT nds_explained(:'head' || 'OK000000000017REF-1           ', 7);
SELECT nds_explained(:'head' || 'OK00000000001xREF-1           ');
SELECT nds_explained(:'head' || 'KO000000000017REF-1           ');
SELECT nds_explained(:'head' || 'ER000000000017E00201');
SELECT nds_explained(:'head' || 'ER000000000017E00200x');
SELECT nds_explained(:'head' || 'ER000000000017E002FF');
SELECT nds_explained(:'head' || E'OK000000000017REF\n            ');
SELECT nds_explained(replace(:'head', '080910R', '240910R') || 'OK000000000017REF-1           ');
SELECT nds_explained(replace(:'head', '080910R', '080910X') || 'OK000000000017REF-1           ');
SELECT nds_explained(replace(:'head', '0000002A', '0000002G') || 'OK000000000017REF-1           ');
SELECT nds_explained(:'head' || 'UP000000000017D        ');
SELECT nds_explained(:'head' || 'OK000000000017REF-1           ' || repeat('0', 32));
SELECT (provreq.explain_reply('regress_nds', '')).verdict;
SELECT (provreq.explain_reply('regress_nds', '0001')).verdict;
SELECT (provreq.explain_reply('regress_nds', '0001zzzz')).verdict;
SELECT (provreq.explain_reply('regress_nds', decode(repeat('00', 1048576), 'hex'))).verdict;
SELECT (provreq.explain_reply('regress_nds', convert_to(repeat('0001FFFF', 131072), 'UTF8'))).verdict;
-- with digests
ALTER SERVER regress_nds OPTIONS (SET digest 'hmac-sha256');
CREATE FUNCTION nds_signed(after_length text, key text, algorithm text DEFAULT 'sha256', change text DEFAULT NULL) RETURNS text LANGUAGE sql
	AS $$SELECT concat_ws(' | ', e.verdict, e.error_code, e.error_description, e.reference_number)
		FROM convert_to('0001' || lpad(to_hex(octet_length(after_length) + 40), 4, '0') || after_length, 'UTF8') AS m,
		provreq.explain_reply('regress_nds', CASE WHEN change IS NULL THEN m ELSE convert_to(replace(convert_from(m, 'UTF8'), split_part(change, '>', 1), split_part(change, '>', 2)), 'UTF8') END
			|| convert_to(encode(substr(nds_hmac(m, convert_to(key, 'UTF8'), algorithm), 1, 16), 'hex'), 'UTF8')) AS e$$;
\set key 'a key that is longer than one block of the digest, which has sixty-four bytes'
SELECT nds_signed(:'head' || 'OK000000000017REF-1           ', :'key');
SELECT nds_signed(:'head' || 'OK000000000017REF-1           ', :'key', 'md5');
SELECT nds_signed(:'head' || 'OK000000000017REF-1           ', :'key' || '.');
SELECT nds_signed(:'head' || 'OK000000000017REF-1           ', :'key', change => 'REF-1>REF-2');
SELECT nds_signed(:'head' || 'OK000000000017REF-1           ', :'key', change => '0000002A>0000002B');
SELECT nds_signed(:'head' || 'OK000000000017REF-1           ', :'key', change => 'OK>KO');
SELECT nds_explained(:'head' || 'OK000000000017REF-1           ');
ALTER SERVER regress_nds OPTIONS (SET digest 'hmac-md5');
SELECT nds_signed(:'head' || 'OK000000000017REF-1           ', :'key', 'md5');
SELECT nds_signed(:'head' || 'OK000000000017REF-1           ', :'key');

-- Options of a server and of a user mapping
CREATE FUNCTION nds_server(options text) RETURNS text LANGUAGE sql
	AS $$SELECT outcome(format('CREATE SERVER s FOREIGN DATA WRAPPER nds OPTIONS (host ''h'', port ''1'', %s)', options))$$;
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER nds OPTIONS (port '1')$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER nds OPTIONS (host '[::1]', port '1')$$);
SELECT nds_server($$from_id ''$$);
SELECT nds_server($$from_id '12345'$$);
SELECT nds_server($$to_id 'G'$$);
SELECT nds_server($$to_id 'a1'$$);
SELECT nds_server($$to_id ' 1'$$);
SELECT nds_server($$connections '0'$$);
SELECT nds_server($$connections '65'$$);
SELECT nds_server($$digest 'HMAC-MD5'$$);
SELECT nds_server($$digest ''$$);
SELECT nds_server($$heartbeat '2h'$$);
SELECT nds_server($$source_id '1'$$);
SELECT nds_server($$window '4'$$);
SELECT nds_server($$key 'a secret'$$);
SELECT outcome($$ALTER USER MAPPING FOR provreq_worker SERVER regress_nds OPTIONS (SET key 'geheim')$$);
SELECT outcome($$ALTER USER MAPPING FOR provreq_worker SERVER regress_nds OPTIONS (SET key '')$$);
SELECT outcome($$ALTER USER MAPPING FOR provreq_worker SERVER regress_nds OPTIONS (ADD digest 'none')$$);
SELECT outcome($$ALTER USER MAPPING FOR provreq_worker SERVER regress_nds OPTIONS (ADD password 'x')$$);

-- Profiles with faults
CREATE FUNCTION nds_profile(path text[], value jsonb) RETURNS text LANGUAGE sql
	AS $$SELECT outcome(format('UPDATE provreq.wire_profile SET document = %s WHERE name = ''nds_ascii''',
		CASE WHEN value IS NULL THEN format('document #- %L', path) ELSE format('jsonb_set(document, %L, %L)', path, value) END))$$;
SELECT nds_profile('{kind}', '"nagravision"');
SELECT nds_profile('{frame,length,at}', '5');
SELECT nds_profile('{frame,length,width}', '5');
SELECT nds_profile('{frame,length,outer}', 'true');
SELECT nds_profile('{frame,length,from}', '"everywhere"');
SELECT nds_profile('{frame,length,digest}', 'false');
SELECT nds_profile('{groups,head,1}', '{"name": "length", "form": "decimal", "width": 4, "compute": "length"}');
SELECT nds_profile('{groups,head,1}', '{"name": "length", "form": "hex", "width": 4, "const": "0"}');
SELECT nds_profile('{groups,head,4,width}', '6');
SELECT nds_profile('{groups,head,6,map}', '{}');
SELECT nds_profile('{groups,head,6,map,REGULAR}', '"RR"');
SELECT nds_profile('{groups,head,2,fill}', '""');
SELECT nds_profile('{messages,ping,3,algorithm}', '"crc32"');
SELECT nds_profile('{messages,ping,3,bytes}', '33');
SELECT nds_profile('{messages,ping,3,as}', '"base64"');
SELECT nds_profile('{messages,ping,0}', '{"form": "digest", "name": "digest", "algorithm": "option"}');
SELECT nds_profile('{messages,user_parameters,4,display}', '"hidden"');
SELECT nds_profile('{messages,user_parameters,4,take}', '{"first": 4, "last": 4}');
SELECT nds_profile('{messages,user_parameters,5,from}', '"ca_pin"');
SELECT nds_profile('{messages,reauthorise,1,const}', '"RAA"');
SELECT nds_profile('{messages,reauthorise,1,const_hex}', '"5241"');
SELECT nds_profile('{answers,error,fields,4,of}', '"words"');
SELECT nds_profile('{answers,error,fields,5,width}', '{"field": "size"}');
SELECT nds_profile('{answers,error,fields,5,width}', '"rest"');
SELECT nds_profile('{answers,ok,reference}', '"receipt"');
SELECT nds_profile('{answers,ok,answer}', '1');
SELECT nds_profile('{operations,SET_USER_PARAMETERS,each}', '"ca_pin"');
SELECT nds_profile('{messages,user_parameters,4,display}', '"shown"');
SELECT nds_profile('{operations,REAUTHORISE_ALL_SERVICES,each}', '"ca_pin"');
SELECT nds_profile('{link,check,values}', '["R"]');
SELECT nds_profile('{link,numbers,last}', '4294967296');
SELECT outcome($$INSERT INTO provreq.wire_profile (name, kind, document) SELECT 'nds_other', 'conax_web_services', document
	FROM provreq.wire_profile WHERE name = 'nds_ascii'$$);

-- A link whose name messages cannot hold is found before there is a link
SELECT outcome($$ALTER SERVER regress_nds OPTIONS (ADD connections '10')$$);
SELECT nds_profile('{groups,head,2}', '{"name": "from_id", "form": "text", "width": 1, "from": "link"}');
SELECT outcome($$SELECT provreq.test_connection('regress_nds')$$);
SELECT nds_profile('{groups,head,2}', '{"name": "from_id", "form": "decimal", "width": 1, "from": "link"}');
SELECT outcome($$SELECT provreq.test_connection('regress_nds')$$);
ROLLBACK;
