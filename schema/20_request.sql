/*
 * The request table.  One table to the user; the pending part is small and
 * hot, a finished row moves to the closed part, which is split by the month
 * of closed_date.  Dated partitions are made by the supervisor, never here,
 * so that a dump restores the ones it holds.
 */
CREATE SEQUENCE provreq.request_number_seq;
CREATE SEQUENCE provreq.sequence_number_seq;
CREATE SEQUENCE provreq.incarnation_seq;

CREATE FUNCTION provreq.new_id() RETURNS text
	AS 'MODULE_PATHNAME', 'provreq_new_id'
	LANGUAGE c VOLATILE PARALLEL SAFE;
COMMENT ON FUNCTION provreq.new_id() IS
'A new identifier: 32 upper-case hexadecimal digits, the first twelve the time in milliseconds, the rest random.';

CREATE TABLE provreq.request (
	id text NOT NULL DEFAULT provreq.new_id(),
	number bigint NOT NULL DEFAULT pg_catalog.nextval('provreq.request_number_seq'),
	provider text NOT NULL,
	type text NOT NULL,
	life_cycle_state text NOT NULL DEFAULT 'PENDING',
	priority text NOT NULL DEFAULT 'REGULAR'
		CHECK (priority IN ('REGULAR', 'EXPRESS')),
	process_immediately boolean NOT NULL DEFAULT false,
	scheduled_date timestamptz NOT NULL DEFAULT pg_catalog.now(),
	executed_date timestamptz,
	closed_date timestamptz,
	sequence_number bigint,
	subscription_id text,
	ordering_keys text[] NOT NULL,
	parameters jsonb NOT NULL DEFAULT '{}',
	name text,
	process_name text NOT NULL DEFAULT 'MANUAL',
	process_id text,
	request text,
	response text,
	response_data jsonb,
	reference_number text,
	error_code text,
	error_description text,
	provider_error_code text,
	provider_error_description text,
	attempts integer NOT NULL DEFAULT 0,
	attempt_log jsonb,
	parts_done text[],
	retry_date timestamptz,
	hold_reason text,
	udf_string_1 text,
	udf_string_2 text,
	udf_string_3 text,
	udf_string_4 text,
	udf_string_5 text,
	udf_string_6 text,
	udf_string_7 text,
	udf_string_8 text,
	udf_float_1 double precision,
	udf_float_2 double precision,
	udf_float_3 double precision,
	udf_float_4 double precision,
	udf_date_1 timestamptz,
	udf_date_2 timestamptz,
	udf_date_3 timestamptz,
	udf_date_4 timestamptz,
	created_date timestamptz NOT NULL DEFAULT pg_catalog.now(),
	updated_date timestamptz NOT NULL DEFAULT pg_catalog.now(),
	created_by_user text NOT NULL DEFAULT CURRENT_USER,
	updated_by_user text NOT NULL DEFAULT CURRENT_USER,
	created_by_unit text,
	updated_by_unit text,
	created_xid xid8 DEFAULT pg_catalog.pg_current_xact_id()
) PARTITION BY LIST (life_cycle_state);

CREATE TABLE provreq.request_pending
	PARTITION OF provreq.request FOR VALUES IN ('PENDING');
ALTER TABLE provreq.request_pending
	ADD CONSTRAINT request_pending_pkey PRIMARY KEY (number),
	ADD CHECK (closed_date IS NULL),
	ADD CHECK (pg_catalog.cardinality(ordering_keys) > 0);

CREATE TABLE provreq.request_closed
	PARTITION OF provreq.request (
		closed_date NOT NULL
	) FOR VALUES IN ('COMPLETED', 'REJECTED')
	PARTITION BY RANGE (closed_date);
CREATE TABLE provreq.request_closed_default
	PARTITION OF provreq.request_closed DEFAULT;

/* Every row of it dies young: vacuum it early and without rest. */
ALTER TABLE provreq.request_pending SET (
	autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_vacuum_threshold = 5000,
	autovacuum_vacuum_cost_delay = 0);

CREATE INDEX request_pending_created_xid ON provreq.request_pending (created_xid, number);
CREATE INDEX request_pending_later ON provreq.request_pending (provider, scheduled_date)
	WHERE scheduled_date > created_date;
CREATE INDEX request_pending_keys ON provreq.request_pending
	USING gin (ordering_keys) WITH (fastupdate = off);
CREATE INDEX request_pending_id ON provreq.request_pending (id);
/*
 * What a pending request must not show to everybody: PINs.  Kept while the
 * request exists, read by the senders and by provreq_admin.
 */
