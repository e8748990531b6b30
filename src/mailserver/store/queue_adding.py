"""Adding to the queue: a message with its recipients, within the bounds that keep the disk from filling."""

from collections.abc import Sequence

from mailserver.base.errors import LimitReached, NotFound, TryLater
from mailserver.base.ids import DestinationId, QueuedId
from mailserver.store.queue_rows import QueueRows
from mailserver.store.queue_values import HELD, PENDING, NewQueued, NewRecipient


class Adding(QueueRows):
    """What acceptance does.  It is on the way to every 250, so statements are few and none of them searches."""

    __slots__ = ()

    def add(self, new: NewQueued, recipients: Sequence[NewRecipient]) -> QueuedId:
        """The message in the queue, due now or at its release, but for recipients that a hold rule holds.

        Its blob must have been put in this job, or be referred to.  Raises TryLater if the whole queue is full,
        LimitReached if the account's part is, NotFound if the account was removed, having changed nothing.  Notices
        always find room, as a recipient cannot become final without its notice.

        What comes from an account that has much waiting, and what has very many recipients, is *bulk*: it waits in a
        line of its own, so that a thousand letters of one user do not hold up the one of another.
        """
        db, journal = self._db, self._journal
        if not recipients:
            raise ValueError("a message without recipients")
        now = journal.now
        is_bulk = max(self._make_room(new), len(recipients)) > self._limits.bulk_after
        ((queued,),) = db.rows(
            "INSERT INTO queued (trace, account_id, sender, blob_id, skip, prefix, size, origin, notices_to, is_8bit,"
            " is_utf8, needs_tls, ret, envid, message_id, subject, created_at, release_at, warn_at, expires_at, open)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (
                new.trace,
                new.account,
                new.sender,
                new.blob,
                new.skip,
                new.prefix,
                new.size,
                new.origin,
                new.notices_to,
                new.is_8bit,
                new.is_utf8,
                new.needs_tls,
                new.ret,
                new.envid,
                new.message_id[:998],
                new.subject[:200],
                now,
                new.release_at,
                new.warn_at,
                new.expires_at,
                len(recipients),
            ),
        )
        due_at = now if new.release_at is None else max(now, new.release_at)
        judge = self._rules.judge(new)
        destinations: dict[str, DestinationId] = {}
        rows = []
        for to in recipients:
            held_by = judge(to) if judge is not None else ""
            destination = destinations.get(to.destination)
            if destination is None:
                destination = self._destination(to.destination, None if held_by else due_at)
                if not held_by:
                    destinations[to.destination] = destination
            rows.append(
                (
                    queued,
                    to.address,
                    to.domain,
                    destination,
                    HELD if held_by else PENDING,
                    None if held_by else due_at,
                    to.original,
                    to.notify,
                    held_by,
                    now,
                    is_bulk,
                )
            )
        insert = (
            "INSERT INTO queued_recipient (queued_id, address, domain, destination_id, state, due_at, original, notify,"
            " held_by, changed_at, is_bulk) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        if len(rows) == 1:
            db.run(insert, rows[0])
        else:
            db.run_many(insert, rows)
        journal.fresh.discard(new.blob)
        journal.queue |= bool(destinations)
        return QueuedId(queued)

    def _make_room(self, new: NewQueued) -> int:
        """How many messages of the account wait with this one; 0 without an account."""
        counts = self._count_in(new.account)
        if new.account is not None and new.account not in counts:
            self._count_out(None)
            raise NotFound("No such account.")
        if new.origin == "notice":
            return 0
        if counts[0] > self._limits.messages:
            self._count_out(new.account)
            raise TryLater("The queue is full.")
        if new.account is None:
            return 0
        if counts[new.account] > self._limits.per_account:
            self._count_out(new.account)
            raise LimitReached(
                f"At most {self._limits.per_account} messages of one account wait to be sent."
            )
        return counts[new.account]
