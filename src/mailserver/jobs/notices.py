"""The notices that results make necessary: made beside the loop, filed with the results.

Spec: RFC 3461 §5.2, §6; RFC 5321 §4.5.4.1.  Status: complete.
"""

import asyncio
from collections.abc import Sequence

from mailserver.base.errors import Corrupt, Expunged
from mailserver.base.log import Log
from mailserver.jobs.registry import Site
from mailserver.mta import notify
from mailserver.mta.notice import Kind, Original, Recipient, Returned, is_wanted
from mailserver.mta.notify import Notice, Terms
from mailserver.store.queue_values import Queued
from mailserver.store.tx import Read, Write

AT_ONCE = (
    8  #: notices that are made at the same time: each holds what it gives back of the original
)

log = Log("queue")


class Notices:
    """Makes them for one server."""

    __slots__ = ("_site", "_terms", "_turns")

    def __init__(self, site: Site) -> None:
        self._site = site
        self._terms = Terms(site.hostname, site.limits, site.smarthost)
        self._turns = asyncio.Semaphore(AT_ONCE)

    def are_wanted(self, kind: Kind, message: Queued, recipients: Sequence[Recipient]) -> bool:
        """Whether anybody is to be told *kind* of any of *recipients*."""
        return bool(_original(message).reader) and any(
            is_wanted(kind, one.notify) for one in recipients
        )

    async def make(
        self, kind: Kind, message: Queued, recipients: Sequence[Recipient]
    ) -> Notice | None:
        """The notice, to be filed in the job that settles *recipients*; None if nobody is to get one."""
        if not self.are_wanted(kind, message, recipients):
            return None
        original = _original(message)
        async with self._turns:
            given_back = await self._returned(kind, original, message)
            now = int(self._site.now())
            return await self._site.work.thread(
                lambda: notify.prepare(
                    kind,
                    original,
                    recipients,
                    given_back,
                    self._terms,
                    id=self._site.token(),
                    now=now,
                )
            )

    def file_now(
        self, tx: Write, kind: Kind, message: Queued, recipients: Sequence[Recipient]
    ) -> None:
        """Makes and files the notice in the job that found out that there is one."""
        if not self.are_wanted(kind, message, recipients):
            return
        original = _original(message)
        notice = notify.prepare(
            kind,
            original,
            recipients,
            self._read(tx, kind, original, message),
            self._terms,
            id=self._site.token(),
            now=tx.now,
        )
        if notice is not None:
            notice.file(tx)

    async def _returned(self, kind: Kind, original: Original, message: Queued) -> Returned:
        """What comes back of the message; nothing of one that cannot be read any more."""
        try:
            return await self._site.work.read(lambda tx: self._read(tx, kind, original, message))
        except (Corrupt, Expunged) as error:
            log.error("the original of a notice cannot be read", queued=message.id, error=error)
            return Returned(b"", is_whole=False)

    def _read(self, tx: Read, kind: Kind, original: Original, message: Queued) -> Returned:
        def read(offset: int, length: int) -> bytes:
            return _octets(tx, message, offset, length)

        return notify.returned(kind, original, message.size, read, self._site.limits)


def _original(message: Queued) -> Original:
    return Original(
        message.trace,
        message.sender,
        message.created_at,
        message.notices_to,
        message.ret,
        message.envid,
        message.message_id,
        message.subject,
        message.needs_tls,
    )


def _octets(tx: Read, message: Queued, offset: int, length: int) -> bytes:
    """Of the message as it leaves."""
    if message.blob is None:
        raise Expunged("The message is no longer there.")
    start = message.prefix[offset : offset + length]
    if len(start) == length:
        return start
    at = max(0, offset - len(message.prefix)) + message.skip
    return start + tx.blobs.read(message.blob, at, length - len(start))
