/*
 * A provider is a foreign server of one of these wrappers with a user
 * mapping for provreq_worker.  The validators check options when the DDL
 * runs; there is no handler, so no foreign table can be read through them.
 */
CREATE FUNCTION provreq.conax_web_services_validator(text[], oid) RETURNS void
	AS 'MODULE_PATHNAME', 'provreq_validate_options'
	LANGUAGE c STRICT;
COMMENT ON FUNCTION provreq.conax_web_services_validator(text[], oid) IS
'Checks the options of Conax Web Services providers when CREATE or ALTER SERVER or USER MAPPING runs.';

CREATE FOREIGN DATA WRAPPER conax_web_services
	VALIDATOR provreq.conax_web_services_validator;
COMMENT ON FOREIGN DATA WRAPPER conax_web_services IS
'provreq providers of the kind Conax Web Services (SOAP over HTTPS).';

CREATE FUNCTION provreq.nagravision_validator(text[], oid) RETURNS void
	AS 'MODULE_PATHNAME', 'provreq_validate_options'
	LANGUAGE c STRICT;
COMMENT ON FUNCTION provreq.nagravision_validator(text[], oid) IS
'Checks the options of nagravision providers when CREATE or ALTER SERVER or USER MAPPING runs.';

CREATE FOREIGN DATA WRAPPER nagravision
	VALIDATOR provreq.nagravision_validator;
COMMENT ON FOREIGN DATA WRAPPER nagravision IS
'provreq providers of the kind Nagravision SMS Gateway (framed TCP).';

CREATE FUNCTION provreq.nds_validator(text[], oid) RETURNS void
	AS 'MODULE_PATHNAME', 'provreq_validate_options'
	LANGUAGE c STRICT;
COMMENT ON FUNCTION provreq.nds_validator(text[], oid) IS
'Checks the options of nds providers when CREATE or ALTER SERVER or USER MAPPING runs.';

CREATE FOREIGN DATA WRAPPER nds
	VALIDATOR provreq.nds_validator;
COMMENT ON FOREIGN DATA WRAPPER nds IS
'provreq providers of the kind NDS (framed TCP).';

/*
 * Message layouts, status tables and operation shapes of the systems, as
 * documents that an operator corrects with an UPDATE.  A dump holds those
 * that somebody made or changed.
 */
CREATE TABLE provreq.wire_profile (
	name text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
	kind text NOT NULL,
	document jsonb NOT NULL,
	modified boolean NOT NULL DEFAULT true,
	updated_date timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE provreq.wire_profile IS
'How each kind of system is spoken to: one JSON document a dialect. Checked when it is written; senders follow a change at once.';
COMMENT ON COLUMN provreq.wire_profile.name IS 'What the server option "profile" names.';
COMMENT ON COLUMN provreq.wire_profile.kind IS 'The foreign data wrapper that it is for.';
COMMENT ON COLUMN provreq.wire_profile.document IS 'The profile. Errors name the JSON path of the fault.';
COMMENT ON COLUMN provreq.wire_profile.modified IS 'False as shipped; true once it was made or changed here, which is what a dump keeps.';
COMMENT ON COLUMN provreq.wire_profile.updated_date IS 'When it was last written.';

CREATE FUNCTION provreq.check_wire_profile() RETURNS trigger
	AS 'MODULE_PATHNAME', 'provreq_check_wire_profile'
	LANGUAGE c;
COMMENT ON FUNCTION provreq.check_wire_profile() IS
'Trigger function: checks a profile document, marks it as modified, and lets the senders know.';
CREATE TRIGGER check_wire_profile
	BEFORE INSERT OR UPDATE OR DELETE ON provreq.wire_profile
	FOR EACH ROW EXECUTE FUNCTION provreq.check_wire_profile();
SELECT pg_catalog.pg_extension_config_dump('provreq.wire_profile', 'WHERE modified');
