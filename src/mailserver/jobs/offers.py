"""What the queue's runner takes straight from whoever accepts it: claimed with its acceptance, content and all.

The runner promises room for it before it is written and gets it after the COMMIT.  Only destinations that are being
served and doing well have such room.  Everything else waits in the queue and is claimed there, and so does what comes
while anything of its destination is due.
"""

import asyncio
from collections.abc import Callable, Sequence

from mailserver.base.ids import DestinationId
from mailserver.jobs.lane import Lane
from mailserver.jobs.parcels import INLINE, Parcel
from mailserver.servers.handover import Handover, Wanted
from mailserver.servers.work import Work
from mailserver.store.queue_values import AtOnce, Claimed, QueuedRecipient

REST_S = 0.002  #: how long what was accepted waits for the next transaction to begin
LONGEST_S = 0.02  #: the same, if one is near

Kept = tuple[
    "Promise", Sequence[Claimed], bytes | None
]  #: what was promised, what of it came, its body


class Promise:
    """Room in lanes for one message."""

    __slots__ = ("_offers", "at_once", "lanes")

    def __init__(
        self, offers: "Offers", at_once: AtOnce, lanes: dict[DestinationId, tuple[Lane, int]]
    ) -> None:
        self._offers = offers
        self.at_once = at_once
        self.lanes = lanes

    def end(self, claimed: Sequence[Claimed], content: bytes | None) -> None:
        """This is committed, and for its lanes; nothing if it failed."""
        self._offers.end(self, claimed, content)


class Offers:
    """The runner's.

    find:      the lane of a destination, if it is served.
    room:      octets of content that may be held beside what is held.
    give_back: for who was claimed and cannot be carried after all.
    most:      recipients of one transaction.
    """

    def __init__(
        self,
        handover: Handover,
        work: Work,
        runner: str,
        find: Callable[[str], Lane | None],
        room: Callable[[], int],
        give_back: Callable[[Sequence[QueuedRecipient]], None],
        most: int,
    ) -> None:
        self._handover = handover
        self._work = work
        self._runner = runner
        self._find = find
        self._room = room
        self._give_back = give_back
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._left = 0  # octets of room, as far as it is known without looking
        self._promises = 0
        self._settled = asyncio.Event()
        self._settled.set()
        self._is_over = False
        self._kept: list[Kept] = []
        self._since = 0.0  # when the first of them came, on the loop's clock
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """The queue is ours: begin."""
        self._handover.open(self.ask)

    async def close(self) -> None:
        """No more promises; returns when those that were made are settled."""
        self._handover.close()
        try:
            await self._settled.wait()
        finally:
            self._is_over = True

    def ask(self, wanted: Wanted) -> Promise | None:
        """Room for as much of what is *wanted* as there is."""
        lanes: dict[DestinationId, tuple[Lane, int]] = {}
        names = []
        for name, (parcels, recipients) in wanted.items():
            lane = self._find(name)
            if lane is None or recipients > self._most or lane.room < parcels:
                continue
            lane.promised += parcels
            lanes[lane.destination] = lane, parcels
            names.append(name)
        if not lanes:
            return None
        self._promises += 1
        self._settled.clear()
        return Promise(self, AtOnce(self._runner, frozenset(names)), lanes)

    def end(self, promise: Promise, claimed: Sequence[Claimed], content: bytes | None) -> None:
        """What was promised has come, or never will.

        It leaves while the next transaction is put on disk, for which the loop has to wait anyway: before, everybody is
        answered whose message came with it, and their next ones are read, so that they are in that transaction.  Where
        others wait for the write turn, it leaves at once: a loop that is busy then would keep the turn from them.
        """
        if not claimed:
            self._settle(promise)
            return
        self._kept.append((promise, claimed, content))
        if len(self._kept) > 1:
            return
        if not self._handover.is_alone:
            self._loop.call_soon(self._let_go)
        else:
            self._since = self._loop.time()
            self._work.at_commit(self._let_go)
            self._timer = self._loop.call_later(REST_S, self._look)

    def _look(self) -> None:
        """There may be no other transaction to wait for."""
        if self._work.is_gathering and self._loop.time() - self._since < LONGEST_S:
            self._timer = self._loop.call_later(REST_S, self._look)
        else:
            self._let_go()

    def _let_go(self) -> None:
        kept, self._kept = self._kept, []
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        parcels: dict[Lane, list[Parcel]] = {}
        for promise, claimed, content in kept:
            self._settle(promise)
            for one in claimed if not self._is_over else ():  # then whoever follows gives it back
                if (found := promise.lanes.get(one.destination)) is not None:
                    parcels.setdefault(found[0], []).append(Parcel(one, self._data(one, content)))
                else:
                    self._give_back(one.recipients)
        for lane, some in parcels.items():
            lane.put(some)

    def _settle(self, promise: Promise) -> None:
        for lane, parcels in promise.lanes.values():
            lane.promised -= parcels
        self._promises -= 1
        if not self._promises:
            self._settled.set()

    def _data(self, claimed: Claimed, content: bytes | None) -> bytes | None:
        """What leaves of *content*, if it is small and there is room for it; otherwise it is read in its turn."""
        message = claimed.queued
        if content is None or message.size > INLINE:
            return None
        if self._left < message.size:
            self._left = self._room()
        if self._left < message.size:
            return None
        self._left -= message.size
        return message.prefix + content[message.skip :]
