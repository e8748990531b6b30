"""What left a mailbox is remembered for clients that synchronise, and forgotten where it is too much.

Spec: RFC 7162 §5.3.  Status: complete.
"""

import asyncio
from functools import partial

from mailserver.base.ids import MailboxId
from mailserver.jobs.registry import Site, job
from mailserver.store.tx import Write

MOST = 2_000  #: in one transaction
PAUSE_S = 0.1


@job("expunged", every_s=6 * 3_600, first_s=900)
async def forget_expunged(site: Site) -> None:
    """Drops the oldest tombstones of mailboxes that have more than `limits.imap.expunged_kept`, in slices."""
    keep = site.limits.imap.expunged_kept
    for mailbox in await site.work.read(lambda tx: tx.tombstones.crowded(keep)):
        while await site.work.write(partial(_slice, mailbox, keep), is_pure=True) == MOST:
            await asyncio.sleep(PAUSE_S)


def _slice(mailbox: MailboxId, keep: int, tx: Write) -> int:
    return tx.tombstones.forget(mailbox, keep, MOST)
