"""What a crash leaves behind: files that no row names.

A message's file is complete before its row is committed, and goes after its row has gone, so that a crash in between
leaves a file and never a row without one.
"""

import threading

from mailserver.base.log import Log
from mailserver.jobs.registry import Site, job

AGE_S = 3_600.0  #: a younger file may belong to a message that is still coming; an older one has met its timeouts

log = Log("jobs")


@job("cleanup", every_s=6 * 3_600, first_s=300)
async def clean_up(site: Site) -> None:
    """Remove stray files from spool/ and blobs/."""
    over = threading.Event()
    try:
        removed = await site.work.thread(lambda: site.store.sweep(AGE_S, is_over=over.is_set))
    finally:
        over.set()
    if removed:
        log.info("stray files removed", files=removed)
