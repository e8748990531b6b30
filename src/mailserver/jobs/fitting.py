"""A message in a form that a next hop takes: 7bit where there is no 8BITMIME, without SMTPUTF8 where it needs none.

Spec: RFC 6152 §3; RFC 6531 §3.1, §3.6.  Status: complete.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import NamedTuple

from mailserver.base.errors import Cannot, MailError
from mailserver.base.limits import Limits
from mailserver.jobs.parcels import Content, Parcel, small
from mailserver.mime.downgrade import header_needs_utf8, to_7bit
from mailserver.net import smtp
from mailserver.servers.work import Work
from mailserver.smtp.client_capabilities import Capabilities
from mailserver.smtp.outgoing import Answer, Outgoing, Stage
from mailserver.smtp.reply import Reply


class Fitted(NamedTuple):
    """What goes over the wire."""

    outgoing: Outgoing
    content: smtp.Content


class Unfit(Exception):
    """The message cannot be put into a form that the next hop takes; *answer* says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.answer = Answer(Reply(554, "5.6.3", reason), Stage.MAIL, is_ours=True)


class Fitting:
    """Does it for all connections; of messages that have to be read and changed as a whole, one at a time."""

    __slots__ = ("_limits", "_turn", "_work")

    def __init__(self, work: Work, limits: Limits) -> None:
        self._work = work
        self._limits = limits
        self._turn = asyncio.Semaphore(1)

    def as_it_is(self, parcel: Parcel, capabilities: Capabilities) -> Fitted | None:
        """*parcel* for a server that takes it as it is, as nearly all do.  Raises MailError as `fit` does."""
        message = parcel.message
        if message.is_8bit and "8BITMIME" not in capabilities:
            return None
        if message.is_utf8 and "SMTPUTF8" not in capabilities:
            return None
        if isinstance(parcel.data, MailError):
            raise parcel.data
        data = parcel.data
        content = Content(self._work, message) if data is None else data
        return Fitted(parcel.outgoing(), content)

    @asynccontextmanager
    async def fit(self, parcel: Parcel, capabilities: Capabilities) -> AsyncIterator[Fitted]:
        """*parcel*, changed for a server with these *capabilities*, for as long as it is being sent.

        Raises Unfit; MailError if its content cannot be read.
        """
        outgoing, data = parcel.outgoing(), parcel.data
        if isinstance(data, MailError):
            raise data
        is_too_wide = outgoing.is_8bit and "8BITMIME" not in capabilities
        is_too_new = outgoing.is_utf8 and "SMTPUTF8" not in capabilities
        async with self._turn:
            whole = data
            if whole is None:
                whole = await self._work.read(lambda tx: small(tx, parcel.message))
            yield await self._work.thread(
                lambda: self._changed(outgoing, whole, is_too_wide, is_too_new)
            )

    def _changed(
        self, outgoing: Outgoing, data: bytes, is_too_wide: bool, is_too_new: bool
    ) -> Fitted:
        if is_too_new and not _needs_utf8(outgoing, data, self._limits):
            outgoing = replace(outgoing, is_utf8=False)
        if is_too_wide:
            try:
                conversion = to_7bit(data, self._limits.mime)
            except Cannot as reason:
                raise Unfit(f"The next server takes no 8-bit content.  {reason}") from reason
            if conversion is not None:
                data = b"".join(conversion.pieces())
            outgoing = replace(outgoing, is_8bit=False, size=len(data))
        return Fitted(outgoing, data)


def _needs_utf8(outgoing: Outgoing, data: bytes, limits: Limits) -> bool:
    """Whether an address or a header field is not ASCII (RFC 6531 §3.1)."""
    addresses = (outgoing.sender, *(recipient.address for recipient in outgoing.recipients))
    return not all(map(str.isascii, addresses)) or header_needs_utf8(data, limits.mime)
