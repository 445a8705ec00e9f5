/*
 * What an operator looks at.  The views read the pending part, the open
 * attempts and shared memory, never the closed part.
 */
CREATE INDEX request_pending_held ON provreq.request_pending (number)
	WHERE hold_reason IS NOT NULL;
/* The order of the view provreq.queue, word for word. */
CREATE INDEX request_pending_turn ON provreq.request_pending (
	(hold_reason IS NOT NULL), process_immediately DESC,
	(priority = 'EXPRESS') DESC,
	greatest(scheduled_date, retry_date, created_date), number);

CREATE FUNCTION provreq.sender_statistics(
	OUT serverid oid, OUT pid integer, OUT started timestamptz, OUT incarnation bigint,
	OUT state text, OUT link text, OUT next_probe timestamptz,
	OUT in_memory bigint, OUT in_flight bigint,
	OUT attempts bigint, OUT completed bigint, OUT rejected bigint,
	OUT retried bigint, OUT held bigint, OUT returned bigint,
	OUT last_success timestamptz, OUT last_error timestamptz, OUT last_error_text text,
	OUT latency_p50 double precision, OUT latency_p90 double precision,
	OUT latency_p99 double precision, OUT latency_max double precision)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'provreq_sender_statistics'
	LANGUAGE c VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION provreq.sender_statistics() IS
'What the senders of this database tell of themselves in shared memory, one row for each that has run since the server started; provreq.provider_status explains the columns. pid to in_flight are null while no sender runs.';

CREATE FUNCTION provreq.predecessor(number bigint, ordering_keys text[], provider text) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
	SET plan_cache_mode = force_custom_plan
AS $$
BEGIN
	/* the inner query is kept apart, lest the whole table be read by number */
	RETURN (SELECT min(b.number) FROM (
		SELECT p.number FROM provreq.request_pending p
		WHERE p.ordering_keys && $2 AND p.provider = $3
			AND p.scheduled_date <= clock_timestamp()
		OFFSET 0) AS b
		WHERE b.number < $1);
END
$$;
COMMENT ON FUNCTION provreq.predecessor(bigint, text[], text) IS
'The lowest-numbered pending request of the provider that has to be settled before this one, because it shares an ordering key with it and is due; null when there is none.';

CREATE FUNCTION provreq.followers(number bigint, ordering_keys text[], provider text) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
	SET plan_cache_mode = force_custom_plan
AS $$
BEGIN
	RETURN (SELECT count(*) FROM provreq.request_pending p
		WHERE p.ordering_keys && $2 AND p.provider = $3 AND p.number > $1);
END
$$;
COMMENT ON FUNCTION provreq.followers(bigint, text[], text) IS
'How many later pending requests of the provider share an ordering key with this one, and wait for it.';

/* A provider is a server of a wrapper whose validator is one of ours. */
CREATE VIEW provreq.provider_state AS
SELECT s.oid AS serverid,
	s.srvname::text AS provider,
	w.fdwname::text AS kind,
	coalesce((SELECT o.option_value FROM pg_catalog.pg_options_to_table(s.srvoptions) o
		WHERE o.option_name = 'state'), 'effective') AS state,
	p.provider IS NOT NULL AS paused,
	p.reason AS pause_reason,
	p.by_user AS paused_by,
	p.by_date AS paused_date
FROM pg_catalog.pg_foreign_server s
JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw
JOIN pg_catalog.pg_proc v ON v.oid = w.fdwvalidator
	AND v.pronamespace = 'provreq'::regnamespace
LEFT JOIN provreq.paused_provider p ON p.provider = s.srvname;
COMMENT ON VIEW provreq.provider_state IS 'The providers of this database as they are meant to be; provreq.provider_status has how they do.';
COMMENT ON COLUMN provreq.provider_state.serverid IS 'Oid of the foreign server.';
COMMENT ON COLUMN provreq.provider_state.provider IS 'Name of the provider.';
COMMENT ON COLUMN provreq.provider_state.kind IS 'Its foreign data wrapper.';
COMMENT ON COLUMN provreq.provider_state.state IS 'The server''s option "state": effective or not_effective.';
COMMENT ON COLUMN provreq.provider_state.paused IS 'Has provreq.pause() stopped it?';
COMMENT ON COLUMN provreq.provider_state.pause_reason IS 'Why it is paused.';
COMMENT ON COLUMN provreq.provider_state.paused_by IS 'Who paused it.';
COMMENT ON COLUMN provreq.provider_state.paused_date IS 'When it was paused.';

