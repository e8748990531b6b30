-- Mail of accounts that have much of it waiting lets that of others go first.
ALTER TABLE queued_recipient ADD COLUMN is_bulk INTEGER NOT NULL DEFAULT 0 CHECK (is_bulk IN (0, 1));
DROP INDEX queued_recipient_due;
CREATE INDEX queued_recipient_due ON queued_recipient (destination_id, is_bulk, due_at);
