/*
 * The directory: what the identifiers of requests resolve to.  The rows are
 * the CRM's, and a dump holds them.
 *
 * No foreign keys between these tables: pg_restore -j loads the tables of an
 * extension in any order, with the constraints already there.  An id that
 * leads nowhere is an error when a request is made with it.
 */
CREATE TABLE provreq.subscription (
	id text PRIMARY KEY DEFAULT provreq.new_id()
		CHECK (id ~ '^[0-9A-F]{32}$'),
	number text NOT NULL UNIQUE
		CHECK (pg_catalog.char_length(number) BETWEEN 1 AND 255)
);
COMMENT ON TABLE provreq.subscription IS
'Subscriptions that requests can be made for.';
COMMENT ON COLUMN provreq.subscription.id IS
'32 upper-case hexadecimal digits; identifier field id.';
COMMENT ON COLUMN provreq.subscription.number IS
'What people know it by; identifier field number.';

CREATE TABLE provreq.product (
	id text PRIMARY KEY DEFAULT provreq.new_id()
		CHECK (id ~ '^[0-9A-F]{32}$'),
	code text NOT NULL UNIQUE
		CHECK (pg_catalog.char_length(code) BETWEEN 1 AND 255),
	alternative_code text
		CHECK (pg_catalog.char_length(alternative_code) BETWEEN 1 AND 255),
	classification text NOT NULL DEFAULT 'SERVICE'
		CHECK (pg_catalog.char_length(classification) BETWEEN 1 AND 255),
	description text
);
CREATE INDEX product_alternative_code ON provreq.product (alternative_code);
COMMENT ON TABLE provreq.product IS
'Products. Only those that are classified as SERVICE can be provisioned.';
COMMENT ON COLUMN provreq.product.id IS
'32 upper-case hexadecimal digits; identifier field id.';
COMMENT ON COLUMN provreq.product.code IS
'Identifier field code.';
COMMENT ON COLUMN provreq.product.alternative_code IS
'Identifier field alternative_code. Need not be unique: an ambiguous one is an error where it is used.';
COMMENT ON COLUMN provreq.product.classification IS
'SERVICE for what a conditional access system can open; any other word for goods, fees and the like.';
COMMENT ON COLUMN provreq.product.description IS
'For people.';

CREATE TABLE provreq.installed_item (
	id text PRIMARY KEY DEFAULT provreq.new_id()
		CHECK (id ~ '^[0-9A-F]{32}$'),
	serial_number text NOT NULL UNIQUE
		CHECK (pg_catalog.char_length(serial_number) BETWEEN 1 AND 255),
	alternative_code text
		CHECK (pg_catalog.char_length(alternative_code) BETWEEN 1 AND 255),
	subscription_id text,
	classification text NOT NULL
		CHECK (pg_catalog.char_length(classification) BETWEEN 1 AND 255),
	ca_id text
		CHECK (pg_catalog.char_length(ca_id) BETWEEN 1 AND 255),
	provider text
		CHECK (pg_catalog.octet_length(provider) BETWEEN 1 AND 63),
	life_cycle_state text NOT NULL DEFAULT 'EFFECTIVE'
		CHECK (life_cycle_state IN ('EFFECTIVE', 'NOT_EFFECTIVE'))
);
CREATE INDEX installed_item_alternative_code
	ON provreq.installed_item (alternative_code);
CREATE INDEX installed_item_subscription_id
	ON provreq.installed_item (subscription_id);
CREATE UNIQUE INDEX installed_item_ca_id
	ON provreq.installed_item (ca_id, classification, provider)
	NULLS NOT DISTINCT WHERE ca_id IS NOT NULL;
