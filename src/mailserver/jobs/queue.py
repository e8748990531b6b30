"""The queue's runner: claims what is due and shares connections out, so that what hangs delays nothing else.

Spec: RFC 5321 §4.5.4.1.  Status: complete.

It wakes when something was committed, when something falls due, and when a connection is free again.  One write job
claims for all destinations at once and reads the small messages with it.  What became of a message is written down by
`jobs/books.py`; what one destination does is in `jobs/lane.py`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mailserver.base.errors import Corrupt, Expunged, TryLater
from mailserver.base.ids import DestinationId
from mailserver.base.log import Log
from mailserver.jobs.books import Books, Entry
from mailserver.jobs.desk import Desk
from mailserver.jobs.fitting import Fitting
from mailserver.jobs.lane import Lane
from mailserver.jobs.notices import Notices
from mailserver.jobs.offers import Offers
from mailserver.jobs.parcels import INLINE, Data, Parcel, given_back, small
from mailserver.jobs.registry import Site, service
from mailserver.jobs.releasing import Release
from mailserver.jobs.signing import Signer
from mailserver.jobs.slots import Slots
from mailserver.mta.leave import LOCAL
from mailserver.store.queue_claiming import Due
from mailserver.store.queue_values import Claimed, QueuedRecipient
from mailserver.store.tx import Read, Write

GRACE_S = 15.0  #: for transactions that have begun, when the server stops
WAITING = 20  #: destinations without a connection that others make room for at a time
NEW_S = 10  #: a destination that has been due for less, and did well the last time, is a newcomer
LOOK_S = 0.5  #: between two looks for connections that became slow, and parcels that were recalled
MOST = 300  #: messages that one job claims, so that nobody waits long behind it
LONGEST_S = 60.0  #: between two looks at the database, should a wake-up ever be lost
AGAIN_S = 1.0  #: when something is due that no connection is free for, or the storage is in trouble

log = Log("queue")


class Round(NamedTuple):
    """What one look at the database brought.

    fresh:   destinations that were not served yet.
    waiting: how many more there are of them, WAITING at most, that no connection is free for.
    data:    octets of the small ones among *claimed*, in their order.
    next_at: UTC epoch seconds when the next thing is due, None: nothing waits.
    """

    fresh: list[Due]
    waiting: int
    claimed: list[Claimed]
    data: list[Data]
    next_at: int | None


@service("queue")
async def send_mail(site: Site, stopping: asyncio.Event) -> None:
    """Sends what is due, until *stopping*."""
    runner = Runner(site)
    await runner.run(stopping)


class Runner:
    """The mail that this server sends; there is one at a time."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._limits = site.limits.queue
        self._loop = asyncio.get_running_loop()
        self._books = Books(site.work, self._loop)
        self._slots = Slots(self._limits)
        self._lanes: dict[DestinationId, Lane | Release] = {}
        self._served: dict[str, Lane] = {}  # the same by name
        self._name = site.token()
        self._offers = Offers(
            site.handover,
            site.work,
            self._name,
            lambda name: self._served.get(name),
            self._room,
            self._give_back,
            self._limits.recipients,
        )
        self._wake = asyncio.Event()
        self._pause_s = 0.0
        self._has_news = False
        self._commits = 0  # that were heard of
        self._signer = Signer(site)
        self._desk = Desk(
            site,
            self._books,
            Notices(site),
            self._slots,
            Fitting(site.work, site.limits),
            self._signer,
            self._wake.set,
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Until *stopping* is set and what was begun has ended."""
        name, work = self._name, self._site.work
        returned = await work.write(lambda tx: tx.queue.take_over(name), is_pure=True)
        if returned:
            log.warning("claims of another process given back", recipients=returned)
        self._offers.open()
        self._site.hub.watch_queue(self._committed)
        self._site.hub.watch_directory(self._signer.changed)
        helpers = [
            asyncio.create_task(self._watch()),
            asyncio.create_task(self._until(stopping)),
        ]
        try:
            while not stopping.is_set():
                await self._round()
                await self._rest()
        finally:
            self._site.hub.unwatch_queue(self._committed)
            self._site.hub.unwatch_directory(self._signer.changed)
            for task in helpers:
                task.cancel()
            await self._close()

    # -- waking and sleeping

    def _committed(self) -> None:
        """There may be something new."""
        for lane in self._lanes.values():
            lane.is_dry = False
        self._commits += 1
        self._has_news = True
        self._wake.set()

    async def _until(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._wake.set()

    async def _watch(self) -> None:
        """Looks for connections that became slow, and for parcels that nobody wants to be sent any more."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self._slots.look(self._loop.time()):
                self._wake.set()
            if self._has_news:
                self._has_news = False
                await self._recall()

    async def _recall(self) -> None:
        """What was cancelled, held or paused while it waited for its turn is not sent."""
        lanes = [lane for lane in self._lanes.values() if lane.ahead]
        ahead = [id for lane in lanes for id in lane.ahead]
        if not ahead:
            return
        try:
            recalled = await self._site.work.read(lambda tx: tx.queue.recalled(ahead))
        except TryLater:
            return
        for lane in lanes if recalled else ():
            lane.drop(recalled)

    async def _rest(self) -> None:
        """Returns when there is something to do."""
        try:
            await asyncio.wait_for(self._wake.wait(), self._pause_s)
        except TimeoutError:
            for lane in self._lanes.values():
                lane.is_dry = False
        self._wake.clear()

    async def _close(self) -> None:
        lanes = list(self._lanes.values())
        await asyncio.gather(self._offers.close(), *(lane.close(GRACE_S) for lane in lanes))
        await self._books.finish()

    # -- claiming

    async def _round(self) -> None:
        """One look at the database, if there is room for anything."""
        self._lanes = {key: lane for key, lane in self._lanes.items() if not lane.is_over}
        self._served = {lane.name: lane for lane in self._lanes.values() if isinstance(lane, Lane)}
        for lane in self._lanes.values():
            lane.spread()
        wants = self._shared()
        free = self._slots.free
        self._pause_s = LONGEST_S
        if self._books.is_stuck:
            self._pause_s = AGAIN_S
            return
        commits = self._commits
        try:
            if free <= self._slots.kept and not any(wants.values()):
                self._slots.wanted, has_newcomers = await self._waiting(list(wants))
                if not free or not has_newcomers:
                    return
            found = await self._look(wants, free)
        except TryLater as reason:
            log.warning("nothing can be claimed", reason=str(reason))
            self._pause_s = AGAIN_S
            return
        self._slots.wanted = found.waiting
        self._share_out(found, wants, is_all=commits == self._commits)
        if found.next_at is not None:
            left = found.next_at - self._site.now()
            self._pause_s = min(LONGEST_S, left if left > 0 else AGAIN_S)

    def _shared(self) -> dict[DestinationId, int]:
        """How many parcels each lane gets now, MOST in all: who had none the last time comes first."""
        wants = dict.fromkeys(self._lanes, 0)
        left = MOST
        for key, lane in list(self._lanes.items()):
            if left <= 0:
                break
            if most := min(lane.wants, left):
                wants[key] = most
                left -= most
                self._lanes[key] = self._lanes.pop(key)  # to the end
        return wants

    @property
    def _most_doubtful(self) -> int:
        """How many destinations more may be served that failed the last time."""
        doubtful = sum(1 for lane in self._lanes.values() if lane.is_doubtful)
        return max(0, self._limits.connections // 2 - doubtful)

    async def _waiting(self, served: list[DestinationId]) -> tuple[int, bool]:
        """How many destinations wait for their first connection, WAITING at most; whether there are newcomers."""
        now, most_doubtful = int(self._site.now()), self._most_doubtful

        def look(tx: Read) -> tuple[int, bool]:
            waiting = _fresh(tx, now, served, WAITING, most_doubtful)
            return len(waiting), bool(tx.queue.newcomers(now - NEW_S, now, 1, served))

        return await self._site.work.read(look)

    async def _look(self, wants: Mapping[DestinationId, int], free: int) -> Round:
        most_doubtful = self._most_doubtful
        room, kept = self._room(), self._slots.kept

        def look(tx: Write) -> Round:
            first = max(0, free - kept)
            found = _fresh(tx, tx.now, list(wants), first + WAITING, most_doubtful)
            fresh = found[:first]
            served = [*wants, *(due.destination for due in fresh)]
            fresh += tx.queue.newcomers(tx.now - NEW_S, tx.now, free - len(fresh), served)
            claimed = tx.queue.claim(
                [(due.destination, 1) for due in fresh]
                + [(key, most) for key, most in wants.items() if most]
            )
            busy = [key for key, most in wants.items() if not most]
            data, next_at = _contents(tx, claimed, room), tx.queue.next_due(busy)
            begun = {due.destination for due in fresh}
            waiting = sum(1 for due in found if due.destination not in begun)
            return Round(fresh, waiting, claimed, data, next_at)

        return await self._site.work.write(look, is_pure=True, is_patient=True)

    def _share_out(self, found: Round, wants: Mapping[DestinationId, int], *, is_all: bool) -> None:
        """Gives each lane what was claimed for it; is_all: nothing was committed since."""
        parcels: dict[DestinationId, list[Parcel]] = {}
        for claimed, data in zip(found.claimed, found.data, strict=True):
            of_it = parcels.setdefault(claimed.destination, [])
            for start in range(0, len(claimed.recipients), self._limits.recipients):
                part = claimed.recipients[start : start + self._limits.recipients]
                of_it.append(Parcel(claimed._replace(recipients=part), data))
        for due in found.fresh:
            lane = self._lanes[due.destination] = self._lane(due)
            if isinstance(lane, Lane):
                self._served[due.name] = lane
        for key, most in wants.items():
            if is_all and len(parcels.get(key, ())) < most:
                self._lanes[key].is_dry = True
        for key, some in parcels.items():
            self._lanes[key].put(some)

    def _room(self) -> int:
        """Octets of content that may be held beside what is held."""
        return self._limits.memory - sum(lane.held for lane in self._lanes.values())

    def _give_back(self, recipients: Sequence[QueuedRecipient]) -> None:
        self._books.note(Entry(given_back(recipients, int(self._site.now()))))

    def _lane(self, due: Due) -> Lane | Release:
        return Release(self._desk, due) if due.name == LOCAL else Lane(self._desk, due)


def _fresh(
    tx: Read, now: int, served: list[DestinationId], free: int, most_doubtful: int
) -> list[Due]:
    """At most *free* destinations that are due and not *served*, of which so many failed the last time."""
    fresh: list[Due] = []
    passed: list[DestinationId] = []
    while len(fresh) < free:
        wanted = free - len(fresh)
        seen = [*served, *passed, *(due.destination for due in fresh)]
        page = tx.queue.due(now, wanted, seen)
        for due in page:
            if due.failures and not most_doubtful:
                passed.append(due.destination)
                continue
            most_doubtful -= bool(due.failures)
            fresh.append(due)
        if len(page) < wanted:
            break
    return fresh


def _contents(tx: Write, claimed: Sequence[Claimed], room: int) -> list[Data]:
    """The octets of small messages, as many as there is *room* for."""
    data: list[Data] = []
    for one in claimed:
        message = one.queued
        if message.size > min(INLINE, room):
            data.append(None)
            continue
        try:
            data.append(small(tx, message))
            room -= message.size
        except (Corrupt, Expunged):
            data.append(
                None
            )  # it is read again when it is its turn, and what is wrong is told then
    return data
