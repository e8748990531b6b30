"""Whom an administrator trusts to pass on other people's mail: networks, forwarders, sealers."""

from typing import Literal, NamedTuple, get_args

from mailserver.base.errors import NotFound
from mailserver.store.database import Database
from mailserver.store.journal import Journal

Kind = Literal["network", "forwarder", "sealer"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Trusted(NamedTuple):
    """One of them.

    network:   of servers of our own, whose mail is not judged: "192.0.2.0/24".
    forwarder: a domain whose mailing lists and forwards may break what the authors' domains promise.
    sealer:    a domain whose ARC seals are believed.
    """

    kind: Kind
    value: str
    note: str
    created_at: int


class TrustedRows:
    """All of them."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def add(self, kind: Kind, value: str, note: str) -> Trusted:
        """*value* is trusted from now on; a later note replaces an earlier one."""
        (row,) = self._db.rows(
            "INSERT INTO trusted (kind, value, note, created_at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (kind, value) DO UPDATE SET note = excluded.note"
            " RETURNING kind, value, note, created_at",
            (kind, value, note, self._journal.now),
        )
        self._journal.directory = True
        return Trusted._make(row)

    def list(self) -> list[Trusted]:
        """All, by kind and value."""
        rows = self._db.rows("SELECT kind, value, note, created_at FROM trusted ORDER BY 1, 2")
        return [Trusted._make(row) for row in rows]

    def remove(self, kind: Kind, value: str) -> None:
        """Trusts *value* no more; raises NotFound."""
        rows = self._db.rows(
            "DELETE FROM trusted WHERE kind = ? AND value = ? RETURNING 1", (kind, value)
        )
        if not rows:
            raise NotFound(f"There is no trusted {kind} {value}.")
        self._journal.directory = True