CREATE TABLE provreq.request_secret (
	number bigint PRIMARY KEY,
	parameters jsonb NOT NULL,
	request text
);

/*
 * Attempts without an outcome.  Committed before the first byte leaves, so
 * that one found here belongs to a request that is in flight, or was when
 * its sender ended.
 */
CREATE TABLE provreq.attempt (
	number bigint PRIMARY KEY,
	attempt integer NOT NULL,
	provider text NOT NULL,
	incarnation bigint NOT NULL,
	sequence_number bigint NOT NULL
		DEFAULT pg_catalog.nextval('provreq.sequence_number_seq'),
	started_date timestamptz NOT NULL
) WITH (
	autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_vacuum_threshold = 5000,
	autovacuum_vacuum_cost_delay = 0
);

ALTER TABLE provreq.request_closed ALTER created_xid DROP DEFAULT;
ALTER TABLE provreq.request_closed_default ALTER created_xid DROP DEFAULT;

SELECT pg_catalog.pg_extension_config_dump('provreq.request_number_seq', '');
SELECT pg_catalog.pg_extension_config_dump('provreq.sequence_number_seq', '');
SELECT pg_catalog.pg_extension_config_dump('provreq.incarnation_seq', '');
SELECT pg_catalog.pg_extension_config_dump('provreq.request_pending', '');
SELECT pg_catalog.pg_extension_config_dump('provreq.request_closed_default', '');
SELECT pg_catalog.pg_extension_config_dump('provreq.request_secret', '');
SELECT pg_catalog.pg_extension_config_dump('provreq.attempt', '');

COMMENT ON SEQUENCE provreq.request_number_seq IS 'Numbers of requests.';
COMMENT ON SEQUENCE provreq.sequence_number_seq IS 'The order in which attempts of all senders were made: request.sequence_number.';
COMMENT ON SEQUENCE provreq.incarnation_seq IS 'Starts of senders: attempt.incarnation.';
COMMENT ON TABLE provreq.request IS
'Provisioning requests: one row for every command that is, was, or is to be sent to a conditional access system. Pending rows are in request_pending; a finished row moves to request_closed and never changes again.';
COMMENT ON TABLE provreq.request_pending IS 'The pending part of provreq.request: what the senders work on.';
COMMENT ON TABLE provreq.request_closed IS 'The closed part of provreq.request, by the month (UTC) of closed_date: append-only.';
COMMENT ON TABLE provreq.request_closed_default IS 'Closed requests of months that have no partition; make_partitions() moves them.';
COMMENT ON TABLE provreq.request_secret IS 'PINs of requests, and request texts that hold them. Read by the senders and by provreq_admin.';
COMMENT ON COLUMN provreq.request_secret.number IS 'The request.';
COMMENT ON COLUMN provreq.request_secret.parameters IS 'The parameters that are asterisks in the request, as they are.';
COMMENT ON COLUMN provreq.request_secret.request IS 'The text that went out, as it went out; null before that.';
COMMENT ON TABLE provreq.attempt IS 'Attempts without an outcome: written before the first byte leaves, removed with the outcome. One that outlives its sender is in doubt.';

COMMENT ON COLUMN provreq.attempt.number IS 'The request.';
COMMENT ON COLUMN provreq.attempt.attempt IS 'Which attempt it is: 1 is the first.';
COMMENT ON COLUMN provreq.attempt.provider IS 'The foreign server.';
COMMENT ON COLUMN provreq.attempt.incarnation IS 'The sender that made it: each start of a sender has a number of its own.';
COMMENT ON COLUMN provreq.attempt.sequence_number IS 'Order of sending.';
COMMENT ON COLUMN provreq.attempt.started_date IS 'When it was written, just before sending.';

