"""MTA-STS policies are fetched anew before they run out.

Spec: RFC 8461 §10.2.  Status: complete.
"""

from mailserver.base.log import Log
from mailserver.jobs.registry import Site, job

log = Log("jobs")


@job("mta-sts", every_s=3_600, first_s=300)
async def refresh_policies(site: Site) -> None:
    """Look at all that are kept; each is fetched once a day at most."""
    fetched = await site.ways.policies.refresh()
    if fetched:
        log.info("MTA-STS policies fetched anew", policies=fetched)
