-- An example CRM whose own tables provision: subscriptions, their services and
-- the smartcards and set-top boxes at the customers' homes.
--
--	psql -v provider=main_conax -f test/crm/schema.sql
--
-- Needs the extension provreq and the provider.  Afterwards whoever changes the
-- tables of schema crm needs no right on provreq and calls none of its
-- functions; test/crm/story.sql is an example.

\if :{?provider}
\else
	\set provider main_conax
\endif
\set provider_argument 'provider=' :provider

CREATE SCHEMA crm;

-- ------------------------------------------------------------ the CRM's own

CREATE TYPE crm.state AS ENUM ('ACTIVE', 'PAUSED', 'ENDED');

CREATE TABLE crm.service (
	code text PRIMARY KEY,
	title text NOT NULL,
	ca_id text NOT NULL			-- what the conditional access system calls it
);

CREATE TABLE crm.item (
	serial_number text PRIMARY KEY,
	kind text NOT NULL CHECK (kind IN ('SMARTCARD', 'STB')),
	ca_id text NOT NULL,
	broken boolean NOT NULL DEFAULT false
);

-- Rows stay when a subscription ends: its cancellations refer to it.
CREATE TABLE crm.subscription (
	number text PRIMARY KEY,
	customer text NOT NULL,
	smartcard text NOT NULL UNIQUE REFERENCES crm.item,
	state crm.state NOT NULL DEFAULT 'ACTIVE',
	since timestamptz NOT NULL DEFAULT now(),
	UNIQUE (number, smartcard, state)
);

-- What the trigger looks at: everything that a request needs stands in one row.
-- Card and state come from the subscription, and the foreign key hands every
-- change of them on.
CREATE TABLE crm.subscribed_service (
	subscription text,
	service text REFERENCES crm.service,
	smartcard text NOT NULL,
	state crm.state NOT NULL,
	PRIMARY KEY (subscription, service),
	FOREIGN KEY (subscription, smartcard, state)
		REFERENCES crm.subscription (number, smartcard, state) ON UPDATE CASCADE
);

-- No card has an active service twice: else the end of one of them would end
-- it for both.
CREATE UNIQUE INDEX ON crm.subscribed_service (smartcard, service) WHERE state = 'ACTIVE';

-- A new row takes card and state from its subscription.
CREATE FUNCTION crm.take_from_subscription() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	SELECT s.smartcard, s.state INTO NEW.smartcard, NEW.state
		FROM crm.subscription s WHERE s.number = NEW.subscription FOR SHARE;
	RETURN NEW;
END
$$;
CREATE TRIGGER take_from_subscription BEFORE INSERT ON crm.subscribed_service
	FOR EACH ROW EXECUTE FUNCTION crm.take_from_subscription();

-- -------------------------------------------- what provreq reads of the CRM

CREATE VIEW crm.provreq_subscription AS
	SELECT number AS id, number FROM crm.subscription;
CREATE VIEW crm.provreq_product AS
	SELECT code AS id, code FROM crm.service;
CREATE VIEW crm.provreq_service_mapping AS
	SELECT code AS product_id, ca_id AS service_ca_id FROM crm.service;
CREATE VIEW crm.provreq_installed_item AS
	SELECT i.serial_number AS id, i.serial_number, i.kind AS classification, i.ca_id,
		s.number AS subscription_id
	FROM crm.item AS i LEFT JOIN crm.subscription AS s ON s.smartcard = i.serial_number;
CREATE VIEW crm.provreq_entitlement AS
	SELECT smartcard AS installed_item_id, service AS product_id
	FROM crm.subscribed_service WHERE state = 'ACTIVE';

-- It does so with the rights of this role, which has no others.
SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'crm_directory') AS missing \gset
\if :missing
	CREATE ROLE crm_directory NOLOGIN;
\endif
GRANT USAGE ON SCHEMA crm TO crm_directory;
GRANT SELECT ON crm.provreq_subscription, crm.provreq_product, crm.provreq_service_mapping,
	crm.provreq_installed_item, crm.provreq_entitlement TO crm_directory;

SELECT provreq.use_directory(kind, format('crm.provreq_%s', kind)::regclass, role => 'crm_directory')
	FROM unnest(ARRAY['subscription', 'product', 'service_mapping', 'installed_item',
		'entitlement']) AS kind \g (format=unaligned tuples_only=on) /dev/null

-- ------------------------------------------------------------- the triggers

CREATE TRIGGER provision_insert AFTER INSERT ON crm.subscribed_service
	REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION provreq.subscription_change(:'provider_argument',
		'subscription=subscription', 'service=service', 'smartcard=smartcard',
		'state=state', 'active=ACTIVE');
CREATE TRIGGER provision_update AFTER UPDATE ON crm.subscribed_service
	REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION provreq.subscription_change(:'provider_argument',
		'subscription=subscription', 'service=service', 'smartcard=smartcard',
		'state=state', 'active=ACTIVE');
CREATE TRIGGER provision_delete AFTER DELETE ON crm.subscribed_service
	REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION provreq.subscription_change(:'provider_argument',
		'subscription=subscription', 'service=service', 'smartcard=smartcard',
		'state=state', 'active=ACTIVE');
CREATE TRIGGER provision_no_truncate BEFORE TRUNCATE ON crm.subscribed_service
	EXECUTE FUNCTION provreq.subscription_change();
