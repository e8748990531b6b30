-- Lists that users, domains and the server keep: senders who are always let through, who are blocked, and whatever
-- filters ask for by name.
CREATE TABLE list (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id  INTEGER REFERENCES account ON DELETE CASCADE,  -- whose it is; NULL: of a domain or of the server
  domain_id   INTEGER REFERENCES domain ON DELETE CASCADE,
  name        TEXT    NOT NULL,                        -- 'allow', 'block', or any other
  CHECK (account_id IS NULL OR domain_id IS NULL)
) STRICT;
CREATE UNIQUE INDEX list_of_account ON list (account_id, name) WHERE account_id IS NOT NULL;
CREATE UNIQUE INDEX list_of_domain ON list (domain_id, name) WHERE domain_id IS NOT NULL;
CREATE UNIQUE INDEX list_of_server ON list (name) WHERE account_id IS NULL AND domain_id IS NULL;

CREATE TABLE list_entry (
  list_id     INTEGER NOT NULL REFERENCES list ON DELETE CASCADE,
  entry       TEXT    NOT NULL,                        -- without case: 'bob@example.org', '@example.org'
  note        TEXT    NOT NULL DEFAULT '',             -- why it is there
  added_at    INTEGER NOT NULL,
  PRIMARY KEY (list_id, entry)
) STRICT, WITHOUT ROWID;
