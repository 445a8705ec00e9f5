\pset tuples_only on
\pset format unaligned
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
-- What would go out; the number is the only thing that differs from run to run
CREATE FUNCTION shown(number bigint) RETURNS text LANGUAGE sql
	AS $$SELECT regexp_replace(provreq.preview(number), '(<SequenceNumber>)' || number || '<', '\1NUMBER<')$$;
SELECT number FROM provreq.conax_add_subscriptions('number=S60507', 'code=SPORT', 'serial_number=smrt20000054',
	'2035-01-02 03:04:05+00', scheduled_date => '2035-06-07') \gset
SELECT shown(:number);
-- In the statement that makes the request, too
SELECT provreq.preview(number) ~ '<ProductId>1001<' FROM provreq.conax_add_subscriptions('number=S60507', 'code=SPORT',
	'serial_number=smrt20000054', scheduled_date => '2035-06-07');
SELECT number FROM provreq.conax_create_pairing('{smartcard_ca_id=stb01-3020-0005,smartcard_ca_id=q}', '{stb_ca_id=THMOD001-10002}',
	scheduled_date => '2035-06-07') \gset
SELECT shown(:number);
SELECT number FROM provreq.conax_send_bark_message('serial_number=smrt20000054', '<&>"'' ä', scheduled_date => '2035-06-07') \gset
SELECT shown(:number);
-- PINs are for provreq_admin, credentials for nobody
SELECT number AS pin FROM provreq.conax_reset_pin_to_given_value('number=S60507', 'serial_number=smrt20000054', '7391',
	scheduled_date => '2035-06-07') \gset
GRANT EXECUTE ON FUNCTION shown(bigint) TO PUBLIC;
SET ROLE provreq_reader;
SELECT shown(:pin);
SELECT provreq.preview(:pin) ~ '7391|not shown';
SET ROLE provreq_admin;
SELECT provreq.preview(:pin) ~ '<NewPin>7391<', provreq.preview(:pin) ~ 'not shown';
RESET ROLE;
-- What went out is shown as it went
UPDATE provreq.request SET request = 'as it went out: ****' WHERE number = :pin;
UPDATE provreq.request_secret SET request = 'as it went out: 7391' WHERE number = :pin;
SET ROLE provreq_reader;
SELECT provreq.preview(:pin);
SET ROLE provreq_admin;
SELECT provreq.preview(:pin);
RESET ROLE;
SELECT outcome('SELECT provreq.preview(999999999)');
SELECT provreq.preview(NULL) IS NULL;

-- Answers: understood
CREATE FUNCTION soap(body text) RETURNS bytea LANGUAGE sql
	AS $$SELECT convert_to('<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>' || body || '</s:Body></s:Envelope>', 'UTF8')$$;
CREATE FUNCTION explained(reply bytea, http_status integer DEFAULT 200, operation text DEFAULT NULL) RETURNS text LANGUAGE sql
	AS $$SELECT concat_ws(' | ', e.verdict, e.error_code, left(e.error_description, 70), e.provider_error_code,
		left(e.provider_error_description, 70), e.reference_number, e.response_data)
		FROM provreq.explain_reply('regress_conax', $1, $2, $3) AS e$$;
SELECT explained(soap('<AddSubscriptionsResponse><StatusCode>OK</StatusCode><ReferenceNumber>R17</ReferenceNumber></AddSubscriptionsResponse>'));
SELECT explained(soap('<AddSubscriptionsResponse><StatusCode>CLIENT_NOT_FOUND</StatusCode><Message>no card</Message></AddSubscriptionsResponse>'), 200, 'add_subscriptions');
SELECT explained(soap('<AddSubscriptionsResponse><StatusCode>SYSTEM_ERROR</StatusCode></AddSubscriptionsResponse>'), 200, 'ADD_SUBSCRIPTIONS');
SELECT explained(soap('<CreatePairingResponse><StatusCode>OK</StatusCode><ReferenceNumber>R18</ReferenceNumber></CreatePairingResponse>'));
SELECT explained(soap('<s:Fault><faultcode>s:Client</faultcode><faultstring>bad</faultstring></s:Fault>'), 500);
SELECT explained(soap('<s:Fault><faultcode>s:Server</faultcode><faultstring>down</faultstring></s:Fault>'), 500);
-- not understood: an answer, never a crash
SELECT (provreq.explain_reply('regress_conax', '')).verdict;
SELECT (provreq.explain_reply('regress_conax', 'garbage')).verdict;
SELECT (provreq.explain_reply('regress_conax', '\x00ff00ff')).verdict;
SELECT (provreq.explain_reply('regress_conax', convert_to(repeat('<a>', 349525), 'UTF8'))).verdict;
SELECT (provreq.explain_reply('regress_conax', soap(repeat('<a/>', 262144)))).verdict;
SELECT (provreq.explain_reply('regress_conax', soap('<AddSubscriptionsResponse><StatusCode>OK</StatusCode>'))).verdict;
SELECT (provreq.explain_reply('regress_conax', convert_to('<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
	|| '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]><a>&d;</a>', 'UTF8'))).verdict;
SELECT (provreq.explain_reply('regress_conax', convert_to('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', 'UTF8'))).response ~ 'root:';
SELECT (provreq.explain_reply('regress_conax', NULL)).verdict IS NULL;
SELECT outcome($$SELECT provreq.explain_reply('nowhere', 'x')$$);
SELECT outcome($$SELECT provreq.explain_reply(E'no\nwhere' || repeat('x', 1048576), 'x')$$);
SELECT outcome($$SELECT provreq.explain_reply('regress_conax', 'x', 200, 'make_coffee')$$);
