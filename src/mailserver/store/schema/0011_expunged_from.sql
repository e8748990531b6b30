-- What left a mailbox up to this modseq is forgotten, or some of it (RFC 7162 §5.3).
ALTER TABLE mailbox ADD COLUMN expunged_from INTEGER NOT NULL DEFAULT 0;
