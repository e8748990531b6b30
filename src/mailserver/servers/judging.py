"""Mail authentication of one connection: look-ups run beside the conversation, and come together with the content.

Spec: RFC 7208 §2.3, §2.4, §8.6; RFC 6376 §6.1; RFC 8617 §5.2; RFC 9989 §5.3; RFC 8601 §2.7.  Status: complete.

iprev begins with the connection, SPF of a name with EHLO, SPF of a sender with MAIL.  Once the content is there, keys
and policy are asked for at the same time while the body is hashed.  Whoever waits then waits for
`limits.authentication.wait_s` at most; what has no answer by then counts as a temporary error.
"""

import asyncio
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, TypeVar

from mailserver.mailauth.arc.verify import UNSEALED, ArcResult, Chain, is_unsealed
from mailserver.mailauth.dkim.message import Message
from mailserver.mailauth.dkim.outcome import DkimResult, Problem
from mailserver.mailauth.dkim.record import Keys
from mailserver.mailauth.dkim.verify import Verification
from mailserver.mailauth.dmarc.author import author, author_of
from mailserver.mailauth.dmarc.discover import Discovery
from mailserver.mailauth.iprev import IprevResult
from mailserver.mailauth.spf.result import SpfResult
from mailserver.mta.complete import header_of
from mailserver.mta.findings import Findings, Said, findings
from mailserver.servers.begun import Begun
from mailserver.servers.checks import Checks
from mailserver.servers.context import Context, within
from mailserver.smtp.address import Address
from mailserver.store.spool import Body

if TYPE_CHECKING:
    from mailserver.servers.smtp import Shared

T = TypeVar("T")

PIECE = 65_536  #: octets of a body that are hashed together
INLINE = (
    262_144  #: octets of a body that are hashed on the loop, which takes a few milliseconds at most
)
FEW = 4  #: keys whose signatures are computed on the loop

_LATE = "no answer in time"
NO_KEY = Problem("temperror", _LATE)
NO_NAME = IprevResult("temperror", _LATE)


async def judging(shared: "Shared", peer: str) -> "Judging | str":
    """Who judges the mail of a client at *peer*; or why nobody does.  Raises MailError."""
    context, service = shared.context, shared.service
    if service.is_lmtp or service.is_submission or not peer:
        return "comes from one of us"
    if shared.checks is None:
        return "nobody asks the DNS here"
    if within(peer, (await shared.trust()).networks):
        return "comes from a trusted network"
    return Judging(context, shared.checks, peer)


