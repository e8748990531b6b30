"""Destinations: the next hops of the queue, how each of them is doing, and pausing them."""

from typing import NamedTuple

from mailserver.base.errors import Cannot, NotFound
from mailserver.base.ids import DestinationId
from mailserver.store.database import Database
from mailserver.store.journal import Journal
from mailserver.store.queue_rows import DESTINATION, destination
from mailserver.store.queue_values import Destination

NAME_SIZE = 300  #: characters of a name: "smtp:", a host, a port


class Waiting(NamedTuple):
    """A destination, and how many recipients wait for it."""

    destination: Destination
    waiting: int  # pending and deferred


class Destinations:
    """All of them.  One that nothing refers to any more goes with the history (`queue.forget`)."""

    __slots__ = ("_db", "_journal")

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def get(self, id: DestinationId) -> Destination:
        """The destination; raises NotFound."""
        rows = self._db.rows(f"SELECT {DESTINATION} FROM destination WHERE id = ?", (id,))
        if not rows:
            raise NotFound("No such destination.")
        return destination(rows[0])

    def find(self, name: str) -> Destination | None:
        """The destination called *name*, if there is or was mail for it."""
        rows = self._db.rows(f"SELECT {DESTINATION} FROM destination WHERE name = ?", (name,))
        return destination(rows[0]) if rows else None

    def list(self, most: int = 1_000) -> list[Waiting]:
        """At most *most* destinations that something waits for or that are paused, the fullest first."""
        columns = ", ".join(f"d.{name}" for name in DESTINATION.split(", "))
        rows = self._db.rows(
            f"SELECT {columns}, (SELECT count(*) FROM queued_recipient r WHERE r.destination_id = d.id"
            " AND r.is_bulk IN (0, 1) AND r.due_at >= 0) AS waiting FROM destination d"
            " WHERE d.due_at IS NOT NULL OR d.paused_at IS NOT NULL"
            " ORDER BY waiting DESC, d.name LIMIT ?",
            (most,),
        )
        return [Waiting(destination(row[:-1]), row[-1]) for row in rows]

    def pause(self, name: str) -> Destination:
        """Nothing is claimed for *name* any more; what is claimed already goes on.  It may be unknown yet.

        Its mail waits and does not expire meanwhile, as only an attempt that failed makes it.  Raises Cannot.
        """
        if not name or len(name) > NAME_SIZE or not name.isprintable() or " " in name:
            raise Cannot(
                "This is no destination: a domain, [ADDRESS], smtp:HOST:PORT, lmtp:HOST:PORT or local."
            )
        (row,) = self._db.rows(
            "INSERT INTO destination (name, paused_at) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE"
            f" SET paused_at = coalesce(paused_at, ?2) RETURNING {DESTINATION}",
            (name, self._journal.now),
        )
        self._journal.queue = True
        return destination(row)

    def resume(self, name: str) -> Destination:
        """Lets its mail go again, at once where it is due; raises NotFound where there is nothing paused."""
        rows = self._db.rows(
            f"UPDATE destination SET paused_at = NULL WHERE name = ? AND paused_at IS NOT NULL RETURNING {DESTINATION}",
            (name,),
        )
        if not rows:
            raise NotFound(f"{name} is not paused.")
        self._journal.queue = True
        return destination(rows[0])
