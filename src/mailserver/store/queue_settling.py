"""Settling: what became of claimed recipients, every attempt kept, and how their destinations are doing."""

from collections.abc import Sequence
from typing import Any

from mailserver.base.ids import DestinationId, QueuedId, RecipientId
from mailserver.store.queue_rows import QueueRows, among
from mailserver.store.queue_values import (
    CANCELLED,
    CLAIMED,
    DEFERRED,
    DELIVERED,
    EXPIRED,
    FAILED,
    FINAL,
    HELD,
    OPEN,
    PENDING,
    Attempt,
    Result,
    Settled,
)

REPLY_SIZE = 1_000  #: characters of a reply that are kept

#: state of a recipient when its result comes -> the results that still take effect.  A message that was delivered was
#: delivered, whatever an administrator said meanwhile; one that was held stays held until he says otherwise.
TAKES = {
    CLAIMED: frozenset({DELIVERED, DEFERRED, FAILED, EXPIRED}),
    PENDING: frozenset({DELIVERED, DEFERRED, FAILED, EXPIRED}),
    DEFERRED: frozenset({DELIVERED, DEFERRED, FAILED, EXPIRED}),
    HELD: frozenset({DELIVERED, FAILED}),
    CANCELLED: frozenset({DELIVERED}),
}

_Values = tuple[Any, ...]

_TAKE = (
    "UPDATE queued_recipient SET state = ?, due_at = ?, held_by = '', attempts = ?, changed_at = ?,"
    " status = coalesce(?, status), reply = coalesce(?, reply) WHERE id = ?"
)
_KEEP = (
    "INSERT INTO attempt (recipient_id, number, at, duration_ms, host, address, tls, code, status, reply,"
    " outcome) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Settling(QueueRows):
    """What the queue's runner tells."""

    __slots__ = ()

    def settle(self, results: Sequence[Result]) -> list[Settled]:
        """What each result changed, in their order; recipients that are not there any more are passed over.

        Every attempt is kept, also of a result that comes too late to matter.  Notices belong into the same job, for
        each result that took effect.
        """
        known = {
            recipient: (message, destination, state, held_by, attempts)
            for recipient, message, destination, state, held_by, attempts in self._db.rows(
                "SELECT id, queued_id, destination_id, state, held_by, attempts FROM queued_recipient"
                " WHERE id IN carray(?)",
                (among(result.recipient for result in results),),
            )
        }
        settled: list[Settled] = []
        taken: list[_Values] = []
        made: list[_Values] = []
        gone: dict[QueuedId, int] = {}
        due: dict[DestinationId, int] = {}
        left: set[DestinationId] = set()
        for result in results:
            if result.recipient not in known:
                continue
            message, destination, state, held_by, attempts = known[result.recipient]
            if state == CLAIMED and held_by:  # while it was sent; now that is over
                self._write(taken)
                self._hold(result.recipient)
                state = HELD
            took = result.state in TAKES.get(state, ())
            attempts += result.attempt is not None
            if took:
                due_at = self._due_at(result)
                taken.append(self._taken(result, due_at, attempts))
                if due_at is not None:
                    due[destination] = min(due_at, due.get(destination, due_at))
                if state in (PENDING, DEFERRED):  # given back meanwhile: it was waiting again
                    left.add(destination)
                if state in OPEN and result.state in FINAL:
                    gone[message] = gone.get(message, 0) + 1
                state = result.state
            elif result.attempt is not None:
                self._write(taken)
                self._note(result.recipient, attempts, result.attempt)
            if result.attempt is not None:
                made.append(_made(result.recipient, attempts, result.attempt, result.state))
            known[result.recipient] = (message, destination, state, held_by, attempts)
            settled.append(Settled(result.recipient, message, state, took, False))
        self._write(taken)
        if made:
            self._db.run_many(_KEEP, made)
        for destination, due_at in due.items():
            self._lower(destination, due_at)
        for destination in left:
            self._raise(destination)
        closed = self._count_down(gone)
        return [one._replace(closed=True) if one.queued in closed else one for one in settled]

    def warned(self, recipients: Sequence[RecipientId]) -> None:
        """Notes that a delay notice was made for *recipients*, in this job."""
        self._db.run(
            "UPDATE queued_recipient SET warned_at = ? WHERE id IN carray(?)",
            (self._journal.now, among(recipients)),
        )

    def back_off(self, destination: DestinationId, until: int, error: str) -> int:
        """How many attempts in a row reached no host of *destination*; nothing of it is claimed before *until*."""
        rows = self._db.rows(
            "UPDATE destination SET backoff_until = ?2, failures = failures + 1, failed_since ="
            " coalesce(failed_since, ?3), last_error = ?4 WHERE id = ?1 RETURNING failures",
            (destination, until, self._journal.now, error[:REPLY_SIZE]),
        )
        self._raise(destination)
        return rows[0][0] if rows else 0

    def reached(self, destination: DestinationId) -> None:
        """A host of *destination* was reached: it backs off no more, and what waits is due when it is due."""
        if self._db.rows(
            "UPDATE destination SET backoff_until = NULL, failures = 0, failed_since = NULL, last_error = ''"
            " WHERE id = ? AND failures > 0 RETURNING 1",
            (destination,),
        ):
            self._raise(destination)
            self._journal.queue = True

    def _due_at(self, result: Result) -> int | None:
        """When the recipient is due again, if it is."""
        if result.state != DEFERRED:
            return None
        return self._journal.now if result.due_at is None else result.due_at

    def _taken(self, result: Result, due_at: int | None, attempts: int) -> _Values:
        """The values of _TAKE."""
        attempt = result.attempt
        return (
            result.state,
            due_at,
            attempts,
            self._journal.now,
            None if attempt is None else attempt.status,
            None if attempt is None else attempt.reply[:REPLY_SIZE],
            result.recipient,
        )

    def _write(self, taken: list[_Values]) -> None:
        """Results that took effect, in their order; the list is empty then."""
        if taken:
            self._db.run_many(_TAKE, taken)
            taken.clear()

    def _hold(self, recipient: RecipientId) -> None:
        self._db.run(
            "UPDATE queued_recipient SET state = ?, changed_at = ? WHERE id = ?",
            (HELD, self._journal.now, recipient),
        )

    def _note(self, recipient: RecipientId, attempts: int, attempt: Attempt) -> None:
        """The attempt changed nothing, but it was made."""
        self._db.run(
            "UPDATE queued_recipient SET attempts = ?, status = ?, reply = ? WHERE id = ?",
            (attempts, attempt.status, attempt.reply[:REPLY_SIZE], recipient),
        )


def _made(recipient: RecipientId, number: int, attempt: Attempt, outcome: str) -> _Values:
    """The values of _KEEP."""
    return (
        recipient,
        number,
        attempt.at,
        attempt.duration_ms,
        attempt.host,
        attempt.address,
        attempt.tls,
        attempt.code,
        attempt.status,
        attempt.reply[:REPLY_SIZE],
        outcome,
    )
