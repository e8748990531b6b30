"""Suppressed addresses: their server said that they do not exist (5.1.x), so nothing more is sent to them for a while.

A server that goes on writing to addresses that do not exist is taken for a spammer's.
"""

from typing import NamedTuple

from mailserver.base.errors import NotFound
from mailserver.store.database import Database
from mailserver.store.journal import Journal
from mailserver.store.patterns import like

TEXT_SIZE = 1_000  #: characters of a reply that are kept


class Suppression(NamedTuple):
    """An address nothing is sent to, and what its server said."""

    address: str  # lower case
    status: str  # "5.1.1"
    reply: str
    created_at: int
    expires_at: int | None  # None: until it is removed


class Suppressions:
    """All of them.  Addresses that differ only in case count as one, though RFC 5321 §2.4 lets servers part them."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def add(self, address: str, status: str, reply: str, expires_at: int | None) -> Suppression:
        """The suppression of *address* from now on; a later word replaces an earlier one."""
        (row,) = self._db.rows(
            "INSERT INTO suppression (address, status, reply, created_at, expires_at) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (address) DO UPDATE SET status = excluded.status, reply = excluded.reply,"
            " created_at = excluded.created_at, expires_at = excluded.expires_at"
            " RETURNING address, status, reply, created_at, expires_at",
            (address.lower(), status, reply[:TEXT_SIZE], self._journal.now, expires_at),
        )
        return Suppression._make(row)

    def find(self, address: str, now: int) -> Suppression | None:
        """What suppresses *address* at *now*."""
        rows = self._db.rows(
            "SELECT address, status, reply, created_at, expires_at FROM suppression"
            " WHERE address = ? AND coalesce(expires_at, 9223372036854775807) > ?",
            (address.lower(), now),
        )
        return Suppression._make(rows[0]) if rows else None

    def list(self, pattern: str = "*", after: str = "", most: int = 1_000) -> list[Suppression]:
        """At most *most* whose address matches *pattern* and comes after *after*, by address; expired ones too."""
        rows = self._db.rows(
            "SELECT address, status, reply, created_at, expires_at FROM suppression"
            " WHERE address > ? AND address LIKE ? ESCAPE '\\' ORDER BY address LIMIT ?",
            (after, like(pattern), most),
        )
        return [Suppression._make(row) for row in rows]

    def remove(self, address: str) -> None:
        """Lets mail for *address* out again; raises NotFound."""
        if not self._db.rows(
            "DELETE FROM suppression WHERE address = ? RETURNING 1", (address.lower(),)
        ):
            raise NotFound(f"{address} is not suppressed.")
        self._journal.directory = True  # aliases and forwards that lead there are remembered

    def forget(self, now: int, most: int) -> int:
        """How many expired ones were taken away, at most *most*."""
        return len(
            self._db.rows(
                "DELETE FROM suppression WHERE address IN (SELECT address FROM suppression"
                " INDEXED BY suppression_expires WHERE expires_at <= ? ORDER BY expires_at LIMIT ?) RETURNING 1",
                (now, most),
            )
        )
