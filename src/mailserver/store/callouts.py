"""What the primary servers of backup domains said of their addresses, remembered."""

from mailserver.store.database import Database
from mailserver.store.journal import Journal
from mailserver.store.values import Callout


class Callouts:
    """Answers by address.  How long one is good is known to who asks."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def find(self, address: str) -> Callout | None:
        """The last answer about *address*."""
        rows = self._db.rows(
            "SELECT address, is_known, reply, checked_at FROM callout WHERE address = ?", (address,)
        )
        return Callout(rows[0][0], bool(rows[0][1]), rows[0][2], rows[0][3]) if rows else None

    def put(self, address: str, *, is_known: bool, reply: str) -> None:
        """The primary server has just said so."""
        self._db.run(
            "INSERT INTO callout (address, is_known, reply, checked_at) VALUES (?, ?, ?, ?) ON CONFLICT (address)"
            " DO UPDATE SET is_known = excluded.is_known, reply = excluded.reply, checked_at = excluded.checked_at",
            (address, is_known, reply[:1_000], self._journal.now),
        )

    def forget(self, *, is_known: bool, before: int, most: int) -> int:
        """How many answers of one kind from before that moment were dropped, at most *most*."""
        return len(
            self._db.rows(
                "DELETE FROM callout WHERE address IN (SELECT address FROM callout"
                " WHERE is_known = ? AND checked_at < ? ORDER BY checked_at LIMIT ?) RETURNING 1",
                (is_known, before, most),
            )
        )
