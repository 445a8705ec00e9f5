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

/*
 * While a dump is restored a sender may be at work already and have begun to
 * number: its row and that of the dump are one.
 */
CREATE FUNCTION provreq.join_link_numbers() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM provreq.take_lock(TG_RELID);
	UPDATE provreq.link_number l
	SET next_number = GREATEST(l.next_number, NEW.next_number)
	WHERE l.provider = NEW.provider AND l.link = NEW.link;
	IF FOUND THEN
		RETURN NULL;
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION provreq.join_link_numbers() IS
'Trigger function: a row that is inserted for a link that has one, as COPY does when a dump is restored, raises the number of that one instead.';
CREATE TRIGGER join_link_numbers BEFORE INSERT ON provreq.link_number
	FOR EACH ROW EXECUTE FUNCTION provreq.join_link_numbers();
