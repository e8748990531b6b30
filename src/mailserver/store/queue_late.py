"""What has waited for long: whose sender should hear of it, and whose time is over."""

from collections.abc import Iterable
from typing import NamedTuple

from mailserver.base.ids import DestinationId, QueuedId, RecipientId
from mailserver.store import queue_rows
from mailserver.store.queue_rows import QUEUED, RECIPIENT, QueueRows, among
from mailserver.store.queue_values import Queued, QueuedRecipient

STEP = 20_000  #: ids of messages that one look covers


class Late(NamedTuple):
    """A message with those of its recipients that have waited for too long.

    trouble: by destination, why it could not be reached; "" if it could.
    """

    queued: Queued
    recipients: tuple[QueuedRecipient, ...]  # by id
    trouble: dict[DestinationId, str]


class Found(NamedTuple):
    """What one look found, and behind which message the next one begins; None: that was all."""

    late: list[Late]
    after: QueuedId | None


class Waiting(QueueRows):
    """What the queue's runner asks about mail that no attempt is due for."""

    __slots__ = ()

    def unwarned(self, now: int, after: QueuedId | int = 0) -> Found:
        """Messages whose sender should hear now that they are late.

        Mail that an administrator holds is late by his will, and nobody is told.
        """
        return self._look(
            "SELECT r.id, r.queued_id FROM queued q INDEXED BY queued_open"
            " CROSS JOIN queued_recipient r INDEXED BY queued_recipient_by_message ON r.queued_id = q.id"
            " WHERE q.closed_at IS NULL AND q.id > ?1 AND q.id <= ?2 AND q.warn_at <= ?3"
            " AND r.state IN ('pending', 'deferred') AND r.warned_at IS NULL",
            now,
            after,
        )

    def overdue(self, now: int, after: QueuedId | int = 0) -> Found:
        """Messages whose time is over at *now* while their destination backs off.

        All others have their last attempt first; what is held or paused waits for the administrator.
        """
        return self._look(
            "SELECT r.id, r.queued_id FROM queued q INDEXED BY queued_open"
            " CROSS JOIN queued_recipient r INDEXED BY queued_recipient_by_message ON r.queued_id = q.id"
            " CROSS JOIN destination d ON d.id = r.destination_id"
            " WHERE q.closed_at IS NULL AND q.id > ?1 AND q.id <= ?2 AND q.expires_at <= ?3"
            " AND r.state IN ('pending', 'deferred') AND d.backoff_until > ?3 AND d.paused_at IS NULL",
            now,
            after,
        )

    def still_waiting(self, recipients: Iterable[RecipientId]) -> set[RecipientId]:
        """Those of *recipients* that are not claimed, held or final meanwhile."""
        rows = self._db.rows(
            "SELECT id FROM queued_recipient WHERE id IN carray(?) AND state IN ('pending', 'deferred')",
            (among(recipients),),
        )
        return {RecipientId(id) for (id,) in rows}

    def _look(self, sql: str, now: int, after: int) -> Found:
        """The recipients that *sql* finds in the next STEP ids, with their messages."""
        rows = self._db.rows(
            "SELECT id FROM queued INDEXED BY queued_open WHERE closed_at IS NULL AND id > ? ORDER BY id LIMIT 1",
            (after,),
        )
        if not rows:
            return Found([], None)
        last = rows[0][0] + STEP
        by_message: dict[int, list[int]] = {}
        for recipient, message in self._db.rows(sql, (after, last, now)):
            by_message.setdefault(message, []).append(recipient)
        return Found([self._late(*item) for item in by_message.items()], QueuedId(last))

    def _late(self, message: int, recipients: list[int]) -> Late:
        (row,) = self._db.rows(f"SELECT {QUEUED} FROM queued WHERE id = ?", (message,))
        found = tuple(
            queue_rows.recipient(row)
            for row in self._db.rows(
                f"SELECT {RECIPIENT} FROM queued_recipient WHERE id IN carray(?) ORDER BY id",
                (among(recipients),),
            )
        )
        trouble = {
            DestinationId(id): text
            for id, text in self._db.rows(
                "SELECT id, last_error FROM destination WHERE id IN carray(?)",
                (among({one.destination for one in found}),),
            )
        }
        return Late(queue_rows.queued(row), found, trouble)
