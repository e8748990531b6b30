"""The workers' counters agree: about once a second each tells the others, by way of `cache.db`, what it has counted."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from mailserver.base.errors import MailError
from mailserver.base.log import Log
from mailserver.base.window import SLICES
from mailserver.mta.rates import PERIODS_S, Counter, Rates
from mailserver.servers.guard import Guard
from mailserver.servers.hub import Hub
from mailserver.servers.work import Work
from mailserver.store.rates import Count, News, RateFile
from mailserver.store.sidefile import DAMAGED, PASSING

EVERY_S = 1.0
MOST = 5_000  #: counts told at once; the rest a second later
SLICE = 500  #: counts taken in before others get the loop
TELL_S = 60.0  #: between two lines in the log about trouble


async def watch_overrides(work: Work, hub: Hub, rates: Rates) -> None:
    """The limits of single accounts and domains hold now, and are read again whenever the directory changes."""

    has_changed = True
    reading: asyncio.Task[None] | None = None  # the loop itself keeps no task alive

    async def read() -> None:
        nonlocal has_changed
        while has_changed:
            has_changed = False
            try:
                rates.override(await work.read(lambda tx: tx.rate_overrides.all()))
            except MailError as error:
                Log("rates").warning("limits of accounts not read", reason=str(error))

    def changed() -> None:
        nonlocal has_changed, reading
        has_changed = True
        if reading is None or reading.done():
            reading = asyncio.get_running_loop().create_task(read())

    hub.watch_directory(changed)
    await read()


class Exchange:
    """One worker's part in it."""

    def __init__(
        self, data_dir: Path, work: Work, rates: Rates, guard: Guard, now: Callable[[], float]
    ) -> None:
        self._file = RateFile(data_dir, rates.limits.size)
        self._work = work
        self._rates = rates
        self._guard = guard
        self._now = now
        self._change = 0
        self._task: asyncio.Task[None] | None = None
        self._log = Log("rates")
        self._told_at = -TELL_S

    def start(self) -> None:
        """Begin, in the running loop."""
        self._task = asyncio.create_task(self._repeat())

    async def stop(self) -> None:
        """Tell the others a last time, and end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
            await self.once()
        await self._work.thread(self._file.close)

    async def once(self) -> bool:
        """Tell and hear what is new; False when the file cannot be used at the moment."""
        told = self._rates.take_pending(MOST)
        known = self._guard.take_pending()
        counts = [
            Count(*counter, slot, n, _until(counter, slot)) for (counter, slot), n in told.items()
        ]
        now, since = int(self._now()), self._change
        try:
            news = await self._work.thread(lambda: self._file.exchange(counts, known, since, now))
        except (*DAMAGED, *PASSING) as error:
            self._rates.put_back(told)
            self._complain(error)
            return False
        await self._take_in(news)
        return True

    async def _repeat(self) -> None:
        while True:
            try:
                await self.once()
            except Exception as error:  # a bug of ours: limits go on without the others
                if self._may_tell():
                    self._log.error("bug", error=error)
            await asyncio.sleep(EVERY_S)

    async def _take_in(self, news: News) -> None:
        self._change = news.change
        for start in range(0, len(news.counts), SLICE):
            for kind, name, measure, period, slot, n, _ in news.counts[start : start + SLICE]:
                if period in PERIODS_S:
                    self._rates.put(Counter(kind, name, measure, period), slot, n)
            await asyncio.sleep(0)
        self._guard.put(news.known)

    def _complain(self, error: Exception) -> None:
        if self._may_tell():
            self._log.warning("workers cannot compare their counts", reason=str(error))

    def _may_tell(self) -> bool:
        """Whether the last line about trouble is old enough for another."""
        now = asyncio.get_running_loop().time()
        if now - self._told_at < TELL_S:
            return False
        self._told_at = now
        return True


def _until(counter: Counter, slot: int) -> int:
    """When a slice is of no use any more."""
    return int((slot + SLICES + 1) * PERIODS_S[counter.period] / SLICES) + 1
