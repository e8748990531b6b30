-- What a message has as message-ids and follows, for THREAD (RFC 5256 §3).  NULL: stored by an older program.
ALTER TABLE message ADD COLUMN ancestry BLOB;
