"""The rows of the queue: how they become values, and when a destination is due."""

from array import array
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

import apsw

from mailserver.base.ids import AccountId, DestinationId, QueuedId
from mailserver.base.limits import QueueLimits
from mailserver.store.blobs import Blobs
from mailserver.store.database import Database, Row
from mailserver.store.hold_rules import HoldRules
from mailserver.store.journal import Journal
from mailserver.store.queue_values import Destination, Queued, QueuedRecipient

QUEUED = (
    "id, trace, account_id, sender, blob_id, skip, prefix, size, origin, notices_to, is_8bit, is_utf8, needs_tls,"
    " ret, envid, message_id, subject, created_at, release_at, warn_at, expires_at, open, closed_at,"
    " is_signable, waives_tls"
)
RECIPIENT = (
    "id, queued_id, address, domain, destination_id, state, due_at, attempts, original, notify, held_by, status,"
    " reply, warned_at, changed_at"
)
RUNNER = "queue_runner"  #: the setting that names whoever took the queue over last
DESTINATION = "id, name, due_at, backoff_until, paused_at, failures, failed_since, last_error"


def queued(row: Row) -> Queued:
    """A row of QUEUED."""
    value = Queued._make(row)
    return value._replace(
        is_8bit=bool(value.is_8bit),
        is_utf8=bool(value.is_utf8),
        needs_tls=bool(value.needs_tls),
        is_signable=bool(value.is_signable),
        waives_tls=bool(value.waives_tls),
    )


def recipient(row: Row) -> QueuedRecipient:
    """A row of RECIPIENT."""
    return QueuedRecipient._make(row)


def destination(row: Row) -> Destination:
    """A row of DESTINATION."""
    return Destination._make(row)


def among(ids: Iterable[int]) -> Any:
    """*ids* as the value of `IN carray(?)`.  Zero comes with them, which is nobody's: apsw takes no empty array."""
    return apsw.carray(array("q", [0, *ids]))


class QueueRows:
    """What all parts of the queue share.

    Invariants of every method: `queued.open` counts the recipients that are not final; a message has its blob exactly
    while that is above 0; a destination's `due_at` is that of its earliest waiting recipient or earlier, but not before
    `backoff_until`, and NULL only if none waits; `queued_count` counts the open messages.
    """

    __slots__ = ("_blobs", "_db", "_journal", "_limits", "_rules")

    def __init__(
        self,
        db: Database,
        journal: Journal,
        blobs: Blobs,
        rules: HoldRules,
        limits: QueueLimits,
    ) -> None:
        self._db = db
        self._journal = journal
        self._blobs = blobs
        self._rules = rules
        self._limits = limits

    def _destination(self, name: str, due_at: int | None) -> DestinationId:
        """The destination called *name*, made if it is new, due at *due_at* at the latest (None: no matter when)."""
        rows = self._db.rows(
            "SELECT id, due_at, coalesce(backoff_until, 0) FROM destination WHERE name = ?", (name,)
        )
        if rows:
            found, known, backoff = rows[0]
            if due_at is not None and (known is None or known > max(due_at, backoff)):
                self._db.run(
                    "UPDATE destination SET due_at = ? WHERE id = ?", (max(due_at, backoff), found)
                )
        else:
            ((found,),) = self._db.rows(
                "INSERT INTO destination (name, due_at) VALUES (?, ?) RETURNING id", (name, due_at)
            )
        return DestinationId(found)

    def _lower(self, destination: DestinationId, due_at: int) -> None:
        """Something of *destination* waits until *due_at* from now on."""
        self._db.run(
            "UPDATE destination SET due_at = max(?2, coalesce(backoff_until, 0))"
            " WHERE id = ?1 AND (due_at IS NULL OR due_at > max(?2, coalesce(backoff_until, 0)))",
            (destination, due_at),
        )

    def _raise(self, destination: DestinationId) -> None:
        """Something of *destination* does not wait any more: it is due when the earliest of the others is."""
        rows = self._db.rows(
            "SELECT coalesce(backoff_until, 0), (SELECT r.due_at FROM queued_recipient r WHERE r.destination_id = d.id"
            " AND r.is_bulk = 0 AND r.due_at >= 0 ORDER BY r.due_at LIMIT 1), (SELECT r.due_at FROM queued_recipient r"
            " WHERE r.destination_id = d.id AND r.is_bulk = 1 AND r.due_at >= 0 ORDER BY r.due_at LIMIT 1)"
            " FROM destination d WHERE d.id = ?",
            (destination,),
        )
        for backoff, *lines in rows:
            due = [due_at for due_at in lines if due_at is not None]
            self._db.run(
                "UPDATE destination SET due_at = ? WHERE id = ?",
                (max(min(due), backoff) if due else None, destination),
            )

    def _count_down(self, gone: dict[QueuedId, int]) -> set[QueuedId]:
        """The messages that are closed now: of each of *gone*, that many recipients became final."""
        if not gone:
            return set()
        closed: dict[QueuedId, AccountId | None] = {}
        blobs = []
        rows = self._db.rows(
            "SELECT id, open, account_id, blob_id FROM queued WHERE id IN carray(?)", (among(gone),)
        )
        for message, before, account, blob in rows:
            if left := before - gone[message]:
                self._db.run("UPDATE queued SET open = ? WHERE id = ?", (left, message))
            else:
                closed[message] = account
                blobs.append(blob)
        self._db.run(
            "UPDATE queued SET open = 0, blob_id = NULL, closed_at = ? WHERE id IN carray(?)",
            (self._journal.now, among(closed)),
        )
        self._count_out(closed.values())
        self._blobs.release(blobs)
        return set(closed)

    def _counts(self, account: AccountId | None) -> dict[int, int | None]:
        """Account id (0: all) -> how many messages are open, None for never any; not *account* if it was removed."""
        return dict(
            self._db.rows(
                "SELECT 0, (SELECT messages FROM queued_count WHERE account_id = 0) UNION ALL"
                " SELECT id, (SELECT messages FROM queued_count WHERE account_id = account.id) FROM account"
                " WHERE id = ? AND domain_id IS NOT NULL",
                (account,),
            )
        )

    def _count_in(self, counts: dict[int, int | None]) -> None:
        """One more message is open than *counts* says."""
        for account in [account for account, messages in counts.items() if messages is None]:
            self._db.run("INSERT INTO queued_count VALUES (?, 0)", (account,))
        for account in counts:
            self._db.run(
                "UPDATE queued_count SET messages = messages + 1 WHERE account_id = ?", (account,)
            )

    def _count_out(self, closed: Collection[AccountId | None]) -> None:
        """A message of each of these is open no more."""
        fewer: Counter[int] = Counter(account for account in closed if account is not None)
        fewer[0] = len(closed)
        self._db.run_many(
            "UPDATE queued_count SET messages = messages - ? WHERE account_id = ?",
            [(number, account) for account, number in fewer.items()],
        )
