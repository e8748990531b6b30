"""What this process remembers of how mailboxes are sorted.  An empty memory costs time, nothing else.

Spec: none.  Status: complete.
"""

from array import array
from typing import NamedTuple, TypeAlias

from mailserver.base.ids import MailboxId, UidValidity
from mailserver.imap.sorting.criteria import Criteria

#: a mailbox, and by what it is sorted
OrderKey: TypeAlias = tuple[MailboxId, UidValidity, Criteria]


class Order(NamedTuple):
    """uids: a mailbox's, ascending, shared with its clients.      places: of its messages there, as they are sorted."""

    uids: "array[int]"
    places: "array[int]"


class Orders:
    """Orders by mailbox and criteria; those used longest ago go first.  In the loop's thread only."""

    __slots__ = ("_held", "_kept")

    def __init__(self) -> None:
        self._kept: dict[OrderKey, Order] = {}
        self._held = 0  # messages of all of them

    def get(self, key: OrderKey) -> Order | None:
        """The one that is known."""
        return self._kept.get(key)

    def put(self, key: OrderKey, order: Order, most: int) -> None:
        """Remember *order*, and of all orders together no more than *most* messages."""
        self._drop(key)
        if len(order.uids) > most:
            return
        self._kept[key] = order
        self._held += len(order.uids)
        while self._held > most:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: OrderKey) -> None:
        known = self._kept.pop(key, None)
        if known is not None:
            self._held -= len(known.uids)
