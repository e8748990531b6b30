-- The queue: messages that wait to leave, each of their recipients, where they go, and every attempt.

-- A next hop as the queue sees it: 'example.org' (by its MX), '[192.0.2.1]', '[IPv6:2001:db8::1]', 'smtp:HOST:PORT',
-- 'lmtp:HOST:PORT', 'local'.
CREATE TABLE destination (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  name           TEXT    NOT NULL UNIQUE,
  due_at         INTEGER,                              -- nothing of it is claimed before; NULL: nothing waits
  backoff_until  INTEGER,                              -- after connection failures; due_at is not earlier
  paused_at      INTEGER,                              -- by an administrator
  failures       INTEGER NOT NULL DEFAULT 0,           -- attempts in a row that reached no host
  failed_since   INTEGER,
  last_error     TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX destination_due ON destination (due_at) WHERE paused_at IS NULL AND due_at IS NOT NULL;

-- A message that leaves, or left: prefix and then its blob without the first octets.
CREATE TABLE queued (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  trace       TEXT    NOT NULL,                        -- of the transaction that brought it
  account_id  INTEGER REFERENCES account ON DELETE SET NULL,  -- who submitted it, or whose forward it is
  sender      TEXT    NOT NULL,                        -- '': null reverse-path
  blob_id     INTEGER REFERENCES blob,                 -- NULL once every recipient is final
  skip        INTEGER NOT NULL CHECK (skip >= 0),
  prefix      BLOB    NOT NULL,
  size        INTEGER NOT NULL,                        -- what leaves
  origin      TEXT    NOT NULL CHECK (origin IN ('submitted', 'forwarded', 'notice', 'released')),
  notices_to  TEXT,                                    -- NULL: the sender; '': nobody
  is_8bit     INTEGER NOT NULL CHECK (is_8bit IN (0, 1)),
  is_utf8     INTEGER NOT NULL CHECK (is_utf8 IN (0, 1)),
  needs_tls   INTEGER NOT NULL CHECK (needs_tls IN (0, 1)),
  ret         TEXT    NOT NULL DEFAULT '',             -- RFC 3461
  envid       TEXT    NOT NULL DEFAULT '',
  message_id  TEXT    NOT NULL,
  subject     TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  release_at  INTEGER,
  warn_at     INTEGER,
  expires_at  INTEGER NOT NULL,
  open        INTEGER NOT NULL CHECK (open >= 0),      -- recipients that are not final
  closed_at   INTEGER,
  CHECK ((open = 0) = (closed_at IS NOT NULL)),
  CHECK ((open = 0) = (blob_id IS NULL))
) STRICT;
CREATE INDEX queued_by_trace ON queued (trace);
CREATE INDEX queued_by_blob ON queued (blob_id) WHERE blob_id IS NOT NULL;
CREATE INDEX queued_by_account ON queued (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX queued_open ON queued (id) WHERE closed_at IS NULL;
CREATE INDEX queued_closed ON queued (closed_at) WHERE closed_at IS NOT NULL;

-- How many messages are open: of an account, and of all (account 0).
CREATE TABLE queued_count (
  account_id  INTEGER PRIMARY KEY,
  messages    INTEGER NOT NULL CHECK (messages >= 0)
) STRICT;

CREATE TABLE queued_recipient (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  queued_id       INTEGER NOT NULL REFERENCES queued ON DELETE CASCADE,
  address         TEXT    NOT NULL,
  domain          TEXT    NOT NULL,
  destination_id  INTEGER NOT NULL REFERENCES destination,
  state           TEXT    NOT NULL CHECK (state IN
    ('pending', 'claimed', 'deferred', 'held', 'delivered', 'failed', 'expired', 'cancelled')),
  due_at          INTEGER,                             -- when it may be claimed; NULL: it waits for nothing
  attempts        INTEGER NOT NULL DEFAULT 0,
  original        TEXT    NOT NULL DEFAULT '',         -- ORCPT, decoded: 'rfc822;alice@example.org'
  notify          TEXT    NOT NULL DEFAULT '',         -- 'NEVER', 'SUCCESS,FAILURE,DELAY'; '': not said
  held_by         TEXT    NOT NULL DEFAULT '',         -- 'administrator', 'rule 3'
  status          TEXT    NOT NULL DEFAULT '',         -- of the last attempt: '4.4.1'
  reply           TEXT    NOT NULL DEFAULT '',
  warned_at       INTEGER,                             -- when its delay notice was made
  changed_at      INTEGER NOT NULL,
  CHECK ((due_at IS NOT NULL) = (state IN ('pending', 'deferred')))
) STRICT;
CREATE INDEX queued_recipient_due ON queued_recipient (destination_id, due_at);
CREATE INDEX queued_recipient_by_message ON queued_recipient (queued_id, destination_id);
CREATE INDEX queued_recipient_by_address ON queued_recipient (address COLLATE NOCASE);
CREATE INDEX queued_recipient_open ON queued_recipient (id, state)
  WHERE state IN ('pending', 'claimed', 'deferred', 'held');

CREATE TABLE attempt (
  recipient_id  INTEGER NOT NULL REFERENCES queued_recipient ON DELETE CASCADE,
  number        INTEGER NOT NULL,                      -- from 1
  at            INTEGER NOT NULL,
  duration_ms   INTEGER NOT NULL,
  host          TEXT    NOT NULL,                      -- '': none was reached
  address       TEXT    NOT NULL,
  tls           TEXT    NOT NULL,                      -- 'TLSv1.3 TLS_AES_256_GCM_SHA384'; '': none
  code          INTEGER NOT NULL,                      -- 0: no reply
  status        TEXT    NOT NULL,
  reply         TEXT    NOT NULL,
  outcome       TEXT    NOT NULL,                      -- delivered, deferred, failed, expired
  PRIMARY KEY (recipient_id, number)
) STRICT, WITHOUT ROWID;

-- Addresses that nothing is sent to, as their server said that they do not exist.
CREATE TABLE suppression (
  address     TEXT PRIMARY KEY,                        -- lower case
  status      TEXT    NOT NULL,
  reply       TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER                                  -- NULL: never
) STRICT, WITHOUT ROWID;
CREATE INDEX suppression_expires ON suppression (expires_at) WHERE expires_at IS NOT NULL;

-- What new mail is held for an administrator to look at.
CREATE TABLE hold_rule (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  field       TEXT    NOT NULL CHECK (field IN ('sender', 'recipient', 'domain', 'account')),
  pattern     TEXT    NOT NULL,                        -- lower case; * stands for anything
  note        TEXT    NOT NULL DEFAULT '',
  created_at  INTEGER NOT NULL,
  UNIQUE (field, pattern)
) STRICT;
