"""Care of the database file itself, in pieces small enough to be done between two deliveries."""

from mailserver.store.database import Database


class Upkeep:
    """What no message needs, but the file does."""

    __slots__ = ("_db",)

    def __init__(self, db: Database) -> None:
        self._db = db

    def free_pages(self) -> int:
        """Pages of the file that hold nothing."""
        ((count,),) = self._db.rows("PRAGMA freelist_count")
        return int(count)

    def vacuum(self, pages: int) -> None:
        """Cut at most *pages* free pages off the end of the file; pages that are in use move forward."""
        self._db.rows(f"PRAGMA incremental_vacuum({int(pages)})")
