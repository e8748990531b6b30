-- Log-in: what SCRAM needs, passwords for single programs, and domains that allow CRAM-MD5.

ALTER TABLE domain ADD COLUMN cram_md5 INTEGER NOT NULL DEFAULT 0 CHECK (cram_md5 IN (0, 1));
CREATE INDEX domain_cram_md5 ON domain (id) WHERE cram_md5 = 1;

-- One salt for all passwords of an account, so that a client may use any of them (RFC 5802 §3).
CREATE TABLE scram (
  account_id  INTEGER PRIMARY KEY REFERENCES account ON DELETE CASCADE,
  salt        BLOB    NOT NULL,
  iterations  INTEGER NOT NULL,
  stored_key  BLOB,                                    -- of its own password; NULL: not known yet
  server_key  BLOB,
  CHECK ((stored_key IS NULL) = (server_key IS NULL))
) STRICT;

-- A password that the server made, for one program or device.
CREATE TABLE app_password (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id    INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  name          TEXT    NOT NULL,
  digest        BLOB    NOT NULL,                      -- SHA-256; it is long and random, so that will do
  stored_key    BLOB    NOT NULL,
  server_key    BLOB    NOT NULL,
  sealed        BLOB,                                  -- itself, for CRAM-MD5; NULL: its domain had that off
  created_at    INTEGER NOT NULL,
  last_used_at  INTEGER,
  UNIQUE (account_id, name),
  UNIQUE (account_id, digest)
) STRICT;

INSERT INTO secret (name, value) VALUES ('login', randomblob(32));