/*
 * In order before anything is looked up, so that with LIMIT the look-ups are
 * done for the rows that are returned and no others.  The order is that of the
 * index request_pending_turn.
 */
CREATE VIEW provreq.queue AS
SELECT q.number, q.provider, q.type, q.priority, q.process_immediately,
	q.scheduled_date,
	CASE
		WHEN q.watched THEN 'answer'
		WHEN NOT q.watched THEN 'sender'
		WHEN q.hold_reason IS NOT NULL THEN 'person'
		WHEN q.scheduled_date > pg_catalog.statement_timestamp() THEN 'schedule'
		WHEN q.blocked_by IS NOT NULL THEN 'predecessor'
		WHEN q.trouble <> '' THEN 'provider ' || q.trouble
		WHEN q.retry_date > pg_catalog.statement_timestamp() THEN 'retry'
		ELSE 'turn'
	END AS waits_for,
	q.blocked_by, q.retry_date, q.hold_reason, q.attempts, q.error_code,
	q.error_description, q.subscription_id, q.ordering_keys, q.created_date,
	q.created_by_user
FROM (
	SELECT r.*,
		(SELECT EXISTS (SELECT FROM provreq.sender_statistics() t
				WHERE t.incarnation = a.incarnation)
			FROM provreq.attempt a WHERE a.number = r.number) AS watched,
		coalesce((
			SELECT CASE
				WHEN p.state <> 'effective' THEN 'not effective'
				WHEN p.paused THEN 'paused'
				WHEN t.pid IS NULL THEN 'without sender'
				WHEN t.state <> 'working' THEN t.state
				ELSE ''
				END
			FROM provreq.provider_state p
			LEFT JOIN provreq.sender_statistics() t ON t.serverid = p.serverid
			WHERE p.provider = r.provider), 'dropped') AS trouble,
		CASE WHEN r.hold_reason IS NULL
			AND r.scheduled_date <= pg_catalog.statement_timestamp()
			THEN provreq.predecessor(r.number, r.ordering_keys, r.provider)
		END AS blocked_by
	FROM (
		SELECT p.number, p.provider, p.type, p.priority, p.process_immediately,
			p.scheduled_date, p.retry_date, p.hold_reason, p.attempts, p.error_code,
			p.error_description, p.subscription_id, p.ordering_keys, p.created_date,
			p.created_by_user
		FROM provreq.request_pending p
		ORDER BY p.hold_reason IS NOT NULL, p.process_immediately DESC,
			p.priority = 'EXPRESS' DESC,
			greatest(p.scheduled_date, p.retry_date, p.created_date), p.number
	) AS r
) AS q;
COMMENT ON VIEW provreq.queue IS 'Pending requests, those that go first at the top, as near as SQL can say: an urgent request also takes the earlier ones of its card along. With WHERE number = ... or LIMIT it costs next to nothing, however many are pending: they are read in order, and "waits_for" and "blocked_by" cost an index scan for each row that is read. With other conditions rows are read until enough are found that fulfil them.';
COMMENT ON COLUMN provreq.queue.number IS 'Number of the request.';
COMMENT ON COLUMN provreq.queue.provider IS 'Name of the provider.';
COMMENT ON COLUMN provreq.queue.type IS 'What is asked for.';
COMMENT ON COLUMN provreq.queue.priority IS 'REGULAR or EXPRESS.';
COMMENT ON COLUMN provreq.queue.process_immediately IS 'Goes ahead of everything else.';
COMMENT ON COLUMN provreq.queue.scheduled_date IS 'Not sent before this.';
COMMENT ON COLUMN provreq.queue.waits_for IS 'answer: it is in flight; sender: it was when its sender ended, and the next one decides; person: it is held, see provreq.doubtful; schedule: its scheduled_date; predecessor: the request "blocked_by"; provider dropped, not effective, paused, without sender, misconfigured, out of reach or stopping; retry: its retry_date; turn: nothing but those ahead of it.';
COMMENT ON COLUMN provreq.queue.blocked_by IS 'The lowest-numbered request that has to be settled first, because it touches the same smartcard or STB.';
COMMENT ON COLUMN provreq.queue.retry_date IS 'Not tried again before this; null before the first attempt.';
COMMENT ON COLUMN provreq.queue.hold_reason IS 'Why it waits for a person.';
COMMENT ON COLUMN provreq.queue.attempts IS 'How often it was sent, or may have been.';
COMMENT ON COLUMN provreq.queue.error_code IS 'How the last attempt failed.';
COMMENT ON COLUMN provreq.queue.error_description IS 'The same in words.';
COMMENT ON COLUMN provreq.queue.subscription_id IS 'provreq.subscription.id that it was made for.';
COMMENT ON COLUMN provreq.queue.ordering_keys IS 'Smartcards and STBs that it touches, or else the subscription.';
COMMENT ON COLUMN provreq.queue.created_date IS 'When it was created.';
COMMENT ON COLUMN provreq.queue.created_by_user IS 'Who created it.';

