"""What the queue has finished can be looked up for a while (`limits.queue.history_s`), and is then forgotten."""

import asyncio

from mailserver.base.log import Log
from mailserver.jobs.registry import Site, job

SLICE = 200  #: messages forgotten while others wait for the write turn; about 15 ms
PAUSE_S = 0.1
LONGEST_S = 300.0  #: of one run; the rest next time

log = Log("jobs")


@job("retention", every_s=600, first_s=60)
async def forget_finished(site: Site) -> None:
    """Forget finished mail of the queue and suppressions that have expired, in slices."""
    until = site.now() + LONGEST_S
    before = int(site.now() - site.limits.queue.history_s)
    messages = suppressions = 0
    while site.now() < until:
        gone = await site.work.write(lambda tx: tx.queue.forget(before, SLICE))
        expired = await site.work.write(lambda tx: tx.suppressions.forget(tx.now, SLICE))
        messages += gone
        suppressions += expired
        if max(gone, expired) < SLICE:
            break
        await asyncio.sleep(PAUSE_S)
    if messages or suppressions:
        log.info("finished mail forgotten", messages=messages, suppressions=suppressions)
