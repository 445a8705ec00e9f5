/*
 * The closed part is the legal record: nothing in it changes, but for a
 * superuser's hand.
 */
CREATE FUNCTION provreq.refuse_change() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
		IF TG_OP = 'DELETE' THEN
			RETURN OLD;
		END IF;
		RETURN NEW;
	END IF;
	RAISE EXCEPTION USING
		ERRCODE = 'insufficient_privilege',
		MESSAGE = pg_catalog.format('cannot %s closed provisioning requests', TG_OP),
		DETAIL = 'COMPLETED and REJECTED requests are the record of what was sent.',
		HINT = 'To send a request again, create a new one.';
END
$$;
COMMENT ON FUNCTION provreq.refuse_change() IS
'Trigger function: refuses UPDATE, DELETE and TRUNCATE of closed requests to everybody but superusers (SQLSTATE 42501).';

CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON provreq.request_closed
	FOR EACH ROW EXECUTE FUNCTION provreq.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON provreq.request_closed
	FOR EACH STATEMENT EXECUTE FUNCTION provreq.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON provreq.request_closed_default
	FOR EACH STATEMENT EXECUTE FUNCTION provreq.refuse_change();

CREATE FUNCTION provreq.request_changed() RETURNS trigger
	AS 'MODULE_PATHNAME', 'provreq_request_changed'
	LANGUAGE c;
COMMENT ON FUNCTION provreq.request_changed() IS
'Trigger function: marks a new or changed pending request with the current transaction, by which the sender finds it, and wakes the sender at commit.';
CREATE TRIGGER request_changed BEFORE INSERT OR UPDATE ON provreq.request_pending
	FOR EACH ROW EXECUTE FUNCTION provreq.request_changed();
/* also where rows are applied as a replica's: they are another database's, too */
ALTER TABLE provreq.request_pending ENABLE ALWAYS TRIGGER request_changed;

CREATE FUNCTION provreq.requests_withdrawn() RETURNS trigger
	AS 'MODULE_PATHNAME', 'provreq_requests_withdrawn'
	LANGUAGE c;
COMMENT ON FUNCTION provreq.requests_withdrawn() IS
'Trigger function: after UPDATE or DELETE of requests, lets the senders find out which of those they wait for are gone.';
CREATE TRIGGER requests_withdrawn AFTER UPDATE OR DELETE ON provreq.request
	FOR EACH STATEMENT EXECUTE FUNCTION provreq.requests_withdrawn();
CREATE TRIGGER requests_withdrawn AFTER UPDATE OR DELETE OR TRUNCATE ON provreq.request_pending
	FOR EACH STATEMENT EXECUTE FUNCTION provreq.requests_withdrawn();

/*
 * Months of the closed part.  An index on each partition, none on the parent:
 * a dump restores partitions with their indexes, and would find those of a
 * parent there already.
 */
CREATE FUNCTION provreq.index_closed(partition regclass) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	name text := (SELECT relname FROM pg_catalog.pg_class WHERE oid = partition);
BEGIN
	EXECUTE pg_catalog.format('CREATE INDEX %I ON %s (number)', name || '_number', partition);
	EXECUTE pg_catalog.format('CREATE INDEX %I ON %s (id)', name || '_id', partition);
	EXECUTE pg_catalog.format('CREATE INDEX %I ON %s (type, number)', name || '_type', partition);
	EXECUTE pg_catalog.format('CREATE INDEX %I ON %s USING hash ((ordering_keys[1]))', name || '_key', partition);
	EXECUTE pg_catalog.format('CREATE INDEX %I ON %s (reference_number)'
		' WHERE reference_number IS NOT NULL', name || '_reference', partition);
	EXECUTE pg_catalog.format('CREATE INDEX %I ON %s (number)'
		' WHERE life_cycle_state = ''REJECTED''', name || '_rejected', partition);
END
$$;
COMMENT ON FUNCTION provreq.index_closed(regclass) IS
'Makes the indexes that every partition of the closed requests has. Used by make_partitions().';
SELECT provreq.index_closed('provreq.request_closed_default');

CREATE FUNCTION provreq.lock_partitions() RETURNS void
	LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT provreq.take_lock('provreq.request_closed');
END;
COMMENT ON FUNCTION provreq.lock_partitions() IS
'Lets one transaction at a time make partitions; taken before any other lock.';

