"""Mail that waits goes where it would go today: when routes or smarthosts change, and when a worker begins to lead.

Spec: RFC 5321 §5.1.  Status: complete.
"""

import asyncio

from mailserver.base.ids import RecipientId
from mailserver.base.log import Log
from mailserver.jobs.registry import Site, service
from mailserver.mta.nexthop import Hops, choose
from mailserver.mta.route import hops
from mailserver.store.tx import Write

SLICE = 500  #: recipients looked at in one write job
PAUSE_S = 0.05  #: between two of them

log = Log("queue")


@service("rerouting")
async def reroute_mail(site: Site, stopping: asyncio.Event) -> None:
    """Follows the routes until *stopping*."""
    changed = asyncio.Event()
    site.hub.watch_directory(changed.set)
    ending = asyncio.create_task(_set_at_end(stopping, changed))
    known: Hops | None = None
    try:
        while not stopping.is_set():
            now = await site.work.read(lambda tx: hops(tx, site.smarthost))
            if now != known:
                moved = await reroute_all(site, now)
                known = now
                if moved:
                    log.info("mail goes another way", recipients=moved)
            await changed.wait()
            changed.clear()
    finally:
        site.hub.unwatch_directory(changed.set)
        ending.cancel()


async def reroute_all(site: Site, ways: Hops) -> int:
    """How many recipients got another destination."""
    ours = f"postmaster@{site.hostname}"  # sends notices, for all that routes know

    def where(sender: str, domain: str, address: str) -> str:
        return choose(ways, sender or ours, domain)

    after: RecipientId | int | None = 0
    moved = 0
    while after is not None:
        start = after

        def job(tx: Write, start: int = start) -> tuple[int, RecipientId | None]:
            acted = tx.queue.reroute(where, start, SLICE)
            return acted.number, acted.rest

        count, after = await site.work.write(job, is_pure=True)
        moved += count
        if after is not None:
            await asyncio.sleep(PAUSE_S)
    return moved


async def _set_at_end(stopping: asyncio.Event, changed: asyncio.Event) -> None:
    await stopping.wait()
    changed.set()
