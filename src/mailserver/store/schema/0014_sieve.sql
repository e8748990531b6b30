-- Sieve scripts with their former versions, and what scripts remember: whom they answered, what they saw.

CREATE TABLE script (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id  INTEGER REFERENCES account,              -- whose it is; NULL: of a domain or of the server
  domain_id   INTEGER REFERENCES domain,               -- NULL as well: a global script, to be included
  name        TEXT    NOT NULL,
  role        TEXT    NOT NULL DEFAULT '' CHECK (role IN ('', 'active', 'before', 'after')),
  content     BLOB    NOT NULL,
  version     INTEGER NOT NULL,
  changed_at  INTEGER NOT NULL,
  CHECK (account_id IS NULL OR domain_id IS NULL),
  CHECK ((role = 'active') <= (account_id IS NOT NULL)),
  CHECK ((role IN ('before', 'after')) <= (account_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX script_of_account ON script (account_id, name) WHERE account_id IS NOT NULL;
CREATE UNIQUE INDEX script_of_domain ON script (domain_id, name) WHERE domain_id IS NOT NULL;
CREATE UNIQUE INDEX script_of_server ON script (name) WHERE account_id IS NULL AND domain_id IS NULL;
CREATE INDEX script_around_all ON script (role) WHERE account_id IS NULL AND domain_id IS NULL;
CREATE UNIQUE INDEX script_active ON script (account_id) WHERE role = 'active';

CREATE TABLE script_version (
  script_id   INTEGER NOT NULL REFERENCES script ON DELETE CASCADE,
  version     INTEGER NOT NULL,
  content     BLOB    NOT NULL,
  changed_at  INTEGER NOT NULL,
  PRIMARY KEY (script_id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE sieve_memory (
  account_id  INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  key         TEXT    NOT NULL,
  expires_at  INTEGER NOT NULL,
  PRIMARY KEY (account_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX sieve_memory_by_expiry ON sieve_memory (expires_at);
