"""The checks that ask the DNS about a client and its mail: each is made once for as long as the answers hold.

Spec: RFC 7208 §4.6.4, §7.2; RFC 6376 §6.1.2; RFC 9989 §4.10; RFC 8601 §2.7.3.  Status: complete.

Most mail comes from few hosts and few domains.  What a check says follows from what it is asked and from the answers of
the DNS alone, so while all of these hold it would say the same again.
"""

import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

from mailserver.base.limits import Limits
from mailserver.mailauth.dkim.record import Keys, look_up
from mailserver.mailauth.dmarc.discover import Discovery, discover, organizations
from mailserver.mailauth.iprev import IprevResult, iprev
from mailserver.mailauth.lasting import Lasting
from mailserver.mailauth.resolver import Resolver
from mailserver.mailauth.spf.client import Address
from mailserver.mailauth.spf.identity import check_helo, check_sender
from mailserver.mailauth.spf.result import SpfResult
from mailserver.servers.begun import Begun, Done, begin

K = TypeVar("K")
T = TypeVar("T")


class Remembered(Generic[K, T]):
    """Results of one kind of check, by what was asked; what nobody has asked for longest goes first."""

    def __init__(
        self,
        resolver: Resolver,
        most: int,
        clock: Callable[[], float],
        is_kept: Callable[[T], bool] = lambda result: True,
    ) -> None:
        """most: results.    clock: in seconds.    is_kept: whether a result is the same for all who ask the same."""
        self._resolver = resolver
        self._most = most
        self._clock = clock
        self._is_kept = is_kept
        self._known: dict[K, tuple[Done[T], float]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def known(self, asked: K) -> Done[T] | None:
        """What was said of *asked*, if that still holds."""
        known = self._known.pop(asked, None)
        if known is None or known[1] <= self._clock():
            return None
        self._known[asked] = known  # at the end of the line
        return known[0]

    def begin(self, asked: K, check: Callable[[Resolver], Coroutine[Any, Any, T]]) -> Begun[T]:
        """What *check* says of *asked*."""
        return begin(self._made(asked, check, Lasting(self._resolver, self._clock)))

    async def _made(
        self, asked: K, check: Callable[[Resolver], Coroutine[Any, Any, T]], resolver: Lasting
    ) -> T:
        result = await check(resolver)
        if self._most and self._is_kept(result):
            self._known.pop(asked, None)
            if len(self._known) >= self._most:
                del self._known[next(iter(self._known))]
            self._known[asked] = Done(result), resolver.until
        return result


class Checks:
    """All of them, for one process."""

    def __init__(
        self,
        resolver: Resolver,
        limits: Limits,
        hostname: str,
        now: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """hostname: ours.    now: UTC epoch seconds; both for explanations of domains.    clock: never steps back."""
        self._limits = limits
        self._hostname = hostname
        self._now = now
        most = limits.authentication.remembered
        self._iprev = Remembered[Address, IprevResult](resolver, most, clock)
        self._spf = Remembered[tuple[bytes, str, str], SpfResult](
            resolver, most, clock, lambda result: not result.is_personal
        )
        self._keys = Remembered[str, Keys](resolver, most, clock)
        self._policies = Remembered[str, Discovery](resolver, most, clock)
        self._organizations = Remembered[tuple[str, str, tuple[str, ...]], dict[str, str | None]](
            resolver, most, clock
        )

    def iprev(self, ip: Address) -> Begun[IprevResult]:
        """Whether *ip* has a name that leads back to it."""
        most = self._limits.spf.names
        return self._iprev.known(ip) or self._iprev.begin(
            ip, lambda resolver: iprev(resolver, ip, most=most)
        )

    def helo(self, ip: Address, name: str) -> Begun[SpfResult]:
        """Whether *ip* may call itself *name*."""
        asked = (ip.packed, name, "helo")
        return self._spf.known(asked) or self._spf.begin(
            asked,
            lambda resolver: check_helo(
                resolver,
                ip,
                name,
                limits=self._limits.spf,
                receiver=self._hostname,
                now=self._now(),
            ),
        )

    def sender(self, ip: Address, sender: str, helo: str) -> Begun[SpfResult]:
        """Whether *ip*, which calls itself *helo*, may send as *sender*; "" is the null one."""
        domain = sender.rpartition("@")[2] if sender else helo  # RFC 7208 §2.4
        asked = (ip.packed, domain, "mailfrom")
        return self._spf.known(asked) or self._spf.begin(
            asked,
            lambda resolver: check_sender(
                resolver,
                ip,
                sender,
                helo,
                limits=self._limits.spf,
                receiver=self._hostname,
                now=self._now(),
            ),
        )

    def key(self, name: str) -> Begun[Keys]:
        """The DKIM key that is published as *name*."""
        return self._keys.known(name) or self._keys.begin(
            name, lambda resolver: look_up(resolver, name, self._limits.dkim)
        )

    def policy(self, domain: str) -> Begun[Discovery]:
        """What is published for mail from *domain*."""
        return self._policies.known(domain) or self._policies.begin(
            domain, lambda resolver: discover(resolver, domain)
        )

    def organizations(
        self, found: Discovery, domains: Sequence[str]
    ) -> Begun[dict[str, str | None]]:
        """Whose *domains* are, as far as that matters for mail from `found.domain`."""
        asked = (found.domain, found.organization, tuple(domains))
        return self._organizations.known(asked) or self._organizations.begin(
            asked, lambda resolver: organizations(resolver, found, domains)
        )