CREATE VIEW provreq.in_flight AS
SELECT a.number, a.provider, r.type, a.attempt, a.sequence_number, a.started_date,
	pg_catalog.clock_timestamp() - a.started_date AS age,
	NOT EXISTS (SELECT FROM provreq.sender_statistics() t
		WHERE t.incarnation = a.incarnation) AS in_doubt,
	r.subscription_id, r.ordering_keys
FROM provreq.attempt a
LEFT JOIN provreq.request_pending r ON r.number = a.number;
COMMENT ON VIEW provreq.in_flight IS 'Requests that were sent and have no outcome yet. Reads the open attempts alone: a few for each connection.';
COMMENT ON COLUMN provreq.in_flight.number IS 'Number of the request.';
COMMENT ON COLUMN provreq.in_flight.provider IS 'Name of the provider.';
COMMENT ON COLUMN provreq.in_flight.type IS 'What is asked for.';
COMMENT ON COLUMN provreq.in_flight.attempt IS 'Which attempt this is, from 1.';
COMMENT ON COLUMN provreq.in_flight.sequence_number IS 'Order of sending.';
COMMENT ON COLUMN provreq.in_flight.started_date IS 'When the attempt was written, just before it was sent.';
COMMENT ON COLUMN provreq.in_flight.age IS 'Since then.';
COMMENT ON COLUMN provreq.in_flight.in_doubt IS 'True when the sender that made the attempt runs no more: the next one decides, so start one.';
COMMENT ON COLUMN provreq.in_flight.subscription_id IS 'provreq.subscription.id that it was made for.';
COMMENT ON COLUMN provreq.in_flight.ordering_keys IS 'Smartcards and STBs that it touches, or else the subscription.';

CREATE VIEW provreq.doubtful AS
SELECT r.number, r.provider, r.type, r.hold_reason, r.updated_date AS held_date,
	r.attempts, r.error_code, r.error_description, r.provider_error_code,
	provreq.followers(r.number, r.ordering_keys, r.provider) AS followers,
	r.subscription_id, r.ordering_keys, r.created_date, r.created_by_user