COMMENT ON COLUMN provreq.request.id IS 'Identifier: 32 upper-case hexadecimal digits.';
COMMENT ON COLUMN provreq.request.number IS 'Number, in the order of creation; the reference that the CAS sees, the same for every attempt.';
COMMENT ON COLUMN provreq.request.provider IS 'Name of the foreign server that it goes to.';
COMMENT ON COLUMN provreq.request.type IS 'What is asked for, such as ADD_SUBSCRIPTIONS.';
COMMENT ON COLUMN provreq.request.life_cycle_state IS 'PENDING, COMPLETED (carried out) or REJECTED (refused, given up, or cancelled).';
COMMENT ON COLUMN provreq.request.priority IS 'REGULAR or EXPRESS; EXPRESS goes first.';
COMMENT ON COLUMN provreq.request.process_immediately IS 'Goes ahead of everything else.';
COMMENT ON COLUMN provreq.request.scheduled_date IS 'Not sent before this.';
COMMENT ON COLUMN provreq.request.executed_date IS 'When its last attempt was sent; null while PENDING, and when it was never sent.';
COMMENT ON COLUMN provreq.request.closed_date IS 'When it was COMPLETED or REJECTED; null while PENDING.';
COMMENT ON COLUMN provreq.request.sequence_number IS 'Order of sending; null until sent.';
COMMENT ON COLUMN provreq.request.subscription_id IS 'provreq.subscription.id that it was made for; null when none was given.';
COMMENT ON COLUMN provreq.request.ordering_keys IS 'Smartcards and STBs that it touches, or else the subscription: requests that share one go out one after the other, in order of number.';
COMMENT ON COLUMN provreq.request.parameters IS 'Parameters by name, several values as an array; PINs as asterisks.';
COMMENT ON COLUMN provreq.request.name IS 'Free text of the creator.';
COMMENT ON COLUMN provreq.request.process_name IS 'The process that made it, such as MANUAL.';
COMMENT ON COLUMN provreq.request.process_id IS 'Identifier of that process.';
COMMENT ON COLUMN provreq.request.request IS 'The text that was sent last, PINs as asterisks; binary messages in hex.';
COMMENT ON COLUMN provreq.request.response IS 'The text that was received last.';
COMMENT ON COLUMN provreq.request.response_data IS 'Data of the answer of GET_* types, decoded.';
COMMENT ON COLUMN provreq.request.reference_number IS 'Reference that the CAS gave on receipt.';
COMMENT ON COLUMN provreq.request.error_code IS 'Why it was REJECTED, or why the last attempt failed: a code of the CAS or one of ours (RETRY_EXHAUSTED, NOT_ENCODABLE, CANCELLED and others).';
COMMENT ON COLUMN provreq.request.error_description IS 'The same in words.';
COMMENT ON COLUMN provreq.request.provider_error_code IS 'The code of the CAS itself.';
COMMENT ON COLUMN provreq.request.provider_error_description IS 'The words of the CAS itself.';
COMMENT ON COLUMN provreq.request.attempts IS 'How often it was sent, or at least may have been.';
COMMENT ON COLUMN provreq.request.attempt_log IS 'Attempts that did not settle it: an array of objects with attempt, sequence_number, started, ended, verdict (RETRY, UNKNOWN), error_code and error_description; interrupted, when the sender broke it off without any failure, so that it counts towards no limit.';
COMMENT ON COLUMN provreq.request.parts_done IS 'Of a request of several messages, what those were about that were carried out, as name=value of the parameter: while PENDING and when REJECTED, all of them; when COMPLETED, those of earlier attempts. provreq.resubmit_rejected() leaves them out. Null when there are none.';
COMMENT ON COLUMN provreq.request.retry_date IS 'Not tried again before this.';
COMMENT ON COLUMN provreq.request.hold_reason IS 'Why it waits for a person: use provreq.resubmit() or provreq.cancel(). Null when it does not.';
COMMENT ON COLUMN provreq.request.created_date IS 'When it was created.';
COMMENT ON COLUMN provreq.request.updated_date IS 'When it was last changed.';
COMMENT ON COLUMN provreq.request.created_by_user IS 'Who created it: the user of the session in use, else the role that called.';
COMMENT ON COLUMN provreq.request.updated_by_user IS 'Who changed it last: the user of the session in use, else a role; provreq_worker for senders.';
COMMENT ON COLUMN provreq.request.created_by_unit IS 'Unit of the creator, as the session in use has it; null without one.';
COMMENT ON COLUMN provreq.request.updated_by_unit IS 'Unit of who changed it last; null without a session, and for senders.';
COMMENT ON COLUMN provreq.request.created_xid IS 'Transaction that made or last changed the pending row, by which the sender finds it; null when closed.';
DO $$
BEGIN
	FOR i IN 1..8 LOOP
		EXECUTE pg_catalog.format('COMMENT ON COLUMN provreq.request.udf_string_%s IS %L', i, 'User-defined text.');
	END LOOP;
	FOR i IN 1..4 LOOP
		EXECUTE pg_catalog.format('COMMENT ON COLUMN provreq.request.udf_float_%s IS %L', i, 'User-defined number.');
		EXECUTE pg_catalog.format('COMMENT ON COLUMN provreq.request.udf_date_%s IS %L', i, 'User-defined date.');
	END LOOP;
END
$$;
