"""Mail for domains that we are the backup of: taken only for addresses that their primary servers know.

Spec: RFC 5321 §3.6.1, §6.2 (nothing is accepted that would only have to be returned).  Status: complete.

What a primary server said is remembered in the database, for all processes and for the time when it is down.  Nothing
known and nobody to ask: the client is to try again later.
"""

from collections import OrderedDict
from typing import Protocol

from mailserver.base.limits import CalloutLimits
from mailserver.directory.addresses import fold
from mailserver.directory.resolve import Why
from mailserver.mta.route import NoRoute, Route, for_primary
from mailserver.net.callout import Verdict
from mailserver.servers.work import Work
from mailserver.smtp.address import Address
from mailserver.store.tx import Write
from mailserver.store.values import Callout

SIZE = 10_000  #: addresses of whom nothing could be found out, remembered for a moment


class Asks(Protocol):
    """Who asks primary servers (`net/callout.py`)."""

    async def ask(self, address: str, domain: str) -> Verdict:
        """What they say of *address*."""


class Backup:
    """What one process knows of the addresses in backup domains."""

    __slots__ = ("_asks", "_hostname", "_limits", "_undecided", "_work")

    def __init__(self, work: Work, asks: Asks, limits: CalloutLimits, hostname: str) -> None:
        self._work = work
        self._asks = asks
        self._limits = limits
        self._hostname = hostname
        self._undecided: OrderedDict[str, float] = OrderedDict()  # until when nobody is asked again

    async def route(self, address: Address, now: float) -> Route | NoRoute:
        """Where mail for *address* goes, at *now*, UTC epoch seconds.  Raises MailError."""
        key = str(Address(fold(address.localpart), address.domain))
        known = await self._work.read(lambda tx: tx.callouts.find(key))
        limits = self._limits
        if known is not None:
            good_s = limits.known_s if known.is_known else limits.unknown_s
            if now - known.checked_at < good_s:
                return self._said(address, known.is_known, known.reply)
        if self._undecided.get(key, 0.0) > now:
            return self._nobody_says(address, known, now, "")
        verdict = await self._asks.ask(str(address), address.domain)
        is_known = verdict.is_known
        if is_known is None:
            self._undecided[key] = now + limits.undecided_s
            self._undecided.move_to_end(key)
            if len(self._undecided) > SIZE:
                self._undecided.popitem(last=False)
            return self._nobody_says(address, known, now, str(verdict.reply))
        reply = str(verdict.reply)

        def remember(tx: Write) -> None:
            tx.callouts.put(key, is_known=is_known, reply=reply)

        await self._work.write(remember, is_pure=True)
        return self._said(address, is_known, reply)

    def _nobody_says(
        self, address: Address, known: Callout | None, now: float, reply: str
    ) -> Route | NoRoute:
        """Who is known to have existed gets his mail; nobody else is accepted, nor refused for good."""
        if known is not None and known.is_known and now - known.checked_at < self._limits.stale_s:
            return self._said(address, True, known.reply)
        said = (
            f"its primary servers cannot be asked now, try again later ({reply})" if reply else ""
        )
        return NoRoute(Why.BACKUP, said)

    def _said(self, address: Address, is_known: bool, reply: str) -> Route | NoRoute:
        if is_known:
            return for_primary(address, self._hostname)
        return NoRoute(Why.UNKNOWN, f"no such user, its server says: {reply}")
