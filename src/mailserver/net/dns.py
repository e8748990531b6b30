"""What the DNS says: a domain's mail hosts, and a host's addresses.

Spec: RFC 5321 §5.1; RFC 1035 §3.3.9; RFC 2308 §5; RFC 7505 §3; RFC 9520 §3.2; RFC 6840 §5.7.  Status: complete.

A look-up ends in records, in NoSuchDomain or NoData, which are answers, or in DnsTrouble, after which it may be tried
again later.  Answers are remembered for their time to live; who asks what is being asked already waits for that answer.
"""

import asyncio
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import dns.exception
import dns.name
import dns.rcode
import dns.rdatatype
from dns.rdatatype import RdataType

from mailserver.base.limits import DnsLimits
from mailserver.net.dns_exchange import NoAnswer, Server, exchange
from mailserver.net.dns_message import Answer

RESOLV_CONF = Path("/etc/resolv.conf")
SERVERS = 3  #: as the C library (resolv.conf(5))
_CHAINS = 4  #: questions that follow CNAMEs the resolver did not follow itself


class DnsError(Exception):
    """No records; the text is for people."""


class NoSuchDomain(DnsError):
    """The name does not exist (NXDOMAIN)."""


class NoData(DnsError):
    """The name exists and has no records of this type."""


class DnsTrouble(DnsError):
    """Nobody knows for now: no resolver answered, or its answer cannot be trusted (SERVFAIL)."""


class MxAnswer(NamedTuple):
    """Who takes the mail of a domain.

    records:      preference and host (lower case, no dot at its end), the best first; none: the domain itself, if it
                  has an address (RFC 5321 §5.1).  The host of a null MX is "".
    is_null:      the domain takes no mail (RFC 7505 §3).
    is_authentic: a trusted resolver found it signed.
    ttl:          seconds that the answer still holds.
    """

    records: tuple[tuple[int, str], ...]
    is_null: bool
    is_authentic: bool
    ttl: int


class Addresses(NamedTuple):
    """Where a host is: IPv6 addresses first."""

    addresses: tuple[str, ...]
    is_authentic: bool
    ttl: int


class _Records(NamedTuple):
    """An answer as it is remembered.

    values:     preference and host of each MX, or 0 and each address; none: `failure` and `text` say why.
    expires_at: on the loop's clock; before it is remembered, the seconds it may be.
    """

    values: tuple[tuple[int, str], ...]
    failure: type[DnsError] | None
    text: str
    is_authentic: bool
    expires_at: float

    def error(self) -> DnsError:
        """A new one each time: an exception that is raised again keeps all its tracebacks."""
        return (self.failure or NoData)(self.text)


_Question = tuple[str, RdataType]