FROM provreq.request_pending r
WHERE r.hold_reason IS NOT NULL;
COMMENT ON VIEW provreq.doubtful IS 'Requests that are held until somebody says what has become of them: provreq.release_doubtful(). Found by an index of their own, and "followers" is one index scan for each.';
COMMENT ON COLUMN provreq.doubtful.number IS 'Number of the request.';
COMMENT ON COLUMN provreq.doubtful.provider IS 'Name of the provider.';
COMMENT ON COLUMN provreq.doubtful.type IS 'What is asked for.';
COMMENT ON COLUMN provreq.doubtful.hold_reason IS 'Why it is held.';
COMMENT ON COLUMN provreq.doubtful.held_date IS 'When it was last changed, that is held.';
COMMENT ON COLUMN provreq.doubtful.attempts IS 'How often it was sent, or may have been.';
COMMENT ON COLUMN provreq.doubtful.error_code IS 'How the last attempt failed.';
COMMENT ON COLUMN provreq.doubtful.error_description IS 'The same in words.';
COMMENT ON COLUMN provreq.doubtful.provider_error_code IS 'The code of the CAS itself.';
COMMENT ON COLUMN provreq.doubtful.followers IS 'Later pending requests of the same smartcards and STBs, which wait for it.';
COMMENT ON COLUMN provreq.doubtful.subscription_id IS 'provreq.subscription.id that it was made for.';
COMMENT ON COLUMN provreq.doubtful.ordering_keys IS 'Smartcards and STBs that it touches, or else the subscription.';
COMMENT ON COLUMN provreq.doubtful.created_date IS 'When it was created.';
COMMENT ON COLUMN provreq.doubtful.created_by_user IS 'Who created it.';

/*
 * The last join is dropped from the plan when none of its columns is asked
 * for; a volatile function in the list would prevent that.
 */
CREATE VIEW provreq.provider_status AS
SELECT p.provider, p.kind, p.state, p.paused, p.pause_reason, p.paused_by, p.paused_date,
	t.pid AS sender_pid,
	t.started AS sender_started,
	t.state AS sender_state,
	t.link AS link_state,
	CASE WHEN t.pid IS NULL THEN NULL
		WHEN t.state = 'out of reach' OR t.next_probe IS NOT NULL THEN 'open'
		ELSE 'closed' END AS breaker,
	t.next_probe, t.last_success, t.last_error, t.last_error_text,
	pg_catalog.statement_timestamp() - d.oldest AS oldest_pending_age,
	coalesce(d.pending, 0) AS pending,
	coalesce(d.immediate, 0) AS pending_immediate,
	coalesce(d.express, 0) AS pending_express,
	coalesce(d.regular, 0) AS pending_regular,
	coalesce(d.scheduled, 0) AS pending_scheduled,
	coalesce(d.held, 0) AS pending_held,
	t.in_memory, t.in_flight,
	t.attempts, t.completed, t.rejected, t.retried, t.held, t.returned,
	t.latency_p50, t.latency_p90, t.latency_p99, t.latency_max
