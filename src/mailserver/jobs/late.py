"""Mail that has waited for long: its sender is told, and what cannot even be tried any more is given up.

Spec: RFC 5321 §4.5.4.1; RFC 3461 §6.2 (delay notices).  Status: complete.
"""

from collections.abc import AsyncIterator, Callable

from mailserver.base.ids import QueuedId
from mailserver.base.log import Log
from mailserver.jobs.notices import Notices
from mailserver.jobs.registry import Site, job
from mailserver.mta.notice import Kind, Recipient
from mailserver.mta.notify import Notice
from mailserver.store.queue_late import Found, Late
from mailserver.store.queue_values import EXPIRED, QueuedRecipient, Result
from mailserver.store.tx import Read, Write

EXPIRED_STATUS = "4.4.7"  #: of a recipient that no attempt was made for (RFC 3463 §3.5)

log = Log("queue")


@job("late", every_s=60, first_s=30)
async def tell_of_late_mail(site: Site) -> None:
    """Delay notices, and an end for what expired while its destination could not be reached."""
    notices = Notices(site)
    now = int(site.now())
    warned = given_up = 0
    async for late in _all(site, lambda tx, after: tx.queue.unwarned(now, after)):
        warned += await _warn(site, notices, late)
    async for late in _all(site, lambda tx, after: tx.queue.overdue(now, after)):
        given_up += await _give_up(site, notices, late)
    if warned or given_up:
        log.info("mail is late", warned=warned, given_up=given_up)


async def _all(site: Site, look: Callable[[Read, int], Found]) -> AsyncIterator[Late]:
    """What all looks find, one after the other."""
    after: QueuedId | int | None = 0
    while after is not None:
        start = after
        found = await site.work.read(lambda tx, start=start: look(tx, start))  # type: ignore[misc]
        for late in found.late:
            yield late
        after = found.after


async def _warn(site: Site, notices: Notices, late: Late) -> int:
    """How many recipients the sender was told of."""
    told = [_told(late, one) for one in late.recipients]
    notice = await notices.make(Kind.DELAYED, late.queued, told)
    ids = [one.id for one in late.recipients]

    def write(tx: Write) -> int:
        if len(tx.queue.still_waiting(ids)) < len(ids):
            return 0  # something has happened to them; the next look sees what is left
        tx.queue.warned(ids)
        return _file(tx, notice, len(ids))

    return await site.work.write(write, is_pure=True)


async def _give_up(site: Site, notices: Notices, late: Late) -> int:
    """How many recipients were given up."""
    told = [_told(late, one) for one in late.recipients]
    notice = await notices.make(Kind.FAILED, late.queued, told)
    ids = [one.id for one in late.recipients]

    def write(tx: Write) -> int:
        if len(tx.queue.still_waiting(ids)) < len(ids):
            return 0
        tx.queue.settle([Result(id, EXPIRED, None, None) for id in ids])
        _file(tx, notice, 0)
        return len(ids)

    return await site.work.write(write, is_pure=True)


def _file(tx: Write, notice: Notice | None, count: int) -> int:
    if notice is None:
        return 0
    notice.file(tx)
    return count


def _told(late: Late, one: QueuedRecipient) -> Recipient:
    """As a notice tells of it: what was said to the last attempt, or why there was none."""
    reply = one.reply or late.trouble.get(one.destination, "") or "There was no attempt in time."
    return Recipient(
        one.address,
        one.original,
        one.notify,
        one.status or EXPIRED_STATUS,
        0,
        reply,
        at=one.changed_at if one.attempts else None,
        retry_until=late.queued.expires_at,
    )
