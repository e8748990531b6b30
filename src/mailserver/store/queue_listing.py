"""What is in the queue, and was: lists by filter, one message with every attempt, and how full it is."""

from typing import NamedTuple

from mailserver.base.errors import NotFound
from mailserver.base.ids import AccountId, QueuedId, RecipientId
from mailserver.store import queue_rows
from mailserver.store.queue_filter import QueueFilter, statement
from mailserver.store.queue_rows import DESTINATION, QUEUED, RECIPIENT, QueueRows, among
from mailserver.store.queue_values import (
    OPEN,
    Attempt,
    Destination,
    Queued,
    QueuedRecipient,
)


class Entry(NamedTuple):
    """A recipient as a list shows it, with its message."""

    recipient: QueuedRecipient
    destination: Destination
    trace: str
    sender: str
    account: AccountId | None
    origin: str
    size: int
    message_id: str
    subject: str
    created_at: int
    expires_at: int


class Made(NamedTuple):
    """An attempt that was made, and what it came to."""

    number: int
    attempt: Attempt
    outcome: str  # delivered, deferred, failed, expired


class Shown(NamedTuple):
    """A message with all there is to know about it."""

    queued: Queued
    recipients: list[QueuedRecipient]  # by id
    destinations: dict[int, Destination]  # by DestinationId
    attempts: dict[RecipientId, list[Made]]  # in their order


class Depth(NamedTuple):
    """How full the queue is."""

    states: dict[str, int]  # of OPEN -> recipients
    messages: int  # with at least one of them
    oldest_at: int | None  # when the oldest of these came
    next_due: int | None  # of destinations that are not paused
    destinations: int  # something waits for them
    backing_off: int  # of these
    paused: int  # of these


class Listing(QueueRows):
    """What administrators ask."""

    __slots__ = ()

    def show(self, message: QueuedId) -> Shown:
        """The message with its recipients, also of one that is finished; raises NotFound."""
        rows = self._db.rows(f"SELECT {QUEUED} FROM queued WHERE id = ?", (message,))
        if not rows:
            raise NotFound(f"No message {message} in the queue.")
        recipients = [
            queue_rows.recipient(row)
            for row in self._db.rows(
                f"SELECT {RECIPIENT} FROM queued_recipient WHERE queued_id = ? ORDER BY id",
                (message,),
            )
        ]
        destinations = {
            row[0]: queue_rows.destination(row)
            for row in self._db.rows(
                f"SELECT {DESTINATION} FROM destination WHERE id IN carray(?)",
                (among({recipient.destination for recipient in recipients}),),
            )
        }
        attempts: dict[RecipientId, list[Made]] = {recipient.id: [] for recipient in recipients}
        for to, number, *attempt, outcome in self._db.rows(
            "SELECT recipient_id, number, at, duration_ms, host, address, tls, code, status, reply, outcome"
            " FROM attempt WHERE recipient_id IN carray(?) ORDER BY recipient_id, number",
            (among(attempts),),
        ):
            attempts[to].append(Made(number, Attempt._make(attempt), outcome))
        return Shown(queue_rows.queued(rows[0]), recipients, destinations, attempts)

    def content(self, message: QueuedId) -> bytes:
        """What leaves, or would leave.  Raises NotFound, also for what is finished, and Corrupt."""
        rows = self._db.rows("SELECT blob_id, skip, prefix FROM queued WHERE id = ?", (message,))
        if not rows:
            raise NotFound(f"No message {message} in the queue.")
        ((blob, skip, prefix),) = rows
        if blob is None:
            raise NotFound(f"Message {message} is finished, its content is not kept.")
        return bytes(prefix) + self._blobs.read(blob)[skip:]

    def of_trace(self, trace: str) -> list[QueuedId]:
        """The messages that one transaction brought, in their order."""
        return [
            id
            for (id,) in self._db.rows(
                "SELECT id FROM queued WHERE trace = ? ORDER BY id", (trace,)
            )
        ]

    def depth(self, now: int) -> Depth:
        """How full it is at *now*; about 15 ms for 100,000 recipients that wait."""
        states = dict.fromkeys(OPEN, 0) | dict(
            self._db.rows(
                "SELECT state, count(*) FROM queued_recipient INDEXED BY queued_recipient_open"
                " WHERE state IN ('pending', 'claimed', 'deferred', 'held') GROUP BY state"
            )
        )
        messages = self._db.rows("SELECT messages FROM queued_count WHERE account_id = 0")
        oldest = self._db.rows(
            "SELECT created_at FROM queued INDEXED BY queued_open WHERE closed_at IS NULL ORDER BY id LIMIT 1"
        )
        due = self._db.rows(
            "SELECT due_at FROM destination INDEXED BY destination_due"
            " WHERE paused_at IS NULL AND due_at IS NOT NULL ORDER BY due_at LIMIT 1"
        )
        ((waiting, backing_off, paused),) = self._db.rows(
            "SELECT count(*), coalesce(sum(coalesce(backoff_until, 0) > ?), 0), coalesce(sum(paused_at IS NOT NULL), 0)"
            " FROM destination WHERE due_at IS NOT NULL",
            (now,),
        )
        return Depth(
            states,
            messages[0][0] if messages else 0,
            oldest[0][0] if oldest else None,
            due[0][0] if due else None,
            waiting,
            backing_off,
            paused,
        )

    def list(
        self, which: QueueFilter, after: RecipientId | int = 0, most: int = 100
    ) -> list[Entry]:
        """The first *most* recipients of *which* whose id is above *after*, by id.  Raises Cannot."""
        columns = [f"r.{name}" for name in RECIPIENT.split(", ")]
        columns += [f"d.{name}" for name in DESTINATION.split(", ")]
        sql, values = statement(
            f"{', '.join(columns)}, q.trace, q.sender, q.account_id, q.origin, q.size, q.message_id, q.subject,"
            " q.created_at, q.expires_at",
            which,
            after,
            most,
        )
        width, end = len(QueuedRecipient._fields), len(columns)
        return [
            Entry(
                queue_rows.recipient(row[:width]),
                queue_rows.destination(row[width:end]),
                *row[end:],
            )
            for row in self._db.rows(sql, values)
        ]
