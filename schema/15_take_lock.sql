/*
 * Locks of our own, which are no advisory locks: any role may take those, and
 * keep everybody else waiting.
 */
CREATE FUNCTION provreq.take_lock(relation regclass, member text DEFAULT '') RETURNS void
	AS 'MODULE_PATHNAME', 'provreq_take_lock'
	LANGUAGE c VOLATILE STRICT;
COMMENT ON FUNCTION provreq.take_lock(regclass, text) IS
'Lets one transaction at a time go on, until it ends, for each relation and member of it. Whatever may call this may keep others waiting: for functions of this schema only.';
