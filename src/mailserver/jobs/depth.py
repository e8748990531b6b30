"""How full the queue is, in the log once a minute while there is something in it."""

from mailserver.base.log import Log
from mailserver.jobs.registry import Site, job

log = Log("queue")


@job("depth", every_s=60, first_s=60)
async def log_depth(site: Site) -> None:
    """One line."""
    now = int(site.now())
    depth = await site.work.read(lambda tx: tx.queue.depth(now))
    if depth.messages:
        log.info(
            "queue",
            messages=depth.messages,
            oldest_s=now - depth.oldest_at if depth.oldest_at is not None else 0,
            destinations=depth.destinations,
            backing_off=depth.backing_off,
            paused=depth.paused,
            **depth.states,
        )
