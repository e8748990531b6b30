"""`search.db`: what messages say, in a form that is found quickly; rebuildable, and never asked what it does not know.

The short fields are kept as they are compared, one after the other for a few hundred messages at a time: looking
through them is exact and costs a memory scan.  Headers and bodies are in trigram indexes that hold no positions: they
give candidates.  Word indexes of the same texts tell which candidates match for sure.  0140 has the figures.

A row is a message of an account, whatever mailboxes it is in.  Everything here is a fact about octets that never
change, so it stays right when mailboxes do; `fed` says up to which message it is complete, `partly` what it lacks.
The short fields cost little and go ahead of the texts.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate, compress, islice
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from mailserver.base.ids import AccountId, MessageId, ModSeq
from mailserver.base.log import Log
from mailserver.store.database import Database
from mailserver.store.sidefile import DAMAGED, PASSING, SideFile, octets_used

NAME: Final = "search.db"
VERSION: Final = 3
_GRAMS = "content='', contentless_delete=1, detail=none, tokenize='trigram case_sensitive 1'"
_WORDS = "content='', contentless_delete=1, detail=none, tokenize='unicode61 remove_diacritics 0'"
SCHEMA: Final = f"""
CREATE TABLE fed (                        -- how far an account's messages are in here
  account_id INTEGER PRIMARY KEY,
  fields INTEGER NOT NULL,                -- the short fields of all messages with ids up to this one
  upto INTEGER NOT NULL,                  -- not above that: the texts of all up to this one, or they are in `partly`
  gone INTEGER NOT NULL                   -- modseq: what was expunged up to it is out of here
) STRICT;
CREATE TABLE partly (                     -- whose text is not all in here
  message_id INTEGER PRIMARY KEY, reason TEXT NOT NULL) STRICT;