COMMENT ON TABLE provreq.installed_item IS
'Smartcards, set-top boxes and other equipment at customers'' homes.';
COMMENT ON COLUMN provreq.installed_item.id IS
'32 upper-case hexadecimal digits; identifier field id.';
COMMENT ON COLUMN provreq.installed_item.serial_number IS
'Identifier field serial_number.';
COMMENT ON COLUMN provreq.installed_item.alternative_code IS
'Identifier field alternative_code. Need not be unique: an ambiguous one is an error where it is used.';
COMMENT ON COLUMN provreq.installed_item.subscription_id IS
'The subscription that it belongs to. An item of one subscription cannot be used in requests for another; NULL: of none, which any request may use.';
COMMENT ON COLUMN provreq.installed_item.classification IS
'SMARTCARD, STB, or any other word for what is neither.';
COMMENT ON COLUMN provreq.installed_item.ca_id IS
'What the conditional access system calls it. Unique for each classification and provider.';
COMMENT ON COLUMN provreq.installed_item.provider IS
'The foreign server whose item it is; requests for it go there. NULL: of any provider.';
COMMENT ON COLUMN provreq.installed_item.life_cycle_state IS
'EFFECTIVE or NOT_EFFECTIVE. Only an effective item can be provisioned.';

CREATE TABLE provreq.service_mapping (
	product_id text NOT NULL,
	provider text
		CHECK (pg_catalog.octet_length(provider) BETWEEN 1 AND 63),
	service_ca_id text NOT NULL
		CHECK (pg_catalog.char_length(service_ca_id) BETWEEN 1 AND 255),
	UNIQUE NULLS NOT DISTINCT (product_id, provider)
);
COMMENT ON TABLE provreq.service_mapping IS
'What each provider calls a service.';
COMMENT ON COLUMN provreq.service_mapping.product_id IS
'The service.';
COMMENT ON COLUMN provreq.service_mapping.provider IS
'The foreign server. NULL: every provider for which there is no row of its own.';
COMMENT ON COLUMN provreq.service_mapping.service_ca_id IS
'The CA ID that goes out for the service.';

CREATE TABLE provreq.subscription_distributor (
	id text PRIMARY KEY DEFAULT provreq.new_id()
		CHECK (id ~ '^[0-9A-F]{32}$'),
	subscription_id text,
	installed_item_id text,
	provider text
		CHECK (pg_catalog.octet_length(provider) BETWEEN 1 AND 63),
	CHECK (subscription_id IS NOT NULL OR installed_item_id IS NOT NULL)
);
CREATE UNIQUE INDEX subscription_distributor_subscription_id
	ON provreq.subscription_distributor (subscription_id, provider)
	NULLS NOT DISTINCT WHERE installed_item_id IS NULL;
CREATE UNIQUE INDEX subscription_distributor_installed_item_id
	ON provreq.subscription_distributor (installed_item_id, provider)
	NULLS NOT DISTINCT WHERE installed_item_id IS NOT NULL;
COMMENT ON TABLE provreq.subscription_distributor IS
'What links subscriptions and their items with providers. Requests carry the ids, where there are any, for the CRM''s own use.';
COMMENT ON COLUMN provreq.subscription_distributor.id IS
'32 upper-case hexadecimal digits. Becomes sub_provisioning_distribution_id, smartcard_sub_provisioning_distribution_id, stb_sub_provisioning_distributor_id or existing_smartcard_sub_provisioning_distributor_id of a request.';
COMMENT ON COLUMN provreq.subscription_distributor.subscription_id IS
'The linked subscription; may be NULL in a row for an item.';
COMMENT ON COLUMN provreq.subscription_distributor.installed_item_id IS
'The linked smartcard or STB. NULL: the row is for the subscription itself.';
COMMENT ON COLUMN provreq.subscription_distributor.provider IS
'The foreign server. NULL: every provider for which there is no row of its own.';

SELECT pg_catalog.pg_extension_config_dump('provreq.subscription', '');
SELECT pg_catalog.pg_extension_config_dump('provreq.product', '');
SELECT pg_catalog.pg_extension_config_dump('provreq.installed_item', '');
SELECT pg_catalog.pg_extension_config_dump('provreq.service_mapping', '');
SELECT pg_catalog.pg_extension_config_dump('provreq.subscription_distributor', '');

GRANT SELECT ON provreq.subscription, provreq.product, provreq.installed_item,
	provreq.service_mapping, provreq.subscription_distributor
	TO provreq_reader;
GRANT INSERT, UPDATE, DELETE ON provreq.subscription, provreq.product,
	provreq.installed_item, provreq.service_mapping,
	provreq.subscription_distributor
	TO provreq_admin;
