-- What happens at the example CRM, in plain DML: a customer subscribes, swaps a
-- card, pauses, comes back, changes a service, and cancels.  After
-- test/crm/schema.sql.

INSERT INTO crm.service (code, title, ca_id) VALUES
	('CRM-SPORT', 'Sports', '2001'), ('CRM-FILM', 'Films', '2002'), ('CRM-KIDS', 'Cartoons', '2003');
INSERT INTO crm.item (serial_number, kind, ca_id) VALUES
	('crm-card-1', 'SMARTCARD', '000000002017'), ('crm-card-2', 'SMARTCARD', '000000002025');

-- A customer subscribes to two services: two requests
INSERT INTO crm.subscription (number, customer, smartcard) VALUES ('C-1', 'A. Customer', 'crm-card-1');
INSERT INTO crm.subscribed_service (subscription, service) VALUES ('C-1', 'CRM-SPORT'), ('C-1', 'CRM-FILM');

-- The card breaks and is swapped: both services leave the old card, then come
-- to the new one
UPDATE crm.item SET broken = true WHERE serial_number = 'crm-card-1';
UPDATE crm.subscription SET smartcard = 'crm-card-2' WHERE number = 'C-1';

-- A summer without television, and back
UPDATE crm.subscription SET state = 'PAUSED' WHERE number = 'C-1';
UPDATE crm.subscription SET state = 'ACTIVE' WHERE number = 'C-1';

-- Cartoons instead of films
UPDATE crm.subscribed_service SET service = 'CRM-KIDS' WHERE subscription = 'C-1' AND service = 'CRM-FILM';

-- What has nothing to do with the conditional access system makes no request
UPDATE crm.subscription SET customer = 'B. Customer' WHERE number = 'C-1';

-- The customer cancels
UPDATE crm.subscription SET state = 'ENDED' WHERE number = 'C-1';

-- And the record of it
SELECT number, type, created_by_user AS by, parameters ->> 'smartcard_ca_id' AS smartcard,
	parameters ->> 'service_ca_id' AS service, life_cycle_state
	FROM provreq.request WHERE subscription_id = 'C-1' ORDER BY number;
