/*
 * Nothing to PUBLIC.  Readers see, operators act, admins see PINs and keep
 * the directory and the profiles; senders have what they need and no more.
 */
REVOKE ALL ON SCHEMA provreq FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA provreq FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA provreq FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA provreq FROM PUBLIC;

GRANT SELECT ON provreq.request, provreq.request_pending, provreq.request_closed,
	provreq.request_closed_default, provreq.attempt, provreq.wire_profile,
	provreq.installation, provreq.link_number
	TO provreq_reader;
GRANT EXECUTE ON FUNCTION provreq.is_home() TO provreq_reader;
GRANT EXECUTE ON FUNCTION provreq.wait_for(bigint, interval) TO provreq_reader;
GRANT SELECT ON provreq.intervention, provreq.paused_provider TO provreq_reader;
GRANT SELECT ON provreq.paused_provider, provreq.installation TO provreq_worker;
GRANT EXECUTE ON FUNCTION provreq.resubmit(bigint, text), provreq.cancel(bigint, text),
	provreq.release_doubtful(bigint, text, text),
	provreq.pause(text, text), provreq.resume(text, text),
	provreq.test_connection(text)
	TO provreq_operator;
GRANT SELECT ON provreq.request_secret TO provreq_admin;
GRANT INSERT, UPDATE, DELETE ON provreq.wire_profile TO provreq_admin;
GRANT EXECUTE ON FUNCTION provreq.adopt() TO provreq_admin;
GRANT EXECUTE ON FUNCTION provreq.new_id() TO provreq_admin;	-- a default

GRANT SELECT, UPDATE, DELETE ON provreq.request_pending TO provreq_worker;
GRANT INSERT ON provreq.request_closed TO provreq_worker;
GRANT SELECT, UPDATE ON provreq.request_secret TO provreq_worker;
GRANT SELECT, INSERT, DELETE ON provreq.attempt TO provreq_worker;
GRANT USAGE ON SEQUENCE provreq.sequence_number_seq, provreq.incarnation_seq
	TO provreq_worker;
GRANT SELECT ON provreq.wire_profile TO provreq_worker;
GRANT SELECT, INSERT, UPDATE ON provreq.link_number TO provreq_worker;
