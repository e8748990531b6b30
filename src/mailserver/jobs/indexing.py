"""The text index is kept up to date beside everything else: a little work, then as long a rest.

While much mail comes in it rests longer: the mail must be taken now, and who searches meanwhile is served all the same.
"""

import asyncio
import threading
import time

from mailserver.base.log import Log
from mailserver.jobs.feeder import Feeder
from mailserver.jobs.registry import Site, service
from mailserver.store.sidefile import DAMAGED, PASSING

IDLE_S = 1.0  #: between two looks for something new
AGAIN_S = 30.0  #: after trouble with the disk
LONGEST_REST_S = 1.0
BUSY = 50  #: write jobs a second from which on others have much to do
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
    try:
        while not stopping.is_set():
            await _pause(stopping, await _work(site, feeder))
    finally:
        over.set()
        await site.work.thread(feeder.close)


async def _work(site: Site, feeder: Feeder) -> float:
    """Seconds to wait after a piece of work."""
    start, before = time.monotonic(), site.work.handed
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
    if site.work.handed - before > BUSY * took:
        return PATIENCE * took
    return min(LONGEST_REST_S, took)


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
