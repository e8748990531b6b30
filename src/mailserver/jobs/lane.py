"""A destination that is being served: what was claimed for it, and the connections that carry it there.

Spec: RFC 5321 §4.5.4.1 (one host's trouble delays nobody else).  Status: complete.

Each connection is one task, a *courier* (`jobs/courier.py`).  As long as no host was reached there is one courier with
one parcel; then as many couriers as the destination's width.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Iterable

from mailserver.base.ids import RecipientId
from mailserver.base.log import Log
from mailserver.jobs.courier import Courier
from mailserver.jobs.desk import Desk
from mailserver.jobs.outcomes import Outcomes, of_try
from mailserver.jobs.parcels import Parcel, split
from mailserver.jobs.reaching import Try, Unreached
from mailserver.mta.relay import Kind, NextHop, next_hop
from mailserver.mta.schedule import Width
from mailserver.store.queue_claiming import Due

AHEAD = 10  #: parcels that are claimed ahead for each connection
REFUSED_AT_ONCE = 100  #: parcels that are claimed only to be told what the one before was told


class Lane:
    """One destination.

    failures: attempts in a row that reached no host, before this lane.
    is_dry:   it was asked for more than there was; nothing more is due now.
    promised: parcels that may come straight from whoever accepts them (`jobs/offers.py`).
    """

    def __init__(self, desk: Desk, due: Due) -> None:
        self.desk = desk
        self.destination = due.destination
        self.name = due.name
        self.failures = due.failures
        self.hop = _hop(due.name, desk.site.ways.port)
        self.outcomes = Outcomes(desk, due.destination)
        self.is_dry = False
        self.promised = 0
        self.log = Log("queue", destination=due.name)
        self._width = Width(desk.site.limits.queue)
        self._ready: deque[Parcel] = deque()
        self._couriers: set[Courier] = set()
        self._idle: dict[asyncio.Future[None], float] = {}  # who waits -> until when
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = 0.0
        self._roused: set[asyncio.Future[None]] = set()  # of those who waited: no parcel taken yet
        self._was_reached = False
        self._verdict: Try | None = None  # the destination takes no mail at all
        self._is_resting = False
        self._is_closing = False

    # -- what the queue's runner asks

    @property
    def is_over(self) -> bool:
        """Nothing is under way any more."""
        refuses = self._verdict is not None and not self.is_dry and not self._is_closing
        return not (self._couriers or self._ready or self.promised or refuses)

    @property
    def is_doubtful(self) -> bool:
        """It failed the last time, and no host was reached since."""
        return self.failures > 0 and not self._was_reached

    @property
    def held(self) -> int:
        """Octets of its parcels in memory."""
        return sum(p.held for p in self._ready) + sum(c.held for c in self._couriers)

    @property
    def ahead(self) -> list[RecipientId]:
        """Those that were claimed and wait for their turn."""
        return [recipient.id for parcel in self._ready for recipient in parcel.recipients]

    def drop(self, recalled: Collection[RecipientId]) -> None:
        """Nobody wants these to be sent any more."""
        self._ready, dropped = split(self._ready, recalled)
        self.outcomes.give_back(dropped)

    @property
    def wants(self) -> int:
        """How many parcels more it would take now."""
        if self._is_resting or self._is_closing or self.is_dry:
            return 0
        if self._verdict is not None:
            return REFUSED_AT_ONCE
        if not self._was_reached:
            return 0
        depth = self._width.connections * AHEAD
        return depth - len(self._ready) if len(self._ready) <= depth // 2 else 0

    @property
    def room(self) -> int:
        """How many parcels more would leave soon, were they here now."""
        if self._is_resting or self._is_closing or not self._was_reached:
            return 0
        if not self._couriers and not self.desk.slots.free:
            return 0
        return self._width.connections * AHEAD - len(self._ready) - self.promised

    def put(self, parcels: list[Parcel]) -> None:
        """They were claimed for this destination."""
        if self._is_resting or self._is_closing:
            self.outcomes.give_back(parcels)
        elif self._verdict is not None:
            self._tell_all(parcels, self._verdict)
        else:
            self._ready.extend(parcels)
            self._rouse(len(parcels))
            self.spread()

    def spread(self) -> None:
        """Begin as many connections as there is work for, and leave to make them."""
        if self._is_resting or self._is_closing:
            return
        allowed = self._width.connections if self._was_reached else 1
        beginning = sum(1 for courier in self._couriers if not courier.is_connected)
        work = len(self._ready) - beginning - len(self._roused)
        slots = self.desk.slots
        while work > 0 and len(self._couriers) < allowed:
            if (slots.to_spare if self._couriers else slots.free) <= 0:
                break
            courier = Courier(self, slots.take())
            self._couriers.add(courier)
            courier.start()
            work -= 1

    async def close(self, grace_s: float) -> None:
        """Let couriers finish what they carry, for so long; what was not begun is given back."""
        self._is_closing = True
        self.outcomes.give_back(self._ready)
        self._ready.clear()
        self._rouse(len(self._idle))
        tasks = [courier.task for courier in self._couriers if courier.task is not None]
        for courier in self._couriers:
            courier.hurry()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # -- what couriers ask and tell

    @property
    def is_too_wide(self) -> bool:
        """It has several connections, and others wait for their first."""
        return len(self._couriers) > 1 and self.desk.slots.to_spare < 0

    def take(self) -> Parcel | None:
        """The next parcel."""
        if self._is_resting or self._is_closing or not self._ready:
            return None
        parcel = self._ready.popleft()
        if self.wants:
            self.desk.changed()
        return parcel

    def put_back(self, parcel: Parcel) -> None:
        """It was not tried; another connection takes it first."""
        if self._is_closing or self._is_resting:
            self.outcomes.give_back([parcel])
        else:
            self._ready.appendleft(parcel)
            self._rouse(1)

    async def wait(self, seconds: float) -> None:
        """Returns when there may be a parcel, or after so long."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        until = loop.time() + seconds
        self._idle[waiter] = until
        self._ring_at(until)
        try:
            await waiter
        finally:
            self._idle.pop(waiter, None)
            self._roused.discard(waiter)

    def _ring_at(self, when: float) -> None:
        """One timer for all who wait, as most wait for much less."""
        if self._timer is not None and self._rings_at > when:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._rings_at = when
            self._timer = asyncio.get_running_loop().call_at(when, self._ring)

    def _ring(self) -> None:
        """Lets those go who have waited for long enough."""
        self._timer = None
        now = asyncio.get_running_loop().time()
        for waiter, until in self._idle.items():
            if waiter.done():
                continue
            if until <= now:
                waiter.set_result(None)
            else:
                self._ring_at(until)

    def reached(self) -> None:
        """A connection stands."""
        if not self._was_reached:
            self._was_reached = True
            self.desk.changed()

    def is_back(self) -> bool:
        """Whether this is the first answer after a row of failures; asked once."""
        was_away, self.failures = self.failures > 0, 0
        return was_away

    def took(self) -> None:
        """It has taken a message."""
        self._width.rise()
        if self._ready:
            self.spread()

    def stumbled(self) -> None:
        """A connection was lost, or the destination was too busy."""
        self._width.fall()

    def unreached(self, parcel: Parcel, trouble: Unreached, seconds: float) -> None:
        """No host took a connection for *parcel*."""
        connected = sum(1 for courier in self._couriers if courier.is_connected)
        if connected:  # that was one connection too many, and no more
            self._width.cap(connected)
            self.put_back(parcel)
            return
        worst = trouble.worst
        self.log.info(
            "destination not reached",
            reason=str(worst.answer.reply),
            host=worst.host,
            failures=self.failures + 1,
        )
        parcels = [parcel, *self._ready]
        self._ready.clear()
        if worst.is_permanent:
            self._verdict = worst
        else:
            self._rest(str(worst.answer.reply))
        self._tell_all(parcels, worst, seconds)
        self.desk.changed()

    def crowded(self, why: str) -> None:
        """The destination wants less: it is left alone for a while."""
        self._width.fall()
        if not self._is_resting:
            self.log.info("destination wants less", reason=why)
            self._rest(why)
            self.outcomes.give_back(self._ready)
            self._ready.clear()
            self._rouse(len(self._idle))

    def ended(self, courier: Courier) -> None:
        """A courier is at its end."""
        self._couriers.discard(courier)
        self.spread()
        self.desk.changed()

    def _rest(self, why: str) -> None:
        self._is_resting = True
        self.outcomes.rest(self.failures + 1, why)

    def _tell_all(self, parcels: Iterable[Parcel], one: Try, seconds: float = 0.0) -> None:
        for parcel in parcels:
            self.outcomes.tell(parcel, of_try(parcel.recipients, one), seconds)

    def _rouse(self, count: int) -> None:
        while count > 0 and self._idle:
            waiter, _ = self._idle.popitem()  # the one used last: the others may go
            if not waiter.done():
                waiter.set_result(None)
                self._roused.add(waiter)
                count -= 1


def _hop(destination: str, port: int) -> NextHop:
    """What *destination* means; a name that means nothing leads nowhere, and keeps nobody else's mail back."""
    try:
        return next_hop(destination, port)
    except ValueError:
        return NextHop(Kind.NOWHERE, "", 0)
