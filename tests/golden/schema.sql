CREATE TABLE account (
  id                INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id < 2147483648),
  domain_id         INTEGER REFERENCES domain,         -- NULL: removed, what it had is being purged
  localpart         TEXT,
  password_hash     TEXT    NOT NULL,
  name              TEXT    NOT NULL DEFAULT '',
  quota             INTEGER,                           -- NULL: the domain's
  used              INTEGER NOT NULL DEFAULT 0 CHECK (used >= 0),
  messages          INTEGER NOT NULL DEFAULT 0 CHECK (messages >= 0),
  is_active         INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
  created_at        INTEGER NOT NULL,
  last_login_at     INTEGER,
  modseq            INTEGER NOT NULL DEFAULT 1,        -- the latest change of anything in the account
  last_uidvalidity  INTEGER NOT NULL,                  -- only grows
  last_message      INTEGER NOT NULL DEFAULT 0, message_size INTEGER, keeps_copy INTEGER NOT NULL DEFAULT 1 CHECK (keeps_copy IN (0, 1)), is_shared INTEGER NOT NULL DEFAULT 0 CHECK (is_shared IN (0, 1)), max_messages INTEGER CHECK (max_messages >= 0), max_mailboxes INTEGER CHECK (max_mailboxes >= 0), is_admin INTEGER NOT NULL DEFAULT 0 CHECK (is_admin IN (0, 1)), time_zone TEXT,        -- only grows; low half of message.id
  UNIQUE (domain_id, localpart),
  CHECK ((domain_id IS NULL) = (localpart IS NULL))
) STRICT;

CREATE INDEX account_removed ON account (id) WHERE domain_id IS NULL;

CREATE INDEX account_shared ON account (id) WHERE is_shared = 1;

CREATE TABLE account_group (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  domain_id   INTEGER NOT NULL REFERENCES domain,
  name        TEXT    NOT NULL,                        -- as a localpart: group:NAME@DOMAIN
  created_at  INTEGER NOT NULL,
  UNIQUE (domain_id, name)
) STRICT;

CREATE TABLE acl (
  mailbox_id   INTEGER NOT NULL REFERENCES mailbox ON DELETE CASCADE,
  account_id   INTEGER REFERENCES account ON DELETE CASCADE,
  group_id     INTEGER REFERENCES account_group ON DELETE CASCADE,
  is_negative  INTEGER NOT NULL CHECK (is_negative IN (0, 1)),
  rights       TEXT    NOT NULL,                       -- letters of RFC 4314, in their order there
  CHECK (account_id IS NULL OR group_id IS NULL)
) STRICT;

CREATE UNIQUE INDEX acl_entry ON acl (mailbox_id, coalesce(account_id, 0), coalesce(group_id, 0), is_negative);

CREATE INDEX acl_by_account ON acl (account_id) WHERE account_id IS NOT NULL;

CREATE INDEX acl_by_group ON acl (group_id) WHERE group_id IS NOT NULL;

CREATE INDEX acl_anyone ON acl (mailbox_id) WHERE account_id IS NULL AND group_id IS NULL;

CREATE TABLE address_book (
  id               INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id       INTEGER NOT NULL REFERENCES account,
  name             TEXT,                               -- NULL: removed, its cards are being purged
  is_default       INTEGER NOT NULL CHECK (is_default IN (0, 1)),
  cards            INTEGER NOT NULL DEFAULT 0 CHECK (cards >= 0),
  size             INTEGER NOT NULL DEFAULT 0 CHECK (size >= 0),  -- octets of all of them
  modseq           INTEGER NOT NULL,                   -- the latest change of anything in it
  created_modseq   INTEGER NOT NULL,
  modified_modseq  INTEGER NOT NULL,                   -- of its name
  UNIQUE (account_id, name)
) STRICT;

CREATE UNIQUE INDEX address_book_default ON address_book (account_id) WHERE is_default = 1;

CREATE INDEX address_book_removed ON address_book (id) WHERE name IS NULL;

CREATE TABLE alias (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  domain_id   INTEGER NOT NULL REFERENCES domain,
  localpart   TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  UNIQUE (domain_id, localpart)
) STRICT;

