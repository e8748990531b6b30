"""Which recipients of the queue are meant: filters of an administrator, and the statements that find them.

A filter that names a message or an address finds it by an index.  All others walk the open recipients in the order of
their ids and compare: a page goes on where the one before ended, whatever is asked for, and nothing is ever sorted.
Only finished mail of a destination or an account is found by theirs, as there may be ten times as much of it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from mailserver.base.ids import AccountId, QueuedId, RecipientId
from mailserver.store.patterns import like
from mailserver.store.queue_rows import among
from mailserver.store.queue_values import OPEN


class QueueFilter(NamedTuple):
    """Recipients to which all of this applies; in patterns `*` stands for anything, and case means nothing."""

    states: tuple[str, ...] = OPEN
    message: QueuedId | None = None
    recipients: Sequence[RecipientId] | None = None
    trace: str | None = None
    sender: str | None = None  # a pattern; "": the null reverse-path
    recipient: str | None = None  # a pattern of the address
    domain: str | None = None  # a pattern of its domain
    destination: str | None = None  # a destination's name
    account: AccountId | None = None  # who submitted it, or whose forward it is
    before: int | None = None  # in the queue since then or longer


_IS_OPEN = "r.state IN ('pending', 'claimed', 'deferred', 'held')"


def statement(columns: str, which: QueueFilter, after: int, most: int) -> tuple[str, list[Any]]:
    """The query for *columns* of the first *most* recipients behind *after*, by id, and its values.

    In it r is the recipient, q its message, d its destination.  Raises Cannot for an impossible pattern.
    """
    source, where, values = _narrowest(which)
    for pattern, column in (
        (which.sender, "q.sender"),
        (which.recipient, "r.address"),
        (which.domain, "r.domain"),
    ):
        if pattern is not None:
            where.append(f"{column} LIKE ? ESCAPE '\\'")
            values.append(like(pattern))
    for value, term in (
        (which.message, "q.id = ?"),
        (which.trace, "q.trace = ?"),
        (which.destination, "d.name = ?"),
        (which.account, "q.account_id = ?"),
        (which.before, "q.created_at <= ?"),
    ):
        if value is not None:
            where.append(term)
            values.append(value)
    if which.recipients is not None:
        where.append("r.id IN carray(?)")
        values.append(among(which.recipients))
    if which.states:
        where.append(f"r.state IN ({', '.join('?' * len(which.states))})")
        values += which.states
    if set(which.states) <= set(OPEN) and which.states:
        where.append(_IS_OPEN)
    return (
        f"SELECT {columns} FROM {source} WHERE {' AND '.join([*where, 'r.id > ?'])} ORDER BY r.id LIMIT ?",
        [*values, after, most],
    )


def _narrowest(which: QueueFilter) -> tuple[str, list[str], list[Any]]:
    """FROM clause, terms and values by the index that finds least; CROSS JOIN keeps SQLite to this order."""
    message = "CROSS JOIN queued q ON q.id = r.queued_id"
    hop = "CROSS JOIN destination d ON d.id = r.destination_id"
    of_message = (
        "CROSS JOIN queued_recipient r INDEXED BY queued_recipient_by_message ON r.queued_id = q.id"
    )
    if which.recipients is not None:
        return f"queued_recipient r {message} {hop}", [], []
    if which.message is not None:
        return f"queued q {of_message} {hop}", [], []
    if which.trace is not None:
        return f"queued q INDEXED BY queued_by_trace {of_message} {hop}", [], []
    if which.recipient is not None and "*" not in which.recipient:
        return (
            f"queued_recipient r INDEXED BY queued_recipient_by_address {message} {hop}",
            ["r.address = ? COLLATE NOCASE"],
            [which.recipient],
        )
    if which.states and set(which.states) <= set(OPEN):
        return f"queued_recipient r INDEXED BY queued_recipient_open {message} {hop}", [], []
    if which.account is not None:
        return f"queued q INDEXED BY queued_by_account {of_message} {hop}", [], []
    if which.destination is not None:
        of_hop = "CROSS JOIN queued_recipient r INDEXED BY queued_recipient_due ON r.destination_id = d.id"
        return f"destination d {of_hop} {message}", [], []
    return f"queued_recipient r {message} {hop}", [], []
