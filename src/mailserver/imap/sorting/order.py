"""Puts messages into an order, and remembers the order of whole mailboxes.

Spec: RFC 5256 §3.  Status: complete.

What a message is sorted by never changes, so an order that was found once stays right: messages that go are left out,
and a few new ones are put where they belong by looking at some twenty others for each.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

from mailserver.base.ids import MailboxId
from mailserver.imap.conversation import Effect, Read, Send, Thread
from mailserver.imap.progress import Progress
from mailserver.imap.searching.run import Scope
from mailserver.imap.session import Session
from mailserver.imap.sorting.criteria import RELEVANCY, Criteria, Values, columns_of, values_of
from mailserver.imap.sorting.orders import Order
from mailserver.imap.sorting.pieces import PIECE, in_order
from mailserver.store.tx import Read as ReadTx

#: messages whose values are read in one transaction
ROWS: Final = 4_000

#: new messages that are put into a known order one by one; with more of them it is found anew
INSERTED: Final = 500

#: so many of them in one transaction
_INSERTED_AT_ONCE: Final = 25

#: an order of the whole mailbox is found, and remembered, if this part of it or more is sorted
_WORTH: Final = 4


def arrange(
    session: Session,
    criteria: Criteria,
    scope: Scope,
    found: Sequence[int],
    progress: Progress,
    scores: Mapping[int, int] | None = None,
) -> Generator[Effect, Any, "array[int]"]:
    """The places *found*, which ascend, in the order of *criteria*; messages that are gone meanwhile are left out.

    scores: relevancy by place, where RELEVANCY is among the criteria.
    """
    by_score = any(one.name == RELEVANCY for one in criteria)
    if by_score or not found:
        return (yield from _sort(scope, criteria, found, progress, scores))
    key = scope.mailbox, session.view.uidvalidity, criteria
    orders = session.server.orders
    known = orders.get(key)
    whole: array[int] | None = None
    if known is not None:
        whole = yield from _follow(known, scope, criteria)
    if whole is None:
        if len(found) * _WORTH < len(scope.uids):
            return (yield from _sort(scope, criteria, found, progress))
        every = array("I", range(len(scope.uids)))
        whole = yield from _sort(scope, criteria, every, progress)
    assert isinstance(scope.uids, array)
    orders.put(key, Order(scope.uids, whole), session.limits.sorted_messages)
    if len(found) == len(scope.uids):
        return whole
    some: array[int] = yield Thread(partial(_only, whole, found, len(scope.uids)))
    return some


def _only(whole: "array[int]", found: Sequence[int], count: int) -> "array[int]":
    """Of the places in the order *whole* those that were *found*; there are *count* places."""
    wanted = bytearray(count)
    for place in found:
        wanted[place] = 1
    return array("I", [place for place in whole if wanted[place]])


# an order that is known


def _follow(
    known: Order, scope: Scope, criteria: Criteria
) -> Generator[Effect, Any, "array[int] | None"]:
    """The order *known* after what has changed in the mailbox since; None where it is better found anew."""
    if known.uids is scope.uids:
        return known.places
    moved: tuple[array[int], list[int]] | None = yield Thread(partial(_moved, known, scope.uids))
    if moved is None:
        return None
    places, new = moved
    for start in range(0, len(new), _INSERTED_AT_ONCE):
        part = new[start : start + _INSERTED_AT_ONCE]
        yield Read(partial(_insert, scope, criteria, places, part))
    return places


def _moved(known: Order, uids: Sequence[int]) -> tuple["array[int]", list[int]] | None:
    """The places of *known* as they are among *uids* now, in their order, and the places of messages that are new.

    None where many are new.
    """
    old = known.uids
    if len(uids) >= len(old) and uids[: len(old)] == old:
        new = list(range(len(old), len(uids)))
        return None if len(new) > INSERTED else (known.places[:], new)
    here: dict[int, int] = {}
    for start in range(0, len(uids), PIECE):
        here.update(zip(uids[start : start + PIECE], range(start, start + PIECE), strict=False))
    places = array("I", [here[old[p]] for p in known.places if old[p] in here])
    new = [place for uid, place in here.items() if not _has(old, uid)]
    return None if len(new) > INSERTED else (places, new)


def _has(uids: Sequence[int], uid: int) -> bool:
    at = bisect_left(uids, uid)
    return at < len(uids) and uids[at] == uid


class _Down:
    """A value that sorts in descending order."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: "_Down") -> bool:
        less: bool = other.value < self.value
        return less

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Down) and bool(self.value == other.value)

    __hash__ = None  # type: ignore[assignment]  # compared, never looked up


def _insert(
    scope: Scope, criteria: Criteria, places: "array[int]", new: Sequence[int], tx: ReadTx
) -> None:
    """Put the *new* places where they belong in the order *places*; without those whose messages are gone."""
    keys = Keys(scope.mailbox, criteria, tx)
    for place in new:
        own = keys(scope.uids[place])
        if own is not None:
            at = place_of(own, places, lambda place: keys(scope.uids[place]))
            places.insert(at, place)


