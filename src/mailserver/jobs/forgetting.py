"""What was remembered for a time is forgotten: answers of primary servers, senders of what was passed on."""

from mailserver.jobs.registry import Site, job
from mailserver.mta.srs import MAX_AGE

MOST = 500  #: in one transaction
DAY_S = 86_400


@job("forgetting", every_s=3_600, first_s=300)
async def forget(site: Site) -> None:
    """Drops it, in slices."""
    now = int(site.now())
    answers, senders = now - site.limits.callout.stale_s, now - (MAX_AGE + 1) * DAY_S
    while await site.work.write(lambda tx: tx.callouts.forget(answers, MOST), is_pure=True) == MOST:
        pass
    while await site.work.write(lambda tx: tx.senders.forget(senders, MOST), is_pure=True) == MOST:
        pass
