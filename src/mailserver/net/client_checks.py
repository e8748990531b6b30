"""Who a client is, as the DNS tells in time: SPF of its sender and of its own name, and the names of its address.

Spec: RFC 7208 §4.6.4 (the time that a check may take, and what it ends in); RFC 8601 §2.7.3.  Status: complete.
"""

import asyncio
from collections.abc import Awaitable
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from mailserver.base.limits import SpfLimits
from mailserver.mailauth import iprev
from mailserver.mailauth.iprev import IprevResult
from mailserver.mailauth.resolver import Resolver
from mailserver.mailauth.spf.identity import check_helo, check_sender
from mailserver.mailauth.spf.names import a_labels
from mailserver.mailauth.spf.result import Identity, SpfResult


class ClientChecks(NamedTuple):
    """Asks about clients.  receiver: our name, for explanations."""

    resolver: Resolver
    limits: SpfLimits
    receiver: str

    async def sender(
        self, ip: IPv4Address | IPv6Address, sender: str, helo: str, now: float
    ) -> SpfResult:
        """SPF of MAIL FROM; "" is the null sender, for which *helo* answers.  "temperror" when time is over."""
        asking = check_sender(
            self.resolver,
            ip,
            sender,
            helo,
            limits=self.limits,
            receiver=self.receiver,
            now=now,
        )
        domain = sender.rpartition("@")[2] or helo
        return await self._in_time(asking, domain, "mailfrom")

    async def helo(self, ip: IPv4Address | IPv6Address, helo: str, now: float) -> SpfResult:
        """SPF of the name that a client gives itself.  "temperror" when time is over."""
        asking = check_helo(
            self.resolver, ip, helo, limits=self.limits, receiver=self.receiver, now=now
        )
        return await self._in_time(asking, helo, "helo")

    async def iprev(self, ip: IPv4Address | IPv6Address) -> IprevResult:
        """Whether a name of *ip* leads back to it.  "temperror" when time is over."""
        try:
            async with asyncio.timeout(self.limits.total_s):
                return await iprev.iprev(self.resolver, ip, most=self.limits.names)
        except TimeoutError:
            return IprevResult("temperror", f"the DNS took more than {self.limits.total_s:g} s")

    async def _in_time(
        self, asking: Awaitable[SpfResult], domain: str, identity: Identity
    ) -> SpfResult:
        try:
            async with asyncio.timeout(self.limits.total_s):
                return await asking
        except TimeoutError:
            reason = f"the DNS took more than {self.limits.total_s:g} s"
            return SpfResult("temperror", reason, a_labels(domain), identity=identity)
