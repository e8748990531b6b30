"""What the text index knows: which messages of an account match for sure, and which perhaps.

Spec: RFC 3501 §6.4.4.  Status: complete.

No answer ("nothing is known") is always right: the messages are read then.
"""

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import compress, repeat
from operator import contains
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from mailserver.base.ids import AccountId, MessageId
from mailserver.base.log import Log
from mailserver.store.database import Database
from mailserver.store.search_file import FIELDS, LOW, NAME, SCHEMA, SEPARATOR, VERSION, bounds
from mailserver.store.sidefile import DAMAGED, PASSING, SideFile

SHORTEST: Final = 3  #: characters of a text that is looked up in headers and bodies
WORTH: Final = 300  #: messages of an account that are looked up in the time in which one is read
_MOST_GRAMS: Final = 60  #: of a long text; candidates need not be perfect
_FEW: Final = 100  #: candidates that are not worth being told apart by a second question
_DENSE: Final = 4  #: one in so many matches: then all texts are looked at one by one
_PIECE: Final = 4_096  #: members of a set that are joined in one go
_WORD = re.compile(r"[a-z0-9]{3,60}")
#: in folded text, where accents stand by themselves
_ANY_WORD = re.compile(r"[a-z0-9\x80-\U0010ffff]{3,60}")
_MOST_WORDS: Final = 20  #: of a text that is sought loosely


class Sought(NamedTuple):
    """A folded text, and where it is looked for: one of FIELDS, or some of TEXTS.

    also:    further text that is in the same place, anywhere.
    loosely: messages match as well that have the words of the text in any order, those in attached documents counted.
    parts:   what one of FIELDS has in it if the text is found there, which need not stand there as it is; (): it does.
    """

    where: tuple[str, ...]
    text: str
    also: str = ""
    loosely: bool = False
    parts: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """The index can say something about it."""
        if "\0" in self.text:
            return False
        return bool(self.text) if self.is_of_field else bool(_grams(self.text, self.also))

    @property
    def is_of_field(self) -> bool:
        """It is looked for in one of FIELDS."""
        return self.where[0] in FIELDS


class Hits(NamedTuple):
    """Messages that match for sure and those that may, these included; both ascending.

    upto: of messages above nothing is known.
    """

    surely: "array[int]"
    perhaps: "array[int]"
    upto: MessageId


def union(some: "array[int]", others: "array[int]") -> "array[int]":
    """The members of both, which ascend and so does the result; one of them itself if the other is empty.

    Some thousands at a time: no single step keeps other threads waiting.
    """
    if not (some and others):
        return some or others
    found: array[int] = array(some.typecode)
    one = other = 0
    while one < len(some) and other < len(others):
        last = min(some[one : one + _PIECE][-1], others[other : other + _PIECE][-1])
        one_end, other_end = bisect_right(some, last, one), bisect_right(others, last, other)
        both = sorted(some[one:one_end] + others[other:other_end])
        found.extend(array(some.typecode, dict.fromkeys(both)))
        one, other = one_end, other_end
    found.extend(some[one:])
    found.extend(others[other:])
    return found


class Search:
    """The index as one reader thread uses it.

    finds_attached: what is sought in bodies is sought in attached documents as well, by its words.
    """

    __slots__ = ("_file", "_log", "finds_attached")

    def __init__(self, data_dir: Path) -> None:
        self._file = SideFile(data_dir / NAME, SCHEMA, VERSION)
        self._log = Log("store", file=NAME)
        self.finds_attached = False

    def ask(
        self, account: AccountId, sought: Sequence[Sought], open_: int | None = None
    ) -> list[Hits] | None:
        """What is known of each text, all of it at one moment; None: nothing, or it is not worth the time.

        open_: how many messages would have to be read without an answer; None: that is no matter.
        """
        try:
            with self._file.reading() as db:
                if db is None:
                    return None
                rows = db.rows("SELECT fields, upto FROM fed WHERE account_id = ?", (account,))
                if not rows or (open_ is not None and open_ * WORTH < rows[0][0] & LOW):
                    return None
                partly = array(
                    "q",
                    [
                        row[0]
                        for row in db.rows(
                            "SELECT message_id FROM partly WHERE message_id BETWEEN ? AND ?",
                            bounds(account),
                        )
                    ],
                )
                fields, upto = rows[0]
                return [
                    self._find(db, account, one, partly, fields if one.is_of_field else upto)
                    for one in sought
                ]
        except (*DAMAGED, *PASSING) as error:
            self._log.warning("searched without", reason=str(error))
            return None
        except apsw.SQLError as error:  # a bug of ours: the search goes on
            self._log.error("searched without", error=error)
            return None

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _find(
        self,
        db: Database,
        account: AccountId,
        sought: Sought,
        partly: "array[int]",
        upto: MessageId,
    ) -> Hits:
        surely, perhaps = _exactly(db, account, sought)
        more = array("q")
        if sought.loosely:
            attached = ("attached",) if "body" in sought.where else ()
            more = _by_words(db, account, (*sought.where, *attached), sought.text)
        elif self.finds_attached and "body" in sought.where:
            more = _by_words(db, account, ("attached",), sought.text)
        if more or partly:
            return Hits(union(surely, more), union(union(perhaps, partly), more), upto)
        return Hits(surely, perhaps, upto)