#: what a message is compared by
Key: TypeAlias = tuple[Any, ...]


def place_of(own: Key, ordered: Sequence[int], key: Callable[[int], Key | None]) -> int:
    """Where *own* belongs among *ordered*; those without a key are gone and count for nothing."""
    low, high = 0, len(ordered)
    while low < high:
        middle = at = (low + high) // 2
        other = key(ordered[at])
        while other is None and at + 1 < high:
            at += 1
            other = key(ordered[at])
        if other is not None and other < own:
            low = at + 1
        else:
            high = middle
    return low


class Keys:
    """What messages are compared by, read one by one: the values of the criteria, then the UID."""

    __slots__ = ("_columns", "_criteria", "_mailbox", "_tx")

    def __init__(self, mailbox: MailboxId, criteria: Criteria, tx: ReadTx) -> None:
        self._mailbox, self._criteria, self._tx = mailbox, criteria, tx
        self._columns = columns_of(criteria)

    def __call__(self, uid: int) -> Key | None:
        """None for a message that is gone."""
        rows = list(self._tx.messages.rows(self._mailbox, [uid], *self._columns))
        if not rows:
            return None
        columns = {name: [value] for name, value in zip(self._columns, rows[0], strict=True)}
        values = [one[0] for one in values_of(self._criteria, columns)]
        keys: list[Any] = [
            _Down(value) if one.is_reverse else value
            for one, value in zip(self._criteria, values, strict=True)
        ]
        return (*keys, uid)


# an order that is found


class _Table(NamedTuple):
    """places of messages that are there, ascending, and for each criterion what they are compared by."""

    places: "array[int]"
    values: list[list[Any]]


def _sort(
    scope: Scope,
    criteria: Criteria,
    found: Sequence[int],
    progress: Progress,
    scores: Mapping[int, int] | None = None,
) -> Generator[Effect, Any, "array[int]"]:
    table = _Table(array("I"), [[] for _ in criteria])
    for start in range(0, len(found), ROWS):
        part = found[start : start + ROWS]
        there, values = yield Read(partial(_read, scope, criteria, part, scores))
        table.places.extend(there)
        for all_, some in zip(table.values, values, strict=True):
            all_.extend(some)
        if said := progress.due(len(scope.uids) + start):
            yield Send(said)
    ordered: array[int] = yield Thread(partial(_arranged, table, criteria))
    return ordered


def _read(
    scope: Scope,
    criteria: Criteria,
    places: Sequence[int],
    scores: Mapping[int, int] | None,
    tx: ReadTx,
) -> tuple["array[int]", list[Values]]:
    """Those of *places* whose messages are there, and the values of each criterion."""
    stored = tuple(one for one in criteria if one.name != RELEVANCY)
    names = ("uid", *columns_of(stored))
    uids = [scope.uids[place] for place in places]
    which: Sequence[int] | Sequence[tuple[int, int]] = uids
    if places[-1] - places[0] + 1 == len(places):
        which = [(uids[0], uids[-1])]
    rows = list(tx.messages.rows(scope.mailbox, which, *names))
    turned: list[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(names)
    there = array("I", places)
    if len(rows) < len(places):
        here = frozenset(turned[0])
        there = array("I", [p for p, uid in zip(places, uids, strict=True) if uid in here])
    columns = dict(zip(names, turned, strict=True))
    values = iter(values_of(stored, columns))
    return there, [
        [-(scores or {}).get(place, 0) for place in there]
        if one.name == RELEVANCY
        else next(values)
        for one in criteria
    ]


def _arranged(table: _Table, criteria: Criteria) -> "array[int]":
    """The places in order.  Every message gets one number to be compared by, made of its ranks and its place."""
    count = len(table.places)
    combined: Sequence[int] = range(count)
    width = 1
    for one, values in zip(reversed(criteria), reversed(table.values), strict=True):
        ranks, ranked = _ranks(values, is_reverse=one.is_reverse)
        if width == 1:
            combined, width = ranks, ranked
        else:
            combined = [rank * width + rest for rank, rest in zip(ranks, combined, strict=True)]
            width *= ranked
    numbers = [rank * count + n for n, rank in enumerate(combined)]
    places = table.places
    return array("I", [places[number % count] for number in in_order(numbers)])


def _ranks(values: list[Any], *, is_reverse: bool) -> tuple[list[int], int]:
    """For each value how many different ones come before it, and how many different ones there are."""
    different: set[Any] = set()
    for start in range(0, len(values), PIECE):
        different.update(values[start : start + PIECE])
    rank = {value: n for n, value in enumerate(in_order(list(different)))}
    last = len(rank) - 1
    if is_reverse:
        return [last - rank[value] for value in values], last + 1
    return [rank[value] for value in values], last + 1
