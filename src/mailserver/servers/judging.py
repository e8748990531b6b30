"""Mail authentication of one connection: look-ups run beside the conversation, and come together with the content.

Spec: RFC 7208 §2.3, §2.4, §8.6; RFC 6376 §6.1; RFC 8617 §5.2; RFC 9989 §5.3; RFC 8601 §2.7.  Status: complete.

iprev begins with the connection, SPF of a name with EHLO, SPF of a sender with MAIL.  Once the content is there, keys
and policy are asked for at the same time while the body is hashed.  Whoever waits then waits for
`limits.authentication.wait_s` at most; what has no answer by then counts as a temporary error.
"""

import asyncio
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, TypeVar

from mailserver.mailauth.arc.verify import ArcResult, Chain
from mailserver.mailauth.dkim.message import Message
from mailserver.mailauth.dkim.outcome import DkimResult, Problem
from mailserver.mailauth.dkim.record import Keys
from mailserver.mailauth.dkim.verify import Verification
from mailserver.mailauth.dmarc.author import Author, author, author_of
from mailserver.mailauth.dmarc.discover import Discovery
from mailserver.mailauth.dmarc.judge import DmarcResult, Proof, judge, unnamed
from mailserver.mailauth.iprev import IprevResult
from mailserver.mailauth.spf.result import SpfResult
from mailserver.mta.complete import header_of
from mailserver.mta.findings import Findings
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
NOT_ASKED = DmarcResult("none", "none", (), "not asked: no recipient's domain wants it")


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
    ) -> Findings:
        """What there is to know of the message that begins at *start* in *body* and came at *at*, UTC epoch seconds.

        asks_dmarc: some recipient's domain wants to know what the author's publishes.
        """
        limits = self._context.limits
        ends_at = asyncio.get_running_loop().time() + limits.authentication.wait_s
        header, rest = header_of(body, start, limits.dkim.header_size)
        message = Message(header, limits.dkim)
        who = author(header) if message.header.fault else author_of(message.header.values(b"from"))
        verification, chain = Verification(message, now=int(at)), Chain(message, now=int(at))
        keys = {name: self._checks.key(name) for name in {*verification.names, *chain.names}}
        found = self._checks.policy(who.domain) if asks_dmarc and who.domain else None
        asked = (*keys.values(), found, self._spf, self._helo, self._iprev)
        pending = [one for one in asked if isinstance(one, asyncio.Future)]
        try:
            if keys:
                await self._hash(message, body, rest)
            if pending:
                await _wait(pending, ends_at)
            dkim, arc = await self._verified(
                verification, chain, {name: _said(key, NO_KEY) for name, key in keys.items()}
            )
            helo, spf = self._spf_results()
            discovery = None
            if found is not None:
                discovery = found.result() if found.done() else _no_policy(who.domain)
            if asks_dmarc:
                dmarc = await self._dmarc(who, discovery, spf, dkim, ends_at)
            else:
                dmarc = NOT_ASKED
            return Findings(
                self._address,
                self._helo_name,
                self._sender,
                _said(self._iprev, NO_NAME),
                helo,
                spf,
                dkim,
                arc,
                who,
                discovery,
                dmarc,
            )
        finally:
            if pending:
                for one in (found, *keys.values()):
                    _stop(one)

    async def _hash(self, message: Message, body: Body, rest: int) -> None:
        if body.size - rest <= PIECE:
            message.feed(bytes(body.view()[rest:]))
        elif body.size - rest <= INLINE:
            _feed(message, body, rest)
        else:
            await self._context.work.thread(lambda: _feed(message, body, rest))

    async def _verified(
        self, verification: Verification, chain: Chain, records: Mapping[str, Keys]
    ) -> tuple[tuple[DkimResult, ...], ArcResult]:
        if len(records) <= FEW:
            return verification.results(records), chain.result(records)
        return await self._context.work.thread(
            lambda: (verification.results(records), chain.result(records))
        )

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

    async def _dmarc(
        self,
        who: Author,
        discovery: Discovery | None,
        spf: SpfResult,
        dkim: tuple[DkimResult, ...],
        ends_at: float,
    ) -> DmarcResult:
        if discovery is None:
            return unnamed(who)
        proofs = [Proof("spf", spf.result, spf.domain)]
        proofs += [Proof("dkim", one.result, one.domain) for one in dkim]
        theirs: dict[str, str | None] = {}
        if discovery.record is not None:
            domains = [p.domain for p in proofs if p.result in ("pass", "temperror") and p.domain]
            if any(domain != discovery.domain for domain in domains):
                asked = self._checks.organizations(discovery, domains)
                if isinstance(asked, asyncio.Future):
                    await _wait([asked], ends_at)
                theirs = _said(asked, dict.fromkeys(domains))
                _stop(asked)
        return judge(discovery, proofs, theirs)


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
