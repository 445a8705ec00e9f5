/*
 * Two texts may name one smartcard on the wire, with leading zeros or without.
 */
CREATE FUNCTION provreq.card_key(provider text, smartcard_ca_id text) RETURNS text
	AS 'MODULE_PATHNAME', 'provreq_card_key'
	LANGUAGE c STABLE STRICT SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION provreq.card_key(text, text) IS
'The ordering key of a smartcard at a provider, as it stands in provreq.request.ordering_keys. Errors: 42704 there is no such provider.';
GRANT EXECUTE ON FUNCTION provreq.card_key(text, text) TO provreq_reader;