CREATE FUNCTION provreq.make_partition(month date) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC' SET lock_timeout = '200ms'
AS $$
DECLARE
	name text := 'request_closed_' || pg_catalog.to_char(month, 'YYYY_MM');
	from_date timestamptz := month::timestamp;
	to_date timestamptz := (month + interval '1 month')::timestamp;
BEGIN
	PERFORM provreq.lock_partitions();
	IF pg_catalog.to_regclass('provreq.' || name) IS NOT NULL THEN
		RETURN;
	END IF;
	EXECUTE pg_catalog.format('CREATE TABLE provreq.%I'
		' (LIKE provreq.request_closed INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
	EXECUTE pg_catalog.format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON provreq.%I'
		' FOR EACH STATEMENT EXECUTE FUNCTION provreq.refuse_change()', name);
	EXECUTE pg_catalog.format('GRANT SELECT ON provreq.%I TO provreq_reader', name);
	PERFORM provreq.index_closed(('provreq.' || name)::regclass);
	/*
	 * What the default partition has caught moves to its month, and nothing may
	 * be closed meanwhile.  A reader that knows the old set of partitions must
	 * have ended before, and the next one wait until there is the new set, or
	 * it would see those rows nowhere.
	 * ONLY: who reads or closes goes through the parent, and the vacuum of a
	 * large partition, which locks that, need not be waited for.
	 */
	LOCK TABLE ONLY provreq.request_closed IN SHARE ROW EXCLUSIVE MODE;
	IF EXISTS (SELECT FROM provreq.request_closed_default
			WHERE closed_date >= from_date AND closed_date < to_date) THEN
		LOCK TABLE ONLY provreq.request_closed IN ACCESS EXCLUSIVE MODE;
	END IF;
	EXECUTE pg_catalog.format('WITH moved AS (DELETE FROM provreq.request_closed_default'
		' WHERE closed_date >= %L AND closed_date < %L RETURNING *)'
		' INSERT INTO provreq.%I SELECT * FROM moved', from_date, to_date, name);
	EXECUTE pg_catalog.format('ALTER TABLE provreq.request_closed ATTACH PARTITION provreq.%I'
		' FOR VALUES FROM (%L) TO (%L)', name, from_date, to_date);
END
$$;
COMMENT ON FUNCTION provreq.make_partition(date) IS
'Makes the partition of the closed requests of one month (UTC), given by its first day, unless it is there. Rows of that month in the default partition move into it. Error: 55P03 when sessions that read closed requests do not end within 200 ms; senders would have to wait behind it.';

CREATE FUNCTION provreq.make_partitions() RETURNS boolean
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC'
AS $$
DECLARE
	this_month date := pg_catalog.date_trunc('month', pg_catalog.now());
	ahead integer := pg_catalog.current_setting('provreq.partitions_ahead')::integer;
	month date;
BEGIN
	PERFORM provreq.lock_partitions();
	IF NOT EXISTS (SELECT FROM provreq.request) THEN
		RETURN false;
	END IF;
	FOR month IN
		SELECT DISTINCT pg_catalog.date_trunc('month', closed_date)::date
		FROM provreq.request_closed_default WHERE closed_date < this_month
		UNION
		SELECT (this_month + i * interval '1 month')::date
		FROM pg_catalog.generate_series(0, ahead) AS i
		ORDER BY 1
	LOOP
		PERFORM provreq.make_partition(month);
	END LOOP;
	RETURN true;
END
$$;
COMMENT ON FUNCTION provreq.make_partitions() IS
'Makes the partitions of the closed requests from this month to provreq.partitions_ahead months ahead, and those of rows that the default partition has caught. False when there is no request yet, so that none was made. The supervisor calls it.';

CREATE FUNCTION provreq.drop_partitions(keep interval, force boolean DEFAULT false)
	RETURNS SETOF text
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC' SET lock_timeout = '1s'
AS $$
DECLARE
	since timestamptz;
	cut date;
	partitions text[];
	partition text;
