-- What is done with mail from others that does not prove where it comes from.
ALTER TABLE domain ADD COLUMN dmarc TEXT NOT NULL DEFAULT 'reject'
  CHECK (dmarc IN ('none', 'tag', 'quarantine', 'reject'));  -- the most that follows from the sender's wish
ALTER TABLE domain ADD COLUMN spf TEXT NOT NULL DEFAULT '';  -- 'fail=reject,softfail=quarantine'; the rest is accepted

CREATE TABLE trusted (
  kind        TEXT    NOT NULL CHECK (kind IN ('network', 'forwarder', 'sealer')),
  value       TEXT    NOT NULL,                              -- '192.0.2.0/24', or a domain in lower case
  note        TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;
