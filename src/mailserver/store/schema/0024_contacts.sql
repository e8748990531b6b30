-- Address books and the cards in them, as CardDAV and others will show them (RFC 6352 §5.1, §5.2; RFC 6350).
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

-- Cards that are gone: kept as long as their book, for some programs never recover from a token that is too old.
CREATE TABLE card_gone (
  book_id         INTEGER NOT NULL REFERENCES address_book,
  modseq          INTEGER NOT NULL,
  card_id         INTEGER NOT NULL,
  uid             TEXT    NOT NULL,
  created_modseq  INTEGER NOT NULL,
  PRIMARY KEY (book_id, modseq, card_id)
) STRICT, WITHOUT ROWID;
