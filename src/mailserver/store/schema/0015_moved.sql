-- What was brought here from elsewhere, so that nothing is brought twice.
CREATE TABLE moved_place (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id  INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  source      TEXT    NOT NULL,                        -- 'imap://alice@mail.example.net:993', '/home/alice/Maildir'
  folder      TEXT    NOT NULL,                        -- by its name there
  validity    INTEGER NOT NULL,                        -- its UIDVALIDITY; 0: it has none
  UNIQUE (account_id, source, folder, validity)
) STRICT;

CREATE TABLE moved (
  place_id  INTEGER NOT NULL REFERENCES moved_place ON DELETE CASCADE,
  key       INTEGER NOT NULL,                          -- its UID there, or a hash of its name
  PRIMARY KEY (place_id, key)
) STRICT, WITHOUT ROWID;
