/*
 * Roles belong to the cluster, not to the database: they are made if they
 * are missing and stay when the extension goes.
 */
DO $$
DECLARE
	role_name text;
BEGIN
	FOREACH role_name IN ARRAY
		ARRAY['provreq_worker', 'provreq_reader', 'provreq_operator', 'provreq_admin']
	LOOP
		IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
			EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role_name);
		END IF;
	END LOOP;
END
$$;

GRANT provreq_reader TO provreq_operator;
GRANT provreq_operator TO provreq_admin;
GRANT USAGE ON SCHEMA provreq TO provreq_reader, provreq_worker;
