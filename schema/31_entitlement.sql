/*
 * What the smartcards of customers are entitled to, as the CRM sees it: the
 * one side of a reconciliation.  Requests do not depend on it.
 */
CREATE TABLE provreq.entitlement (
	installed_item_id text NOT NULL,
	product_id text NOT NULL,
	PRIMARY KEY (installed_item_id, product_id)
);
CREATE INDEX entitlement_product_id ON provreq.entitlement (product_id);
COMMENT ON TABLE provreq.entitlement IS
'The services that each smartcard should have, for provreq.reconcile() and provreq.reset_subscription().';
COMMENT ON COLUMN provreq.entitlement.installed_item_id IS
'The smartcard: provreq.installed_item.id.';
COMMENT ON COLUMN provreq.entitlement.product_id IS
'The service: provreq.product.id.';

SELECT pg_catalog.pg_extension_config_dump('provreq.entitlement', '');

GRANT SELECT ON provreq.entitlement TO provreq_reader;
GRANT INSERT, UPDATE, DELETE ON provreq.entitlement TO provreq_admin;
