"""Senders of what was passed on whose address would be too long once it is rewritten: a token stands for them."""

from mailserver.store.database import Database
from mailserver.store.journal import Journal


class Senders:
    """Addresses by token."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def keep(self, token: str, sender: str) -> None:
        """*token* stands for *sender*, from now on for as long as anybody may ask."""
        self._db.run(
            "INSERT INTO kept_sender (token, sender, kept_at) VALUES (?, ?, ?)"
            " ON CONFLICT (token) DO UPDATE SET kept_at = excluded.kept_at",
            (token, sender, self._journal.now),
        )

    def find(self, token: str) -> str | None:
        """The sender that *token* stands for."""
        rows = self._db.rows("SELECT sender FROM kept_sender WHERE token = ?", (token,))
        return rows[0][0] if rows else None

    def forget(self, before: int, most: int) -> int:
        """How many that were kept before that moment were dropped, at most *most*."""
        return len(
            self._db.rows(
                "DELETE FROM kept_sender WHERE token IN (SELECT token FROM kept_sender WHERE kept_at < ?"
                " ORDER BY kept_at LIMIT ?) RETURNING 1",
                (before, most),
            )
        )
