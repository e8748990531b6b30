"""Interfering with the queue: hold, release, retry, cancel, choose other destinations.

Everything runs in slices, each a job of its own, so that a hundred thousand recipients do not keep anybody waiting.
"""

from collections.abc import Callable
from typing import NamedTuple

from mailserver.base.ids import DestinationId, QueuedId, RecipientId
from mailserver.store.queue_filter import QueueFilter, statement
from mailserver.store.queue_rows import QueueRows, among
from mailserver.store.queue_values import (
    CANCELLED,
    CLAIMED,
    DEFERRED,
    HELD,
    OPEN,
    PENDING,
)

SLICE = 500  #: recipients of one job; 5 to 20 ms of the write turn, most where bodies go


class Acted(NamedTuple):
    """What was done in one slice."""

    number: int  # of recipients
    rest: RecipientId | None  # go on behind this one; None: all is done


class _Met(NamedTuple):
    """A recipient that a filter found."""

    id: RecipientId
    queued: QueuedId
    destination: DestinationId
    state: str
    held_by: str
    release_at: int
    changed_at: int


class Holding(QueueRows):
    """What administrators do.  Each method takes the recipients of *which* behind *after* that it makes sense for."""

    __slots__ = ()

    def hold(
        self,
        which: QueueFilter,
        by: str = "administrator",
        after: RecipientId | int = 0,
        most: int = SLICE,
    ) -> Acted:
        """Keeps them until they are released, without expiring.  Raises Cannot.

        A transaction that is under way ends as it ends: what it delivers is delivered.  Such a recipient stays claimed
        until then, as whoever releases it meanwhile must not have it sent twice.
        """
        met = self._meet(which, (PENDING, CLAIMED, DEFERRED), after, most)
        self._db.run(
            "UPDATE queued_recipient SET state = iif(state = ?1, ?1, ?2), due_at = NULL, held_by = ?3, changed_at = ?4"
            " WHERE id IN carray(?5)",
            (CLAIMED, HELD, by, self._journal.now, among(one.id for one in met)),
        )
        self._journal.queue |= bool(met)
        for destination in {one.destination for one in met}:
            self._raise(destination)
        return _acted(met, most)

    def release(self, which: QueueFilter, after: RecipientId | int = 0, most: int = SLICE) -> Acted:
        """Lets go what is held, due at once; no rule holds it again.  Raises Cannot.

        The time for which it was held does not count against its expiry.
        """
        now = self._journal.now
        met = self._meet(which, (HELD, CLAIMED), after, most)
        held = [one for one in met if one.state == HELD]
        longer: dict[QueuedId, int] = {}
        for one in held:
            longer[one.queued] = max(longer.get(one.queued, 0), now - one.changed_at)
        for message, held_s in longer.items():
            self._db.run(
                "UPDATE queued SET expires_at = expires_at + ?1, warn_at = warn_at + ?1 WHERE id = ?2",
                (held_s, message),
            )
            self._db.run(  # those that stay held have had that time, too
                "UPDATE queued_recipient SET changed_at = ? WHERE queued_id = ? AND state = ?",
                (now, message, HELD),
            )
        self._db.run_many(
            "UPDATE queued_recipient SET state = iif(attempts = 0, ?, ?), due_at = ?, held_by = '', changed_at = ?"
            " WHERE id = ?",
            [(PENDING, DEFERRED, max(now, one.release_at), now, one.id) for one in held],
        )
        self._db.run(
            "UPDATE queued_recipient SET held_by = '' WHERE id IN carray(?)",
            (among(one.id for one in met if one.held_by),),
        )
        self._lower_all(held)
        return Acted(sum(1 for one in met if one.held_by), _rest(met, most))

    def retry(self, which: QueueFilter, after: RecipientId | int = 0, most: int = SLICE) -> Acted:
        """Makes them due now, and ends the back-off of their destinations.  Raises Cannot.

        Mail that its sender wants to leave later is due then.
        """
        now = self._journal.now
        met = self._meet(which, (PENDING, DEFERRED), after, most)
        self._db.run_many(
            "UPDATE queued_recipient SET due_at = ? WHERE id = ?",
            [(max(now, one.release_at), one.id) for one in met],
        )
        destinations = {one.destination for one in met}
        self._db.run(
            "UPDATE destination SET backoff_until = NULL WHERE id IN carray(?)",
            (among(destinations),),
        )
        for destination in destinations:
            self._raise(destination)
        self._journal.queue |= bool(met)
        return _acted(met, most)

    def cancel(self, which: QueueFilter, after: RecipientId | int = 0, most: int = SLICE) -> Acted:
        """Gives them up, silently: nobody gets a notice.  Raises Cannot.

        A transaction that is under way ends as it ends: what it delivers is delivered.
        """
        met = self._meet(which, OPEN, after, most)
        self._db.run(
            "UPDATE queued_recipient SET state = ?, due_at = NULL, held_by = '', changed_at = ? WHERE id IN carray(?)",
            (CANCELLED, self._journal.now, among(one.id for one in met)),
        )
        self._journal.queue |= bool(met)
        gone: dict[QueuedId, int] = {}
        for one in met:
            gone[one.queued] = gone.get(one.queued, 0) + 1
        self._count_down(gone)
        for destination in {one.destination for one in met}:
            self._raise(destination)
        return _acted(met, most)

    def reroute(
        self,
        choose: Callable[[str, str, str], str],
        after: RecipientId | int = 0,
        most: int = SLICE,
    ) -> Acted:
        """Gives open recipients the destination that *choose* names now, by sender, domain and address.

        Mail for ours that waits for its time is not asked for.  The number is of those that changed.
        One that is claimed goes on where it is, and is retried elsewhere.
        """
        rows = self._db.rows(
            "SELECT r.id, r.destination_id, r.due_at, q.sender, r.domain, r.address, d.name"
            " FROM queued_recipient r INDEXED BY queued_recipient_open CROSS JOIN queued q ON q.id = r.queued_id"
            " CROSS JOIN destination d ON d.id = r.destination_id"
            " WHERE r.state IN ('pending', 'claimed', 'deferred', 'held') AND r.id > ? AND d.name <> 'local'"
            " ORDER BY r.id LIMIT ?",
            (after, most),
        )
        left: set[DestinationId] = set()
        count = 0
        for id, destination, due_at, sender, domain, address, name in rows:
            other = choose(sender, domain, address)
            if other != name:
                self._db.run(
                    "UPDATE queued_recipient SET destination_id = ? WHERE id = ?",
                    (self._destination(other, due_at), id),
                )
                left.add(destination)
                count += 1
        for destination in left:
            self._raise(destination)
        self._journal.queue |= bool(count)
        return Acted(count, rows[-1][0] if len(rows) == most else None)

    def _meet(
        self, which: QueueFilter, states: tuple[str, ...], after: int, most: int
    ) -> list[_Met]:
        """Those of *which* that are in one of *states*."""
        wanted = tuple(s for s in states if not which.states or s in which.states)
        if not wanted:
            return []
        sql, values = statement(
            "r.id, r.queued_id, r.destination_id, r.state, r.held_by, coalesce(q.release_at, 0), r.changed_at",
            which._replace(states=wanted),
            after,
            most,
        )
        return [_Met._make(row) for row in self._db.rows(sql, values)]

    def _lower_all(self, met: list[_Met]) -> None:
        due: dict[DestinationId, int] = {}
        for one in met:
            due_at = max(self._journal.now, one.release_at)
            due[one.destination] = min(due_at, due.get(one.destination, due_at))
        for destination, due_at in due.items():
            self._lower(destination, due_at)
        self._journal.queue |= bool(met)


def _acted(met: list[_Met], most: int) -> Acted:
    return Acted(len(met), _rest(met, most))


def _rest(met: list[_Met], most: int) -> RecipientId | None:
    return met[-1].id if len(met) == most else None
