-- Scripts that were applied to mail that was there already, message by message, so that it can be undone.
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
