"""The text index is kept up to date beside everything else: a little work, then a rest; see `pace`.

While others use the store it works in short pieces: they wait for answers, and who searches meanwhile is served all
the same.
"""

import asyncio
import threading
import time

from mailserver.base.log import Log
from mailserver.jobs.feeder import MOST, SLICE_S, Feeder
from mailserver.jobs.pace import Pace, Processors
from mailserver.jobs.registry import Site, service
from mailserver.store.sidefile import DAMAGED, PASSING

IDLE_S = 1.0  #: between two looks for something new
AGAIN_S = 30.0  #: after trouble with the disk
SHORT_S = 0.02  #: processor time that a piece of work takes for reading while others need it
RUSHED = 100  #: messages whose texts a piece takes while mail comes in fast; the rest after it is the shorter
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
    pace = Pace(lambda: site.work.handed, Processors().free)
    feeder.is_pressed = pace.is_pressed
    try:
        while not stopping.is_set():
            await _pause(stopping, await _work(site, feeder, pace))
    finally:
        over.set()
        await site.work.thread(feeder.close)


async def _work(site: Site, feeder: Feeder, pace: Pace) -> float:
    """Seconds to wait after a piece of work."""
    start = time.monotonic()
    pace.begin()
    try:
        is_more, own = await site.work.thread(lambda: _timed(feeder))
    except DAMAGED as error:
        log.warning("the text index was damaged and is made anew", reason=str(error))
        return IDLE_S
    except PASSING as error:
        log.warning("the text index must wait", reason=str(error))
        return AGAIN_S
    took = time.monotonic() - start
    rest = pace.rest(own)
    feeder.slice_s = SHORT_S if pace.is_careful else SLICE_S
    feeder.most_texts = RUSHED if pace.is_rush else MOST
    return rest if is_more else max(IDLE_S, LOOKS * took)


def _timed(feeder: Feeder) -> tuple[bool, float]:
    """Whether there may be more to do, and the processor time that some of it took."""
    start = time.thread_time()
    return feeder.some(), time.thread_time() - start


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
