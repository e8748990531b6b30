"""Settings that live in the database: names and text."""

from mailserver.store.database import Database
from mailserver.store.journal import Journal


class Settings:
    """Settings by name; what they mean is known to who reads them."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def get(self, name: str) -> str | None:
        """The setting's text, None where it was never set."""
        rows = self._db.rows("SELECT value FROM setting WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    def all(self) -> dict[str, str]:
        """All that were set, by name."""
        return dict(self._db.rows("SELECT name, value FROM setting ORDER BY name"))

    def set(self, name: str, value: str | None) -> None:
        """Sets it, or with None forgets it."""
        if value is None:
            self._db.run("DELETE FROM setting WHERE name = ?", (name,))
        else:
            self._db.run(
                "INSERT INTO setting (name, value) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (name, value),
            )
        self._journal.directory = True