CREATE TABLE field (                      -- one field of consecutive messages, those that have it
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL, name TEXT NOT NULL, first INTEGER NOT NULL,
  numbers BLOB NOT NULL,                  -- array('I') of the lower halves of message ids, ascending
  ends BLOB NOT NULL,                     -- array('I'): where the text of each ends among the texts
  texts BLOB NOT NULL                     -- UTF-8, with the octet FF between two messages
) STRICT;
CREATE UNIQUE INDEX field_by_place ON field (account_id, name, first);
CREATE VIRTUAL TABLE head USING fts5(text, {_GRAMS});
CREATE VIRTUAL TABLE body USING fts5(text, {_GRAMS});
CREATE VIRTUAL TABLE attached USING fts5(text, {_GRAMS});
CREATE VIRTUAL TABLE head_words USING fts5(text, {_WORDS});
CREATE VIRTUAL TABLE body_words USING fts5(text, {_WORDS});
CREATE VIRTUAL TABLE attached_words USING fts5(text, {_WORDS})
"""
#: the field that is kept of every message, so that each account of which there is something has a row
SUBJECT: Final = "subject"
FIELDS: Final = ("from", "to", "cc", "bcc", SUBJECT)
TEXTS: Final = ("head", "body", "attached")
CHUNK: Final = 512  #: messages whose fields are kept together
SEPARATOR: Final = b"\xff"  #: never part of UTF-8
_SHORT: Final = 32  #: of the last chunks of a field how many may be joined with what comes
_DIGITS: Final = 19  #: of a message id in front of its text
LOW: Final = 0xFFFFFFFF  #: the half of a message id that is its number in the account


class Entry(NamedTuple):
    """What is kept of a message beside its short fields.

    texts:  the three of TEXTS, folded.     partly: why not all of its text is here; "": it is.
    """

    message: MessageId
    texts: tuple[str, ...]
    partly: str = ""


class Fields(NamedTuple):
    """The short fields of a message: the five of FIELDS, folded.  partly: why they are not here; "": they are."""

    message: MessageId
    values: tuple[bytes, ...]
    partly: str = ""


class Fed(NamedTuple):
    """How far an account is fed: with short fields up to *fields*, with texts up to *upto*, which is not above."""

    fields: MessageId
    upto: MessageId
    gone: ModSeq


class Status(NamedTuple):
    """All of it.

    partly: messages whose text is not all in the index, with the reason.       size: octets in use.
    """

    fed: dict[AccountId, Fed]
    partly: dict[MessageId, str]
    size: int


class Portion(NamedTuple):
    """The next step of an account.

    before:  where it begins; None: nothing is known of the account yet.
    fields:  of all messages between *before* and *after*, ascending.
    entries: their texts.       gone: expunged ones that are in the index.
    """

    account: AccountId
    before: Fed | None
    after: Fed
    fields: Sequence[Fields] = ()
    entries: Sequence[Entry] = ()
    gone: Sequence[MessageId] = ()


def bounds(account: AccountId) -> tuple[int, int]:
    """The lowest and the highest id that a message of *account* can have."""
    return account << 32, account << 32 | LOW


class SearchFile:
    """The file as whoever feeds it uses it.  For one thread at a time; blocks.

    Every method raises sidefile.PASSING, or sidefile.DAMAGED: then there is a new, empty file.
    """

    def __init__(self, data_dir: Path) -> None:
        self._file = SideFile(data_dir / NAME, SCHEMA, VERSION)

    @property
    def is_current(self) -> bool:
        """The file that was used last is still there, and still the one that is used."""
        return self._file.is_current

    def status(self) -> Status:
        """What there is.  Nothing is made."""
        with self._file.reading() as db:
            if db is None:
                return Status({}, {}, 0)
            return Status(_all_fed(db), dict(db.rows("SELECT * FROM partly")), octets_used(db))

    def fed(self) -> dict[AccountId, Fed]:
        """All accounts that something is known of."""
        with self._file.writing() as db:
            return _all_fed(db)

    def feed(self, portions: Iterable[Portion]) -> None:
        """All of *portions*, but not of an account that is not where its portion begins any more."""
        with self._file.writing() as db:
            good = [p for p in portions if _is_good(db, p)]
            for portion in good:
                _remove(db, portion.account, portion.gone)
                for place, name in enumerate(FIELDS):
                    rows = [
                        (f.message & LOW, f.values[place])
                        for f in portion.fields
                        if f.values[place] or name == SUBJECT
                    ]
                    _append(db, portion.account, name, rows)
                db.run(
                    "INSERT OR REPLACE INTO fed (account_id, fields, upto, gone) VALUES (?, ?, ?, ?)",
                    (portion.account, *portion.after),
                )
            # in the order of their ids, or else FTS5 would write each one by itself
            entries = sorted([e for p in good for e in p.entries])
            for place, name in enumerate(TEXTS):
                _insert(db, name, [(e.message, e.texts[place]) for e in entries if e.texts[place]])
            lacking = [(f.message, f.partly) for p in good for f in p.fields if f.partly]
            lacking += [(e.message, e.partly) for e in entries if e.partly]
            db.run_many("INSERT OR REPLACE INTO partly (message_id, reason) VALUES (?, ?)", lacking)

    def forget(self, account: AccountId, most: int = 2_000) -> bool:
        """Nothing of the account is used any more, and *most* messages are out; False while there are others."""
        low, high = bounds(account)
        with self._file.writing() as db:
            db.run("DELETE FROM fed WHERE account_id = ?", (account,))
            ids: set[int] = set()
            for name in TEXTS:
                ids.update(
                    row[0]
                    for row in db.rows(
                        f"SELECT id FROM {name}_docsize WHERE id BETWEEN ? AND ? LIMIT ?",
                        (low, high, most),
                    )
                )
            _remove_texts(db, sorted(ids))
            if not ids:
                db.run("DELETE FROM partly WHERE message_id BETWEEN ? AND ?", (low, high))
                db.run("DELETE FROM field WHERE account_id = ?", (account,))
            return not ids

    def remains(self) -> set[AccountId]:
        """Accounts of which there are rows without use: `forget` was not called often enough."""
        with self._file.writing() as db:
            return {
                AccountId(row[0])
                for row in db.rows(
                    "SELECT DISTINCT account_id FROM field WHERE account_id NOT IN (SELECT account_id FROM fed)"
                )
            }

    def size(self) -> int:
        """Octets in use."""
        with self._file.writing() as db:
            return octets_used(db)

    def distrust(self, newest: Callable[[], Mapping[AccountId, MessageId]]) -> None:
        """Forget accounts of which more is known here than the database has: an older one was put in its place.

        Its next messages would get ids that are taken here.  Before anything is written, this must be asked; it is
        asked for the *newest* message of each account after what is known here was read.
        """
        try:
            with self._file.reading() as db:
                known = db.rows("SELECT account_id, fields FROM fed") if db is not None else []
            there = newest() if known else {}
            ahead = [account for account, last in known if last > there.get(account, 0)]
            if ahead:
                with self._file.writing() as db:
                    db.run_many("DELETE FROM fed WHERE account_id = ?", [(a,) for a in ahead])
                Log("store", file=NAME).warning(
                    "index is ahead of the database", accounts=len(ahead)
                )
        except DAMAGED:
            return  # there is a new, empty one
        except PASSING as error:
            Log("store", file=NAME).warning("removed, as it cannot be checked", reason=str(error))
            self._file.discard()

    def discard(self) -> None:
        """Remove everything, for all processes.  Raises OSError."""
        self._file.discard()

    def close(self) -> None:
        """Let go of it."""
        self._file.close()


def _all_fed(db: Database) -> dict[AccountId, Fed]:
    return {
        row[0]: Fed(*row[1:]) for row in db.rows("SELECT account_id, fields, upto, gone FROM fed")
    }


def _fed(db: Database, account: AccountId) -> Fed | None:
    rows = db.rows("SELECT fields, upto, gone FROM fed WHERE account_id = ?", (account,))
    return Fed(*rows[0]) if rows else None


def _is_good(db: Database, portion: Portion) -> bool:
    """The account is where the portion begins, with no rows from an earlier life."""
    if portion.before is None and db.rows(
        "SELECT 1 FROM field WHERE account_id = ? LIMIT 1", (portion.account,)
    ):
        return False
    return _fed(db, portion.account) == portion.before


def _insert(db: Database, name: str, texts: Sequence[tuple[MessageId, str]]) -> None:
    """Put *texts*, in the order of their messages, into both indexes of *name*.

    In one statement each: SQLite then works through all of them while Python's other threads go on.
    """
    if not texts:
        return
    packed = tuple([f"{message:0{_DIGITS}}{text}" for message, text in texts])
    for table in (name, f"{name}_words"):
        db.run(
            f"INSERT INTO {table} (rowid, text) SELECT CAST(substr(value, 1, {_DIGITS}) AS INTEGER),"
            f" substr(value, {_DIGITS + 1}) FROM carray(?)",
            (apsw.carray(packed),),
        )


def _append(db: Database, account: AccountId, name: str, rows: list[tuple[int, bytes]]) -> None:
    """Add *rows* (number, text) behind the field's last chunk.

    That and those before it are joined with what comes as long as they hold no more than that: so there are few short
    ones, and a text is written some times until its chunk is full, not with each one that comes.
    """
    if not rows:
        return
    numbers, texts = array("I", [number for number, _ in rows]), [text for _, text in rows]
    joined: list[int] = []
    for chunk, size in db.rows(
        f"SELECT id, length(numbers) / {numbers.itemsize} FROM field WHERE account_id = ? AND name = ?"
        f" ORDER BY first DESC LIMIT {_SHORT}",
        (account, name),
    ):
        if size >= CHUNK or size > len(texts):
            break
        ((packed, before),) = db.rows("SELECT numbers, texts FROM field WHERE id = ?", (chunk,))
        numbers = array("I", packed) + numbers
        texts = [*before.split(SEPARATOR), *texts]
        joined.append(chunk)
    db.run_many("DELETE FROM field WHERE id = ?", [(chunk,) for chunk in joined])
    for start in range(0, len(texts), CHUNK):
        end = start + CHUNK
        db.run(
            "INSERT INTO field (account_id, name, first, numbers, ends, texts) VALUES (?, ?, ?, ?, ?, ?)",
            (account, name, *_packed(numbers[start:end], texts[start:end])),
        )


def _packed(numbers: "array[int]", texts: Sequence[bytes]) -> tuple[int, bytes, bytes, bytes]:
    """A chunk as its row has it: first, numbers, ends, texts."""
    ends = accumulate([len(text) + len(SEPARATOR) for text in texts], initial=-len(SEPARATOR))
    return (
        numbers[0],
        numbers.tobytes(),
        array("I", islice(ends, 1, None)).tobytes(),
        SEPARATOR.join(texts),
    )


def _remove(db: Database, account: AccountId, messages: Iterable[MessageId]) -> None:
    gone = sorted({int(message) for message in messages})
    if not gone:
        return
    _remove_texts(db, gone)
    db.run_many("DELETE FROM partly WHERE message_id = ?", [(message,) for message in gone])
    lows = {message & LOW for message in gone}
    for name in FIELDS:
        for chunk in _chunks_with(db, account, name, sorted(lows)):
            _thin_out(db, chunk, lows)


def _chunks_with(db: Database, account: AccountId, name: str, lows: list[int]) -> set[int]:
    """The chunks of a field in which the messages *lows* would be."""
    rows = db.rows(
        "SELECT first, id FROM field WHERE account_id = ? AND name = ? ORDER BY first",
        (account, name),
    )
    places = [bisect_right(rows, (low, LOW << 32)) - 1 for low in lows]
    return {rows[place][1] for place in places if place >= 0}


def _thin_out(db: Database, chunk: int, lows: set[int]) -> None:
    ((packed, joined),) = db.rows("SELECT numbers, texts FROM field WHERE id = ?", (chunk,))
    numbers: array[int] = array("I")
    numbers.frombytes(packed)
    stay = [number not in lows for number in numbers]
    if all(stay):
        return
    kept = array("I", compress(numbers, stay))
    if not kept:
        db.run("DELETE FROM field WHERE id = ?", (chunk,))
        return
    db.run(
        "UPDATE field SET first = ?, numbers = ?, ends = ?, texts = ? WHERE id = ?",
        (*_packed(kept, list(compress(joined.split(SEPARATOR), stay))), chunk),
    )


def _remove_texts(db: Database, messages: Sequence[int]) -> None:
    rows = [(message,) for message in messages]
    for name in TEXTS:
        for table in (name, f"{name}_words"):
            db.run_many(f"DELETE FROM {table} WHERE rowid = ?", rows)
