/*
 * The CRM's own table as the source of requests.
 */
CREATE FUNCTION provreq.subscription_change() RETURNS trigger
	AS 'MODULE_PATHNAME', 'provreq_subscription_change'
	LANGUAGE c VOLATILE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION provreq.subscription_change() IS
'Trigger function for a table of subscriptions: a row that becomes active makes a request that adds its service to its smartcard, one that stops being active or is deleted makes a cancellation, another smartcard or service makes both, the cancellation first; anything else makes nothing. Fires AFTER, for each row, or for each statement with the tables of old and new rows; BEFORE TRUNCATE it refuses. Arguments are texts ''name=value'': provider (foreign server) or provider_column; smartcard, service and subscription, a column or ''column:field'', field being that of the identifier (default serial_number, code, number); state, a column, and active, the states that mean active, separated by commas (default: true of a boolean column; without state every row is active); process_name (default PROVISIONING_REQUEST_PROCESSING); priority (default REGULAR), or priority_column and express, the values that mean EXPRESS (default EXPRESS). A row with NULL in one of the columns of provider, smartcard, service, subscription or state is not active. No two active rows may say the same smartcard and service, which a unique index should hold. Runs with the rights of its owner: who creates the trigger needs EXECUTE, which provreq_operator has; who changes the table needs nothing, and is created_by_user of the requests. Errors of CREATE TRIGGER: 42P17 wrong timing or no tables of rows, 42P02 unknown argument, 42710 given twice, 22023 missing or wrong, 42703 no such column, 42804 unusable type, 42704 no such provider. Later ones are those of the operation, and abort the statement.';
GRANT EXECUTE ON FUNCTION provreq.subscription_change() TO provreq_operator;