FROM provreq.provider_state p
LEFT JOIN provreq.sender_statistics() t ON t.serverid = p.serverid
LEFT JOIN (
	SELECT r.provider,
		pg_catalog.count(*) AS pending,
		pg_catalog.count(*) FILTER (WHERE r.process_immediately) AS immediate,
		pg_catalog.count(*) FILTER (WHERE r.priority = 'EXPRESS'
			AND NOT r.process_immediately) AS express,
		pg_catalog.count(*) FILTER (WHERE r.priority <> 'EXPRESS'
			AND NOT r.process_immediately) AS regular,
		pg_catalog.count(*) FILTER (WHERE r.scheduled_date
			> pg_catalog.statement_timestamp()) AS scheduled,
		pg_catalog.count(*) FILTER (WHERE r.hold_reason IS NOT NULL) AS held,
		pg_catalog.min(r.created_date) FILTER (WHERE r.scheduled_date
			<= pg_catalog.statement_timestamp()) AS oldest
	FROM provreq.request_pending r
	GROUP BY r.provider
) AS d ON d.provider = p.provider;
COMMENT ON VIEW provreq.provider_status IS 'How each provider does. All of it but oldest_pending_age and pending... is read from shared memory, and costs nothing; those read the whole pending part, which takes about half a second for a million on two cores, unless a query names none of them. Counters begin with the server, and go on when a sender is started again.';
COMMENT ON COLUMN provreq.provider_status.provider IS 'Name of the provider.';
COMMENT ON COLUMN provreq.provider_status.kind IS 'Its foreign data wrapper.';
COMMENT ON COLUMN provreq.provider_status.state IS 'The server''s option "state": effective or not_effective.';
COMMENT ON COLUMN provreq.provider_status.paused IS 'Has provreq.pause() stopped it?';
COMMENT ON COLUMN provreq.provider_status.pause_reason IS 'Why it is paused.';
COMMENT ON COLUMN provreq.provider_status.paused_by IS 'Who paused it.';
COMMENT ON COLUMN provreq.provider_status.paused_date IS 'When it was paused.';
COMMENT ON COLUMN provreq.provider_status.sender_pid IS 'Process of its sender; null when none runs: the provider is not effective, the database was restored or copied, or the server lacks worker slots (see the log).';
COMMENT ON COLUMN provreq.provider_status.sender_started IS 'Since when it runs.';
COMMENT ON COLUMN provreq.provider_status.sender_state IS 'working, paused, out of reach (the breaker is open), misconfigured (settings cannot be loaded, see the log) or stopping; null when none runs.';
COMMENT ON COLUMN provreq.provider_status.link_state IS 'The state of its connections, in words.';
COMMENT ON COLUMN provreq.provider_status.breaker IS 'open: the provider did not answer several times in a row, and one request at a time is tried until it does; closed otherwise; null when no sender runs.';
COMMENT ON COLUMN provreq.provider_status.next_probe IS 'When the next request is tried while the breaker is open.';
COMMENT ON COLUMN provreq.provider_status.last_success IS 'When a request was last COMPLETED.';
COMMENT ON COLUMN provreq.provider_status.last_error IS 'When an attempt last failed, or was refused.';
COMMENT ON COLUMN provreq.provider_status.last_error_text IS 'How: code and description, at most 255 bytes.';
COMMENT ON COLUMN provreq.provider_status.oldest_pending_age IS 'Age of the oldest pending request that is due.';
COMMENT ON COLUMN provreq.provider_status.pending IS 'Pending requests in all.';
COMMENT ON COLUMN provreq.provider_status.pending_immediate IS 'Of those, with process_immediately.';
COMMENT ON COLUMN provreq.provider_status.pending_express IS 'Of the others, EXPRESS.';
COMMENT ON COLUMN provreq.provider_status.pending_regular IS 'Of the others, REGULAR.';
COMMENT ON COLUMN provreq.provider_status.pending_scheduled IS 'Of all, those that are scheduled for later.';
COMMENT ON COLUMN provreq.provider_status.pending_held IS 'Of all, those that wait for a person: provreq.doubtful.';
COMMENT ON COLUMN provreq.provider_status.in_memory IS 'Due requests that the sender knows of, at most provreq.window: all, unless the backlog is longer.';
COMMENT ON COLUMN provreq.provider_status.in_flight IS 'Of those, sent and without an outcome.';
COMMENT ON COLUMN provreq.provider_status.attempts IS 'Attempts, since the server started, as all that follow.';
COMMENT ON COLUMN provreq.provider_status.completed IS 'Requests that were carried out.';
COMMENT ON COLUMN provreq.provider_status.rejected IS 'Requests that were refused, or given up.';
COMMENT ON COLUMN provreq.provider_status.retried IS 'Attempts that failed and are repeated.';
COMMENT ON COLUMN provreq.provider_status.held IS 'Attempts that ended in doubt and wait for a person.';
COMMENT ON COLUMN provreq.provider_status.returned IS 'Attempts that were taken back, because nothing was sent.';
COMMENT ON COLUMN provreq.provider_status.latency_p50 IS 'Milliseconds from the attempt to its answer that half of the answered requests stayed below, to within 7 %.';
COMMENT ON COLUMN provreq.provider_status.latency_p90 IS 'The same for nine of ten.';
COMMENT ON COLUMN provreq.provider_status.latency_p99 IS 'The same for 99 of 100.';
COMMENT ON COLUMN provreq.provider_status.latency_max IS 'The longest, in milliseconds.';

REVOKE ALL ON FUNCTION provreq.sender_statistics(),
	provreq.predecessor(bigint, text[], text), provreq.followers(bigint, text[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION provreq.sender_statistics(),
	provreq.predecessor(bigint, text[], text), provreq.followers(bigint, text[], text)
	TO provreq_reader;
GRANT SELECT ON provreq.provider_state, provreq.queue, provreq.in_flight,
	provreq.doubtful, provreq.provider_status TO provreq_reader;
