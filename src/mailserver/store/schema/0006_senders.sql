-- Senders of what was passed on whose address would be too long once it is rewritten.
CREATE TABLE kept_sender (
  token    TEXT    PRIMARY KEY,                        -- stands for it in the rewritten address
  sender   TEXT    NOT NULL,
  kept_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_sender_by_kept_at ON kept_sender (kept_at);
