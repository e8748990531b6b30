-- Keys that mail of a domain is signed with (RFC 6376).  The private part is sealed; a retired key has none any more,
-- its row keeps the selector from being used again.
CREATE TABLE dkim_key (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  domain_id    INTEGER NOT NULL REFERENCES domain ON DELETE CASCADE,
  selector     TEXT    NOT NULL,                       -- lower case: '20261122r'
  algorithm    TEXT    NOT NULL CHECK (algorithm IN ('rsa', 'ed25519')),
  bits         INTEGER NOT NULL,
  public       BLOB    NOT NULL,                       -- what p= of its record holds, before base64
  sealed       BLOB,                                   -- PKCS #8, sealed
  state        TEXT    NOT NULL CHECK (state IN ('pending', 'active', 'retiring', 'retired')),
  created_at   INTEGER NOT NULL,
  seen_at      INTEGER,                                -- since when the DNS shows its record, without a gap
  active_at    INTEGER,
  retiring_at  INTEGER,
  retired_at   INTEGER,
  CHECK ((sealed IS NULL) = (state = 'retired')),
  UNIQUE (domain_id, selector)
) STRICT;

ALTER TABLE domain ADD COLUMN dkim TEXT NOT NULL DEFAULT 'on' CHECK (dkim IN ('on', 'off', 'rsa', 'ed25519'));
ALTER TABLE domain ADD COLUMN dkim_oversign TEXT;      -- fields, 'from,to,subject'; NULL: the usual ones

-- whoever is named in From was checked, or we wrote the message ourselves: it may be signed
ALTER TABLE queued ADD COLUMN is_signable INTEGER NOT NULL DEFAULT 0;
