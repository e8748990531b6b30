"""A DNS in a dictionary, for engines: answers what lines say, counts what was asked.

zone = Zone('''
    example.org  TXT  "v=spf1 mx -all"
    example.org  MX   10 mail.example.org
    mail.example.org A 192.0.2.1
    2.0.192.in-addr.arpa ...           # reverse names as they are in the DNS; or: 192.0.2.1 PTR mail.example.org
    slow.example.org   TROUBLE         # any question for this name has no answer for now
    forged.example.org BOGUS
''', signed={"example.org"})           # names in and below these are authentic
"""

import shlex
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeVar

from mailserver.mailauth.resolver import (
    Answer,
    Bogus,
    Caa,
    LookupFailed,
    Mx,
    NoData,
    NoSuchDomain,
    Srv,
    Tlsa,
    Trouble,
)

T = TypeVar("T")
TTL_S, NEGATIVE_S = 300, 60
_CHAIN = 8  #: aliases followed


class Zone:
    """An in-memory `mailauth.resolver.Resolver`.

    asked: (type, name) of each question, with how often.
    """

    def __init__(self, text: str = "", *, signed: Collection[str] = ()) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self._signed = tuple(signed)
        self._records: defaultdict[str, defaultdict[str, list[list[str]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for line in text.splitlines():
            self.add(line)

    def add(self, line: str) -> None:
        """Adds the record of a line; empty lines and lines that begin with # add none."""
        words = shlex.split(line, comments=True)
        if not words:
            return
        name, kind, data = words[0], words[1].upper(), words[2:]
        if kind == "PTR" and not name.endswith("arpa"):
            name = ip_address(name).reverse_pointer
        self._records[_plain(name)][kind].append(data)

    async def txt(self, name: str) -> Answer[bytes]:
        return self._answer("TXT", name, lambda data: "".join(data).encode("latin-1"))

    async def a(self, name: str) -> Answer[IPv4Address]:
        return self._answer("A", name, lambda data: IPv4Address(data[0]))

    async def aaaa(self, name: str) -> Answer[IPv6Address]:
        return self._answer("AAAA", name, lambda data: IPv6Address(data[0]))

    async def mx(self, name: str) -> Answer[Mx]:
        found = self._answer("MX", name, lambda data: Mx(int(data[0]), _plain(data[1])))
        return found._replace(values=tuple(sorted(found.values)))

    async def ptr(self, address: IPv4Address | IPv6Address) -> Answer[str]:
        return self._answer("PTR", address.reverse_pointer, lambda data: _plain(data[0]))

    async def tlsa(self, name: str) -> Answer[Tlsa]:
        def record(data: list[str]) -> Tlsa:
            usage, selector, matching = map(int, data[:3])
            return Tlsa(usage, selector, matching, bytes.fromhex("".join(data[3:])))

        return self._answer("TLSA", name, record)

    async def cname(self, name: str) -> Answer[str]:
        return self._answer("CNAME", name, lambda data: _plain(data[0]))

    async def srv(self, name: str) -> Answer[Srv]:
        def record(data: list[str]) -> Srv:
            priority, weight, port = map(int, data[:3])
            return Srv(priority, weight, port, _plain(data[3]))

        return self._answer("SRV", name, record)

    async def caa(self, name: str) -> Answer[Caa]:
        return self._answer("CAA", name, lambda data: Caa(int(data[0]), data[1], data[2]))

    async def ns(self, name: str) -> Answer[str]:
        return self._answer("NS", name, lambda data: _plain(data[0]))

    def _answer(self, kind: str, name: str, value: Callable[[list[str]], T]) -> Answer[T]:
        self.asked[kind, _plain(name)] += 1
        at, is_authentic = _plain(name), True
        for _ in range(_CHAIN):
            is_authentic = is_authentic and self._is_signed(at)
            here = self._records.get(at)
            if here is None:
                raise self._absent(at, is_authentic)
            for failure, error in (("TROUBLE", Trouble), ("BOGUS", Bogus)):
                if failure in here:
                    raise error(f"{name}: {failure.lower()}")
            if here.get(kind):
                return Answer(tuple(value(data) for data in here[kind]), is_authentic, TTL_S)
            if kind == "CNAME" or not here.get("CNAME"):
                raise NoData(f"{name} has no {kind}", is_authentic=is_authentic, ttl=NEGATIVE_S)
            at = _plain(here["CNAME"][0][0])
        raise Trouble(f"{name}: too many aliases")

    def _absent(self, name: str, is_authentic: bool) -> LookupFailed:
        """An empty non-terminal exists (RFC 8020 §2)."""
        kind = (
            NoData if any(other.endswith(f".{name}") for other in self._records) else NoSuchDomain
        )
        return kind(f"{name} is not there", is_authentic=is_authentic, ttl=NEGATIVE_S)

    def _is_signed(self, name: str) -> bool:
        return any(name == zone or name.endswith(f".{zone}") for zone in self._signed)


def _plain(name: str) -> str:
    return name.rstrip(".").lower()
