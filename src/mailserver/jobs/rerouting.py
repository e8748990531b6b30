"""Mail that waits goes where it would go today: when routes or smarthosts change, and when a worker begins to lead.

Spec: RFC 5321 §5.1.  Status: complete.
"""

import asyncio

from mailserver.base.ids import RecipientId
from mailserver.base.log import Log
from mailserver.jobs.registry import Site, service
from mailserver.mta.nexthop import Hops
from mailserver.mta.route import hops
from mailserver.mta.ways import again
from mailserver.store.tx import Read, Write

SLICE = 500  #: recipients looked at in one write job
PAUSE_S = 0.05  #: between two of them

log = Log("queue")


@service("rerouting")
async def reroute_mail(site: Site, stopping: asyncio.Event) -> None:
    """Follows the routes until *stopping*."""
    changed = asyncio.Event()
    site.hub.watch_directory(changed.set)
    ending = asyncio.create_task(_set_at_end(stopping, changed))
    known: tuple[Hops, frozenset[str]] | None = None
    try:
        while not stopping.is_set():
            now = await site.work.read(lambda tx: _what_counts(tx, site.smarthost))
            if now != known:
                moved = await reroute_all(site)
                known = now
                if moved:
                    log.info("mail goes another way", recipients=moved)
            await changed.wait()
            changed.clear()
    finally:
        site.hub.unwatch_directory(changed.set)
        ending.cancel()


def _what_counts(tx: Read, smarthost: str) -> tuple[Hops, frozenset[str]]:
    """All that a destination depends on: next hops, and which domains are ours."""
    return hops(tx, smarthost), frozenset(domain.name for domain in tx.domains.list())


async def reroute_all(site: Site) -> int:
    """How many recipients got another destination."""
    after: RecipientId | int | None = 0
    moved = 0
    while after is not None:
        start = after

        def job(tx: Write, start: int = start) -> tuple[int, RecipientId | None]:
            where = again(tx, site.smarthost, site.hostname)
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
