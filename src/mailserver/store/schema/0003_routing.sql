-- Where mail goes: domains that stand for others, forwards, static routes, and who may write as whom.

ALTER TABLE domain ADD COLUMN alias_of INTEGER REFERENCES domain;     -- its addresses are those of that domain
ALTER TABLE domain ADD COLUMN has_subdomains INTEGER NOT NULL DEFAULT 0 CHECK (has_subdomains IN (0, 1));
ALTER TABLE domain ADD COLUMN is_backup INTEGER NOT NULL DEFAULT 0 CHECK (is_backup IN (0, 1));  -- passed on to its MX
ALTER TABLE domain ADD COLUMN smarthost TEXT;                         -- takes what its users send: 'smtp:HOST:PORT'
ALTER TABLE domain ADD COLUMN message_size INTEGER;                   -- NULL: what the server takes
CREATE INDEX domain_by_alias_of ON domain (alias_of, name);

ALTER TABLE account ADD COLUMN message_size INTEGER;                  -- NULL: the domain's
ALTER TABLE account ADD COLUMN keeps_copy INTEGER NOT NULL DEFAULT 1 CHECK (keeps_copy IN (0, 1));  -- of what is forwarded

-- Where mail for an account goes as well, or instead.
CREATE TABLE forward (
  account_id  INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  position    INTEGER NOT NULL,
  address     TEXT    NOT NULL,
  PRIMARY KEY (account_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX forward_by_address ON forward (address);

-- Addresses an account may write as that do not lead to it; '@example.org': the whole domain.
CREATE TABLE send_as (
  account_id  INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  address     TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (account_id, address)
) STRICT, WITHOUT ROWID;

-- Static routes by the recipient's domain.
CREATE TABLE route (
  domain       TEXT    PRIMARY KEY,                    -- 'example.net', '.example.net' (what is below it), '*'
  destination  TEXT    NOT NULL,                       -- 'smtp:HOST:PORT', 'lmtp:HOST:PORT', 'mx', 'reject'
  created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How to talk to a next hop that is named 'smtp:HOST:PORT' or 'lmtp:HOST:PORT'.
CREATE TABLE next_hop (
  name      TEXT    PRIMARY KEY,
  tls       TEXT    NOT NULL CHECK (tls IN ('may', 'encrypt', 'verify')),
  login     TEXT    NOT NULL DEFAULT '',               -- '': none
  password  BLOB    NOT NULL DEFAULT x''               -- sealed
) STRICT, WITHOUT ROWID;

-- What the primary server of a backup domain said of an address.
CREATE TABLE callout (
  address     TEXT    PRIMARY KEY,
  is_known    INTEGER NOT NULL CHECK (is_known IN (0, 1)),
  reply       TEXT    NOT NULL,
  checked_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX callout_by_checked_at ON callout (is_known, checked_at);

-- Keys that this server made for itself.
CREATE TABLE secret (
  name   TEXT  PRIMARY KEY,
  value  BLOB  NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO secret (name, value) VALUES ('srs', randomblob(32));
