"""Where messages can be put, as it was found a moment ago: who appends many in a row does not ask for each of them.

What is remembered decides nothing.  The transaction that files a message looks at the mailbox, the rights and the quota
itself, and whatever is too much for the remembered room is looked at again before it is refused.  Only how large one
message may be is taken from here, and that is forgotten when the directory changes.
"""

from collections import OrderedDict
from typing import Final, NamedTuple

from mailserver.base.ids import AccountId

SIZE: Final = 10_000  #: rooms that are remembered


class Room(NamedTuple):
    """Where messages are to go.

    left:      octets until the quota is used up, None without one.
    messages:  how many more it may have, None without a bound.
    largest:   octets of a message that is taken there (RFC 7889 §3).
    """

    threshold: int
    left: int | None
    messages: int | None
    largest: int


class Rooms:
    """By user and the name that he knows the mailbox by; the one asked for longest ago goes first.

    epoch: grows with every `clear`.
    """

    __slots__ = ("_rooms", "epoch")

    def __init__(self) -> None:
        self._rooms: OrderedDict[tuple[AccountId, str], Room] = OrderedDict()
        self.epoch = 0

    def get(self, account: AccountId, mailbox: str) -> Room | None:
        """What was found last."""
        room = self._rooms.get((account, mailbox))
        if room is not None:
            self._rooms.move_to_end((account, mailbox))
        return room

    def put(self, account: AccountId, mailbox: str, room: Room, epoch: int) -> None:
        """Remember what was looked up when `epoch` was *epoch*."""
        if epoch == self.epoch:
            self._rooms[account, mailbox] = room
            if len(self._rooms) > SIZE:
                self._rooms.popitem(last=False)

    def clear(self) -> None:
        """The directory has changed."""
        self._rooms.clear()
        self.epoch += 1
