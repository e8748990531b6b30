"""Traces of mail transactions that are too old go, a slice at a time."""

import asyncio
from functools import partial

from mailserver.base.log import Log
from mailserver.jobs.registry import Site, job
from mailserver.store.traces import SLICE, forget

PAUSE_S = 0.1  #: between two slices, so that the workers' traces get in

log = Log("jobs")


@job("traces", every_s=3_600, first_s=120)
async def forget_traces(site: Site) -> None:
    """Remove traces older than `limits.traces.age_days` from log.db."""
    data_dir, limits = site.store.path.parent, site.limits.traces
    removed, count = 0, SLICE
    while count == SLICE:
        now_ms = int(site.now() * 1000)
        count = await site.work.thread(partial(forget, data_dir, limits, now_ms))
        removed += count
        await asyncio.sleep(PAUSE_S)
    if removed:
        log.info("old traces removed", traces=removed)
