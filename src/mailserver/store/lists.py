"""Lists that filters ask for: senders who are let through or blocked, and any others, of accounts, domains, the server.

A list is there as long as somebody made it; who adds the first entry makes it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import apsw

from mailserver.base.errors import AlreadyExists, Cannot, LimitReached, NotFound
from mailserver.base.ids import ListId
from mailserver.base.limits import SieveLimits
from mailserver.store.database import Database
from mailserver.store.journal import Journal
from mailserver.store.patterns import like
from mailserver.store.scripts import Owner

NAME_SIZE = 200  #: octets of a list's name
ENTRY_SIZE = 500  #: characters of an entry
NOTE_SIZE = 500


class List(NamedTuple):
    """entries: how many."""

    id: ListId
    name: str
    entries: int


class Entry(NamedTuple):
    """text: in the form in which it is compared."""

    text: str
    note: str
    added_at: int


class Lists:
    """All of them.  Entries come folded; what they are, the caller knows."""

    __slots__ = ("_db", "_journal", "_limits")

    def __init__(self, db: Database, journal: Journal, limits: SieveLimits) -> None:
        self._db, self._journal, self._limits = db, journal, limits

    # reading

    def of(self, owner: Owner) -> list[List]:
        """Those of *owner*, by name."""
        where, values = _where(owner)
        rows = self._db.rows(
            "SELECT id, name, (SELECT count(*) FROM list_entry WHERE list_id = list.id) FROM list"
            f" WHERE {where} ORDER BY name",
            values,
        )
        return [List._make(row) for row in rows]

    def find(self, owner: Owner, name: str) -> ListId | None:
        """The list of this name."""
        where, values = _where(owner)
        rows = self._db.rows(f"SELECT id FROM list WHERE {where} AND name = ?", (*values, name))
        return ListId(rows[0][0]) if rows else None

    def match(self, lists: Sequence[ListId], texts: Sequence[str]) -> str | None:
        """The first of *texts* that is an entry of one of *lists*."""
        if not texts:
            return None
        found = {
            entry
            for list_ in lists
            for (entry,) in self._db.rows(
                "SELECT entry FROM list_entry WHERE list_id = ? AND entry IN carray(?)",
                (list_, apsw.carray(tuple(texts))),
            )
        }
        return next((text for text in texts if text in found), None)

    def entries(
        self, list_: ListId, pattern: str = "*", after: str = "", most: int = 1_000
    ) -> list[Entry]:
        """At most *most* entries that match *pattern* and come after *after*, in their order."""
        rows = self._db.rows(
            "SELECT entry, note, added_at FROM list_entry"
            " WHERE list_id = ? AND entry > ? AND entry LIKE ? ESCAPE '\\' ORDER BY entry LIMIT ?",
            (list_, after, like(pattern), most),
        )
        return [Entry._make(row) for row in rows]

    # changing

    def make(self, owner: Owner, name: str) -> ListId:
        """The list of this name, which is there from now on.  Raises Cannot for its name, LimitReached."""
        found = self.find(owner, name)
        if found is not None:
            return found
        check_name(name)
        where, values = _where(owner)
        ((count,),) = self._db.rows(f"SELECT count(*) FROM list WHERE {where}", values)
        if count >= self._limits.lists:
            raise LimitReached(f"There may be {self._limits.lists} lists.")
        ((id_,),) = self._db.rows(
            "INSERT INTO list (account_id, domain_id, name) VALUES (?, ?, ?) RETURNING id",
            (owner.account, owner.domain, name),
        )
        return ListId(id_)

    def add(self, owner: Owner, name: str, texts: Sequence[str], note: str = "") -> int:
        """How many of *texts* are new; all of them are entries from now on, or, where this raises, none.

        Raises Cannot for a text that can be no entry, LimitReached where the owner would have too many.
        """
        list_ = self.make(owner, name)
        for text in texts:
            if not 0 < len(text) <= ENTRY_SIZE:
                raise Cannot(f"An entry has 1 to {ENTRY_SIZE} characters.")
        new = 0
        for text in dict.fromkeys(texts):
            new += len(
                self._db.rows(
                    "INSERT INTO list_entry (list_id, entry, note, added_at) VALUES (?, ?, ?, ?)"
                    " ON CONFLICT DO NOTHING RETURNING 1",
                    (list_, text, note[:NOTE_SIZE], self._journal.now),
                )
            )
        where, values = _where(owner)
        ((count,),) = self._db.rows(
            f"SELECT count(*) FROM list JOIN list_entry ON list_id = id WHERE {where}", values
        )
        if count > self._limits.list_entries:
            raise LimitReached(f"All lists together may have {self._limits.list_entries} entries.")
        return new

    def take(self, owner: Owner, name: str, text: str) -> None:
        """The entry is gone.  Raises NotFound."""
        list_ = self.find(owner, name)
        if list_ is None or not self._db.rows(
            "DELETE FROM list_entry WHERE list_id = ? AND entry = ? RETURNING 1", (list_, text)
        ):
            raise NotFound(f"{text} is not in this list.")

    def rename(self, owner: Owner, name: str, to: str) -> None:
        """Raises NotFound, AlreadyExists, Cannot."""
        check_name(to)
        list_ = self._get(owner, name)
        if name == to:
            return
        if self.find(owner, to) is not None:
            raise AlreadyExists("There is a list of this name already.")
        self._db.run("UPDATE list SET name = ? WHERE id = ?", (to, list_))

    def remove(self, owner: Owner, name: str) -> None:
        """The list with all its entries.  Raises NotFound."""
        self._db.run("DELETE FROM list WHERE id = ?", (self._get(owner, name),))

    def _get(self, owner: Owner, name: str) -> ListId:
        found = self.find(owner, name)
        if found is None:
            raise NotFound("There is no list of this name.")
        return found


def check_name(name: str) -> None:
    """Raises Cannot for what cannot be the name of a list."""
    if not 0 < len(name.encode(errors="replace")) <= NAME_SIZE or not name.isprintable():
        raise Cannot(f"A list's name has 1 to {NAME_SIZE} octets that can be printed.")


def _where(owner: Owner) -> tuple[str, tuple[int, ...]]:
    if owner.account is not None:
        return "account_id = ?", (owner.account,)
    if owner.domain is not None:
        return "domain_id = ?", (owner.domain,)
    return "account_id IS NULL AND domain_id IS NULL", ()
