/*
 * Message numbers of links that count over restarts.
 */
CREATE TABLE provreq.link_number (
	provider text,
	link text,
	next_number bigint NOT NULL,
	PRIMARY KEY (provider, link)
);
COMMENT ON TABLE provreq.link_number IS
'From which number on each link of a provider may number its messages. Senders reserve blocks: numbers of a block that were not used when a sender ends are left out.';
COMMENT ON COLUMN provreq.link_number.provider IS 'The foreign server.';
COMMENT ON COLUMN provreq.link_number.link IS 'The link: for Nagravision its source id.';
COMMENT ON COLUMN provreq.link_number.next_number IS 'The first number that was never given out since the numbers last began anew.';
SELECT pg_catalog.pg_extension_config_dump('provreq.link_number', '');
