/*
 * The extension makes its schema and does not take one that is there: whoever
 * made that would own the ground that privileged functions stand on, and
 * could put functions of the same names beside them.  The schema belongs to
 * the extension and goes with it.
 */
CREATE SCHEMA provreq;
COMMENT ON SCHEMA provreq IS 'Provisioning requests to conditional access systems.';