CREATE TABLE alias_target (
  alias_id  INTEGER NOT NULL REFERENCES alias ON DELETE CASCADE,
  position  INTEGER NOT NULL,
  address   TEXT    NOT NULL,
  PRIMARY KEY (alias_id, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX alias_target_by_address ON alias_target (address);

CREATE TABLE annotation (
  account_id  INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,  -- /private: whose; /shared: the mailbox's owner
  mailbox_id  INTEGER NOT NULL,                        -- 0: of the server
  entry       TEXT    NOT NULL,                        -- '/private/comment', lower case
  value       BLOB,                                    -- NULL: it was removed
  modseq      INTEGER NOT NULL,                        -- of the account
  PRIMARY KEY (account_id, mailbox_id, entry)
) STRICT;

CREATE INDEX annotation_by_mailbox ON annotation (mailbox_id);

CREATE INDEX annotation_by_modseq ON annotation (account_id, modseq);

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

CREATE TABLE applied (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id  INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  mailbox_id  INTEGER NOT NULL,                        -- where the messages were; it may be gone by now
  script      TEXT    NOT NULL,                        -- what the caller called it
  applied_at  INTEGER NOT NULL,
  undone_at   INTEGER                                  -- NULL: it holds, or some of it still does
) STRICT;

CREATE INDEX applied_by_account ON applied (account_id);

CREATE TABLE applied_message (
  applied_id  INTEGER NOT NULL REFERENCES applied ON DELETE CASCADE,
  uid         INTEGER NOT NULL,                        -- that it had
  message_id  INTEGER NOT NULL,
  has_left    INTEGER NOT NULL,                        -- 1: it is no longer where it was
  flags       INTEGER NOT NULL,                        -- those that it got, and had not
  keywords    TEXT    NOT NULL,                        -- the same, parted by spaces
  places      TEXT    NOT NULL,                        -- JSON: [[mailbox id, UID], ...] where it was put
  PRIMARY KEY (applied_id, uid)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE blob (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  sha256  BLOB    NOT NULL UNIQUE CHECK (length(sha256) = 32),
  size    INTEGER NOT NULL,
  codec   INTEGER NOT NULL DEFAULT 0 CHECK (codec = 0),   -- 0: the bytes themselves
  path    TEXT,                                        -- below blobs/
  data    BLOB,
  CHECK ((path IS NULL) <> (data IS NULL))
) STRICT;

CREATE TABLE callout (
  address     TEXT    PRIMARY KEY,
  is_known    INTEGER NOT NULL CHECK (is_known IN (0, 1)),
  reply       TEXT    NOT NULL,
  checked_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX callout_by_checked_at ON callout (is_known, checked_at);

CREATE TABLE card (
  id               INTEGER PRIMARY KEY AUTOINCREMENT,
  book_id          INTEGER NOT NULL REFERENCES address_book,
  uid              TEXT    NOT NULL,                   -- of the vCard
  name             TEXT    NOT NULL,                   -- how it is shown
  sort_name        TEXT    NOT NULL,                   -- the same without case
  kind             TEXT    NOT NULL,                   -- 'individual', 'group', ...
  size             INTEGER NOT NULL,
  digest           BLOB    NOT NULL,                   -- SHA-256 of the vCard
  created_modseq   INTEGER NOT NULL,
  modified_modseq  INTEGER NOT NULL,
  changed_at       INTEGER NOT NULL,
  vcard            BLOB    NOT NULL,                   -- as it was given, octet for octet
  UNIQUE (book_id, uid)
) STRICT;

CREATE INDEX card_by_name ON card (book_id, sort_name, id);

CREATE INDEX card_by_modseq ON card (book_id, modified_modseq);

CREATE TABLE card_address (
  card_id   INTEGER NOT NULL REFERENCES card ON DELETE CASCADE,
  position  INTEGER NOT NULL,
  book_id   INTEGER NOT NULL,
  address   TEXT    NOT NULL,                          -- as the directory spells it: no case, A-labels
  PRIMARY KEY (card_id, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX card_address_by_address ON card_address (book_id, address);

CREATE TABLE card_gone (
  book_id         INTEGER NOT NULL REFERENCES address_book,
  modseq          INTEGER NOT NULL,
  card_id         INTEGER NOT NULL,
  uid             TEXT    NOT NULL,
  created_modseq  INTEGER NOT NULL,
  PRIMARY KEY (book_id, modseq, card_id)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE domain (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  name            TEXT    NOT NULL UNIQUE,             -- A-label, lower case
  is_active       INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
  catch_all       TEXT,                                -- address for unknown localparts
  quota           INTEGER,                             -- of each account without its own; NULL: none
  max_accounts    INTEGER,
  blob_threshold  INTEGER NOT NULL DEFAULT 131072,     -- larger bodies are files
  separators      TEXT    NOT NULL DEFAULT '+',        -- between localpart and detail
  created_at      INTEGER NOT NULL
, alias_of INTEGER REFERENCES domain, has_subdomains INTEGER NOT NULL DEFAULT 0 CHECK (has_subdomains IN (0, 1)), is_backup INTEGER NOT NULL DEFAULT 0 CHECK (is_backup IN (0, 1)), smarthost TEXT, message_size INTEGER, cram_md5 INTEGER NOT NULL DEFAULT 0 CHECK (cram_md5 IN (0, 1)), max_messages INTEGER CHECK (max_messages >= 0), max_mailboxes INTEGER CHECK (max_mailboxes >= 0), dkim TEXT NOT NULL DEFAULT 'on' CHECK (dkim IN ('on', 'off', 'rsa', 'ed25519')), dkim_oversign TEXT, dmarc TEXT NOT NULL DEFAULT 'reject'
  CHECK (dmarc IN ('none', 'tag', 'quarantine', 'reject')), spf TEXT NOT NULL DEFAULT '', mta_sts TEXT NOT NULL DEFAULT 'none' CHECK (mta_sts IN ('none', 'testing', 'enforce'))) STRICT;

CREATE INDEX domain_by_alias_of ON domain (alias_of, name);

CREATE INDEX domain_cram_md5 ON domain (id) WHERE cram_md5 = 1;

CREATE TABLE event_script (
  script_id   INTEGER PRIMARY KEY REFERENCES script ON DELETE CASCADE,
  place       TEXT    NOT NULL CHECK (place IN ('before', 'after')),
  causes      TEXT    NOT NULL,                        -- 'APPEND COPY'
  mailbox     TEXT    NOT NULL,                        -- a pattern of names, or a special use: '\Junk'
  source      TEXT    NOT NULL                         -- the same of where they were copied from; '*': from anywhere
) STRICT;

CREATE TABLE expunged (
  mailbox_id      INTEGER NOT NULL REFERENCES mailbox ON DELETE CASCADE,
  modseq          INTEGER NOT NULL,
  uid             INTEGER NOT NULL,
  created_modseq  INTEGER NOT NULL,
  PRIMARY KEY (mailbox_id, modseq, uid)
) STRICT, WITHOUT ROWID;

CREATE TABLE forward (
  account_id  INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  position    INTEGER NOT NULL,
  address     TEXT    NOT NULL,
  PRIMARY KEY (account_id, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX forward_by_address ON forward (address);

CREATE TABLE group_member (
  group_id    INTEGER NOT NULL REFERENCES account_group ON DELETE CASCADE,
  account_id  INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  PRIMARY KEY (group_id, account_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX group_member_by_account ON group_member (account_id);

CREATE TABLE hold_rule (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  field       TEXT    NOT NULL CHECK (field IN ('sender', 'recipient', 'domain', 'account')),
  pattern     TEXT    NOT NULL,                        -- lower case; * stands for anything
  note        TEXT    NOT NULL DEFAULT '',
  created_at  INTEGER NOT NULL,
  UNIQUE (field, pattern)
) STRICT;

CREATE TABLE kept_sender (
  token    TEXT    PRIMARY KEY,                        -- stands for it in the rewritten address
  sender   TEXT    NOT NULL,
  kept_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX kept_sender_by_kept_at ON kept_sender (kept_at);

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

CREATE TABLE mailbox (
  id               INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id       INTEGER NOT NULL REFERENCES account,
  name             TEXT,                               -- NULL: deleted, what it had is being purged
  special_use      TEXT,                               -- '\Drafts' (RFC 6154)
  is_selectable    INTEGER NOT NULL DEFAULT 1 CHECK (is_selectable IN (0, 1)),
  uidvalidity      INTEGER NOT NULL,
  uidnext          INTEGER NOT NULL DEFAULT 1 CHECK (uidnext <= 4294967295),
  recent_from      INTEGER NOT NULL DEFAULT 1,         -- UIDs from here on were shown to no session yet
  modseq           INTEGER NOT NULL,                   -- the latest change of anything in it
  messages         INTEGER NOT NULL DEFAULT 0 CHECK (messages >= 0),
  unseen           INTEGER NOT NULL DEFAULT 0 CHECK (unseen BETWEEN 0 AND messages),
  deleted          INTEGER NOT NULL DEFAULT 0 CHECK (deleted BETWEEN 0 AND messages),
  size             INTEGER NOT NULL DEFAULT 0 CHECK (size >= 0),
  created_modseq   INTEGER NOT NULL,
  modified_modseq  INTEGER NOT NULL, expunged_from INTEGER NOT NULL DEFAULT 0,                   -- of name, use and selectability
  UNIQUE (account_id, name)
) STRICT;

CREATE INDEX mailbox_deleted ON mailbox (id) WHERE name IS NULL;

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

CREATE TABLE mailbox_gone (
  account_id   INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  modseq       INTEGER NOT NULL,
  mailbox_id   INTEGER NOT NULL,
  name         TEXT    NOT NULL,
  uidvalidity  INTEGER NOT NULL,
  PRIMARY KEY (account_id, modseq, mailbox_id, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX mailbox_gone_by_name ON mailbox_gone (account_id, name, uidvalidity);

CREATE TABLE mailbox_keyword (
  mailbox_id  INTEGER NOT NULL REFERENCES mailbox ON DELETE CASCADE,
  folded      TEXT    NOT NULL,                        -- lower case
  keyword     TEXT    NOT NULL,                        -- as first written
  PRIMARY KEY (mailbox_id, folded)
) STRICT, WITHOUT ROWID;

CREATE TABLE message (
  id              INTEGER PRIMARY KEY,
  blob_id         INTEGER NOT NULL REFERENCES blob,
  thread_id       INTEGER NOT NULL,
  size            INTEGER NOT NULL,
  created_modseq  INTEGER NOT NULL,
  header_size     INTEGER NOT NULL,
  sent_at         INTEGER,
  sent_day        INTEGER,
  hops            INTEGER NOT NULL,
  message_id      TEXT    NOT NULL,
  subject         TEXT    NOT NULL,
  base_subject    TEXT    NOT NULL,
  sort_from       TEXT    NOT NULL,
  sort_to         TEXT    NOT NULL,
  sort_cc         TEXT    NOT NULL,
  envelope        BLOB    NOT NULL,
  body            BLOB    NOT NULL,
  bodystructure   BLOB    NOT NULL,
  layout          BLOB    NOT NULL
, preview TEXT, ancestry BLOB) STRICT;

CREATE INDEX message_by_blob ON message (blob_id);

CREATE INDEX message_by_thread ON message (thread_id);

CREATE TABLE message_gone (
  account_id      INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  modseq          INTEGER NOT NULL,
  message_id      INTEGER NOT NULL,
  created_modseq  INTEGER NOT NULL,
  PRIMARY KEY (account_id, modseq, message_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE moved (
  place_id  INTEGER NOT NULL REFERENCES moved_place ON DELETE CASCADE,
  key       INTEGER NOT NULL,                          -- its UID there, or a hash of its name
  PRIMARY KEY (place_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE moved_place (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id  INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  source      TEXT    NOT NULL,                        -- 'imap://alice@mail.example.net:993', '/home/alice/Maildir'
  folder      TEXT    NOT NULL,                        -- by its name there
  validity    INTEGER NOT NULL,                        -- its UIDVALIDITY; 0: it has none
  UNIQUE (account_id, source, folder, validity)
) STRICT;

CREATE TABLE next_hop (
  name      TEXT    PRIMARY KEY,
  tls       TEXT    NOT NULL CHECK (tls IN ('may', 'encrypt', 'verify')),
  login     TEXT    NOT NULL DEFAULT '',               -- '': none
  password  BLOB    NOT NULL DEFAULT x''               -- sealed
) STRICT, WITHOUT ROWID;

CREATE TABLE placement (
  mailbox_id      INTEGER NOT NULL REFERENCES mailbox,
  uid             INTEGER NOT NULL,
  flags           INTEGER NOT NULL,                    -- 1 \Seen 2 \Answered 4 \Flagged 8 \Deleted 16 \Draft
  keywords        TEXT    NOT NULL,                    -- joined with spaces, sorted
  internal_at     INTEGER NOT NULL,
  size            INTEGER NOT NULL,                    -- the message's, here to be counted without it
  message_id      INTEGER NOT NULL REFERENCES message,
  modseq          INTEGER NOT NULL,
  created_modseq  INTEGER NOT NULL,
  saved_at        INTEGER NOT NULL,                    -- when it came into this mailbox (RFC 8514)
  PRIMARY KEY (mailbox_id, uid)
) STRICT, WITHOUT ROWID;

CREATE INDEX placement_by_message ON placement (message_id);

CREATE INDEX placement_by_modseq ON placement (mailbox_id, modseq);

CREATE INDEX placement_unseen ON placement (mailbox_id, uid) WHERE flags & 1 = 0;

CREATE INDEX placement_deleted ON placement (mailbox_id, uid) WHERE flags & 8 <> 0;

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
  closed_at   INTEGER, is_signable INTEGER NOT NULL DEFAULT 0, waives_tls INTEGER NOT NULL DEFAULT 0,
  CHECK ((open = 0) = (closed_at IS NOT NULL)),
  CHECK ((open = 0) = (blob_id IS NULL))
) STRICT;

CREATE INDEX queued_by_trace ON queued (trace);

CREATE INDEX queued_by_blob ON queued (blob_id) WHERE blob_id IS NOT NULL;

CREATE INDEX queued_by_account ON queued (account_id) WHERE account_id IS NOT NULL;

CREATE INDEX queued_open ON queued (id) WHERE closed_at IS NULL;

CREATE INDEX queued_closed ON queued (closed_at) WHERE closed_at IS NOT NULL;

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
  changed_at      INTEGER NOT NULL, is_bulk INTEGER NOT NULL DEFAULT 0 CHECK (is_bulk IN (0, 1)),
  CHECK ((due_at IS NOT NULL) = (state IN ('pending', 'deferred')))
) STRICT;

CREATE INDEX queued_recipient_by_message ON queued_recipient (queued_id, destination_id);

CREATE INDEX queued_recipient_by_address ON queued_recipient (address COLLATE NOCASE);

CREATE INDEX queued_recipient_open ON queued_recipient (id, state)
  WHERE state IN ('pending', 'claimed', 'deferred', 'held');

CREATE INDEX queued_recipient_due ON queued_recipient (destination_id, is_bulk, due_at);

CREATE TABLE rate_override (
  id          INTEGER PRIMARY KEY,
  account_id  INTEGER REFERENCES account ON DELETE CASCADE,
  domain_id   INTEGER REFERENCES domain ON DELETE CASCADE,
  is_each     INTEGER NOT NULL DEFAULT 0 CHECK (is_each IN (0, 1)),  -- for each account of the domain, not for all together
  measure     TEXT    NOT NULL CHECK (measure IN ('messages', 'recipients', 'bytes')),
  period      TEXT    NOT NULL CHECK (period IN ('hour', 'day')),
  most        INTEGER NOT NULL CHECK (most >= 0),                    -- 0: no bound
  CHECK ((account_id IS NULL) <> (domain_id IS NULL))
) STRICT;

CREATE UNIQUE INDEX rate_override_of_account ON rate_override (account_id, measure, period) WHERE account_id IS NOT NULL;

CREATE UNIQUE INDEX rate_override_of_domain ON rate_override (domain_id, is_each, measure, period)
  WHERE domain_id IS NOT NULL;

CREATE TABLE reader (
  mailbox_id  INTEGER NOT NULL REFERENCES mailbox ON DELETE CASCADE,
  account_id  INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  seen        INTEGER NOT NULL DEFAULT 0 CHECK (seen >= 0),  -- messages that have \Seen for it
  PRIMARY KEY (mailbox_id, account_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX reader_by_account ON reader (account_id);

CREATE TABLE report_received (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  kind        TEXT    NOT NULL,                        -- 'dmarc', 'tls', 'failure'
  domain      TEXT    NOT NULL,                        -- of ours, that it is about
  org         TEXT    NOT NULL,                        -- who made it
  report_id   TEXT    NOT NULL,
  begin_at    INTEGER NOT NULL,
  end_at      INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  good        INTEGER NOT NULL,                        -- messages that passed, sessions that went well
  bad         INTEGER NOT NULL,
  facts       BLOB    NOT NULL                         -- JSON, deflated; see mta/report_facts.py
) STRICT;

CREATE UNIQUE INDEX report_received_once ON report_received (kind, domain, org, report_id, begin_at);

CREATE INDEX report_received_by_domain ON report_received (domain, begin_at);

CREATE INDEX report_received_by_time ON report_received (received_at);

CREATE TABLE report_sent (
  kind        TEXT    NOT NULL,                        -- 'dmarc', 'tls'
  domain      TEXT    NOT NULL,                        -- that it is about
  begin_at    INTEGER NOT NULL,                        -- of its period
  report_id   TEXT    NOT NULL,                        -- '' where there was nobody to send it to
  sent_at     INTEGER NOT NULL,
  outcome     TEXT    NOT NULL,                        -- to whom, or why to nobody
  PRIMARY KEY (kind, domain, begin_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX report_sent_by_time ON report_sent (sent_at);

CREATE TABLE report_upload (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  uri         TEXT    NOT NULL,
  media_type  TEXT    NOT NULL,
  body        BLOB    NOT NULL,
  domain      TEXT    NOT NULL,
  attempts    INTEGER NOT NULL DEFAULT 0,
  due_at      INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX report_upload_due ON report_upload (due_at);

CREATE TABLE route (
  domain       TEXT    PRIMARY KEY,                    -- 'example.net', '.example.net' (what is below it), '*'
  destination  TEXT    NOT NULL,                       -- 'smtp:HOST:PORT', 'lmtp:HOST:PORT', 'mx', 'reject'
  created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE scram (
  account_id  INTEGER PRIMARY KEY REFERENCES account ON DELETE CASCADE,
  salt        BLOB    NOT NULL,
  iterations  INTEGER NOT NULL,
  stored_key  BLOB,                                    -- of its own password; NULL: not known yet
  server_key  BLOB,
  CHECK ((stored_key IS NULL) = (server_key IS NULL))
) STRICT;

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

CREATE TABLE secret (
  name   TEXT  PRIMARY KEY,
  value  BLOB  NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE seen (
  mailbox_id  INTEGER NOT NULL,
  account_id  INTEGER NOT NULL,
  uid         INTEGER NOT NULL,
  is_seen     INTEGER NOT NULL CHECK (is_seen IN (0, 1)),    -- 0: no longer
  modseq      INTEGER NOT NULL,                        -- of the owner's account, as for all that is in the mailbox
  PRIMARY KEY (mailbox_id, account_id, uid),
  FOREIGN KEY (mailbox_id, account_id) REFERENCES reader ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX seen_by_modseq ON seen (mailbox_id, account_id, modseq);

CREATE TABLE send_as (
  account_id  INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  address     TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (account_id, address)
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
  name   TEXT PRIMARY KEY,
  value  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sieve_memory (
  account_id  INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  key         TEXT    NOT NULL,
  expires_at  INTEGER NOT NULL,
  PRIMARY KEY (account_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX sieve_memory_by_expiry ON sieve_memory (expires_at);

CREATE TABLE sqlite_sequence(name,seq);

CREATE TABLE subscription (
  account_id  INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  name        TEXT    NOT NULL,
  PRIMARY KEY (account_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE suppression (
  address     TEXT PRIMARY KEY,                        -- lower case
  status      TEXT    NOT NULL,
  reply       TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER                                  -- NULL: never
) STRICT, WITHOUT ROWID;

CREATE INDEX suppression_expires ON suppression (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE thread_key (
  account_id  INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  key         INTEGER NOT NULL,
  thread_id   INTEGER NOT NULL,
  PRIMARY KEY (account_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX thread_key_by_thread ON thread_key (thread_id);

CREATE TABLE trusted (
  kind        TEXT    NOT NULL CHECK (kind IN ('network', 'forwarder', 'sealer')),
  value       TEXT    NOT NULL,                              -- '192.0.2.0/24', or a domain in lower case
  note        TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;

