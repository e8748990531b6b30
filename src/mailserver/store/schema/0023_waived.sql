-- The message has the field TLS-Required: No (RFC 8689): what next hops publish about TLS does not keep it back.
ALTER TABLE queued ADD COLUMN waives_tls INTEGER NOT NULL DEFAULT 0;
