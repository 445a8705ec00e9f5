-- What is true of every object of the extension, counted: each query names
-- those of which it is not.
CREATE TEMP VIEW member AS
	SELECT d.classid, d.objid FROM pg_depend AS d
		JOIN pg_extension AS e ON e.oid = d.refobjid
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
		AND e.extname = 'provreq';
CREATE TEMP VIEW routine AS
	SELECT p.*, p.oid::regprocedure::text AS signature,
		ARRAY(SELECT DISTINCT pg_get_userbyid(a.grantee)::text COLLATE "C"
			FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
			WHERE a.grantee <> p.proowner ORDER BY 1) AS others
	FROM pg_proc AS p JOIN member AS m ON m.objid = p.oid
	WHERE m.classid = 'pg_proc'::regclass;
CREATE TEMP VIEW relation AS
	SELECT c.* FROM pg_class AS c JOIN member AS m ON m.objid = c.oid
	WHERE m.classid = 'pg_class'::regclass;

-- Said what it is: every object, and every column but those of partitions;
-- the types of rows are no objects of their own, from 17 on members all the same
SELECT pg_describe_object(classid, objid, 0) AS no_comment FROM member
	WHERE obj_description(objid, classid::regclass::name) IS NULL
		AND classid <> 'pg_type'::regclass ORDER BY 1;
SELECT c.relname || '.' || a.attname AS no_comment
	FROM relation AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
	WHERE a.attnum > 0 AND NOT a.attisdropped AND NOT c.relispartition
		AND c.relkind IN ('r', 'p', 'v')
		AND col_description(c.oid, a.attnum) IS NULL
	ORDER BY 1;

-- Nothing to PUBLIC; pg_get_userbyid(0) is "unknown (OID=0)"
SELECT signature AS public_may_execute FROM routine
	WHERE 'unknown (OID=0)' = ANY (others) ORDER BY 1;
SELECT c.relname AS public_has_rights FROM relation AS c, aclexplode(c.relacl) AS a
	WHERE a.grantee = 0 ORDER BY 1;
SELECT a.attrelid::regclass, a.attname AS public_has_rights
	FROM relation AS c JOIN pg_attribute AS a ON a.attrelid = c.oid,
		aclexplode(a.attacl) AS x
	WHERE x.grantee = 0 ORDER BY 1, 2;
SELECT n.nspname AS public_has_rights FROM pg_namespace AS n, aclexplode(n.nspacl) AS a
	WHERE a.grantee = 0 AND n.nspname = 'provreq';
SELECT f.fdwname AS public_has_rights
	FROM pg_foreign_data_wrapper AS f JOIN member AS m ON m.objid = f.oid,
		aclexplode(f.fdwacl) AS a
	WHERE m.classid = 'pg_foreign_data_wrapper'::regclass AND a.grantee = 0;

-- Nobody's search_path is in force where another's rights are
SELECT signature AS takes_search_path_of_caller FROM routine
	WHERE prosecdef AND NOT 'search_path=pg_catalog, pg_temp' =
		ANY (coalesce(proconfig, '{}'))
	ORDER BY 1;
-- nor is it in plpgsql, but where it may commit, which SET does not allow
SELECT signature AS may_commit FROM routine
	WHERE prolang = (SELECT oid FROM pg_language WHERE lanname = 'plpgsql')
		AND NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(proconfig, '{}'))
	ORDER BY 1;

-- Views show what their owner may read: nothing that their reader may not
SELECT c.relname AS others_may_write FROM relation AS c, aclexplode(c.relacl) AS a
	WHERE c.relkind = 'v' AND a.grantee <> c.relowner
		AND a.privilege_type <> 'SELECT'
	ORDER BY 1;

-- Every table with data is in a dump, but what is only true of this server
SELECT c.relname AS not_dumped FROM relation AS c
	WHERE c.relkind IN ('r', 'S') AND NOT c.oid = ANY (
		SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'provreq')
	ORDER BY 1;

-- The README has every setting and every option, and nothing that is not there
\getenv abs_srcdir PG_ABS_SRCDIR
\set command 'cat "':abs_srcdir'/README.md"'
\set readme `:command`
CREATE TEMP TABLE readme AS SELECT :'readme'::text AS text;
SELECT s.name AS not_in_readme FROM pg_settings AS s, readme
	WHERE s.name LIKE 'provreq.%' AND position('`' || s.name || '`' IN text) = 0
	ORDER BY 1;

-- The options that a hint lists, of a wrapper for a server or a mapping
CREATE FUNCTION pg_temp.options(wrapper text, place text) RETURNS text[]
	LANGUAGE plpgsql AS $$
DECLARE
	hint text;
BEGIN
	IF place = 'SERVER' THEN
		EXECUTE format('CREATE SERVER regress_catalog FOREIGN DATA WRAPPER %I'
			' OPTIONS (nonsense %L)', wrapper, '1');
	ELSE
		EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER %I'
			' OPTIONS (nonsense %L)', wrapper, '1');
	END IF;
	RETURN NULL;
EXCEPTION WHEN fdw_invalid_option_name THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN string_to_array(rtrim(substring(hint FROM ': (.*)$'), '.'), ', ');
END
$$;
SET client_min_messages = warning;
CREATE SERVER conax_web_services FOREIGN DATA WRAPPER conax_web_services
	OPTIONS (url 'https://127.0.0.1:1', state 'not_effective');
CREATE SERVER nagravision FOREIGN DATA WRAPPER nagravision
	OPTIONS (host '127.0.0.1', port '1', source_id '1', state 'not_effective');
CREATE SERVER nds FOREIGN DATA WRAPPER nds
	OPTIONS (host '127.0.0.1', port '1', state 'not_effective');
RESET client_min_messages;
SELECT w AS wrapper, p AS place, coalesce(cardinality(o), 0) > 0 AS has_options,
		(SELECT string_agg(option, ', ') FROM unnest(o) AS option, readme
			WHERE position('`' || option || '`' IN text) = 0) AS not_in_readme
	FROM unnest('{conax_web_services,nagravision,nds}'::text[]) AS w,
		unnest('{SERVER,MAPPING}'::text[]) AS p, pg_temp.options(w, p) AS o
	ORDER BY 1, 2 DESC;
DROP SERVER conax_web_services, nagravision, nds;

SELECT DISTINCT m[1] AS readme_names_what_is_not_there
	FROM readme, regexp_matches(text, 'provreq\.([a-z_]+[a-z])\M', 'g') AS m
	WHERE NOT EXISTS (SELECT FROM routine WHERE proname = m[1])
		AND NOT EXISTS (SELECT FROM relation WHERE relname = m[1])
		AND NOT EXISTS (SELECT FROM pg_settings WHERE name = 'provreq.' || m[1])
	ORDER BY 1;

-- What people may call and the README does not name: what others are made of
SELECT r.proname AS not_in_readme, string_agg(DISTINCT o, ', ') AS for
	FROM routine AS r, unnest(r.others) AS o, readme
	WHERE o <> 'provreq_worker' AND text !~ ('\m' || r.proname || '\M')
	GROUP BY 1 ORDER BY r.proname COLLATE "C";
DROP FUNCTION pg_temp.options(text, text);
