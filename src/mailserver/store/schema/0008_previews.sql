-- The first words of a message, kept once somebody has asked for them (RFC 8970).
ALTER TABLE message ADD COLUMN preview TEXT;
