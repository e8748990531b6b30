"""RCPT: where mail for an address goes, or why nobody takes it.

Spec: RFC 5321 §3.3, §4.1.1.3.  Status: complete.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from mailserver.base.errors import MailError
from mailserver.mta import route
from mailserver.mta.receive import Transaction
from mailserver.mta.route import NoRoute, Route
from mailserver.servers.smtp_rates import Toll
from mailserver.servers.smtp_taking import LATER
from mailserver.servers.stream import Stream
from mailserver.smtp import replies
from mailserver.smtp.address import literal
from mailserver.smtp.events import Recipient
from mailserver.smtp.reply import Reply

if TYPE_CHECKING:
    from mailserver.servers.smtp import Shared


class Refuse(Protocol):
    """Notes a refusal and why; gives back the reply."""

    def __call__(self, what: str, reply: Reply, **facts: object) -> Reply:
        """*what* was refused, with *facts* for the log."""


class Recipients:
    """Those of one connection.

    local: our address literal on it.      flush: sends what is to be said.
    """

    __slots__ = (
        "_flush",
        "_limits",
        "_refuse",
        "_shared",
        "_strangers",
        "_stream",
        "_toll",
        "local",
    )

    def __init__(
        self,
        shared: "Shared",
        stream: Stream,
        toll: Toll,
        refuse: Refuse,
        flush: Callable[[], Awaitable[None]],
    ) -> None:
        self.local = literal(stream.local) if stream.local else ""
        self._shared = shared
        self._limits = shared.service.limits
        self._stream = stream
        self._toll = toll
        self._refuse = refuse
        self._flush = flush
        self._strangers = 0  # that were asked for and do not exist

    def take_on(
        self, event: Recipient, transaction: Transaction
    ) -> Reply | Coroutine[Any, Any, Reply]:
        """What the client hears; nothing has to be waited for where the way was looked up a moment ago."""
        address = event.address
        if transaction.account is None and (refusal := self._toll.recipient()) is not None:
            return self._refuse("recipient rate", refusal, recipient=str(address))
        now = self._stream.loop.time()
        known = self._shared.known(transaction, address, self.local, now)
        if known is None:
            return self._look_up(event, transaction)
        return self._take_on(event, transaction, known)

    async def _look_up(self, event: Recipient, transaction: Transaction) -> Reply:
        address = event.address
        try:
            found, has_room = await self._shared.route(transaction, address, self.local)
        except MailError as error:
            return self._refuse("recipient", LATER, recipient=str(address), cause=str(error))
        if isinstance(found, NoRoute):
            reply = route.refusal(address, found)
            if reply.is_permanent and transaction.account is None:
                await self._unknown()
            return self._refuse("recipient", reply, recipient=str(address))
        return self._take_on(event, transaction, found, has_room=has_room)

    def _take_on(
        self, event: Recipient, transaction: Transaction, found: Route, *, has_room: bool = True
    ) -> Reply:
        address = event.address
        if not route.takes(found, transaction.declared):
            text = route.too_large(address, found)
            return self._refuse("recipient", text, recipient=str(address))
        if not has_room:
            return self._refuse("recipient", route.full(address), recipient=str(address))
        if transaction.account is not None and (refusal := self._toll.recipient()) is not None:
            return self._refuse("recipient rate", refusal, recipient=str(address))
        if not transaction.add_recipient(event, found, self._limits.recipients):
            return self._refuse("recipient", replies.TOO_MANY_RECIPIENTS, recipient=str(address))
        return route.accepted(address)

    async def _unknown(self) -> None:
        """A stranger has asked for somebody who does not exist: he waits, once he has done it often."""
        self._toll.unknown_recipient()
        self._strangers += 1
        if self._strangers > self._limits.refused_recipients // 2:
            await self._flush()
            await asyncio.sleep(self._limits.error_delay_s)
