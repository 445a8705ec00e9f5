\pset tuples_only on
\pset format unaligned
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
-- Three requests that were answered, and pending ones, newest first
INSERT INTO provreq.request (provider, type, life_cycle_state, closed_date, ordering_keys, name, reference_number, error_code)
	VALUES ('regress_conax', 'DISPLAY_FINGERPRINT', 'COMPLETED', '2020-01-02', '{x}', 'c1', 'list-1', NULL),
		('regress_conax', 'DISPLAY_FINGERPRINT', 'REJECTED', '2020-01-03', '{x}', 'r1', 'list-1', 'CLIENT_NOT_FOUND'),
		('regress_conax', 'DISPLAY_FINGERPRINT', 'COMPLETED', '2020-02-02', '{x}', 'c2', 'list-2', NULL);
SELECT count(*) FROM generate_series(1, 3) AS i,
	provreq.conax_display_fingerprint('serial_number=smrt20000054', scheduled_date => '2035-06-07', name => 'p' || i);
SELECT provreq.list('DISPLAY_FINGERPRINT', number_of_results => 6, fields_set => 'name');
SELECT provreq.list(type => 'DISPLAY_FINGERPRINT', number_of_results => 2, "offset" => 2, fields_set => 'name,life_cycle_state');
SELECT provreq.list(life_cycle_state => 'PENDING', number_of_results => 2, fields_set => 'name,life_cycle_state');
SELECT provreq.list(life_cycle_state => 'REJECTED', number_of_results => 1, fields_set => 'name,error_code');
SELECT provreq.list(life_cycle_state => 'COMPLETED', number_of_results => 2, fields_set => 'name');
SELECT provreq.list(reference_number => 'list-1', fields_set => 'name,reference_number');
SELECT provreq.list(reference_number => '%');
SELECT provreq.list('DISPLAY_FINGERPRINT', "offset" => 1000000);
SELECT count(*) FROM provreq.list('ADD_SUBSCRIPTIONS');
SELECT count(*) FROM provreq.list('ADD_SUBSCRIPTIONS', number_of_results => NULL, "offset" => NULL);
SELECT count(*) FROM provreq.list('ADD_SUBSCRIPTIONS', number_of_results => 150);
-- as the whole object
SELECT l = provreq.show('number=' || (l ->> 'number')) FROM provreq.list('DISPLAY_FINGERPRINT', number_of_results => 1) AS l;
-- Exactly one of three
SELECT outcome('SELECT provreq.list()');
SELECT outcome($$SELECT provreq.list('ADD_SUBSCRIPTIONS', 'PENDING')$$);
SELECT outcome($$SELECT provreq.list('ADD_SUBSCRIPTIONS', reference_number => 'x')$$);
SELECT outcome($$SELECT provreq.list(life_cycle_state => 'PENDING', reference_number => 'x')$$);
SELECT outcome($$SELECT provreq.list('ADD_SUBSCRIPTIONS', 'PENDING', 'x')$$);
-- Limits and words
SELECT outcome($$SELECT provreq.list('MAKE_COFFEE')$$);
SELECT outcome($$SELECT provreq.list('')$$);
SELECT outcome($$SELECT provreq.list(life_cycle_state => 'pending')$$);
SELECT outcome($$SELECT provreq.list('ADD_SUBSCRIPTIONS', number_of_results => 0)$$);
SELECT outcome($$SELECT provreq.list('ADD_SUBSCRIPTIONS', number_of_results => 10001)$$);
SELECT outcome($$SELECT provreq.list('ADD_SUBSCRIPTIONS', number_of_results => -1)$$);
SELECT outcome($$SELECT provreq.list('ADD_SUBSCRIPTIONS', "offset" => -1)$$);
SELECT outcome($$SELECT provreq.list('ADD_SUBSCRIPTIONS', fields_set => 'id,nothing')$$);
-- Pending requests are found without a look at the closed ones
CREATE FUNCTION reads_closed(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	line text;
	found_closed boolean := false;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		found_closed := found_closed OR line ~ 'request_closed';
	END LOOP;
	RETURN found_closed;
END
$$;
SELECT reads_closed($$SELECT FROM provreq.request AS r WHERE r.life_cycle_state = 'PENDING' ORDER BY r.number DESC LIMIT 5$$);
-- Readers may
SET ROLE provreq_reader;
SELECT provreq.list('DISPLAY_FINGERPRINT', number_of_results => 1, fields_set => 'name');
RESET ROLE;
CREATE ROLE regress_provreq_nobody;
SET ROLE regress_provreq_nobody;
SELECT outcome($$SELECT provreq.list('DISPLAY_FINGERPRINT')$$);
SELECT outcome($$SELECT provreq.show('number=1')$$);
SELECT outcome($$SELECT provreq.preview(1)$$);
RESET ROLE;
DROP ROLE regress_provreq_nobody;
