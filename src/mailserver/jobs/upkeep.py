"""The database file: free pages go back to the disk, in slices that nobody notices.

There is no ANALYZE: the plans that the tests have proved are the plans that run, on every installation.
"""

import asyncio

from mailserver.base.log import Log
from mailserver.jobs.registry import Site, job

FREE_PAGES = 2_000  #: fewer than this are kept: the next messages will want them
SLICE = 256  #: pages moved while others wait for the write turn; 2 MiB
PAUSE_S = 0.25
LONGEST_S = 600.0  #: of one run; the rest next time

log = Log("jobs")


@job("vacuum", every_s=3_600, first_s=600)
async def vacuum(site: Site) -> None:
    """Give free pages back to the file system, all but FREE_PAGES."""
    until = site.now() + LONGEST_S
    freed = 0
    while site.now() < until:
        free = await site.work.read(lambda tx: tx.upkeep.free_pages())
        if free <= FREE_PAGES:
            break
        count = min(SLICE, free - FREE_PAGES)
        await site.work.write(lambda tx, n=count: tx.upkeep.vacuum(n))  # type: ignore[misc]
        freed += count
        await asyncio.sleep(PAUSE_S)
    if freed:
        log.info("database shortened", pages=freed)
