"""Answers of primary servers that are too old to be of use are forgotten."""

from mailserver.jobs.registry import Site, job

MOST = 1_000  #: in one transaction


@job("callouts", every_s=3_600, first_s=300)
async def forget_callouts(site: Site) -> None:
    """Drops them, in slices."""
    before = int(site.now() - site.limits.callout.stale_s)
    while await site.work.write(lambda tx: tx.callouts.forget(before, MOST), is_pure=True) == MOST:
        pass
