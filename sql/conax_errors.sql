\pset tuples_only on
\pset format unaligned
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
-- Every rule of validation with its SQLSTATE, message, detail and hint
CREATE FUNCTION add_error(subscription text, service text, card text, more text DEFAULT '') RETURNS text LANGUAGE sql
	AS $$SELECT outcome(format('SELECT provreq.conax_add_subscriptions(%L, %L, %L%s)', subscription, service, card, more))$$;
CREATE FUNCTION ask_error(arguments text) RETURNS text LANGUAGE sql
	AS $$SELECT outcome(format('SELECT provreq.conax_get_active_subscriptions(''serial_number=smrt20000054'', %s)', arguments))$$;
CREATE FUNCTION pair_error(cards text, stbs text, more text DEFAULT '') RETURNS text LANGUAGE sql
	AS $$SELECT outcome(format('SELECT provreq.conax_create_pairing(%s, %s%s)', cards, stbs, more))$$;

-- Identifiers
SELECT add_error(NULL, 'code=SPORT', 'serial_number=smrt20000054');
SELECT add_error('', 'code=SPORT', 'serial_number=smrt20000054');
SELECT add_error('number=S60507', NULL, 'serial_number=smrt20000054');
SELECT add_error('number=S60507', 'code=SPORT', NULL);
SELECT add_error('S60507', 'code=SPORT', 'serial_number=smrt20000054');
SELECT add_error('number=S60507', 'SPORT', 'serial_number=smrt20000054');
SELECT add_error('number=S60507', 'code=SPORT', 'smrt20000054');
SELECT add_error('nummer=S60507', 'code=SPORT', 'serial_number=smrt20000054');
SELECT add_error('number=S60507', 'number=SPORT', 'serial_number=smrt20000054');
SELECT add_error('number=S60507', 'code=SPORT', 'number=smrt20000054');
SELECT add_error(' number=S60507', 'code=SPORT', 'serial_number=smrt20000054');
SELECT add_error('=S60507', 'code=SPORT', 'serial_number=smrt20000054');
SELECT add_error('number=', 'code=SPORT', 'serial_number=smrt20000054');
SELECT add_error('number=S60507 ', 'code=SPORT', 'serial_number=smrt20000054');
SELECT add_error('number=s60507', 'code=SPORT', 'serial_number=smrt20000054');
SELECT add_error('number=%', 'code=SPORT', 'serial_number=smrt20000054');
SELECT add_error('number='' OR true --', 'code=SPORT', 'serial_number=smrt20000054');
SELECT add_error('number=\', 'code=SPORT', 'serial_number=smrt20000054');
SELECT add_error('number=' || repeat('ä', 255), 'code=SPORT', 'serial_number=smrt20000054');
SELECT add_error('number=' || repeat('ä', 256), 'code=SPORT', 'serial_number=smrt20000054');
SELECT add_error('number=' || repeat('x', 1048576), 'code=SPORT', 'serial_number=smrt20000054');
SELECT add_error(repeat('x', 1048576) || '=1', 'code=SPORT', 'serial_number=smrt20000054');
SELECT add_error(E'number=S6\n0507', 'code=SPORT', 'serial_number=smrt20000054');
SELECT add_error(E'number=S6\u0085', 'code=SPORT', 'serial_number=smrt20000054');
SELECT add_error(E'num\x1b[31mber=S60507', 'code=SPORT', 'serial_number=smrt20000054');
SELECT add_error('number=S60507', 'alternative_code=P-2', 'serial_number=smrt20000054');
SELECT add_error('number=S60507', 'code=SPORT', 'alternative_code=A-2');

-- What the directory says of them
SELECT add_error('number=S60507', 'code=REMOTE', 'serial_number=smrt20000054');
SELECT add_error('number=S60507', 'code=NEWS', 'serial_number=smrt20000054');
SELECT add_error('number=S60507', 'code=DRAMA', 'serial_number=smrt20000054');
SELECT add_error('number=S60507', 'code=SPORT', 'serial_number=stb-1');
SELECT add_error('number=S60507', 'code=SPORT', 'serial_number=dish-1');
SELECT add_error('number=S60507', 'code=SPORT', 'serial_number=smrt-off');
SELECT add_error('number=S60507', 'code=SPORT', 'serial_number=smrt-other');
SELECT add_error('number=S60507', 'code=SPORT', 'serial_number=smrt-no-ca-id');
SELECT add_error('number=S60507', 'code=SPORT', 'serial_number=smrt-elsewhere', ', provider => ''regress_conax''');
SELECT outcome($$SELECT provreq.conax_get_pairing_status_for_pairing_module('serial_number=smrt20000054')$$);

-- Arguments that every operation has
SELECT ask_error($$priority => 'HIGH'$$);
SELECT ask_error($$priority => 'express'$$);
SELECT ask_error($$priority => ''$$);
SELECT ask_error($$process_name => 'FINGERPRINTING_UTILITY'$$);
SELECT ask_error($$process_id => ''$$);
SELECT ask_error($$process_id => repeat('ä', 256)$$);
SELECT ask_error($$process_id => E'a\tb'$$);
SELECT ask_error($$name => repeat('x', 1048576)$$);
SELECT ask_error($$name => E'a\x7f'$$);
SELECT ask_error($$provider => ''$$);
SELECT ask_error($$provider => 'nowhere'$$);
SELECT ask_error($$scheduled_date => 'infinity'$$);
SELECT ask_error($$scheduled_date => '-infinity'$$);
SELECT ask_error($$scheduled_date => '20000-01-01'$$);
SELECT ask_error($$scheduled_date => '0044-03-15 BC'$$);
SELECT ask_error($$process_immediately => true, scheduled_date => '2035-01-01'$$);
SELECT ask_error($$udf => '[]'$$);
SELECT ask_error($$udf => '1'$$);
SELECT ask_error($$udf => 'null'$$);
SELECT ask_error($$udf => '{"udf_string_9": "x"}'$$);
SELECT ask_error($$udf => '{"udf_string_0": "x"}'$$);
SELECT ask_error($$udf => '{"UDF_STRING_1": "x"}'$$);
SELECT ask_error($$udf => '{"": "x"}'$$);
SELECT ask_error($$udf => '{"udf_string_1": 1}'$$);
SELECT ask_error($$udf => '{"udf_string_1": ["x"]}'$$);
SELECT ask_error($$udf => '{"udf_string_1": "a\nb"}'$$);
SELECT ask_error($$udf => jsonb_build_object('udf_string_1', repeat('ä', 1001))$$);
SELECT ask_error($$udf => '{"udf_float_1": "1.5"}'$$);
SELECT ask_error($$udf => '{"udf_float_1": 1e400}'$$);
SELECT ask_error($$udf => '{"udf_date_1": 5}'$$);
SELECT ask_error($$udf => '{"udf_date_1": "tomorrow"}'$$);
SELECT ask_error($$udf => '{"udf_date_1": "2015-02-29T00:00:00"}'$$);
SELECT ask_error($$udf => '{"udf_date_1": "2015-09-07T24:00:00"}'$$);
SELECT ask_error($$udf => '{"udf_date_1": "2015-09-07T15:23:15 "}'$$);
SELECT ask_error($$udf => '{"udf_date_1": "2015-09-07T15:23:15.1234567"}'$$);
SELECT ask_error($$udf => '{"udf_date_1": "07/09/2015"}'$$);
SELECT ask_error($$udf => '{"udf_date_1": "infinity"}'$$);
SELECT ask_error($$udf => '{"udf_date_1": ""}'$$);

-- Sets
SELECT pair_error('NULL', $$'{stb_ca_id=a}'$$);
SELECT pair_error($$'{smartcard_ca_id=a}'$$, 'NULL');
SELECT pair_error($$'{}'$$, $$'{stb_ca_id=a}'$$);
SELECT pair_error($$'{smartcard_ca_id=a}'$$, $$'{}'$$);
SELECT pair_error($$'{smartcard_ca_id=a,NULL}'$$, $$'{stb_ca_id=a}'$$);
SELECT pair_error($$'{smartcard_ca_id=a,smartcard_ca_id=a}'$$, $$'{stb_ca_id=a}'$$);
SELECT pair_error($$'{smartcard_ca_id=a}'$$, $$'{stb_ca_id=a,stb_ca_id=b,stb_ca_id=a}'$$);
SELECT pair_error($$'{{smartcard_ca_id=a},{smartcard_ca_id=b}}'$$, $$'{stb_ca_id=a}'$$);
SELECT pair_error($$'{a}'$$, $$'{stb_ca_id=a}'$$);
SELECT pair_error($$'{stb_ca_id=a}'$$, $$'{stb_ca_id=a}'$$);
SELECT pair_error($$'{smartcard_ca_id=a}'$$, $$'{smartcard_ca_id=a}'$$);
SELECT pair_error($$'{smartcard_ca_id=}'$$, $$'{stb_ca_id=a}'$$);
SELECT pair_error($$ARRAY[E'smartcard_ca_id=a\nb']$$, $$'{stb_ca_id=a}'$$);
SELECT pair_error($$ARRAY['smartcard_ca_id=' || repeat('x', 256)]$$, $$'{stb_ca_id=a}'$$);
SELECT pair_error($$(SELECT array_agg('smartcard_ca_id=' || i) FROM generate_series(1, 501) AS i)$$, $$'{stb_ca_id=a}'$$);
SELECT pair_error($$'{smartcard_ca_id=000000000041}'$$, $$'{stb_ca_id=a}'$$);
SELECT pair_error($$'{smartcard_ca_id=000000000033}'$$, $$'{stb_ca_id=a}'$$, $$, 'number=S60507'$$);
SELECT pair_error($$'{smartcard_ca_id=a}'$$, $$'{stb_ca_id=THMOD001-10003}'$$, $$, 'number=S60507'$$);
SELECT pair_error($$'{smartcard_ca_id=a}'$$, $$'{stb_ca_id=a}'$$, $$, 'number=nowhere'$$);
SELECT pair_error($$'{smartcard_ca_id=a}'$$, $$'{stb_ca_id=a}'$$, $$, ''$$);
SELECT outcome($$SELECT provreq.conax_add_to_existing_pairing('{smartcard_ca_id=a}', '{stb_ca_id=b}', NULL)$$);
SELECT outcome($$SELECT provreq.conax_add_to_existing_pairing('{smartcard_ca_id=a}', '{stb_ca_id=b}', '')$$);
SELECT outcome($$SELECT provreq.conax_add_to_existing_pairing('{smartcard_ca_id=a}', '{stb_ca_id=b}', repeat('x', 256))$$);
SELECT outcome($$SELECT provreq.conax_add_to_existing_pairing('{smartcard_ca_id=a}', '{stb_ca_id=b}', '000000000041')$$);

-- Texts, numbers, dates
CREATE FUNCTION bark_error(message text, more text DEFAULT '') RETURNS text LANGUAGE sql
	AS $$SELECT outcome(format('SELECT provreq.conax_send_repeating_bark_message(''serial_number=smrt20000054'', %L, %s)', message, more))$$;
SELECT bark_error(NULL, '1, 10');
SELECT bark_error('', '1, 10');
SELECT bark_error(repeat('ä', 130), '1, 10');
SELECT bark_error(repeat('x', 1048576), '1, 10');
SELECT bark_error(E'a\rb', '1, 10');
SELECT bark_error('x', 'NULL, 10');
SELECT bark_error('x', '1, NULL');
SELECT bark_error('x', '0, 10');
SELECT bark_error('x', '65536, 10');
SELECT bark_error('x', '1, 9');
SELECT bark_error('x', '1, 15');
SELECT bark_error('x', '1, 2551');
SELECT bark_error('x', '1, 2560');
SELECT bark_error('x', '1, -10');
SELECT bark_error('x', '1, 10, 0');
SELECT bark_error('x', '1, 10, 1, ''infinity''');
SELECT outcome($$SELECT provreq.conax_send_mail_message('serial_number=smrt20000054', repeat('x', 142))$$);
SELECT outcome($$SELECT provreq.conax_send_bark_message('serial_number=smrt20000054', repeat('x', 130))$$);
SELECT outcome($$SELECT provreq.conax_display_fingerprint('serial_number=smrt20000054', position_x => -1)$$);
SELECT outcome($$SELECT provreq.conax_display_fingerprint('serial_number=smrt20000054', height => 65536)$$);
SELECT outcome($$SELECT provreq.conax_display_fingerprint('serial_number=smrt20000054', '-infinity')$$);
SELECT add_error('number=S60507', 'code=SPORT', 'serial_number=smrt20000054', $$, 'infinity'$$);
-- A noncharacter is no text for XML
SELECT bark_error(U&'a\FFFE', '1, 10');

-- PINs, which no message repeats
CREATE FUNCTION pin_error(pin text) RETURNS text LANGUAGE sql
	AS $$SELECT outcome(format('SELECT provreq.conax_reset_pin_to_given_value(''number=S60507'', ''serial_number=smrt20000054'', %L)', pin))$$;
SELECT pin_error(NULL);
SELECT pin_error('');
SELECT pin_error('123');
SELECT pin_error('12345');
SELECT pin_error('12a4');
SELECT pin_error('-123');
SELECT pin_error(' 1234');
SELECT pin_error('١٢٣٤');
SELECT pin_error(repeat('1', 1048576));
SELECT outcome($$SELECT provreq.conax_reset_pin_to_given_value('number=S60508', 'serial_number=smrt20000054', '1234')$$);

-- Nothing of all that was stored
SELECT count(*) FROM provreq.request WHERE name IS NOT NULL AND name = repeat('x', 1048576);
SELECT count(*) FROM provreq.request_secret AS s WHERE NOT EXISTS (SELECT FROM provreq.request AS r WHERE r.number = s.number);