def _exactly(db: Database, account: AccountId, sought: Sought) -> tuple["array[int]", "array[int]"]:
    """Those that have the text as it is, and those that may."""
    if sought.is_of_field:
        if sought.parts:
            return array("q"), _with_all(db, account, sought.where[0], sought.parts)
        found = _in_field(db, account, sought.where[0], sought.text.encode())
        return found, found
    grams = _grams(sought.text, sought.also)
    perhaps = _matches(db, account, sought.where, _query(grams))
    surely: array[int] = array("q")
    if _WORD.fullmatch(sought.text) and not sought.also:
        if len(sought.text) == SHORTEST:
            surely = perhaps
        elif len(perhaps) > _FEW:
            tables = [f"{name}_words" for name in sought.where]
            surely = _matches(db, account, tables, f'"{sought.text}" *')
    return surely, perhaps


def _by_words(db: Database, account: AccountId, where: Sequence[str], text: str) -> "array[int]":
    """Those that have each word of *text*, or one that begins with it, somewhere in one of *where*."""
    found: set[int] | None = None
    for word in dict.fromkeys(_ANY_WORD.findall(text)[:_MOST_WORDS]):
        if where[0] in FIELDS:
            hits = _in_field(db, account, where[0], word.encode())
        elif _WORD.fullmatch(word):
            hits = _matches(db, account, [f"{name}_words" for name in where], f'"{word}" *')
        else:
            hits = _matches(db, account, where, _query(_grams(word)))
        found = set(hits) if found is None else found.intersection(hits)
        if not found:
            break
    return array("q", sorted(found or ()))


def _with_all(db: Database, account: AccountId, name: str, parts: Sequence[str]) -> "array[int]":
    """Those that have each of *parts* somewhere in the field."""
    found = set(_in_field(db, account, name, parts[0].encode()))
    for part in parts[1:]:
        found.intersection_update(_in_field(db, account, name, part.encode()))
    return array("q", sorted(found))


def _in_field(db: Database, account: AccountId, name: str, needle: bytes) -> "array[int]":
    found: array[int] = array("q")
    high = account << 32
    for packed, packed_ends, joined in db.each(
        "SELECT numbers, ends, texts FROM field WHERE account_id = ? AND name = ? ORDER BY first",
        (account, name),
    ):
        at = joined.find(needle)
        if at < 0:
            continue
        numbers, ends = array("I"), array("I")
        numbers.frombytes(packed)
        ends.frombytes(packed_ends)
        places: list[int] = []
        place, most = 0, len(numbers) // _DENSE
        while at >= 0 and len(places) <= most:
            place = bisect_right(ends, at, place)
            places.append(place)
            at = joined.find(needle, ends[place])
        if at < 0:
            found.extend([high | numbers[place] for place in places])
        else:
            there = map(contains, joined.split(SEPARATOR), repeat(needle))
            found.extend([high | n for n in compress(numbers, there)])
    return found


def _matches(db: Database, account: AccountId, tables: Iterable[str], query: str) -> "array[int]":
    """Ids of the account's rows in one of *tables* that *query* finds, ascending."""
    found: array[int] = array("q")
    for table in tables:
        rows = db.each(
            f"SELECT rowid FROM {table} WHERE {table} MATCH ? AND rowid BETWEEN ? AND ?",
            (query, *bounds(account)),
        )
        found = union(found, array("q", [row[0] for row in rows]))
    return found


def _grams(*texts: str) -> list[str]:
    """Different runs of three characters, spread over each text."""
    found: dict[str, None] = {}
    for text in texts:
        count = len(text) - SHORTEST + 1
        step = max(1, -(-count // _MOST_GRAMS))
        for at in range(0, count, step):
            found[text[at : at + SHORTEST]] = None
    return list(found)


def _query(grams: Sequence[str]) -> str:
    return " AND ".join(['"{}"'.format(gram.replace('"', '""')) for gram in grams])
