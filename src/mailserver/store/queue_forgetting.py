"""Forgetting: finished messages are kept for a while to be looked up, and then go."""

from mailserver.base.ids import QueuedId
from mailserver.store.queue_rows import QueueRows, among


class Forgetting(QueueRows):
    """What the job of retention does."""

    __slots__ = ()

    def forget(self, before: int, most: int) -> int:
        """How many messages that were finished before *before* are gone, with recipients and attempts; at most *most*.

        Destinations that nothing refers to any more go with them, unless they are paused.
        """
        messages = [
            QueuedId(id)
            for (id,) in self._db.rows(
                "SELECT id FROM queued INDEXED BY queued_closed WHERE closed_at IS NOT NULL AND closed_at < ?"
                " ORDER BY closed_at LIMIT ?",
                (before, most),
            )
        ]
        destinations = {
            id
            for (id,) in self._db.rows(
                "SELECT destination_id FROM queued_recipient WHERE queued_id IN carray(?)",
                (among(messages),),
            )
        }
        self._db.run("DELETE FROM queued WHERE id IN carray(?)", (among(messages),))
        self._db.run(
            "DELETE FROM destination WHERE id IN carray(?) AND paused_at IS NULL"
            " AND NOT EXISTS (SELECT 1 FROM queued_recipient WHERE destination_id = destination.id)",
            (among(destinations),),
        )
        return len(messages)
