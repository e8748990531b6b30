"""What was remembered for a time is forgotten: what primary servers said, senders, what Sieve scripts saw."""

import asyncio

from mailserver.jobs.registry import Site, job
from mailserver.mta.srs import MAX_AGE
from mailserver.store.tx import Write

MOST = 500  #: in one transaction
PAUSE_S = 0.1
DAY_S = 86_400


@job("forgetting", every_s=3_600, first_s=300)
async def forget(site: Site) -> None:
    """Drops it, in slices."""
    now, limits = int(site.now()), site.limits.callout
    senders = now - (MAX_AGE + 1) * DAY_S

    def slice_of(tx: Write) -> int:
        """How much of the longest of them was dropped."""
        return max(
            tx.callouts.forget(is_known=True, before=now - limits.stale_s, most=MOST),
            tx.callouts.forget(is_known=False, before=now - int(limits.unknown_s), most=MOST),
            tx.senders.forget(senders, MOST),
            tx.sieve_memory.forget(now, MOST),
        )

    while await site.work.write(slice_of, is_pure=True) == MOST:
        await asyncio.sleep(PAUSE_S)
