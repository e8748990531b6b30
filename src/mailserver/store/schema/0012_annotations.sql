-- Annotations of mailboxes and of the server (RFC 5464).
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
