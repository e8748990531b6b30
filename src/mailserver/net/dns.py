"""What the DNS says: the resolver that everything of a worker asks.

Spec: RFC 1035 §3.3; RFC 5321 §5.1; RFC 2308 §5; RFC 7505 §3; RFC 9520 §3.2; RFC 6840 §5.7; RFC 8914 §4.  Status:
complete.

A look-up ends in records, in NoSuchDomain or NoData, which are answers, or in Trouble, after which it may be tried
again later.  Answers are remembered for their time to live; who asks what is being asked already waits for that answer.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

import dns.exception
import dns.name
import dns.rcode
import dns.rdatatype
from dns.rdatatype import RdataType

from mailserver.base.limits import DnsLimits
from mailserver.mailauth.resolver import (
    Answer,
    Bogus,
    Caa,
    Mx,
    NoData,
    NoSuchDomain,
    Srv,
    Tlsa,
    Trouble,
)
from mailserver.net import dns_message
from mailserver.net.dns_cache import Cache, Known, Question
from mailserver.net.dns_exchange import NoAnswer, Server, Withheld, exchange
from mailserver.net.dns_records import Value
from mailserver.net.dns_servers import RESOLV_CONF, Servers

_CHAINS = 4  #: questions that follow CNAMEs the resolver did not follow itself
_UNCHECKED_S = 1.0  #: for asking whether an answer was withheld because its signatures are wrong

T = TypeVar("T", bound=Value)


class Addresses(NamedTuple):
    """Where a host is: IPv6 addresses first.

    name: what the host's name is an alias of, at the end of all aliases; "" where it is none.
    """

    addresses: tuple[str, ...]
    is_authentic: bool
    ttl: int
    name: str = ""


@dataclass(slots=True)
class _Asking:
    """A look-up under way, and how many wait for it; nobody: it ends."""

    task: asyncio.Task[Known]
    waiting: int = 0


class _Forged(NoAnswer):
    """A trusted resolver has found wrong signatures: nobody else is asked, who might not look at them."""


class Resolver:
    """A `mailauth.resolver.Resolver` that asks, and remembers.  One for a process; it belongs to one event loop."""

    def __init__(
        self,
        limits: DnsLimits,
        servers: Sequence[tuple[str, int]] = (),
        trust_ad: bool | None = None,
        system: Path = RESOLV_CONF,
    ) -> None:
        """servers: address and port of each resolver; none: those in the file *system*, whenever it changes.

        trust_ad: whether the AD bit of answers counts; None: that of resolvers on this machine (RFC 4035 §4.9.3).
        """
        self._limits = limits
        self._servers = Servers(servers, trust_ad, system, limits.failure_s)
        self._cache = Cache(limits.cache_entries, limits.cache_size)
        self._asking: dict[Question, _Asking] = {}
        self._turns = asyncio.Semaphore(limits.questions)

    async def txt(self, name: str) -> Answer[bytes]:
        """Each value is one record, its strings put together without anything between them."""
        return await self._answer(name, RdataType.TXT, bytes)

    async def a(self, name: str) -> Answer[IPv4Address]:
        """IPv4 addresses."""
        return await self._answer(name, RdataType.A, IPv4Address)

    async def aaaa(self, name: str) -> Answer[IPv6Address]:
        """IPv6 addresses."""
        return await self._answer(name, RdataType.AAAA, IPv6Address)

    async def mx(self, name: str) -> Answer[Mx]:
        """Mail hosts, the most preferred first."""
        return await self._answer(name, RdataType.MX, Mx)

    async def ptr(self, address: IPv4Address | IPv6Address) -> Answer[str]:
        """Names of an address."""
        return await self._answer(address.reverse_pointer, RdataType.PTR, str)

    async def tlsa(self, name: str) -> Answer[Tlsa]:
        """Of a whole name, as `_25._tcp.mail.example.org`."""
        return await self._answer(name, RdataType.TLSA, Tlsa)

    async def cname(self, name: str) -> Answer[str]:
        """What *name* itself is an alias of; not followed further."""
        return await self._answer(name, RdataType.CNAME, str)

    async def srv(self, name: str) -> Answer[Srv]:
        """Of a whole name, the most preferred first."""
        return await self._answer(name, RdataType.SRV, Srv)

    async def caa(self, name: str) -> Answer[Caa]:
        """Of this name only."""
        return await self._answer(name, RdataType.CAA, Caa)

    async def ns(self, name: str) -> Answer[str]:
        """Name servers; those of the root for ""."""
        return await self._answer(name, RdataType.NS, str)

    async def addresses(self, host: str) -> Addresses:
        """Where *host* is.  Raises NoSuchDomain, NoData; Trouble when no address is known and some may exist."""
        six, four = await asyncio.gather(
            self._look_up(host, RdataType.AAAA), self._look_up(host, RdataType.A)
        )
        values = (*six.values, *four.values)
        if not values:
            worst = six if six.failure in (Trouble, Bogus) else four
            raise worst.error(self._left(worst))
        sources = [found for found in (six, four) if found.values]
        return Addresses(
            tuple(str(address) for address in values),
            all(found.is_authentic for found in sources),
            min(self._left(found) for found in sources),
            sources[0].name,
        )

    def servers(self) -> list[Server]:
        """Who is asked at this moment, in this order."""
        return self._servers.current(asyncio.get_running_loop().time())

    # -- memory

    async def _answer(self, name: str, kind: RdataType, values: type[T]) -> Answer[T]:
        """*values*: what records of *kind* are decoded to."""
        found = await self._look_up(name, kind)
        if found.failure is not None:
            raise found.error(self._left(found))
        return Answer(cast("tuple[T, ...]", found.values), found.is_authentic, self._left(found))

    async def _look_up(self, name: str, kind: RdataType) -> Known:
        question = (name.removesuffix(".").lower(), kind)
        known = self._cache.get(question, asyncio.get_running_loop().time())
        if known is not None:
            return known
        asking = self._asking.get(question)
        if asking is None:
            try:
                asked = _as_name(question[0])
            except (dns.exception.DNSException, UnicodeError):
                text = f"{name[:260]!r} is no name that the DNS could know"
                return Known((), NoSuchDomain, text, False, 0)
            if len(self._asking) >= self._limits.waiting:
                return self._trouble("too many other questions are waiting for answers")
            asking = _Asking(asyncio.get_running_loop().create_task(self._find(question, asked)))
            self._asking[question] = asking
        asking.waiting += 1
        try:
            return await asyncio.shield(asking.task)  # others may wait for it too
        finally:
            asking.waiting -= 1
            if not asking.waiting:
                asking.task.cancel()  # does nothing to one that is done
                if self._asking.get(question) is asking:
                    del self._asking[question]

    async def _find(self, question: Question, asked: dns.name.Name) -> Known:
        loop, (name, kind) = asyncio.get_running_loop(), question
        try:
            async with asyncio.timeout(self._limits.total_s):
                found = await self._resolve(name, asked, kind)
        except TimeoutError:
            found = self._trouble(f"{name}: no answer within {self._limits.total_s:g} s")
        except _Forged as error:
            found = self._trouble(f"{name}: {error}")._replace(failure=Bogus)
        except NoAnswer as error:
            found = self._trouble(f"{name}: {error}")
        found = found._replace(expires_at=loop.time() + found.ttl)
        self._cache.keep(question, found)
        return found

    def _left(self, found: Known) -> int:
        return max(0, int(found.expires_at - asyncio.get_running_loop().time()))

    def _trouble(self, text: str) -> Known:
        return Known((), Trouble, text, False, self._limits.failure_s)

    # -- questions

    async def _resolve(self, name: str, asked: dns.name.Name, kind: RdataType) -> Known:
        """What there is.  Raises NoAnswer."""
        first, is_authentic, ttl = asked, True, self._limits.cache_longest_s
        for _ in range(_CHAINS):
            answer, server = await self._ask(asked, kind)
            is_authentic &= server.is_trusted and answer.is_authentic
            if answer.values:
                end = (
                    answer.last.to_text(omit_final_dot=True).lower() if answer.last != first else ""
                )
                return Known(
                    _ordered(answer.values),
                    None,
                    "",
                    is_authentic,
                    min(ttl, answer.ttl or 0),
                    name=end,
                )
            is_absent = answer.code == dns.rcode.NXDOMAIN
            if answer.last != asked and answer.ttl is None and not is_absent:
                asked = answer.last  # the resolver stopped on the way
                continue
            if answer.ttl is None:  # without an SOA nobody says how long it holds (RFC 2308 §5)
                ttl = min(ttl, self._limits.failure_s)
            else:
                ttl = min(ttl, answer.ttl, self._limits.negative_longest_s)
            if is_absent:
                return Known((), NoSuchDomain, f"{name} does not exist", is_authentic, ttl)
            text = f"{name} has no {dns.rdatatype.to_text(kind)} records"
            return Known((), NoData, text, is_authentic, ttl)
        raise NoAnswer("too many aliases")

    async def _ask(self, name: dns.name.Name, kind: RdataType) -> tuple[dns_message.Answer, Server]:
        """The first answer that says something, and who gave it.  Raises NoAnswer."""
        trouble, loop = NoAnswer("there is no resolver"), asyncio.get_running_loop()
        for _ in range(self._limits.rounds):
            for server in self._servers.current(loop.time()):
                try:
                    answer = await self._exchange(server, name, kind, self._limits.try_s)
                except Withheld as error:
                    self._servers.answered(server)
                    if server.is_trusted and (
                        error.is_bogus or await self._is_bogus(server, name, kind)
                    ):
                        text = (
                            str(error) if error.is_bogus else f"{error}: its signatures are wrong"
                        )
                        raise _Forged(text) from error
                    trouble = error
                except NoAnswer as error:
                    self._servers.failed(server, loop.time())
                    trouble = error
                else:
                    self._servers.answered(server)
                    return answer, server
        raise trouble

    async def _is_bogus(self, server: Server, name: dns.name.Name, kind: RdataType) -> bool:
        """Whether *server* has an answer if it need not look at signatures (RFC 4035 §3.2.2)."""
        timeout_s = min(_UNCHECKED_S, self._limits.try_s)
        try:
            await self._exchange(server, name, kind, timeout_s, is_unchecked=True)
        except NoAnswer:
            return False
        return True

    async def _exchange(
        self,
        server: Server,
        name: dns.name.Name,
        kind: RdataType,
        timeout_s: float,
        *,
        is_unchecked: bool = False,
    ) -> dns_message.Answer:
        async with self._turns:
            most = self._limits.records
            return await exchange(server, name, kind, timeout_s, most, is_unchecked=is_unchecked)


def _as_name(text: str) -> dns.name.Name:
    """*text* as it is: no escapes, no other form of letters that are not ASCII."""
    labels = text.encode().split(b".") if text else []
    return dns.name.Name([*labels, b""])


def _ordered(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Hosts by their preference, the lowest number first; all else as it came."""
    return tuple(sorted(values, key=_preference))


def _preference(value: Value) -> int:
    if isinstance(value, Mx):
        return value.preference
    return value.priority if isinstance(value, Srv) else 0
