"""The text index is kept up to date beside everything else: a little work, then as long a rest.

While others use the store it works in short pieces and rests longer: they wait for answers, and who searches
meanwhile is served all the same.
"""

import asyncio
import threading
import time

from mailserver.base.log import Log
from mailserver.jobs.feeder import SLICE_S, Feeder
from mailserver.jobs.registry import Site, service
from mailserver.servers.work import Work
from mailserver.store.sidefile import DAMAGED, PASSING

IDLE_S = 1.0  #: between two looks for something new
AGAIN_S = 30.0  #: after trouble with the disk
LONGEST_REST_S = 1.0
BUSY = 5  #: jobs of the store a second from which on somebody waits for answers
SHORT_S = 0.02  #: about how long a piece of work is then
PATIENCE = 9  #: how many times longer than its work it rests then
LOOKS = 10  #: how many times longer than a look at all accounts the rest after it is

log = Log("search")


@service("index")
async def feed_index(site: Site, stopping: asyncio.Event) -> None:
    """Feed `search.db` as long as this worker leads."""
    over = threading.Event()
    feeder = Feeder(
        site.store,
        site.limits.search,
        lambda: stopping.is_set() or over.is_set(),
        reads_attachments=site.reads_attachments,
    )
    pace = _Pace(site.work)
    try:
        while not stopping.is_set():
            await _pause(stopping, await _work(site, feeder, pace))
    finally:
        over.set()
        await site.work.thread(feeder.close)


class _Pace:
    """Whether others use the store: by the store's jobs since it was asked the last time."""

    __slots__ = ("_at", "_jobs", "_work")

    def __init__(self, work: Work) -> None:
        self._work, self._jobs, self._at = work, work.handed, time.monotonic()

    def is_busy(self) -> bool:
        """More than BUSY jobs a second."""
        jobs, now = self._work.handed, time.monotonic()
        is_busy = jobs - self._jobs > BUSY * (now - self._at)
        self._jobs, self._at = jobs, now
        return is_busy


async def _work(site: Site, feeder: Feeder, pace: _Pace) -> float:
    """Seconds to wait after a piece of work."""
    start = time.monotonic()
    try:
        is_more = await site.work.thread(feeder.some)
    except DAMAGED as error:
        log.warning("the text index was damaged and is made anew", reason=str(error))
        return IDLE_S
    except PASSING as error:
        log.warning("the text index must wait", reason=str(error))
        return AGAIN_S
    took = time.monotonic() - start
    if not is_more:
        return max(IDLE_S, LOOKS * took)
    if pace.is_busy():
        feeder.slice_s = SHORT_S
        return PATIENCE * took
    feeder.slice_s = SLICE_S
    return min(LONGEST_REST_S, took)


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
