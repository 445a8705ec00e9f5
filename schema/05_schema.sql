/*
 * CREATE EXTENSION takes a schema of that name as it finds it.  Somebody who
 * made it beforehand would own the ground that privileged functions stand on,
 * and could put functions of the same names beside them.
 */
DO $$
BEGIN
	IF EXISTS (SELECT FROM pg_catalog.pg_namespace n
			WHERE n.nspname = 'provreq'
			AND (n.nspowner <> (SELECT r.oid FROM pg_catalog.pg_roles r
					WHERE r.rolname = CURRENT_USER)
				OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid)
				OR EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = n.oid)
				OR EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.typnamespace = n.oid)
				OR EXISTS (SELECT FROM pg_catalog.pg_operator o WHERE o.oprnamespace = n.oid))) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'duplicate_schema',
			MESSAGE = 'schema "provreq" exists already and is not empty, or is not yours',
			HINT = 'Drop or rename it: the extension makes its own.';
	END IF;
END
$$;
