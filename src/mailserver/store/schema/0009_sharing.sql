-- Shared mailboxes: groups, rights, who has read what in mailboxes of others, owners that nobody logs in as.
CREATE TABLE account_group (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  domain_id   INTEGER NOT NULL REFERENCES domain,
  name        TEXT    NOT NULL,                        -- as a localpart: group:NAME@DOMAIN
  created_at  INTEGER NOT NULL,
  UNIQUE (domain_id, name)
) STRICT;

CREATE TABLE group_member (
  group_id    INTEGER NOT NULL REFERENCES account_group ON DELETE CASCADE,
  account_id  INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  PRIMARY KEY (group_id, account_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX group_member_by_account ON group_member (account_id);

-- RFC 4314: who may do what in a mailbox, besides its owner.  Neither account nor group: anyone.
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

-- Accounts that keep something of their own about mailboxes of others.
CREATE TABLE reader (
  mailbox_id  INTEGER NOT NULL REFERENCES mailbox ON DELETE CASCADE,
  account_id  INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  seen        INTEGER NOT NULL DEFAULT 0 CHECK (seen >= 0),  -- messages that have \Seen for it
  PRIMARY KEY (mailbox_id, account_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX reader_by_account ON reader (account_id);

-- \Seen for somebody who is not the owner; the owner's is in placement.flags.
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

ALTER TABLE account ADD COLUMN is_shared INTEGER NOT NULL DEFAULT 0 CHECK (is_shared IN (0, 1));

CREATE INDEX account_shared ON account (id) WHERE is_shared = 1;

-- These names are where mailboxes of others appear now; own ones of such a name go on under another.
UPDATE OR IGNORE mailbox SET name = 'My ' || name
 WHERE name IN ('Shared', 'Other Users') OR name GLOB 'Shared/*' OR name GLOB 'Other Users/*';

UPDATE mailbox SET name = 'My ' || id || ' ' || name
 WHERE name IN ('Shared', 'Other Users') OR name GLOB 'Shared/*' OR name GLOB 'Other Users/*';

UPDATE OR IGNORE subscription SET name = 'My ' || name
 WHERE name IN ('Shared', 'Other Users') OR name GLOB 'Shared/*' OR name GLOB 'Other Users/*';
