"""Claiming: which destinations are due, and their messages, each handed to one sender only."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from mailserver.base.ids import DestinationId, QueuedId, RecipientId
from mailserver.store import queue_rows
from mailserver.store.queue_rows import QUEUED, RECIPIENT, RUNNER, QueueRows, among
from mailserver.store.queue_values import (
    CLAIMED,
    DEFERRED,
    HELD,
    MOST_RECIPIENTS,
    Claimed,
    QueuedRecipient,
)


class Due(NamedTuple):
    """A destination that something may be claimed of now."""

    destination: DestinationId
    name: str
    due_at: int
    failures: int  # attempts in a row that reached no host: one try before many


class Claiming(QueueRows):
    """What the queue's runner asks.  There is one at a time: the worker that leads."""

    __slots__ = ()

    def due(self, now: int, most: int, busy: Collection[DestinationId] = ()) -> list[Due]:
        """At most *most* destinations that may be claimed, the longest due first, without those in *busy*.

        A destination that has as many connections as it may have is busy: named here, it does not hide others.
        """
        rows = self._db.rows(
            "SELECT id, name, due_at, failures FROM destination INDEXED BY destination_due"
            " WHERE paused_at IS NULL AND due_at <= ? AND id NOT IN carray(?) ORDER BY due_at LIMIT ?",
            (now, among(busy), most),
        )
        return [Due._make(row) for row in rows]

    def newcomers(
        self, since: int, now: int, most: int, busy: Collection[DestinationId] = ()
    ) -> list[Due]:
        """At most *most* destinations that became due after *since* and did well the last time, the latest first."""
        rows = self._db.rows(
            "SELECT id, name, due_at, failures FROM destination INDEXED BY destination_due WHERE paused_at IS NULL"
            " AND due_at > ? AND due_at <= ? AND failures = 0 AND id NOT IN carray(?) ORDER BY due_at DESC LIMIT ?",
            (since, now, among(busy), most),
        )
        return [Due._make(row) for row in rows]

    def next_due(self, busy: Collection[DestinationId] = ()) -> int | None:
        """When the first destination is due that is not in *busy*; None: nothing waits."""
        rows = self._db.rows(
            "SELECT due_at FROM destination INDEXED BY destination_due"
            " WHERE paused_at IS NULL AND due_at IS NOT NULL AND id NOT IN carray(?) ORDER BY due_at LIMIT 1",
            (among(busy),),
        )
        return rows[0][0] if rows else None

    def claim(self, wants: Sequence[tuple[DestinationId, int]]) -> list[Claimed]:
        """Up to that many messages of each destination, the longest due first; they are nobody else's now.

        As long as other mail is due, a quarter of them is bulk (`add`).

        A message comes with at most MOST_RECIPIENTS recipients; those beyond come as another Claimed.  What is paused,
        backs off or is not due yet gives nothing, so a stale answer of `due` does no harm.
        """
        claimed: list[Claimed] = []
        for destination, most in wants:
            if self._db.rows(
                "SELECT 1 FROM destination WHERE id = ? AND paused_at IS NULL AND due_at <= ?",
                (destination, self._journal.now),
            ):
                claimed += self._claim(destination, most)
                self._raise(destination)
        return claimed

    def recalled(self, claimed: Collection[RecipientId]) -> set[RecipientId]:
        """Those of *claimed* whose attempt an administrator does not want: cancelled, held, paused meanwhile, or gone.

        What is claimed ahead and not begun yet is worth asking about now and then, and to be given back
        (`settle` with no attempt), which leaves alone what was decided.
        """
        wanted = self._db.rows(
            "SELECT r.id FROM queued_recipient r CROSS JOIN destination d ON d.id = r.destination_id"
            " WHERE r.id IN carray(?) AND r.state = ? AND r.held_by = '' AND d.paused_at IS NULL",
            (among(claimed), CLAIMED),
        )
        return set(claimed).difference(id for (id,) in wanted)

    def take_over(self, runner: str) -> int:
        """From now on mail is claimed for *runner* as it comes (`enter`), for nobody before him.

        How many claims of others were given back.
        """
        self._db.run(
            "INSERT INTO setting (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (RUNNER, runner),
        )
        return self.unclaim()

    def unclaim(self) -> int:
        """How many claimed recipients were given back, due at once: for a new leader, whose predecessor is gone.

        Those that were to be held once their attempt was over are held.
        """
        now = self._journal.now
        rows = self._db.rows(
            "UPDATE queued_recipient INDEXED BY queued_recipient_open SET state = iif(held_by = '', ?1, ?2),"
            " due_at = iif(held_by = '', ?3, NULL), changed_at = ?3"
            " WHERE state IN ('pending', 'claimed', 'deferred', 'held') AND state = ?4"
            " RETURNING destination_id, due_at",
            (DEFERRED, HELD, now, CLAIMED),
        )
        for destination in {row[0] for row in rows if row[1] is not None}:
            self._lower(destination, now)
        self._journal.queue |= bool(rows)
        return len(rows)

    def _claim(self, destination: DestinationId, most: int) -> list[Claimed]:
        share = most - most // 4
        claimed = self._claim_of(destination, 0, share)
        is_more = len(claimed) == share
        claimed += self._claim_of(destination, 1, most - len(claimed))
        if is_more:
            claimed += self._claim_of(destination, 0, most - len(claimed))
        return claimed

    def _claim_of(self, destination: DestinationId, is_bulk: int, most: int) -> list[Claimed]:
        """At most *most* messages of one of a destination's two lines."""
        claimed: list[Claimed] = []
        now = self._journal.now
        while len(claimed) < most:
            rows = self._db.rows(
                "SELECT queued_id FROM queued_recipient WHERE destination_id = ? AND is_bulk = ? AND due_at <= ?"
                " ORDER BY due_at LIMIT ?",
                (destination, is_bulk, now, most - len(claimed)),
            )
            if not rows:
                break
            claimed += self._hand_out(destination, [message for (message,) in dict.fromkeys(rows)])
        return claimed

    def _hand_out(self, destination: DestinationId, messages: Sequence[QueuedId]) -> list[Claimed]:
        """Those of *messages* that are due there, in their order, with at most MOST_RECIPIENTS recipients together."""
        recipients: dict[QueuedId, list[QueuedRecipient]] = {}
        for row in self._db.rows(
            "UPDATE queued_recipient SET state = ?1, due_at = NULL, changed_at = ?2 WHERE id IN (SELECT id"
            " FROM queued_recipient INDEXED BY queued_recipient_by_message WHERE queued_id IN carray(?3)"
            f" AND destination_id = ?4 AND due_at <= ?2 LIMIT ?5) RETURNING {RECIPIENT}",
            (CLAIMED, self._journal.now, among(messages), destination, MOST_RECIPIENTS),
        ):
            one = queue_rows.recipient(row)
            recipients.setdefault(one.queued, []).append(one)
        found = self._db.rows(
            f"SELECT {QUEUED} FROM queued WHERE id IN carray(?)", (among(recipients),)
        )
        values = {value.id: value for value in map(queue_rows.queued, found)}
        return [
            Claimed(values[message], destination, tuple(sorted(recipients[message])))
            for message in messages
            if message in recipients
        ]
