-- Leaves nothing behind that the tests of the SQL interface have made
SET client_min_messages = warning;
DROP SERVER regress_conax CASCADE;
DROP EXTENSION provreq CASCADE;
RESET client_min_messages;