class Judging:
    """One connection's."""

    __slots__ = (
        "_address",
        "_checks",
        "_context",
        "_helo",
        "_helo_name",
        "_ip",
        "_iprev",
        "_sender",
        "_spf",
    )

    def __init__(self, context: Context, checks: Checks, peer: str) -> None:
        self._context = context
        self._checks = checks
        address = ip_address(peer.partition("%")[0])
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        self._ip: IPv4Address | IPv6Address = mapped or address
        self._address = str(self._ip)
        self._iprev = checks.iprev(self._ip)
        self._helo: Begun[SpfResult] | None = None
        self._helo_name = self._sender = ""
        self._spf: Begun[SpfResult] | None = None

    def hello(self, name: str) -> None:
        """The client calls itself *name*."""
        if name != self._helo_name:
            _stop(self._helo)
            self._helo_name = name
            self._helo = self._checks.helo(self._ip, name)

    def mail(self, sender: Address | None) -> None:
        """A message from *sender* may come."""
        self.drop()
        self._sender = str(sender) if sender is not None else ""
        self._spf = self._checks.sender(self._ip, self._sender, self._helo_name)

    def drop(self) -> None:
        """The transaction is over, however; harmless at any time."""
        _stop(self._spf)
        self._spf = None

    def close(self) -> None:
        """The connection is over."""
        self.drop()
        _stop(self._helo)
        _stop(self._iprev)

    async def findings(
        self, body: Body, start: int, at: float, *, asks_dmarc: bool = True
    ) -> tuple[Findings, tuple[str, ...]]:
        """What there is to know of the message that begins at *start* in *body* and came at *at*, UTC epoch seconds.

        With the marks of its signatures, as `Verification` has them.

        asks_dmarc: some recipient's domain wants to know what the author's publishes.
        """
        limits = self._context.limits
        header, rest = header_of(body, start, limits.dkim.header_size)
        message = Message(header, limits.dkim)
        who = author(header) if message.header.fault else author_of(message.header.values(b"from"))
        verification = Verification(message, now=int(at))
        names, chain = verification.names, None
        if not is_unsealed(message):
            chain = Chain(message, now=int(at))
            names = tuple(dict.fromkeys((*names, *chain.names)))
        keys = {name: self._checks.key(name) for name in names}
        policy = self._checks.policy(who.domain) if asks_dmarc and who.domain else None
        asked = (*keys.values(), policy, self._spf, self._helo, self._iprev)
        pending = [one for one in asked if isinstance(one, asyncio.Future)]
        ends_at = self._ends_at() if pending else None
        try:
            if not keys:
                pass  # nobody has signed it
            elif body.size - rest <= INLINE:
                _feed(message, body, rest)
            else:
                await self._context.work.thread(lambda: _feed(message, body, rest))
            if ends_at is not None:
                await _wait(pending, ends_at)
            records = {name: _said(key, NO_KEY) for name, key in keys.items()}
            if len(records) <= FEW:
                dkim, arc = _verified(verification, chain, records)
            else:
                dkim, arc = await self._context.work.thread(
                    lambda: _verified(verification, chain, records)
                )
            helo, spf = self._spf_results()
            discovery = None
            if policy is not None:
                discovery = policy.result() if policy.done() else _no_policy(who.domain)
            said = Said(
                self._address,
                self._helo_name,
                self._sender.rpartition("@")[2],
                _said(self._iprev, NO_NAME),
                helo,
                spf,
                dkim,
                arc,
                who,
                discovery,
            )
            theirs: tuple[tuple[str, str | None], ...] = ()
            if discovery is not None and discovery.record is not None:
                others = _others(discovery.domain, spf, *dkim)
                if others:
                    theirs = await self._organizations(discovery, others, ends_at)
            return findings(said, theirs, asks_dmarc), verification.marks
        finally:
            if pending:
                for one in (policy, *keys.values()):
                    _stop(one)

    def _ends_at(self) -> float:
        """On the loop's clock, when nobody waits any longer for answers that are wanted now."""
        return asyncio.get_running_loop().time() + self._context.limits.authentication.wait_s

    def _spf_results(self) -> tuple[SpfResult, SpfResult]:
        """Of the name, and of the sender."""
        if self._helo is not None and self._helo.done():
            helo = self._helo.result()
        else:
            helo = SpfResult("temperror", _LATE, self._helo_name.lower(), identity="helo")
        if self._spf is not None and self._spf.done():
            return helo, self._spf.result()
        domain = self._sender.rpartition("@")[2] or self._helo_name
        return helo, SpfResult("temperror", _LATE, domain.lower())

    async def _organizations(
        self, discovery: Discovery, domains: list[str], ends_at: float | None
    ) -> tuple[tuple[str, str | None], ...]:
        """Of *domains*, as far as it matters for the author's."""
        asked = self._checks.organizations(discovery, domains)
        if isinstance(asked, asyncio.Future):
            await _wait([asked], self._ends_at() if ends_at is None else ends_at)
        theirs = _said(asked, dict.fromkeys(domains))
        _stop(asked)
        return tuple(theirs.items())


def _verified(
    verification: Verification, chain: Chain | None, records: dict[str, Keys]
) -> tuple[tuple[DkimResult, ...], ArcResult]:
    arc = UNSEALED if chain is None else chain.result(records)
    return verification.results(records), arc


def _others(domain: str, *found: SpfResult | DkimResult) -> list[str]:
    """The domains that may speak for the author's *domain*, if there are any but itself."""
    domains = [one.domain for one in found if one.result in ("pass", "temperror") and one.domain]
    return domains if domains.count(domain) < len(domains) else []


def _no_policy(domain: str) -> Discovery:
    return Discovery(domain, None, "", domain, "none", _LATE, True)


def _feed(message: Message, body: Body, rest: int) -> None:
    view = body.view()
    for start in range(rest, len(view), PIECE):
        message.feed(bytes(view[start : start + PIECE]))


def _stop(begun: Begun[Any] | None) -> None:
    """Nobody waits for it any more."""
    if isinstance(begun, asyncio.Future) and not begun.done():
        begun.cancel()


async def _wait(all: Iterable[asyncio.Future[Any]], ends_at: float) -> None:
    """Until all are done, or *ends_at* of the loop's clock."""
    pending = [one for one in all if not one.done()]
    if pending:
        left_s = max(ends_at - asyncio.get_running_loop().time(), 0.001)
        await asyncio.wait(pending, timeout=left_s)


def _said(begun: Begun[T], late: T) -> T:
    """The result, or *late*."""
    return begun.result() if begun.done() else late
