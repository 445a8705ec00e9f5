/*
 * Users, units and sessions of the CRM: who log_information says created and
 * changed a request.  Users and units are the CRM's, and a dump holds them;
 * sessions end with the database that they were opened in.
 */
CREATE TABLE provreq.crm_user (
	id text PRIMARY KEY DEFAULT provreq.new_id()
		CHECK (pg_catalog.char_length(id) BETWEEN 1 AND 255),
	username text NOT NULL UNIQUE
		CHECK (pg_catalog.char_length(username) BETWEEN 1 AND 255),
	person_name text
		CHECK (pg_catalog.char_length(person_name) <= 1000),
	email text
		CHECK (pg_catalog.char_length(email) <= 1000)
);
COMMENT ON TABLE provreq.crm_user IS
'Users of the CRM, for sessions and for log_information. A database role that works without a session is looked up here by its name, too.';
COMMENT ON COLUMN provreq.crm_user.id IS
'Identifier, 1 to 255 characters; by default 32 upper-case hexadecimal digits.';
COMMENT ON COLUMN provreq.crm_user.username IS
'What requests are marked with, and what open_session() takes.';
COMMENT ON COLUMN provreq.crm_user.person_name IS
'Full name.';
COMMENT ON COLUMN provreq.crm_user.email IS
'Mail address.';

CREATE TABLE provreq.crm_unit (
	id text PRIMARY KEY DEFAULT provreq.new_id()
		CHECK (pg_catalog.char_length(id) BETWEEN 1 AND 255),
	name text NOT NULL UNIQUE
		CHECK (pg_catalog.char_length(name) BETWEEN 1 AND 255),
	group_name text
		CHECK (pg_catalog.char_length(group_name) <= 1000),
	community_name text
		CHECK (pg_catalog.char_length(community_name) <= 1000),
	alternative_code text
		CHECK (pg_catalog.char_length(alternative_code) <= 1000),
	description text,
	code text
		CHECK (pg_catalog.char_length(code) <= 1000),
	unified_code text
		CHECK (pg_catalog.char_length(unified_code) <= 1000),
	parent_business_unit_name text
		CHECK (pg_catalog.char_length(parent_business_unit_name) <= 1000)
);
COMMENT ON TABLE provreq.crm_unit IS
'Units of the CRM, for sessions and for log_information, which shows each in its earlier and in its later form.';
COMMENT ON COLUMN provreq.crm_unit.id IS
'Identifier, 1 to 255 characters; by default 32 upper-case hexadecimal digits.';
COMMENT ON COLUMN provreq.crm_unit.name IS
'What requests are marked with, and what open_session() takes.';
COMMENT ON COLUMN provreq.crm_unit.group_name IS
'Group that it belongs to (earlier form).';
COMMENT ON COLUMN provreq.crm_unit.community_name IS
'Community that it belongs to (earlier form).';
COMMENT ON COLUMN provreq.crm_unit.alternative_code IS
'Alternative code (earlier form).';
COMMENT ON COLUMN provreq.crm_unit.description IS
'Description (both forms).';
COMMENT ON COLUMN provreq.crm_unit.code IS
'Code (later form).';
COMMENT ON COLUMN provreq.crm_unit.unified_code IS
'Unified code (later form).';
COMMENT ON COLUMN provreq.crm_unit.parent_business_unit_name IS
'Name of the unit above it (later form).';

CREATE TABLE provreq.session (
	token_hash bytea PRIMARY KEY,
	username text NOT NULL,
	unit text,
	opened_date timestamptz NOT NULL DEFAULT pg_catalog.now(),
	expires_date timestamptz NOT NULL,
	opened_by text NOT NULL
);
CREATE INDEX session_expires_date ON provreq.session (expires_date);
COMMENT ON TABLE provreq.session IS
'Open sessions of the CRM. Not in dumps. Expired ones are refused, and removed when others are opened.';
COMMENT ON COLUMN provreq.session.token_hash IS
'SHA-256 of the token, which nothing else keeps.';
COMMENT ON COLUMN provreq.session.username IS
'provreq.crm_user.username. The session ends when there is no such user any more.';
COMMENT ON COLUMN provreq.session.unit IS
'provreq.crm_unit.name; NULL: none.';
COMMENT ON COLUMN provreq.session.opened_date IS
'When it was opened.';
COMMENT ON COLUMN provreq.session.expires_date IS
'It is refused from then on.';
COMMENT ON COLUMN provreq.session.opened_by IS
'Who opened it, as provreq.caller() says.';