class Resolver:
    """Asks, and remembers.  One for a process; it belongs to one event loop."""

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
        self._trust_ad = trust_ad
        self._system = None if servers else _SystemServers(system)
        self._servers = [self._server(host, port) for host, port in servers]
        self._cache: dict[_Question, _Records] = {}
        self._asking: dict[_Question, asyncio.Task[_Records]] = {}
        self._turns = asyncio.Semaphore(limits.questions)

    async def mx(self, domain: str) -> MxAnswer:
        """Who takes the mail of *domain*, A-labels.  Raises NoSuchDomain, DnsTrouble."""
        found = await self._look_up(domain, RdataType.MX)
        if found.failure is not None and found.failure is not NoData:
            raise found.error()
        is_null = len(found.values) == 1 and not found.values[0][1]
        return MxAnswer(found.values, is_null, found.is_authentic, self._left(found))

    async def addresses(self, host: str) -> Addresses:
        """Where *host* is.  Raises NoSuchDomain, NoData; DnsTrouble when no address is known and some may exist."""
        six, four = await asyncio.gather(
            self._look_up(host, RdataType.AAAA), self._look_up(host, RdataType.A)
        )
        values = (*six.values, *four.values)
        if not values:
            raise (six if six.failure is DnsTrouble else four).error()
        sources = [found for found in (six, four) if found.values]
        return Addresses(
            tuple(address for _, address in values),
            all(found.is_authentic for found in sources),
            min(self._left(found) for found in sources),
        )

    # -- memory

    async def _look_up(self, name: str, kind: RdataType) -> _Records:
        question = (name.lower().rstrip("."), kind)
        known = self._cache.get(question)
        if known is not None and known.expires_at > asyncio.get_running_loop().time():
            return known
        task = self._asking.get(question)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._find(question))
            self._asking[question] = task
            task.add_done_callback(lambda _: self._asking.pop(question, None))
        return await asyncio.shield(task)  # others may wait for it too

    async def _find(self, question: _Question) -> _Records:
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._limits.total_s):
                found = await self._resolve(*question)
        except TimeoutError:
            found = self._trouble(f"{question[0]}: no answer within {self._limits.total_s:g} s")
        except NoAnswer as error:
            found = self._trouble(f"{question[0]}: {error}")
        self._cache.pop(question, None)
        while len(self._cache) >= self._limits.cache_entries:
            del self._cache[next(iter(self._cache))]
        self._cache[question] = found._replace(expires_at=now + found.expires_at)
        return self._cache[question]

    def _left(self, found: _Records) -> int:
        return max(0, int(found.expires_at - asyncio.get_running_loop().time()))

    # -- questions

    async def _resolve(self, name: str, kind: RdataType) -> _Records:
        """The records, their time to live in place of the time they expire.  Raises NoAnswer."""
        try:
            asked = dns.name.from_text(name, dns.name.root)
        except (dns.exception.DNSException, UnicodeError):
            text = f"{name[:260]!r} is no name that the DNS could know"
            return _Records((), NoSuchDomain, text, False, self._limits.negative_longest_s)
        is_authentic, ttl = True, self._limits.cache_longest_s
        for _ in range(_CHAINS):
            answer, server = await self._ask(asked, kind)
            is_authentic &= server.is_trusted and answer.is_authentic
            if answer.values:
                values = tuple(sorted(answer.values, key=lambda value: value[0]))
                return _Records(values, None, "", is_authentic, min(ttl, answer.ttl or 0))
            is_absent = answer.code == dns.rcode.NXDOMAIN
            if answer.last != asked and answer.ttl is None and not is_absent:
                asked = answer.last  # the resolver stopped on the way
                continue
            if answer.ttl is None:  # without an SOA nobody says how long it holds (RFC 2308 §5)
                ttl = min(ttl, self._limits.failure_s)
            else:
                ttl = min(ttl, answer.ttl, self._limits.negative_longest_s)
            if is_absent:
                return _Records((), NoSuchDomain, f"{name} does not exist", is_authentic, ttl)
            text = f"{name} has no {dns.rdatatype.to_text(kind)} records"
            return _Records((), NoData, text, is_authentic, ttl)
        raise NoAnswer("too many aliases")

    async def _ask(self, name: dns.name.Name, kind: RdataType) -> tuple[Answer, Server]:
        """The first answer that says something, and who gave it.  Raises NoAnswer."""
        trouble = NoAnswer("there is no resolver")
        for _ in range(self._limits.rounds):
            for server in await self._current():
                try:
                    async with self._turns:
                        limits = self._limits
                        answer = await exchange(server, name, kind, limits.try_s, limits.records)
                except NoAnswer as error:
                    trouble = error
                    continue
                return answer, server
        raise trouble

    async def _current(self) -> list[Server]:
        if self._system is not None:
            hosts = self._system.read(asyncio.get_running_loop().time())
            return [self._server(host, 53) for host in hosts]
        return self._servers[:SERVERS]

    def _server(self, host: str, port: int) -> Server:
        is_trusted = self._trust_ad
        if is_trusted is None:
            is_trusted = ipaddress.ip_address(host.partition("%")[0]).is_loopback
        return Server(host, port, is_trusted)

    def _trouble(self, text: str) -> _Records:
        return _Records((), DnsTrouble, text, False, self._limits.failure_s)


class _SystemServers:
    """The resolvers of the system, read again when the file has changed."""

    _LOOK_S = 5.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._looked_at = float("-inf")
        self._hosts: list[str] = []

    def read(self, now: float) -> list[str]:
        """Their addresses; this machine's own without any (resolv.conf(5))."""
        if now - self._looked_at >= self._LOOK_S:
            self._looked_at = now
            try:
                status = self._path.stat()
                stamp = (status.st_mtime_ns, status.st_ino)
                if stamp != self._stamp:
                    self._hosts = _nameservers(self._path.read_text("utf-8", "replace"))
                    self._stamp = stamp
            except OSError:
                self._hosts, self._stamp = [], None
        return self._hosts or ["127.0.0.1"]


def _nameservers(text: str) -> list[str]:
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            try:
                ipaddress.ip_address(words[1].partition("%")[0])
            except ValueError:
                continue
            found.append(words[1])
    return found[:SERVERS]
