"""Adding to the queue: a message with its recipients, within the bounds that keep the disk from filling."""

from collections.abc import Sequence

from mailserver.base.errors import LimitReached, NotFound, TryLater
from mailserver.base.ids import DestinationId, QueuedId, RecipientId
from mailserver.store.queue_rows import RUNNER, QueueRows
from mailserver.store.queue_values import (
    CLAIMED,
    HELD,
    PENDING,
    AtOnce,
    Claimed,
    Entered,
    NewQueued,
    NewRecipient,
    Queued,
    QueuedRecipient,
)

ID_SIZE = 998  #: characters of a Message-ID that are kept
SUBJECT_SIZE = 200

_Row = tuple[
    QueuedId, str, str, DestinationId, str, int | None, str, str, str, int, bool
]  # the values of _INSERT

_INSERT = (
    "INSERT INTO queued_recipient (queued_id, address, domain, destination_id, state, due_at, original, notify,"
    " held_by, changed_at, is_bulk) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Adding(QueueRows):
    """What acceptance does.  It is on the way to every 250, so statements are few and none of them searches."""

    __slots__ = ()

    def add(self, new: NewQueued, recipients: Sequence[NewRecipient]) -> QueuedId:
        """The message in the queue, with nothing of it claimed; see `enter`."""
        return self.enter(new, recipients).id

    def enter(
        self,
        new: NewQueued,
        recipients: Sequence[NewRecipient],
        at_once: AtOnce | None = None,
    ) -> Entered:
        """The message in the queue, due now or at its release, but for recipients that a hold rule holds.

        Its blob must have been put in this job, or be referred to.  Raises TryLater if the whole queue is full,
        LimitReached if the account's part is, NotFound if the account was removed, having changed nothing.  Notices
        always find room, as a recipient cannot become final without its notice.

        What comes from an account that has much waiting, and what has very many recipients, is *bulk*: it waits in a
        line of its own, so that a thousand letters of one user do not hold up the one of another.

        Recipients of destinations *at_once* are claimed now, where nothing else is due: it overtakes nobody.
        """
        if not recipients:
            raise ValueError("a message without recipients")
        journal = self._journal
        is_bulk = max(self._make_room(new), len(recipients)) > self._limits.bulk_after
        queued = self._insert(new, len(recipients))
        due_at = journal.now if new.release_at is None else max(journal.now, new.release_at)
        free: dict[str, DestinationId] = {}
        if at_once is not None and not is_bulk and new.release_at is None:
            free = self._free(at_once, {to.destination for to in recipients})
        judge = self._rules.judge(new)
        waiting: dict[str, DestinationId] = {}
        rows = []
        for to in recipients:
            held_by = judge(to) if judge is not None else ""
            if to.destination in free and not held_by:
                rows.append(self._row(queued, free[to.destination], to, CLAIMED))
                continue
            known = waiting.get(to.destination)
            if known is None:
                known = self._destination(to.destination, None if held_by else due_at)
                if not held_by:
                    waiting[to.destination] = known
            if held_by:
                rows.append(self._row(queued, known, to, HELD, None, held_by, is_bulk))
            else:
                rows.append(self._row(queued, known, to, PENDING, due_at, "", is_bulk))
        journal.fresh.discard(new.blob)
        journal.queue |= bool(waiting)
        if free:
            claimed = self._insert_claimed(recipients, rows)
            message = self._value(queued, new, len(recipients))
            return Entered(queued, [Claimed(message, at, tuple(to)) for at, to in claimed.items()])
        if len(rows) == 1:
            self._db.run(_INSERT, rows[0])
        else:
            self._db.run_many(_INSERT, rows)
        return Entered(queued, [])

    def _insert(self, new: NewQueued, count: int) -> QueuedId:
        self._db.run(
            "INSERT INTO queued (trace, account_id, sender, blob_id, skip, prefix, size, origin, notices_to, is_8bit,"
            " is_utf8, needs_tls, ret, envid, message_id, subject, created_at, release_at, warn_at, expires_at, open,"
            " is_signable, waives_tls)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *new[:14],
                new.message_id[:ID_SIZE],
                new.subject[:SUBJECT_SIZE],
                self._journal.now,
                new.release_at,
                new.warn_at,
                new.expires_at,
                count,
                new.is_signable,
                new.waives_tls,
            ),
        )
        return QueuedId(self._db.connection.last_insert_rowid())

    def _value(self, queued: QueuedId, new: NewQueued, count: int) -> Queued:
        """The row as it would be read."""
        return Queued(
            queued,
            *new[:14],
            new.message_id[:ID_SIZE],
            new.subject[:SUBJECT_SIZE],
            self._journal.now,
            new.release_at,
            new.warn_at,
            new.expires_at,
            count,
            None,
            new.is_signable,
            new.waives_tls,
        )

    def _row(
        self,
        queued: QueuedId,
        destination: DestinationId,
        to: NewRecipient,
        state: str,
        due_at: int | None = None,
        held_by: str = "",
        is_bulk: bool = False,
    ) -> _Row:
        """The values of _INSERT."""
        return (
            queued,
            to.address,
            to.domain,
            destination,
            state,
            due_at,
            to.original,
            to.notify,
            held_by,
            self._journal.now,
            is_bulk,
        )

    def _insert_claimed(
        self, recipients: Sequence[NewRecipient], rows: Sequence[_Row]
    ) -> dict[DestinationId, list[QueuedRecipient]]:
        """Inserts *rows*; those that are claimed as they come, by destination."""
        claimed: dict[DestinationId, list[QueuedRecipient]] = {}
        for to, row in zip(recipients, rows, strict=True):
            self._db.run(_INSERT, row)
            queued, destination, state = row[0], row[3], row[4]
            if state == CLAIMED:
                claimed.setdefault(destination, []).append(
                    QueuedRecipient(
                        RecipientId(self._db.connection.last_insert_rowid()),
                        queued,
                        to.address,
                        to.domain,
                        destination,
                        CLAIMED,
                        None,
                        0,
                        to.original,
                        to.notify,
                        "",
                        "",
                        "",
                        None,
                        self._journal.now,
                    )
                )
        return claimed

    def _free(self, at_once: AtOnce, names: set[str]) -> dict[str, DestinationId]:
        """Those of *names* that may be claimed at once: they do well, nothing is due, the runner is in office."""
        now = self._journal.now
        free = {}
        for name in names & at_once.destinations:
            rows = self._db.rows(
                "SELECT id FROM destination WHERE name = ?1 AND paused_at IS NULL AND failures = 0"
                " AND coalesce(backoff_until, 0) <= ?2 AND (due_at IS NULL OR due_at > ?2)"
                " AND (SELECT value FROM setting WHERE name = ?3) = ?4",
                (name, now, RUNNER, at_once.runner),
            )
            if rows:
                free[name] = DestinationId(rows[0][0])
        return free

    def _make_room(self, new: NewQueued) -> int:
        """How many messages of the account wait with this one; 0 without an account."""
        counts, account = self._counts(new.account), new.account
        if account is not None and account not in counts:
            raise NotFound("No such account.")
        waiting = (counts[account] or 0) + 1 if account is not None else 0
        if new.origin != "notice":
            if (counts[0] or 0) >= self._limits.messages:
                raise TryLater("The queue is full.")
            if waiting > self._limits.per_account:
                raise LimitReached(
                    f"At most {self._limits.per_account} messages of one account wait to be sent."
                )
        self._count_in(counts)
        return 0 if new.origin == "notice" else waiting
