/*
 * The CRM's own relations in the place of the directory's tables.  Relations,
 * columns and roles are kept by name: a dump restores in any order, and what
 * is missing is an error when it is used.
 */
CREATE TABLE provreq.directory_source (
	kind text PRIMARY KEY
		CHECK (kind IN ('subscription', 'product', 'installed_item', 'service_mapping',
			'subscription_distributor', 'entitlement')),
	relation_schema text NOT NULL,
	relation_name text NOT NULL,
	columns jsonb NOT NULL DEFAULT '{}',
	role_name text NOT NULL,
	changed_date timestamptz NOT NULL DEFAULT pg_catalog.now(),
	changed_by_user text NOT NULL DEFAULT CURRENT_USER
);
COMMENT ON TABLE provreq.directory_source IS
'Relations that provreq.use_directory() has put in the place of tables of the directory; see the view provreq.directory.';
COMMENT ON COLUMN provreq.directory_source.kind IS 'The table that is not read.';
COMMENT ON COLUMN provreq.directory_source.relation_schema IS 'Schema of the relation that is read.';
COMMENT ON COLUMN provreq.directory_source.relation_name IS 'Name of the relation that is read.';
COMMENT ON COLUMN provreq.directory_source.columns IS 'Its columns by ours, where they are called otherwise; null for one that it has not.';
COMMENT ON COLUMN provreq.directory_source.role_name IS 'The role with whose rights it is read.';
COMMENT ON COLUMN provreq.directory_source.changed_date IS 'When that was decided.';
COMMENT ON COLUMN provreq.directory_source.changed_by_user IS 'Who decided it.';
SELECT pg_catalog.pg_extension_config_dump('provreq.directory_source', '');

CREATE FUNCTION provreq.directory_source_changed() RETURNS trigger
	AS 'MODULE_PATHNAME', 'provreq_directory_source_changed'
	LANGUAGE c;
COMMENT ON FUNCTION provreq.directory_source_changed() IS
'Trigger function: lets all sessions know that the directory is another.';
CREATE TRIGGER directory_source_changed
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON provreq.directory_source
	FOR EACH STATEMENT EXECUTE FUNCTION provreq.directory_source_changed();

CREATE FUNCTION provreq.use_directory(
	kind text,
	relation regclass,
	columns jsonb DEFAULT '{}',
	role name DEFAULT NULL
) RETURNS void
	AS 'MODULE_PATHNAME', 'provreq_use_directory'
	LANGUAGE c VOLATILE;
COMMENT ON FUNCTION provreq.use_directory(text, regclass, jsonb, name) IS
'Reads a part of the directory from a relation of the CRM from now on; with a NULL relation from the table of provreq again. kind: subscription, product, installed_item, service_mapping, subscription_distributor or entitlement. relation: a table, view, materialized view or foreign table whose columns have the type text or character varying; it must have id and number; id and code (alternative_code and classification, default SERVICE, if it has them); id, serial_number, classification and ca_id (alternative_code, subscription_id, provider and life_cycle_state, default EFFECTIVE, if it has them); product_id and service_ca_id (provider); id and subscription_id or installed_item_id (provider); installed_item_id and product_id. columns: {"our name": "its name"} where names differ, {"our name": null} for a column not to be used. role: with whose rights it is read, default the owner of the relation; not a superuser, and the caller must be able to SET ROLE to it. search_path is "pg_catalog, pg_temp" meanwhile, and a security-restricted operation is going on. What is looked up should have an index. Kept by names: after a change of the relation the next use finds it as it is then, or is an error. Errors: 22004 no kind, 22023 wrong kind or mapping, 42P02 unknown column of ours, 42P01 no such relation, 42809 a relation of another sort, 42703 a column is missing, 42804 or has another type, 42704 no such role, 42501 a right is missing. When it is used, also 22004 and 22023 for a row with a missing, over-long (255 characters) or unprintable value.';

CREATE VIEW provreq.directory AS
	SELECT k.kind,
		CASE WHEN s.kind IS NULL THEN pg_catalog.format('provreq.%s', k.kind)
			ELSE pg_catalog.format('%I.%I', s.relation_schema, s.relation_name) END AS relation,
		s.columns,
		s.role_name AS role,
		s.changed_date,
		s.changed_by_user
	FROM (VALUES ('subscription'), ('product'), ('installed_item'), ('service_mapping'),
			('subscription_distributor'), ('entitlement')) AS k (kind)
		LEFT JOIN provreq.directory_source AS s ON s.kind = k.kind;
COMMENT ON VIEW provreq.directory IS
'Where the directory is read from: one row for each of its tables.';
COMMENT ON COLUMN provreq.directory.kind IS 'What is read.';
COMMENT ON COLUMN provreq.directory.relation IS 'The relation it is read from: a table of provreq, or what provreq.use_directory() was given.';
COMMENT ON COLUMN provreq.directory.columns IS 'Columns of the relation by ours, where they are called otherwise; null for one that it has not. NULL for a table of provreq.';
COMMENT ON COLUMN provreq.directory.role IS 'The role with whose rights it is read. NULL for a table of provreq.';
COMMENT ON COLUMN provreq.directory.changed_date IS 'When that was decided. NULL for a table of provreq.';
COMMENT ON COLUMN provreq.directory.changed_by_user IS 'Who decided it. NULL for a table of provreq.';

CREATE FUNCTION provreq.directory_rows(
	kind text,
	"column" text DEFAULT NULL,
	"values" text[] DEFAULT NULL
) RETURNS SETOF jsonb
	AS 'MODULE_PATHNAME', 'provreq_directory_rows'
	LANGUAGE c STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION provreq.directory_rows(text, text, text[]) IS
'Rows of the directory, wherever it is read from, as objects with the columns of the table of that name (kind: see provreq.directory): all, or those with one of the values in a column. Errors: 22004 no kind, or one of column and values alone; 22023 wrong kind; 42P02 unknown column; those of a relation that can no longer be used, see provreq.use_directory().';

REVOKE ALL ON FUNCTION provreq.use_directory(text, regclass, jsonb, name),
	provreq.directory_rows(text, text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION provreq.use_directory(text, regclass, jsonb, name) TO provreq_admin;
GRANT EXECUTE ON FUNCTION provreq.directory_rows(text, text, text[]) TO provreq_reader;
GRANT SELECT ON provreq.directory TO provreq_reader;