BEGIN
	IF keep IS NULL OR force IS NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'parameters "keep" and "force" must not be null';
	END IF;
	IF keep < interval '0' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'parameter "keep" must not be negative';
	END IF;
	/* by the calendar: 720 days are not less than 24 months as intervals */
	since := pg_catalog.now() - LEAST(keep, interval '1000 years');
	IF since > pg_catalog.now() - interval '24 months' AND NOT force THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = pg_catalog.format('parameter "keep" (%s) is less than 24 months', keep),
			HINT = 'If the record really may go, say force => true.';
	END IF;
	cut := pg_catalog.date_trunc('month', since);
	partitions := ARRAY(
		SELECT c.relname::text FROM pg_catalog.pg_inherits i
		JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'provreq.request_closed'::regclass
		AND c.relname ~ '^request_closed_[0-9]{4}_[0-9]{2}$'
		AND pg_catalog.to_date(pg_catalog.right(c.relname, 7), 'YYYY_MM') < cut
		ORDER BY c.relname);
	/* what takes long comes first: from the first DROP on nobody can close */
	FOREACH partition IN ARRAY partitions LOOP
		EXECUTE pg_catalog.format('DELETE FROM provreq.request_secret s'
			' USING provreq.%I p WHERE p.number = s.number', partition);
	END LOOP;
	FOREACH partition IN ARRAY partitions LOOP
		EXECUTE pg_catalog.format('DROP TABLE provreq.%I', partition);
		RETURN NEXT partition;
	END LOOP;
END
$$;
COMMENT ON FUNCTION provreq.drop_partitions(interval, boolean) IS
'Drops the partitions of closed requests whose month ended longer ago than "keep", with what request_secret has for them, and returns their names. Less than 24 months must be forced. Nothing calls it by itself. Senders cannot close requests while it waits for sessions that read them, so it waits 1 s at most and then drops nothing. Errors: 22004, 22023, 55P03 (call it again later).';

/*
 * Where this database lives.  A dump carries it along, so that a restored or
 * copied database is known as one, and does not send the same requests a
 * second time until somebody says that it is the real one now.
 */
CREATE TABLE provreq.installation (
	system_identifier bigint NOT NULL,
	database oid NOT NULL,
	since timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE provreq.installation IS
'The database in which this extension was installed or adopted. A second row, or one of another database, says that the data comes from a dump or a copy: nothing is sent until provreq.adopt(). A row with zeros is made when pending requests are restored.';
COMMENT ON COLUMN provreq.installation.system_identifier IS 'pg_control_system().system_identifier of the cluster.';
COMMENT ON COLUMN provreq.installation.database IS 'Oid of the database.';
COMMENT ON COLUMN provreq.installation.since IS 'When it was installed or adopted.';
INSERT INTO provreq.installation (system_identifier, database)
	SELECT c.system_identifier, d.oid
	FROM pg_catalog.pg_control_system() c, pg_catalog.pg_database d
	WHERE d.datname = pg_catalog.current_database();

SELECT pg_catalog.pg_extension_config_dump('provreq.installation', '');

CREATE FUNCTION provreq.is_home() RETURNS boolean
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT pg_catalog.count(*) = 1 AND pg_catalog.bool_and(
		i.system_identifier = c.system_identifier AND i.database = d.oid)
	FROM provreq.installation i, pg_catalog.pg_control_system() c, pg_catalog.pg_database d
	WHERE d.datname = pg_catalog.current_database();
END;
COMMENT ON FUNCTION provreq.is_home() IS
'True when this database is the one in which the extension was installed or adopted, false in a restored dump (also one restored over the original) or a copy.';

CREATE FUNCTION provreq.installation_changed() RETURNS trigger
	AS 'MODULE_PATHNAME', 'provreq_installation_changed'
	LANGUAGE c;
COMMENT ON FUNCTION provreq.installation_changed() IS
'Trigger function: lets the supervisor look again whether requests may be sent from here.';
CREATE TRIGGER installation_changed AFTER INSERT OR UPDATE OR DELETE ON provreq.installation
	FOR EACH STATEMENT EXECUTE FUNCTION provreq.installation_changed();
ALTER TABLE provreq.installation ENABLE ALWAYS TRIGGER installation_changed;

CREATE FUNCTION provreq.adopt() RETURNS void
	LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	DELETE FROM provreq.installation;
	INSERT INTO provreq.installation (system_identifier, database)
		SELECT c.system_identifier, d.oid
		FROM pg_catalog.pg_control_system() c, pg_catalog.pg_database d
		WHERE d.datname = pg_catalog.current_database();
END;
COMMENT ON FUNCTION provreq.adopt() IS
'Says that requests are from now on sent from this database, which was restored from a dump, copied, or upgraded with pg_upgrade. Make sure that the original does not send any more.';
