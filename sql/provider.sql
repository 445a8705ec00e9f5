-- Options of providers are checked when the DDL runs; errors list the valid
-- ones and never show a secret.
SET client_min_messages = warning;

-- unknown, missing, wrong
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER conax_web_services$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'https://cas', colour 'red')$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER conax_web_services OPTIONS (url '')$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'ftp://cas')$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'http://cas')$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'https://me:secret@cas')$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'https://cas', state 'on')$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'https://cas', connections '0')$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'https://cas', connections 'many')$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'https://cas', timeout '10 parsecs')$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'https://cas', timeout '2h')$$);
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'https://cas', allow_plaintext 'maybe')$$);
SELECT outcome($$CREATE USER MAPPING FOR PUBLIC SERVER regress_conax OPTIONS (pin '0000')$$);
SELECT outcome($$CREATE USER MAPPING FOR PUBLIC SERVER regress_conax OPTIONS (password 'geheim')$$);
SELECT outcome($$CREATE FOREIGN TABLE t (a integer) SERVER regress_conax OPTIONS (a 'b')$$);

-- long and unprintable values are shown short, or refused
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'https://cas:0')$$);
SELECT outcome(format($$CREATE SERVER s FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'https://cas', state %L)$$, E'\x1b' || repeat('x', 1048576)));
SELECT outcome(format($$CREATE SERVER s FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'https://cas', retry_limit %L)$$, repeat('9', 1048576)));
SELECT outcome(format($$CREATE SERVER s FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'https://cas', allow_plaintext %L)$$, repeat('y', 1048576)));
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'https://cas', profile E'a\nb')$$);
SELECT outcome(format($$CREATE SERVER s FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'https://cas', profile %L)$$, repeat('x', 4097)));
SELECT outcome($$CREATE SERVER s FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'https://cas', ca_file E'/a\u0085')$$);

-- the other two kinds; the regression database has no CAS to send to
CREATE SERVER regress_nagravision FOREIGN DATA WRAPPER nagravision
	OPTIONS (host 'sms.example.com', port '5000', source_id '0001', window '64', heartbeat '10s');
CREATE SERVER regress_nds FOREIGN DATA WRAPPER nds
	OPTIONS (host 'nds.example.com', port '5000', digest 'none');
CREATE USER MAPPING FOR provreq_worker SERVER regress_nds OPTIONS (key 'streng geheim');
SELECT outcome($$ALTER SERVER regress_nagravision OPTIONS (SET window '0')$$);
SELECT outcome($$ALTER SERVER regress_nagravision OPTIONS (ADD url 'https://cas')$$);
SELECT outcome($$ALTER SERVER regress_nagravision OPTIONS (DROP host)$$);
SELECT outcome($$ALTER SERVER regress_nds OPTIONS (SET digest 'rot13')$$);
SELECT outcome($$CREATE USER MAPPING FOR PUBLIC SERVER regress_nds OPTIONS (username 'x')$$);
DROP SERVER regress_nds CASCADE;
DROP SERVER regress_nagravision;

-- a provider keeps its name
SELECT outcome($$ALTER SERVER regress_conax RENAME TO other$$);
SELECT srvname FROM pg_foreign_server ORDER BY srvname;

-- files on the server are for superusers
CREATE ROLE regress_provider;
GRANT USAGE ON FOREIGN DATA WRAPPER conax_web_services TO regress_provider;
GRANT CREATE ON DATABASE :DBNAME TO regress_provider;
SET ROLE regress_provider;
CREATE SERVER regress_theirs FOREIGN DATA WRAPPER conax_web_services OPTIONS (url 'https://cas', state 'not_effective');
RESET ROLE;
GRANT EXECUTE ON FUNCTION outcome(text) TO regress_provider;
SET ROLE regress_provider;
SELECT outcome($$ALTER SERVER regress_theirs OPTIONS (ADD ca_file '/etc/passwd')$$);
SELECT outcome($$CREATE USER MAPPING FOR provreq_worker SERVER regress_theirs OPTIONS (client_cert '/a', client_key '/b')$$);
RESET ROLE;
ALTER SERVER regress_theirs OPTIONS (ADD ca_file '/etc/ssl/certs/ca.pem');
DROP SERVER regress_theirs;
DROP OWNED BY regress_provider;
DROP ROLE regress_provider;

-- profiles are checked when they are written
SELECT outcome($$UPDATE provreq.wire_profile SET document = document || '{"colour": "red"}'$$);
SELECT outcome($$UPDATE provreq.wire_profile SET document = '[]'$$);
SELECT outcome($$UPDATE provreq.wire_profile SET kind = 'carrier_pigeon'$$);
SELECT outcome($$UPDATE provreq.wire_profile SET kind = repeat('x', 1048576)$$);
SELECT outcome($$INSERT INTO provreq.wire_profile (name, kind, document) SELECT 'nagra_smsgw', 'nagravision', document FROM provreq.wire_profile$$);
SELECT name, kind, modified FROM provreq.wire_profile;

-- what people do with requests
SELECT outcome($$SELECT provreq.cancel(NULL, 'why')$$);
SELECT outcome($$SELECT provreq.cancel(-1, 'why')$$);
SELECT outcome($$SELECT provreq.cancel(1, '')$$);
SELECT outcome($$SELECT provreq.resubmit(-1)$$);
SELECT outcome($$SELECT provreq.resubmit(NULL)$$);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT outcome($$SELECT provreq.resubmit(-1)$$);
ROLLBACK;
SELECT outcome($$SELECT provreq.drop_partitions('12 months')$$);
SELECT outcome($$SELECT provreq.drop_partitions(NULL)$$);
-- months are those of the calendar
SELECT outcome($$SELECT provreq.drop_partitions('720 days')$$);
SELECT outcome($$SELECT provreq.drop_partitions('-1 day', force => true)$$);
SELECT provreq.drop_partitions('178000000 years');
SELECT provreq.drop_partitions('24 months');