SELECT pg_catalog.pg_extension_config_dump('provreq.crm_user', '');
SELECT pg_catalog.pg_extension_config_dump('provreq.crm_unit', '');

CREATE FUNCTION provreq.new_token() RETURNS text
	AS 'MODULE_PATHNAME', 'provreq_new_token'
	LANGUAGE c VOLATILE;
COMMENT ON FUNCTION provreq.new_token() IS
'32 upper-case hexadecimal digits, all of them random; for open_session().';

CREATE FUNCTION provreq.caller_unit() RETURNS text
	AS 'MODULE_PATHNAME', 'provreq_caller_unit'
	LANGUAGE c STABLE;
COMMENT ON FUNCTION provreq.caller_unit() IS
'The unit in whose name the current statement runs: that of the session in use. NULL without one.';

CREATE FUNCTION provreq.open_session(username text, unit text DEFAULT NULL,
	valid_for interval DEFAULT '8 hours') RETURNS text
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	for_user text := $1;
	for_unit text := $2;
	validity interval := $3;
	token text := provreq.new_token();
BEGIN
	IF for_user IS NULL OR validity IS NULL THEN
		RAISE EXCEPTION 'parameter "%" must not be null',
			CASE WHEN for_user IS NULL THEN 'username' ELSE 'valid_for' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF validity NOT BETWEEN interval '1 second' AND interval '366 days' THEN
		RAISE EXCEPTION 'parameter "valid_for" must be between 1 second and 366 days'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF NOT EXISTS (SELECT FROM provreq.crm_user u WHERE u.username = for_user) THEN
		RAISE EXCEPTION 'parameter "username": there is no user "%"', left(for_user, 60)
			USING ERRCODE = 'no_data_found',
			HINT = 'Users are the rows of provreq.crm_user.';
	END IF;
	IF for_unit IS NOT NULL AND
		NOT EXISTS (SELECT FROM provreq.crm_unit u WHERE u.name = for_unit)
	THEN
		RAISE EXCEPTION 'parameter "unit": there is no unit "%"', left(for_unit, 60)
			USING ERRCODE = 'no_data_found',
			HINT = 'Units are the rows of provreq.crm_unit.';
	END IF;
	DELETE FROM provreq.session WHERE token_hash = ANY (ARRAY(
		SELECT s.token_hash FROM provreq.session s
		WHERE s.expires_date <= clock_timestamp()
		LIMIT 1000 FOR UPDATE SKIP LOCKED));
	INSERT INTO provreq.session (token_hash, username, unit, expires_date, opened_by)
		VALUES (sha256(convert_to(token, 'UTF8')), for_user, for_unit,
			clock_timestamp() + validity, provreq.caller());
	RETURN token;
END
$$;
COMMENT ON FUNCTION provreq.open_session(text, text, interval) IS
'Opens a session for a user of provreq.crm_user and, if one is named, a unit of provreq.crm_unit, and returns its token: 32 upper-case hexadecimal digits, of which the database keeps the hash alone. valid_for: 1 second to 366 days, default 8 hours. Whoever has the token acts in the name of that user: the caller vouches for them. Errors: 22004 null argument, P0002 no such user or unit, 22023 valid_for out of range.';

CREATE FUNCTION provreq.close_session(token text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'provreq_close_session'
	LANGUAGE c VOLATILE STRICT SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION provreq.close_session(text) IS
'Closes the session of a token. False when it was not open.';

CREATE FUNCTION provreq.use_session(token text) RETURNS void
	AS 'MODULE_PATHNAME', 'provreq_use_session'
	LANGUAGE c VOLATILE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION provreq.use_session(text) IS
'Until the end of the transaction, the user and the unit of that session are the ones who create and change requests. NULL: the role itself again. Does not change any right. Errors: 28000 not the token of an open session.';

GRANT SELECT ON provreq.crm_user, provreq.crm_unit TO provreq_reader;
GRANT INSERT, UPDATE, DELETE ON provreq.crm_user, provreq.crm_unit TO provreq_admin;
GRANT SELECT, DELETE ON provreq.session TO provreq_admin;
GRANT EXECUTE ON FUNCTION provreq.use_session(text), provreq.close_session(text),
	provreq.caller_unit()
	TO provreq_reader;
GRANT EXECUTE ON FUNCTION provreq.open_session(text, text, interval) TO provreq_operator;
