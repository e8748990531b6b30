-- What happened in mailboxes whose owner, or an administrator, has a script for it (RFC 6785), until it has run.
CREATE TABLE mailbox_event (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id  INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,  -- whose mailbox it is
  mailbox_id  INTEGER NOT NULL,
  cause       TEXT    NOT NULL CHECK (cause IN ('APPEND', 'COPY', 'FLAG')),
  uids        TEXT    NOT NULL,                        -- '1:3,7': those for which no script has run yet
  changed     TEXT    NOT NULL,                        -- flags that were set or removed, with spaces between them
  source_id   INTEGER,                                 -- the mailbox they were copied from
  actor_id    INTEGER,                                 -- who did it
  at          INTEGER NOT NULL
) STRICT;
CREATE INDEX mailbox_event_by_account ON mailbox_event (account_id);

-- Scripts of domains and of the server that run around the owner's, for events of these kinds in these mailboxes.
CREATE TABLE event_script (
  script_id   INTEGER PRIMARY KEY REFERENCES script ON DELETE CASCADE,
  place       TEXT    NOT NULL CHECK (place IN ('before', 'after')),
  causes      TEXT    NOT NULL,                        -- 'APPEND COPY'
  mailbox     TEXT    NOT NULL,                        -- a pattern of names, or a special use: '\Junk'
  source      TEXT    NOT NULL                         -- the same of where they were copied from; '*': from anywhere
) STRICT;
