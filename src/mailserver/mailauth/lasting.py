"""How long a finding holds: as long as each of the answers that it rests on.

Spec: RFC 1035 §3.2.1; RFC 2308 §5.  Status: complete.
"""

import math
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address
from typing import TypeVar

from mailserver.mailauth.resolver import Answer, Caa, LookupFailed, Mx, Resolver, Srv, Tlsa

T = TypeVar("T")


class Lasting:
    """A `Resolver` that has another one answer.

    until: on *clock*, when the first of the answers so far ends; in the past once a question had none.
    """

    __slots__ = ("_clock", "_resolver", "until")

    def __init__(self, resolver: Resolver, clock: Callable[[], float]) -> None:
        """*clock*: seconds since anything."""
        self._resolver = resolver
        self._clock = clock
        self.until = math.inf

    async def txt(self, name: str) -> Answer[bytes]:
        """Text."""
        return await self._noted(self._resolver.txt(name))

    async def a(self, name: str) -> Answer[IPv4Address]:
        """IPv4 addresses."""
        return await self._noted(self._resolver.a(name))

    async def aaaa(self, name: str) -> Answer[IPv6Address]:
        """IPv6 addresses."""
        return await self._noted(self._resolver.aaaa(name))

    async def mx(self, name: str) -> Answer[Mx]:
        """Mail hosts."""
        return await self._noted(self._resolver.mx(name))

    async def ptr(self, address: IPv4Address | IPv6Address) -> Answer[str]:
        """Names of an address."""
        return await self._noted(self._resolver.ptr(address))

    async def tlsa(self, name: str) -> Answer[Tlsa]:
        """What certificates must match."""
        return await self._noted(self._resolver.tlsa(name))

    async def cname(self, name: str) -> Answer[str]:
        """What a name is an alias of."""
        return await self._noted(self._resolver.cname(name))

    async def srv(self, name: str) -> Answer[Srv]:
        """Where services are."""
        return await self._noted(self._resolver.srv(name))

    async def caa(self, name: str) -> Answer[Caa]:
        """Who may issue certificates."""
        return await self._noted(self._resolver.caa(name))

    async def ns(self, name: str) -> Answer[str]:
        """Name servers."""
        return await self._noted(self._resolver.ns(name))

    async def _noted(self, answer: Awaitable[Answer[T]]) -> Answer[T]:
        ttl = 0
        try:
            found = await answer
            ttl = found.ttl
        except LookupFailed as error:
            ttl = error.ttl
            raise
        finally:
            self.until = min(self.until, self._clock() + ttl)
        return found
